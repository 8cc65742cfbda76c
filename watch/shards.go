package watch

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file holds looks at a training over shards: see train.Shards. The program of a shard measures the layers for its examples, the program
// that updates measures the params, and what the shards have measured is combined to what a program for the whole batch would have.

// outWhole is the prefix of the gradients that arrive at layers whose results do not grow with the number of examples, such as a table of positions.
const outWhole = prefix + "whole."

// InstrumentShard adds to the graph of a shard what a look at the layers needs. Fixed tells of each layer, in the order of computation, whether its result
// has the same size for any number of examples.
func (w *Watcher) InstrumentShard(outputs tarn.Outputs, loss *tarn.Value, params *tarn.ParamSet, fixed []bool) (*Instruments, error) {
	in := &Instruments{mode: Look, Outputs: tarn.Outputs{}}
	layers := params.Layers(loss)
	in.Header = describe(loss, params, layers)
	d := layerGradients(loss, nil, layers)
	w.addLayers(in, layers, d)
	for i, l := range layers {
		if fixed[i] {
			in.Outputs[outWhole+l.Path] = d[0]
		}
		if d = d[1:]; l.Steps != nil {
			d = d[1:]
		}
	}
	if err := w.addValues(in, outputs, loss.Graph()); err != nil {
		return nil, err
	}
	return in, loss.Graph().Err()
}

// InstrumentUpdate adds to the graph of an update what a mode needs of the params. Gradients are those of the trainable params, in their order. What is a sum over the elements of a param is
// taken in blocks of a number of elements, so that those who update parts of the params, of whole blocks each, measure what one who updates all of them does.
func (w *Watcher) InstrumentUpdate(mode Mode, g *tarn.Graph, gradients []*tarn.Value, params *tarn.ParamSet, updates []tarn.Update, block int) (*Instruments, error) {
	in := &Instruments{mode: mode, Outputs: tarn.Outputs{}, block: block}
	if mode == Plain {
		return in, nil
	}
	watched := watchedParams(g, params, updates)
	for i := range watched {
		watched[i].grad = gradients[i]
	}
	if mode == Remember {
		w.remember(in, watched)
		return in, g.Err()
	}
	w.addSums(in, watched)
	return in, g.Err()
}

// The sums over the elements of a param.
const (
	sumWeight = iota // squares
	sumGrad
	sumUpdate
	sumNonzero     // weights
	sumGradNonzero // gradients
	sumNonFinite
	sumPair // the products of addPair, and all after it
	Sums    = sumPair + 4
)

// addSums adds what addParams and addPair measure, as the sums over the blocks of one param after the other. Shapes: [Sums, blocks] of F64.
func (w *Watcher) addSums(in *Instruments, watched []watchedParam) {
	var rows [Sums][]*tarn.Value
	for _, p := range watched {
		g := p.now.Graph()
		cut := func(v *tarn.Value) *tarn.Value {
			n, left := v.Size()/in.block, v.Size()%in.block
			v = v.Reshape(v.Size())
			if left > 0 { // zeros add nothing
				n++
				v = v.Pad(0, 0, in.block-left)
			}
			return v.Reshape(n, in.block)
		}
		now, grad, step := cut(p.now), cut(p.grad), cut(p.step)
		before, stepBefore := cut(w.state(w.gradients, p).Value(g)), cut(w.state(w.updates, p).Value(g))
		for row, v := range [Sums]*tarn.Value{
			square(now), square(grad), square(step), now.Ne(tarn.Num(0)), grad.Ne(tarn.Num(0)), grad.IsFinite().Not(),
			wide(grad).Mul(wide(before)), wide(before).Mul(wide(stepBefore)), wide(grad).Mul(wide(stepBefore)), square(before),
		} {
			rows[row] = append(rows[row], wide(v).Sum(1))
		}
		if w.options.Histograms {
			in.names = append(in.names, p.name)
			in.Outputs[outWeight+p.name], in.Outputs[outGradient+p.name] = p.now, p.grad
		}
	}
	if len(watched) == 0 {
		return
	}
	var all []*tarn.Value
	for _, row := range rows {
		all = append(all, tarn.Concat(0, row...))
	}
	in.column(outSums, all)
}

func wide(v *tarn.Value) *tarn.Value   { return v.Cast(tarn.F64) }
func square(v *tarn.Value) *tarn.Value { return wide(v).Square() }

// Sums returns the sums of an update, Sums rows with a column for each block. They are valid until the next run.
func (in *Instruments) Sums(out tarn.Results) []float64 {
	if t := out[outSums]; t != nil {
		return t.F64()
	}
	return nil
}

// columns returns what addParams and addPair would have measured of params, of which sums has the sums of all blocks.
func (in *Instruments) columns(params []Param, sums []float64) tarn.Results {
	out, all, blocks, first := tarn.Results{}, [Sums]float64{}, len(sums)/Sums, 0
	column := func(name string, i int, x float64) {
		if out[name] == nil {
			out[name] = tarn.Zeros(tarn.F64, len(params))
		}
		out[name].F64()[i] = x
	}
	for i, p := range params {
		size := 1
		for _, n := range p.Shape {
			size *= n
		}
		n := (size + in.block - 1) / in.block
		var of [Sums]float64
		for row := range of {
			for _, x := range sums[row*blocks+first:][:n] {
				of[row] += x
			}
			all[row] += of[row]
		}
		first += n
		share := func(x float64) float64 { return (float64(size) - x) / float64(max(1, size)) }
		column(outNorm, i, math.Sqrt(of[sumWeight]))
		column(outGradNorm, i, math.Sqrt(of[sumGrad]))
		column(outUpdateNorm, i, math.Sqrt(of[sumUpdate]))
		column(outZeros, i, share(of[sumNonzero]))
		column(outGradZeros, i, share(of[sumGradNonzero]))
		column(outNonFinite, i, of[sumNonFinite])
	}
	if len(params) > 0 {
		out[outPair] = tarn.Zeros(tarn.F64, Sums-sumPair)
		copy(out[outPair].F64(), all[sumPair:])
	}
	return out
}

// Part is what the program of a shard has measured.
type Part struct {
	Numbers          []float64 // as many for each shard, in one order
	Examples, Weight float64   // the examples of the shard, and what its loss is the mean of
}

// numbers lists the outputs that Part has, with the places of their numbers.
func (in *Instruments) numbers() (names []string, places map[string]int) {
	names = slices.DeleteFunc(slices.Sorted(maps.Keys(in.Outputs)), func(name string) bool { return strings.HasPrefix(name, outActivations) })
	places = map[string]int{}
	total := 0
	for _, name := range names {
		places[name] = total
		total += in.Outputs[name].Size()
	}
	return names, places
}

// Part returns what the program of a shard has measured.
func (in *Instruments) Part(out tarn.Results, examples, weight float64) Part {
	p := Part{Examples: examples, Weight: weight}
	names, _ := in.numbers()
	for _, name := range names {
		for i := range out[name].Size() {
			p.Numbers = append(p.Numbers, out[name].Float(i))
		}
	}
	return p
}

// combine returns what one program for the examples of all parts would have measured. Means are weighted by the examples, and gradients of means by what the
// loss is the mean of.
func (in *Instruments) combine(parts []Part) tarn.Results {
	var examples, weight float64
	for _, p := range parts {
		examples, weight = examples+p.Examples, weight+p.Weight
	}
	names, places := in.numbers()
	out := tarn.Results{}
	each := func(name string, f func(i int, x, share, ofLoss float64, p *Part) float64) []float64 {
		t := tarn.Zeros(tarn.F64, in.Outputs[name].Size())
		out[name] = t
		sum := t.F64()
		for k := range parts {
			p := &parts[k]
			for i := range sum {
				sum[i] += f(i, p.Numbers[places[name]+i], p.Examples/examples, p.Weight/weight, p)
			}
		}
		return sum
	}
	roots := func(x []float64) {
		for i := range x {
			x[i] = math.Sqrt(x[i])
		}
	}
	squares := func(_ int, x, _, ofLoss float64, p *Part) float64 {
		if p.Weight == 0 { // the gradient of nothing is no number
			return 0
		}
		return ofLoss * x * ofLoss * x
	}
	for _, name := range names { // the means come before the deviations
		switch {
		case strings.HasPrefix(name, outActive):
			each(name, func(_ int, x, _, _ float64, _ *Part) float64 { return x }) // 0 if no shard has an active one
		case name == outStd:
			means := out[outMean].F64()
			roots(each(name, func(i int, x, share, _ float64, p *Part) float64 {
				off := p.Numbers[places[outMean]+i] - means[i]
				return share * (x*x + off*off)
			}))
		case name == outLayerGrad || strings.HasPrefix(name, outSteps):
			roots(each(name, squares))
		case strings.HasPrefix(name, outWhole):
			sum := each(name, func(_ int, x, _, ofLoss float64, p *Part) float64 {
				if p.Weight == 0 {
					return 0
				}
				return ofLoss * x
			})
			total := 0.0
			for _, x := range sum {
				total += x * x
			}
			path := strings.TrimPrefix(name, outWhole)
			i := slices.IndexFunc(in.Header.Layers, func(l Layer) bool { return l.Path == path })
			out[outLayerGrad].F64()[i] = math.Sqrt(total)
		default:
			each(name, func(_ int, x, share, _ float64, _ *Part) float64 { return share * x })
		}
	}
	return out
}

// RecordParts is Record for a training over shards: sums are those of the blocks of all params, as Instruments.Sums of update has them, and parts are what the programs of
// shards with the instruments layers have measured, all shards that have examples in their order. The caller makes the histograms: see Distributions and Activations.
func (w *Watcher) RecordParts(update *Instruments, sums []float64, layers *Instruments, parts []Part, at int64, batch int) Step {
	all := layers.combine(parts)
	maps.Copy(all, update.columns(layers.Header.Params, sums))
	step, _ := w.Record(&Instruments{Header: layers.Header, values: layers.values}, all, at, batch)
	return step
}

// Distributions returns the weights and the gradients of the params, by name, for histograms. They are valid until the next run, and empty if none are asked for.
func (in *Instruments) Distributions(out tarn.Results) (weights, gradients map[string]*tarn.Tensor) {
	weights, gradients = map[string]*tarn.Tensor{}, map[string]*tarn.Tensor{}
	for _, name := range in.names {
		weights[name], gradients[name] = out[outWeight+name], out[outGradient+name]
	}
	return weights, gradients
}

// Histograms returns the paths of the layers whose results are given for histograms.
func (in *Instruments) Histograms() (paths []string) {
	for _, l := range in.Header.Layers {
		if in.Outputs[outActivations+l.Path] != nil {
			paths = append(paths, l.Path)
		}
	}
	return paths
}

// Activations returns the results of these layers. They are valid until the next run.
func (in *Instruments) Activations(out tarn.Results) (all []*tarn.Tensor) {
	for _, path := range in.Histograms() {
		all = append(all, out[outActivations+path])
	}
	return all
}
