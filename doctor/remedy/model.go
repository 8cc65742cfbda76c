package remedy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file holds how a model is copied, and how its layers are changed: they are found by walking its fields.

// Residual adds what Body makes of x to x, whose shape Body must keep. He et al. 2016, Deep residual learning for image recognition.
type Residual struct{ Body *nn.Sequential }

// Forward is x + Body(x). Shapes: any that Body keeps -> same.
func (r *Residual) Forward(x *tarn.Value) *tarn.Value {
	if r == nil || r.Body == nil {
		return x.Graph().Fail("Residual", []*tarn.Value{x}, "there is no Body")
	}
	return x.Add(r.Body.Forward(x))
}

// copied returns a model of the same layers with params of its own, which have the same contents.
func copied(model nn.Layer) (nn.Layer, error) {
	if v := reflect.ValueOf(model); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, fmt.Errorf("remedy: the model is nil")
	}
	before, err := tarn.Params(model)
	if err != nil {
		return nil, err
	}
	c := copier{}
	out := c.value(reflect.ValueOf(model)).Interface().(nn.Layer)
	after, err := tarn.Params(out)
	if err != nil {
		return nil, err
	}
	for name, p := range before.All() {
		if q := after.Lookup(name); q == nil || q == p {
			return nil, fmt.Errorf("remedy: %T cannot be copied: the param %q is held where a copy cannot have its own; hold it in an exported field", model, name)
		}
	}
	return out, nil
}

// copier copies what pointers point to once.
type copier map[any]reflect.Value

func (c copier) value(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		if done, ok := c[v.Interface()]; ok {
			return done
		}
		if p, ok := v.Interface().(*tarn.Param); ok {
			make := tarn.NewParam
			if p.IsState() {
				make = tarn.NewState
			}
			q := make(p.DType(), nil, p.Shape()...)
			q.Frozen = p.Frozen
			if p.Tensor().Size() > 0 {
				_ = q.Set(p.Tensor()) // of the same type
			}
			c[v.Interface()] = reflect.ValueOf(q)
			return reflect.ValueOf(q)
		}
		out := reflect.New(v.Type().Elem())
		c[v.Interface()] = out
		out.Elem().Set(c.value(v.Elem()))
		return out
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type()).Elem()
		out.Set(c.value(v.Elem()))
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(c.value(v.Field(i)))
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(c.value(v.Index(i)))
		}
		return out
	case reflect.Array:
		out := reflect.New(v.Type()).Elem()
		for i := range v.Len() {
			out.Index(i).Set(c.value(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMap(v.Type())
		for at := v.MapRange(); at.Next(); {
			out.SetMapIndex(at.Key(), c.value(at.Value()))
		}
		return out
	}
	return v
}

// visit calls f for all that the exported fields of a model hold, a pointer's or interface's contents first, and each pointer once.
func visit(model nn.Layer, f func(v reflect.Value)) {
	seen := map[any]bool{}
	var enter func(v reflect.Value)
	enter = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() || seen[v.Interface()] {
				return
			}
			seen[v.Interface()] = true
			if _, ok := v.Interface().(*tarn.Param); ok {
				return
			}
			enter(v.Elem())
		case reflect.Interface:
			if v.IsNil() {
				return
			}
			enter(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					enter(v.Field(i))
				}
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				enter(v.Index(i))
			}
		case reflect.Map:
			keys := v.MapKeys()
			slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			for _, k := range keys {
				enter(v.MapIndex(k))
			}
		}
		if v.Kind() != reflect.Invalid && v.CanInterface() {
			f(v)
		}
	}
	enter(reflect.ValueOf(model))
}

// chains are the Sequentials of a model, the inner ones first.
func chains(model nn.Layer) (all []*nn.Sequential) {
	visit(model, func(v reflect.Value) {
		if s, ok := v.Interface().(*nn.Sequential); ok {
			all = append(all, s)
		}
	})
	return all
}

// slot is a place that holds a layer, of a Sequential or of a field.
type slot struct {
	layer nn.Layer
	set   func(nn.Layer)
}

// slots are all places that hold any layer, but the one that the model ends with if that is an activation.
func slots(model nn.Layer) (all []slot) {
	var last reflect.Value
	if s := ending(model); s != nil && activation(s.Layers[len(s.Layers)-1]) {
		last = reflect.ValueOf(&s.Layers[len(s.Layers)-1])
	}
	visit(model, func(v reflect.Value) {
		if v.Kind() != reflect.Interface || !v.CanSet() || last.IsValid() && v.Addr().Pointer() == last.Pointer() {
			return
		}
		if l, ok := v.Interface().(nn.Layer); ok {
			all = append(all, slot{l, func(l nn.Layer) { v.Set(reflect.ValueOf(l)) }})
		}
	})
	return all
}

// activation reports whether a layer is one of package nn's activations.
func activation(l nn.Layer) bool {
	switch l.(type) {
	case nn.ReLU, nn.ReLU6, *nn.PReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.GELUTanh, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.HardTanh, nn.HardSigmoid, nn.HardSwish, nn.Softplus, nn.Softsign:
		return true
	}
	return false
}

// ending is the chain whose last layer is the model's, or nil if that is not known.
func ending(model nn.Layer) *nn.Sequential {
	s, ok := model.(*nn.Sequential)
	for ok && len(s.Layers) > 0 {
		inner, nested := s.Layers[len(s.Layers)-1].(*nn.Sequential)
		if !nested {
			return s
		}
		s = inner
	}
	return nil
}

// matrices are the linear layers and convolutions of a model, in order.
func matrices(model nn.Layer) (all []matrix) {
	visit(model, func(v reflect.Value) {
		if v.Kind() != reflect.Pointer {
			return
		}
		switch l := v.Interface().(type) {
		case *nn.Linear:
			all = append(all, matrix{l, l.Weight, l.Bias})
		case *nn.Conv:
			all = append(all, matrix{l, l.Weight, l.Bias})
		}
	})
	return all
}

// matrix is a layer with a weight and a bias, which may be nil.
type matrix struct {
	layer        nn.Layer
	weight, bias *tarn.Param
}

// width is the number of units of a linear layer or convolution; 0 for others.
func width(l nn.Layer) int {
	switch l := l.(type) {
	case *nn.Linear:
		return l.Weight.Shape()[0]
	case *nn.Conv:
		return l.Weight.Shape()[0]
	}
	return 0
}
