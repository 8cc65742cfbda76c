package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file saves and loads the weights of a model, each under its name in the model.

// SaveWeights writes every param of the model, its weights and states, to the file at path, each under its name in the
// model, as in "hidden.weight". The model may be a part of another, whose names are then shorter, and a *tarn.ParamSet.
func SaveWeights(path string, model any) error {
	params, err := tarn.Params(model)
	if err != nil {
		return fmt.Errorf("safetensors: SaveWeights: %w", err)
	}
	tensors := map[string]*tarn.Tensor{}
	for name, p := range params.All() {
		tensors[name] = p.Tensor()
	}
	return Save(path, tensors, nil)
}

// LoadOptions say how the names in a file map to the names in a model.
type LoadOptions struct {
	// Rename maps a tensor's name in the file to its name in the model, if they differ.
	Rename map[string]string
}

// LoadWeights reads the file at path into the params of the model. It is strict: a param without a tensor, a tensor
// without a param and a tensor of a different dtype or shape are errors. The error lists all of them, and the model
// is unchanged.
func LoadWeights(path string, model any, options LoadOptions) error {
	params, err := tarn.Params(model)
	if err != nil {
		return fmt.Errorf("safetensors: LoadWeights: %w", err)
	}
	file, err := Load(path)
	if err != nil {
		return err
	}
	if err := Assign(file.Tensors, params, options); err != nil {
		return fmt.Errorf("safetensors: %s: %w", path, err)
	}
	return nil
}

// Assign copies each tensor into the param of its name, as strictly as LoadWeights.
func Assign(tensors map[string]*tarn.Tensor, params *tarn.ParamSet, options LoadOptions) error {
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, name := range slices.Sorted(maps.Keys(options.Rename)) {
		if tensors[name] == nil {
			add("rename: there is no tensor %q", name)
		}
	}
	found := map[string]*tarn.Tensor{} // by name in the model
	from := map[string]string{}        // by name in the model: the name in the file
	for _, old := range slices.Sorted(maps.Keys(tensors)) {
		name := old
		if renamed, ok := options.Rename[old]; ok {
			name = renamed
		}
		if found[name] != nil {
			add("tensors %q and %q both go to %q", from[name], old, name)
		}
		found[name], from[name] = tensors[old], old
	}
	for name, p := range params.All() {
		t := found[name]
		switch {
		case t == nil:
			add("missing: %s %v%v", name, p.DType(), p.Shape())
		case t.DType() != p.DType() || !slices.Equal(t.Shape(), p.Shape()):
			add("type: %q is %v%v, the model has %s %v%v", from[name], t.DType(), t.Shape(), name, p.DType(), p.Shape())
		}
		delete(from, name)
	}
	for _, name := range slices.Sorted(maps.Keys(from)) {
		add("extra: the model has no param %q", name)
	}
	if len(wrong) > 0 {
		return errors.New("the tensors do not fit the model:\n\t" + strings.Join(wrong, "\n\t"))
	}
	for name, p := range params.All() {
		if err := p.Set(found[name]); err != nil {
			return err
		}
	}
	return nil
}
