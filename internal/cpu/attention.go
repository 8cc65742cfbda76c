package cpu

// Scaled dot-product attention in blocks: softmax(scale Q·Kᵀ + mask)·V for every head. At most one block of the matrix of
// scores is in memory at a time. As in T. Dao, "FlashAttention-2", 2023, the softmax of a row is computed while its keys are
// read, and only the logarithm of the sum of its exponentials is kept, from which the backward pass recomputes the weights.
//
// Blocks of scores are held transposed, keys by queries. Then what belongs to a query, its maximum and its sum, lies along
// the vectors, and all products read their operands in place except the queries of a block, which are transposed once.

import (
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/rng"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// HeadLayout says where the rows of the heads lie: row r of head h of example b begins at b*Batch + h*Head + r*Row, in
// elements, and its elements are contiguous.
type HeadLayout struct{ Batch, Head, Row int }

// MaskKind is what a mask does to the scores.
type MaskKind uint8

// The kinds of mask.
const (
	NoMask       MaskKind = iota
	BoolMask              // a score counts where the mask is true
	AdditiveMask          // the mask, of the type of the scores, is added
)

// AttentionSpec describes an attention.
type AttentionSpec struct {
	Batch, Heads, KVHeads int // Heads is a multiple of KVHeads: Heads/KVHeads consecutive query heads share one key head
	Queries, Keys         int
	Size, ValueSize       int // of a query and of a key, and of a value
	Scale                 float64
	Causal                bool    // key j counts for query i only if j <= i
	Dropout               float64 // probability with which a weight is set to 0; the others are divided by 1-Dropout
	Float64               bool    // elements are float64, else float32
	BF16                  bool    // what is multiplied, which is float32, is rounded to bfloat16
	Mask                  MaskKind
	MaskStrides           [4]int // by example, head, query and key, in elements
	Q, K, V, Out          HeadLayout
	DOut, DQ, DK, DV      HeadLayout // of the gradients; the attention itself does not look at them
}

// AttentionArrays says where the arrays of a run lie. LogSums has for each example, head and query the logarithm of the
// sum of the exponentials of its scores, +Inf where no key counts.
type AttentionArrays struct {
	Q, K, V, Mask, Out, LogSums unsafe.Pointer
	DOut, DQ, DK, DV            unsafe.Pointer // of the gradients
	Drop                        rng.Key        // of the stream that says which weights are dropped, [batch heads queries keys]
	// NaN is set if a result is NaN. The weights of keys that do not count are 0, and 0 times a NaN among their values is NaN, so a result with one
	// has to be computed in another way.
	NaN atomic.Bool
}

// Sizes of blocks of scores, found by measurement on a Zen 4 processor: the block, and the operands of its products, stay
// in the caches that a core has for itself. The kernels of blocks take exactly this number of queries.
const (
	blockQueries = 32
	blockKeys    = 64
)

// attention is what an attention and its gradient share.
type attention struct {
	AttentionSpec
	size      int // bytes of an element
	bq, bk    int // queries and keys of a block
	scores    *Gemm
	passes    scorePasses
	transpose TransposeFunc
	mul, add  Vec
	where     Vec
	maskTurn  TransposeFunc
	boolTurn  TransposeFunc
	scales    unsafe.Pointer // Scale, repeated for every element of a transposed block of queries or gradients
	infinite  unsafe.Pointer // -Inf, repeated for every element of a block of scores
	worker    int            // bytes of a worker's scratch
	turned    int            // places in it: queries, transposed
	block     int            // scores
	mask      int            // mask, transposed
	draws     int            // which weights are kept, queries by keys
	drawn     int            // and transposed
	factors   int            // what the weights are multiplied by
	total     Rows           // for the sum of a result, which is NaN if an element is
	whole     int            // that sum, a float64
	kept      unsafe.Pointer // the factor of a kept weight, repeated for every element of a block
	dropped   unsafe.Pointer // and 0, the factor of a dropped weight
	products  int            // what the products need
	rounded   [4]int         // places of rounded copies of a block: keys, values, queries, gradients with respect to the result
	paired    *pairedBlocks  // if products are those of pairs, or nil
	phases    []attentionPhase
	keyBlocks int
	shared    int // bytes of the shared scratch
}

// attentionPhase is what the tasks of a phase do.
type attentionPhase uint8

const (
	packPhase   attentionPhase = iota // pack keys and values
	attendPhase                       // compute the attention, or its gradient
	addPhase                          // add up the parts of the gradients with respect to queries
)

// Phases returns the number of phases. All tasks of a phase are done before the next begins.
func (a *attention) Phases() int { return len(a.phases) }

// SharedScratch returns the bytes of scratch that all tasks of one run share.
func (a *attention) SharedScratch() int { return a.shared }

// WorkerScratch returns the bytes of scratch that each worker needs for itself.
func (a *attention) WorkerScratch() int { return a.worker + a.products }

func newAttention(spec AttentionSpec) attention {
	dt := F32
	if spec.Float64 {
		dt = F64
	}
	a := attention{
		AttentionSpec: spec, size: dt.Size(), bq: min(blockQueries, spec.Queries), bk: min(blockKeys, spec.Keys),
		transpose: Transpose(dt.Size()), mul: Function(scalar.Mul, dt), add: Function(scalar.Add, dt), where: Function(scalar.Where, dt), maskTurn: Transpose(dt.Size()), total: RowReduction(Sum, dt),
	}
	a.passes = scorePasses{scoreKernelsFor(Current(), spec.Float64), a.size, ColumnReduction(Max, dt), ColumnReduction(Sum, dt), Function(scalar.Exp, dt), a.mul, a.add}
	if spec.Mask == BoolMask {
		a.maskTurn = Transpose(1)
	}
	a.scales = a.constant(spec.Scale, a.bq*max(spec.Size, spec.ValueSize, a.bk))
	a.infinite = a.constant(math.Inf(-1), a.bq*a.bk)
	a.block, a.whole = a.room(a.bq*a.bk), a.room(8/a.size)
	if spec.Mask != NoMask {
		a.mask = a.room(a.bq * a.bk)
	}
	if spec.Dropout > 0 {
		a.boolTurn = Transpose(1)
		a.draws, a.drawn, a.factors = a.room(a.bq*a.bk), a.room(a.bq*a.bk), a.room(a.bq*a.bk)
		a.kept, a.dropped = a.constant(1/(1-spec.Dropout), a.bq*a.bk), a.constant(0, a.bq*a.bk)
	}
	if a.bk > 0 {
		a.keyBlocks = (spec.Keys + a.bk - 1) / a.bk
	}
	a.phases = []attentionPhase{attendPhase}
	if unit := CurrentBF16(); spec.BF16 && !spec.Float64 && unit != NoBF16 {
		a.paired = &pairedBlocks{tiles: unit == TileBF16}
		a.phases = []attentionPhase{packPhase, attendPhase}
		a.turned = a.room(turnedPairs(spec.Size))
		return a
	}
	a.turned = a.room(a.bq * max(spec.Size, 1))
	if spec.BF16 {
		for i, n := range [...]int{keysCopy: a.bk * spec.Size, valuesCopy: a.bk * spec.ValueSize, queriesCopy: a.bq * spec.Size, gradientsCopy: a.bq * spec.ValueSize} {
			a.rounded[i] = a.room(n)
		}
	}
	a.scores = a.product(a.bk, a.bq, spec.Size, Layout{spec.K.Row, 1})
	return a
}

// constant is an array of n elements x.
func (a *attention) constant(x float64, n int) unsafe.Pointer {
	if a.size == 8 {
		return constantOf(x, n)
	}
	return constantOf(float32(x), n)
}

func constantOf[T float32 | float64](x T, n int) unsafe.Pointer {
	s := make([]T, n+1)
	for i := range s {
		s[i] = x
	}
	return unsafe.Pointer(unsafe.SliceData(s))
}

// room returns a place for n elements in the worker's scratch.
func (a *attention) room(n int) int {
	at := a.worker
	a.worker += align(n * a.size)
	return at
}

// product plans products of blocks of at most these sizes. The second operand's rows are contiguous.
func (a *attention) product(m, n, k int, first Layout) *Gemm {
	// Each call brings its own layouts, except their unit strides, and LDC.
	g := NewGemm(GemmSpec{M: m, N: n, K: k, A: first, B: Layout{n, 1}, LDC: n + 1, Float64: a.Float64})
	a.products = max(a.products, g.worker)
	return g
}

// rows is the layout of a block in row-major order with rows of n elements.
func (a *attention) rows(n int) Layout { return Layout{n * a.size, a.size} }

// wholeBlock computes C = A·B or C += A·B, m by k by n, on the calling worker. Layouts and ldc are in bytes.
func (g *Gemm) wholeBlock(m, k, n int, a unsafe.Pointer, la Layout, b unsafe.Pointer, lb Layout, c unsafe.Pointer, ldc int, add bool, worker unsafe.Pointer) {
	if k == 0 && !add {
		for i := range m {
			clear(unsafe.Slice((*byte)(unsafe.Add(c, i*ldc)), n*g.size))
		}
		return
	}
	g.multiply(&gemmTile{0, m, 0, n}, 0, k, &operands{a, b, la, lb}, c, ldc, add, worker)
}

// at is the address of a row, and the layout of the rows from there.
func (a *attention) at(base unsafe.Pointer, l HeadLayout, b, h, r int) (unsafe.Pointer, Layout) {
	return unsafe.Add(base, (b*l.Batch+h*l.Head+r*l.Row)*a.size), Layout{l.Row * a.size, a.size}
}

// turn transposes n rows of a block, multiplied by Scale.
func (a *attention) turn(dst, src unsafe.Pointer, l HeadLayout, n, size int) {
	a.transpose(dst, src, n, size, n, l.Row)
	a.round(dst, n*size)
	a.mul(dst, dst, a.scales, nil, n*size)
}

// selects reports whether there are keys that do not count.
func (a *attention) selects() bool { return a.Causal || a.Mask != NoMask }

// sum is the place of the sum of a result in a worker's scratch.
func (a *attention) sum(worker unsafe.Pointer) *float64 {
	return (*float64)(unsafe.Add(worker, a.whole))
}

// addTotal adds n rows of a result, whose elements are contiguous, to the sum.
func (a *attention) addTotal(worker, from unsafe.Pointer, l Layout, n, size int) {
	for i := range n {
		a.total(unsafe.Add(worker, a.whole), unsafe.Add(from, i*l.RowStride), 1, size)
	}
}

// keysFor is the number of keys that count for some of the queries before one.
func (a *attention) keysFor(end int) int {
	if a.Causal {
		return min(a.Keys, end)
	}
	return a.Keys
}

// maskBlock applies the mask to a block of scores of m keys from j0 on and n queries from i0 on.
func (a *attention) maskBlock(s, scratch, mask unsafe.Pointer, b, h, i0, j0, m, n int) {
	if a.Causal && j0+m-1 > i0 {
		for j := max(j0, i0+1); j < j0+m; j++ {
			earlier := min(j-i0, n) * a.size
			copy(unsafe.Slice((*byte)(unsafe.Add(s, (j-j0)*n*a.size)), earlier), unsafe.Slice((*byte)(a.infinite), earlier))
		}
	}
	if a.Mask == NoMask {
		return
	}
	size := a.size
	if a.Mask == BoolMask {
		size = 1
	}
	st := a.MaskStrides
	from := unsafe.Add(mask, (b*st[0]+h*st[1]+i0*st[2]+j0*st[3])*size)
	turned := unsafe.Add(scratch, a.mask)
	switch {
	case st[3] == 1:
		a.maskTurn(turned, from, n, m, n, st[2])
	case size == 1:
		gatherBlock[uint8](turned, from, m, n, st[3], st[2])
	case size == 4:
		gatherBlock[uint32](turned, from, m, n, st[3], st[2])
	default:
		gatherBlock[uint64](turned, from, m, n, st[3], st[2])
	}
	if a.Mask == BoolMask {
		a.where(s, turned, s, a.infinite, m*n)
	} else {
		a.add(s, s, turned, nil, m*n)
	}
}

// drop returns what dropout multiplies the weights of a block by, m keys from j0 on and n queries from i0 on. Each is a function
// of its place alone, so the backward pass finds those of the forward pass again.
func (a *attention) drop(scratch unsafe.Pointer, key rng.Key, b, h, i0, j0, m, n int) unsafe.Pointer {
	draws, drawn, factors := unsafe.Add(scratch, a.draws), unsafe.Add(scratch, a.drawn), unsafe.Add(scratch, a.factors)
	kept := block[bool](draws, m*n)
	for i := range n {
		rng.FillBernoulli(kept[i*m:(i+1)*m], key, ((b*a.Heads+h)*a.Queries+i0+i)*a.Keys+j0, 1-a.Dropout)
	}
	a.boolTurn(drawn, draws, n, m, n, m)
	a.where(factors, drawn, a.kept, a.dropped, m*n)
	return factors
}

// gatherBlock writes a block of any strides in row-major order.
func gatherBlock[T any](dst, src unsafe.Pointer, rows, cols, rowStride, colStride int) {
	d := block[T](dst, rows*cols)
	size := int(unsafe.Sizeof(*new(T)))
	for r := range rows {
		for c := range cols {
			d[r*cols+c] = *(*T)(unsafe.Add(src, (r*rowStride+c*colStride)*size))
		}
	}
}
