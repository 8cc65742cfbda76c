package alloctest

import (
	"runtime"
	"sync"
	"testing"
)

var sink any

// TestPerRun counts what a function allocates, and not what another goroutine does now and then.
func TestPerRun(t *testing.T) {
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				sink = new([100]int)
				runtime.Gosched()
			}
		}
	})
	calls := 0
	often := PerRun(2, func() {
		calls++
		sink = new([100]int)
	})
	close(stop)
	done.Wait()
	if often < 1 {
		t.Errorf("a function that allocates once is said to do so %v times", often)
	}
	calls = 0
	if n := PerRun(1, func() {
		if calls++; calls <= 4 { // in the first tries, as others may
			sink = new([100]int)
		}
	}); n != 0 {
		t.Errorf("a function that allocates nothing is said to do so %v times", n)
	}
}
