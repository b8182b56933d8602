package guestimage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// debs are Debian packages unpacked below dir, one directory each. Nothing of them is installed.
type debs struct {
	dir      string
	packages []Package
}

// fetch downloads the packages through the host's own apt, with its mirrors and keys, and unpacks them.
func fetch(ctx context.Context, dir string, names []string, progress func(string)) (*debs, error) {
	if err := need(map[string]string{"apt-get": "apt", "dpkg-deb": "dpkg"}); err != nil {
		return nil, err
	}
	d := &debs{dir: dir}
	download := filepath.Join(dir, "download")
	if err := os.MkdirAll(download, 0o755); err != nil {
		return nil, err
	}
	progress(fmt.Sprintf("downloading %d packages", len(names)))
	args := append([]string{"-q", "-o", "APT::Sandbox::User=root", "download"}, names...)
	if _, err := run(ctx, download, "apt-get", args...); err != nil {
		progress("updating the lists of packages")
		if _, updateErr := run(ctx, dir, "apt-get", "-q", "update"); updateErr != nil {
			return nil, errors.Join(err, updateErr)
		}
		if _, err = run(ctx, download, "apt-get", args...); err != nil {
			return nil, err
		}
	}
	files, err := filepath.Glob(filepath.Join(download, "*.deb"))
	if err != nil {
		return nil, err
	}
	progress(fmt.Sprintf("unpacking %d packages", len(files)))
	for _, file := range files {
		if err := d.unpack(ctx, file); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *debs) unpack(ctx context.Context, file string) error {
	fields, err := run(ctx, d.dir, "dpkg-deb", "--show", "--showformat=${Package} ${Version}", file)
	if err != nil {
		return err
	}
	name, version, _ := strings.Cut(string(fields), " ")
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d.packages = append(d.packages, Package{Name: name, Version: version, SHA256: digest(string(content))})
	_, err = run(ctx, d.dir, "dpkg-deb", "-x", file, filepath.Join(d.dir, name))
	return errors.Join(err, os.Remove(file))
}

// find is the path of a file that one of the packages holds.
func (d *debs) find(path string) (string, error) {
	for _, p := range d.packages {
		full := filepath.Join(d.dir, p.Name, path)
		if _, err := os.Stat(full); err == nil {
			return full, nil
		}
	}
	return "", fmt.Errorf("no package holds %s", path)
}

// dependency is the package that the metapackage name stands for.
func dependency(ctx context.Context, name string, progress func(string)) (string, error) {
	show := func() (string, error) {
		out, err := run(ctx, "", "apt-cache", "show", "--no-all-versions", name)
		if err != nil {
			return "", err
		}
		lines := bufio.NewScanner(bytes.NewReader(out))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if depends, ok := strings.CutPrefix(lines.Text(), "Depends: "); ok {
				first, _, _ := strings.Cut(depends, ",")
				pkg, _, _ := strings.Cut(strings.TrimSpace(first), " ")
				return pkg, nil
			}
		}
		return "", fmt.Errorf("package %s names no other", name)
	}
	pkg, err := show()
	if err == nil {
		return pkg, nil
	}
	progress("updating the lists of packages")
	if _, updateErr := run(ctx, "", "apt-get", "-q", "update"); updateErr != nil {
		return "", errors.Join(err, updateErr)
	}
	return show()
}
