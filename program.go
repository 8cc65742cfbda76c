package tarn

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds Compile, which turns a graph into a Program, and Run, which takes one step of it.

// Outputs names the values that each run of a program gives.
type Outputs map[string]*Value

// Update is the assignment of a value to a param at the end of each run.
type Update struct {
	param  *Param
	value  *Value
	guards []*Value // of a Guard
}

// Assign stores v in p at the end of each run: every read of p within the run sees the old contents. v has p's dtype and shape.
func Assign(p *Param, v *Value) Update { return Update{param: p, value: v} }

// Param returns the param that is assigned.
func (u Update) Param() *Param { return u.param }

// Value returns what it will hold after the run.
func (u Update) Value() *Value { return u.value }

// Results are the outputs of a run by name. The tensors belong to the program: the next run overwrites them. Clone what is
// to be kept.
type Results map[string]*Tensor

// Program is a compiled graph. It keeps the memory that a run needs, so that runs allocate nothing. One program runs one
// step at a time, whichever goroutines ask; several programs run side by side.
type Program struct {
	mu      sync.Mutex
	inputs  []input    // those that the program needs
	all     []input    // those of the graph
	needed  []*Tensor  // of the run in progress, if it was given all; none between runs
	arrays  []ir.Array // the inputs of the run in progress; none between runs
	writes  []span     // the memory that runs write, by address
	copies  []ir.Array // of inputs that lie there, once there have been any
	results Results
	runner  runner
	step    int64
	traced  *traced // nil if Origin is not to be had
}

// input is what a program knows of an input. It holds no Value, so that the graph can be collected once it is compiled.
type input struct {
	name string
	typ  ir.Type
}

// runner is an engine with a program loaded into it.
type runner interface {
	Run(inputs []ir.Array, step int64) error
	Output(i int) ir.Array
}

var errNoProgram = errors.New("tarn: the program is nil or was not made by Compile: look at the error that Compile returned")

// Compile turns the part of g that the outputs and updates need into a Program. The error holds every independent mistake
// that was made while g was built, each with its place in the source: see GraphError. Updates that are attached to what the
// program computes are added, see Graph.Attach.
func Compile(g *Graph, outputs Outputs, updates ...Update) (*Program, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	updates, guards, err := splitGuards(g, updates)
	if err != nil {
		return nil, err
	}
	updates = g.withAttached(outputs, updates)
	names, err := checkRoots(g, outputs, updates)
	if err != nil {
		return nil, err
	}
	switches, err := readDebug()
	if err != nil {
		return nil, err
	}
	if switches.nan {
		guards = floats(names, outputs, updates)
	}
	t := translate(g, names, outputs, updates, guards)
	p := &Program{inputs: t.inputs, arrays: make([]ir.Array, len(t.inputs)), results: Results{}}
	for _, v := range g.inputs {
		p.all = append(p.all, input{v.label, v.typ})
	}
	if len(guards) > 0 {
		// Passes change the graph of t.
		again := translate(g, names, outputs, updates, guards)
		p.traced = &traced{graph: again.graph, variables: again.variables, always: switches.nan}
	}
	if p.runner, err = switches.load(t.graph, t.variables); err != nil {
		return nil, err
	}
	for i, name := range names {
		p.results[name] = &Tensor{p.runner.Output(i)}
		p.writes = append(p.writes, spanOf(p.runner.Output(i)))
	}
	for _, u := range updates {
		p.writes = append(p.writes, spanOf(u.param.tensor.array))
	}
	slices.SortFunc(p.writes, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	return p, nil
}

// span is the memory of an array that the program keeps.
type span struct{ start, end uintptr }

func spanOf(a ir.Array) span {
	start := uintptr(a.Data)
	return span{start, start + uintptr(a.Bytes())}
}

// written reports whether runs write into the memory of a.
func (p *Program) written(a ir.Array) bool {
	s := spanOf(a)
	i, _ := slices.BinarySearchFunc(p.writes, s.start, func(w span, start uintptr) int {
		if w.end <= start {
			return -1
		}
		return 1
	})
	return i < len(p.writes) && p.writes[i].start < s.end
}

// checkRoots refuses outputs and updates that cannot be computed, and gives the outputs' names in order.
func checkRoots(g *Graph, outputs Outputs, updates []Update) (names []string, err error) {
	for name, v := range outputs {
		if v.exists() && v.graph.lost {
			return nil, v.graph.Err()
		}
		if !v.exists() || v.graph != g {
			return nil, fmt.Errorf("tarn: Compile: output %q is nil or belongs to another graph", name)
		}
		if v.failed {
			return nil, fmt.Errorf("tarn: Compile: output %q failed with a value of another graph", name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	assigned := map[*Param]bool{}
	for i, u := range updates {
		switch {
		case u.value.exists() && u.value.graph.lost:
			return nil, u.value.graph.Err()
		case u.param == nil || u.param.tensor == nil || !u.value.exists():
			return nil, fmt.Errorf("tarn: Compile: update %d assigns to a nil param or from a nil value", i+1)
		case u.value.failed:
			return nil, fmt.Errorf("tarn: Compile: the value assigned to param %q failed with a value of another graph", u.param.label())
		case u.value.graph != g:
			return nil, fmt.Errorf("tarn: Compile: the value assigned to param %q belongs to another graph", u.param.label())
		case assigned[u.param]:
			return nil, fmt.Errorf("tarn: Compile: param %q is assigned twice", u.param.label())
		case !u.param.tensor.array.Type.Equal(u.value.typ):
			return nil, fmt.Errorf("tarn: Compile: param %q is %v and cannot be assigned the %v made at %s",
				u.param.label(), u.param.tensor.array.Type, u.value.typ, u.value.Place())
		}
		assigned[u.param] = true
	}
	if len(outputs) == 0 && len(updates) == 0 {
		return nil, fmt.Errorf("tarn: Compile: the program would have neither outputs nor updates")
	}
	return names, nil
}

// translation is a graph in the compiler's form.
type translation struct {
	graph     *ir.Graph
	inputs    []input
	variables []ir.Array
}

// translate copies what the outputs and updates need into the compiler's form.
func translate(g *Graph, names []string, outputs Outputs, updates []Update, guards []*Value) translation {
	var roots []*Value
	for _, name := range names {
		roots = append(roots, outputs[name])
	}
	for _, u := range updates {
		roots = append(roots, u.value, g.variable(u.param))
	}
	roots = append(roots, guards...)
	t := translation{graph: &ir.Graph{}}
	nodes := translateNodes(reachable(roots), func(v *Value, n *ir.Node) {
		switch op := v.op.(type) {
		case inputOp:
			n.Op = ir.Input{Index: len(t.inputs)}
			t.inputs = append(t.inputs, input{v.label, v.typ})
			t.graph.Inputs = append(t.graph.Inputs, n)
		case variableOp:
			n.Op, n.Label = ir.Variable{Index: len(t.variables)}, op.param.label()
			t.variables = append(t.variables, op.param.tensor.array)
			t.graph.Variables = append(t.graph.Variables, n)
		}
	}, t.graph)
	for _, name := range names {
		t.graph.Outputs = append(t.graph.Outputs, nodes[outputs[name]])
	}
	for _, v := range guards {
		t.graph.Guards = append(t.graph.Guards, nodes[v])
	}
	for _, u := range updates {
		t.graph.Assigns = append(t.graph.Assigns, ir.Assign{Variable: nodes[g.variable(u.param)], Value: nodes[u.value]})
	}
	return t
}

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
// order of Inputs, or all that the graph had declared when it was compiled, in that order; of these, Run ignores what is not needed. An input of another dtype or shape than the one declared is an error that names it, and nothing is computed.
func (p *Program) Run(inputs ...*Tensor) (Results, error) {
	if p == nil || p.runner == nil {
		return nil, errNoProgram
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	defer clear(p.arrays)
	if err := p.take(inputs); err != nil {
		return nil, err
	}
	if err := p.runner.Run(p.arrays, p.step); err != nil {
		return nil, fmt.Errorf("tarn: Run: %w", p.failure(err))
	}
	p.step++
	return p.results, nil
}

// take makes the tensors the inputs of the next run. One that lies in an output or an assigned param, as where a result is
// given back to the program, is copied: the run may write there before it has read all.
func (p *Program) take(inputs []*Tensor) error {
	if len(inputs) == len(p.all) && len(p.all) > len(p.inputs) {
		return p.takeNeeded(inputs)
	}
	if len(inputs) != len(p.inputs) {
		return p.miscounted(len(inputs))
	}
	for i, in := range p.inputs {
		if inputs[i] == nil {
			return fmt.Errorf("tarn: Run: input %q is nil", in.name)
		}
		if a := inputs[i].array; !a.Type.Equal(in.typ) {
			return fmt.Errorf("tarn: Run: input %q is %v and was declared %v", in.name, a.Type, in.typ)
		}
		p.arrays[i] = inputs[i].array
		if p.written(inputs[i].array) {
			if p.copies == nil {
				p.copies = make([]ir.Array, len(p.inputs))
			}
			if p.copies[i].Data == nil {
				p.copies[i] = ir.NewArray(in.typ)
			}
			copy(p.copies[i].Raw(), inputs[i].array.Raw())
			p.arrays[i] = p.copies[i]
		}
	}
	return nil
}

// takeNeeded takes from all inputs of the graph those that the program needs. The others must fit their declarations too.
func (p *Program) takeNeeded(all []*Tensor) error {
	needed := p.needed[:0]
	defer func() { clear(p.needed) }() // not to keep the tensors
	for i, in := range p.all {
		switch {
		case len(needed) < len(p.inputs) && p.inputs[len(needed)].name == in.name:
			needed = append(needed, all[i])
		case all[i] != nil && !all[i].array.Type.Equal(in.typ):
			return fmt.Errorf("tarn: Run: input %q, which the program does not need, is %v and was declared %v", in.name, all[i].array.Type, in.typ)
		}
	}
	p.needed = needed
	return p.take(needed)
}

// miscounted returns the error for a wrong number of inputs.
func (p *Program) miscounted(n int) error {
	takes := "none"
	if names := p.Inputs(); len(names) > 0 {
		takes = fmt.Sprintf("%d: %s", len(names), list.Names(names))
	}
	var unneeded []string
	for _, in := range p.all {
		if !slices.ContainsFunc(p.inputs, func(needed input) bool { return needed.name == in.name }) {
			unneeded = append(unneeded, in.name)
		}
	}
	if len(unneeded) > 0 {
		takes += fmt.Sprintf("; no output or update depends on %s, so either leave out what is not needed or give all %d inputs of the graph", list.Names(unneeded), len(p.all))
	}
	return fmt.Errorf("tarn: Run: %d inputs are given, the program takes %s", n, takes)
}

// Runs is the number of runs completed, which Graph.Runs gives to the program itself.
func (p *Program) Runs() int64 {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.step
}

// SetRuns sets the number of runs completed, to continue an earlier training.
func (p *Program) SetRuns(n int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = n
}
