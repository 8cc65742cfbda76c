package train

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds steps that need the gradients at two points: see optim.Prober. From the sums of the first pass over the shards a program moves the params, the shards are computed again, and with the
// params where they were the update takes the sums of the second pass.

// firstPrefix comes before the names of gradients of the first pass.
const firstPrefix = "tarn.first."

// probing is what a sharded step knows of its two passes.
type probing struct {
	known  bool                    // whether there are two
	probes bool                    // there are
	first  map[string]*tarn.Tensor // sums of the first pass that the update takes, by the name of its input
	before []*tarn.Tensor          // the trainable params before they are moved
}

// probeProgram finds or compiles the program that moves the params; it is nil if the optimizer needs none.
func (s *Step) probeProgram() (*program, error) {
	sh := s.sharded
	if i := slices.IndexFunc(s.programs, func(p *program) bool { return p.probe }); i >= 0 {
		return s.programs[i], nil
	}
	o, ok := s.optimizer.(optim.Prober)
	if !ok || sh.known && !sh.probes {
		return nil, nil
	}
	c, err := s.combine()
	if err != nil {
		return nil, err
	}
	moves, err := o.ProbeFrom(c.loss, c.gradients, c.params)
	if err != nil {
		return nil, err
	}
	sh.known, sh.probes = true, len(moves) > 0
	if !sh.probes {
		return nil, nil
	}
	phases, err := sh.norms.programs(c.gradients)
	if err != nil {
		return nil, err
	}
	p, err := compile(c.graph, nil, append(moves, tarn.Guard(c.value))...)
	if err != nil {
		return nil, err
	}
	p.probe, p.phases = true, phases
	s.programs = append(s.programs, p)
	return p, nil
}

// probe takes the second pass, if the optimizer needs one, and leaves its sums. A step that is not finite is skipped, or ends with an error.
func (s *Step) probe(ctx context.Context, b *shardBatch) (skipped bool, err error) {
	sh := s.sharded
	p, err := s.probeProgram()
	if p == nil || err != nil {
		return false, err
	}
	if err := sh.keepFirst(); err != nil {
		return false, err
	}
	runs := s.Runs()
	for k, phase := range p.phases {
		finite, err := sh.runPhase(phase, k, runs)
		if err != nil {
			return false, err
		}
		if !finite {
			return true, s.notFinite(b, nil, nil)
		}
	}
	sh.bindUpdate(p)
	p.program.SetRuns(runs)
	trained := s.params.Trainable().List()
	for i, p := range trained {
		if i == len(sh.before) {
			sh.before = append(sh.before, p.Tensor().Clone())
		} else if err := sh.before[i].CopyFrom(p.Tensor()); err != nil {
			return false, err
		}
	}
	if err := p.program.RunInto(context.Background(), p.results, p.inputs...); err != nil {
		var found *tarn.NonFiniteError
		if !errors.As(err, &found) {
			return false, err
		}
		return true, s.notFinite(b, p, found)
	}
	defer func() {
		for i, p := range trained {
			err = errors.Join(err, p.Set(sh.before[i]))
		}
	}()
	sh.pace.ended(together)
	mode := sh.mode
	sh.mode = watch.Plain // the layers have been looked at
	defer func() { sh.mode = mode }()
	statuses, err := s.sumShards(ctx, b)
	if err != nil {
		return false, err
	}
	for i, st := range statuses {
		if st[1] != 0 && !finite(st[0]) {
			return true, s.brokenShard(b, sh.owner(i), i)
		}
	}
	return false, nil
}

// keepFirst copies the sums that the update takes from the first pass: those of states, and the gradients if they are looked at.
func (s *sharded) keepFirst() error {
	for _, sg := range s.segments {
		name := sg.name
		switch {
		case sg.state:
		case s.mode == watch.Plain:
			continue
		default:
			name = firstPrefix + name
		}
		sum := s.arrays[sg.array].sum(sg.offset, sg.param.Shape())
		if t := s.first[name]; t == nil {
			s.first[name] = sum.Clone()
		} else if err := t.CopyFrom(sum); err != nil {
			return err
		}
	}
	return nil
}
