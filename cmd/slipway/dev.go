package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/addresses"
	"slipway/internal/agent"
	"slipway/internal/audit"
	"slipway/internal/blockstore"
	blocksfake "slipway/internal/blockstore/fake"
	"slipway/internal/blockstore/files"
	"slipway/internal/dataplane"
	"slipway/internal/guard"
	"slipway/internal/hosts"
	"slipway/internal/hypervisor"
	"slipway/internal/hypervisor/fake"
	"slipway/internal/hypervisor/qemu"
	"slipway/internal/iam"
	"slipway/internal/imagesource"
	"slipway/internal/imds"
	"slipway/internal/instances"
	"slipway/internal/parameters"
	"slipway/internal/server"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/etcd"
)

// devHost is the one host of a dev run.
const devHost slipway.HostID = "local"

// simulatedPool is wide, because simulated public addresses lead nowhere.
var simulatedPool = netip.MustParsePrefix("127.128.0.0/9")

// devRun is `slipway dev`: server and agent in one process, over an embedded etcd.
type devRun struct {
	cfg  Config
	demo bool
	dir  stateDir
	log  *slog.Logger
	db   state.DB
	site dataplane.Site
	pool addresses.Pool

	vmm     hypervisor.Driver
	disks   blockstore.Store
	wires   agent.Wires
	sources *imagesource.Sources
	plane   *dataplane.Plane
	audit   func(audit.Record)
	record  agent.Records
	agent   *agent.Agent
	hosts   *hosts.Service
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
	level := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[c.Log]
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
		return fmt.Errorf("whoever is on the network of %s could read what is sent there, and use it: add --tls, or --tls-cert and --tls-key, or --insecure if that is meant", c.Listen)
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
		return err
	}
	if err := d.openHost(ctx); err != nil {
		return err
	}
	keys, err := d.bootstrap(ctx)
	if err != nil {
		return err
	}
	rooms := d.rooms()
	if err := d.agent.Join(ctx); err != nil {
		return fmt.Errorf("this host: %w", err)
	}
	if d.cfg.Audit == "on" {
		var close func()
		if d.audit, close, err = openAudit(d.dir.join("audit"), audit.DefaultLimits, d.log); err != nil {
			return err
		}
		defer close()
	}
	wiring, err := d.front(rooms)
	if err != nil {
		return err
	}
	front := server.New(wiring).HTTP()

	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	guard.Group(&wg, d.log, "the agent", func() { d.agent.Run(running) })
	guard.Group(&wg, d.log, "sweep", func() { rooms.sweep(running) })
	guard.Group(&wg, d.log, "tick", func() { rooms.tick(running) })
	failed := make(chan error, 1)
	guard.Go(d.log, "the API", func() { failed <- guard.Call(func() error { return secure.serve(front, listener) }) })
	endpoint := secure.scheme() + "://" + listener.Addr().String()
	if d.cfg.Hypervisor == "simulated" {
		fmt.Println("simulated: instances are records that behave; no virtual machine is started")
	} else {
		fmt.Printf("accelerator: %s\n", d.accelerator())
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
	closing, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	front.Shutdown(closing)
	if !d.cfg.Keep {
		d.stopAll(closing, rooms)
	}
	stop()
	wg.Wait()
	if d.plane != nil {
		d.plane.Close()
		if !d.cfg.Keep {
			d.plane.Clear(closing)
		}
	}
	return d.vmm.Close()
}

// storeName is where the records are, in words.
func (d *devRun) storeName() string {
	if len(d.cfg.EtcdEndpoints) > 0 {
		return "the etcd at " + strings.Join(d.cfg.EtcdEndpoints, ", ")
	}
	return d.dir.join("etcd")
}

func (d *devRun) openStore(ctx context.Context) error {
	if len(d.cfg.EtcdEndpoints) > 0 {
		s, err := d.cfg.cluster().Dial(ctx, etcdPrefix, etcd.DefaultLimits, state.Schema(), d.log)
		d.db = state.DB{Store: s}
		return err
	}
	s, err := etcd.Embed(ctx, d.dir.join("etcd"), d.dir.socket(), etcdPrefix, state.Schema(), d.log)
	d.db = state.DB{Store: s}
	return err
}

// openHost makes the drivers: real ones, or those of simulated machines.
func (d *devRun) openHost(ctx context.Context) error {
	host := slipway.Host{ID: devHost, Zones: slipway.ZoneLetters, VCPUs: runtime.NumCPU(), MemoryMiB: d.memory()}
	limits := agent.DefaultLimits
	limits.ImportGiB = d.cfg.Imports.MaxGiB
	if d.cfg.Hypervisor == "simulated" {
		d.pool = addresses.Pool{Range: simulatedPool}
		host.VCPUs, host.MemoryMiB, host.Simulated = 1<<24, 1<<40, true
		limits.Workers = 32
		d.vmm = fake.NewHost(fake.Delays{Start: 20 * time.Millisecond, Shutdown: 50 * time.Millisecond}).Driver()
		d.disks, d.wires, d.record = blocksfake.New(), agent.NoWires{}, agent.NewMemory()
	} else if err := d.openReal(); err != nil {
		return err
	}
	if err := d.openImports(); err != nil {
		return err
	}
	if d.cfg.PublicRange != "" {
		d.pool.Range = netip.MustParsePrefix(d.cfg.PublicRange).Masked()
	}
	d.hosts = hosts.New(d.db, d.pool, d.log, time.Now)
	d.agent = agent.New(host, d.hosts, d.vmm, d.disks, d.wires, d.sources, d.record, limits, d.log, time.Now)
	return nil
}

func (d *devRun) openReal() error {
	slot, err := d.dir.slot()
	if err != nil {
		return err
	}
	d.site = dataplane.Site{Slot: slot, Public: dataplane.LoopbackPool(slot), Reach: dataplane.Reach(d.cfg.Reach)}
	if d.cfg.PublicRange != "" {
		d.site.Public = netip.MustParsePrefix(d.cfg.PublicRange).Masked()
	}
	d.pool = addresses.Pool{Range: d.site.Public}
	machines := d.dir.join("machines")
	if err := os.MkdirAll(machines, 0o700); err != nil {
		return err
	}
	if d.vmm, err = qemu.New(qemu.Config{Dir: machines, RunDir: d.dir.run, Accel: d.cfg.Accel, FirstUser: qemu.FirstUser(slot), Log: d.log}); err != nil {
		return err
	}
	if d.disks, err = files.New(d.dir.join("blocks"), qemu.Importer(slot), d.log); err != nil {
		return err
	}
	identity, err := imds.OpenIdentity(d.dir.path, time.Now())
	if err != nil {
		return err
	}
	key, err := d.tokenKey()
	if err != nil {
		return err
	}
	metadata := imds.New(identity, key, time.Now, func(id slipway.InstanceID) {
		guard.Go(d.log, "a guest's first request", func() { d.agent.Heard(context.Background(), id) })
	}, d.log)
	if d.plane, err = dataplane.NewPlane(d.site, d.dir.join("network"), agent.ServeMetadata(metadata), d.log); err != nil {
		return err
	}
	d.wires, d.record = agent.Plane{Plane: d.plane, Metadata: metadata}, agent.Files(d.dir.join("agent"))
	return nil
}

// tokenKey is the metadata tokens', kept so that a guest's token outlives a restart.
func (d *devRun) tokenKey() (key [32]byte, err error) {
	file := d.dir.join("tokens.key")
	b, err := os.ReadFile(file)
	switch {
	case err == nil && len(b) == len(key):
		return [32]byte(b), nil
	case err == nil:
		return key, fmt.Errorf("%s is damaged: remove it, and guests fetch new metadata tokens", file)
	case !errors.Is(err, os.ErrNotExist):
		return key, err
	}
	key = imds.NewKey()
	return key, os.WriteFile(file, key[:], 0o600)
}

// memory is what instances may have: the host's, less a gibibyte for everything else.
func (d *devRun) memory() int {
	if d.cfg.MemoryMiB > 0 {
		return d.cfg.MemoryMiB
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 4096
	}
	return max(int(info.Totalram*uint64(info.Unit)>>20)-1024, 1024)
}

func (d *devRun) accelerator() string {
	if q, ok := d.vmm.(*qemu.Driver); ok {
		a := q.Accelerator()
		return a.Name + " (" + a.Why + ")"
	}
	return "none"
}

// bootstrap makes the first account, and brings the images in.
func (d *devRun) bootstrap(ctx context.Context) (credentials, error) {
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
		return keys, errors.Join(d.dir.who.give(file), d.bringImages(ctx))
	}
	a, k, err := accounts.New(d.db, time.Now, settle).Create(ctx, slipway.Account{Name: "dev"})
	if err != nil {
		return keys, err
	}
	keys = credentials{a.ID, k.ID, k.Secret}
	if b, err = json.Marshal(keys); err != nil {
		return keys, err
	}
	if err := d.dir.who.write(file, append(b, '\n')); err != nil {
		return keys, fmt.Errorf("state directory: %w", err)
	}
	return keys, d.bringImages(ctx)
}

// stopAll ends the guests of a dev run with it; they are found stopped at the next start.
func (d *devRun) stopAll(ctx context.Context, rooms *rooms) {
	if err := rooms.instances.StopAll(ctx, devHost); err != nil {
		d.log.Warn("instances not stopped", "error", err)
		return
	}
	for ctx.Err() == nil {
		left := 0
		for in := range state.Instances.By(d.db.Local(), state.Global, "/host/"+string(devHost)) {
			if in.State == slipway.Stopping || in.State == slipway.ShuttingDown {
				left++
			}
		}
		if left == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// runDemo launches from the tiny image.
func (d *devRun) runDemo(ctx context.Context, endpoint string, keys credentials, secure secured) error {
	for im := range state.Images.All(d.db.Local(), state.Global) {
		if strings.HasPrefix(im.Name, "tiny") {
			return (&demo{endpoint: endpoint, client: secure.client(), root: secure.root, keys: keys, keyFile: d.dir.join("demo.pem"), who: d.dir.who, image: string(im.ID), user: "admin"}).run(ctx)
		}
	}
	return errors.New("there is no tiny image")
}

// front is the HTTP server's wiring. The error names the actions that are not wholly declared.
func (d *devRun) front(r *rooms) (server.Config, error) {
	actions, err := r.actions()
	throttle, wrong := d.cfg.Throttle.read()
	own, lacking := r.iam.Actions()
	return server.Config{
		Throttle: throttle,
		Keys:     r.accounts, Actions: actions, Prepare: r.accounts.Prepare,
		Admit:   r.iam.Admit,
		Explain: r.explain,
		Services: map[string]server.Service{
			"sts": &server.Members{Namespace: server.STS, Log: d.log, Actions: r.iam.TokenActions(), Admit: func(ctx context.Context, _ url.Values) (context.Context, error) { return ctx, nil }}, // AssumeRole asks for itself, the others need no right
			"iam": &server.Members{Namespace: iam.Namespace, Log: d.log, Actions: own, Admit: r.iam.AdmitOwn},
			"ssm": parameters.New(d.db, r.iam.AuthorizeOther, d.log),
		},
		Audit: d.audit, Log: d.log, Now: time.Now,
	}, errors.Join(err, wrong, lacking)
}

// openAudit is where the front's records go. What nobody signed has a trail of its own, lest strangers crowd out what was done.
func openAudit(dir string, limits audit.Limits, log *slog.Logger) (func(audit.Record), func(), error) {
	calls, err := audit.Open(dir, "calls", limits, log, time.Now)
	if err != nil {
		return nil, nil, err
	}
	strangers, err := audit.Open(dir, "strangers", limits, log, time.Now)
	if err != nil {
		return nil, nil, errors.Join(err, calls.Close())
	}
	write := func(r audit.Record) {
		if r.UserIdentity.AccountID == "" {
			strangers.Write(r)
		} else {
			calls.Write(r)
		}
	}
	return write, func() { calls.Close(); strangers.Close() }, nil
}

// explain keeps why a call was refused, for the one who asks.
func (r *rooms) explain(ctx context.Context, refusal error) {
	c := slipway.CallFrom(ctx)
	switch slipway.CodeOf(refusal) {
	case slipway.DryRunOperation, slipway.RequestLimitExceeded:
		return
	}
	t := &state.Timeline{Scope: state.Of(ctx), ID: c.RequestID, Day: state.Day(time.Now()), Error: refusal.Error(), Notes: map[string]string{"action": c.Action}}
	if short, ok := errors.AsType[*instances.Shortage](refusal); ok {
		for k, v := range short.Notes {
			t.Notes[k] = v
		}
	}
	if c.Action != "RunInstances" {
		return // only launches are worth a record each
	}
	if err := r.db.UpdateAlways(ctx, func(tx store.Tx) error { return state.Timelines.Put(tx, t) }); err != nil {
		r.log.Warn("refusal not kept", "error", err)
	}
}
