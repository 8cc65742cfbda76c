package bench

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn/internal/clock"
)

// This file holds the clock: how a step is repeated, and which samples count. The programs in peers follow the same rules.

const (
	warmUp     = 400 * time.Millisecond // and at least warmUpRuns steps
	warmUpRuns = 3
	sampleTime = 50 * time.Millisecond // a sample is as many steps in a row as take this long
	minSamples = 5
	maxSamples = 25
	budget     = 1500 * time.Millisecond // after minSamples, take more for this long
	quiet      = 0.05                    // other processes' share of the machine that does not matter
	tries      = 2                       // attempts to find the machine quiet
)

// timing is what was measured of one workload.
type timing struct {
	first   time.Duration
	samples []float64 // seconds a step, of the quietest try
}

// measure times step, of which first is the first call. On an accelerator a step may return before it is finished: wait waits for it.
func measure(ctx context.Context, first, step, wait func() error) (timing, error) {
	var t timing
	start := clock.Now()
	if err := first(); err != nil {
		return t, err
	}
	t.first = clock.Since(start)
	fastest := time.Duration(1<<63 - 1)
	start = clock.Now()
	for n := 0; n < warmUpRuns || clock.Since(start) < warmUp; n++ {
		begin := clock.Now()
		err := step()
		if err == nil {
			err = wait()
		}
		if err != nil {
			return t, err
		}
		fastest = min(fastest, clock.Since(begin))
		if err := context.Cause(ctx); err != nil {
			return t, err
		}
	}
	inner := repeats(fastest)
	least := 2.0
	for range tries {
		before := machineUse()
		samples, err := sample(ctx, step, wait, inner)
		if err != nil {
			return t, err
		}
		if noise := machineUse().noise(before); noise < least {
			t.samples, least = samples, noise
		}
		if least < quiet {
			break
		}
	}
	return t, nil
}

// repeats returns the number of steps in a sample, given the time of one.
func repeats(step time.Duration) int {
	return max(1, int((sampleTime+step/2)/max(1, step)))
}

// sample takes samples of inner steps, in seconds a step.
func sample(ctx context.Context, step, wait func() error, inner int) ([]float64, error) {
	var samples []float64
	for start := clock.Now(); len(samples) < minSamples || len(samples) < maxSamples && clock.Since(start) < budget; {
		begin := clock.Now()
		for range inner {
			if err := step(); err != nil {
				return nil, err
			}
		}
		if err := wait(); err != nil {
			return nil, err
		}
		samples = append(samples, clock.Since(begin).Seconds()/float64(inner))
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
	}
	return samples, nil
}

// use is processor time since the machine started, in ticks of 10 ms.
type use struct {
	total, busy, own float64
}

// machineUse reads the counters of Linux; on other systems it returns 0, and no noise is detected.
func machineUse() use {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return use{}
	}
	u, _ := parseUse(string(stat))
	u.own = ownTime().Seconds() * 100
	return u
}

// parseUse reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
func parseUse(stat string) (use, error) {
	var f [8]float64
	line, _, _ := strings.Cut(stat, "\n")
	if _, err := fmt.Sscanf(line, "cpu %f %f %f %f %f %f %f %f", &f[0], &f[1], &f[2], &f[3], &f[4], &f[5], &f[6], &f[7]); err != nil {
		return use{}, fmt.Errorf("bench: /proc/stat begins with %q: %w", line, err)
	}
	var u use
	for _, v := range f {
		u.total += v
	}
	u.busy = u.total - f[3] - f[4]
	return u, nil
}

// noise returns the share of the machine that other processes have used since then.
func (u use) noise(before use) float64 {
	return max(0, (u.busy-before.busy)-(u.own-before.own)) / max(1, u.total-before.total)
}
