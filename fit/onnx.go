package fit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/interop/onnx"
)

// This file writes a model of a table in the ONNX format, with what is done to the columns before.

// ONNX returns the model as a file in the ONNX format, of an operator set from 17 to 21; 0 means 18. The file has an input [n 1] for each column: of type float64 for
// numbers, of which NaN is missing, and of type string for words, of which the empty one is missing. The outputs are label [n] and probabilities [n classes], or value [n 1].
// Words are those of the training part: of a column of yes and no, the spelling counts. What it answers was compared with the model. A model that reads dates or texts, or
// pictures or series, is an error that names the columns.
func (m *Model) ONNX(opset int) ([]byte, error) {
	if m.medium != nil {
		return nil, errors.New("fit: ONNX: the model reads texts, pictures or a series, and only models of numbers and words have this format; export its weights as safetensors")
	}
	o := onnx.ExportOptions{Opset: opset, Words: map[string]onnx.Words{}, Metadata: map[string]string{"target": m.About.Target, "task": string(m.About.Task)}}
	var refused []string
	for _, t := range m.members[0].encoder.Transforms {
		switch t.Kind {
		case table.Date, table.Text:
			refused = append(refused, fmt.Sprintf("%q is a %s", t.Column, t.Kind))
		}
	}
	if len(refused) > 0 {
		return nil, fmt.Errorf("fit: ONNX: columns that ONNX has no operators for: %s; fit a model without them, with --drop", strings.Join(refused, ", "))
	}
	// The folds may know different words: each has a map from the codes of all.
	all := map[string][]string{}
	for _, member := range m.members {
		for _, t := range member.encoder.Transforms {
			if t.Kind == table.Category || t.Kind == table.Bool {
				all[t.Column] = append(all[t.Column], t.Levels...)
			}
		}
	}
	for column, levels := range all {
		slices.Sort(levels)
		levels = slices.Compact(levels)
		all[column] = levels
		w := onnx.Words{Codes: map[string]int32{}, Missing: 0, Other: 1}
		for i, level := range levels {
			w.Codes[level] = int32(i + 2)
		}
		o.Words[column] = w
	}
	if k := len(m.About.Classes); k > 0 {
		o.Labels = map[string][]string{"label": m.About.Classes}
		for i, class := range m.About.Classes {
			o.Metadata["class "+strconv.Itoa(i)] = class
		}
	}
	b, err := onnx.Export(func(g *tarn.Graph, n int) tarn.Outputs { return m.whole(g, n, all) }, o)
	if err != nil {
		return nil, fmt.Errorf("fit: ONNX: %w", err)
	}
	return b, nil
}

// whole is the model with what is done to the columns before it. all has the words of each column, whose codes begin with 2.
func (m *Model) whole(g *tarn.Graph, n int, all map[string][]string) tarn.Outputs {
	columns := map[string]*tarn.Value{}
	for _, t := range m.members[0].encoder.Transforms {
		dtype := tarn.F64
		if all[t.Column] != nil || t.Kind == table.Category || t.Kind == table.Bool {
			dtype = tarn.I32
		}
		columns[t.Column] = g.Input(t.Column, dtype, n, 1)
	}
	classes := m.About.Task == Classify
	var sum *tarn.Value
	for _, member := range m.members {
		numbers, codes := member.encoded(g, columns, all)
		y := m.ofMember(g, member, numbers, codes, n)
		if sum == nil {
			sum = y
		} else {
			sum = sum.Add(y)
		}
	}
	y := sum.Scale(1 / float64(len(m.members)))
	if !classes {
		return tarn.Outputs{"value": y}
	}
	if t := m.About.Temperature; t != 1 {
		y = y.Maximum(tarn.Num(1e-15)).Pow(tarn.Num(1 / t))
		y = y.Div(y.Sum(1).Unsqueeze(1))
	}
	label := y.ArgMax(1)
	if y.Dim(1) == 2 {
		label = y.Slice(1, 1, 2).Reshape(n).Ge(tarn.Num(m.About.Threshold)).Cast(tarn.I64)
	}
	return tarn.Outputs{"probabilities": y, "label": label}
}

// encoded is what the encoder of a member makes of columns.
func (m *member) encoded(g *tarn.Graph, columns map[string]*tarn.Value, all map[string][]string) (numbers, codes *tarn.Value) {
	var parts, words []*tarn.Value
	for _, t := range m.encoder.Transforms {
		x := columns[t.Column]
		var raw []*tarn.Value
		flag := len(t.Parts) > 1
		// lookup is a number for each code of all words.
		lookup := func(f func(word string, known bool) float64, missing, other float64) *tarn.Value {
			list := []float64{missing, other}
			for _, word := range all[t.Column] {
				list = append(list, f(word, slices.Contains(t.Levels, word)))
			}
			return g.Const(tarn.Vector(list)).Take(0, x)
		}
		switch t.Kind {
		case table.Numeric:
			raw = append(raw, x.IsNaN().Where(x.Num(t.Fill), x))
			if flag {
				raw = append(raw, x.IsNaN().Cast(tarn.F64))
			}
		case table.Bool:
			raw = append(raw, lookup(func(word string, known bool) float64 {
				switch {
				case !known:
					return 0.5
				case word == t.Levels[len(t.Levels)-1]:
					return 1
				}
				return 0
			}, 0.5, 0.5))
			if flag {
				raw = append(raw, lookup(func(word string, known bool) float64 {
					if known {
						return 0
					}
					return 1
				}, 1, 1))
			}
		case table.Category:
			code := func(word string) int {
				if at, known := slices.BinarySearch(t.Levels, word); known {
					return at + 2
				}
				return 1
			}
			for _, means := range t.Means {
				raw = append(raw, lookup(func(word string, _ bool) float64 { return means[code(word)] }, means[0], means[1]))
			}
			words = append(words, lookup(func(word string, _ bool) float64 { return float64(code(word)) }, 0, 1).Cast(tarn.I32))
		}
		for k, v := range raw {
			p := t.Parts[k]
			parts = append(parts, v.Sub(tarn.Num(p.Mean)).Div(tarn.Num(p.Std)).Cast(tarn.F32))
		}
	}
	join := func(list []*tarn.Value) *tarn.Value {
		switch len(list) {
		case 0:
			return nil
		case 1:
			return list[0]
		}
		return tarn.Concat(1, list...)
	}
	return join(parts), join(words)
}
