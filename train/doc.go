// Package train has what surrounds the training step: metrics, early stopping.
package train
