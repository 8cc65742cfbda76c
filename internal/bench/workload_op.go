package bench

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the workloads that are one op on many numbers, for which the peers have one call. They are run if they are named, or
// all of them by the name ops.

// Ops is the name that stands for all workloads of single ops.
const Ops = "ops"

// Shape of the operands of an op: rows that the first-level cache holds, and as a whole an array that the second-level cache holds.
const opRows, opCols = 128, 1024

// opLong is the number of elements of an array that is one long row.
const opLong = 1 << 20

var ops = slices.Concat(
	[]workload{
		unary("tan", -10, 10, (*tarn.Value).Tan),
		unary("asin", -1, 1, (*tarn.Value).Asin),
		unary("acos", -1, 1, (*tarn.Value).Acos),
		unary("atan", -10, 10, (*tarn.Value).Atan),
		unary("sinh", -10, 10, (*tarn.Value).Sinh),
		unary("cosh", -10, 10, (*tarn.Value).Cosh),
		binary("atan2", -10, 10, func(a, b *tarn.Value) *tarn.Value { return a.Atan2(b) }),
		binary("pow", 0, 10, func(a, b *tarn.Value) *tarn.Value { return a.Pow(b) }),
		unary("cumsum", 0, 1, func(x *tarn.Value) *tarn.Value { return x.CumSum(1) }),
		unary("cumsum-columns", 0, 1, func(x *tarn.Value) *tarn.Value { return x.CumSum(0) }),
		unary("argmax", 0, 1, func(x *tarn.Value) *tarn.Value { return x.ArgMax(1) }),
		unary("argmin", 0, 1, func(x *tarn.Value) *tarn.Value { return x.ArgMin(1) }),
		unary("argmax-columns", 0, 1, func(x *tarn.Value) *tarn.Value { return x.ArgMax(0) }),
		sorting("sort", opRows, opCols),
		sorting("sort-long", 1, opLong),
	},
	[]workload{
		drawing("uniform", func(g *tarn.Graph) *tarn.Value { return g.Uniform(tarn.F32, 0, 1, opRows, opCols) }),
		drawing("normal", func(g *tarn.Graph) *tarn.Value { return g.Normal(tarn.F32, 0, 1, opRows, opCols) }),
		indexed("gather", func(x, index *tarn.Value) *tarn.Value { return x.Gather(1, index) }, opRows, opCols),
		indexed("scatter-add", func(x, index *tarn.Value) *tarn.Value { return x.ScatterAdd(1, index, x) }, opRows, opCols),
		indexed("take", func(x, index *tarn.Value) *tarn.Value { return x.Take(0, index) }, opRows*opCols),
		indexed("index-add", func(x, index *tarn.Value) *tarn.Value { return x.IndexAdd(0, index, x) }, opRows*opCols),
	},
)

// unary is an op of uniform numbers from low to high.
func unary(name string, low, high float64, f func(x *tarn.Value) *tarn.Value) workload {
	return workload{
		Name:  "op-" + name,
		About: "one op on 128 x 1024 numbers",
		make: func(r *tarn.Random) (job, error) {
			return kernel(func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{f(in[0])} }, uniform(r, low, high, opRows, opCols)), nil
		},
	}
}

func binary(name string, low, high float64, f func(a, b *tarn.Value) *tarn.Value) workload {
	return workload{
		Name:  "op-" + name,
		About: "one op on twice 128 x 1024 numbers",
		make: func(r *tarn.Random) (job, error) {
			return kernel(func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{f(in[0], in[1])} },
				uniform(r, low, high, opRows, opCols), uniform(r, low, high, opRows, opCols)), nil
		},
	}
}

// sorting sorts rows, and returns the former places too.
func sorting(name string, rows, cols int) workload {
	return workload{
		Name:  "op-" + name,
		About: "rows of numbers sorted, and their former places",
		make: func(r *tarn.Random) (job, error) {
			return kernel(func(in []*tarn.Value) []*tarn.Value {
				sorted, places := in[0].Sort(1, false)
				return []*tarn.Value{sorted, places}
			}, normal(r, rows, cols)), nil
		},
	}
}

// drawing draws random numbers.
func drawing(name string, f func(g *tarn.Graph) *tarn.Value) workload {
	return workload{
		Name:  "op-" + name,
		About: "128 x 1024 random numbers",
		make: func(*tarn.Random) (job, error) {
			return job{trace: func(g *tarn.Graph) (*tarn.Program, error) {
				return tarn.Compile(g, tarn.Outputs{"out": f(g)})
			}}, nil
		},
	}
}

// indexed is an op with an index of random places on the last axis.
func indexed(name string, f func(x, index *tarn.Value) *tarn.Value, shape ...int) workload {
	return workload{
		Name:  "op-" + name,
		About: "131,072 numbers read, or added up, at random places",
		make: func(r *tarn.Random) (job, error) {
			index := tarn.Zeros(tarn.F32, shape...)
			r.Uniform(index, 0, float64(shape[len(shape)-1]))
			return kernel(func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{f(in[0], in[1])} },
				normal(r, shape...), index.Cast(tarn.I64)), nil
		},
	}
}

// uniform returns a tensor of numbers between low and high.
func uniform(r *tarn.Random, low, high float64, shape ...int) *tarn.Tensor {
	t := tarn.Zeros(tarn.F32, shape...)
	r.Uniform(t, low, high)
	return t
}
