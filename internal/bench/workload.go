package bench

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds the list of the workloads and what one is.

// workload is something to measure.
type workload struct {
	Name  string
	About string // what one step is

	make    func(r *tarn.Random) (job, error)
	flop    float64 // arithmetic of a step if it is all that matters; else 0
	process bool    // whole processes are measured, which take one step each
	large   bool    // for accelerators: a step takes the CPU minutes, so it is measured only if it is named
}

// job is a workload with its data and fresh weights.
type job struct {
	// trace builds the program in an empty graph and compiles it. A run of it is a step.
	trace  func(g *tarn.Graph) (*tarn.Program, error)
	inputs []*tarn.Tensor

	// compile, if trace is nil, makes a step that is a whole search and returns what it took.
	compile func() (search func() (counts, error), err error)
}

// counts is what a search for a minimum took.
type counts struct{ iterations, evaluations int }

// String returns it in words.
func (c counts) String() string {
	return fmt.Sprintf("%d iterations, %d evaluations", c.iterations, c.evaluations)
}

// workloads lists all of them but the single ops and products, in the order in which they are run and shown.
var workloads = slices.Concat(
	[]workload{linreg},
	mlps,
	images,
	gpts,
	recurrents,
	gemms,
	[]workload{elementwise, layerNorm, softmaxCrossEntropy, hvp, lbfgs, startup},
)

// everything lists all of them.
var everything = slices.Concat(workloads, ops, products)

// groups are the workloads that a name stands for.
var groups = map[string][]workload{
	Ops:      ops,
	Products: slices.Concat(gemms[3:], products),
}

// Names returns the names of the workloads, the single ops and products last.
func Names() []string {
	var names []string
	for _, w := range everything {
		names = append(names, w.Name)
	}
	return names
}

// Check returns an error unless each name is a workload.
func Check(names ...string) error {
	_, err := find(names...)
	return err
}

// find returns the workloads of the names, or all but the single ops and products if there is no name.
func find(names ...string) ([]workload, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(workloads), func(w workload) bool { return w.large }), nil
	}
	var found []workload
	for _, name := range names {
		if group, ok := groups[name]; ok {
			found = append(found, group...)
			continue
		}
		i := slices.IndexFunc(everything, func(w workload) bool { return w.Name == name })
		if i < 0 {
			var names []string
			for _, w := range workloads {
				names = append(names, w.Name)
			}
			return nil, fmt.Errorf("bench: there is no workload %s; choose among %s, %s for all single ops and %s for all products of sizes that trainings have, or one of these: see bench --list",
				list.Quote(name), list.Names(names), Ops, Products)
		}
		found = append(found, everything[i])
	}
	return found, nil
}

// normal returns a tensor of standard normal numbers.
func normal(r *tarn.Random, shape ...int) *tarn.Tensor {
	t := tarn.Zeros(tarn.F32, shape...)
	r.Normal(t, 0, 1)
	return t
}

// classes returns a tensor of class numbers below n.
func classes(r *tarn.Random, n int, shape ...int) *tarn.Tensor {
	t := tarn.Zeros(tarn.F32, shape...)
	r.Uniform(t, 0, float64(n))
	return t.Cast(tarn.I32)
}

// input declares an input of the type of t.
func input(g *tarn.Graph, name string, t *tarn.Tensor) *tarn.Value {
	return g.Input(name, t.DType(), t.Shape()...)
}
