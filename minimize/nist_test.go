package minimize_test

import (
	"archive/zip"
	"bufio"
	"context"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/minimize/expr"
)

// models are the formulas of the nonlinear sets, in the order of their difficulty as NIST sees it.
var models = []struct{ name, response, formula string }{
	{"Misra1a", "y", "b1*(1-exp(-b2*x))"},
	{"Chwirut2", "y", "exp(-b1*x)/(b2+b3*x)"},
	{"Chwirut1", "y", "exp(-b1*x)/(b2+b3*x)"},
	{"Lanczos3", "y", "b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"},
	{"Gauss1", "y", "b1*exp(-b2*x) + b3*exp(-(x-b4)^2/b5^2) + b6*exp(-(x-b7)^2/b8^2)"},
	{"Gauss2", "y", "b1*exp(-b2*x) + b3*exp(-(x-b4)^2/b5^2) + b6*exp(-(x-b7)^2/b8^2)"},
	{"DanWood", "y", "b1*x^b2"},
	{"Misra1b", "y", "b1*(1-(1+b2*x/2)^-2)"},
	{"Kirby2", "y", "(b1 + b2*x + b3*x^2)/(1 + b4*x + b5*x^2)"},
	{"Hahn1", "y", "(b1+b2*x+b3*x^2+b4*x^3)/(1+b5*x+b6*x^2+b7*x^3)"},
	{"Nelson", "log(y)", "b1 - b2*x1*exp(-b3*x2)"},
	{"MGH17", "y", "b1 + b2*exp(-x*b4) + b3*exp(-x*b5)"},
	{"Lanczos1", "y", "b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"},
	{"Lanczos2", "y", "b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"},
	{"Gauss3", "y", "b1*exp(-b2*x) + b3*exp(-(x-b4)^2/b5^2) + b6*exp(-(x-b7)^2/b8^2)"},
	{"Misra1c", "y", "b1*(1-(1+2*b2*x)^-0.5)"},
	{"Misra1d", "y", "b1*b2*x/(1+b2*x)"},
	{"Roszman1", "y", "b1 - b2*x - atan(b3/(x-b4))/pi"},
	{"ENSO", "y", "b1 + b2*cos(2*pi*x/12) + b3*sin(2*pi*x/12) + b5*cos(2*pi*x/b4) + b6*sin(2*pi*x/b4) + b8*cos(2*pi*x/b7) + b9*sin(2*pi*x/b7)"},
	{"MGH09", "y", "b1*(x^2+x*b2)/(x^2+x*b3+b4)"},
	{"Thurber", "y", "(b1 + b2*x + b3*x^2 + b4*x^3)/(1 + b5*x + b6*x^2 + b7*x^3)"},
	{"BoxBOD", "y", "b1*(1-exp(-b2*x))"},
	{"Rat42", "y", "b1/(1+exp(b2-b3*x))"},
	{"MGH10", "y", "b1*exp(b2/(x+b3))"},
	{"Eckerle4", "y", "b1/b2*exp(-0.5*((x-b3)/b2)^2)"},
	{"Rat43", "y", "b1/(1+exp(b2-b3*x))^(1/b4)"},
	{"Bennett5", "y", "b1*(b2+x)^(-1/b3)"},
}

// dataset is a file of NIST's.
type dataset struct {
	level             string
	starts            [2][]float64
	certified, errors []float64
	rss               float64
	columns           map[string][]float64
}

var (
	level       = regexp.MustCompile(`(\w+) Level of Difficulty`)
	coefficient = regexp.MustCompile(`^\s*[bB]\d+\s+(=\s+)?([-+.\dE].*)$`)
	heading     = regexp.MustCompile(`^Data:\s+(y\s+x.*)$`)
)

// datasets reads the sets of a kind.
func datasets(t *testing.T, kind string) map[string]*dataset {
	t.Helper()
	archive, err := zip.OpenReader("testdata/nist.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	sets := map[string]*dataset{}
	for _, f := range archive.File {
		if path.Dir(f.Name) != kind {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		d := &dataset{columns: map[string][]float64{}}
		var names []string
		for lines := bufio.NewScanner(r); lines.Scan(); {
			line := strings.TrimRight(lines.Text(), " \r")
			if m := level.FindStringSubmatch(line); m != nil {
				d.level = m[1]
			}
			if rest, ok := strings.CutPrefix(line, "Residual Sum of Squares:"); ok {
				d.rss = numbers(t, rest)[0]
			}
			if m := coefficient.FindStringSubmatch(line); m != nil && names == nil {
				v := numbers(t, m[2])
				if kind == "nonlinear" {
					d.starts[0], d.starts[1] = append(d.starts[0], v[0]), append(d.starts[1], v[1])
					v = v[2:]
				}
				d.certified, d.errors = append(d.certified, v[0]), append(d.errors, v[1])
			}
			if m := heading.FindStringSubmatch(line); m != nil {
				names = strings.Fields(m[1])
			} else if names != nil && strings.TrimSpace(line) != "" {
				for i, v := range numbers(t, line) {
					d.columns[names[i]] = append(d.columns[names[i]], v)
				}
			}
		}
		sets[strings.TrimSuffix(path.Base(f.Name), ".dat")] = d
	}
	return sets
}

func numbers(t *testing.T, text string) (v []float64) {
	for _, field := range strings.Fields(text) {
		x, err := strconv.ParseFloat(field, 64)
		if err != nil {
			t.Fatal(err)
		}
		v = append(v, x)
	}
	return v
}

// residualsOf makes the residuals of a model as a graph.
func residualsOf(t *testing.T, d *dataset, response, formula string) *minimize.Graph {
	t.Helper()
	g := tarn.NewGraph()
	values, inputs := map[string]*tarn.Value{}, minimize.Inputs{}
	for name, column := range d.columns {
		inputs[name] = tarn.Vector(column)
		values[name] = g.Input(name, tarn.F64, len(column))
	}
	var params []*tarn.Param
	for i := range d.certified {
		p := tarn.NewParam(tarn.F64, nil)
		params = append(params, p)
		values[fmt.Sprintf("b%d", i+1)] = p.Value(g)
	}
	e, err := expr.Parse(formula + " - " + response)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Build(g, values)
	if err != nil {
		t.Fatal(err)
	}
	problem, err := minimize.FromResiduals(r, params, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return problem
}

// digits is how many digits of the certified values are right, in the worst of them.
func digits(got, certified []float64) float64 {
	worst := 16.0
	for i, c := range certified {
		if err := math.Abs(got[i]-c) / math.Abs(c); err > 0 || math.IsNaN(err) {
			worst = min(worst, -math.Log10(err))
		}
	}
	return worst
}

func TestNISTNonlinear(t *testing.T) {
	sets := datasets(t, "nonlinear")
	if len(sets) != 27 || len(models) != 27 {
		t.Fatalf("%d sets and %d models, want 27", len(sets), len(models))
	}
	for _, m := range models {
		d := sets[m.name]
		g := residualsOf(t, d, m.response, m.formula)
		want := 6.0
		if d.level == "Higher" {
			want = 4
		}
		for i, start := range d.starts {
			res, err := minimize.Run(context.Background(), g.Problem(), start, &minimize.LevenbergMarquardt{}, minimize.Options{})
			if err != nil {
				t.Fatal(err)
			}
			n := digits(res.X, d.certified)
			t.Logf("%-8s %-7s start %d: %.1f digits; %v", m.name, d.level, i+1, n, res)
			if !(n >= want) {
				t.Errorf("%s, start %d: %.1f digits, want %v: %v", m.name, i+1, n, want, res)
			}
			if !res.Converged() {
				t.Errorf("%s, start %d: %v", m.name, i+1, res)
			}
			// The certified sums of the sets made without noise have no digits: they are rounding.
			if rss := digits([]float64{2 * res.F}, []float64{d.rss}); rss < 9 && m.name != "Lanczos1" {
				t.Errorf("%s, start %d: %.1f digits of the sum of squares %v", m.name, i+1, rss, d.rss)
			}
			fit, err := minimize.NewFit(g.Problem(), res.X)
			if err != nil {
				t.Fatal(err)
			}
			if n := digits(fit.Errors, d.errors); n < min(want, 5) && m.name != "Lanczos1" {
				t.Errorf("%s, start %d: %.1f digits of the standard errors %v, want %v", m.name, i+1, n, fit.Errors, d.errors)
			}
		}
	}
}

// TestRankByDifferences fits with Jacobians by differences: the data fix all parameters, unless one is there twice.
func TestRankByDifferences(t *testing.T) {
	sets := datasets(t, "nonlinear")
	for _, m := range models {
		d := sets[m.name]
		exact := residualsOf(t, d, m.response, m.formula).Problem()
		n := len(d.certified)
		for _, c := range []struct {
			x    []float64
			rank int
			p    minimize.Problem
		}{
			{d.certified, n, minimize.Problem{Count: exact.Count, Residuals: exact.Residuals}},
			{append(slices.Clone(d.certified), 0), n, minimize.Problem{Count: exact.Count, Residuals: func(dst, x []float64) {
				y := slices.Clone(x[:n])
				y[0] += x[n] * math.Abs(d.certified[0])
				exact.Residuals(dst, y)
			}}},
		} {
			fit, err := minimize.NewFit(c.p, c.x)
			if err != nil {
				t.Fatal(err)
			}
			if fit.Rank != c.rank {
				t.Errorf("%s, %d parameters: the rank is %d, want %d", m.name, len(c.x), fit.Rank, c.rank)
			}
			if len(c.x) > n {
				if !math.IsInf(fit.Errors[n], 1) {
					t.Errorf("%s: the standard error of a parameter that is there twice is %v", m.name, fit.Errors[n])
				}
				continue
			}
			if right := digits(fit.Errors, d.errors); right < 3 && m.name != "Lanczos1" {
				t.Errorf("%s: %.1f digits of the standard errors %v, want %v", m.name, right, fit.Errors, d.errors)
			}
		}
	}
}

func norm(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s = math.Hypot(s, v)
	}
	return s
}

// linear are the columns that the linear sets are fitted with: powers of x, or Longley's own.
var linear = []struct {
	name         string
	powers       []int
	want, errors float64 // digits of the coefficients and their standard errors
}{
	{"Norris", []int{0, 1}, 9, 9},
	{"Pontius", []int{0, 1, 2}, 9, 9},
	{"NoInt1", []int{1}, 9, 9},
	{"NoInt2", []int{1}, 9, 9},
	{"Filip", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 6, 6},
	{"Longley", nil, 9, 9},
	{"Wampler1", []int{0, 1, 2, 3, 4, 5}, 9, 0},
	{"Wampler2", []int{0, 1, 2, 3, 4, 5}, 9, 0},
	{"Wampler3", []int{0, 1, 2, 3, 4, 5}, 9, 9},
	{"Wampler4", []int{0, 1, 2, 3, 4, 5}, 9, 9},
	{"Wampler5", []int{0, 1, 2, 3, 4, 5}, 9, 9},
}

func TestNISTLinear(t *testing.T) {
	sets := datasets(t, "linear")
	if len(sets) != len(linear) {
		t.Fatalf("%d sets, want %d", len(sets), len(linear))
	}
	for _, c := range linear {
		d := sets[c.name]
		var a []float64
		for i := range d.columns["y"] {
			for _, p := range c.powers {
				v := 1.0
				for range p {
					v *= d.columns["x"][i]
				}
				a = append(a, v)
			}
			if c.powers == nil {
				a = append(a, 1)
				for k := range 6 {
					a = append(a, d.columns[fmt.Sprintf("x%d", k+1)][i])
				}
			}
		}
		fit, err := minimize.LinearLeastSquares(a, len(d.certified), d.columns["y"])
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		n, e := digits(fit.X, d.certified), digits(fit.Errors, d.errors)
		t.Logf("%-8s %.1f digits, of the errors %.1f", c.name, n, e)
		if n < c.want {
			t.Errorf("%s: %.1f digits, want %v", c.name, n, c.want)
		}
		if c.errors == 0 { // the data lie on the curve
			e = -math.Log10(fit.Deviation / norm(d.columns["y"]))
		}
		if e < min(max(c.errors, 6), 9) {
			t.Errorf("%s: %.1f digits of the standard errors, want %v", c.name, e, c.errors)
		}
	}
}
