// Command slipway is EC2's API for launching instances, on its owner's own machine. This package is flags, configuration and
// wiring; it holds no rules.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// version is set when a release is built.
var version = "0.1.0-dev"

const usage = `slipway: EC2's API for launching instances, with real virtual machines on this one.

  slipway dev      [--state DIR] [--listen ADDR] [--hypervisor qemu|simulated] …   everything in one process
  slipway account  create|list --state DIR [--name TEXT] [--classic] [--json]
  slipway account  quota ACCOUNT NAME=N … | subscribe ACCOUNT CODE … | classic ACCOUNT on|off
  slipway image    list|build tiny|build debian-12 [--state DIR] [--json]
  slipway image    import FILE --name NAME [--user USER] [--uefi]   a qcow2 or raw disk that boots by itself
  slipway spot     interrupt i-… [--notice 2m] [--away 1m] --state DIR      take a spot instance's capacity away, as EC2 does
  slipway explain  ID --state DIR        why and when: of an instance, a reservation or a request id
  slipway state    check --state DIR     do the records agree with each other? beside a running server or without one
  slipway secrets  status|prepare|rotate --state DIR      the key that secrets in the store are sealed by; beside a running server or without one
  slipway backup   --state DIR FILE      the records and keys in one file, beside a running server or without one; volumes are not in it
  slipway restore  --state DIR FILE      bring them back into a directory whose records are lost, or into a new one
  slipway version
`

// keepMemory leaves no image of this process's memory, where keys and passphrases are, when it ends by a fault: at 1
// byte, because a limit of 0 still lets the kernel hand the image to a program that collects them. Whoever may not
// have more has less already.
func keepMemory() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("limit of core dumps: %w", err)
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := errors.Join(keepMemory(), run(ctx, os.Args[1:])); err != nil {
		// One line, whatever happened: what is wrong and how to mend it.
		fmt.Fprintln(os.Stderr, "slipway: "+strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Print(usage)
		return errors.New("no command given: begin with `slipway dev`")
	}
	switch args[0] {
	case "dev":
		return dev(ctx, args[1:])
	case "account":
		return accountCommand(ctx, args[1:])
	case "image":
		return imageCommand(ctx, args[1:])
	case "spot":
		return spotCommand(ctx, args[1:])
	case "explain":
		return explainCommand(ctx, args[1:])
	case "state":
		return stateCommand(ctx, args[1:], os.Stdout)
	case "secrets":
		return secretsCommand(ctx, args[1:], os.Stdout)
	case "backup":
		return backupCommand(ctx, args[1:], os.Stdout)
	case "restore":
		return restoreCommand(ctx, args[1:], os.Stdout)
	case "serve", "agent":
		return fmt.Errorf("`slipway %s` is for more than one machine, which this release does not do: use `slipway dev`",
			args[0])
	case "version", "--version":
		fmt.Println("slipway " + version)
		return nil
	case "help", "--help", "-h":
		fmt.Print(usage)
		return nil
	}
	return fmt.Errorf("unknown command %q: `slipway help` lists the commands", args[0])
}
