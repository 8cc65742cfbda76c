package file

import (
	"os"
	"testing"
	"time"
)

// TestAlive judges holders by what their file says, as on a file system that has no locks.
func TestAlive(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	me := os.Getpid()
	started, known := startOf(me)
	for _, c := range []struct {
		name   string
		holder Holder
		want   bool
	}{
		{"nobody", Holder{}, false},
		{"this process", Holder{me, host, started, time.Now()}, true},
		{"this process, not known when it began", Holder{me, host, time.Time{}, time.Now()}, true},
		{"an earlier process of this number", Holder{me, host, started.Add(-time.Hour), time.Now()}, !known},
		{"a process that is gone", Holder{0x7ffffff0, host, started, time.Now()}, false},
		{"a process elsewhere", Holder{0x7ffffff0, host + "x", started, time.Now()}, true},
	} {
		if got := c.holder.alive(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}
