package expr_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/minimize/expr"
)

// value computes a formula, and the gradients of it by each variable if it is a number.
func value(t *testing.T, e *expr.Expr, at map[string][]float64) (y []float64, grads map[string][]float64) {
	t.Helper()
	g := tarn.NewGraph()
	values := map[string]*tarn.Value{}
	var order []string
	inputs := map[string]*tarn.Tensor{}
	for _, name := range e.Variables() {
		x := at[name]
		inputs[name] = tarn.Vector(x)
		v := g.Input(name, tarn.F64, len(x))
		if len(x) == 1 {
			v = v.Reshape()
		}
		values[name] = v
		order = append(order, name)
	}
	v, err := e.Build(g, values)
	if err != nil {
		t.Fatal(err)
	}
	outputs := tarn.Outputs{"y": v}
	if v.Rank() == 0 {
		var wrt []*tarn.Value
		for _, name := range order {
			wrt = append(wrt, values[name])
		}
		if len(wrt) > 0 {
			for i, d := range tarn.Grad(v, wrt...) {
				outputs["d"+order[i]] = d
			}
		}
	}
	p, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	var in []*tarn.Tensor
	for _, name := range p.Inputs() {
		in = append(in, inputs[name])
	}
	out, err := p.Run(in...)
	if err != nil {
		t.Fatal(err)
	}
	grads = map[string][]float64{}
	for _, name := range order {
		if d := out["d"+name]; d != nil {
			grads[name] = d.Floats()
		}
	}
	return out["y"].Floats(), grads
}

var point = map[string][]float64{"x": {0.7}, "y": {-1.3}, "z": {2.1}, "v": {0.5, -1, 2, 0.25}, "w": {1.5, 0.3, -0.4, 2}}

func TestValues(t *testing.T) {
	x, y := 0.7, -1.3
	for source, want := range map[string][]float64{
		"1 + 2*3":               {7},
		"-2^2":                  {-4},
		"2^3^2":                 {512},
		"2**-1":                 {0.5},
		"8/4/2":                 {1},
		"1 - 2 - 3":             {-4},
		"-x - -y":               {-x + y},
		"2*-x":                  {-2 * x},
		"1.5e2 + .5 + 2E-1":     {150.7},
		"pi*e":                  {math.Pi * math.E},
		"(1-x)^2+100*(y-x^2)^2": {(1-x)*(1-x) + 100*(y-x*x)*(y-x*x)},
		"exp(x)*sin(y)":         {math.Exp(x) * math.Sin(y)},
		"atan2(x, y)":           {math.Atan2(x, y)},
		"min(x, y) + max(x, 1)": {y + 1},
		"v[1:3]":                {-1, 2},
		"v[-2:]":                {2, 0.25},
		"v[:-1]*2":              {1, -2, 4},
		"v[-1]":                 {0.25},
		"v[0] + v":              {1, -0.5, 2.5, 0.75},
		"sum(v) + mean(w)":      {1.75 + 0.85},
		"prod(v)":               {-0.25},
		"dot(v, w)":             {0.75 - 0.3 - 0.8 + 0.5},
		"norm(v)":               {math.Sqrt(0.25 + 1 + 4 + 0.0625)},
		"pad(v[1:2], 1, 2)":     {0, -1, 0, 0},
		"pad(x, 0, 1)":          {x, 0},
		"fill(x, 2)":            {x, x},
		"x^0 + x^1 + x^3 + x^4": {1 + x + x*x*x + x*x*x*x},
		"x^-0.5":                {1 / math.Sqrt(x)},
		"2^x":                   {math.Pow(2, x)},
		" sum( v [ 1 : ] ) ":    {1.25},
		"sigmoid(x)+relu(-x)":   {1 / (1 + math.Exp(-x))},
	} {
		e, err := expr.Parse(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		for _, e := range []*expr.Expr{e, again(t, e)} {
			got, _ := value(t, e, point)
			if len(got) != len(want) {
				t.Errorf("%s is %v, want %v", e, got, want)
				continue
			}
			for i := range got {
				if math.Abs(got[i]-want[i]) > 1e-13*max(1, math.Abs(want[i])) {
					t.Errorf("%s is %v, want %v", e, got, want)
				}
			}
		}
	}
}

// again reads what a formula prints.
func again(t *testing.T, e *expr.Expr) *expr.Expr {
	t.Helper()
	f, err := expr.Parse(e.String())
	if err != nil {
		t.Fatalf("%v is printed so that it cannot be read: %v", e, err)
	}
	return f
}

func TestFormulas(t *testing.T) {
	for _, c := range []struct{ source, by, want string }{
		{"(1-x)^2 + 100*(y-x^2)^2", "x", "2*(x - 1) + 400*(x^2 - y)*x"},
		{"(1-x)^2 + 100*(y-x^2)^2", "y", "200*(y - x^2)"},
		{"x^3", "x", "3*x^2"},
		{"1/x", "x", "-1/x^2"},
		{"sqrt(x)", "x", "1/(2*sqrt(x))"},
		{"exp(-x^2/2)", "x", "-exp(-x^2/2)*x"},
		{"log(x*y)", "x", "1/x"},
		{"x*y/z", "z", "-x*y/z^2"},
		{"sin(x)^2", "x", "2*sin(x)*cos(x)"},
		{"3", "", ""},
		{"x - x", "x", "0"},
		{"2^x", "x", "2^x*log(2)"},
		{"sum(v^2)", "v", "2*v"},
		{"sum(x*v)", "x", "sum(v)"},
		{"sum(v)", "v", "1"},
		{"mean(v)", "v", "0.25"},
		{"norm(v)", "v", "v/norm(v)"},
		{"sum(100*(v[1:]-v[:-1]^2)^2 + (1-v[:-1])^2)", "v",
			"pad(200*(v[1:] - v[:-1]^2), 1, 0) + pad(400*(v[:-1]^2 - v[1:])*v[:-1], 0, 1) + pad(2*(v[:-1] - 1), 0, 1)"},
	} {
		e, err := expr.Parse(c.source)
		if err != nil {
			t.Fatal(err)
		}
		grads, err := e.Grad(map[string]int{"x": expr.Scalar, "y": expr.Scalar, "z": expr.Scalar, "v": 4})
		if err != nil {
			t.Fatal(err)
		}
		if c.by == "" {
			if len(grads) != 0 {
				t.Errorf("%s has the gradients %v", c.source, grads)
			}
			continue
		}
		if got := grads[c.by].String(); got != c.want {
			t.Errorf("d %s / d %s is %s, want %s", c.source, c.by, got, c.want)
		}
	}
}

// The formula of a derivative has the value of the graph's derivative.
func TestFormulasAgainstTheGraph(t *testing.T) {
	sources := []string{
		"x^2*y - y/x + z", "(x+y*z)^3/(1+x^2)", "x^y^2/3 + (x^2)^z", "-(-x - y)*-(x - 2*y)", "x/(y/(z/x))", "1/(x*y)^2", "sqrt(x^2+1)^4 + 1/sqrt(z)",
		"sum((v - x*w)^2) + y*prod(v)", "dot(v*x, sin(w)) * norm(v - w)", "mean(x + v[1:]*w[:-1]) + v[2]*v[-1]^2", "sum(pad(x*v[1:3], 1, 1)*w)",
		"sum(pad(x, 1, 2)*w) ", "dot(fill(x, 4), v) + sum(fill(x*y, 3))", "sum(pad(v, 1, 0)) * x", "sum(v)*sum(w*sum(v*x))", "sum(x) + mean(y)", "norm(x)",
		"sum(100*(v[1:]-v[:-1]^2)^2 + (1-v[:-1])^2)", "sum(v[1:3][1:] * 3)", "x*pi^2*e", "sum(x*y + 0*v)", "dot(x, v) + dot(v, y)",
		"sum(min(v, w)) + sum(max(x, v))", "atan2(y, x) * atan2(x, z)",
		"sum(x*v/v) + prod(v/v*x) + norm(w/w*x) + dot(v/v, w/w*x) + mean(v*x/v)", "sum((v*x/v)[1:]) + sum(pad(w/w*y, 1, 1))",
	}
	for _, f := range expr.Functions() {
		switch f {
		case "atan2", "min", "max", "dot", "pad", "fill":
		default:
			sources = append(sources, "x*sum("+f+"(v*x/3))", "1/(2 + "+f+"(x^2))")
		}
	}
	for _, source := range sources {
		if strings.Contains(source, "log(v") || strings.Contains(source, "sqrt(v") || strings.Contains(source, "log1p(v") {
			source = strings.Replace(source, "(v*x/3)", "(v^2*x/3)", 1)
		}
		e, err := expr.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		sizes := map[string]int{}
		for name, x := range point {
			sizes[name] = len(x)
			if len(x) == 1 {
				sizes[name] = expr.Scalar
			}
		}
		formulas, err := e.Grad(sizes)
		if err != nil {
			t.Fatal(err)
		}
		_, want := value(t, e, point)
		for name, d := range formulas {
			for _, d := range []*expr.Expr{d, again(t, d)} {
				got, _ := value(t, d, point)
				for i, w := range want[name] {
					g := got[min(i, len(got)-1)]
					if math.Abs(g-w) > 1e-11*max(1, math.Abs(w)) || len(got) != 1 && len(got) != len(want[name]) {
						t.Errorf("d %s / d %s = %s is %v, the graph's %v", source, name, d, got, want[name])
						break
					}
				}
			}
		}
	}
}

// At their kinks the norm and roots of what is never below 0 have the gradient 0, and do not spoil that of what they are a part of.
func TestKinks(t *testing.T) {
	at, inf := map[string][]float64{"x": {2}, "z": {0}, "v": {0, 0, 0}, "w": {1, -2, 3}}, math.Inf(1)
	for source, want := range map[string]map[string][]float64{
		"norm(v)":                            {"v": {0, 0, 0}},
		"norm(z)":                            {"z": {0}},
		"norm(v)^2":                          {"v": {0, 0, 0}},
		"x*norm(v) + dot(v, w)":              {"x": {0}, "v": {1, -2, 3}, "w": {0, 0, 0}},
		"norm(v - w + w) + norm(w)":          {"v": {0, 0, 0}, "w": {1 / math.Sqrt(14), -2 / math.Sqrt(14), 3 / math.Sqrt(14)}},
		"exp(norm(v)) + sum(v^3)":            {"v": {0, 0, 0}},
		"sqrt(z^2)":                          {"z": {0}},
		"sqrt(z^2) + 3*z":                    {"z": {3}},
		"(z*z)^(1/2) + sqrt(sum(v^2) + z^4)": {"z": {0}, "v": {0, 0, 0}},
		"sqrt(abs(z)) + abs(z)^0.3 + abs(z)^(1/3)": {"z": {0}},
		"sqrt(dot(v, v)*x^2)":                      {"v": {0, 0, 0}, "x": {0}},
		"sqrt((z - x + 2)^2)*x":                    {"z": {0}, "x": {0}},
		"sqrt(z)":                                  {"z": {inf}},
		"sqrt(z*x)":                                {"z": {inf}, "x": {math.NaN()}},
		"(z^3)^0.5":                                {"z": {math.NaN()}},
		"x^(1/2)":                                  {"x": {1 / math.Sqrt(8)}},
		"x^(3-1)":                                  {"x": {4}},
		"norm(z/z)":                                {"z": {math.NaN()}},
	} {
		e, err := expr.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		_, grads := value(t, e, at)
		for name, w := range want {
			for i := range w {
				if g := grads[name]; len(g) != len(w) || !(math.Abs(g[i]-w[i]) < 1e-14) && g[i] != w[i] && !(math.IsNaN(g[i]) && math.IsNaN(w[i])) {
					t.Errorf("the gradient of %s with respect to %s is %v, want %v", source, name, g, w)
					break
				}
			}
		}
	}
}

func TestElementwise(t *testing.T) {
	for text, want := range map[string]bool{
		"a*x + 1": true, "2": true, "exp(-x)*sin(pi*x) + max(x, y)": true, "sum(x)": false, "a + x*mean(x)": false, "x[1:]": false, "x[0]*y": false,
		"pad(x, 1, 0)": false, "x*fill(a, 3)": false,
	} {
		e, err := expr.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Elementwise(); got != want {
			t.Errorf("Elementwise of %s is %v", text, got)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		source, problem string
		at              int
	}{
		{"", "empty", 0},
		{"  ", "empty", 0},
		{"1 +", "ends where a number", 3},
		{"(1-x", "not closed", 0},
		{"x*(1-(y+2)", "not closed", 2},
		{"1-x)", "closes nothing", 3},
		{"2x", "a product is written with *", 1},
		{"2 (x)", "a product is written with *", 2},
		{"x y", `missing before 'y'`, 2},
		{"x ? y", "'?' stands where an operator", 2},
		{"*x", "'*' stands where a number", 0},
		{"foo(x)", `no function "foo"`, 0},
		{"1 + sin", "sin is a function", 4},
		{"e(x)", "e is a number", 1},
		{"sin()", "takes 1 arguments", 0},
		{"sin(x, y)", "takes 1 arguments", 0},
		{"atan2(x)", "takes 2", 0},
		{"sin(x", "not closed", 3},
		{"sin(x;y)", "';' stands", 5},
		{"1.2.3", "no number", 0},
		{"1e999", "no number", 0},
		{"v[", "ends where an index", 2},
		{"v[1", `"]"`, 3},
		{"v[x]", "an index", 2},
		{"v[::2]", "stride", 3},
		{"v[99999999999999999999]", "too large", 2},
		{"x[1]", "a number has no parts", 1},
		{"v[4]", "no element 4", 1},
		{"v[-5]", "no element -5", 1},
		{"v[2:9]", "not within the 4 elements", 1},
		{"v[1:] + v", "3 and 4 elements", 6},
		{"1 + q", "variable q has no value", 4},
		{"pad(v, x, 1)", "whole number", 7},
		{"fill(v, 2)", "not a vector", 0},
		{"ü + ?", "'?' stands", 5},
		{strings.Repeat("(", 2000) + "x", "nested too deeply", 250},
		{"x" + strings.Repeat("+x", 2000), "operators in a row", 1001},
		{strings.Repeat("-", 2000) + "x", "nested too deeply", 499},
		{"\xff", "UTF-8", 0},
		{strings.Repeat("x", 70000), "longer than", 0},
	} {
		e, err := expr.Parse(c.source)
		if err == nil {
			_, err = e.Build(tarn.NewGraph(), values(e))
		}
		var mistake *expr.Error
		if !errors.As(err, &mistake) {
			t.Errorf("%.40q: %v, want an *Error", c.source, err)
			continue
		}
		if !strings.Contains(mistake.Problem, c.problem) || mistake.At != c.at {
			t.Errorf("%.40q: %d %q, want %d %q", c.source, mistake.At, mistake.Problem, c.at, c.problem)
		}
	}
	_, err := expr.Parse("ü + 2 x")
	if want := "expr: an operator is missing before 'x'; a product is written with *\n  ü + 2 x\n        ^"; err == nil || err.Error() != want {
		t.Errorf("the error is\n%v\nwant\n%s", err, want)
	}
	e, err := expr.Parse("v*2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Grad(map[string]int{"v": 3}); err == nil || !strings.Contains(err.Error(), "vector of 3") {
		t.Errorf("the gradient of a vector: %v", err)
	}
}

// values returns those of the variables of point.
func values(e *expr.Expr) map[string]*tarn.Value {
	g := tarn.NewGraph()
	v := map[string]*tarn.Value{}
	for name, x := range point {
		v[name] = g.Input(name, tarn.F64, len(x))
		if len(x) == 1 {
			v[name] = v[name].Reshape()
		}
	}
	return v
}

// FuzzParse looks for formulas that panic or print what cannot be read.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"(1-x)^2", "v[1:-2]", "-x^-y**2", "atan2(x,1e-3)", "pad(v,1,2)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := expr.Parse(source)
		if err != nil {
			return
		}
		if _, err := expr.Parse(e.String()); err != nil {
			t.Errorf("%q prints %q: %v", source, e, err)
		}
	})
}
