package predict

import (
	"context"

	"github.com/seed-49005b45/tarn/data/table"
)

// This file says what a model of tables is, for those who ask it.

// Model answers questions about rows of a table. Its methods may be called by several goroutines at the same time.
type Model interface {
	// Schema returns the columns that the model reads, and its target.
	Schema() *table.Schema
	// Predict answers each row, in order. It finds its columns by name. A value that does not fit its column is an error that has a *table.CellError in its chain.
	Predict(ctx context.Context, rows *table.Table) (*Answers, error)
}

// Answers are the answers about some rows, in their order. A model of classes fills in Probabilities and Labels, a model of quantities Values.
type Answers struct {
	Classes       []string    // in the order of Probabilities; nil for quantities
	Probabilities [][]float64 // of each class, for each row
	Labels        []string    // the class that is chosen, for each row
	Values        []float64   // the quantity, for each row
	Low, High     []float64   // bounds of Values between which 90 % of the truth is expected; nil if they are not known
	Notes         [][]string  // for each row what is unusual about it, such as a word that was never seen; nil if there is nothing
	Shares        [][]float64 // for each row the share that each feature of the schema has in the answer, if the context asks for it; see WithShares
}

// Rows returns the number of rows.
func (a *Answers) Rows() int { return max(len(a.Labels), len(a.Values)) }

type sharesKey struct{}

// WithShares returns a context in which Predict also says which share each feature has in an answer. That takes many times as long.
func WithShares(ctx context.Context) context.Context {
	return context.WithValue(ctx, sharesKey{}, true)
}

// AsksShares reports whether ctx comes from WithShares.
func AsksShares(ctx context.Context) bool { return ctx.Value(sharesKey{}) != nil }
