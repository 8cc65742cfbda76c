package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds Embedding, a table of vectors, and EmbeddingBag, which puts several of its rows together.

// Embedding looks up the row of a table for each index. Equal to torch.nn.Embedding, its initialization included: the
// standard normal distribution.
type Embedding struct {
	Weight  *tarn.Param // [n d]
	Padding []int       // rows that get no gradient, such as that of a token that fills up sequences; padding_idx in PyTorch

	wrong mistake
}

// NewEmbedding returns a table of n vectors of size d.
func NewEmbedding(n, d int) *Embedding {
	e := &Embedding{Weight: tarn.NewParam(tarn.F32, Normal(0, 1), n, d)}
	e.wrong.sizes(fmt.Sprintf("NewEmbedding(%d, %d)", n, d), []string{"the number of vectors", "their size"}, n, d)
	return e
}

// NewPaddedEmbedding returns a table whose row padding is zeros, and stays so: it gets no gradient. Equal to torch.nn.Embedding with
// padding_idx.
func NewPaddedEmbedding(n, d, padding int) *Embedding {
	e := &Embedding{Weight: tarn.NewParam(tarn.F32, paddedInit(padding), n, d), Padding: []int{padding}}
	e.wrong.sizes(fmt.Sprintf("NewPaddedEmbedding(%d, %d, %d)", n, d, padding), []string{"the number of vectors", "their size"}, n, d)
	return e
}

// paddedInit is the standard normal distribution, and zeros in some rows.
func paddedInit(padding ...int) tarn.Initializer {
	return func(t *tarn.Tensor, r *tarn.Random) {
		r.Normal(t, 0, 1)
		for _, row := range padding {
			if shape := t.Shape(); row >= 0 && row < shape[0] {
				for i := range shape[1] {
					t.SetFloat(row*shape[1]+i, 0)
				}
			}
		}
	}
}

// counted is true for each index that is no padding, or nil if there is none. If something is wrong it returns a poisoned value too.
func counted(layer string, x, w *tarn.Value, padding []int) (keep, bad *tarn.Value) {
	for i, row := range padding {
		if row < 0 || row >= w.Dim(0) || slices.Contains(padding[:i], row) {
			return nil, x.Graph().Fail(layer, []*tarn.Value{x, w}, "Padding is %v and should list rows of the table, which has %d, each once", padding, w.Dim(0))
		}
		if other := x.Ne(tarn.Num(row)); keep == nil {
			keep = other
		} else {
			keep = keep.And(other)
		}
	}
	return keep, nil
}

// Forward is row x of the table for each index x. An index out of range is an error of Run: see tarn.Value.Take.
//
// Shapes: [d...] of i32 or i64 -> [d... size of a vector].
func (e *Embedding) Forward(x *tarn.Value) *tarn.Value {
	if e == nil {
		return missing("Embedding", x)
	}
	if bad := e.wrong.report("Embedding", x); bad != nil {
		return bad
	}
	w := e.Weight.Value(x.Graph())
	if d := x.DType(); d != tarn.I32 && d != tarn.I64 {
		return x.Graph().Fail("Embedding", []*tarn.Value{x, w}, "the index is %v and should be i32 or i64: Cast it", d)
	}
	keep, bad := counted("Embedding", x, w, e.Padding)
	if bad != nil {
		return bad
	}
	y := w.Take(0, x)
	if keep == nil {
		return y
	}
	return tarn.WithGradient(y, []*tarn.Value{y}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{keep.Unsqueeze(-1).Where(dy, tarn.Num(0))}
	})
}

// BagMode says how an EmbeddingBag puts the vectors of a bag together. The zero value is BagMean.
type BagMode int

const (
	BagMean BagMode = iota // their mean
	BagSum                 // their sum
	BagMax                 // the largest of each element
)

// EmbeddingBag looks up several rows of a table and puts them together, as features of a set of words. A bag without rows is zeros. Equal to
// torch.nn.EmbeddingBag, its initialization included.
type EmbeddingBag struct {
	Weight  *tarn.Param // [n d]
	Mode    BagMode
	Padding []int // rows that do not count, and get no gradient; padding_idx in PyTorch

	wrong mistake
}

// NewEmbeddingBag returns a table of n vectors of size d, of which bags get the mean.
func NewEmbeddingBag(n, d int) *EmbeddingBag {
	e := &EmbeddingBag{Weight: tarn.NewParam(tarn.F32, Normal(0, 1), n, d)}
	e.wrong.sizes(fmt.Sprintf("NewEmbeddingBag(%d, %d)", n, d), []string{"the number of vectors", "their size"}, n, d)
	return e
}

// Forward puts together the rows of each bag, all of one length. Shapes: [d... bag] of i32 or i64 -> [d... size of a vector].
func (e *EmbeddingBag) Forward(x *tarn.Value) *tarn.Value {
	if e == nil {
		return missing("EmbeddingBag", x)
	}
	return e.Weighted(x, nil)
}

// Weighted is Forward with a weight for each row, for the mode BagSum; nil means 1 each.
//
// Shapes: [d... bag] of i32 or i64, [d... bag] -> [d... size of a vector].
func (e *EmbeddingBag) Weighted(x, weights *tarn.Value) *tarn.Value {
	rows, keep, bad := e.look(x, weights)
	if bad != nil {
		return bad
	}
	if x.Rank() == 0 {
		return x.Graph().Fail("EmbeddingBag", []*tarn.Value{x}, "the index is a scalar; its last axis should be the elements of a bag")
	}
	if e.Mode == BagMax {
		return largest(rows, keep)
	}
	y := rows.Sum(-2)
	if e.Mode == BagSum {
		return y
	}
	if keep == nil {
		return y.Scale(1 / float64(max(1, x.Dim(-1))))
	}
	return y.Div(keep.Cast(y.DType()).Sum(-1).Maximum(tarn.Num(1)).Unsqueeze(-1))
}

// Bags puts together bags of any lengths that lie one after the other: bag i begins at offsets[i], and ends where the next begins. Offsets
// ascend from 0. Equal to torch.nn.EmbeddingBag of an input of one axis. The mode BagMax holds all rows for each bag on the way.
//
// Shapes: [m] and offsets [n] of i32 or i64, weights [m] or nil -> [n size of a vector].
func (e *EmbeddingBag) Bags(x, offsets, weights *tarn.Value) *tarn.Value {
	rows, keep, bad := e.look(x, weights)
	if bad != nil {
		return bad
	}
	g, in := x.Graph(), []*tarn.Value{x, offsets}
	if offsets == nil || x.Rank() != 1 || offsets.Rank() != 1 || offsets.Dim(0) < 1 || offsets.DType() != tarn.I32 && offsets.DType() != tarn.I64 {
		return g.Fail("EmbeddingBag", in, "the indices and the offsets should have one axis each, the offsets with at least one element, and be i32 or i64")
	}
	n, m := offsets.Dim(0), x.Dim(0)
	places := g.Iota(offsets.DType(), 0, m).Unsqueeze(-1)
	bag := places.Ge(offsets.Unsqueeze(0)).Cast(tarn.I32).Sum(-1).AddNum(-1).Within("EmbeddingBag: the bag of index", 0, n-1)
	if e.Mode == BagMax {
		member := g.Iota(tarn.I32, 0, n, 1).Eq(bag.Unsqueeze(0)) // [n m]
		if keep != nil {
			member = member.And(keep)
		}
		return largest(rows.Unsqueeze(0), member)
	}
	y := g.Num(rows.DType(), 0).Expand(n, rows.Dim(-1)).IndexAdd(0, bag, rows)
	if e.Mode == BagSum {
		return y
	}
	counts := rows.Num(1).Expand(m)
	if keep != nil {
		counts = keep.Cast(rows.DType())
	}
	return y.Div(rows.Num(0).Expand(n).IndexAdd(0, bag, counts).Maximum(tarn.Num(1)).Unsqueeze(-1))
}

// look returns the rows of the indices, weighted, zeros for padding, and which of them count, or nil for all. If something is wrong it returns a
// poisoned value too.
func (e *EmbeddingBag) look(x, weights *tarn.Value) (rows, keep, bad *tarn.Value) {
	if e == nil {
		return nil, nil, missing("EmbeddingBag", x)
	}
	if bad := e.wrong.report("EmbeddingBag", x); bad != nil {
		return nil, nil, bad
	}
	g := x.Graph()
	w := e.Weight.Value(g)
	fail := func(format string, args ...any) (rows, keep, bad *tarn.Value) {
		return nil, nil, g.Fail("EmbeddingBag", []*tarn.Value{x, w}, format, args...)
	}
	switch {
	case x.DType() != tarn.I32 && x.DType() != tarn.I64:
		return fail("the index is %v and should be i32 or i64: Cast it", x.DType())
	case e.Mode < BagMean || e.Mode > BagMax:
		return fail("Mode is %d and should be BagMean, BagSum or BagMax", e.Mode)
	case weights != nil && e.Mode != BagSum:
		return fail("there are weights, which only BagSum takes")
	case weights != nil && (!slices.Equal(weights.Shape(), x.Shape()) || weights.DType() != w.DType()):
		return fail("the weights are %v%s and should be %v%s, one for each index", weights.DType(), shapeString(weights.Shape()), w.DType(), shapeString(x.Shape()))
	}
	if keep, bad = counted("EmbeddingBag", x, w, e.Padding); bad != nil {
		return nil, nil, bad
	}
	rows = w.Take(0, x)
	if weights != nil {
		rows = rows.Mul(weights.Unsqueeze(-1))
	}
	if keep != nil {
		rows = keepIf(keep.Unsqueeze(-1), rows)
	}
	return rows, keep, nil
}

// largest is the largest of each element of the rows that count, along the axis before the last, or 0 if none does.
func largest(rows, keep *tarn.Value) *tarn.Value {
	if keep == nil {
		if rows.Dim(-2) == 0 {
			return rows.Sum(-2)
		}
		return rows.Max(-2)
	}
	if keep.Dim(-1) == 0 {
		shape := keep.Shape()
		return rows.Num(0).Expand(append(shape[:len(shape)-1], rows.Dim(-1))...)
	}
	y := keep.Unsqueeze(-1).Where(rows, tarn.Num(math.Inf(-1))).Max(-2)
	return keepIf(keep.Any(-1).Unsqueeze(-1), y)
}
