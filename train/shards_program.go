package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// This file makes the programs of a training over shards, and the arrays that they share.

// The inputs and outputs of the two programs beside those of the build function.
const (
	shardInput    = "tarn.shard"
	lossInput     = "tarn.loss"
	countInput    = "tarn.count"
	examplesInput = "tarn.examples"
)

// segment is a place in the arrays that are summed: of the gradient of a param, or of a state.
type segment struct {
	name   string // of the output of one program and of the input of the other
	param  *tarn.Param
	state  bool
	array  int // of the arrays
	offset int // in it
	size   int
}

// sharded is the part of a Step that trains over shards.
type sharded struct {
	*Shards
	team     *team
	segments []segment
	arrays   []array
	places   map[string]int // of the outputs among the segments
	shard    []*tarn.Tensor // the numbers of this rank's
	exchange *exchange
	slots    map[slot]*program
	scalars  [3]*tarn.Tensor // loss, count and examples
	cut      map[cutKey]*tarn.Tensor
	watching
	buckets *buckets
	term    term
	norms   norms
	split   *split // nil unless the updates are split
	probing
}

// cutKey is a part of a tensor of a batch.
type cutKey struct {
	of     *tarn.Tensor
	lo, hi int
}

// beginShards checks what a training over shards needs.
func (s *Step) beginShards() error {
	if s.sharded != nil {
		return nil
	}
	if s.build == nil {
		return errors.New("train: a training over Shards makes programs for parts of a batch: use NewStepOf instead of NewStep")
	}
	if _, ok := s.optimizer.(optim.Combiner); !ok {
		return fmt.Errorf("train: the optimizer %T is no optim.Combiner, and a training over Shards gives it gradients: embed an optim.Chain", s.optimizer)
	}
	t, err := s.Shards.join()
	if err != nil {
		return err
	}
	s.sharded = &sharded{Shards: s.Shards, team: t, cut: map[cutKey]*tarn.Tensor{},
		exchange: newExchange(t.comm, s.Shards.part()), slots: map[slot]*program{}, scalars: [3]*tarn.Tensor{tarn.Zeros(tarn.F64), tarn.Zeros(tarn.F64), tarn.Zeros(tarn.F64)}}
	for i := s.Shards.part().First; i < s.Shards.part().End; i++ {
		s.sharded.shard = append(s.sharded.shard, tarn.Scalar(int64(i)))
	}
	s.sharded.first = map[string]*tarn.Tensor{}
	s.sharded.term.done, s.sharded.norms.sharded = s.completed, s.sharded
	return nil
}

// prepareShards compiles the programs for batches of n examples.
func (s *Step) prepareShards(n int) error {
	if err := s.beginShards(); err != nil {
		return err
	}
	if err := s.describeShards(n); err != nil {
		return err
	}
	defer func(m watch.Mode) { s.sharded.mode = m }(s.sharded.mode)
	s.sharded.mode = watch.Plain
	part := s.Shards.part()
	for i := range part.Shards { // also those of other ranks, so that the update knows its inputs
		lo, hi := dist.Shard(n, part.Shards, i)
		if hi > lo && (i >= part.First && i < part.End || len(s.sharded.segments) == 0) {
			if _, err := s.gradientProgram(hi-lo, false); err != nil {
				return err
			}
		}
	}
	if _, err := s.probeProgram(); err != nil {
		return err
	}
	for _, updates := range []bool{true, updatesAt(s.optimizer, 0)} {
		if _, err := s.updateProgram(updates); err != nil {
			return err
		}
	}
	return nil
}

// gradientProgram finds or compiles the program of a shard of n examples. A guarded one ends with an error if a gradient is not finite.
func (s *Step) gradientProgram(n int, guarded bool) (*program, error) {
	mode := s.sharded.layerMode()
	if guarded {
		mode = watch.Plain
	}
	for _, p := range s.programs {
		if p.size == n && n > 0 && p.guarded == guarded && p.mode == mode {
			return p, nil
		}
	}
	g := s.newGraph()
	number := g.Input(shardInput, tarn.I64)
	g.DrawBy(g.Runs().Mul(tarn.Num(s.Shards.number())).Add(number))
	g.ShareShards(s.sharded.exchange, number)
	outputs, err := counted(s.build(g, n))
	if err != nil {
		return nil, err
	}
	loss, trained := outputs["loss"], s.params.Trainable().List()
	if loss.Graph() != g {
		return nil, errors.New("train: the build function made its loss in another graph than the one that it was given")
	}
	if len(trained) > 0 && !tarn.Depends(loss, trained...) {
		return nil, fmt.Errorf("train: the loss made at %s depends on none of the %d trainable params in a way that a gradient can follow", loss.Place(), len(trained))
	}
	weight, count := g.Num(tarn.F64, float64(n)), float64(n)
	if c := loss.Count(); c != nil {
		weight, count = c.Cast(tarn.F64), -1
	}
	// The sum over what the loss is a mean of, so that no gradient has to be multiplied.
	sum := loss.Mul(weight.Cast(loss.DType()).StopGradient())
	segments, out := s.sharded.segments, tarn.Outputs{"loss": loss, countOutput: weight}
	var made []segment
	add := func(kind string, p *tarn.Param, v *tarn.Value) {
		sg := segment{name: fmt.Sprintf("tarn.%s.%d", kind, len(made)), param: p, state: kind == "state", size: v.Size()}
		switch {
		case sg.state:
			sg.array = arrayStates
		case v.DType() == tarn.F64:
			sg.array = arrayF64
		}
		made, out[sg.name] = append(made, sg), v
	}
	for i, d := range tarn.Grad(sum, trained...) {
		add("gradient", trained[i], d)
	}
	for _, u := range g.TakeAttached(outputs) {
		add("state", u.Param(), u.Value().StopGradient().Cast(tarn.F64).Scale(float64(n)))
	}
	for _, sg := range made {
		if segments != nil && (len(segments) != len(made) || !slices.ContainsFunc(segments, func(other segment) bool { other.offset = 0; return other == sg })) {
			return nil, fmt.Errorf("train: the build function makes other params or states for %d examples than for other numbers", n)
		}
	}
	var updates []tarn.Update
	if guarded {
		finite := []*tarn.Value{}
		for _, v := range out {
			finite = append(finite, weight.Gt(tarn.Num(0)).Where(v, v.Num(0)))
		}
		updates = append(updates, tarn.Guard(finite...))
	}
	var instruments *watch.Instruments
	if mode != watch.Plain {
		if instruments, err = s.instrumentShard(outputs, loss); err != nil {
			return nil, err
		}
		updates = append(updates, instruments.Look())
	}
	p, err := compile(g, out, updates...)
	if err != nil {
		return nil, err
	}
	if segments == nil {
		if err := s.sharded.layOut(made, p.program.OutputOrder()); err != nil {
			return nil, err
		}
	}
	p.size, p.updates, p.guarded, p.mode, p.instruments, p.sums, p.count = n, true, guarded, mode, instruments, g.SharedSizes(), count
	s.programs = append(s.programs, p)
	return p, nil
}

// layOut gives the segments their places in arrays, in the order in which a program completes them, and makes the memory of the sums.
func (s *sharded) layOut(segments []segment, order []string) error {
	slices.SortFunc(segments, func(a, b segment) int { return slices.Index(order, a.name) - slices.Index(order, b.name) })
	s.places = map[string]int{}
	var sizes [3]int
	for i := range segments {
		sg := &segments[i]
		s.places[sg.name], sg.offset = i, sizes[sg.array]
		sizes[sg.array] += (sg.size + dist.Block - 1) / dist.Block * dist.Block
	}
	s.segments = segments
	for kind, size := range sizes {
		var a array
		var err error
		if kind == arrayF32 {
			a, err = newArray[float32](s.stream, s.number(), size)
		} else {
			a, err = newArray[float64](s.stream, s.number(), size)
		}
		if err != nil {
			return err
		}
		s.arrays = append(s.arrays, a)
	}
	s.buckets = newBuckets(s)
	return nil
}

// updateProgram finds or compiles the program that updates the params from sums of gradients, or adds them to those of earlier micro-batches. Its graph
// begins as that of a shard does, so that the random ops of the optimizer are further ones.
func (s *Step) updateProgram(updates bool) (*program, error) {
	for _, p := range s.programs {
		if p.size == 0 && !p.probe && p.updates == updates && p.mode == s.sharded.mode {
			return p, nil
		}
	}
	sh := s.sharded
	c, err := s.combine()
	if err != nil {
		return nil, err
	}
	var states []tarn.Update
	for _, sg := range sh.segments {
		if sg.state {
			mean := c.graph.Input(sg.name, tarn.F64, sg.param.Shape()...).Div(c.examples).Cast(sg.param.DType())
			states = append(states, tarn.Assign(sg.param, c.examples.Gt(tarn.Num(0)).Where(mean, sg.param.Value(c.graph))))
		}
	}
	o := s.optimizer.(optim.Combiner)
	from := o.UpdateFrom
	if !updates {
		from = o.AccumulateFrom
	}
	assignments, err := from(c.loss, c.gradients, c.params)
	if err != nil {
		return nil, err
	}
	phases, err := sh.norms.programs(c.gradients)
	if err != nil {
		return nil, err
	}
	watched := c.gradients
	if sh.probes && sh.mode != watch.Plain { // those at the params
		watched = nil
		for _, p := range c.params.Trainable().List() {
			watched = append(watched, c.gradient(firstPrefix+sh.gradientOf(p), p))
		}
	}
	instruments, err := s.instrumentUpdate(c.graph, watched, c.params, assignments)
	if err != nil {
		return nil, err
	}
	p, err := compile(c.graph, nil, slices.Concat(assignments, states, []tarn.Update{instruments.Look(), tarn.Guard(c.value)})...)
	if err != nil {
		return nil, err
	}
	p.updates, p.phases, p.mode, p.instruments = updates, phases, sh.mode, instruments
	s.programs = append(s.programs, p)
	return p, nil
}

// combined is the graph of a program that works on the sums over shards, and what the optimizer is given in it.
type combined struct {
	graph                  *tarn.Graph
	loss                   *tarn.Value // with the count, if it has one
	value, share, examples *tarn.Value // of the loss, one over the count, and the number of examples
	gradients              []*tarn.Value
	params                 *tarn.ParamSet // that this rank updates
}

// gradient returns the mean of a gradient, of which an input has the sum.
func (c *combined) gradient(name string, p *tarn.Param) *tarn.Value {
	return c.graph.Input(name, p.DType(), p.Shape()...).Mul(c.share.Cast(p.DType()))
}

// combine begins the graph of a program that works on the sums.
func (s *Step) combine() (*combined, error) {
	sh := s.sharded
	if err := s.divide(); err != nil {
		return nil, err
	}
	g := s.newGraph()
	g.ShareShards(sh.exchange, g.Const(tarn.Scalar(int64(0)))) // which nothing of the update reads
	// A batch norm over examples alone refuses to train on one.
	outputs, err := counted(s.build(g, 2))
	if err != nil {
		return nil, err
	}
	g.TakeAttached(outputs)
	count := g.Input(countInput, tarn.F64)
	c := &combined{graph: g, value: g.Input(lossInput, tarn.F64), examples: g.Input(examplesInput, tarn.F64), params: s.params}
	c.share = count.Gt(tarn.Num(0)).Where(count.Reciprocal(), tarn.Num(0))
	if sh.split != nil {
		c.params = sh.split.params
	}
	trained := c.params.Trainable().List()
	for _, p := range trained {
		name := sh.gradientOf(p)
		if sh.split != nil {
			name = sh.split.input(p)
		}
		c.gradients = append(c.gradients, c.gradient(name, p))
	}
	c.loss = tarn.WithGradient(c.value, trained, func(dy *tarn.Value) []*tarn.Value {
		failed := g.Fail("Grad", []*tarn.Value{dy}, "in a training over shards the optimizer has the value of the loss and its gradient, and cannot differentiate it again")
		return slices.Repeat([]*tarn.Value{failed}, len(trained))
	})
	if outputs["loss"].Count() != nil {
		c.loss = c.loss.WithCount(count)
	}
	sh.norms.begin(g)
	return c, nil
}

// gradientOf returns the name of the gradient of a param.
func (s *sharded) gradientOf(p *tarn.Param) string {
	for _, sg := range s.segments {
		if sg.param == p && !sg.state {
			return sg.name
		}
	}
	return ""
}

// rowsOf returns the rows from lo to before hi of a tensor, which share its memory.
func (s *sharded) rowsOf(t *tarn.Tensor, lo, hi int) (*tarn.Tensor, error) {
	key := cutKey{t, lo, hi}
	if c := s.cut[key]; c != nil {
		return c, nil
	}
	if len(s.cut) > 1<<12 { // of batches that are new each time
		clear(s.cut)
	}
	shape := t.Shape()
	width := 1
	for _, d := range shape[1:] {
		width *= d
	}
	shape[0] = hi - lo
	lo, hi = lo*width, hi*width
	var c *tarn.Tensor
	var err error
	switch t.DType() {
	case tarn.F32:
		c, err = tarn.FromSlice(t.F32()[lo:hi], shape...)
	case tarn.F64:
		c, err = tarn.FromSlice(t.F64()[lo:hi], shape...)
	case tarn.I32:
		c, err = tarn.FromSlice(t.I32()[lo:hi], shape...)
	case tarn.I64:
		c, err = tarn.FromSlice(t.I64()[lo:hi], shape...)
	default:
		c, err = tarn.FromSlice(t.Bools()[lo:hi], shape...)
	}
	s.cut[key] = c
	return c, err
}
