package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/decimal"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/minimize/contour"
)

// This file holds minimize: the minimum of a formula.

// minimizeCommand has the arguments of minimize.
type minimizeCommand struct {
	Expr       string  `arg:"" name:"formula" help:"A formula, as in \"(1-x)^2 + 100*(y-x^2)^2\", or with vectors \"sum(100*(x[1:]-x[:-1]^2)^2 + (1-x[:-1])^2)\"."`
	Start      string  `required:"" placeholder:"x=-1.2,y=1" help:"Where to begin; a vector is x=[1,2,3]."`
	Dim        string  `placeholder:"x=1000" help:"Lengths of vectors; the given values are repeated."`
	Method     string  `placeholder:"METHOD" help:"One or more of gd, cg, bfgs, lbfgs, lbfgsb, newton, newton-cg, adam, multistart, basinhopping, separated by commas; lbfgs by default, or lbfgsb with --bounds."`
	Bounds     string  `placeholder:"x=0:1,y=:2" help:"Bounds that x stays within, for lbfgsb, multistart and basinhopping."`
	Tolerance  float64 `default:"1e-6" help:"Largest element of the gradient at a minimum; if the function is in small units, relative to the largest on the way."`
	Iterations int     `default:"10000" help:"Maximum number of iterations."`
	Rate       float64 `default:"0.01" help:"Learning rate of adam."`
	Seed       uint64  `default:"1" help:"Seed of multistart and basinhopping."`
	Plot       string  `placeholder:"FILE.png" help:"Draw the contours of a function of two numbers, and the path of each method."`
	Quiet      bool    `help:"Print only the result."`
}

// methodNames are what --method takes.
var methodNames = []string{"gd", "cg", "bfgs", "lbfgs", "lbfgsb", "newton", "newton-cg", "adam", "multistart", "basinhopping"}

// boundedMethods are those that keep --bounds.
var boundedMethods = []string{"lbfgsb", "multistart", "basinhopping"}

// Validate checks the flags; kong calls it.
func (c *minimizeCommand) Validate() error {
	bounded := strings.TrimSpace(c.Bounds) != ""
	names := map[string]bool{}
	for _, name := range c.methods() {
		if !slices.Contains(methodNames, name) {
			return fmt.Errorf("--method has %s; there are: %s", list.Quote(name), list.Names(methodNames))
		}
		if names[name] {
			return fmt.Errorf("--method names %s twice", name)
		}
		names[name] = true
		if bounded && !slices.Contains(boundedMethods, name) {
			return fmt.Errorf("--bounds: the method %s does not keep bounds; these do: %s", name, strings.Join(boundedMethods, ", "))
		}
	}
	switch {
	case !(c.Tolerance > 0) || math.IsInf(c.Tolerance, 0):
		return fmt.Errorf("--tolerance is %v and should be a finite number above 0", c.Tolerance)
	case c.Iterations < 1 || c.Iterations > 1e9:
		return fmt.Errorf("--iterations is %d and should be from 1 to 1000000000", c.Iterations)
	case !(c.Rate > 0) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("--rate is %v and should be a finite number above 0", c.Rate)
	}
	return checkPicture(c.Plot)
}

// methods returns the names of --method, or the default.
func (c *minimizeCommand) methods() []string {
	switch {
	case c.Method != "":
		return strings.Split(c.Method, ",")
	case strings.TrimSpace(c.Bounds) != "":
		return []string{"lbfgsb"}
	}
	return []string{"lbfgs"}
}

// Run minimizes by each method in turn.
func (c *minimizeCommand) Run(env *environment) error {
	start, err := parseAssignments("--start", c.Start)
	if err == nil {
		err = lengthen(start, c.Dim)
	}
	if err != nil {
		return usageError{err}
	}
	f, err := newFunction(c.Expr, "--start", start)
	if err != nil {
		return err
	}
	if c.Plot != "" && (len(start) != 2 || start[0].vector || start[1].vector) {
		return usageError{fmt.Errorf("--plot draws functions of two numbers")}
	}
	lower, upper, err := c.bounds(start)
	if err != nil {
		return usageError{err}
	}
	g, err := f.compile()
	if err != nil {
		return err
	}
	x0 := g.X()
	var paths []contour.Path
	var failed []string
	names := c.methods()
	for _, name := range names {
		m, err := c.method(name, lower, upper)
		if err != nil {
			return usageError{err}
		}
		if len(names) > 1 {
			fmt.Fprintf(env.stdout, "method %s\n", name)
		}
		path := contour.Path{}
		last, err := c.search(env.ctx, env.stdout, f, g, x0, m, &path)
		if err != nil {
			return err
		}
		if !last.Reason.Converged() {
			failed = append(failed, fmt.Sprintf("%s: %v", name, last.Reason))
		}
		path.Title = fmt.Sprintf("%s: %d iterations, %d evaluations", name, last.Iteration, last.Evaluations.Func)
		paths = append(paths, path)
		if len(names) > 1 {
			fmt.Fprintln(env.stdout)
		}
	}
	if c.Plot != "" {
		value := g.Problem().FuncGrad
		dst := make([]float64, 2)
		at := func(x, y float64) float64 { return value(dst, []float64{x, y}) }
		if err := file.Replace(file.Disk, c.Plot, func(w io.Writer) error {
			return contour.WritePNG(w, at, [2]string{start[0].name, start[1].name}, paths...)
		}); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "wrote %s\n", file.Name(c.Plot))
	}
	if len(failed) == len(names) {
		return fmt.Errorf("no minimum found: %s", strings.Join(failed, "; "))
	}
	return nil
}

// search minimizes by one method, prints the iterations and the result, and keeps the path of functions of two variables.
func (c *minimizeCommand) search(ctx context.Context, w io.Writer, f *function, g *minimize.Graph, x0 []float64, m minimize.Method, path *contour.Path) (minimize.Iterate, error) {
	options := minimize.Options{Gradient: c.Tolerance, Iterations: c.Iterations}
	var last minimize.Iterate
	if !c.Quiet {
		fmt.Fprintf(w, "%9s  %-16s  %-9s  x\n", "iteration", "f", "gradient")
	}
	printed := -1
	line := func(s minimize.Iterate) {
		if !c.Quiet && s.Iteration != printed {
			fmt.Fprintf(w, "%9d  %-16.10g  %-9.2g  %s\n", s.Iteration, s.F, s.GradNorm, f.shown(s.X))
			printed = s.Iteration
		}
	}
	for s, err := range minimize.Iterates(ctx, g.Problem(), x0, m, options) {
		if err != nil {
			return s, err
		}
		if last = s; s.Reason != minimize.Running {
			break
		}
		if len(s.X) == 2 {
			path.Points = append(path.Points, [2]float64(s.X))
		}
		if isRound(s.Iteration) {
			line(s)
		}
	}
	if len(last.X) == 2 { // the last step is that of the best point, which a search of many minima may have left
		path.Points = append(path.Points, [2]float64(last.X))
	}
	line(last)
	word := "minimum"
	if !last.Reason.Converged() {
		word = "stopped at"
	}
	fmt.Fprintf(w, "%s %.10g at %s\n", word, last.F, f.shown(last.X))
	fmt.Fprintf(w, "gradient %.2g after %d iterations, %v: %v\n", last.GradNorm, last.Iteration, last.Evaluations, last.Reason)
	return last, nil
}

// isRound reports whether an iteration is printed: 0, 1, 2, 5, 10, 20, 50 and so on.
func isRound(i int) bool {
	for i > 10 && i%10 == 0 {
		i /= 10
	}
	return slices.Contains([]int{0, 1, 2, 5, 10}, i)
}

// method returns the method of a name.
func (c *minimizeCommand) method(name string, lower, upper []float64) (minimize.Method, error) {
	switch name {
	case "gd":
		return &minimize.GradientDescent{}, nil
	case "cg":
		return &minimize.ConjugateGradient{}, nil
	case "bfgs":
		return &minimize.BFGS{}, nil
	case "lbfgs":
		return &minimize.LBFGS{}, nil
	case "lbfgsb":
		return &minimize.LBFGSB{Lower: lower, Upper: upper}, nil
	case "newton":
		return &minimize.Newton{}, nil
	case "newton-cg":
		return &minimize.NewtonCG{}, nil
	case "adam":
		return &minimize.Adam{Rate: c.Rate}, nil
	case "multistart":
		if c.Bounds == "" {
			return nil, fmt.Errorf("--method multistart needs --bounds, the box in which to start")
		}
		return &minimize.MultiStart{Method: &minimize.LBFGSB{Lower: lower, Upper: upper}, Lower: lower, Upper: upper, Seed: c.Seed}, nil
	}
	m := &minimize.BasinHopping{Seed: c.Seed}
	if c.Bounds != "" {
		m.Method = &minimize.LBFGSB{Lower: lower, Upper: upper}
	}
	return m, nil
}

// bounds reads "x=0:1,y=:2"; a bound applies to all elements of a vector.
func (c *minimizeCommand) bounds(start []assignment) (lower, upper []float64, err error) {
	limits := map[string][2]float64{}
	for part := range strings.SplitSeq(c.Bounds, ",") {
		if part == "" {
			continue
		}
		name, text, _ := strings.Cut(part, "=")
		lo, hi, ok := strings.Cut(text, ":")
		limit := [2]float64{math.Inf(-1), math.Inf(1)}
		for i, t := range []string{lo, hi} {
			if t = strings.TrimSpace(t); t != "" {
				v, err := decimal.Parse(t)
				if err != nil {
					return nil, nil, fmt.Errorf("--bounds: %w; a side without a bound is left empty, as in x=0:", err)
				}
				limit[i] = v
			}
		}
		name = strings.TrimSpace(name)
		if !ok || !slices.ContainsFunc(start, func(a assignment) bool { return a.name == name }) {
			return nil, nil, fmt.Errorf("--bounds: %s should be a variable with its bounds, as in x=0:1", list.Quote(part))
		}
		if _, twice := limits[name]; twice {
			return nil, nil, fmt.Errorf("--bounds: %s is given twice", name)
		}
		if !(limit[0] <= limit[1]) || math.IsInf(limit[0], 1) || math.IsInf(limit[1], -1) {
			return nil, nil, fmt.Errorf("--bounds: %s has the bounds %v and %v, and no number is between them", name, limit[0], limit[1])
		}
		limits[name] = limit
	}
	for _, a := range start {
		limit, ok := limits[a.name]
		if !ok {
			limit = [2]float64{math.Inf(-1), math.Inf(1)}
		}
		for range a.values {
			lower, upper = append(lower, limit[0]), append(upper, limit[1])
		}
	}
	return lower, upper, nil
}
