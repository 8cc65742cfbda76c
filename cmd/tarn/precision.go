package main

import "github.com/seed-49005b45/tarn"

// precisionFlag is the flag of trainings whose products may have a lower precision.
type precisionFlag struct {
	Precision tarn.Precision `default:"f32" placeholder:"P" help:"Precision of the operands of products: f32 (default); bf16, which is faster on processors that have units for it; bf16-activations, which also stores what the backward pass needs as bfloat16 and so takes less memory; or tf32, which the CPU computes as f32. Weights, sums and everything else are f32 at each."`
}
