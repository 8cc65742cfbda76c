package ir

// This file holds what a compiler for another machine must know of the ops that this module's own engine runs by their kernels. Each
// interface says what the op computes, so that no lowering asks for an op by its name.

// Ranged is a Checked op that finds nothing wrong if every element of the checked operand is at least lo and below hi.
type Ranged interface {
	Checked
	// Range returns the bounds, given the types of all operands.
	Range(in []Type) (lo, hi int)
}

// Picking is an op that reads along an axis of its first operand at the indices that its second, of the same rank, holds there. An
// index that is out of range reads NaN, or 0 for integers and bools.
type Picking interface {
	Op
	// Picks returns the axis.
	Picks() (axis int)
}

// ScatterKind is what becomes of an element and one that is sent to its place.
type ScatterKind uint8

// The kinds.
const (
	ScatterSet ScatterKind = iota // the one that is sent, the last of several
	ScatterMax                    // NaN if either is NaN
	ScatterMin                    // NaN if either is NaN
	ScatterMul
	ScatterSum
)

// Scattering is an op that sends the elements of its last operand along an axis to the indices that the operand before it, of the same
// shape, holds there. They meet the elements of the first operand if there are three, and else zeros. An index that is out of range is
// left out.
type Scattering interface {
	Op
	Scatters() (kind ScatterKind, axis int)
}

// Placing is an op that returns, for each number that an index may hold, the last place along an axis of the operand that holds it, or -1.
type Placing interface {
	Op
	// Places returns the axis.
	Places() (axis int)
}

// Padding is an op that puts zeros before, after and between the indices of an axis, which come to lie step apart.
type Padding interface {
	Op
	Pads() (axis, before, after, step int)
}

// Sorting is an op that returns the indices of the first count elements of each row of the last axis in order. Equal elements keep
// their order. NaN is larger than every number.
type Sorting interface {
	Op
	Sorts() (count int, descending bool)
}

// Choosing is an op that returns the index of the largest or the smallest element along an axis, which it drops: the first of equal
// ones, and the first NaN if there is one.
type Choosing interface {
	Op
	Chooses() (axis int, smallest bool)
}

// AccumulateKind is how elements are combined along an axis.
type AccumulateKind uint8

// The kinds.
const (
	AccumulateSum AccumulateKind = iota
	AccumulateProd
	AccumulateLogSumExp
	AccumulateArgMax // the index of the largest, or of NaN if there is one: the last of equal ones
	AccumulateArgMin // the index of the smallest, likewise
)

// Accumulation is an op whose element i combines the elements 0 to i along an axis, or those from i on if reverse is true.
type Accumulation interface {
	Op
	Accumulates() (kind AccumulateKind, axis int, reverse bool)
}

// Searching is an op that returns for each element of its second operand the number of elements that it goes behind in the sorted row
// of its first: those that are smaller, and with right the equal ones too. NaN is larger than every number, and equal to itself.
type Searching interface {
	Op
	Searches() (right bool)
}

// DrawKind is a distribution.
type DrawKind uint8

// The kinds. Those from DrawBernoulli on have a second operand, one number or one for each draw.
const (
	DrawUniform   DrawKind = iota // in [A, B)
	DrawNormal                    // with mean A and deviation B
	DrawTruncated                 // likewise, between Lo and Hi deviations from the mean
	DrawBernoulli                 // true with the probability of the operand
	DrawLogGamma                  // the logarithm of a gamma number of that concentration
	DrawPoisson                   // of that rate
)

// DrawForm says what a random op draws. Element i is a function of i and of the key of Seed, Number and the step, which is the first
// operand: see package rng.
type DrawForm struct {
	Kind         DrawKind
	Seed, Number uint64
	A, B         float64
	Lo, Hi       float64
}

// Drawing is a random op.
type Drawing interface {
	Op
	Draws() DrawForm
}

// GammaSlope is the op that returns the derivatives of draws of DrawLogGamma, its second operand, with respect to the concentrations, its first, each for a fixed
// probability of a smaller number.
type GammaSlope interface {
	Op
	SlopesOfLogGamma()
}

// FactorKind is a factorization of matrices, or what is solved by one.
type FactorKind uint8

// The kinds. The operands are the matrices of the last two axes.
const (
	FactorCholesky      FactorKind = iota // the lower factor of the symmetric part; NaN if that is not positive definite
	FactorTriangular                      // x of t x = b, t being one triangle of the first operand
	FactorQR                              // the two factors, one below the other, or side by side if there are more columns than rows
	FactorEigH                            // of the symmetric part: the eigenvalues, ascending, as the first row, and the vectors as columns
	FactorSolve                           // x of a x = b; NaN if a is singular
	FactorInverse                         // NaN if it is singular
	FactorLU                              // the factors of elimination with pivots in one matrix, and two columns: the permutation, and in each row its parity
	FactorSVD                             // the left singular vectors as rows of columns, below them the values, descending, and the right vectors
	FactorPseudoinverse                   // or the shortest of those that make a x - b shortest, if there is a second operand
	FactorCofactors                       // the derivatives of the determinant
	FactorExp                             // the exponential
)

// FactorForm says what an op of this family computes.
type FactorForm struct {
	Kind       FactorKind
	Upper      bool    // of a triangular system
	Transposed bool    // of a system: that of the transposed matrix
	RTol       float64 // of a pseudoinverse: singular values up to this times the largest count as 0; 0 is max(m, n) times the distance from 1 to the next number
}

// Factoring is an op that computes with the matrices of its operands.
type Factoring interface {
	Op
	Factors() FactorForm
}

// FourierKind is a discrete Fourier transform.
type FourierKind uint8

// The kinds. Complex numbers are rows of real and of imaginary parts: two operands, and in a result the last axis but one.
const (
	FourierComplex        FourierKind = iota
	FourierComplexInverse             // times n
	FourierReal                       // of real numbers, the first half
	FourierRealInverse                // of half a spectrum, times n
)

// Fourier is an op that transforms the rows of its operands, n numbers each, and multiplies them by a factor.
type Fourier interface {
	Op
	Transforms() (kind FourierKind, n int, factor float64)
}
