package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/addresses"
	"slipway/internal/audit"
	"slipway/internal/computehost"
	"slipway/internal/controlplane"
	"slipway/internal/dataplane"
	"slipway/internal/guard"
	"slipway/internal/hosts"
	"slipway/internal/server"
	"slipway/internal/state"
	"slipway/internal/store/etcd"
)

// devHost is the one host of a dev run.
const devHost slipway.HostID = "local"

// devRun is `slipway dev`: both halves in one process, over an embedded etcd.
type devRun struct {
	cfg  Config
	demo bool
	dir  stateDir
	log  *slog.Logger
	db   state.DB
	host *computehost.Host
	api  *controlplane.ControlPlane
}

func dev(ctx context.Context, args []string) error {
	d := &devRun{}
	c, words, err := readConfig("dev", args, os.Getenv, func(fs *flag.FlagSet) {
		fs.BoolVar(&d.demo, "demo", false, "launch one instance through the API and print how to reach it")
	})
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return fmt.Errorf("dev: %q is not understood: `slipway help` shows the flags", words[0])
	}
	level := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}[c.Log]
	d.cfg, d.log = c, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	// The port first: nothing is touched if it is taken.
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s is in use by another program: name another with --listen", c.Listen)
		}
		return fmt.Errorf("listen: %w", err)
	}
	defer listener.Close()
	if !c.encrypted() && !c.Insecure && !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return fmt.Errorf("whoever is on the network of %s could read what is sent there, and use it: add --tls, or "+
			"--tls-cert and --tls-key, or --insecure if that is meant",
			c.Listen)
	}
	if c.Hypervisor == "qemu" {
		if err := dataplane.Check(); err != nil {
			return fmt.Errorf("%w: run as root after `make deps`, or try --hypervisor simulated", err)
		}
	}
	if d.dir, err = openState(c.State, invoker(os.Getenv)); err != nil {
		return err
	}
	if err := d.dir.claim(); err != nil {
		return err
	}
	return d.serve(ctx, listener)
}

func (d *devRun) serve(ctx context.Context, listener net.Listener) error {
	secure, err := d.secure(listener.Addr().(*net.TCPAddr))
	if err != nil {
		return err
	}
	if err := d.openStore(ctx); err != nil {
		return err
	}
	defer d.db.Close()
	if err := identify(ctx, d.db, d.dir, d.storeName()); err != nil {
		return d.inWords(err)
	}
	heard := func(audit.Record) {}
	if d.cfg.Audit == "on" {
		write, done, err := audit.OpenTrails(d.dir.join("audit"), audit.DefaultLimits, d.log, time.Now)
		if err != nil {
			return err
		}
		defer done()
		heard = write
	}
	if err := d.open(heard); err != nil {
		return err
	}
	err = d.attend(ctx, listener, secure)
	closing, cancel := context.WithTimeout(context.Background(), hostPatience)
	defer cancel()
	return errors.Join(err, d.host.Close(closing, err == nil && !d.cfg.Keep))
}

// How long the end may take: of the guests and the calls that run, and then of what the host has for them.
const guestPatience, hostPatience = 40 * time.Second, 20 * time.Second

// attend does what is to be done until ctx ends, and lets the guests end with it, unless they are to be kept.
func (d *devRun) attend(ctx context.Context, listener net.Listener, secure secured) error {
	keys, err := d.firstAccount(ctx)
	if err != nil {
		return d.inWords(err)
	}
	images := d.bringImages(ctx)
	if images != nil && !full(images) {
		return images
	}
	// The agent says it again until it is heard.
	if err := d.host.Agent.Join(ctx); err != nil && !full(err) {
		return fmt.Errorf("this host: %w", err)
	}
	wiring, err := d.api.Front()
	if err != nil {
		return err
	}
	served := server.New(wiring)
	defer served.Close()
	front := served.HTTP()

	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	guard.Group(&wg, d.log, "the agent", func() { d.host.Agent.Run(running) })
	guard.Group(&wg, d.log, "the control plane", func() { d.api.Run(running) })
	guard.Group(&wg, d.log, "imported images", func() { d.watchImported(running) })
	if images != nil {
		guard.Group(&wg, d.log, "images", func() { d.bringLater(running) })
	}
	failed := make(chan error, 1)
	guard.Go(d.log, "the API", func() { failed <- guard.Call(func() error { return secure.serve(front, listener) }) })
	endpoint := secure.scheme() + "://" + listener.Addr().String()
	if d.cfg.Hypervisor == "simulated" {
		fmt.Println("simulated: instances are records that behave; no virtual machine is started")
	} else {
		fmt.Printf("accelerator: %s\n", d.host.Accelerator())
	}
	fmt.Printf("state %s, account %s, keys in %s\n", d.cfg.State, keys.AccountID, d.dir.join("credentials.json"))
	if why := d.dir.who.cannotReach(d.cfg.State); why != "" {
		fmt.Println("note: " + why)
	}
	if secure.root != "" {
		fmt.Printf("clients trust %s: export AWS_CA_BUNDLE=%s NODE_EXTRA_CA_CERTS=%s\n", secure.root, secure.root, secure.root)
	}
	fmt.Println("ready " + endpoint)
	if d.demo {
		guard.Group(&wg, d.log, "the demo", func() {
			if err := d.runDemo(ctx, endpoint, keys, secure); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "slipway: demo: "+err.Error())
			}
		})
	}

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), guestPatience)
	defer cancel()
	front.Shutdown(closing)
	if !d.cfg.Keep {
		if err := d.api.Instances.Drain(closing, devHost); err != nil {
			d.log.Warn("instances not stopped", "error", err)
		}
	}
	stop()
	wg.Wait()
	return nil
}

// full says whether there was no room to record something. What is recorded is served all the same.
func full(err error) bool { return err != nil && slipway.CodeOf(err) == slipway.Unavailable }

// inWords is an error in an operator's words, where those that a caller reads would say that there is no room.
func (d *devRun) inWords(err error) error {
	if full(err) {
		return fmt.Errorf("there is no room for the records of a new installation in %s: make room, or name another "+
			"directory with --state",
			d.storeName())
	}
	return err
}

// imagesAgain is how long after there was no room for the images' records they are tried again.
const imagesAgain = 5 * time.Second

func (d *devRun) bringLater(ctx context.Context) {
	for guard.Sleep(ctx, imagesAgain) {
		err := d.bringImages(ctx)
		if err == nil {
			return
		}
		if !full(err) {
			d.log.Error("images not brought in", "error", err)
		}
	}
}

// storeName is where the records are, in words.
func (d *devRun) storeName() string {
	if len(d.cfg.EtcdEndpoints) > 0 {
		return "the etcd at " + strings.Join(d.cfg.EtcdEndpoints, ", ")
	}
	return d.dir.join("etcd")
}

func (d *devRun) openStore(ctx context.Context) error {
	schema, err := d.cfg.schema(d.dir)
	if err != nil {
		return err
	}
	if len(d.cfg.EtcdEndpoints) > 0 {
		s, err := d.cfg.cluster().Dial(ctx, etcdPrefix, etcd.DefaultLimits, schema, d.log)
		d.db = state.DB{Store: s}
		return err
	}
	if err := d.dir.mayBegin(); err != nil {
		return err
	}
	s, err := etcd.Embed(ctx, d.dir.join("etcd"), d.dir.socket(), etcdPrefix, schema, d.log)
	d.db = state.DB{Store: s}
	return err
}

// open makes both halves: real drivers, or those of simulated machines. audit hears of calls.
func (d *devRun) open(audit func(audit.Record)) error {
	sources, err := d.cfg.Imports.open(d.dir)
	if err != nil {
		return err
	}
	throttle, err := d.cfg.Throttle.read()
	if err != nil {
		return err
	}
	simulated := d.cfg.Hypervisor == "simulated"
	public, site := computehost.SimulatedPool, dataplane.Site{}
	if !simulated {
		slot, err := d.dir.slot()
		if err != nil {
			return err
		}
		public = dataplane.LoopbackPool(slot)
		site = dataplane.Site{Slot: slot, Reach: dataplane.Reach(d.cfg.Reach)}
	}
	if d.cfg.PublicRange != "" {
		public = netip.MustParsePrefix(d.cfg.PublicRange).Masked()
	}
	site.Public = public
	pool := addresses.Pool{Range: public, Draw: rand.Uint32N}
	meeting := hosts.New(d.db, pool, d.log, time.Now)
	c := computehost.Config{
		ID: devHost, MemoryMiB: d.cfg.MemoryMiB, Accel: d.cfg.Accel, ImportGiB: d.cfg.Imports.MaxGiB, Dir: d.dir.path,
		RunDir: d.dir.run,
		Site:   site, Log: d.log, Now: time.Now,
	}
	if simulated {
		d.host = computehost.Simulated(c, meeting, sources)
	} else if d.host, err = computehost.Open(c, meeting, sources); err != nil {
		return err
	}
	d.api = controlplane.New(d.db, controlplane.Config{
		Pool: pool, Machines: d.host, Sources: sources, Overcommit: d.cfg.Overcommit, Throttle: throttle, Audit: audit,
		Version4Only: d.cfg.SignatureV2 == "off",
		Log:          d.log, Now: time.Now,
	})
	return nil
}

// firstAccount makes the account that the machine's owner begins with, or reads whose keys are in the state directory.
// The keys are written before there is an account of them: a start that ends in between is gone on with by the next
// one, with the same keys.
func (d *devRun) firstAccount(ctx context.Context) (credentials, error) {
	var keys credentials
	file := d.dir.join("credentials.json")
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &keys)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return keys, fmt.Errorf("%s: %w: mend it, or remove it for a new account", file, err)
	}
	if err == nil && state.AccessKeys.See(d.db.Local(), state.Global, keys.AccessKeyID) != nil {
		return keys, d.dir.who.give(file)
	}
	for {
		a, k := d.api.Accounts.Draft(slipway.Account{Name: "dev"})
		if keys.AccountID != "" && state.Accounts.See(d.db.Local(), state.Global, keys.AccountID) == nil {
			a.ID, k.ID, k.Secret, k.Account = keys.AccountID, keys.AccessKeyID, keys.SecretAccessKey, keys.AccountID
		} else { // none is written, or it has been deleted: its account has others
			keys = credentials{a.ID, k.ID, k.Secret}
			if b, err = json.Marshal(keys); err != nil {
				return keys, err
			}
			if err := d.dir.who.write(file, append(b, '\n')); err != nil {
				return keys, fmt.Errorf("state directory: %w", err)
			}
		}
		if err := d.api.Accounts.Make(ctx, a, k); !errors.Is(err, accounts.ErrTaken) {
			return keys, err
		}
		keys = credentials{}
	}
}

// runDemo launches from the tiny image.
func (d *devRun) runDemo(ctx context.Context, endpoint string, keys credentials, secure secured) error {
	for im := range state.Images.All(d.db.Local(), state.Global) {
		if strings.HasPrefix(im.Name, "tiny") {
			return (&demo{
				endpoint: endpoint, client: secure.client(), root: secure.root, keys: keys,
				keyFile: d.dir.join("demo.pem"), who: d.dir.who, image: string(im.ID), user: "admin",
			}).run(ctx)
		}
	}
	return errors.New("there is no tiny image")
}
