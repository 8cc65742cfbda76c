package fit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds what one can say about a training, and what is assumed.

// Task is what is predicted.
type Task string

// The tasks.
const (
	Auto     Task = ""         // by the kind of the target
	Classify Task = "classify" // one of some classes
	Regress  Task = "regress"  // a quantity
)

// Options say how to fit. Only Target has to be set.
type Options struct {
	Target string
	Task   Task
	Kinds  map[string]table.Kind // of columns, instead of what is inferred
	Drop   []string              // columns to leave out
	Schema *table.Schema         // instead of what is inferred

	// SplitBy says which rows judge: "random", in equal shares of the classes, which is the default; "order", the last rows; "time:COLUMN", the
	// latest rows; "group:COLUMN", so that rows of one group are never on both sides.
	SplitBy string
	// Valid is the share of the rows that judge. 0 means that the rows are dealt into folds if there are at most 20,000 of them, so that
	// each is judged once by models that have not seen it, and 0.2 otherwise and for "order" and "time".
	Valid float64
	Folds int          // 0 means 5; 10 for less than 300 rows
	Test  *table.Table // rows that judge beside those, and from which nothing is learned

	// Threshold is the probability of the second of two classes from which on it is chosen: a number; "f1", the one with the best F1 on the rows that judge; or
	// "cost:A:B", the one that costs least on them if the second class chosen wrongly costs A and one that is missed B. "" means 0.5.
	Threshold string
	// Repeats is how often the rows are dealt into folds, each time in another way; the model is the mean of the models of all folds. 0 means once. If one part of the
	// rows judges, it stays the same, and the networks begin with other weights.
	Repeats int

	Weights string // "" or "none"; "balanced", so that all classes count equally; or a column with the weight of each row

	Family   Family  // "" means both the linear model and perceptrons
	Periodic bool    // encode numbers by sines of learned frequencies, and not by pieces
	Hidden   []int   // sizes of the hidden layers, or blocks; nil means 2 of 64 to 192, by the number of rows
	Members  int     // perceptrons that share weights; 0 means 8; other networks have 1
	Epochs   int     // at most; 0 means as many as the usual amount of work allows, at most 200
	Rate     float64 // of AdamW; 0 means 2e-3
	Decay    float64 // weight decay; 0 means 3e-4
	Dropout  float64 // 0 means 0.1; negative means none
	Work     float64 // amount of work in the usual amount, which takes up to half a minute on two cores; 0 means 1. Less also means fewer epochs at most
	Seed     uint64

	Progress func(Progress) `json:"-"` // is told how far the training is; may be nil
}

// Family is a kind of model.
type Family string

// The families.
const (
	Both        Family = ""            // the linear model and perceptrons, in the shares that fit best
	Linear      Family = "linear"      // the linear model alone
	Perceptrons Family = "mlp"         // perceptrons that share weights, as in TabM
	ResNet      Family = "resnet"      // a residual network
	Transformer Family = "transformer" // a transformer over the columns (FT-Transformer); slow for many columns
)

// Families are all families but Both.
var Families = []Family{Linear, Perceptrons, ResNet, Transformer}

// Progress says where a training stands.
type Progress struct {
	Stage       string  // "linear", "network"
	Fold, Folds int     // from 1
	Epoch       int     // from 1
	Epochs      int     // at most
	Train       float64 // loss
	Valid       float64 // loss
	Best        float64
	BestEpoch   int
}

// Check returns an error for options that no table can be fitted with.
func (o *Options) Check() error {
	bad := func(format string, args ...any) error { return fmt.Errorf("fit: "+format, args...) }
	switch {
	case o.Target == "" && o.Schema == nil:
		return errors.New("fit: there is no target: set Options.Target to the column to predict")
	case !slices.Contains([]Task{Auto, Classify, Regress}, o.Task):
		return bad("task %s: there are classify and regress", list.Quote(string(o.Task)))
	case o.Family != Both && !slices.Contains(Families, o.Family):
		return bad("family %s: there are linear, mlp, resnet and transformer", list.Quote(string(o.Family)))
	case !(o.Valid >= 0 && o.Valid < 1):
		return bad("a share of %v of the rows cannot judge: it must be at least 0 and below 1", o.Valid)
	case o.Repeats < 0 || o.Repeats > 100:
		return bad("%d repeats: there must be 1 to 100", o.Repeats)
	case o.Folds < 0 || o.Folds == 1 || o.Folds > 100:
		return bad("%d folds: there must be 2 to 100", o.Folds)
	case o.Members < 0 || o.Members > 64:
		return bad("%d members: there must be 1 to 64", o.Members)
	case o.Epochs < 0:
		return bad("%d epochs", o.Epochs)
	case !(o.Rate >= 0 && o.Rate < 1e3) || !(o.Decay >= 0 && o.Decay < 1e3) || !(o.Dropout < 1) || !(o.Work >= 0 && o.Work <= 1e6):
		return bad("rate %v, decay %v, dropout %v or work %v is out of range", o.Rate, o.Decay, o.Dropout, o.Work)
	}
	for _, h := range o.Hidden {
		if h < 1 || h > 1<<14 {
			return bad("a hidden layer of %d units: there must be 1 to 16384", h)
		}
	}
	if _, err := o.threshold(); err != nil {
		return err
	}
	if kind, column, found := strings.Cut(o.SplitBy, ":"); !slices.Contains([]string{"", "random", "order", "time", "group"}, kind) || found != (kind == "time" || kind == "group") || found && column == "" {
		return bad("split by %s: there are random, order, time:COLUMN and group:COLUMN", list.Quote(o.SplitBy))
	}
	return nil
}
