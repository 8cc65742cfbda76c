package minimize

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-49005b45/tarn/dist"
)

// This file holds functions that are sums of terms, as of examples, which ranks share.

// Sum is a function that is a sum of terms, each a Problem of the same variables, spread over the ranks of a communicator. Its value, gradient, products with its Hessian and
// residuals are put together in an order that depends on the number of terms alone. All ranks search alike, each with all variables, and get the same result, with the same bits
// for any number of ranks, one included.
//
//	s, err := minimize.NewSum(c, 8, func(i int) (minimize.Problem, error) {
//		lo, hi := dist.Shard(examples, 8, i)
//		g, err := minimize.FromGraph(lossOf(lo, hi), params, inputsOf(lo, hi))
//		...
//		return g.Problem(), nil
//	})
//	res, err := s.Run(ctx, x0, &minimize.LBFGS{}, minimize.Options{})
type Sum struct {
	comm   dist.Comm
	first  int // of the terms of this rank
	terms  []Problem
	counts []int // the residuals of each term of all ranks
	can    ability
	sums   map[int]*dist.Sum[float64] // by the number of numbers

	ctx     context.Context
	cancel  context.CancelCauseFunc // of the search, on all ranks at the same time
	err     error
	scratch []float64
}

// ability says which functions all terms have.
type ability uint8

const (
	canValue ability = 1 << iota
	canGrad
	canHessVec
	canHess
	canResiduals
	canJacobian
	canGaussVec
	canAll = 1<<iota - 1
)

// abilityOf says what a problem has. The gradient counts only with the value.
func abilityOf(p *Problem) (a ability) {
	for _, one := range []struct {
		has bool
		of  ability
	}{
		{p.Func != nil || p.FuncGrad != nil || p.Residuals != nil, canValue}, {p.FuncGrad != nil || p.Func != nil && p.Grad != nil, canGrad},
		{p.HessVec != nil, canHessVec}, {p.Hess != nil, canHess}, {p.Residuals != nil && p.Count > 0, canResiduals},
		{p.Jacobian != nil, canJacobian}, {p.GaussVec != nil, canGaussVec},
	} {
		if one.has {
			a |= one.of
		}
	}
	return a
}

// NewSum makes a sum of a number of terms, at least as many as ranks, which all ranks call together with the same number. Term returns term i; each rank asks for its own, those that
// dist.Shard(terms, ranks, rank) names. The sum has the functions that all terms have. If c is nil there is this process alone.
func NewSum(c dist.Comm, terms int, term func(i int) (Problem, error)) (*Sum, error) {
	if c == nil {
		c = dist.Single()
	}
	if terms < c.Size() {
		return nil, fmt.Errorf("minimize: NewSum: %d terms for %d ranks: each needs one at least", terms, c.Size())
	}
	lo, hi := dist.Shard(terms, c.Size(), c.Rank())
	s := &Sum{comm: c, first: lo, can: canAll, sums: map[int]*dist.Sum[float64]{}}
	err := func() error {
		for i := lo; i < hi; i++ {
			p, err := term(i)
			if err != nil {
				return fmt.Errorf("minimize: NewSum: term %d: %w", i, err)
			}
			if abilityOf(&p)&canValue == 0 {
				return fmt.Errorf("minimize: NewSum: term %d has neither Func nor FuncGrad nor Residuals", i)
			}
			s.terms, s.can = append(s.terms, p), s.can&abilityOf(&p)
		}
		return nil
	}()
	if err := dist.Agree(c, err); err != nil {
		return nil, err
	}
	// What all terms can, and how many residuals each has.
	most := (terms + c.Size() - 1) / c.Size()
	mine, all := make([]int64, 2+most), make([]int64, (2+most)*c.Size())
	mine[0], mine[1] = int64(terms), int64(s.can)
	for i, p := range s.terms {
		mine[2+i] = int64(p.Count)
	}
	if err := c.AllGather(dist.Bytes(all), dist.Bytes(mine)); err != nil {
		return nil, err
	}
	for r := range c.Size() {
		theirs := all[r*len(mine):][:len(mine)]
		if theirs[0] != int64(terms) {
			return nil, fmt.Errorf("minimize: NewSum: rank %d has a sum of %d terms and rank %d one of %d: pass the same number on all ranks", c.Rank(), terms, r, theirs[0])
		}
		s.can &= ability(theirs[1])
		lo, hi := dist.Shard(terms, c.Size(), r)
		for i := range hi - lo {
			s.counts = append(s.counts, int(theirs[2+i]))
		}
	}
	if s.can&canValue == 0 {
		return nil, errors.New("minimize: NewSum: some terms have a value and others only residuals")
	}
	return s, nil
}

// Run searches from x0, which is the same on all ranks, as function Run does. If ctx is canceled on a rank, or one of its terms has an error, the search ends on all.
func (s *Sum) Run(ctx context.Context, x0 []float64, m Method, o Options) (*Result, error) {
	mine, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	s.ctx, s.cancel, s.err = ctx, cancel, nil
	defer cancel(nil)
	return Run(mine, s.Problem(len(x0)), x0, m, o)
}

// Problem returns the sum as a function of n variables, for other uses than Run: all ranks must then ask for the same at the same time, and end together.
func (s *Sum) Problem(n int) Problem {
	p := Problem{Err: func() error { return s.err }}
	if s.can&canGrad != 0 {
		p.FuncGrad = func(dst, x []float64) float64 {
			return s.add(dst, 1, func(t *Problem, into []float64) { into[0] = t.valueGrad(into[1:], x) })[0]
		}
	} else {
		p.Func = func(x []float64) float64 {
			return s.add(nil, 1, func(t *Problem, into []float64) { into[0] = t.value(x) })[0]
		}
	}
	if s.can&canHessVec != 0 {
		p.HessVec = func(dst, x, v []float64) {
			s.add(dst, 0, func(t *Problem, into []float64) { t.HessVec(into, x, v) })
		}
	}
	if s.can&canHess != 0 {
		p.Hess = func(dst, x []float64) { s.add(dst, 0, func(t *Problem, into []float64) { t.Hess(into, x) }) }
	}
	if s.can&canResiduals == 0 {
		return p
	}
	if s.can&canGrad == 0 { // the value follows from the residuals
		p.Func = nil
	}
	for _, c := range s.counts {
		p.Count += c
	}
	p.Residuals = func(dst, x []float64) {
		s.collect(dst, 1, func(t *Problem, into []float64) { t.Residuals(into, x) })
	}
	if s.can&canJacobian != 0 {
		p.Jacobian = func(dst, x []float64) {
			s.collect(dst, n, func(t *Problem, into []float64) { t.Jacobian(into, x) })
		}
	}
	if s.can&canGaussVec != 0 {
		p.GaussVec = func(dst, x, v []float64) {
			s.add(dst, 0, func(t *Problem, into []float64) { t.GaussVec(into, x, v) })
		}
	}
	return p
}

// value is that of a term.
func (p *Problem) value(x []float64) float64 {
	switch {
	case p.Func != nil:
		return p.Func(x)
	case p.FuncGrad != nil:
		return p.FuncGrad(make([]float64, len(x)), x)
	}
	r := make([]float64, p.Count)
	p.Residuals(r, x)
	return halfSquares(r)
}

// valueGrad is value and gradient of a term that has both.
func (p *Problem) valueGrad(g, x []float64) float64 {
	if p.FuncGrad != nil {
		return p.FuncGrad(g, x)
	}
	p.Grad(g, x)
	return p.Func(x)
}

// The numbers by which the ranks tell each other, beside a sum, that an evaluation has failed or that a context is canceled.
const signs = 2

// add sums what the terms write: some numbers, which it returns, and those of dst.
func (s *Sum) add(dst []float64, numbers int, term func(t *Problem, into []float64)) []float64 {
	out := make([]float64, numbers)
	if s.err != nil {
		return out
	}
	size := numbers + len(dst)
	sum, err := s.sums[size], error(nil)
	if sum == nil {
		if sum, err = dist.NewSum[float64](s.comm, len(s.counts), size+signs); err != nil {
			s.err = err
			return out
		}
		s.sums[size] = sum
	}
	var failed error
	err = sum.Local(func(i int, into []float64) (bool, error) {
		t := &s.terms[i-s.first]
		clear(into[size:])
		if failed == nil {
			term(t, into[:size])
			failed = termError(t)
		}
		s.sign(into[size:], failed)
		return true, nil
	})
	var total []float64
	if err == nil {
		total, err = sum.Total(func(int) bool { return true }, false)
	}
	if err != nil {
		s.err = errors.Join(failed, err)
		return out
	}
	s.end(total[size] > 0, total[size+1] > 0, failed)
	copy(out, total)
	copy(dst, total[numbers:size])
	return out
}

// termError is the error of a term's evaluation.
func termError(t *Problem) error {
	if t.Err == nil {
		return nil
	}
	return t.Err()
}

// sign tells the other ranks whether an evaluation of this one has failed.
func (s *Sum) sign(into []float64, failed error) {
	if failed != nil {
		into[0] = 1
	}
	if s.ctx != nil && s.ctx.Err() != nil {
		into[1] = 1
	}
}

// end ends the search on all ranks if an evaluation of one has failed or its context is canceled.
func (s *Sum) end(failed, canceled bool, mine error) {
	if failed {
		s.err = dist.Agree(s.comm, mine)
	}
	if canceled && s.cancel != nil {
		cause := context.Cause(s.ctx)
		if cause == nil {
			cause = context.Canceled // of another rank
		}
		s.cancel(cause)
	}
}

// collect puts what the terms write into one array, in their order: width numbers for each of their residuals.
func (s *Sum) collect(dst []float64, width int, term func(t *Problem, into []float64)) {
	if s.err != nil {
		return
	}
	most := 0 // numbers of a rank
	at := make([]int, 1, len(s.counts)+1)
	for _, c := range s.counts {
		at = append(at, at[len(at)-1]+c*width)
	}
	ranks := s.comm.Size()
	for r := range ranks {
		lo, hi := dist.Shard(len(s.counts), ranks, r)
		most = max(most, at[hi]-at[lo])
	}
	block := most + signs
	if len(s.scratch) < (ranks+1)*block {
		s.scratch = make([]float64, (ranks+1)*block)
	}
	mine, all := s.scratch[:block], s.scratch[block:(ranks+1)*block]
	clear(mine)
	var failed error
	for i := range s.terms {
		if failed == nil {
			from := at[s.first+i] - at[s.first]
			term(&s.terms[i], mine[from:][:at[s.first+i+1]-at[s.first+i]])
			failed = termError(&s.terms[i])
		}
	}
	s.sign(mine[most:], failed)
	if err := s.comm.AllGather(dist.Bytes(all), dist.Bytes(mine)); err != nil {
		s.err = errors.Join(failed, err)
		return
	}
	anyFailed, anyCanceled := false, false
	for r := range ranks {
		lo, hi := dist.Shard(len(s.counts), ranks, r)
		theirs := all[r*block:][:block]
		copy(dst[at[lo]:at[hi]], theirs)
		anyFailed, anyCanceled = anyFailed || theirs[most] > 0, anyCanceled || theirs[most+1] > 0
	}
	s.end(anyFailed, anyCanceled, failed)
}
