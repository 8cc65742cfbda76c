package cpu

// The backward pass of attention. With P the weights, dP = dO·Vᵀ and d the sum of dO*O along each row, the gradient with respect to the
// scores is dS = P*(dP - d), from which dQ = scale dS·K, dK = scale dSᵀ·Q and dV = Pᵀ·dO. Where dropout
// multiplies the weights by F, dV = (P*F)ᵀ·dO and dP = F*(dO·Vᵀ); d is what it is without. A task has some keys of one head
// to itself and goes over all queries, so that each element is summed in one order, whichever worker does it.

import (
	"unsafe"
)

// AttentionGrad is the planned gradient of an attention by its queries, keys and values.
type AttentionGrad struct {
	attention
	weighted   *Gemm // dP
	byValues   *Gemm
	byKeys     *Gemm
	byQueries  *Gemm
	rowSums    Rows
	splits     int // parts that the keys of a head are cut into; the gradients with respect to queries of the parts are added up
	turnedOut  int // places in the scratch: gradients of the result, transposed
	gradient   int // dP, then dS
	left       int // P*F
	rowProduct int // dO*O
	logSum     int // minus the logarithms of the sums
	weight     int // minus scale d
	sums       int
	unused     int // sums of weights, which are 1
}

// fewTasks is the number of tasks from which a head is not cut.
const fewTasks = 8

// NewAttentionGrad plans the gradient for the current level.
func NewAttentionGrad(spec AttentionSpec) *AttentionGrad {
	a := &AttentionGrad{attention: newAttention(spec), splits: 1}
	dt := F32
	if spec.Float64 {
		dt = F64
	}
	a.rowSums = RowReduction(Sum, dt)
	if a.paired != nil {
		a.turnedOut = a.room(turnedPairs(spec.ValueSize))
	} else {
		a.weighted = a.product(a.bk, a.bq, spec.ValueSize, Layout{spec.V.Row, 1})
		a.byValues = a.product(a.bk, spec.ValueSize, a.bq, Layout{a.bq, 1})
		a.byKeys = a.product(a.bk, spec.Size, a.bq, Layout{a.bq, 1})
		a.byQueries = a.product(a.bq, spec.Size, a.bk, Layout{1, a.bq})
		a.turnedOut = a.room(a.bq * spec.ValueSize)
	}
	a.gradient = a.room(a.bq * a.bk)
	a.rowProduct, a.logSum, a.weight = a.room(a.bq*spec.ValueSize), a.room(a.bq), a.room(a.bq)
	if a.paired == nil && (spec.Dropout > 0 || spec.BF16) {
		a.left = a.room(a.bq * a.bk)
	}
	a.sums, a.unused = a.room(a.bq*8/a.size), a.room(a.bq)
	if heads := spec.Batch * spec.KVHeads; heads > 0 && heads < fewTasks {
		a.splits = max(1, min(a.keyBlocks, (fewTasks+heads-1)/heads))
	}
	if a.splits > 1 {
		a.shared = align(a.splits * a.part())
		a.phases = append(a.phases, addPhase)
	}
	if a.paired != nil {
		a.planPairs(true)
	}
	return a
}

// part is the number of bytes of the gradients with respect to all queries.
func (a *AttentionGrad) part() int { return a.Batch * a.Heads * a.Queries * a.Size * a.size }

// Tasks is the number of tasks of a phase. They may run in any order and at the same time.
func (a *AttentionGrad) Tasks(phase int) int {
	switch a.phases[phase] {
	case packPhase:
		return a.packTasks()
	case addPhase:
		return a.Batch * a.Heads
	}
	return a.Batch * a.KVHeads * a.splits
}

// Run does one task of a phase. Out and LogSums are those of the attention.
func (a *AttentionGrad) Run(phase, task int, x *AttentionArrays, shared, worker unsafe.Pointer) {
	switch a.phases[phase] {
	case packPhase:
		a.pack(task, x, shared)
		return
	case addPhase:
		a.addParts(task, x, shared)
		return
	}
	split, kv, b := task%a.splits, task/a.splits%a.KVHeads, task/a.splits/a.KVHeads
	first, end := a.keyBlocks*split/a.splits*a.bk, min(a.keyBlocks*(split+1)/a.splits*a.bk, a.Keys)
	for j := first; j < end; j++ {
		dk, _ := a.at(x.DK, a.DK, b, kv, j)
		dv, _ := a.at(x.DV, a.DV, b, kv, j)
		clear(unsafe.Slice((*byte)(dk), a.Size*a.size))
		clear(unsafe.Slice((*byte)(dv), a.ValueSize*a.size))
	}
	sum := a.sum(worker)
	*sum = 0
	group := a.Heads / a.KVHeads
	for h := kv * group; h < (kv+1)*group; h++ {
		for i0 := 0; i0 < a.Queries; i0 += a.bq {
			n := min(a.bq, a.Queries-i0)
			dq, ldq := a.at(x.DQ, a.DQ, b, h, i0)
			if a.splits > 1 {
				dq = unsafe.Add(shared, split*a.part()+((b*a.Heads+h)*a.Queries+i0)*a.Size*a.size)
				ldq = a.rows(a.Size)
			}
			if keys := min(a.keysFor(i0+n), end); first < keys {
				a.queries(x, b, h, kv, i0, n, first, keys, dq, ldq, shared, worker)
				a.addTotal(worker, dq, ldq, n, a.Size)
				continue
			}
			for i := range n {
				clear(unsafe.Slice((*byte)(unsafe.Add(dq, i*ldq.RowStride)), a.Size*a.size))
			}
		}
	}
	if first < end {
		dk, ldk := a.at(x.DK, a.DK, b, kv, first)
		dv, ldv := a.at(x.DV, a.DV, b, kv, first)
		a.addTotal(worker, dk, ldk, end-first, a.Size)
		a.addTotal(worker, dv, ldv, end-first, a.ValueSize)
	}
	if *sum != *sum {
		x.NaN.Store(true)
	}
}

// queries adds what n queries from i0 on give to the gradients with respect to the keys and values from first to end, and writes their own
// gradients with respect to these to dq.
func (a *AttentionGrad) queries(x *AttentionArrays, b, h, kv, i0, n, first, end int, dq unsafe.Pointer, ldq Layout, shared, worker unsafe.Pointer) {
	q, lq := a.at(x.Q, a.Q, b, h, i0)
	do, ldo := a.at(x.DOut, a.DOut, b, h, i0)
	o, lo := a.at(x.Out, a.Out, b, h, i0)
	turned, turnedOut := unsafe.Add(worker, a.turned), unsafe.Add(worker, a.turnedOut)
	s, ds, products := unsafe.Add(worker, a.block), unsafe.Add(worker, a.gradient), unsafe.Add(worker, a.worker)
	logSum, weight := unsafe.Add(worker, a.logSum), unsafe.Add(worker, a.weight)
	rowProduct, sums := unsafe.Add(worker, a.rowProduct), unsafe.Add(worker, a.sums)
	for i := range n {
		a.mul(unsafe.Add(rowProduct, i*a.ValueSize*a.size), unsafe.Add(do, i*ldo.RowStride), unsafe.Add(o, i*lo.RowStride), nil, a.ValueSize)
	}
	clear(block[float64](sums, n))
	a.rowSums(sums, rowProduct, n, a.ValueSize)
	logs := unsafe.Add(x.LogSums, ((b*a.Heads+h)*a.Queries+i0)*a.size)
	if a.size == 8 {
		shifts(block[float64](logSum, n), block[float64](logs, n), block[float64](weight, n), block[float64](sums, n), a.Scale)
	} else {
		shifts(block[float32](logSum, n), block[float32](logs, n), block[float32](weight, n), block[float64](sums, n), a.Scale)
	}
	if a.paired != nil {
		a.pairedQueries(x, b, h, kv, i0, n, first, end, dq, ldq, shared, worker)
		return
	}
	a.turn(turned, q, a.Q, n, a.Size)
	a.turn(turnedOut, do, a.DOut, n, a.ValueSize)
	q, lq = a.roundedRows(queriesCopy, worker, q, lq, n, a.Size)
	do, ldo = a.roundedRows(gradientsCopy, worker, do, ldo, n, a.ValueSize)
	for j0 := first; j0 < end; j0 += a.bk {
		m := min(a.bk, end-j0)
		k, lk := a.at(x.K, a.K, b, kv, j0)
		v, lv := a.at(x.V, a.V, b, kv, j0)
		k, lk = a.roundedRows(keysCopy, worker, k, lk, m, a.Size)
		v, lv = a.roundedRows(valuesCopy, worker, v, lv, m, a.ValueSize)
		dk, ldk := a.at(x.DK, a.DK, b, kv, j0)
		dv, ldv := a.at(x.DV, a.DV, b, kv, j0)
		a.scores.wholeBlock(m, a.Size, n, k, lk, turned, a.rows(n), s, n*a.size, false, products)
		a.maskBlock(s, worker, x.Mask, b, h, i0, j0, m, n)
		a.passes.exp(s, logSum, unsafe.Add(worker, a.unused), m, n)
		if a.Dropout > 0 {
			factors, left := a.drop(worker, x.Drop, b, h, i0, j0, m, n), unsafe.Add(worker, a.left)
			a.mul(left, s, factors, nil, m*n)
			a.round(left, m*n)
			a.byValues.wholeBlock(m, n, a.ValueSize, left, a.rows(n), do, ldo, dv, ldv.RowStride, true, products)
			a.weighted.wholeBlock(m, a.ValueSize, n, v, lv, turnedOut, a.rows(n), ds, n*a.size, false, products)
			a.mul(ds, ds, factors, nil, m*n)
		} else {
			weights := s
			if a.BF16 {
				weights = unsafe.Add(worker, a.left)
				RoundBF16(weights, s, m*n)
			}
			a.byValues.wholeBlock(m, n, a.ValueSize, weights, a.rows(n), do, ldo, dv, ldv.RowStride, true, products)
			a.weighted.wholeBlock(m, a.ValueSize, n, v, lv, turnedOut, a.rows(n), ds, n*a.size, false, products)
		}
		a.passes.gradient(ds, s, weight, m, n)
		a.round(ds, m*n)
		a.byKeys.wholeBlock(m, n, a.Size, ds, a.rows(n), q, lq, dk, ldk.RowStride, true, products)
		a.byQueries.wholeBlock(n, m, a.Size, ds, Layout{a.size, n * a.size}, k, lk, dq, ldq.RowStride, j0 > first, products)
	}
}

// shifts returns what is added to the scores and to the gradients of the weights.
func shifts[T float32 | float64](logSum, logs, weight []T, sums []float64, scale float64) {
	for i, s := range sums {
		logSum[i] = -logs[i]
		weight[i] = T(-scale * s)
	}
}

// addParts adds up the gradients with respect to the queries of one head, first part to last.
func (a *AttentionGrad) addParts(task int, x *AttentionArrays, shared unsafe.Pointer) {
	for i := range a.Queries {
		dq, _ := a.at(x.DQ, a.DQ, task/a.Heads, task%a.Heads, i)
		from := unsafe.Add(shared, (task*a.Queries+i)*a.Size*a.size)
		copy(unsafe.Slice((*byte)(dq), a.Size*a.size), unsafe.Slice((*byte)(from), a.Size*a.size))
		for s := 1; s < a.splits; s++ {
			a.add(dq, dq, unsafe.Add(from, s*a.part()), nil, a.Size)
		}
	}
}
