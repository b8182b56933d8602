package qemu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"slipway/internal/durable"
	"slipway/internal/guard"
	"slipway/internal/hostusers"
	"slipway/internal/hypervisor"
	"slipway/internal/jail"
	"slipway/internal/processes"
)

// Accelerator is how guests' instructions are run on this host, and why so.
type Accelerator struct {
	Name   string `json:"name"` // "kvm" or "tcg"
	KVM    bool   `json:"kvm"`
	Proven bool   `json:"proven"` // chosen by configuration or by trial; otherwise tcg until a trial is made
	Why    string `json:"why"`
	For    string `json:"for"` // the host's boot and QEMU's version that a trial holds for
}

// probeLimit is how long the trial guest may take to user space. With a KVM that works it takes a second.
const probeLimit = 8 * time.Second

// UserSpace is the line by which a trial's guest shows that it has come to user space; the tiny image writes it.
const UserSpace = "slipway-tiny: user space"

// Accelerator is what machines are started with from now on.
func (d *Driver) Accelerator() Accelerator {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accel
}

func (d *Driver) accelFile() string { return filepath.Join(d.cfg.Dir, "accelerator.json") }
func (d *Driver) trialFor() string  { return processes.BootID() + " " + d.version }

// knownAccelerator is what can be said without a trial.
func (d *Driver) knownAccelerator() Accelerator {
	if d.cfg.Accel != "auto" {
		return Accelerator{Name: d.cfg.Accel, KVM: d.cfg.Accel == "kvm", Proven: true, Why: "configured"}
	}
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return Accelerator{Name: "tcg", Proven: true, Why: "no KVM: " + err.Error()}
	}
	f.Close()
	if b, err := os.ReadFile(d.accelFile()); err == nil {
		var a Accelerator
		if json.Unmarshal(b, &a) == nil && a.For == d.trialFor() {
			return a
		}
	}
	return Accelerator{Name: "tcg", Why: "KVM is not tried yet"}
}

// BeginProbe is Probe in the background. Machines started meanwhile wait for its answer: the first one shall have KVM, too,
// where it works.
func (d *Driver) BeginProbe(ctx context.Context, boot hypervisor.Boot) {
	if d.Accelerator().Proven {
		return
	}
	answered := make(chan struct{})
	d.mu.Lock()
	d.trial, d.accel.Why = answered, "KVM is being tried; machines wait for the answer"
	d.mu.Unlock()
	guard.Go(d.log, "the trial of KVM", func() {
		defer close(answered)
		if _, err := d.Probe(ctx, boot); err != nil {
			d.log.WarnContext(ctx, "no trial of KVM", "error", err)
		}
	})
}

// awaitTrial returns when no trial runs.
func (d *Driver) awaitTrial(ctx context.Context) error {
	d.mu.Lock()
	answered := d.trial
	d.mu.Unlock()
	if answered == nil {
		return nil
	}
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Probe boots a guest under KVM to see whether KVM works: on some machines the device opens and creates machines whose
// kernels hang. boot is a kernel and an initial file system that writes UserSpace to the serial port and needs no disk.
// The answer is kept for as long as the host runs this QEMU; machines started before keep what they have.
func (d *Driver) Probe(ctx context.Context, boot hypervisor.Boot) (Accelerator, error) {
	a := d.Accelerator()
	if a.Proven {
		return a, nil
	}
	began := time.Now()
	why, works := d.tryKVM(ctx, boot)
	if err := ctx.Err(); err != nil {
		return a, err // no answer is not a no
	}
	a = Accelerator{Name: "tcg", Proven: true, Why: "KVM does not work here: " + why, For: d.trialFor()}
	if works {
		a.Name, a.KVM, a.Why = "kvm", true, "a guest came to user space"
	}
	d.mu.Lock()
	d.accel = a
	d.mu.Unlock()
	d.log.InfoContext(ctx, "accelerator chosen", "accelerator", a.Name, "why", a.Why, "took", time.Since(began))
	b, err := json.Marshal(a)
	if err != nil {
		return a, err
	}
	return a, durable.Replace(d.accelFile(), b, 0o600)
}

// tryKVM runs the guest as a machine would be run, as a user of its own.
func (d *Driver) tryKVM(ctx context.Context, boot hypervisor.Boot) (why string, works bool) {
	uid := 0
	if !d.cfg.SameUser {
		uid = d.cfg.FirstUser + hostusers.Machines
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.cfg.Binary, "-no-user-config", "-nodefaults", "-display", "none", "-machine",
		"q35", "-accel", "kvm", "-cpu", "host",
		"-m", "256M", "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-serial", "stdio", "-no-reboot", "-kernel", boot.Kernel, "-initrd", boot.Initrd, "-append", boot.Append)
	cmd.Env = d.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(uid)}
	out := &seeker{want: []byte(UserSpace), found: cancel}
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &stderr
	cmd.WaitDelay = time.Second
	err := d.launch(cmd, d.cfg.Dir, jail.View{Files: append(bootFiles(boot), kvm()...)})
	if err == nil {
		err = cmd.Wait()
	}
	switch {
	case out.seen():
		return "", true
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Sprintf("the trial guest did not come to user space within %v", probeLimit), false
	case strings.Contains(stderr.String(), "ermission denied") && uid != 0:
		return fmt.Sprintf("user %d may not open /dev/kvm; chgrp kvm /dev/kvm and chmod 660 /dev/kvm let machines use it",
			uid), false
	case stderr.Len() > 0:
		return strings.TrimPrefix(strings.TrimSpace(strings.SplitN(stderr.String(), "\n", 2)[0]), "qemu-system-x86_64: "), false
	}
	return fmt.Sprint("the trial guest ended: ", err), false
}

// seeker looks for a text in what is written to it.
type seeker struct {
	want  []byte
	found func()

	mu  sync.Mutex
	buf []byte
	hit bool
}

func (s *seeker) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = append(s.buf, b...)
	if bytes.Contains(s.buf, s.want) {
		s.hit = true
		s.found()
	}
	if keep := len(s.buf) - len(s.want); keep > 0 {
		s.buf = s.buf[keep:]
	}
	return len(b), nil
}

func (s *seeker) seen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hit
}
