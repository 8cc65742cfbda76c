package tarn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/limit"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/pass"
)

// This file holds Compile, which turns a graph into a Program, and Run, which takes one step of it.

// Outputs names the values that each run of a program gives.
type Outputs map[string]*Value

// Update is the assignment of a value to a param at the end of each run.
type Update struct {
	param  *Param
	value  *Value
	guards []*Value // of a Guard
	looks  *looks   // of a Look
}

// Assign stores v in p at the end of each run: every read of p within the run sees the old contents. v has p's dtype and shape.
func Assign(p *Param, v *Value) Update { return Update{param: p, value: v} }

// Param returns the param that is assigned.
func (u Update) Param() *Param { return u.param }

// Value returns what it will hold after the run. Shapes: the result has the shape of the param.
func (u Update) Value() *Value { return u.value }

// Results are the outputs of a run by name. They belong to the caller, map and tensors.
type Results map[string]*Tensor

// Program is a compiled graph. It keeps the memory that a run needs.
//
// One program may be run by several goroutines: its runs take place one after the other, and each gives its caller results that no other
// run changes. For runs at the same time there is Clone. What all runs of all programs share are the params, see Run.
type Program struct {
	mu       sync.Mutex  // held while a run is in progress
	inputs   []signature // those that the program needs
	all      []signature // those of the graph
	among    []int       // where each that the program needs stands in the graph
	outputs  []signature // in the order of their names, those of a Look last
	given    []ir.Array  // the inputs of the run in progress, without memory between runs
	returned []ir.Array  // likewise, the outputs
	from, to []uintptr   // where they lay in the last run, 0 for an input that had to be copied
	same     bool        // the outputs lie where they lay in the last run
	params   []*Param
	memory   []span     // of the params, by address
	assigned []*Param   // by updates
	claimed  int        // the first of those, for the run in progress
	written  []span     // the memory of those, by address
	copies   []ir.Array // of inputs that lie where a run writes, once there have been any
	runner   exec.Runner
	storages []*exec.Storage // of the params
	device   bool            // the runner is that of an engine with memory of its own
	lent     []*exec.Storage // for such a runner, those of the inputs of the run in progress, and of the outputs
	stored   []*exec.Storage
	final    func(output int) // calls done of RunEach, in a run of it
	done     func(name string)
	runs     atomic.Int64
	traced   *traced // nil if Origin is not to be had
}

// signature is what a program knows of an input or an output. It holds no Value, so that the graph can be collected once it is compiled.
type signature struct {
	name string
	typ  ir.Type
}

var errNoProgram = errors.New("tarn: the program is nil or was not made by Compile: look at the error that Compile returned")

// Compile turns the part of g that the outputs and updates need into a Program. The error holds every independent mistake
// that was made while g was built, each with its place in the source: see GraphError. Updates that are attached to what the
// program computes are added, see Graph.Attach. The program runs on the CPU, or on the engine of Use or of TARN_ENGINE.
func Compile(g *Graph, outputs Outputs, updates ...Update) (*Program, error) {
	e, err := engineInUse()
	if err != nil {
		return nil, err
	}
	return compile(e, g, outputs, updates)
}

// compile compiles for an engine, or for the CPU.
func compile(e Engine, g *Graph, outputs Outputs, updates []Update) (*Program, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	updates, guards, err := splitGuards(g, updates)
	if err != nil {
		return nil, err
	}
	updates, looks, err := splitLooks(updates)
	if err != nil {
		return nil, err
	}
	main := newRoots(outputs, g.withAttached(outputs, updates))
	if err := main.check(g, looks); err != nil {
		return nil, err
	}
	switches, err := readDebug()
	if err != nil {
		return nil, err
	}
	if switches.nan {
		guards = main.floats()
	}
	t := translate(g, main, guards, looks)
	p := &Program{inputs: t.inputs, params: t.params}
	for i, v := range g.inputs {
		p.all = append(p.all, signature{v.label, v.typ})
		if len(p.among) < len(p.inputs) && p.inputs[len(p.among)].name == v.label {
			p.among = append(p.among, i)
		}
	}
	if len(guards) > 0 {
		// Passes change the graph of t.
		again := translate(g, main, guards, looks)
		p.traced = &traced{graph: again.joined(), variables: memoryOf(again.params), always: switches.nan}
	}
	for _, r := range []wanted{main, looks} {
		for _, name := range r.names {
			p.outputs = append(p.outputs, signature{name, r.outputs[name].typ})
		}
		for _, u := range r.updates {
			p.assigned = append(p.assigned, u.param)
		}
	}
	p.memory, p.written = spansOf(p.params), spansOf(p.assigned)
	p.storages = storagesOf(p.params)
	if p.runner, p.device, err = switches.load(e, t); err != nil {
		return nil, p.tooLarge(err)
	}
	return p.ready(), nil
}

// ready makes what a program needs beside its engine.
func (p *Program) ready() *Program {
	p.given, p.returned = make([]ir.Array, len(p.inputs)), make([]ir.Array, len(p.outputs))
	p.from, p.to = make([]uintptr, len(p.inputs)), make([]uintptr, len(p.outputs))
	p.lent, p.stored = make([]*exec.Storage, len(p.inputs)), make([]*exec.Storage, len(p.outputs))
	p.final = func(output int) { p.done(p.outputs[output].name) }
	for i, in := range p.inputs {
		p.given[i].Type = in.typ
	}
	for i, out := range p.outputs {
		p.returned[i].Type = out.typ
	}
	return p
}

// Clone returns a program that computes the same from the same params and has all other memory of its own, so that both can run at the same
// time. It begins with the number of runs that p has completed. Clones of a program that assigns params share these as well and must not
// run at the same time, see Run.
func (p *Program) Clone() (*Program, error) {
	if p == nil || p.runner == nil {
		return nil, errNoProgram
	}
	c := &Program{inputs: p.inputs, all: p.all, among: p.among, outputs: p.outputs, params: p.params, memory: p.memory,
		assigned: p.assigned, written: p.written, traced: p.traced, storages: p.storages, device: p.device}
	switches, err := readDebug()
	if err != nil {
		return nil, err
	}
	if c.runner, err = p.runner.Clone(); err != nil {
		return nil, p.tooLarge(err)
	}
	if err := switches.name(c.runner); err != nil {
		return nil, err
	}
	c.runs.Store(p.Runs())
	return c.ready(), nil
}

// span is a range of addresses.
type span struct{ start, end uintptr }

func spanOf(a ir.Array) span {
	start := uintptr(a.Data)
	return span{start, start + uintptr(a.Bytes())}
}

// memoryOf returns the memory of params.
func memoryOf(params []*Param) []ir.Array {
	all := make([]ir.Array, len(params))
	for i, p := range params {
		all[i] = p.tensor.array
	}
	return all
}

// storagesOf returns the storages of params.
func storagesOf(params []*Param) []*exec.Storage {
	all := make([]*exec.Storage, len(params))
	for i, p := range params {
		all[i] = p.tensor.storage
	}
	return all
}

// spansOf returns the memory of params, by address.
func spansOf(params []*Param) (all []span) {
	for _, p := range params {
		all = append(all, spanOf(p.tensor.array))
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	return all
}

// within reports whether a lies, in part at least, in the memory of spans.
func within(spans []span, a ir.Array) bool {
	s := spanOf(a)
	i, _ := slices.BinarySearchFunc(spans, s.start, func(w span, start uintptr) int {
		if w.end <= start {
			return -1
		}
		return 1
	})
	return i < len(spans) && spans[i].start < s.end
}

// overlap reports whether a and b have memory in common.
func overlap(a, b ir.Array) bool {
	s, t := spanOf(a), spanOf(b)
	return s.start < t.end && t.start < s.end
}

// check refuses outputs and updates that cannot be computed, also of looks.
func (r wanted) check(g *Graph, looks wanted) error {
	for _, name := range looks.names {
		if _, twice := r.outputs[name]; twice {
			return fmt.Errorf("tarn: Compile: output %q is also that of a Look: rename one of them", name)
		}
	}
	outputs := maps.Clone(r.outputs)
	if outputs == nil {
		outputs = Outputs{}
	}
	maps.Copy(outputs, looks.outputs)
	updates := slices.Concat(r.updates, looks.updates)
	for name, v := range outputs {
		if v.exists() && v.graph.lost {
			return v.graph.Err()
		}
		if !v.exists() || v.graph != g {
			return fmt.Errorf("tarn: Compile: output %q is nil or belongs to another graph", name)
		}
		if v.failed {
			return fmt.Errorf("tarn: Compile: output %q failed with a value of another graph", name)
		}
	}
	assigned := map[*Param]bool{}
	for i, u := range updates {
		switch {
		case u.value.exists() && u.value.graph.lost:
			return u.value.graph.Err()
		case u.param == nil || u.param.tensor == nil || !u.value.exists():
			return fmt.Errorf("tarn: Compile: update %d assigns to a nil param or from a nil value", i+1)
		case u.value.failed:
			return fmt.Errorf("tarn: Compile: the value assigned to param %q failed with a value of another graph", u.param.label())
		case u.value.graph != g:
			return fmt.Errorf("tarn: Compile: the value assigned to param %q belongs to another graph", u.param.label())
		case assigned[u.param]:
			return fmt.Errorf("tarn: Compile: param %q is assigned twice", u.param.label())
		case !u.param.tensor.array.Type.Equal(u.value.typ):
			return fmt.Errorf("tarn: Compile: param %q is %v and cannot be assigned the %v made at %s",
				u.param.label(), u.param.tensor.array.Type, u.value.typ, u.value.Place())
		}
		assigned[u.param] = true
	}
	if len(outputs) == 0 && len(updates) == 0 {
		return fmt.Errorf("tarn: Compile: the program would have neither outputs nor updates")
	}
	if g.mapped {
		return checkExamples(outputs, updates)
	}
	return nil
}

// checkExamples refuses values of one example, which only have a meaning within the function that VMap was given.
func checkExamples(outputs Outputs, updates []Update) error {
	var roots []*Value
	for _, v := range outputs {
		roots = append(roots, v)
	}
	for _, u := range updates {
		roots = append(roots, u.value)
	}
	order := reachable(roots)
	at := slices.IndexFunc(order, func(v *Value) bool { _, one := v.op.(exampleOp); return one })
	if at < 0 {
		return nil
	}
	used := slices.IndexFunc(order, func(v *Value) bool { return slices.Contains(v.in, order[at]) })
	return fmt.Errorf("tarn: Compile: a value of one example of VMap, used at %s, is needed outside of its function: return what is computed from it", order[max(at, used)].Place())
}

// looks is what a Look adds.
type looks struct {
	outputs Outputs
	updates []Update
}

// Look returns an update that adds outputs and updates to a program for looking at what it computes: all else has the same bits with it as without. That
// holds on the CPU; an engine such as that of package pjrt may fuse, and so round, differently. The compiler may take the sums of a loop in another order, or
// round a product and a sum at once, if an ordinary output asks for more of the values in the loop; for a look it computes what is not at hand
// again. The updates are assignments to params that nothing else in the program reads, and no output has the name of an ordinary one.
func Look(outputs Outputs, updates ...Update) Update { return Update{looks: &looks{outputs, updates}} }

// splitLooks takes the looks out of the updates.
func splitLooks(updates []Update) (rest []Update, all wanted, err error) {
	outputs := Outputs{}
	var more []Update
	for _, u := range updates {
		if u.looks == nil {
			rest = append(rest, u)
			continue
		}
		for name, v := range u.looks.outputs {
			if _, twice := outputs[name]; twice {
				return nil, wanted{}, fmt.Errorf("tarn: Compile: two Looks have the output %q: rename one of them", name)
			}
			outputs[name] = v
		}
		for _, u := range u.looks.updates {
			if u.guards != nil || u.looks != nil {
				return nil, wanted{}, errors.New("tarn: Compile: the updates of a Look are made by Assign; give Compile a Guard or another Look itself")
			}
			more = append(more, u)
		}
	}
	return rest, newRoots(outputs, more), nil
}

// translation is a graph in the compiler's form.
type translation struct {
	graph  *ir.Graph
	looks  *ir.Graph // what a Look adds, or nil
	inputs []signature
	params []*Param
}

// translate copies what the outputs and updates need into the compiler's form.
func translate(g *Graph, main wanted, guards []*Value, looks wanted) translation {
	t := translation{}
	index := map[*Value]int{}
	for _, v := range reachable(slices.Concat(main.values(g), guards, looks.values(g))) {
		switch op := v.op.(type) {
		case inputOp:
			index[v] = len(t.inputs)
			t.inputs = append(t.inputs, signature{v.label, v.typ})
		case variableOp:
			index[v] = len(t.params)
			t.params = append(t.params, op.param)
		}
	}
	t.graph = main.translate(g, guards, index)
	if !looks.empty() {
		t.looks = looks.translate(g, nil, index)
	}
	return t
}

// joined returns all of the graph, before any pass.
func (t translation) joined() *ir.Graph {
	if t.looks != nil {
		pass.Join(t.graph, t.looks)
	}
	return t.graph
}

// wanted is what a program is compiled for.
type wanted struct {
	names   []string // of the outputs, in order
	outputs Outputs
	updates []Update
}

// newRoots puts the names of outputs in order.
func newRoots(outputs Outputs, updates []Update) wanted {
	return wanted{slices.Sorted(maps.Keys(outputs)), outputs, updates}
}

func (r wanted) empty() bool { return len(r.names) == 0 && len(r.updates) == 0 }

// values lists the roots, and the params that are assigned.
func (r wanted) values(g *Graph) (all []*Value) {
	for _, name := range r.names {
		all = append(all, r.outputs[name])
	}
	for _, u := range r.updates {
		all = append(all, u.value, g.variable(u.param))
	}
	return all
}

// translate copies what the roots need, with the given numbers of inputs and params.
func (r wanted) translate(g *Graph, guards []*Value, index map[*Value]int) *ir.Graph {
	t := &ir.Graph{ShortActivations: g.root().shortActivations}
	nodes := translateNodes(reachable(slices.Concat(r.values(g), guards)), func(v *Value, n *ir.Node) {
		switch op := v.op.(type) {
		case inputOp:
			n.Op = ir.Input{Index: index[v]}
			t.Inputs = append(t.Inputs, n)
		case variableOp:
			n.Op, n.Label = ir.Variable{Index: index[v]}, op.param.label()
			t.Variables = append(t.Variables, n)
		}
	}, t)
	for _, name := range r.names {
		t.Outputs = append(t.Outputs, nodes[r.outputs[name]])
	}
	for _, v := range guards {
		t.Guards = append(t.Guards, nodes[v])
	}
	for _, u := range r.updates {
		t.Assigns = append(t.Assigns, ir.Assign{Variable: nodes[g.variable(u.param)], Value: nodes[u.value]})
	}
	return t
}

// Kernels returns the level of the kernels that programs compiled from now on use, such as "avx512". Results have the same bits on all processors
// with the same level and architecture.
func Kernels() string { return cpu.Name() }

// Inputs returns the names of the inputs that the program needs, in the order in which the graph declared them. An input that no
// output or update depends on is not needed, such as a label that only the loss of another program reads, or the operand of a
// layer that drops all of it.
func (p *Program) Inputs() []string {
	if p == nil {
		return nil
	}
	names := make([]string, len(p.inputs))
	for i, in := range p.inputs {
		names[i] = in.name
	}
	return names
}

// Run takes one step: it computes the outputs from the inputs and stores the updates. The inputs are those that the program needs, in the
// order of Inputs, or all that the graph had declared when it was compiled, in that order; of these, Run ignores what is not needed. An input
// of another dtype or shape than the one declared is an error that names it, and nothing is computed.
//
// The results are new with each run, and the caller's. RunInto reuses results and allocates nothing, RunContext can be canceled.
//
// Several goroutines may run one program, see Program. Params are shared by all programs that use them. Programs that only read a param may
// run at the same time, also clones. While one program assigns it, another one must not assign it: a run that finds this is an error that
// names the param, and nothing is computed. Nor should anyone read it then, by another program or by Param.Tensor: the reader may find old
// contents here and new ones there. That is for the caller to arrange.
func (p *Program) Run(inputs ...*Tensor) (Results, error) {
	return p.RunContext(context.Background(), inputs...)
}

// RunContext is Run, except that it ends with the context's error when ctx is canceled: between steps of the program, between iterations of
// While and Scan, or while it waits for another run of the program to end. A run that is canceled has changed no param and does not count.
// Once a run has begun to store updates it is finished.
func (p *Program) RunContext(ctx context.Context, inputs ...*Tensor) (Results, error) {
	if p == nil || p.runner == nil {
		return nil, errNoProgram
	}
	results := make(Results, len(p.outputs))
	if err := p.run(ctx, results, inputs, nil, 1); err != nil {
		return nil, fmt.Errorf("tarn: Run: %w", err)
	}
	return results, nil
}

// RunInto is RunContext with results that are used again: tensors that results has under the names of outputs are overwritten if they have
// the outputs' types, and are replaced by new ones if not. With results of an earlier run it allocates nothing. After an error their
// contents are not defined. Each goroutine needs results of its own. An input may be one of the results; a result must lie neither in the
// memory of a param that the program uses nor in that of another result.
func (p *Program) RunInto(ctx context.Context, results Results, inputs ...*Tensor) error {
	if p == nil || p.runner == nil {
		return errNoProgram
	}
	if results == nil {
		return errors.New("tarn: RunInto: the results are nil; pass tarn.Results{}")
	}
	if err := p.run(ctx, results, inputs, nil, 1); err != nil {
		return fmt.Errorf("tarn: RunInto: %w", err)
	}
	return nil
}

// RunEach is RunInto, and calls done with the name of each output as soon as the run needs it no more, so that it can be used, and overwritten, while the rest is computed. The
// calls come in the order of OutputOrder, on the goroutine of the caller, and the run waits for them. If the run fails, some are left out.
func (p *Program) RunEach(ctx context.Context, results Results, done func(name string), inputs ...*Tensor) error {
	if p == nil || p.runner == nil {
		return errNoProgram
	}
	if results == nil {
		return errors.New("tarn: RunEach: the results are nil; pass tarn.Results{}")
	}
	var do func(c exec.Call) error
	_, finishes := p.runner.(exec.Finisher)
	if finishes {
		do = func(c exec.Call) error {
			p.done, c.Final = done, p.final
			defer func() { p.done = nil }()
			return p.runner.Run(c)
		}
	}
	if err := p.run(ctx, results, inputs, do, 1); err != nil {
		return fmt.Errorf("tarn: RunEach: %w", err)
	}
	if !finishes {
		for _, out := range p.outputs {
			done(out.name)
		}
	}
	return nil
}

// ErrElsewhere is the error of a run whose values were finite, while those of another were not that ran together with it: see RunTogether.
var ErrElsewhere = exec.ErrElsewhere

// RunTogether is RunInto for a program with a Guard that runs together with others, in other processes for instance, each of which updates some of the params: either all of them store their
// updates, or none does. Most returns the largest of the numbers that they pass, of which there are one or two in a run, and an error that ends the run. If one of the runs fails, the others
// return ErrElsewhere.
func (p *Program) RunTogether(ctx context.Context, results Results, most func(mine int) (int, error), inputs ...*Tensor) error {
	if p == nil || p.runner == nil {
		return errNoProgram
	}
	if results == nil {
		return errors.New("tarn: RunTogether: the results are nil; pass tarn.Results{}")
	}
	var failed error
	expected := 1 // more calls, which all make
	agree := func(mine int) int {
		all, err := most(mine)
		if err != nil {
			failed, all = err, exec.Broken
		}
		expected--
		if all == exec.Unsure {
			expected = 1
		}
		return all
	}
	a, able := p.runner.(exec.Agreer)
	able = able && a.Agrees()
	var do func(c exec.Call) error
	var kept []*Tensor
	if able {
		do = func(c exec.Call) error {
			c.Most = agree
			return p.runner.Run(c)
		}
	} else {
		for _, q := range p.assigned {
			kept = append(kept, q.tensor.Clone())
		}
		if agree(exec.Unsure) == exec.Broken {
			return cmp.Or(failed, ErrElsewhere)
		}
	}
	before := p.Runs()
	err := p.run(ctx, results, inputs, do, 1)
	if expected > 0 {
		mine := exec.Safe
		if err != nil {
			mine = exec.Broken
		}
		if agree(mine) == exec.Broken && err == nil {
			err = ErrElsewhere
			p.runs.Store(before)
			for i, q := range p.assigned[:len(kept)] {
				if failed := q.Set(kept[i]); failed != nil {
					return failed
				}
			}
		}
	}
	if err == nil {
		return failed
	}
	return fmt.Errorf("tarn: RunTogether: %w", errors.Join(err, failed))
}

// OutputOrder returns the names of the outputs in the order in which a run completes them. Gradients are completed from the last layer to the first.
func (p *Program) OutputOrder() []string {
	if p == nil {
		return nil
	}
	names := make([]string, 0, len(p.outputs))
	if f, ok := p.runner.(exec.Finisher); ok {
		for _, i := range f.Order() {
			names = append(names, p.outputs[i].name)
		}
		return names
	}
	for _, out := range p.outputs {
		names = append(names, out.name)
	}
	return names
}

// run calls do, which takes the given number of runs of the program in the host's memory, with the outputs in results; nil is one run of the engine.
func (p *Program) run(ctx context.Context, results Results, inputs []*Tensor, do func(c exec.Call) error, runs int64) error {
	if err := p.check(inputs); err != nil {
		return err
	}
	if ctx == nil {
		ctx = context.Background()
	}
	done := ctx.Done()
	if err := p.lock(ctx, done); err != nil {
		return err
	}
	defer p.unlock()
	if err := p.place(results); err != nil {
		return err
	}
	if err := p.claim(); err != nil {
		return err
	}
	before := p.runs.Load()
	call := exec.Call{Inputs: p.given, Outputs: p.returned, Step: before, Done: done}
	if do == nil {
		do = p.runner.Run
	}
	if p.device {
		p.lend(inputs)
		call.From, call.To = p.lent, p.stored
	}
	if !p.device || runs == 0 {
		if err := p.bring(inputs, runs > 0); err != nil {
			return err
		}
		p.take(inputs)
	}
	if err := do(call); err != nil {
		if errors.Is(err, exec.ErrCanceled) {
			return context.Cause(ctx)
		}
		return p.failure(err, before)
	}
	p.runs.CompareAndSwap(before, before+runs) // SetRuns may have come between
	return nil
}

// lock waits until no other run is in progress, or ctx is canceled, of which done tells.
func (p *Program) lock(ctx context.Context, done <-chan struct{}) error {
	if done != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.mu.TryLock() {
		return nil
	}
	if done == nil {
		p.mu.Lock()
		return nil
	}
	mine := make(chan struct{})
	go func() {
		p.mu.Lock()
		select {
		case mine <- struct{}{}:
		case <-done:
			p.mu.Unlock()
		}
	}()
	select {
	case <-mine:
		return nil
	case <-done:
		return context.Cause(ctx)
	}
}

// unlock ends a run.
func (p *Program) unlock() {
	for i := range p.given {
		p.given[i].Data = nil
	}
	for i := range p.returned {
		p.returned[i].Data = nil
	}
	clear(p.lent)
	clear(p.stored)
	for _, q := range p.assigned[:p.claimed] {
		q.assigned.Store(false)
	}
	p.claimed = 0
	p.mu.Unlock()
}

// claim notes until unlock that a run assigns its params. Another one that does must not run at the same time: each would start from the same
// contents, and one update would be lost.
func (p *Program) claim() error {
	for _, q := range p.assigned {
		if !q.assigned.CompareAndSwap(false, true) {
			return fmt.Errorf("another program is assigning the param %v; run programs that assign a param one after the other", q)
		}
		p.claimed++
	}
	return nil
}

// check refuses wrong inputs.
func (p *Program) check(inputs []*Tensor) error {
	switch len(inputs) {
	case len(p.inputs):
	case len(p.all):
		for i, in := range p.all {
			if t := inputs[i]; t.exists() && !t.array.Type.Equal(in.typ) && !slices.Contains(p.among, i) {
				return fmt.Errorf("input %q, which the program does not need, is %v and was declared %v", in.name, t.array.Type, in.typ)
			}
		}
	default:
		return p.miscounted(len(inputs))
	}
	for i, in := range p.inputs {
		t := p.needed(inputs, i)
		if !t.exists() {
			return fmt.Errorf("input %q is nil", in.name)
		}
		if !t.array.Type.Equal(in.typ) {
			return fmt.Errorf("input %q is %v and was declared %v", in.name, t.array.Type, in.typ)
		}
	}
	return nil
}

// needed finds input i of the program in what a run was given: what it needs, or all inputs of the graph.
func (p *Program) needed(inputs []*Tensor, i int) *Tensor {
	if len(inputs) == len(p.inputs) {
		return inputs[i]
	}
	return inputs[p.among[i]]
}

// place makes tensors for the outputs that results has none for, and refuses those that lie in other memory of the run.
func (p *Program) place(results Results) error {
	missing := 0
	p.same = true
	for i, out := range p.outputs {
		t := results[out.name]
		if t == nil || t.array.Data == nil || !t.array.Type.Equal(out.typ) {
			missing++
			continue
		}
		p.returned[i].Data, p.stored[i] = t.array.Data, t.storage
		p.note(i)
	}
	if missing > 0 {
		if err := p.placeMissing(results, missing); err != nil {
			return err
		}
	}
	if p.same || missing == len(p.outputs) {
		return nil
	}
	for i, out := range p.outputs {
		if within(p.memory, p.returned[i]) {
			clear(p.to)
			return fmt.Errorf("result %q lies in the memory of a param that the program uses", out.name)
		}
		for k, other := range p.outputs[:i] {
			if overlap(p.returned[i], p.returned[k]) {
				clear(p.to)
				return fmt.Errorf("results %q and %q lie in the same memory", other.name, out.name)
			}
		}
	}
	return nil
}

// note notes where output i lies, and whether it lay elsewhere before.
func (p *Program) note(i int) {
	if at := uintptr(p.returned[i].Data); p.to[i] != at {
		p.to[i], p.same = at, false
	}
}

// placeMissing makes the tensors of outputs that have no place yet.
func (p *Program) placeMissing(results Results, missing int) error {
	types, at := make([]ir.Type, 0, missing), make([]int, 0, missing)
	total := 0
	for i, out := range p.outputs {
		if p.returned[i].Data == nil {
			types, at = append(types, out.typ), append(at, i)
			total += out.typ.Bytes()
		}
	}
	if err := limit.Check(total); err != nil {
		clear(p.to)
		return fmt.Errorf("the outputs: %w; %s", err, limit.Hint)
	}
	tensors, storages := make([]Tensor, missing), make([]exec.Storage, missing)
	for k, a := range exec.NewArrays(types...) {
		storages[k].Init(a)
		tensors[k] = Tensor{a, &storages[k]}
		p.returned[at[k]].Data, p.stored[at[k]] = a.Data, &storages[k]
		p.note(at[k])
		results[p.outputs[at[k]].name] = &tensors[k]
	}
	return nil
}

// lend passes the storages of the inputs to an engine that has its own memory and copies what it overwrites.
func (p *Program) lend(inputs []*Tensor) {
	for i := range p.inputs {
		t := p.needed(inputs, i)
		p.lent[i], p.given[i].Data = t.storage, t.array.Data
	}
}

// bring brings params and inputs to the host's memory for a run there, which writes the outputs and, if it stores, the params that are assigned.
func (p *Program) bring(inputs []*Tensor, stores bool) error {
	if !exec.Devices() {
		return nil
	}
	for _, s := range p.storages {
		if err := s.Read(); err != nil {
			return err
		}
	}
	for i := range p.inputs {
		if err := p.needed(inputs, i).storage.Read(); err != nil {
			return err
		}
	}
	for _, s := range p.stored {
		s.Drop()
	}
	if stores {
		for _, q := range p.assigned {
			q.tensor.storage.Drop()
		}
	}
	return nil
}

// take makes the tensors the inputs of the next run. One that lies in an output or an assigned param, as where a result is
// given back to the program, is copied: the run may write there before it has read all.
func (p *Program) take(inputs []*Tensor) {
	for i, in := range p.inputs {
		a := p.needed(inputs, i).array
		p.given[i].Data = a.Data
		at := uintptr(a.Data)
		if p.same && p.from[i] == at { // as in the run before
			continue
		}
		p.from[i] = at
		if !within(p.written, a) && !slices.ContainsFunc(p.returned, func(out ir.Array) bool { return overlap(a, out) }) {
			continue
		}
		p.from[i] = 0
		if p.copies == nil {
			p.copies = make([]ir.Array, len(p.inputs))
		}
		if p.copies[i].Data == nil {
			p.copies[i] = ir.NewArray(in.typ)
		}
		copy(p.copies[i].Raw(), a.Raw())
		p.given[i].Data = p.copies[i].Data
	}
}

// miscounted returns the error for a wrong number of inputs.
func (p *Program) miscounted(n int) error {
	takes := "none"
	if names := p.Inputs(); len(names) > 0 {
		takes = fmt.Sprintf("%d: %s", len(names), list.Names(names))
	}
	var unneeded []string
	for _, in := range p.all {
		if !slices.ContainsFunc(p.inputs, func(needed signature) bool { return needed.name == in.name }) {
			unneeded = append(unneeded, in.name)
		}
	}
	if len(unneeded) > 0 {
		takes += fmt.Sprintf("; no output or update depends on %s, so either leave out what is not needed or give all %d inputs of the graph", list.Names(unneeded), len(p.all))
	}
	return fmt.Errorf("%d inputs are given, the program takes %s", n, takes)
}

// Runs returns the number of runs completed, which Graph.Runs gives to the program itself. It does not wait for a run in progress.
func (p *Program) Runs() int64 {
	if p == nil {
		return 0
	}
	return p.runs.Load()
}

// SetRuns sets the number of runs completed, to continue an earlier training. A run in progress keeps the number with which it began,
// and does not count.
func (p *Program) SetRuns(n int64) {
	if p != nil {
		p.runs.Store(n)
	}
}
