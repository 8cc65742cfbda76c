package train

import (
	"context"
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds how a training over shards is watched. The program that updates measures the params, on all ranks alike; the programs of shards measure
// the layers, and all ranks get what all shards have measured, in the order of the shards, so that a look has the same bits for any number of ranks.

// watching is what a sharded step knows of the look that it takes.
type watching struct {
	mode  watch.Mode // of this run
	parts []shardPart
	pace  pace
}

// shardPart is what a shard of this rank has measured.
type shardPart struct {
	watch.Part
	shard       int
	instruments *watch.Instruments
	activations []*tarn.Tensor // copies, for histograms
}

// layerMode returns the mode of the programs of shards, which have nothing to remember.
func (w *watching) layerMode() watch.Mode {
	if w.mode == watch.Look {
		return watch.Look
	}
	return watch.Plain
}

// describeShards describes the layers of the program for a whole batch of n examples.
func (s *Step) describeShards(n int) error {
	if s.Watch == nil || s.watched.Version != 0 {
		return nil
	}
	outputs, err := counted(s.build(tarn.NewGraph(), n))
	if err != nil {
		return err
	}
	h := watch.Describe(outputs["loss"], s.params)
	h.Shards = s.Shards.number()
	if c := s.sharded.Comm; c.Size() > 1 {
		for r, host := range s.sharded.team.hosts {
			lo, hi := dist.Shard(h.Shards, c.Size(), r)
			h.Ranks = append(h.Ranks, watch.Rank{Host: host, First: lo, End: hi})
		}
	}
	s.watched = h
	return nil
}

// instrumentShard returns what the program of a shard measures.
func (s *Step) instrumentShard(outputs tarn.Outputs, loss *tarn.Value) (*watch.Instruments, error) {
	// Two small graphs tell which layers have results that do not grow with the number of examples.
	var sizes [2][]int
	for i := range sizes {
		small, err := counted(s.build(tarn.NewGraph(), 2+i))
		if err != nil {
			return nil, err
		}
		for _, l := range s.params.Layers(small["loss"]) {
			sizes[i] = append(sizes[i], l.Output.Size())
		}
	}
	fixed := make([]bool, len(sizes[0]))
	for i, n := range sizes[0] {
		fixed[i] = i < len(sizes[1]) && n == sizes[1][i]
	}
	return s.Watch.InstrumentShard(outputs, loss, s.params, fixed)
}

// instrumentUpdate returns what the program of an update of params measures.
func (s *Step) instrumentUpdate(g *tarn.Graph, gradients []*tarn.Value, params *tarn.ParamSet, assignments []tarn.Update) (*watch.Instruments, error) {
	if s.sharded.mode == watch.Plain {
		return &watch.Instruments{}, nil
	}
	return s.Watch.InstrumentUpdate(s.sharded.mode, g, gradients, params, assignments, dist.Block)
}

// runTimed runs the program of shard i. On rank 0 the steps of that of its first shard are timed in a few runs.
func (s *Step) runTimed(ctx context.Context, p *program, i int) error {
	t := s.timed(p, p.size)
	if t == nil || i != 0 {
		return p.program.RunEach(ctx, p.results, s.sharded.term.done, p.inputs...)
	}
	err := t.run(ctx, p.program, p.results, p.inputs)
	if err == nil {
		for _, name := range p.program.OutputOrder() {
			s.completed(name)
		}
	}
	return err
}

// lookAtShard keeps what the program of shard i has measured, if this run is a look.
func (s *Step) lookAtShard(p *program, i int, examples, count float64) {
	if p.mode != watch.Look {
		return
	}
	part := shardPart{Part: p.instruments.Part(p.results, examples, count), shard: i, instruments: p.instruments}
	for _, t := range p.instruments.Activations(p.results) {
		part.activations = append(part.activations, t.Clone())
	}
	s.sharded.parts = append(s.sharded.parts, part)
}

// lookAtShards ends a run, whose update p has taken: if it was a look, all ranks get what all have measured.
func (s *Step) lookAtShards(p *program, run int64, n int) error {
	sh := s.sharded
	update := s.updatesBefore(run)
	switch p.mode {
	case watch.Remember:
		s.Watch.Remembered(update)
	case watch.Look:
		parts, layers, err := s.gatherParts(n)
		if err != nil {
			return err
		}
		sums := p.instruments.Sums(p.results)
		if sh.split != nil {
			sums = make([]float64, watch.Sums*sh.norms.blocks)
			if err := sh.gatherBlocks(sums, p.instruments.Sums(p.results), watch.Sums); err != nil {
				return err
			}
		}
		l := s.Watch.RecordParts(p.instruments, sums, layers, parts, update, n)
		if err := s.look(&l, run); err != nil {
			return err
		}
		if sh.Comm.Size() > 1 {
			if l.Ranks, err = sh.pace.tell(sh.Comm); err != nil {
				return err
			}
		}
		if s.result.Histograms, err = sh.histograms(s.distributions(p, layers)); err != nil {
			return err
		}
		s.result.Look = &l
	}
	if t := s.timing.program; t != nil {
		return s.described(t)
	}
	return nil
}

// gatherParts returns what all shards with examples have measured, in their order.
func (s *Step) gatherParts(n int) (parts []watch.Part, layers *watch.Instruments, err error) {
	sh := s.sharded
	shards, ranks := sh.number(), sh.Comm.Size()
	// Some rank may have no shard with examples, and does not know how many numbers there are.
	length := []int64{0}
	for _, p := range sh.parts {
		length[0], layers = int64(len(p.Numbers)), p.instruments
	}
	lengths := make([]int64, ranks)
	if err := sh.Comm.AllGather(dist.Bytes(lengths), dist.Bytes(length)); err != nil {
		return nil, nil, err
	}
	width := 0
	for _, l := range lengths {
		width = max(width, int(l)+2)
	}
	most := (shards + ranks - 1) / ranks
	mine, all := make([]float64, most*width), make([]float64, ranks*most*width)
	lo, _ := dist.Shard(shards, ranks, sh.Comm.Rank())
	for _, p := range sh.parts {
		row := mine[(p.shard-lo)*width:][:width]
		row[0], row[1] = p.Examples, p.Weight
		copy(row[2:], p.Numbers)
	}
	if err := sh.Comm.AllGather(dist.Bytes(all), dist.Bytes(mine)); err != nil {
		return nil, nil, err
	}
	for r := range ranks {
		lo, hi := dist.Shard(shards, ranks, r)
		for i := range hi - lo {
			if row := all[(r*most+i)*width:][:width]; row[0] > 0 {
				parts = append(parts, watch.Part{Numbers: row[2:], Examples: row[0], Weight: row[1]})
			}
		}
	}
	if layers == nil { // this rank has none of its own
		p, err := s.gradientProgram(max(1, n/shards), false)
		if err != nil {
			return nil, nil, err
		}
		layers = p.instruments
	}
	return parts, layers, nil
}

// distribution is what a histogram is taken of, as far as this rank has it: all ranks together have each part once.
type distribution struct {
	of, name string
	tensors  []*tarn.Tensor
}

// distributions returns those of weights and gradients, which an update p has measured, and of what the layers of shards have given.
func (s *Step) distributions(p *program, layers *watch.Instruments) (all []distribution) {
	weights, gradients := p.instruments.Distributions(p.results)
	for name, whole := range s.params.Trainable().All() {
		if len(weights) == 0 {
			break // none are asked for
		}
		w, g := distribution{of: "weight", name: name}, distribution{of: "gradient", name: name}
		add := func(part string) {
			w.tensors, g.tensors = append(w.tensors, weights[part]), append(g.tensors, gradients[part])
		}
		if sp := s.sharded.split; sp == nil && s.sharded.Comm.Rank() == 0 { // which all ranks have alike
			add(name)
		} else if sp != nil {
			for _, pc := range sp.pieces {
				if pc.param != nil && pc.whole == whole {
					add(sp.params.Name(pc.param))
				}
			}
		}
		all = append(all, w, g)
	}
	for i, path := range layers.Histograms() {
		d := distribution{of: "activation", name: path}
		for _, p := range s.sharded.parts {
			d.tensors = append(d.tensors, p.activations[i])
		}
		all = append(all, d)
	}
	return all
}

// histograms returns the histograms of what all ranks have.
func (s *sharded) histograms(of []distribution) (all []watch.Histogram, err error) {
	if len(of) == 0 {
		return nil, nil
	}
	limits := make([]float64, 2*len(of)) // the smallest, and the negative of the largest
	for i := range limits {
		limits[i] = math.Inf(1)
	}
	for i, d := range of {
		for _, t := range d.tensors {
			e := watch.Extremes(t)
			limits[2*i], limits[2*i+1] = min(limits[2*i], e[0]), min(limits[2*i+1], -e[1])
		}
	}
	gathered := make([]float64, s.Comm.Size()*len(limits))
	if err := s.Comm.AllGather(dist.Bytes(gathered), dist.Bytes(limits)); err != nil {
		return nil, err
	}
	for i, x := range gathered {
		limits[i%len(limits)] = min(limits[i%len(limits)], x)
	}
	var counts []int64
	for i, d := range of {
		h := watch.NewHistogram(d.of, d.name, [2]float64{limits[2*i], -limits[2*i+1]})
		for _, t := range d.tensors {
			h.Count(t)
		}
		for _, c := range h.Counts {
			counts = append(counts, int64(c))
		}
		all = append(all, h)
	}
	if err := s.Comm.AllReduce(dist.Of(counts)); err != nil {
		return nil, err
	}
	for _, h := range all {
		for k := range h.Counts {
			h.Counts[k], counts = int(counts[0]), counts[1:]
		}
	}
	return all, nil
}

// prepareMode compiles the programs of a mode for batches of n examples.
func (s *Step) prepareMode(n int, mode watch.Mode) error {
	if s.Shards == nil {
		_, err := s.programFor(n, true, mode)
		return err
	}
	s.sharded.mode = mode
	defer func() { s.sharded.mode = watch.Plain }()
	if _, err := s.shardSteps(n); err != nil {
		return err
	}
	_, err := s.updateProgram(true)
	return err
}

// shardSteps returns the program of each shard of this rank that has examples of a batch of n.
func (s *Step) shardSteps(n int) (all []*program, err error) {
	part := s.Shards.part()
	for i := part.First; i < part.End; i++ {
		if lo, hi := dist.Shard(n, part.Shards, i); hi > lo {
			p, err := s.gradientProgram(hi-lo, false)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
	return all, nil
}

// shardWork returns the steps of all programs that this rank runs for a batch of n examples.
func (s *Step) shardWork(n int) (work []tarn.StepProfile, err error) {
	all, err := s.shardSteps(n)
	if err != nil {
		return nil, err
	}
	update, err := s.updateProgram(true)
	if err != nil {
		return nil, err
	}
	if probe, err := s.probeProgram(); err != nil {
		return nil, err
	} else if probe != nil {
		all = append(append(all, probe), all...) // the shards twice
	}
	for _, p := range append(all, update) {
		work = append(work, p.program.Steps()...)
	}
	return work, nil
}

// sumBytes is the memory of the sums over shards.
func (s *sharded) sumBytes() (n int) {
	for _, a := range s.arrays {
		n += a.Memory()
	}
	return n
}

// agree returns on all ranks what rank 0 passes.
func (l *Loop) agree(yes bool) (bool, error) {
	if l.Shards == nil {
		return yes, nil
	}
	x := []byte{0}
	if yes {
		x[0] = 1
	}
	err := l.Shards.team.comm.Broadcast(x, 0)
	return x[0] == 1, err
}
