package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds Lookup, by which a part of a program finds a value that another part has named: the logits of a model, say,
// from which an optimizer draws labels.

// Lookup gives the value of g, or the input, that has a name: see Value.Named. It is an error where none has it, or several
// have. Values in the bodies of loops and branches are not found. Where g holds mistakes these are the error.
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
