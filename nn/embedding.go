package nn

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
)

// This file holds Embedding, a table of vectors.

// Embedding looks up the row of a table for each index. Equal to torch.nn.Embedding, its initialization included: the
// standard normal distribution.
type Embedding struct {
	Weight *tarn.Param // [n d]

	wrong mistake
}

// NewEmbedding returns a table of n vectors of size d.
func NewEmbedding(n, d int) *Embedding {
	e := &Embedding{Weight: tarn.NewParam(tarn.F32, Normal(0, 1), n, d)}
	e.wrong.sizes(fmt.Sprintf("NewEmbedding(%d, %d)", n, d), []string{"the number of vectors", "their size"}, n, d)
	return e
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
	return w.Take(0, x)
}
