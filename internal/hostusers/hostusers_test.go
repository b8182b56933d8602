package hostusers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestUsersAreNobodyElses: slots have ranges of their own, and one that overlaps with what others were given is
// refused by name.
func TestUsersAreNobodyElses(t *testing.T) {
	for slot := range 32 {
		if last := Importer(slot); last <= First(slot)+Machines || last >= First(slot+1) || last > 1<<31-2 {
			t.Errorf("slot %d ends at %d", slot, last)
		}
	}
	file := filepath.Join(t.TempDir(), "subuid")
	for _, tt := range []struct {
		content string
		refused bool
	}{
		{"me:100000:65536\nlxd:1000000:1000000000\n", false},
		{fmt.Sprintf("me:%d:10\n", First(3)+5), true},
		{fmt.Sprintf("me:%d:%d\n", First(3)-10, 20), true},
		{fmt.Sprintf("me:%d:10\n", First(3)-10), false},
		{fmt.Sprintf("me:%d:10\n", First(3)+ofSlot), false},
		{"nonsense\nme:x:y\n", false},
	} {
		if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Check(First(3), file, file+".none"); (err != nil) != tt.refused {
			t.Errorf("%q: %v", tt.content, err)
		}
	}
}
