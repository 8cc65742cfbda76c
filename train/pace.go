package train

import (
	"time"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/watch"
)

// This file measures where the time of a rank goes, so that the one that all others wait for can be named.

// phase is a part of a step of a rank.
type phase uint8

const (
	between    phase = iota // from the step before: reading the batch, and what rank 0 writes
	computing               // gradients
	waiting                 // for other ranks
	exchanging              // sums over ranks, and the update
	phases
)

// pace is the time of the steps of this rank since it was told last.
type pace struct {
	last  time.Time // the end of the phase before
	steps int
	spent [phases]time.Duration
}

// begin begins a step. What comes before the first batch of an epoch, such as an evaluation, does not count.
func (p *pace) begin(b *data.Batch) {
	if b != nil && b.Position.Batch == 0 {
		p.last = time.Time{}
	}
	p.ended(between)
	p.steps++
}

// ended ends a phase.
func (p *pace) ended(of phase) {
	now := time.Now()
	if !p.last.IsZero() {
		p.spent[of] += now.Sub(p.last)
	}
	p.last = now
}

// tell returns the times of all ranks, which call it together, and begins anew.
func (p *pace) tell(c dist.Comm) (*watch.RankColumns, error) {
	mine := make([]float64, phases)
	for i, d := range p.spent {
		mine[i] = d.Seconds() / float64(max(1, p.steps))
	}
	all := make([]float64, c.Size()*len(mine))
	if err := c.AllGather(dist.Bytes(all), dist.Bytes(mine)); err != nil {
		return nil, err
	}
	r := &watch.RankColumns{Steps: p.steps}
	for i := 0; i < len(all); i += len(mine) {
		at := func(of phase) watch.Number { return watch.Number(all[i+int(of)]) }
		r.Between, r.Compute = append(r.Between, at(between)), append(r.Compute, at(computing))
		r.Wait, r.Exchange = append(r.Wait, at(waiting)), append(r.Exchange, at(exchanging))
	}
	p.steps, p.spent = 0, [phases]time.Duration{}
	return r, nil
}
