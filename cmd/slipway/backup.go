package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/internal/durable"
	"slipway/internal/seal"
	"slipway/internal/store"
	"slipway/internal/store/etcd"
)

// backupForm is the version of a backup's form.
const backupForm = 2 // 1 had its records in plain text

// backedUp are the entries of a state directory that a backup has besides the records: files, and directories of files. What is
// not among them is the volumes' and the machines', or made anew.
var backedUp = []string{
	"installation", "credentials.json", "demo.pem", "identity.key", "identity.crt", "tokens.key", "secrets.key", "slot",
	"network", "agent", "tls",
}

// manifest is a backup's first entry.
type manifest struct {
	Form         int       `json:"form"`
	Installation string    `json:"installation"`
	Slipway      string    `json:"slipway"` // the version that made it
	Layout       string    `json:"layout"`  // of the state directory
	At           time.Time `json:"at"`
	SealedUnder  seal.ID   `json:"sealedUnder,omitempty"` // the key of what is secret among the records
	Records      int       `json:"records"`
	Files        int       `json:"files"`
}

// record is one of the store's, as a line.
type record struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// backup is what a backup's file says.
type backup struct {
	manifest
	records []record
	files   map[string][]byte // by their path in the state directory
}

func backupCommand(ctx context.Context, args []string, out io.Writer) error {
	c, words, err := readConfig("backup", args, os.Getenv, nil)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return errors.New("backup: say `slipway backup --state DIR FILE`")
	}
	if err := c.haveState(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	r, done, err := openSnapshot(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	schema, err := c.schema(stateDir{path: c.State})
	if err != nil {
		return err
	}
	b, err := takeBackup(r, schema, c.State)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := b.write(words[0], invoker(os.Getenv)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	fmt.Fprintf(out, "%d records and %d files of %s are in %s; volumes are not\n", b.Records, b.Files, c.State, words[0])
	if _, has := b.files[secretsFile]; !has && b.SealedUnder != "" {
		fmt.Fprintf(out,
			"what is secret in it is sealed under the key %s of %s, which is not in it: keep a copy of that elsewhere\n",
			b.SealedUnder, schema.Keys.File())
	}
	return nil
}

// takeBackup reads the records of one moment, seals what is secret among them, and reads the files beside them.
func takeBackup(r store.Reader, schema etcd.Schema, dir string) (*backup, error) {
	b := &backup{
		manifest: manifest{Form: backupForm, Slipway: version, Layout: layout, At: time.Now().UTC()},
		files:    map[string][]byte{},
	}
	for it := range r.Range("") {
		if it.Key == installationKey {
			b.Installation = string(it.Value)
		}
		value := it.Value
		if _, already := seal.Sealed(value); schema.Secret(it.Key) && !already {
			var err error
			if b.SealedUnder == "" {
				b.SealedUnder, err = schema.Keys.First()
			}
			if err == nil {
				value, err = schema.Keys.Seal(b.SealedUnder, it.Key, value)
			}
			if err != nil {
				return nil, err
			}
		}
		b.records = append(b.records, record{it.Key, value})
	}
	if b.Installation == "" {
		return nil, fmt.Errorf("the records of %s name no installation: no server has been ready there yet", dir)
	}
	for _, entry := range backedUp {
		err := filepath.WalkDir(filepath.Join(dir, entry), func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(dir, file)
			b.files[filepath.ToSlash(rel)] = content
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // not there yet, or an instance has just ended
			return nil, err
		}
	}
	if _, has := b.files[secretsFile]; has { // the keys as they were when they were used: a rotation may have dropped one since
		b.files[secretsFile] = schema.Keys.Content()
	}
	b.Records, b.Files = len(b.records), len(b.files)
	return b, nil
}

// write makes the file, whole or not at all, for its owner alone. It replaces none.
func (b *backup) write(file string, who person) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".backup-") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = errors.Join(b.encode(f), f.Sync(), who.give(f.Name()), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already: name another file", file)
		}
		return err
	}
	return durable.Sync(filepath.Dir(file))
}

func (b *backup) encode(to io.Writer) error {
	z := gzip.NewWriter(to)
	t := tar.NewWriter(z)
	var errs []error
	add := func(name string, content []byte) {
		errs = append(errs, t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: b.At}))
		_, err := t.Write(content)
		errs = append(errs, err)
	}
	head, err := json.Marshal(b.manifest)
	errs = append(errs, err)
	add("manifest.json", head)
	var lines bytes.Buffer
	each := json.NewEncoder(&lines)
	for _, r := range b.records {
		errs = append(errs, each.Encode(r))
	}
	add("records.jsonl", lines.Bytes())
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		add("files/"+name, b.files[name])
	}
	return errors.Join(append(errs, t.Close(), z.Close())...)
}

// readBackup reads all of a backup, and believes it only if it is whole.
func readBackup(from io.Reader) (*backup, error) {
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, fmt.Errorf("it is no backup of slipway's: %w", err)
	}
	b := &backup{files: map[string][]byte{}}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("it is damaged: %w", err)
		}
		content, err := io.ReadAll(t)
		if err != nil {
			return nil, fmt.Errorf("it is damaged: %w", err)
		}
		name, isFile := strings.CutPrefix(h.Name, "files/")
		switch {
		case h.Name == "manifest.json":
			err = json.Unmarshal(content, &b.manifest)
		case h.Name == "records.jsonl":
			for lines := json.NewDecoder(bytes.NewReader(content)); err == nil; {
				var r record
				if err = lines.Decode(&r); err == nil {
					b.records = append(b.records, r)
				}
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
		case isFile && mayRestore(name):
			b.files[name] = content
		default:
			return nil, fmt.Errorf("it has the entry %q, which no backup has", h.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("it is damaged: %s: %w", h.Name, err)
		}
	}
	if _, err := io.Copy(io.Discard, z); err != nil { // to the checksum
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	switch {
	case b.Form < 1 || b.Form > backupForm || b.Layout != layout:
		return nil,
			fmt.Errorf("it is of form %d, for state directories of version %q, and this slipway reads form %d and "+
				"version %s: use the slipway that made it (%s)",
				b.Form, b.Layout, backupForm, layout, b.Slipway)
	case len(b.records) != b.Records || len(b.files) != b.Files:
		return nil, fmt.Errorf("it is damaged: %d records and %d files are there of %d and %d", len(b.records),
			len(b.files), b.Records, b.Files)
	case !slices.ContainsFunc(b.records, func(r record) bool {
		return r.Key == installationKey && string(r.Value) == b.Installation
	}):
		return nil, errors.New("it is damaged: its records are of another installation")
	}
	return b, nil
}

// mayRestore says whether a backup's file belongs into a state directory: a backup may come from anywhere, and never
// writes elsewhere.
func mayRestore(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return filepath.IsLocal(name) && path.Clean(name) == name && slices.Contains(backedUp, top)
}

func restoreCommand(ctx context.Context, args []string, out io.Writer) error {
	c, words, err := readConfig("restore", args, os.Getenv, nil)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return errors.New("restore: say `slipway restore --state DIR FILE`")
	}
	f, err := os.Open(words[0])
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer f.Close()
	b, err := readBackup(f)
	if err != nil {
		return fmt.Errorf("restore: %s: %w", words[0], err)
	}
	dir, err := openState(c.State, invoker(os.Getenv))
	if err != nil {
		return err
	}
	if err := dir.claim(); err != nil {
		return err
	}
	defer dir.lock.Close()
	if err := b.restore(ctx, dir, c); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	fmt.Fprintf(out, "%d records of %s are in %s again\n", b.Records, b.At.Format(time.RFC3339), c.State)
	return nil
}

// restore brings the records back where there are none, and those files that are missing: what is there is newer. The records
// come last and at once, so that a restore that broke off can be begun again.
func (b *backup) restore(ctx context.Context, dir stateDir, c Config) error {
	if own, err := os.ReadFile(dir.join("installation")); err == nil && strings.TrimSpace(string(own)) != b.Installation {
		return fmt.Errorf("%s belongs to the installation %s, and the backup is of %s: name the directory that it "+
			"was made of, or a new one",
			dir.path, strings.TrimSpace(string(own)), b.Installation)
	}
	if len(c.EtcdEndpoints) == 0 {
		if _, err := os.Stat(dir.join("etcd")); err == nil {
			return fmt.Errorf("%s has records, and nothing is written over them: if they are lost, put them aside "+
				"with `mv %s %s`",
				dir.path, dir.join("etcd"), dir.join("etcd.lost"))
		}
	}
	schema, err := c.schema(dir)
	if err != nil {
		return err
	}
	if err := b.unseal(schema.Keys); err != nil {
		return err
	}
	for name, content := range b.files {
		file := dir.join(filepath.FromSlash(name))
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		who := person{os.Geteuid(), os.Getegid()}
		if name == "credentials.json" || name == "demo.pem" || name == "installation" { // as the server makes them
			who = dir.who
		}
		if err := who.write(file, content); err != nil {
			return err
		}
	}
	if len(c.EtcdEndpoints) > 0 {
		db, err := c.cluster().Dial(ctx, etcdPrefix, etcd.DefaultLimits, schema, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		return errors.Join(b.fill(ctx, db), db.Close())
	}
	next := dir.join("etcd.restored")
	if err := os.RemoveAll(next); err != nil { // of a restore that broke off
		return err
	}
	db, err := etcd.Embed(ctx, next, dir.socket(), etcdPrefix, schema, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if err := errors.Join(b.fill(ctx, db), db.Close()); err != nil {
		return err
	}
	if err := unix.Rename(next, dir.join("etcd")); err != nil {
		return err
	}
	return durable.Sync(dir.path)
}

// unseal opens what is sealed among the records, by the keys that came with them or by the installation's. What cannot be read
// for another reason stays as it is: it could not be read when it was backed up.
func (b *backup) unseal(own *seal.Ring) error {
	rings := []*seal.Ring{own}
	if content, has := b.files[secretsFile]; has {
		theirs, err := seal.Parse(content)
		if err != nil {
			return fmt.Errorf("it is damaged: %s: %w", secretsFile, err)
		}
		rings = append(rings, theirs)
	}
	known := func(id seal.ID) bool {
		return slices.ContainsFunc(rings, func(r *seal.Ring) bool { return r.Has(id) == nil })
	}
	if b.SealedUnder != "" && !known(b.SealedUnder) {
		return fmt.Errorf("what is secret in it is sealed under the key %s, which is neither in it nor in %s: name "+
			"the file that has it with --secrets-key",
			b.SealedUnder, own.File())
	}
	for i, r := range b.records {
		for _, ring := range rings {
			if value, err := ring.Unseal(r.Key, r.Value); err == nil {
				b.records[i].Value = value
				break
			}
		}
	}
	return nil
}

// fill writes all records into a store that has none.
func (b *backup) fill(ctx context.Context, db store.Store) error {
	return db.Update(ctx, func(tx store.Tx) error {
		for it := range tx.Range("") {
			return fmt.Errorf("the store has records already (%s): nothing is written over them", it.Key)
		}
		for _, r := range b.records {
			tx.Put(r.Key, r.Value)
		}
		return nil
	})
}
