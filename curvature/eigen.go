package curvature

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"gonum.org/v1/gonum/floats"
)

// This file holds the search for extremal eigenvalues by the Lanczos method with thick restarts. (Wu and Simon 2000,
// Thick-restart Lanczos method for large symmetric eigenvalue problems.)

// Options are what Eigenvalues looks for, and how long. The zero value has useful defaults.
type Options struct {
	Largest   int     // how many of the largest eigenvalues; 1 if Smallest is 0 as well
	Smallest  int     // how many of the smallest, that is the most negative
	Tolerance float64 // residual of a converged vector, as a share of the largest magnitude of an eigenvalue; 0 means 1e-4
	Products  int     // most products, at least two for each value, one to find and one to measure it; 0 means 1000, or 10 for each value
	Basis     int     // most vectors that are held at a time, each as long as all params; 0 means enough for the numbers asked for, at least 40
	Seed      uint64  // of the random vectors to start from
}

func (o Options) withDefaults(size int) (Options, error) {
	switch {
	case o.Largest < 0 || o.Smallest < 0 || o.Products < 0 || o.Basis < 0:
		return o, fmt.Errorf("curvature: Options: Largest is %d, Smallest %d, Products %d, Basis %d: they cannot be negative", o.Largest, o.Smallest, o.Products, o.Basis)
	case !(o.Tolerance >= 0) || math.IsInf(o.Tolerance, 1):
		return o, fmt.Errorf("curvature: Options: Tolerance is %v and should be finite and not negative", o.Tolerance)
	}
	if o.Largest == 0 && o.Smallest == 0 {
		o.Largest = 1
	}
	o.Largest, o.Smallest = min(o.Largest, size), min(o.Smallest, size)
	if o.Tolerance == 0 {
		o.Tolerance = 1e-4
	}
	wanted := o.Largest + o.Smallest
	if o.Products == 0 {
		o.Products = max(1000, 10*wanted)
	}
	if least := 2 * wanted; o.Products < least {
		return o, fmt.Errorf("curvature: Options: Products is %d and should be at least %d for %d eigenvalues", o.Products, least, wanted)
	}
	if o.Basis == 0 {
		o.Basis = max(40, 2*wanted+10)
	}
	if least := wanted + 4; o.Basis < least && o.Basis < size {
		return o, fmt.Errorf("curvature: Options: Basis is %d and should be at least %d for %d eigenvalues", o.Basis, least, wanted)
	}
	o.Basis = min(o.Basis, size)
	return o, nil
}

// Pair is an eigenvalue with its vector.
type Pair struct {
	Value float64
	// Residual is the length of A v - Value v. There is an eigenvalue at least that near.
	Residual float64
	// Converged reports whether the residual is within the tolerance. A value that has not converged bounds the end of the
	// spectrum from one side only: the largest eigenvalue is not below it, the smallest not above.
	Converged bool
	// Vector is a unit vector, all elements of all params one after the other.
	Vector []float64
}

// Eigen is what Eigenvalues finds.
type Eigen struct {
	Largest  []Pair // the largest first
	Smallest []Pair // the smallest first
	Products int    // what it cost
	// Scale is the largest magnitude of an eigenvalue found so far; the tolerance is a share of it.
	Scale float64
	// Complete reports whether a second random vector showed no further value at the ends. Without it an eigenvalue may have been missed,
	// or a multiple one be listed too few times.
	Complete bool
}

// Converged reports whether all pairs have and the list is complete.
func (e *Eigen) Converged() bool {
	if !e.Complete {
		return false
	}
	for _, all := range [][]Pair{e.Largest, e.Smallest} {
		for _, p := range all {
			if !p.Converged {
				return false
			}
		}
	}
	return true
}

// String lists the values with their residuals.
func (e *Eigen) String() string {
	var b strings.Builder
	list := func(name string, pairs []Pair) {
		for i, p := range pairs {
			fmt.Fprintf(&b, "%s %d: %.6g, residual %.2g", name, i+1, p.Value, p.Residual)
			if !p.Converged {
				b.WriteString(", not converged")
			}
			b.WriteByte('\n')
		}
	}
	list("largest", e.Largest)
	list("smallest", e.Smallest)
	fmt.Fprintf(&b, "%d products", e.Products)
	if !e.Complete {
		b.WriteString(", too few to tell whether the list is complete")
	}
	b.WriteByte('\n')
	return b.String()
}

// Eigenvalues finds the largest and smallest eigenvalues, each as often as it occurs. Since what starts from one vector meets only one
// vector for each eigenvalue, the search continues, once the values have converged, from a second random vector orthogonal to theirs until that
// has shown no further value at either end. If Products does not suffice, the result is what was found, not converged. The error is that of a
// product, or of the context, or of wrong options.
func Eigenvalues(ctx context.Context, a *Operator, o Options) (*Eigen, error) {
	of, err := a.use(ctx)
	if err != nil {
		return nil, err
	}
	if o, err = o.withDefaults(of.Size); err != nil {
		return nil, err
	}
	s := &search{Options: o, basis: basis{of: of}, random: rand.New(rand.NewPCG(o.Seed, 1))}
	if err := s.run(); err != nil {
		return nil, err
	}
	return s.result()
}

// search is Eigenvalues on its way.
type search struct {
	Options
	basis
	random *rand.Rand
	// found are the values that had converged when a further random vector was taken; since is the number of products since.
	found    []float64
	since    int
	scale    float64 // the largest magnitude of a value so far
	complete bool
}

// leastSince is the number of products that a second random vector is given at least to show what there is at the ends.
const leastSince = 10

func (s *search) run() error {
	s.begin(s.random)
	for {
		if err := s.grow(); err != nil {
			return err
		}
		s.since++
		values, vectors, err := s.ritz()
		if err != nil {
			return err
		}
		k := len(values)
		s.scale = max(s.scale, math.Abs(values[0]), math.Abs(values[k-1]))
		s.complete = k == s.of.Size
		if s.complete || s.of.products+s.Largest+s.Smallest >= s.Products { // the result needs a product for each value
			return nil
		}
		residual := func(i int) float64 { return s.length * math.Abs(vectors.At(k-1, i)) }
		// Half of the tolerance, since what is left of a residual when the vector is kept adds to later ones.
		small := s.Tolerance * s.scale / 2
		done := k > s.Largest+s.Smallest
		for _, i := range s.wanted(k) {
			done = done && residual(i) <= small
		}
		if s.found != nil { // what comes next is near to an eigenvalue that does not belong to the wanted ones
			done = done && s.since >= leastSince
			if i := s.Smallest; done && s.Smallest > 0 {
				done = residual(i) <= max(small, min((values[i]-values[i-1])/2, s.scale/100))
			}
			if i := k - 1 - s.Largest; done && s.Largest > 0 {
				done = residual(i) <= max(small, min((values[i+1]-values[i])/2, s.scale/100))
			}
		}
		switch {
		case done && s.same(values):
			s.complete = true
			return nil
		case done:
			s.found, s.since = nil, 0
			for _, i := range s.wanted(k) {
				s.found = append(s.found, values[i])
			}
			s.keep(values, vectors, s.wanted(k))
			s.begin(s.random)
		case k == s.Basis:
			s.keep(values, vectors, s.retained(k))
		}
		if s.exhausted(s.scale) {
			s.begin(s.random)
		}
	}
}

// ends are the numbers of the first and last of k.
func ends(k, first, last int) []int {
	var at []int
	for i := range k {
		if i < first || i >= k-last {
			at = append(at, i)
		}
	}
	return at
}

// wanted are the numbers of the values to be found.
func (s *search) wanted(k int) []int { return ends(k, s.Smallest, s.Largest) }

// retained are the numbers of the vectors that outlast a restart: half of the room next to the wanted ones is for those that come next.
func (s *search) retained(k int) []int {
	room := (s.Basis - s.Largest - s.Smallest) / 2
	switch {
	case s.Smallest == 0:
		return ends(k, 0, s.Largest+room)
	case s.Largest == 0:
		return ends(k, s.Smallest+room, 0)
	}
	return ends(k, s.Smallest+room/2, s.Largest+room/2)
}

// same reports whether the wanted values are those found before.
func (s *search) same(values []float64) bool {
	for n, i := range s.wanted(len(values)) {
		if s.found == nil || math.Abs(values[i]-s.found[n]) > s.Tolerance*s.scale {
			return false
		}
	}
	return true
}

// result makes the vectors and measures their residuals.
func (s *search) result() (*Eigen, error) {
	values, vectors, err := s.ritz()
	if err != nil {
		return nil, err
	}
	k := len(values)
	e := &Eigen{Scale: s.scale, Complete: s.complete}
	pair := func(i int) (p Pair, err error) {
		p.Vector = s.combine(vectors, i)
		floats.Scale(1/floats.Norm(p.Vector, 2), p.Vector)
		w, err := s.of.product(p.Vector)
		if err != nil {
			return p, err
		}
		p.Value = floats.Dot(p.Vector, w)
		floats.AddScaled(w, -p.Value, p.Vector)
		p.Residual = floats.Norm(w, 2)
		p.Converged = p.Residual <= s.Tolerance*e.Scale
		return p, nil
	}
	for i := k - 1; i >= max(0, k-s.Largest); i-- {
		p, err := pair(i)
		if err != nil {
			return nil, err
		}
		e.Largest = append(e.Largest, p)
	}
	for i := range min(k, s.Smallest) {
		p, err := pair(i)
		if err != nil {
			return nil, err
		}
		e.Smallest = append(e.Smallest, p)
	}
	e.Products = s.of.products
	return e, nil
}
