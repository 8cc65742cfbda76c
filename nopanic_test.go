package tarn_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file calls everything exported with arguments that make no sense: nil, zero values, unknown dtypes, impossible shapes, and values
// that failed or belong to other graphs. Nothing panics, and a failed value comes with an error that names the place.

// functions are the exported functions, a generic one with the types that it is used with.
var functions = map[string][]any{
	"Assign": {tarn.Assign}, "Cast": {tarn.Cast}, "Checkpoint": {tarn.Checkpoint}, "Compile": {tarn.Compile}, "CompileOn": {tarn.CompileOn}, "OpenEngine": {tarn.OpenEngine}, "RegisterEngine": {tarn.RegisterEngine}, "Upload": {tarn.Upload}, "Use": {tarn.Use}, "Kernels": {tarn.Kernels}, "Concat": {tarn.Concat}, "Cond": {tarn.Cond},
	"Einsum": {tarn.Einsum}, "Embedding": {tarn.Embedding}, "FromSlice": {tarn.FromSlice[float32], tarn.FromSlice[bool]},
	"GNVP": {tarn.GNVP[*tarn.Value], tarn.GNVP[*tarn.Param], tarn.GNVP[tarn.Operand]},
	"Grad": {tarn.Grad[*tarn.Value], tarn.Grad[*tarn.Param], tarn.Grad[tarn.Operand]}, "Graphviz": {tarn.Graphviz},
	"HVP": {tarn.HVP[*tarn.Value], tarn.HVP[*tarn.Param], tarn.HVP[tarn.Operand]}, "Hessian": {tarn.Hessian},
	"HessianDiagonal":    {tarn.HessianDiagonal[*tarn.Value], tarn.HessianDiagonal[*tarn.Param], tarn.HessianDiagonal[tarn.Operand]},
	"HutchinsonDiagonal": {tarn.HutchinsonDiagonal[*tarn.Value], tarn.HutchinsonDiagonal[*tarn.Param], tarn.HutchinsonDiagonal[tarn.Operand]},
	"Guard":              {tarn.Guard}, "Look": {tarn.Look}, "Implicit": {tarn.Implicit},
	"Init": {tarn.Init}, "JVP": {tarn.JVP[*tarn.Value], tarn.JVP[*tarn.Param], tarn.JVP[tarn.Operand]}, "Jacobian": {tarn.Jacobian},
	"KroneckerFactors": {tarn.KroneckerFactors}, "LossForm": {tarn.LossForm}, "NewGraph": {tarn.NewGraph}, "NewParam": {tarn.NewParam}, "NewRandom": {tarn.NewRandom}, "NewState": {tarn.NewState}, "NewTensor": {tarn.NewTensor},
	"ParamOf": {tarn.ParamOf}, "Params": {tarn.Params}, "Scalar": {tarn.Scalar[float64]}, "Scan": {tarn.Scan}, "Sprint": {tarn.Sprint}, "Summary": {tarn.Summary}, "Stack": {tarn.Stack},
	"Substitute": {tarn.Substitute[*tarn.Value], tarn.Substitute[*tarn.Param], tarn.Substitute[tarn.Operand]},
	"Depends":    {tarn.Depends[*tarn.Value], tarn.Depends[*tarn.Param], tarn.Depends[tarn.Operand]},
	"VMap":       {tarn.VMap},
	"VJP":        {tarn.VJP[*tarn.Value], tarn.VJP[*tarn.Param], tarn.VJP[tarn.Operand]}, "Vector": {tarn.Vector[int32]}, "While": {tarn.While},
	"WithGradient": {tarn.WithGradient[*tarn.Value], tarn.WithGradient[*tarn.Param], tarn.WithGradient[tarn.Operand]}, "Zeros": {tarn.Zeros},
}

// nilReceivers are those types whose methods may be called on nil. The others are what Tarn returns, or have no graph to record a mistake in.
var nilReceivers = map[string]bool{"Value": true, "Graph": true, "Param": true, "ParamSet": true, "Program": true}

// receivers are the exported types with methods.
var receivers = map[string]reflect.Type{
	"Value": reflect.TypeFor[*tarn.Value](), "Graph": reflect.TypeFor[*tarn.Graph](), "Param": reflect.TypeFor[*tarn.Param](), "ParamSet": reflect.TypeFor[*tarn.ParamSet](), "Program": reflect.TypeFor[*tarn.Program](),
	"Tensor": reflect.TypeFor[*tarn.Tensor](), "Random": reflect.TypeFor[*tarn.Random](), "DType": reflect.TypeFor[tarn.DType](),
	"KroneckerLayer": reflect.TypeFor[*tarn.KroneckerLayer](), "Diagnostic": reflect.TypeFor[*tarn.Diagnostic](), "GraphError": reflect.TypeFor[*tarn.GraphError](), "Update": reflect.TypeFor[tarn.Update](), "ModelSummary": reflect.TypeFor[*tarn.ModelSummary](),
	"NonFiniteError": reflect.TypeFor[*tarn.NonFiniteError](), "Origin": reflect.TypeFor[*tarn.Origin](),
	"MemoryUse": reflect.TypeFor[tarn.MemoryUse](), "Precision": reflect.TypeFor[tarn.Precision](),
}

func TestNothingPanics(t *testing.T) {
	calls := map[string]reflect.Value{}
	for name, fs := range functions {
		for i, f := range fs {
			calls[fmt.Sprint(name, " ", i)] = reflect.ValueOf(f)
		}
	}
	for name, typ := range receivers {
		for i := range typ.NumMethod() {
			calls[name+"."+typ.Method(i).Name] = typ.Method(i).Func
		}
	}
	for name, f := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draws := uint64(150)
			if testing.Short() {
				draws = 30
			}
			for seed := range draws {
				tryCall(t, name, f, seed)
			}
		})
	}
}

// TestNothingPanicsIsComplete fails if something exported has no row above.
func TestNothingPanicsIsComplete(t *testing.T) {
	for _, p := range modulePackages(t, token.NewFileSet()) {
		if p.path() != "." {
			continue
		}
		for _, file := range p.files {
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || !f.Name.IsExported() {
					continue
				}
				if f.Recv == nil {
					if functions[f.Name.Name] == nil {
						t.Errorf("the function %s is not called with bad arguments", f.Name.Name)
					}
					continue
				}
				typ := f.Recv.List[0].Type
				if star, ok := typ.(*ast.StarExpr); ok {
					typ = star.X
				}
				if name := typ.(*ast.Ident).Name; ast.IsExported(name) && receivers[name] == nil {
					t.Errorf("the method %s.%s is not called with bad arguments", name, f.Name.Name)
				}
			}
		}
	}
}

// tryCall calls f with arguments drawn by a seed: at seed 0 all are zero values.
func tryCall(t *testing.T, name string, f reflect.Value, seed uint64) {
	h := newHostile(seed)
	h.tensors = strings.HasPrefix(name, "Tensor.") || strings.HasPrefix(name, "Random.")
	var in []reflect.Value
	for i := range f.Type().NumIn() {
		typ := f.Type().In(i)
		v := reflect.Zero(typ)
		if seed > 0 || h.tensors || typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Struct && receivers[typ.Elem().Name()] != nil && !nilReceivers[typ.Elem().Name()] {
			v = h.draw(typ, 0)
		}
		in = append(in, v)
	}
	describe := fmt.Sprintf("seed %d:", seed)
	for _, v := range in {
		describe += fmt.Sprintf(" %v", v)
	}
	defer func() {
		if r := recover(); r != nil {
			// Tensors are used as slices are, and say what is wrong.
			if s, ok := r.(string); ok && strings.HasPrefix(s, "tarn") && (h.tensors || name == "Zeros 0") {
				return
			}
			t.Fatalf("%s panics: %v", describe, r)
		}
	}()
	call := f.Call
	if f.Type().IsVariadic() {
		call = f.CallSlice
	}
	for _, out := range call(in) { // here
		values, ok := out.Interface().([]*tarn.Value)
		if v, one := out.Interface().(*tarn.Value); one {
			values, ok = []*tarn.Value{v}, v != nil
		}
		for _, v := range values {
			if ok && v != nil && strings.HasPrefix(tarn.Sprint(v), "%-1 ") {
				checkFailed(t, describe, v)
			}
		}
	}
}

// checkFailed checks that a failed value is an error of Compile, which names the place.
func checkFailed(t *testing.T, describe string, v *tarn.Value) {
	_, err := tarn.Compile(v.Graph(), tarn.Outputs{"v": v})
	if err == nil || !strings.Contains(err.Error(), "nopanic_test.go:") || strings.Contains(err.Error(), "unknown place") {
		t.Fatalf("%s fails and the report is %v", describe, err)
	}
}

// hostile draws arguments.
type hostile struct {
	r       *rand.Rand
	g, h    *tarn.Graph
	values  []*tarn.Value
	params  []*tarn.Param
	tensors bool // all tensors are as a constructor makes them
}

func newHostile(seed uint64) *hostile {
	h := &hostile{r: rand.New(rand.NewPCG(seed, 7)), g: tarn.NewGraph(), h: tarn.NewGraph()}
	h.params = []*tarn.Param{nil, {}, tarn.NewParam(tarn.F32, nil, 3, 3), tarn.NewParam(tarn.DType(99), nil), tarn.NewState(tarn.F64, nil, -1), tarn.NewParam(tarn.F64, nil)}
	x := h.g.Input("x", tarn.F32, 3, 3)
	h.values = []*tarn.Value{nil, {}, x, x, x.Square().Sum(), h.params[2].Value(h.g), h.g.Input("n", tarn.I32, 2), h.g.Input("image", tarn.F32, 1, 4, 4, 2),
		h.g.Num(tarn.F64, 2), h.g.Iota(tarn.I64, 0, 3).Eq(tarn.Num(1)), h.h.Input("other", tarn.F32, 3, 3), (*tarn.Value)(nil).Sin(), h.g.Input("empty", tarn.F32, 0, 3), h.g.Input("short", tarn.BF16, 3, 3)}
	if seed%3 == 0 {
		h.values = append(h.values, x.Reshape(7), h.h.Input("other", tarn.F32, 5)) // failed
	}
	return h
}

func pick[T any](h *hostile, of ...T) reflect.Value {
	return reflect.ValueOf(&of[h.r.IntN(len(of))]).Elem()
}

func (h *hostile) draw(typ reflect.Type, depth int) reflect.Value {
	switch typ {
	case reflect.TypeFor[*tarn.Value]():
		return pick(h, h.values...)
	case reflect.TypeFor[*tarn.Graph]():
		return pick(h, nil, &tarn.Graph{}, h.g, h.h)
	case reflect.TypeFor[*tarn.Param]():
		return pick(h, h.params...)
	case reflect.TypeFor[*tarn.Tensor]():
		if !h.tensors && h.r.IntN(2) == 0 {
			return pick(h, nil, &tarn.Tensor{})
		}
		return pick(h, tarn.Zeros(tarn.F64, 2, 2), tarn.Zeros(tarn.I32), tarn.Zeros(tarn.Bool, 0))
	case reflect.TypeFor[*tarn.Random]():
		return reflect.ValueOf(tarn.NewRandom(1, "x"))
	case reflect.TypeFor[*tarn.Program]():
		p, _ := tarn.Compile(h.g, tarn.Outputs{"x": h.values[2]})
		return pick(h, nil, &tarn.Program{}, p)
	case reflect.TypeFor[tarn.DType]():
		return pick(h, tarn.DType(99), tarn.Bool, tarn.I32, tarn.F32, tarn.F64, tarn.BF16, tarn.F16)
	case reflect.TypeFor[tarn.Precision]():
		return pick(h, tarn.Precision(99), tarn.PrecisionF32, tarn.PrecisionBF16)
	case reflect.TypeFor[tarn.Operand]():
		return pick[tarn.Operand](h, nil, (*tarn.Value)(nil), (*tarn.Param)(nil), h.values[2], h.values[len(h.values)-1], h.params[2], h.params[1], tarn.Num(0.5), tarn.Num(math.NaN()))
	case reflect.TypeFor[tarn.Update]():
		return reflect.ValueOf(tarn.Assign(h.draw(reflect.TypeFor[*tarn.Param](), 0).Interface().(*tarn.Param), h.draw(reflect.TypeFor[*tarn.Value](), 0).Interface().(*tarn.Value)))
	case reflect.TypeFor[any]():
		return pick[any](h, nil, 3, &struct{ P *tarn.Param }{h.params[1]}, &struct{ P *tarn.Param }{}, &struct{ P *tarn.Param }{h.params[3]}, []any{h.params[2]})
	}
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, 0, 1, 1, 2, 3, -1, -2, math.MinInt64, 1 << 62}[h.r.IntN(10)])
	case reflect.Float64:
		v.SetFloat([]float64{0, 1, -1, 0.5, math.NaN(), math.Inf(1)}[h.r.IntN(6)])
	case reflect.Bool:
		v.SetBool(h.r.IntN(2) == 0)
	case reflect.String:
		v.SetString([]string{"", "x", "ij,jk->ik", "ij->"}[h.r.IntN(4)])
	case reflect.Slice:
		if n := h.r.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(typ, n, n))
			for i := range n {
				v.Index(i).Set(h.draw(typ.Elem(), depth+1))
			}
		}
	case reflect.Map:
		if typ == reflect.TypeFor[tarn.Outputs]() && h.r.IntN(3) > 0 {
			v.Set(reflect.ValueOf(tarn.Outputs{"y": h.draw(typ.Elem(), depth+1).Interface().(*tarn.Value)}))
		}
	case reflect.Struct:
		for i := range typ.NumField() {
			if typ.Field(i).IsExported() {
				v.Field(i).Set(h.draw(typ.Field(i).Type, depth+1))
			}
		}
	case reflect.Pointer: // to what Tarn returns
		if depth < 6 {
			v.Set(reflect.New(typ.Elem()))
			v.Elem().Set(h.draw(typ.Elem(), depth+1))
		}
	case reflect.Func:
		if h.r.IntN(3) > 0 { // a function that returns what it draws, or what it is given
			v.Set(reflect.MakeFunc(typ, func(args []reflect.Value) []reflect.Value {
				var out []reflect.Value
				for i := range typ.NumOut() {
					r := h.draw(typ.Out(i), depth+1)
					if i < len(args) && args[i].Type() == typ.Out(i) && h.r.IntN(2) == 0 {
						r = args[i]
					}
					out = append(out, r)
				}
				return out
			}))
		}
	}
	return v
}
