package tarn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file holds the random ops. Their numbers are a function of three things alone: the graph's seed, how many random
// ops were added to the graph before, and the step, the number of runs that the program has completed. So one graph built
// by the same calls draws the same numbers in every process and on every machine, each run draws fresh ones, and a program
// whose step is set by SetRuns continues as an unbroken one would. A block that Checkpoint computes twice draws the same
// numbers twice.

// randomOp draws numbers. Its operands are the step and, for Bernoulli, gamma and Poisson draws, their probability, concentration or rate: one
// number, or one for each draw.
type randomOp struct {
	kind         ir.DrawKind
	seed, number uint64  // the graph's seed, and which of its random ops this is
	a, b         float64 // uniform in [a, b), or normal of mean a and deviation b
	lo, hi       float64 // a truncated normal lies between, in deviations from the mean
	typ          ir.Type
}

func (op randomOp) Name() string {
	return [...]string{"Uniform", "Normal", "TruncatedNormal", "Bernoulli", "LogGamma", "Poisson"}[op.kind]
}

func (op randomOp) Attrs() string {
	key := fmt.Sprintf("seed=%d number=%d", op.seed, op.number)
	switch op.kind {
	case ir.DrawUniform:
		return fmt.Sprintf("lo=%v hi=%v %s", op.a, op.b, key)
	case ir.DrawNormal:
		return fmt.Sprintf("mean=%v std=%v %s", op.a, op.b, key)
	case ir.DrawTruncated:
		return fmt.Sprintf("mean=%v std=%v lo=%v hi=%v %s", op.a, op.b, op.lo, op.hi, key)
	}
	return key
}

func (op randomOp) Infer(in []ir.Type) (ir.Type, error) {
	if op.kind < ir.DrawBernoulli {
		if !op.typ.DType.Float() {
			return ir.Type{}, newProblem("random numbers of dtype %v; they should be f32 or f64", op.typ.DType)
		}
		return op.typ, checkShape(op.typ.Shape)
	}
	if err := checkShape(op.typ.Shape); err != nil {
		return ir.Type{}, err
	}
	p, name := in[1], [...]string{ir.DrawBernoulli: "probability", ir.DrawLogGamma: "concentration", ir.DrawPoisson: "rate"}[op.kind]
	if !p.DType.Float() {
		return ir.Type{}, newProblem("the %s is %v and should be f32 or f64", name, p.DType).WithHint("Cast it")
	}
	if len(p.Shape) != 0 && !slices.Equal(p.Shape, op.typ.Shape) {
		return ir.Type{}, newProblem("the %s has shape %s and the draws %s", name, ir.ShapeString(p.Shape), ir.ShapeString(op.typ.Shape))
	}
	return op.typ, nil
}

// grad is that of a gamma draw for a fixed probability of a smaller one; the others do not depend on what is differentiable, or are steps.
func (op randomOp) grad(y, dy *Value) []*Value {
	if op.kind != ir.DrawLogGamma {
		return nil
	}
	alpha := y.in[1]
	slope := dy.graph.add(gammaSlopeOp{}, alpha.broadcastTo(y.typ.Shape), y)
	return []*Value{nil, dy.Mul(slope).sumTo(alpha.typ.Shape)}
}

func (op randomOp) key(in []ir.Array) rng.Key {
	return rng.Step(op.seed, op.number, uint64(in[0].Int(0)))
}

func (op randomOp) Eval(out ir.Array, in []ir.Array) {
	key := op.key(in)
	for i := range out.Size() {
		at := uint64(i)
		switch {
		case op.kind == ir.DrawBernoulli:
			out.SetBool(i, rng.Bernoulli(key, at, op.parameter(in[1], i)))
		case op.kind >= ir.DrawTruncated:
			op.RunRows(out, in, i, i+1) // by rejection or inversion, one at a time in any case
		case op.kind == ir.DrawUniform && op.typ.DType == ir.F32:
			ir.Slice[float32](out)[i] = op.uniform32(rng.Uniform32(key, at), math.Nextafter(op.b, op.a), math.Nextafter32(float32(op.b), float32(op.a)))
		case op.kind == ir.DrawUniform:
			ir.Slice[float64](out)[i] = op.uniform64(rng.Uniform64(key, at), math.Nextafter(op.b, op.a))
		case op.typ.DType == ir.F32:
			ir.Slice[float32](out)[i] = float32(op.normal(float64(rng.Normal32(key, at))))
		default:
			ir.Slice[float64](out)[i] = op.normal(rng.Normal64(key, at))
		}
	}
}

// Draws returns what is drawn.
func (op randomOp) Draws() ir.DrawForm {
	return ir.DrawForm{Kind: op.kind, Seed: op.seed, Number: op.number, A: op.a, B: op.b, Lo: op.lo, Hi: op.hi}
}

// Run draws all numbers.
func (op randomOp) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, out.Size()) }

// Rows lets each number be drawn apart.
func (op randomOp) Rows(out ir.Type, in []ir.Type) int { return out.Size() }

// RunRows draws the numbers from first to before end, many at a time.
func (op randomOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	key := op.key(in)
	switch {
	case op.kind == ir.DrawBernoulli && in[1].Size() == 1:
		rng.FillBernoulli(ir.Slice[bool](out)[first:end], key, first, op.parameter(in[1], 0))
	case op.kind == ir.DrawBernoulli:
		s := ir.Slice[bool](out)
		for i := first; i < end; i++ {
			s[i] = rng.Bernoulli(key, uint64(i), op.parameter(in[1], i))
		}
	case op.kind == ir.DrawLogGamma:
		for i := first; i < end; i++ {
			out.SetFloat(i, rng.LogGamma(key, uint64(i), op.parameter(in[1], i)))
		}
	case op.kind == ir.DrawPoisson:
		for i := first; i < end; i++ {
			out.SetFloat(i, rng.Poisson(key, uint64(i), op.parameter(in[1], i)))
		}
	case op.kind == ir.DrawTruncated && op.typ.DType == ir.F32:
		s := ir.Slice[float32](out)[first:end]
		rng.FillTruncNormal(s, key, first, op.lo, op.hi)
		for i, x := range s {
			s[i] = float32(op.normal(float64(x)))
		}
	case op.kind == ir.DrawTruncated:
		s := ir.Slice[float64](out)[first:end]
		rng.FillTruncNormal(s, key, first, op.lo, op.hi)
		for i, x := range s {
			s[i] = op.normal(x)
		}
	case op.typ.DType == ir.F32:
		s := ir.Slice[float32](out)[first:end]
		if op.kind == ir.DrawUniform {
			rng.FillUniform(s, key, first)
			if op.a == 0 && op.b == 1 {
				return
			}
			last, last32 := math.Nextafter(op.b, op.a), math.Nextafter32(float32(op.b), float32(op.a))
			for i, x := range s {
				s[i] = op.uniform32(x, last, last32)
			}
			return
		}
		rng.FillNormal(s, key, first)
		if op.a == 0 && op.b == 1 {
			return
		}
		for i, x := range s {
			s[i] = float32(op.normal(float64(x)))
		}
	default:
		s := ir.Slice[float64](out)[first:end]
		if op.kind == ir.DrawUniform {
			rng.FillUniform(s, key, first)
			if op.a == 0 && op.b == 1 {
				return
			}
			last := math.Nextafter(op.b, op.a)
			for i, x := range s {
				s[i] = op.uniform64(x, last)
			}
			return
		}
		rng.FillNormal(s, key, first)
		if op.a == 0 && op.b == 1 {
			return
		}
		for i, x := range s {
			s[i] = op.normal(x)
		}
	}
}

func (op randomOp) parameter(p ir.Array, i int) float64 {
	if p.Size() == 1 {
		i = 0
	}
	return p.Float(i)
}

// normal is mean + deviation*x. The conversion forbids a fused multiply-add, which would round otherwise on some machines.
func (op randomOp) normal(x float64) float64 { return op.a + float64(op.b*x) }

// uniform64 moves x of [0, 1) to [a, b). What rounding would bring to the excluded end is the last number below it.
func (op randomOp) uniform64(x, last float64) float64 {
	v := op.a + float64((op.b-op.a)*x)
	if v >= op.b && op.a < op.b {
		return last
	}
	return v
}

// uniform32 is uniform64 for float32, with the last number of both types.
func (op randomOp) uniform32(x float32, last float64, last32 float32) float32 {
	v := float32(op.uniform64(float64(x), last))
	if v >= float32(op.b) && float32(op.a) < float32(op.b) {
		return last32
	}
	return v
}

// randomNumber is the graph's seed, and the number of a further random op.
func (g *Graph) randomNumber() (seed, number uint64) {
	root := g.root()
	root.randoms++
	return root.seed, root.randoms - 1
}

func (g *Graph) random(op randomOp, in ...*Value) *Value {
	g = g.orLost()
	op.seed, op.number = g.randomNumber()
	return g.add(op, append([]*Value{g.drawStep()}, in...)...)
}

// Uniform is random numbers uniform in [lo, hi), of dtype F32 or F64: fresh ones in each run, and the same ones in each
// repetition of it. They depend on the seed, on how many random ops the graph had before, and on the step; see Seed and
// Program.SetRuns.
//
// Shapes: the result has the shape given.
func (g *Graph) Uniform(dtype DType, lo, hi float64, shape ...int) *Value {
	op := randomOp{kind: ir.DrawUniform, a: lo, b: hi, typ: ir.Type{DType: ir.DType(dtype), Shape: slices.Clone(shape)}}
	if !(lo <= hi) || math.IsInf(hi-lo, 0) {
		return g.fail(op, nil, newProblem("the range from %v to %v is not one", lo, hi))
	}
	return g.random(op)
}

// Normal is normal random numbers of the given mean and standard deviation, of dtype F32 or F64. As with Uniform, each run
// draws fresh ones.
//
// Shapes: the result has the shape given.
func (g *Graph) Normal(dtype DType, mean, std float64, shape ...int) *Value {
	op := randomOp{kind: ir.DrawNormal, a: mean, b: std, typ: ir.Type{DType: ir.DType(dtype), Shape: slices.Clone(shape)}}
	if !(std >= 0) {
		return g.fail(op, nil, newProblem("the standard deviation %v should not be negative", std))
	}
	return g.random(op)
}

// Bernoulli is random bools, each true with probability p: a Num, or a float value of one number or of one for each draw.
// A probability of 0 or less never is true, one of 1 or more always, NaN never. No gradient flows to p. As with Uniform,
// each run draws fresh ones.
//
// Shapes: p of [] or of the shape given -> the shape given, bool.
func (g *Graph) Bernoulli(p Operand, shape ...int) *Value {
	op := randomOp{kind: ir.DrawBernoulli, typ: ir.Type{DType: ir.Bool, Shape: slices.Clone(shape)}}
	if p == nil {
		return g.fail(op, nil, newProblem("the probability is nil"))
	}
	return g.random(op, p.value(g))
}
