package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of the activations.
var _ = register(
	elementwise("ReLU", (*tarn.Value).ReLU, between(-4, 4, 0)).of(numbers...),
	elementwise("LeakyReLU", func(v *tarn.Value) *tarn.Value { return v.LeakyReLU(0.1) }, between(-4, 4, 0)),
	opCase{op: "PReLU", in: []operand{between(-4, 4, 0), between(-2, 2)}, shapes: [][][]int{{{3, 4}, {4}}, {{2, 3}, {}}, {{3}, {3}}, {{0, 2}, {2}}},
		build: func(in ...*tarn.Value) *tarn.Value { return in[0].PReLU(in[1]) }},
	elementwise("ReLU6", (*tarn.Value).ReLU6, between(-4, 10, 0, 6)).of(numbers...),
	elementwise("GLU", func(v *tarn.Value) *tarn.Value { return v.GLU(-1) }, between(-4, 4)).with([][]int{{3, 4}}, [][]int{{2}}, [][]int{{3, 0}}, [][]int{{0, 2}}),
	elementwise("GLU", func(v *tarn.Value) *tarn.Value { return v.GLU(1) }, between(-4, 4)).as("middle").with([][]int{{2, 6, 3}}),
	elementwise("ELU", func(v *tarn.Value) *tarn.Value { return v.ELU(0.7) }, between(-4, 4, 0)),
	elementwise("ELU", func(v *tarn.Value) *tarn.Value { return v.ELU(1) }, between(800, 900)).as("large"),
	elementwise("SELU", (*tarn.Value).SELU, between(-4, 4, 0)),
	elementwise("CELU", func(v *tarn.Value) *tarn.Value { return v.CELU(0.7) }, between(-4, 4, 0)),
	elementwise("GELU", (*tarn.Value).GELU, between(-4, 4)),
	elementwise("GELU", (*tarn.Value).GELU, between(-900, 900)).as("large"),
	elementwise("GELUTanh", (*tarn.Value).GELUTanh, between(-4, 4)),
	elementwise("GELUTanh", (*tarn.Value).GELUTanh, between(-900, 900)).as("large"),
	elementwise("SiLU", (*tarn.Value).SiLU, between(-4, 4)),
	elementwise("SiLU", (*tarn.Value).SiLU, between(-900, 900)).as("large"),
	elementwise("Mish", (*tarn.Value).Mish, between(-4, 4)),
	elementwise("Mish", (*tarn.Value).Mish, between(-900, 900)).as("large"),
	elementwise("HardSigmoid", (*tarn.Value).HardSigmoid, between(-5, 5, -3, 3)),
	elementwise("HardSwish", (*tarn.Value).HardSwish, between(-5, 5, -3, 3)),
	elementwise("HardTanh", func(v *tarn.Value) *tarn.Value { return v.HardTanh(-1, 2) }, between(-4, 4, -1, 2)).of(numbers...),
	elementwise("Softsign", (*tarn.Value).Softsign, between(-4, 4, 0)),
	elementwise("LogSigmoid", (*tarn.Value).LogSigmoid, between(-4, 4)),
	elementwise("LogSigmoid", (*tarn.Value).LogSigmoid, between(-900, 900)).as("large"),
)

var _ = refuse(
	unaryRefusal("GELU", (*tarn.Value).GELU, i32(3), "the operand is i32 and should be f32 or f64"),
	unaryRefusal("GLU", func(v *tarn.Value) *tarn.Value { return v.GLU(-1) }, f32(2, 3), "axis -1 has size 3 and should have an even one"),
	unaryRefusal("GLU", func(v *tarn.Value) *tarn.Value { return v.GLU(2) }, f32(2, 4), "axis 2 is not an axis"),
	binaryRefusal("PReLU", (*tarn.Value).PReLU, f32(2, 3), f32(2), "shapes"),
	binaryRefusal("PReLU", (*tarn.Value).PReLU, f32(2, 3), f64(3), "f64"),
	unaryRefusal("SiLU", (*tarn.Value).SiLU, i64(3), "the operand is i64 and should be f32 or f64"),
	unaryRefusal("HardTanh", func(v *tarn.Value) *tarn.Value { return v.HardTanh(-0.5, 2) }, i64(3), "the number -0.5 is no i64"),
	unaryRefusal("HardSigmoid", (*tarn.Value).HardSigmoid, i32(3), "is no i32"),
)
