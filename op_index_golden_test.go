package tarn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file compares pads, scatters, pooling with indices, windows, grids, searching and counting, and their gradients, with what PyTorch gave
// for them: testdata/index.py writes the numbers.

// indexOps are the ops by the names that the script gives them.
var indexOps = map[string]func(in ...*tarn.Value) *tarn.Value{
	"Pad reflect":   func(in ...*tarn.Value) *tarn.Value { return in[0].PadReflect(1, 3, 2).PadReflect(2, 1, 2) },
	"Pad replicate": func(in ...*tarn.Value) *tarn.Value { return in[0].PadReplicate(1, 3, 2).PadReplicate(2, 1, 2) },
	"Pad circular":  func(in ...*tarn.Value) *tarn.Value { return in[0].PadCircular(1, 3, 2).PadCircular(2, 1, 2) },

	"Scatter":         scatter(1),
	"ScatterMax":      scatterMax(1),
	"ScatterMax ties": scatterMax(0),
	"ScatterMin":      scatterMin(1),
	"ScatterMul":      scatterMul(1),
	"IndexCopy":       indexCopy(1),

	"MaxPoolIndices 1d": func(in ...*tarn.Value) *tarn.Value {
		_, i := in[0].MaxPoolIndices(ints(3), tarn.Window{Stride: ints(2), Padding: ints(1)})
		return i
	},
	"MaxPoolIndices 2d": func(in ...*tarn.Value) *tarn.Value {
		_, i := in[0].MaxPoolIndices(ints(2, 3), tarn.Window{Stride: ints(2, 1), Padding: ints(1)})
		return i
	},
	"MaxPoolIndices 3d": func(in ...*tarn.Value) *tarn.Value {
		_, i := in[0].MaxPoolIndices(ints(2), tarn.Window{Stride: ints(1)})
		return i
	},
	"AdaptiveMaxPool 1d":        func(in ...*tarn.Value) *tarn.Value { return in[0].AdaptiveMaxPool(3) },
	"AdaptiveMaxPool 2d":        func(in ...*tarn.Value) *tarn.Value { return in[0].AdaptiveMaxPool(3, 2) },
	"AdaptiveMaxPool ties":      func(in ...*tarn.Value) *tarn.Value { return in[0].AdaptiveMaxPool(3) },
	"AdaptiveMaxPoolIndices 2d": func(in ...*tarn.Value) *tarn.Value { _, i := in[0].AdaptiveMaxPoolIndices(3, 4); return i },
	"AdaptiveMaxPoolIndices 3d": func(in ...*tarn.Value) *tarn.Value { _, i := in[0].AdaptiveMaxPoolIndices(2, 3, 2); return i },
	"MaxUnpool":                 func(in ...*tarn.Value) *tarn.Value { return in[0].MaxUnpool(in[1], 5, 4) },

	"Fold": func(in ...*tarn.Value) *tarn.Value { return in[0].Fold(ints(4, 5), ints(2, 3), tarn.Window{}) },
	"Fold strided": func(in ...*tarn.Value) *tarn.Value {
		return in[0].Fold(ints(5, 6), ints(2, 3), tarn.Window{Stride: ints(2, 1), Padding: ints(1, 2), Dilation: ints(1, 2)})
	},
}

func TestIndexingEqualsPyTorch(t *testing.T) { compareRecorded(t, "testdata/index.json", indexOps) }
