// Package watch measures a training step from inside: norms of weights, gradients and updates, the state of every layer's
// result, and where the step lies in the valley of the loss. What is measured are values of the training's own graph.
//
// train.Loop and train.Step look by themselves if their Watch is set. Every Options.Every updates, one step is taken by a
// second program that computes the same update, and the measurements beside it: see tarn.Look. The program that takes the other steps
// is as it would be without. So on the CPU a training that is watched has the same bits, with train.Shards too, and costs what the second program costs
// every so often. On another engine, such as that of package pjrt, the second program may round its update differently.
//
// Some numbers compare two steps in turn. So the step before a look is taken by a third program, which remembers its gradient
// and its update in states that belong to the Watcher.
//
// The end of an epoch is recorded too, with the classes that are confused if the training has a metric that compares classes.
//
// Records are kept in a file of lines of JSON that only grows, so that it can be read while a training goes on: see File, Load
// and Follow. Packages doctor and board read it.
package watch
