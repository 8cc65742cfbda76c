// Package data brings examples to a training loop: readers of common files, data sets of named arrays, and batches,
// shuffled, converted and prepared ahead of the loop.
package data
