package train

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
)

// This file holds evaluation over ranks. Batches are evaluated by turns, in rounds of one for each rank. After a round all ranks have the results of all, and
// count them in the order of the batches, so that losses and metrics, whichever they are, come out as those of one process.

// evaluatedBatch is what a rank tells of its batch in a round.
type evaluatedBatch struct {
	Loss, Count float64
	Outputs     map[string]packed // those that metrics need
}

// targets are what metrics compare the outputs for a batch of n examples with.
type targets struct {
	n      int
	fields map[string]*tarn.Tensor
}

// packed is a tensor as it travels.
type packed struct {
	DType tarn.DType
	Shape []int
	Raw   []byte
}

// measureRanks is measure over ranks.
func (e *Eval) measureRanks(ctx context.Context, set data.Source, size, most int, target string, metrics []Metric) (loss mean, n int, err error) {
	if e.team == nil {
		if e.team, err = newTeam(e.Comm); err != nil {
			return loss, n, err
		}
	}
	outputs, fields := map[string]bool{}, map[string]bool{}
	for _, m := range metrics {
		output, field := bound(m, target)
		outputs[output], fields[field] = true, true
	}
	var mine *evaluatedBatch
	var failed error
	var round []targets // of the batches of this round
	turn := int64(0)
	finish := func() error {
		if len(round) == 0 && failed == nil {
			return nil
		}
		var text bytes.Buffer
		if mine != nil && failed == nil {
			failed = gob.NewEncoder(&text).Encode(mine)
		}
		stop := ctx.Err() != nil
		if canceled(ctx, failed) {
			failed = nil
		}
		if err := e.team.meet("the evaluation of round", turn, stop, failed); err != nil {
			if stop && failed == nil {
				return context.Cause(ctx)
			}
			return err
		}
		all, err := e.team.gather(text.Bytes())
		if err != nil {
			return err
		}
		for r, b := range round {
			var theirs evaluatedBatch
			if err := gob.NewDecoder(bytes.NewReader(all[r])).Decode(&theirs); err != nil {
				return fmt.Errorf("train: the evaluation by rank %d cannot be read: %w", r, err)
			}
			loss.add(theirs.Loss, theirs.Count)
			n += b.n
			outputs := map[string]*tarn.Tensor{}
			for name, p := range theirs.Outputs {
				t := tarn.Zeros(p.DType, p.Shape...)
				if len(t.Raw()) != len(p.Raw) {
					return fmt.Errorf("train: the output %q that rank %d has sent has %d bytes, want %d", name, r, len(p.Raw), len(t.Raw()))
				}
				copy(t.Raw(), p.Raw)
				outputs[name] = t
			}
			for _, m := range metrics {
				if err := given(m, outputs, func(name string) *tarn.Tensor { return b.fields[name] }, target); err != nil {
					return err
				}
			}
		}
		mine, round = nil, nil
		turn++
		return nil
	}
	batches := set.Batches(size, data.Options{})
	for b, err := range batches.All(context.WithoutCancel(ctx)) {
		if err != nil {
			failed = err
			break
		}
		if len(round) == e.Comm.Rank() {
			mine = &evaluatedBatch{}
			r, err := e.take(ctx, b, b.N)
			if err != nil {
				failed = err
			} else {
				mine.Loss, mine.Count, mine.Outputs = r.Loss, r.Count, map[string]packed{}
				for name, t := range r.Outputs {
					if outputs[name] {
						mine.Outputs[name] = packed{t.DType(), t.Shape(), bytes.Clone(t.Raw())}
					}
				}
			}
		}
		truth := targets{b.N, map[string]*tarn.Tensor{}}
		for name := range fields {
			if t := b.Tensor(name); t != nil {
				truth.fields[name] = t.Clone()
			}
		}
		round = append(round, truth)
		if len(round) == e.Comm.Size() {
			if err := finish(); err != nil {
				return loss, n, err
			}
		}
		if most--; most == 0 {
			break
		}
	}
	return loss, n, finish()
}
