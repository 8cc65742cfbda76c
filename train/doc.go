// Package train runs trainings.
//
// # Steps
//
// Step compiles forward pass, backward pass and update into one program and runs it over the batches of a data set. The
// loop body is the callback:
//
//	step, err := train.NewStep(loss, model, optim.NewAdamW(1e-3))
//	for r, err := range step.Over(ctx, set.Batches(128, data.Options{Shuffle: true, Epochs: 3, Last: data.Drop})) {
//		...
//	}
//
// A program has one batch size. NewStepOf takes a function that builds the loss for any size, and compiles another
// program when the last short batch of an epoch comes up; the same function makes an Eval, which measures the loss and
// metrics over a whole data set, each example counted once.
//
// # Trainings
//
// Loop is a whole training, with epochs, validation, early stopping, and a Folder for its log and checkpoints. It is an
// iterator too:
//
//	loop := train.NewLoop(build, model, optim.NewAdamW(1e-3), set)
//	loop.Folder, err = train.CreateFolder("runs/first", options)
//	for p, err := range loop.Run(ctx) {
//		...
//	}
//
// A training that was killed at any moment goes on from its last checkpoint when Run is called on its folder again, and
// ends with the same bits as if it had not been. Checkpoints are safetensors files with the weights under their paths.
//
// # Learning rates
//
// A RangeTest trains for some steps with a rate that rises, and finds where the loss falls most steeply.
//
// Package train/progress shows how far a training is, train/curve draws its learning curve, and train/events writes event files for TensorBoard:
// it is a Logger, and so can a sink of your own be.
package train
