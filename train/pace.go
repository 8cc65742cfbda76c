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
	between   phase = iota // from the step before: reading the batch, and what rank 0 writes
	computing              // gradients, and what is sent meanwhile
	together               // waiting for other ranks, sums over them, and the update
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
	// The rank that is the last to come waits for nobody, so what it is together with others is an exchange.
	exchange := all[together]
	for i := 0; i < len(all); i += len(mine) {
		exchange = min(exchange, all[i+int(together)])
	}
	r := &watch.RankColumns{Steps: p.steps}
	for i := 0; i < len(all); i += len(mine) {
		r.Between, r.Compute = append(r.Between, watch.Number(all[i+int(between)])), append(r.Compute, watch.Number(all[i+int(computing)]))
		r.Wait, r.Exchange = append(r.Wait, watch.Number(all[i+int(together)]-exchange)), append(r.Exchange, watch.Number(exchange))
	}
	p.steps, p.spent = 0, [phases]time.Duration{}
	return r, nil
}
