package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of the activations.

var _ = register(
	elementwise("ReLU", (*tarn.Value).ReLU, between(-4, 4, 0)).of(numbers...),
	elementwise("LeakyReLU", func(v *tarn.Value) *tarn.Value { return v.LeakyReLU(0.1) }, between(-4, 4, 0)),
	elementwise("GELU", (*tarn.Value).GELU, between(-4, 4)),
)

var _ = refuse(
	unaryRefusal("GELU", (*tarn.Value).GELU, i32(3), "the operand is i32 and should be f32 or f64"),
)
