package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"slipway/internal/thread"
)

// namespaceDir is where iproute2 keeps named namespaces, so that `ip netns` shows ours.
const namespaceDir = "/run/netns"

// inside runs fn on a thread that stands in the namespace. What fn opens stays there.
func inside(name string, fn func() error) error {
	return thread.Run(func() error {
		ns, err := netns.GetFromPath(filepath.Join(namespaceDir, name))
		if err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("enter namespace %s: %w", name, err)
		}
		return fn()
	})
}

func namespaceExists(name string) bool {
	_, err := os.Stat(filepath.Join(namespaceDir, name))
	return err == nil
}

// ensureNamespace makes a named namespace unless there is one.
func ensureNamespace(name string) error {
	if namespaceExists(name) {
		return nil
	}
	if err := os.MkdirAll(namespaceDir, 0o755); err != nil {
		return err
	}
	if err := thread.Run(func() error {
		ns, err := netns.NewNamed(name)
		if err == nil {
			ns.Close()
		}
		return err
	}); err != nil {
		return fmt.Errorf("make namespace %s: %w", name, err)
	}
	return nil
}

func removeNamespace(name string) error {
	path := filepath.Join(namespaceDir, name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// namespaces lists those whose names begin with prefix.
func namespaces(prefix string) ([]string, error) {
	entries, err := os.ReadDir(namespaceDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			out = append(out, e.Name())
		}
	}
	return out, err
}

// nft loads a ruleset, all of it or nothing, where the calling thread stands.
func nft(ctx context.Context, rules string) error {
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("nft: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

func sysctl(name, value string) error {
	path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
	if have, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(have)) == value {
		return nil
	}
	return os.WriteFile(path, []byte(value), 0o644)
}

// sysctlOf is for names that hold an interface, whose own dots must stay.
func sysctlOf(family, device, name, value string) error {
	return os.WriteFile(filepath.Join("/proc/sys/net", family, "conf", device, name), []byte(value), 0o644)
}

// control makes a socket on one device of the namespace, and reusable, so that a successor can bind before a
// predecessor is gone.
func control(device string) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			if device != "" {
				err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, device)
			}
			err = errors.Join(err,
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1))
		}); e != nil {
			return e
		}
		return err
	}
}

// listen and listenPacket open sockets inside a namespace.
func listen(ctx context.Context, namespace, device, network, address string) (l net.Listener, err error) {
	lc := net.ListenConfig{Control: control(device)}
	err = inside(namespace, func() error {
		l, err = lc.Listen(ctx, network, address)
		return err
	})
	return l, err
}

func listenPacket(ctx context.Context, namespace, device, network, address string) (c net.PacketConn, err error) {
	lc := net.ListenConfig{Control: control(device)}
	err = inside(namespace, func() error {
		c, err = lc.ListenPacket(ctx, network, address)
		return err
	})
	return c, err
}

// openTap opens a persistent tap device: the machine gets the descriptor and no other right.
func openTap(namespace, name string) (f *os.File, err error) {
	err = inside(namespace, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open /dev/net/tun: %w", err)
		}
		req, err := unix.NewIfreq(name)
		if err == nil {
			req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
		}
		if err == nil {
			err = unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1)
		}
		if err == nil {
			err = unix.SetNonblock(fd, true)
		}
		if err != nil {
			unix.Close(fd)
			return fmt.Errorf("tap %s: %w", name, err)
		}
		f = os.NewFile(uintptr(fd), name)
		return nil
	})
	return f, err
}

func linkByName(name string) (netlink.Link, error) {
	l, err := netlink.LinkByName(name)
	if _, absent := err.(netlink.LinkNotFoundError); absent {
		return nil, nil
	}
	return l, err
}
