// Package data brings examples to a training loop: readers of common files, data sets of named fields, and batches,
// shuffled, converted and prepared ahead of the loop.
//
//	train, test, err := mnist.Load()
//	train, valid, err := train.Split(55000, 1)
//	for batch, err := range train.Batches(128, data.Options{Shuffle: true, Seed: 7, Epochs: 5}).All(ctx) {
//		...
//	}
//
// Options.Weighted draws examples by weight, so that rare classes come up as often as others.
//
// A Stream has examples that are read one after the other and are not all in memory; it is a Source of batches like a Set. Set.Lazy adds a field, such as
// pictures, that is loaded when a batch is made.
//
// A data set keeps its values as they were read (a byte stays a byte) and converts the examples of a batch when the
// batch is made, in the background; transforms then change them at random, which augments images.
package data
