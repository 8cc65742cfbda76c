package tarn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/limit"
)

// This file holds Summary, which tells before a training what a model is: its layers, their results, weights and products.

// ModelSummary describes a model and one evaluation of its loss. Print it to see the layers as a tree.
type ModelSummary struct {
	Layers          []LayerSummary // in the order in which they compute their results
	Unused          []string       // the names of params that the loss does not depend on
	Weights         int            // elements of all params, states included
	Trainable       int            // elements of those that an optimizer updates
	Bytes           int            // of all params
	Multiplications int            // of the loss, in matrix products, convolutions and attention, those without weights included

	params *ParamSet
}

// LayerSummary describes a layer.
type LayerSummary struct {
	Layer
	Weights int // elements of its params
	// Multiplications is the number of multiplications in the matrix products and convolutions that its params enter. A While
	// loop counts as one iteration, a Cond as the branch with more.
	Multiplications int
}

// Summary describes a model, given a loss that is built from it, or any other value such as its prediction. Nothing is
// compiled or computed. The layers are those that ParamSet.Layers finds.
func Summary(model any, loss *Value) (*ModelSummary, error) {
	params, err := Params(model)
	if err != nil {
		return nil, err
	}
	if !loss.exists() {
		return nil, fmt.Errorf("tarn: Summary: the loss is nil")
	}
	if err := loss.Graph().Err(); err != nil {
		return nil, err
	}
	s := &ModelSummary{params: params}
	of, used := map[string]int{}, map[string]bool{}
	for i, l := range params.Layers(loss) {
		s.Layers = append(s.Layers, LayerSummary{Layer: l})
		of[l.Path] = i
	}
	s.count(loss, of, used)
	for name, p := range params.All() {
		n := p.Tensor().Size()
		s.Weights += n
		s.Bytes += p.orEmpty().tensor.array.Type.Bytes()
		if p.Trainable() {
			s.Trainable += n
		}
		if i, ok := of[layerPath(name)]; ok {
			s.Layers[i].Weights += n
		}
		if p.Trainable() && !used[name] {
			s.Unused = append(s.Unused, name)
		}
	}
	return s, nil
}

// count adds up the multiplications, and notes which params are read.
func (s *ModelSummary) count(loss *Value, layers map[string]int, used map[string]bool) {
	from := map[*Value]string{} // the layer from whose params alone a value is computed
	counted := map[*control]bool{}
	for _, v := range reachable([]*Value{loss}) {
		if name := s.params.Name(v.Param()); name != "" {
			from[v], used[name] = layerPath(name), true
			continue
		}
		path, alone := "", len(v.in) > 0
		for _, in := range v.in {
			if of := from[in]; of != "" {
				path = of
			} else if _, constant := in.op.(constOp); !constant {
				alone = false
			}
		}
		if alone && path != "" {
			from[v] = path
		}
		n := multiplications(v, counted)
		s.Multiplications += n
		if i, ok := layers[path]; ok {
			s.Layers[i].Multiplications += n
		}
	}
}

// multiplications counts those of a product, a convolution, an attention, or the bodies of a loop that has not been counted.
func multiplications(v *Value, counted map[*control]bool) int {
	switch op := v.op.(type) {
	case ir.Contraction:
		transposed, _ := op.Contracts()
		a := v.in[0].Shape()
		k := a[len(a)-1]
		if transposed {
			k = a[len(a)-2]
		}
		return v.Size() * k
	case convOp:
		// Each element of the result of the convolution that it is, or is a gradient of, is a sum over the kernel without its last axis.
		y, w := v, v.in[1]
		switch op.kind {
		case ir.ConvInput:
			y = v.in[0]
		case ir.ConvKernel:
			y, w = v.in[1], v
		}
		return y.Size() * w.Size() / max(1, w.Dim(-1))
	case attentionOp:
		q, keys, values := v.in[0].Shape(), v.in[1].Dim(2), v.in[2].Dim(3)
		pairs := q[2] * keys
		if op.form.Causal { // query i meets the keys up to i
			both := min(q[2], keys)
			pairs = both*(both+1)/2 + (q[2]-both)*keys
		}
		return q[0] * q[1] * pairs * (q[3] + values)
	case controlOp:
		if counted[op.control] {
			return 0
		}
		counted[op.control] = true
		most := 0
		for _, outputs := range op.outputs {
			n := 0
			for _, inner := range reachable(outputs) {
				n += multiplications(inner, counted)
			}
			most = max(most, n)
		}
		if op.kind == ir.Scan {
			most *= op.steps
		}
		return most
	}
	return 0
}

// branch is a part of a model in the tree.
type branch struct {
	name            string
	layer           *LayerSummary // nil where the part has no params of its own, or the loss does not depend on them
	weights         int
	multiplications int
	parts           []*branch
}

// String returns the layers as a tree in the order of the model's fields, with the shapes of their results, the weights
// and their share, and the multiplications.
func (s *ModelSummary) String() string {
	if s == nil {
		return "<nil>"
	}
	root := &branch{}
	for name, p := range s.params.All() {
		at := root
		at.weights += p.Tensor().Size()
		for part := range strings.SplitSeq(layerPath(name), ".") {
			i := slices.IndexFunc(at.parts, func(b *branch) bool { return b.name == part })
			if i < 0 {
				i = len(at.parts)
				at.parts = append(at.parts, &branch{name: part})
			}
			at = at.parts[i]
			at.weights += p.Tensor().Size()
		}
	}
layers:
	for i := range s.Layers {
		l := &s.Layers[i]
		at := root
		for part := range strings.SplitSeq(l.Path, ".") {
			i := slices.IndexFunc(at.parts, func(b *branch) bool { return b.name == part })
			if i < 0 {
				continue layers // which Summary has not found in the model
			}
			at = at.parts[i]
			at.multiplications += l.Multiplications
		}
		at.layer = l
	}
	rows := [][]string{{"layer", "result", "activation", "weights", "share", "multiplications"}}
	var list func(b *branch, depth int)
	list = func(b *branch, depth int) {
		result, activation := "", ""
		if b.layer != nil {
			result, activation = ir.ShapeString(b.layer.Output.Shape()), b.layer.Activation
		}
		share := 100 * float64(b.weights) / float64(max(1, s.Weights))
		rows = append(rows, []string{strings.Repeat("  ", depth) + b.name, result, activation, grouped(b.weights), fmt.Sprintf("%.1f%%", share), grouped(b.multiplications)})
		for _, p := range b.parts {
			list(p, depth+1)
		}
	}
	others := s.Multiplications
	for _, p := range root.parts {
		list(p, 0)
		others -= p.multiplications
	}
	if others > 0 {
		rows = append(rows, []string{"(without weights)", "", "", "0", "0.0%", grouped(others)})
	}
	var b strings.Builder
	table(&b, rows, 3)
	trainable := "all trainable"
	if s.Trainable < s.Weights {
		trainable = grouped(s.Trainable) + " trainable"
	}
	fmt.Fprintf(&b, "%s weights, %s, %s; %s multiplications for the loss", grouped(s.Weights), trainable, limit.Size(s.Bytes), grouped(s.Multiplications))
	if len(s.Unused) > 0 {
		fmt.Fprintf(&b, "\nthe loss does not depend on: %s", strings.Join(s.Unused, ", "))
	}
	return b.String()
}

// table writes rows in columns, of which the first are aligned to the left and the others to the right.
func table(b *strings.Builder, rows [][]string, left int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			if i > 0 {
				line += "  "
			}
			if i < left {
				line += fmt.Sprintf("%-*s", widths[i], cell)
			} else {
				line += fmt.Sprintf("%*s", widths[i], cell)
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// grouped is n with commas, as in "1,234,567".
func grouped(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
