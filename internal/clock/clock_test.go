package clock

import (
	"testing"
	"time"
)

// TestClock looks at the clock until it has ticked a thousand times. It never goes back, and a tick is far shorter than a millisecond on some of them.
func TestClock(t *testing.T) {
	least := time.Hour
	for last, ticks := Now(), 0; ticks < 1000; {
		now := Now()
		if now < last {
			t.Fatalf("the clock goes back from %v to %v", time.Duration(last), time.Duration(now))
		}
		if now > last {
			least, last, ticks = min(least, time.Duration(now-last)), now, ticks+1
		}
	}
	if least > 100*time.Microsecond {
		t.Errorf("the shortest tick is %v", least)
	}
	if n := testing.AllocsPerRun(100, func() { Since(Now()) }); n > 0 {
		t.Errorf("the clock allocates %v times", n)
	}
	before := Now()
	time.Sleep(20 * time.Millisecond)
	if took := Since(before); took < 10*time.Millisecond {
		t.Errorf("after 20 ms of sleep the clock says %v", took)
	}
}
