// Package remedy tries on the network at hand what is said to help a training that gets nowhere.
//
// Try trains copies of a model for the same number of examples in the same order, the first as it is and each of the others with one
// change: other activations, initial weights, normalization, residual connections, another optimizer or rate, clipping, other
// inputs. It returns what became of each, and what package doctor says of it. The model itself is not changed.
//
//	report, err := remedy.Try(ctx, &remedy.Training{
//		Model: model, Loss: loss, Optimizer: optimizer, Rate: 0.1,
//		Train: set, Input: "x", Target: "label", Batch: 32, Epochs: 5,
//	}, remedy.Table)
//	...
//	fmt.Print(report)
//	fmt.Print(report.Best().Source())
package remedy
