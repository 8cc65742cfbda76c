package train

import (
	"runtime/metrics"
	"time"

	"github.com/seed-49005b45/tarn/watch"
)

// This file measures what a training asks of the machine.

// load is the time of the processors at a look.
type load struct {
	at   time.Time
	used time.Duration
}

// since notes in a look how many processors the process has kept busy since the one before, and its memory.
func (l *load) since(s *watch.Step) {
	now := time.Now()
	used, known := processorTime()
	if known && !l.at.IsZero() && now.After(l.at) {
		busy := watch.Number((used - l.used).Seconds() / now.Sub(l.at).Seconds())
		s.Busy = &busy
	}
	l.at, l.used = now, used
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() == metrics.KindUint64 {
		memory := watch.Number(sample[0].Value.Uint64())
		s.Memory = &memory
	}
}
