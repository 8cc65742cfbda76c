package cpu

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// TestCaches compares the sizes of the caches with what Linux says of them.
func TestCaches(t *testing.T) {
	for _, c := range []struct {
		level       string
		got         int
		least, most int
	}{
		{"1", firstLevel(), 8 << 10, 1 << 20},
		{"2", secondLevel(), 64 << 10, 64 << 20},
	} {
		if c.got < c.least || c.got > c.most {
			t.Errorf("the cache of level %s has %d bytes", c.level, c.got)
		}
		for i := range 8 {
			read := func(name string) string {
				text, _ := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, name))
				return strings.TrimSpace(string(text))
			}
			if read("level") == c.level && read("type") != "Instruction" && runtime.GOARCH == "amd64" && read("size") != fmt.Sprintf("%dK", c.got>>10) {
				t.Errorf("the cache of level %s has %d bytes, and %s as Linux says", c.level, c.got, read("size"))
			}
		}
	}
}
