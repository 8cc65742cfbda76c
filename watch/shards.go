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

// InstrumentUpdate adds to the graph of an update what a mode needs of the params. Gradients are those of the trainable params, in their order.
func (w *Watcher) InstrumentUpdate(mode Mode, g *tarn.Graph, gradients []*tarn.Value, params *tarn.ParamSet, updates []tarn.Update) (*Instruments, error) {
	in := &Instruments{mode: mode, Outputs: tarn.Outputs{}}
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
	w.addParams(in, watched)
	w.addPair(in, watched)
	return in, g.Err()
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

// RecordParts is Record for a training over shards: update and out are the instruments and the results of the program that updates, parts are what the programs of
// shards with the instruments layers have measured, all shards that have examples in their order. The histograms do not have those of activations: see Activations.
func (w *Watcher) RecordParts(update *Instruments, out tarn.Results, layers *Instruments, parts []Part, at int64, batch int) (Step, []Histogram) {
	all := layers.combine(parts)
	maps.Copy(all, out)
	return w.Record(&Instruments{Header: layers.Header, values: layers.values, names: update.names}, all, at, batch)
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
