package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/pattern"
)

// This file saves and loads the weights of a model, each under its name in the model.

// SaveWeights writes every param of the model, its weights and states, to the file at path, each under its name in the
// model, as in "hidden.weight". The model may be a part of another, whose names are then shorter, and a *tarn.ParamSet.
func SaveWeights(path string, model any) error { return SaveOptions{}.SaveWeights(path, model) }

// SaveWeights is the function SaveWeights with options.
func (o SaveOptions) SaveWeights(path string, model any) error {
	params, err := tarn.Params(model)
	if err != nil {
		return fmt.Errorf("safetensors: SaveWeights: %w", err)
	}
	tensors := map[string]*tarn.Tensor{}
	for name, p := range params.All() {
		tensors[name] = p.Tensor()
	}
	return o.Save(path, tensors, nil)
}

// LoadOptions say how the names in a file map to the names in a model. In patterns * stands for any characters but a dot, and ** for any
// characters. A pattern of Only or Rename that matches no tensor is an error.
type LoadOptions struct {
	// Only are patterns of the names in the file that are loaded; nil means all.
	Only []string

	// Skip are patterns of the names in the file that are not loaded, if they are there.
	Skip []string

	// Rename maps a tensor's name in the file to its name in the model, if they differ. Both may be patterns: the first wildcard of the new name
	// becomes what the first of the old name stands for, and so on, as in "h.*.attn.**": "blocks.*.attention.**". A name that is given exactly
	// goes before patterns; two patterns that give one tensor different names are an error.
	Rename map[string]string

	// AllowMissing are patterns of the names in the model that may be without a tensor, and then stay as they are.
	AllowMissing []string
}

// LoadWeights reads the file at path, or the files that its index lists, into the params of the model. It is strict: a param without a tensor, a tensor
// without a param and a tensor of a different dtype or shape are errors, unless the options allow them; a tensor of F16 or BF16 fits a param of F32 too. The error lists them, as
// far as they fit on a screen, and the model is unchanged.
func LoadWeights(path string, model any, options LoadOptions) error {
	params, err := tarn.Params(model)
	if err != nil {
		return fmt.Errorf("safetensors: LoadWeights: %w", err)
	}
	r, err := Options{MaxBytes: -1, Only: options.Only, Skip: options.Skip}.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.assign(params, options); err != nil {
		return fmt.Errorf("safetensors: %s: %w", file.Name(path), err)
	}
	return nil
}

// assign is LoadWeights for an open file, whose tensors are compared with the model before they are read.
func (r *Reader) assign(params *tarn.ParamSet, options LoadOptions) error {
	options.Only, options.Skip = nil, nil // these are chosen
	short := false
	for _, p := range params.All() {
		short = short || isShort(p.DType())
	}
	types := map[string]typed{}
	for _, name := range r.names {
		t := r.tensors[name]
		t.short = short
		dtype, ok := t.decoded()
		if !ok {
			_, err := t.decode()
			return err
		}
		types[name] = typed{dtype, t.shape}
	}
	if _, err := match(types, params, options); err != nil {
		return err
	}
	contents, err := r.all()
	if err != nil {
		return err
	}
	return Assign(contents.Tensors, params, options)
}

// typed is what a tensor must have in common with its param.
type typed struct {
	dtype tarn.DType
	shape []int
}

// isShort reports whether a dtype is one of two bytes, whose numbers F32 holds too.
func isShort(d tarn.DType) bool { return d == tarn.BF16 || d == tarn.F16 }

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
		if old, ok := from[name]; ok {
			t := tensors[old]
			if isShort(t.DType()) && p.DType() == tarn.F32 {
				t = t.Cast(tarn.F32)
			}
			if err := p.Set(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// match returns for each name in the model the name of its tensor.
func match(tensors map[string]typed, params *tarn.ParamSet, options LoadOptions) (map[string]string, error) {
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	names, idle := pattern.Choose(slices.Sorted(maps.Keys(tensors)), options.Only, options.Skip)
	rename := pattern.NewRenaming(options.Rename)
	from := map[string]string{}
	for _, old := range names {
		name, err := rename.Apply(old)
		if err != nil {
			add("%v", err)
			continue
		}
		if other, ok := from[name]; ok {
			add("tensors %q and %q both go to %q", other, old, name)
		}
		from[name] = old
	}
	wrong = append(append(idle, rename.Wrong()...), wrong...)
	optional := pattern.NewSet(options.AllowMissing)
	for name, p := range params.All() {
		old, ok := from[name]
		t := tensors[old]
		switch {
		case !ok && optional.Match(name):
		case !ok:
			add("missing: %s %v%v", file.Name(name), p.DType(), p.Shape())
		case t.dtype != p.DType() && !(isShort(t.dtype) && p.DType() == tarn.F32) || !slices.Equal(t.shape, p.Shape()):
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
