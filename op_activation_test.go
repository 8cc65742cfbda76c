package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of the activations.
var _ = register(
	elementwise("ReLU", (*tarn.Value).ReLU, between(-4, 4, 0)).of(numbers...),
	elementwise("LeakyReLU", func(v *tarn.Value) *tarn.Value { return v.LeakyReLU(0.1) }, between(-4, 4, 0)),
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
	unaryRefusal("SiLU", (*tarn.Value).SiLU, i64(3), "the operand is i64 and should be f32 or f64"),
	unaryRefusal("HardTanh", func(v *tarn.Value) *tarn.Value { return v.HardTanh(-0.5, 2) }, i64(3), "the number -0.5 is no i64"),
	unaryRefusal("HardSigmoid", (*tarn.Value).HardSigmoid, i32(3), "is no i32"),
)
