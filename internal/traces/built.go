package traces

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Built is a slipway that tests build of the tree and drive, and the book of every installation that it had.
type Built struct {
	Book
	once sync.Once
	dir  string
	err  error
}

// Path is where the binary is. The first call builds it, in the product's own module at root, with more flags of go build.
func (b *Built) Path(root string, flags ...string) (string, error) {
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "slipway-built"); b.err != nil {
			return
		}
		args := append([]string{"build", "-C", root}, flags...)
		out, err := exec.Command("go", append(args, "-o", b.dir, "./cmd/slipway")...).CombinedOutput()
		if err != nil {
			b.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	return filepath.Join(b.dir, "slipway"), b.err
}

// End removes the binary when all tests have ended. It answers the tests' code, or 1 and says so if anything is left on the host.
func (b *Built) End(code int) int {
	if left := b.Left(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "when all tests have ended, there is on the host still\n%s\n", strings.Join(left, "\n"))
		code = 1
	}
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
	return code
}
