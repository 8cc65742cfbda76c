package tarn_test

import (
	"fmt"
	"math"
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

	"SearchSorted":       func(in ...*tarn.Value) *tarn.Value { return in[0].SearchSorted(in[1], false) },
	"SearchSorted right": func(in ...*tarn.Value) *tarn.Value { return in[0].SearchSorted(in[1], true) },
	"Bucketize":          func(in ...*tarn.Value) *tarn.Value { return in[0].Bucketize(in[1], false) },
	"Bucketize right":    func(in ...*tarn.Value) *tarn.Value { return in[0].Bucketize(in[1], true) },
	"Histogram":          func(in ...*tarn.Value) *tarn.Value { return in[0].Histogram(6, -1, 2) },
	"BinCount":           func(in ...*tarn.Value) *tarn.Value { return in[0].BinCount(7) },

	"DynamicSlice":            dynamicSlice(1, 2),
	"DynamicUpdate":           dynamicUpdate(1),
	"SliceStep backward":      func(in ...*tarn.Value) *tarn.Value { return in[0].SliceStep(1, -2, -7, -2) },
	"RollAxes":                func(in ...*tarn.Value) *tarn.Value { return in[0].RollAxes(ints(0, 2), ints(1, -2)) },
	"Diag":                    func(in ...*tarn.Value) *tarn.Value { return in[0].Diag(-1) },
	"Diag of a matrix":        func(in ...*tarn.Value) *tarn.Value { return in[0].Diag(1) },
	"TrilIndices":             func(in ...*tarn.Value) *tarn.Value { return in[0].Graph().TrilIndices(3, 4, 1) },
	"TriuIndices":             func(in ...*tarn.Value) *tarn.Value { return in[0].Graph().TriuIndices(3, 4, -1) },
	"Kron":                    func(in ...*tarn.Value) *tarn.Value { return in[0].Kron(in[1]) },
	"Kron of different ranks": func(in ...*tarn.Value) *tarn.Value { return in[0].Kron(in[1]) },
	"Cdist batches":           func(in ...*tarn.Value) *tarn.Value { return in[0].Cdist(in[1], 2) },
	"MatMul batches":          func(in ...*tarn.Value) *tarn.Value { return in[0].MatMul(in[1]) },
	"MatMul one batch":        func(in ...*tarn.Value) *tarn.Value { return in[0].MatMul(in[1]) },

	"GridSample of one row":  gridSample(tarn.GridOptions{Padding: tarn.GridReflect, AlignCorners: true}),
	"AffineGrid":             func(in ...*tarn.Value) *tarn.Value { return in[0].AffineGrid(false, 3, 4) },
	"AffineGrid corners":     func(in ...*tarn.Value) *tarn.Value { return in[0].AffineGrid(true, 3, 1) },
	"AffineGrid of a volume": func(in ...*tarn.Value) *tarn.Value { return in[0].AffineGrid(false, 2, 3, 4) },

	"Fold": func(in ...*tarn.Value) *tarn.Value { return in[0].Fold(ints(4, 5), ints(2, 3), tarn.Window{}) },
	"Fold strided": func(in ...*tarn.Value) *tarn.Value {
		return in[0].Fold(ints(5, 6), ints(2, 3), tarn.Window{Stride: ints(2, 1), Padding: ints(1, 2), Dilation: ints(1, 2)})
	},
}

func init() {
	for offset := range map[int]bool{0: true, 1: true, -2: true} {
		indexOps[fmt.Sprint("DiagonalAt ", offset)] = func(in ...*tarn.Value) *tarn.Value { return in[0].DiagonalAt(offset) }
		indexOps[fmt.Sprint("DiagEmbed ", offset)] = func(in ...*tarn.Value) *tarn.Value { return in[0].DiagEmbed(offset) }
	}
	for name, p := range map[string]float64{"0.0": 0, "0.5": 0.5, "1.0": 1, "1.5": 1.5, "2.0": 2, "3.0": 3, "inf": math.Inf(1)} {
		indexOps["Cdist "+name] = func(in ...*tarn.Value) *tarn.Value { return in[0].Cdist(in[1], p) }
	}
	for mode, m := range map[string]tarn.GridMode{"bilinear": tarn.GridLinear, "nearest": tarn.GridNearest, "bicubic": tarn.GridCubic} {
		for padding, p := range map[string]tarn.GridPadding{"zeros": tarn.GridZeros, "border": tarn.GridBorder, "reflection": tarn.GridReflect} {
			for _, align := range []bool{false, true} {
				name := fmt.Sprint("GridSample ", mode, " ", padding, " ", align)
				indexOps[name] = gridSample(tarn.GridOptions{Mode: m, Padding: p, AlignCorners: align})
				if mode != "bicubic" {
					indexOps[name+" of a volume"] = indexOps[name]
				}
				if mode != "nearest" && padding != "reflection" && !align {
					indexOps[name+" far out"] = indexOps[name]
				}
			}
		}
	}
	for name, size := range map[string][]int{"up": {7, 5}, "down": {2, 2}, "one": {1, 6}} {
		for _, align := range []bool{false, true} {
			indexOps[fmt.Sprint("ResizeCubic ", name, " ", align)] = func(in ...*tarn.Value) *tarn.Value { return in[0].ResizeCubic(align, size...) }
		}
		indexOps["ResizeLinearAntialiased "+name] = func(in ...*tarn.Value) *tarn.Value { return in[0].ResizeLinearAntialiased(size...) }
		indexOps["ResizeCubicAntialiased "+name] = func(in ...*tarn.Value) *tarn.Value { return in[0].ResizeCubicAntialiased(size...) }
	}
}

func TestIndexingEqualsPyTorch(t *testing.T) { compareRecorded(t, "testdata/index.json", indexOps) }
