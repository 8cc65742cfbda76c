package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/plot"
	"github.com/seed-49005b45/tarn/optim"
)

// This file holds the paths of the optimizers on functions of two variables, which can be drawn.

// surface is a function to minimize.
type surface struct {
	name           string
	f              func(x, y *tarn.Value) *tarn.Value // element by element
	start          [2]float64
	x0, x1, y0, y1 float64 // what the picture shows
	curvature      float64 // about the largest eigenvalue of the Hessian along the path
	minima         [][2]float64
}

// surfaces are three classics: a bent valley, a plain between steep walls, and four equal minima.
var surfaces = []surface{
	{"Rosenbrock: (1-x)² + 100 (y-x²)²", func(x, y *tarn.Value) *tarn.Value {
		return x.Neg().AddNum(1).Square().Add(y.Sub(x.Square()).Square().Scale(100))
	}, [2]float64{-1.2, 1}, -1.8, 1.8, -0.6, 2.2, 1400, [][2]float64{{1, 1}}},
	{"Beale: (1.5-x+xy)² + (2.25-x+xy²)² + (2.625-x+xy³)²", func(x, y *tarn.Value) *tarn.Value {
		term := func(c float64, power *tarn.Value) *tarn.Value {
			return x.Mul(power).Sub(x).AddNum(c).Square()
		}
		return term(1.5, y).Add(term(2.25, y.Square())).Add(term(2.625, y.Square().Mul(y)))
	}, [2]float64{1, 1.5}, -0.5, 4, -1.5, 2, 200, [][2]float64{{3, 0.5}}},
	{"Himmelblau: (x²+y-11)² + (x+y²-7)²", func(x, y *tarn.Value) *tarn.Value {
		return x.Square().Add(y).AddNum(-11).Square().Add(y.Square().Add(x).AddNum(-7).Square())
	}, [2]float64{-0.1, -0.9}, -5, 5, -5, 5, 130, [][2]float64{{3, 2}, {-2.805118, 3.131312}, {-3.779310, -3.283186}, {3.584428, -1.848126}}},
}

// walk runs every optimizer on every surface, prints where they end and draws the paths.
func walk(env *environment, who []contender, steps int, path string) error {
	w := env.stdout
	fmt.Fprintf(w, "%-18s", "value")
	var pictures []plot.Surface
	for i := range surfaces {
		name, _, _ := strings.Cut(surfaces[i].name, ":")
		fmt.Fprintf(w, " %12s", name)
		picture, err := surfaces[i].picture()
		if err != nil {
			return err
		}
		pictures = append(pictures, picture)
	}
	fmt.Fprintf(w, "   after %d steps\n", steps)
	for _, one := range who {
		fmt.Fprintf(w, "%-18s", one.name)
		for i := range surfaces {
			way, last, err := surfaces[i].descend(env, one, steps)
			if err != nil {
				return fmt.Errorf("%s on %s: %w", one.name, surfaces[i].name, err)
			}
			pictures[i].Paths = append(pictures[i].Paths, way)
			fmt.Fprintf(w, " %12s", shownValue(last))
		}
		fmt.Fprintln(w)
	}
	return file.Replace(file.Disk, path, func(w io.Writer) error { return plot.WriteSurfaces(w, pictures...) })
}

// picture returns the surface on a grid.
func (s *surface) picture() (plot.Surface, error) {
	const n = 161
	c := plot.Surface{Title: s.name, Minima: s.minima}
	x, y := tarn.Zeros(tarn.F64, n, n), tarn.Zeros(tarn.F64, n, n)
	for i := range n {
		c.Xs = append(c.Xs, s.x0+(s.x1-s.x0)*float64(i)/(n-1))
		c.Ys = append(c.Ys, s.y0+(s.y1-s.y0)*float64(i)/(n-1))
	}
	for i := range n * n {
		x.SetFloat(i, c.Xs[i%n])
		y.SetFloat(i, c.Ys[i/n])
	}
	g := tarn.NewGraph()
	program, err := tarn.Compile(g, tarn.Outputs{"value": s.f(g.Input("x", tarn.F64, n, n), g.Input("y", tarn.F64, n, n))})
	if err != nil {
		return c, err
	}
	out, err := program.Run(x, y)
	if err != nil {
		return c, err
	}
	c.Values = append(c.Values, out["value"].F64()...)
	return c, nil
}

// descend takes steps from the start and returns the path and the value before the last step. The point is a matrix of one row,
// so that the optimizers for matrices take part too.
func (s *surface) descend(env *environment, one contender, steps int) (way plot.Line, last float64, err error) {
	point := tarn.NewParam(tarn.F64, nil, 1, 2)
	place := point.Tensor()
	place.SetFloat(0, s.start[0])
	place.SetFloat(1, s.start[1])
	g := tarn.NewGraph()
	at := point.Value(g)
	loss := s.f(at.Slice(1, 0, 1), at.Slice(1, 1, 2)).Sum()
	rate := optim.Cosine{Rate: one.pathRate(s.curvature), Steps: steps}
	params, err := tarn.Params(map[string]*tarn.Param{"point": point})
	if err != nil {
		return way, 0, err
	}
	updates, err := one.onSurface(rate).Update(loss, params)
	if err != nil {
		return way, 0, err
	}
	program, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
	if err != nil {
		return way, 0, err
	}
	way.Name = one.name
	for i := range steps {
		if env.ctx.Err() != nil {
			return way, 0, context.Cause(env.ctx)
		}
		x, y := place.F64()[0], place.F64()[1]
		program.SetRuns(int64(i))
		out, err := program.Run()
		if err != nil {
			return way, 0, err
		}
		if last = out["loss"].Item(); !finite(last) {
			break
		}
		way.X, way.Y = append(way.X, x), append(way.Y, y)
	}
	return way, last, nil
}
