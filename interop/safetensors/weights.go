package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
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
// without a param and a tensor of a different dtype or shape are errors. The error lists them, as
// far as they fit on a screen, and the model is unchanged.
func LoadWeights(path string, model any, options LoadOptions) error {
	params, err := tarn.Params(model)
	if err != nil {
		return fmt.Errorf("safetensors: LoadWeights: %w", err)
	}
	contents, err := load(path, func(infos []info) error {
		types := map[string]typed{}
		for _, t := range infos {
			dtype, ok := decoded[t.dtype]
			if !ok {
				return nil // decode says so
			}
			types[t.name] = typed{dtype, t.shape}
		}
		_, err := match(types, params, options)
		return err
	})
	if err != nil {
		return err
	}
	if err := Assign(contents.Tensors, params, options); err != nil {
		return fmt.Errorf("safetensors: %s: %w", file.Name(path), err)
	}
	return nil
}

// typed is what a tensor must have in common with its param.
type typed struct {
	dtype tarn.DType
	shape []int
}

// Assign copies each tensor into the param of its name, as strictly as LoadWeights.
func Assign(tensors map[string]*tarn.Tensor, params *tarn.ParamSet, options LoadOptions) error {
	types := map[string]typed{}
	for name, t := range tensors {
		types[name] = typed{t.DType(), t.Shape()}
	}
	from, err := match(types, params, options)
	if err != nil {
		return err
	}
	for name, p := range params.All() {
		if err := p.Set(tensors[from[name]]); err != nil {
			return err
		}
	}
	return nil
}

// match returns for each name in the model the name of its tensor.
func match(tensors map[string]typed, params *tarn.ParamSet, options LoadOptions) (map[string]string, error) {
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, name := range slices.Sorted(maps.Keys(options.Rename)) {
		if _, ok := tensors[name]; !ok {
			add("rename: there is no tensor %q", name)
		}
	}
	from := map[string]string{}
	for _, old := range slices.Sorted(maps.Keys(tensors)) {
		name := old
		if renamed, ok := options.Rename[old]; ok {
			name = renamed
		}
		if other, ok := from[name]; ok {
			add("tensors %q and %q both go to %q", other, old, name)
		}
		from[name] = old
	}
	for name, p := range params.All() {
		old, ok := from[name]
		t := tensors[old]
		switch {
		case !ok:
			add("missing: %s %v%v", file.Name(name), p.DType(), p.Shape())
		case t.dtype != p.DType() || !slices.Equal(t.shape, p.Shape()):
			add("type: %q is %v%v, the model has %s %v%v", old, t.dtype, t.shape, file.Name(name), p.DType(), p.Shape())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if params.Lookup(name) == nil {
			add("extra: the model has no param %q", name)
		}
	}
	if len(wrong) > 0 {
		return nil, errors.New("the tensors do not fit the model:" + list.Lines(wrong))
	}
	return from, nil
}
