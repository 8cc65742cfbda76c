// Package translate lets the packages of this module that write graphs in other formats see a graph as the compiler does.
package translate

import "github.com/seed-49005b45/tarn/internal/ir"

// Translation is what some outputs of a graph need, before any pass.
type Translation struct {
	Graph   *ir.Graph
	Inputs  []string   // the names of the inputs, by index
	Outputs []string   // those of the outputs, in the order of Graph.Outputs
	Params  []any      // each a *tarn.Param, by the index of its variable
	Values  []ir.Array // their contents
}

// Outputs translates what outputs need: its arguments are a *tarn.Graph and tarn.Outputs. Package tarn sets it, since it imports this package and not the other way round.
var Outputs func(graph, outputs any) (*Translation, error)
