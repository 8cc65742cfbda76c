package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds Lookup, which finds a value that another part of a program has named, such as the logits of a model,
// from which an optimizer draws labels.

// Lookup returns the value or input of g that has the name: see Value.Named. It is an error if no value has it, or several
// do. Values in the bodies of loops and branches are not found. If errors were recorded in g, Lookup returns them.
//
// Shapes: the result is the value itself.
func (g *Graph) Lookup(name string) (*Value, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	var found []*Value
	var names, places []string
	for _, v := range g.values {
		switch {
		case v.label == name && name != "":
			found, places = append(found, v), append(places, v.Place())
		case v.label != "" && !slices.Contains(names, fmt.Sprintf("%q", v.label)):
			names = append(names, fmt.Sprintf("%q", v.label))
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("tarn: Lookup: %d values are named %q, at %s: give them different names", len(found), name, list.Names(places))
	case len(names) == 0:
		return nil, fmt.Errorf("tarn: Lookup: no value is named %q, nor has any a name: add Named(%q) where it is made", name, name)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("tarn: Lookup: no value is named %q: add Named(%q) where it is made; there are %s", name, name, list.Names(names))
}
