package tarn

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds Param, a tensor that outlives the steps of a program, and the walk that finds the params of a model.

// Initializer fills a fresh parameter. r is a stream of random numbers that belongs to the parameter alone: it is keyed
// by the seed and the parameter's name in the model, so that adding a layer does not change the weights of another.
type Initializer func(t *Tensor, r *Random)

// Param is a tensor with an identity: a weight of a model, or a state such as a running mean or an optimizer's moment.
// Programs read it through Value and change it through Assign. One Param may be used by many programs; they share its
// memory.
type Param struct {
	// Frozen params are not trained: they get no update from an optimizer.
	Frozen bool

	named  atomic.Pointer[string] // its first name in a ParamSet: for messages, never to find anything by
	tensor *Tensor
	init   Initializer
	state  bool
	used   atomic.Bool // a graph has read it
	filled atomic.Bool // by Init or Set
	err    error       // why it could not be made

	assigned atomic.Bool // a run that assigns it is in progress
}

// NewParam returns a weight of the given dtype and shape, all zeros until Init fills it by init; a nil init means zeros.
// If a size is negative, the dtype is none or the process may not have as much memory, the param has no elements, and Params and each graph
// that reads it report the mistake.
func NewParam(dtype DType, init Initializer, shape ...int) *Param {
	t, err := zeros(ir.Type{DType: ir.DType(dtype), Shape: shape})
	if err != nil {
		t = Zeros(F32, 0)
	}
	return &Param{tensor: t, init: init, err: err}
}

// ParamOf returns a weight that shares the memory of t: what a program assigns to it is visible in t, and in whatever else shares that memory.
func ParamOf(t *Tensor) *Param {
	if !t.exists() {
		return (*Param)(nil).orEmpty()
	}
	p := &Param{tensor: t}
	p.filled.Store(true)
	return p
}

// NewState returns a param that is part of a model or an optimizer but not trained: it gets no gradient and no update
// by an optimizer, yet is saved with the weights.
func NewState(dtype DType, init Initializer, shape ...int) *Param {
	p := NewParam(dtype, init, shape...)
	p.state = true
	return p
}

// orEmpty returns p, or a param without elements if p is nil or was made by no constructor.
func (p *Param) orEmpty() *Param {
	switch {
	case p == nil:
		return &Param{tensor: Zeros(F32, 0), err: newProblem("the *Param is nil: was the model made by its constructor?")}
	case p.tensor == nil:
		return &Param{tensor: Zeros(F32, 0), err: newProblem("the Param was not made by NewParam or NewState")}
	}
	return p
}

// IsState reports whether the param was made by NewState.
func (p *Param) IsState() bool { return p.orEmpty().state }

// Trainable reports whether an optimizer should update the param: a weight that is not frozen.
func (p *Param) Trainable() bool { return p != nil && !p.state && !p.Frozen }

// Tensor returns the param's contents. The tensor shares the param's memory: what a program assigns is visible in it.
func (p *Param) Tensor() *Tensor { return p.orEmpty().tensor }

// Shape returns the sizes of the axes.
func (p *Param) Shape() []int { return p.orEmpty().tensor.Shape() }

// DType returns the type of the elements.
func (p *Param) DType() DType { return p.orEmpty().tensor.DType() }

// Set copies t, which must have the param's dtype and shape, into the param.
func (p *Param) Set(t *Tensor) error {
	p = p.orEmpty()
	if !t.exists() {
		return fmt.Errorf("tarn: the new contents of param %q are nil", p.label())
	}
	if err := p.tensor.CopyFrom(t); err != nil {
		return fmt.Errorf("tarn: param %q has type %v, the new contents %v", p.label(), p.tensor.array.Type, t.array.Type)
	}
	p.filled.Store(true)
	return nil
}

// Initialized reports whether something has filled the param: it is false if the param has an initializer, and is all zeros as NewParam has made it.
func (p *Param) Initialized() bool {
	p = p.orEmpty()
	return p.init == nil || p.filled.Load() || slices.ContainsFunc(p.tensor.read().Raw(), func(b byte) bool { return b != 0 })
}

// Value returns the param as a value of g.
//
// Shapes: the result has the shape of the param.
func (p *Param) Value(g *Graph) *Value { return g.variable(p) }

// value makes a Param an Operand.
func (p *Param) value(g *Graph) *Value { return g.variable(p) }

// SetInit changes the initializer, for the next Init; nil means zeros.
func (p *Param) SetInit(init Initializer) { p.orEmpty().init = init }

// Init fills every param of the model by its initializer, from random numbers that are keyed by the seed and the param's
// name in the model. It returns an error if the model holds no param or two params of one name, and if an initializer
// reports one, as those of package nn do if their arguments make no sense.
func Init(model any, seed uint64) error {
	params, err := Params(model)
	if err != nil {
		return err
	}
	for name, p := range params.All() {
		p.tensor.storage.Drop()
		clear(p.tensor.array.Raw())
		if p.init != nil {
			r := NewRandom(seed, name)
			if p.init(p.tensor, r); r.err != nil {
				return fmt.Errorf("tarn: Init: param %q: %w", name, r.err)
			}
		}
		p.filled.Store(true)
	}
	return nil
}

// Cast changes the dtype of every float param of the model, whose layers are made in F32, to F32 or F64, and keeps the contents,
// rounded to it. Since the dtype is part of every graph that reads a param, a model is converted before its first use: a
// param that a graph has read already is an error, and then nothing is converted. Equal to torch.nn.Module.to(dtype).
func Cast(model any, dtype DType) error {
	if !dtype.IsFloat() {
		return fmt.Errorf("tarn: Cast: a model cannot have dtype %v; use f32 or f64", dtype)
	}
	params, err := Params(model)
	if err != nil {
		return err
	}
	for name, p := range params.All() {
		if p.DType().IsFloat() && p.DType() != dtype && p.used.Load() {
			return fmt.Errorf("tarn: Cast: param %q is used by a graph already; convert the model before its first Forward", name)
		}
	}
	converted := map[*Param]*Tensor{}
	for name, p := range params.All() {
		if p.DType().IsFloat() && p.DType() != dtype {
			t, err := zeros(ir.Type{DType: ir.DType(dtype), Shape: p.Shape()})
			if err != nil {
				return fmt.Errorf("tarn: Cast: param %q: %w", name, err)
			}
			t.fill(p.tensor)
			converted[p] = t
		}
	}
	for p, t := range converted {
		p.tensor = t
	}
	return nil
}

// Params walks a model and returns its params in the order of the struct's fields, each once, under its path as its name:
// field names in lower snake case and indices, joined by dots. A field tagged `tarn:"name"` goes by that name, one tagged
// `tarn:""` adds nothing to the path, and one tagged `tarn:"-"` is skipped. A param met twice is a tied weight, which
// keeps its first path. The model is a pointer to a struct, or a slice or map of models; a *ParamSet is returned as it is.
//
// The walk changes nothing: a part of a model, such as Params(m.Encoder), is another set, and several goroutines may walk
// one model at once.
func Params(model any) (*ParamSet, error) {
	set, ok := model.(*ParamSet)
	if !ok {
		w := walk{open: map[visit]bool{}}
		if model != nil {
			if err := w.value(reflect.ValueOf(model), ""); err != nil {
				return nil, err
			}
		}
		set = &w.set
	}
	if set.Len() == 0 {
		return nil, fmt.Errorf("tarn: the model %T holds no *tarn.Param", model)
	}
	return set, nil
}

type walk struct {
	set  ParamSet
	open map[visit]bool // what is being walked, so that a cycle ends
}

// visit is a pointer, slice or map on the way; the type tells a struct from its first field.
type visit struct {
	at  unsafe.Pointer
	typ reflect.Type
}

var paramType, paramSetType = reflect.TypeFor[Param](), reflect.TypeFor[ParamSet]()

func (w *walk) value(v reflect.Value, path string) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if v.Type().Elem() == paramType {
			return w.param((*Param)(v.UnsafePointer()), path)
		}
		return w.once(v, func() error { return w.value(v.Elem(), path) })
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return w.value(v.Elem(), path)
	case reflect.Struct:
		return w.fields(v, path)
	case reflect.Array:
		return w.elements(v, path)
	case reflect.Slice:
		return w.once(v, func() error { return w.elements(v, path) })
	case reflect.Map:
		return w.once(v, func() error { return w.entries(v, path) })
	}
	return nil
}

// once walks what a pointer, slice or map refers to, unless it is on the way there.
func (w *walk) once(v reflect.Value, walk func() error) error {
	at := visit{v.UnsafePointer(), v.Type()}
	if w.open[at] {
		return nil
	}
	w.open[at] = true
	defer delete(w.open, at)
	return walk()
}

func (w *walk) elements(v reflect.Value, path string) error {
	if v.Type().Elem().Kind() <= reflect.Complex128 { // plain numbers hold no params
		return nil
	}
	for i := range v.Len() {
		if err := w.value(v.Index(i), join(path, strconv.Itoa(i))); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entries(v reflect.Value, path string) error {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for _, k := range keys {
		if err := w.value(v.MapIndex(k), join(path, fmt.Sprint(k))); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) fields(v reflect.Value, path string) error {
	if v.Type() == paramSetType { // a list of params that are elsewhere in the model
		return nil
	}
	if v.Type() == paramType {
		return fmt.Errorf("tarn: %q is a tarn.Param held by value; hold a *tarn.Param", path)
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, tagged := f.Tag.Lookup("tarn")
		switch {
		case name == "-":
			continue
		case !tagged && f.Anonymous:
			name = ""
		case !tagged:
			name = snake(f.Name)
		}
		if err := w.value(v.Field(i), join(path, name)); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) param(p *Param, path string) error {
	if w.set.nameOf[p] != "" {
		return nil
	}
	return w.set.Add(path, p)
}

func join(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}

// snake turns a Go name into lower snake case: "OutProj" into "out_proj", "QKV" into "qkv".
func snake(name string) string {
	var b strings.Builder
	rs := []rune(name)
	for i, r := range rs {
		if unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// label returns the name that the param has in messages: the first that a ParamSet gave it.
func (p *Param) label() string {
	if label := p.named.Load(); label != nil {
		return *label
	}
	return ""
}

// String returns the first name that the param was given, for messages, and its type, as in `hidden.weight f32[512 784]`.
func (p *Param) String() string {
	p = p.orEmpty()
	return strings.TrimPrefix(fmt.Sprintf("%s %v", p.label(), ir.Type(p.tensor.array.Type)), " ")
}
