package cpu

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// TestSecondLevel compares the size of the cache with what Linux says of it.
func TestSecondLevel(t *testing.T) {
	got := secondLevel()
	if got < 64<<10 || got > 64<<20 {
		t.Errorf("the second-level cache has %d bytes", got)
	}
	for i := range 8 {
		read := func(name string) string {
			text, _ := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, name))
			return strings.TrimSpace(string(text))
		}
		if read("level") == "2" && runtime.GOARCH == "amd64" && read("size") != fmt.Sprintf("%dK", got>>10) {
			t.Errorf("the second-level cache has %d bytes, and %s as Linux says", got, read("size"))
		}
	}
}
