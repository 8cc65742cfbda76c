package tarn_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file checks that the table is complete, by reading the package's source: whatever gives a Value has a case, and
// every op type and scalar function occurs in some case.

var (
	// notOps are the op type that stands for a mistake, that of the inputs, which every case has, and that of sums over shards, which a graph without shards
	// has none of: see TestSumShards.
	notOps = map[string]bool{"failedOp": true, "inputOp": true, "sumShardsOp": true}
	// everywhere are the functions that every case goes through, and those that return what they were given.
	everywhere = map[string]bool{"Graph.Input": true, "Graph.Fail": true, "Update.Value": true, "WithCount": true, "Count": true}
)

func TestTableIsComplete(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range opCases {
		covered[c.op] = true
	}
	api, ops := sources(t)
	for name, place := range api {
		if !covered[name] && !everywhere[name] {
			t.Errorf("%v: %s gives a Value and has no case in the op table", place, name)
		}
	}
	for name := range covered {
		if _, ok := api[name]; !ok {
			t.Errorf("the op table has a case for %s, which does not exist", name)
		}
	}

	types, functions := map[string]bool{}, map[string]bool{}
	for _, c := range opCases {
		g := tarn.NewGraph()
		var in []*tarn.Value
		for i, o := range c.in {
			in = append(in, g.Const(o.draw(rand.New(rand.NewPCG(1, 1)), c.types()[0], c.shapes[0][i])))
		}
		y := c.build(in...)
		if y.DType().IsFloat() {
			tarn.JVP(y, []*tarn.Value{y}, []*tarn.Value{y})
			for _, d := range tarn.Grad(y.Square().Sum(), floats(in)...) {
				tarn.Grad(d.Square().Sum(), floats(in)...)
			}
		}
		ts, fs := tarn.OpTypes(g)
		for _, name := range ts {
			types[name] = true
		}
		for _, name := range fs {
			functions[name] = true
		}
	}
	for name, place := range ops {
		if !types[name] && !notOps[name] {
			t.Errorf("%v: the op type %s occurs in no case of the op table", place, name)
		}
	}
	for _, name := range tarn.ScalarFunctions() {
		if !functions[name] && name != "MulAdd" { // it is made by the compiler only
			t.Errorf("the scalar function %s occurs in no case of the op table", name)
		}
	}
}

func floats(in []*tarn.Value) []*tarn.Value {
	var out []*tarn.Value
	for _, v := range in {
		if v.DType().IsFloat() {
			out = append(out, v)
		}
	}
	return out
}

// sources reads the package: what gives a *Value or several, by the names that cases use, and the types with a gradient rule, the ops.
func sources(t *testing.T) (api, ops map[string]token.Position) {
	api, ops = map[string]token.Position{}, map[string]token.Position{}
	files := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			receiver := receiverName(fn)
			if fn.Name.Name == "grad" {
				ops[receiver] = files.Position(fn.Pos())
			}
			if !fn.Name.IsExported() || !givesValue(fn) {
				continue
			}
			switch receiver {
			case "":
				api["func "+fn.Name.Name] = files.Position(fn.Pos())
			case "Value":
				api[fn.Name.Name] = files.Position(fn.Pos())
			default:
				api[receiver+"."+fn.Name.Name] = files.Position(fn.Pos())
			}
		}
	}
	return api, ops
}

func receiverName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	e := fn.Recv.List[0].Type
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// givesValue reports whether a result is a *Value or a slice of them.
func givesValue(fn *ast.FuncDecl) bool {
	if fn.Type.Results == nil {
		return false
	}
	for _, r := range fn.Type.Results.List {
		e := r.Type
		if s, ok := e.(*ast.ArrayType); ok {
			e = s.Elt
		}
		if star, ok := e.(*ast.StarExpr); ok {
			if id, ok := star.X.(*ast.Ident); ok && id.Name == "Value" {
				return true
			}
		}
	}
	return false
}
