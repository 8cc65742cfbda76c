package tarn

import "github.com/seed-49005b45/tarn/internal/scalar"

// This file holds the activations: the elementwise functions that stand between the layers of a network. Those that fusion
// makes fast are compositions; at every kink the derivative is PyTorch's. All gradients are finite wherever the result is:
// a branch that is not taken is computed at a harmless point, for 0 times infinity would be NaN.

// ReLU is max(v, 0); its derivative at 0 is 0. Equal to torch.nn.functional.relu. Shapes: any -> same.
func (v *Value) ReLU() *Value { return v.unary(scalar.ReLU) }

// LeakyReLU is v where v > 0, else slope*v; its derivative at 0 is slope. Equal to torch.nn.functional.leaky_relu, whose
// slope is 0.01 by default. Shapes: any -> same.
func (v *Value) LeakyReLU(slope float64) *Value { return v.binary(scalar.LeakyReLU, Num(slope)) }

// GELU is v*Phi(v), Phi the normal distribution function. Equal to torch.nn.functional.gelu.
// Hendrycks and Gimpel: Gaussian error linear units (2016). Shapes: any -> same.
func (v *Value) GELU() *Value { return v.unary(scalar.GELU) }
