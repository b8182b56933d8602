// Package hostusers says which of the host's users belong to whom: each installation has a range, each machine in it one user,
// and the last is for what reads images from elsewhere. It makes no user, as none of them needs to be known by name.
package hostusers

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Machines is how many users machines are spread over; one more is the trial's.
const Machines = 100_000

// Installations' users lie above all that distributions give away: login users, systemd's dynamic users and containers, and the
// ranges that /etc/subuid is filled with. Each slot has a range of its own, so that no two installations share a user.
const (
	firstUser = 0x70000000
	ofSlot    = 1 << 17
)

// First is the first of the users that belong to an installation's slot; slot -1 is nobody's, for drivers without one.
func First(slot int) int {
	if slot < 0 {
		slot = 64
	}
	return firstUser + slot*ofSlot
}

// Importer is the last user of a slot, which no machine has: for what reads images that come from elsewhere.
func Importer(slot int) int { return First(slot) + ofSlot - 1 }

// Check says whether someone else has been given users of the driver's range.
func Check(first int, files ...string) error {
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // a host without such a file has given none away
		}
		for line := range strings.Lines(string(b)) {
			words := strings.Split(strings.TrimSpace(line), ":")
			if len(words) != 3 {
				continue
			}
			from, err1 := strconv.Atoi(words[1])
			count, err2 := strconv.Atoi(words[2])
			if err1 == nil && err2 == nil && from < first+ofSlot && from+count > first {
				return fmt.Errorf("%s gives %s the users %d to %d, among which are this installation's (%d to %d): "+
					"take that line out",
					file, words[0], from, from+count-1, first, first+ofSlot-1)
			}
		}
	}
	return nil
}
