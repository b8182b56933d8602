package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"slipway/internal/guestimage"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/etcd"
)

// open is what every command but dev begins with.
func open(ctx context.Context, c Config) (state.DB, func(), error) {
	s, done, err := openEtcd(ctx, c)
	return state.DB{Store: s}, done, err
}

// openEtcd is open for a command that asks more than a store.Store knows.
func openEtcd(ctx context.Context, c Config) (*etcd.Store, func(), error) {
	d, err := openState(c.State, invoker(os.Getenv))
	if err != nil {
		return nil, nil, err
	}
	s, err := openStore(ctx, d, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	return s, func() { s.Close() }, nil
}

// openSnapshot is open for a command that reads one state, and makes none; done closes it.
func openSnapshot(ctx context.Context, c Config) (r store.Snapshot, done func(), err error) {
	if err := c.haveState(); err != nil {
		return nil, nil, err
	}
	db, done, err := open(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if r, err = db.Snapshot(ctx); err != nil {
		done()
		return nil, nil, err
	}
	return r, done, nil
}

// haveState refuses a directory that no slipway has served: a command makes nothing but what it is for.
func (c Config) haveState() error {
	if _, err := os.Stat(filepath.Join(c.State, "version")); err != nil {
		return fmt.Errorf("there is no state in %s: name its directory with --state", c.State)
	}
	return nil
}

// credentials are an account's, as scripts read them.
type credentials struct {
	AccountID       string `json:"accountId"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// listedImage is an image as scripts read it.
type listedImage struct {
	ImageID string `json:"imageId"`
	Name    string `json:"name"`
	State   string `json:"state"`
	User    string `json:"user,omitempty"`
}

func imageCommand(ctx context.Context, args []string) error {
	var asJSON bool
	var as guestimage.Import
	c, words, err := readConfig("image", args, os.Getenv, func(fs *flag.FlagSet) {
		fs.BoolVar(&asJSON, "json", false, "answer in JSON")
		fs.StringVar(&as.Name, "name", "", "of an imported image")
		fs.StringVar(&as.User, "user", "", "who may log in to an imported image with the instance's key")
		fs.BoolVar(&as.UEFI, "uefi", false, "an imported image's loader wants UEFI")
	})
	if err != nil {
		return err
	}
	importing := len(words) > 0 && words[0] == "import"
	switch {
	case as != guestimage.Import{} && !importing:
		return errors.New("image: --name, --user and --uefi are for `slipway image import`")
	case importing && len(words) == 2:
		as.MaxGiB = c.Imports.MaxGiB
		return importImage(ctx, c, words[1], as)
	case len(words) == 2 && words[0] == "remove":
		return removeImage(ctx, c, words[1])
	case len(words) == 2 && words[0] == "build":
		b, err := buildImage(ctx, c, words[1])
		if err != nil {
			return err
		}
		fmt.Printf("%s is in %s\n", b.Name, b.Dir)
		fmt.Println("A slipway that starts from now on has it.")
		return nil
	case len(words) == 1 && words[0] == "list":
	default:
		return errors.New("image: say `slipway image list`, `slipway image build tiny`, `slipway image build " +
			"debian-12`, `slipway image import FILE --name NAME` or `slipway image remove ami-…`")
	}
	r, done, err := openSnapshot(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	list := []listedImage{}
	for im := range state.Images.All(r, state.Global) {
		list = append(list, listedImage{string(im.ID), im.Name, string(im.State), im.User})
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(list)
	}
	for _, im := range list {
		fmt.Printf("%s\t%s\t%s\t%s\n", im.ImageID, im.State, im.Name, im.User)
	}
	return nil
}

func buildImage(ctx context.Context, c Config, name string) (guestimage.Built, error) {
	build, ok := builders[name]
	if !ok {
		return guestimage.Built{}, fmt.Errorf("image: there is no recipe %q: there are tiny and debian-12", name)
	}
	return build(ctx, imageDir(c), progress)
}

func progress(line string) { fmt.Fprintln(os.Stderr, "  "+line) }

func imageDir(c Config) string {
	if c.Images != "" {
		return c.Images
	}
	return guestimage.DefaultCacheDir()
}
