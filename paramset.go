package tarn

import (
	"fmt"
	"iter"
	"slices"
)

// This file holds ParamSet, the names of params. A name belongs to the set and not to the param, so that a part of a model
// is another set, in which the same params have shorter names.

// ParamSet is an ordered list of params with their names. Each param is in it once, and each name once. Params returns the
// set of a model; the zero value is an empty set, for Add. What needs names takes a set once and keeps it: an optimizer
// names its states by it, and a checkpoint its tensors.
//
// A set is itself a model: tarn.Init, train.NewStep, safetensors.SaveWeights and the like accept it instead of one.
// Several goroutines may read a set at once.
type ParamSet struct {
	params []*Param
	names  []string
	byName map[string]*Param
	nameOf map[*Param]string
}

// Add appends a param under a name. It returns an error if the name is empty or taken, or if the param is nil or in the
// set already.
func (s *ParamSet) Add(name string, p *Param) error {
	switch {
	case p == nil:
		return fmt.Errorf("tarn: param %q is nil", name)
	case p.orEmpty().err != nil:
		return fmt.Errorf("tarn: param %q: %w", name, p.orEmpty().err)
	case s == nil:
		return fmt.Errorf("tarn: param %q cannot be added to a nil ParamSet", name)
	case name == "":
		return fmt.Errorf("tarn: a param of type %v has no name; hold it in a field of a struct, or name it by ParamSet.Add", p.tensor.array.Type)
	case s.byName[name] == p || s.nameOf[p] != "":
		return fmt.Errorf("tarn: param %q is listed twice, the second time as %q", s.nameOf[p], name)
	case s.byName[name] != nil:
		return fmt.Errorf("tarn: two params have the name %q; give one of the fields a tag `tarn:\"name\"`", name)
	}
	if s.byName == nil {
		s.byName, s.nameOf = map[string]*Param{}, map[*Param]string{}
	}
	s.params, s.names = append(s.params, p), append(s.names, name)
	s.byName[name], s.nameOf[p] = p, name
	if p.named.Load() == nil {
		p.named.CompareAndSwap(nil, &name)
	}
	return nil
}

// Len returns the number of params. It is 0 for a nil set.
func (s *ParamSet) Len() int {
	if s == nil {
		return 0
	}
	return len(s.params)
}

// All returns an iterator over names and params, in order.
func (s *ParamSet) All() iter.Seq2[string, *Param] {
	return func(yield func(string, *Param) bool) {
		for i := range s.Len() {
			if !yield(s.names[i], s.params[i]) {
				return
			}
		}
	}
}

// List returns the params in order, such as for Grad.
func (s *ParamSet) List() []*Param {
	if s == nil {
		return nil
	}
	return slices.Clone(s.params)
}

// Name returns the name of p, or "" if p is not in the set.
func (s *ParamSet) Name(p *Param) string {
	if s == nil {
		return ""
	}
	return s.nameOf[p]
}

// Lookup returns the param of a name, or nil if there is none.
func (s *ParamSet) Lookup(name string) *Param {
	if s == nil {
		return nil
	}
	return s.byName[name]
}

// Trainable returns the params that an optimizer should update, under their names in s. See Param.Trainable.
func (s *ParamSet) Trainable() *ParamSet {
	some := &ParamSet{}
	for name, p := range s.All() {
		if p.Trainable() {
			some.Add(name, p) // which s has accepted
		}
	}
	return some
}
