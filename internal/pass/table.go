package pass

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the table of passes: what each needs of the others, and the order in which they run, which is checked against
// that when the program starts.

// Pass is one simplification, with its constraints on the order.
type Pass struct {
	Name    string
	Run     func(g *ir.Graph)
	After   []string // passes that have run, each at least once, before every run of this one
	Before  []string // passes that run, each at least once, after the last run of this one
	Repeats bool     // the pass may run more than once
}

// table lists the passes. It is set by init, for bodies runs all passes on the bodies of loops.
var table []Pass

// order is the order in which the passes run.
var order = []string{"prune", "identities", "fold", "identities", "lookups", "scales", "merge", "prune", "bodies", "merge"}

// Passes are the passes as they run, one after the other.
var Passes []Pass

func init() {
	table = []Pass{
		{Name: "prune", Run: prune, Repeats: true},
		// Operands that vanish are pruned with what computed them.
		{Name: "identities", Run: identities, Before: []string{"prune"}, Repeats: true},
		// Its constants can be the ones and zeros that identities looks for.
		{Name: "fold", Run: fold, Before: []string{"identities", "prune"}},
		// It asks whether anything else uses a product: what is not needed must be gone, and reshapes that change nothing too. The
		// products that it makes of a table are often equal, and it leaves behind those that it replaces.
		{Name: "lookups", Run: lookups, After: []string{"prune", "identities", "fold"}, Before: []string{"merge", "prune"}},
		// Products that have moved to a table may only scale.
		{Name: "scales", Run: scales, After: []string{"identities", "lookups"}, Before: []string{"merge"}},
		{Name: "merge", Run: merge, Repeats: true},
		// Results of one loop belong together if their operands are the same nodes. Of stacks of the same value one is left, so that
		// results become equal.
		{Name: "bodies", Run: bodies, After: []string{"merge", "prune"}, Before: []string{"merge"}},
	}
	var err error
	if Passes, err = Arrange(table, order); err != nil {
		panic(err)
	}
}

// Arrange returns the passes of a table in an order, or an error that says which constraint the order breaks.
func Arrange(table []Pass, order []string) ([]Pass, error) {
	var arranged []Pass
	for _, name := range order {
		i := slices.IndexFunc(table, func(p Pass) bool { return p.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("pass: the order names %q, which is not in the table", name)
		}
		arranged = append(arranged, table[i])
	}
	for _, p := range table {
		first := slices.Index(order, p.Name)
		if first < 0 {
			return nil, fmt.Errorf("pass: %s is in the table and never runs", p.Name)
		}
		last := first
		for i := first + 1; i < len(order); i++ {
			if order[i] == p.Name {
				last = i
			}
		}
		if first != last && !p.Repeats {
			return nil, fmt.Errorf("pass: %s runs twice and may not repeat", p.Name)
		}
		for _, name := range p.After {
			if !slices.Contains(order[:first], name) {
				return nil, fmt.Errorf("pass: %s runs before any %s, and must run after it", p.Name, name)
			}
		}
		for _, name := range p.Before {
			if !slices.Contains(order[last+1:], name) {
				return nil, fmt.Errorf("pass: %s runs after the last %s, and must run before it", p.Name, name)
			}
		}
	}
	return arranged, nil
}

// Run applies all passes to g. If seen is not nil it is called before the first pass, as "traced", and after each.
func Run(g *ir.Graph, seen func(pass string, g *ir.Graph)) {
	var w ir.Watch
	defer w.Report()
	if seen != nil {
		seen("traced", g)
	}
	for _, p := range Passes {
		w.Stage = "the pass " + p.Name
		p.Run(g)
		if seen != nil {
			seen(p.Name, g)
		}
	}
}
