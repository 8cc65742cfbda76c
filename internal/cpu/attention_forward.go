package cpu

// The forward pass of attention: a task computes a block of queries of one head, over all their keys.

import (
	"math"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// Attention is a planned attention. It is immutable, so any number of goroutines may run its tasks.
type Attention struct {
	attention
	values  *Gemm
	log     Vec
	splat   Rows
	blocks  int // of queries
	out     int // places in the scratch: the sum of the weighted values
	spread  int // a number a query, spread over the row
	shift   int // minus the maximum that is taken away from a query's scores
	divisor int // the sum of its exponentials
	top     int // the maximum, or the sum, over a block
}

// NewAttention plans an attention for the current level.
func NewAttention(spec AttentionSpec) *Attention {
	a := &Attention{attention: newAttention(spec)}
	dt := F32
	if spec.Float64 {
		dt = F64
	}
	a.log, a.splat = Function(scalar.Log, dt), Splat(dt)
	if a.paired != nil {
		a.planPairs(false)
	} else {
		a.values = a.product(a.bq, spec.ValueSize, a.bk, Layout{1, a.bq})
	}
	a.out, a.spread = a.room(a.bq*spec.ValueSize), a.room(a.bq*spec.ValueSize)
	a.shift, a.divisor, a.top = a.room(a.bq), a.room(a.bq), a.room(a.bq)
	if a.bq > 0 {
		a.blocks = (spec.Queries + a.bq - 1) / a.bq
	}
	return a
}

// turnsOut reports whether the weighted values are summed up as values by queries.
func (a *Attention) turnsOut() bool { return a.paired != nil && a.paired.tiles }

// Tasks is the number of tasks of a phase. They may run in any order and at the same time.
func (a *Attention) Tasks(phase int) int {
	if a.phases[phase] == packPhase {
		return a.packTasks()
	}
	return a.Batch * a.Heads * a.blocks
}

// Run does one task of a phase. Those of the last write rows of Out and of LogSums.
func (a *Attention) Run(phase, task int, x *AttentionArrays, shared, worker unsafe.Pointer) {
	switch {
	case a.phases[phase] == packPhase:
		a.pack(task, x, shared)
	case a.size == 8:
		attend[float64](a, task, x, shared, worker)
	default:
		attend[float32](a, task, x, shared, worker)
	}
}

func attend[T float32 | float64](a *Attention, task int, x *AttentionArrays, shared, worker unsafe.Pointer) {
	i0 := task % a.blocks * a.bq
	h, b := task/a.blocks%a.Heads, task/a.blocks/a.Heads
	n, kv := min(a.bq, a.Queries-i0), h/(a.Heads/a.KVHeads)
	q, lq := a.at(x.Q, a.Q, b, h, i0)
	turned, s, out := unsafe.Add(worker, a.turned), unsafe.Add(worker, a.block), unsafe.Add(worker, a.out)
	products := unsafe.Add(worker, a.worker)
	shift, total, top := unsafe.Add(worker, a.shift), unsafe.Add(worker, a.divisor), unsafe.Add(worker, a.top)
	totals := block[T](total, n)
	if a.paired != nil {
		turnPairs(turned, q, lq.RowStride, n, a.Size)
	} else {
		a.turn(turned, q, a.Q, n, a.Size)
	}
	clear(totals)
	keys := a.keysFor(i0 + n)
	for j0 := 0; j0 < keys; j0 += a.bk {
		m := min(a.bk, keys-j0)
		if a.paired != nil {
			a.pairedScores(s, a.packed(shared, b, kv, j0), turned, m, n)
		} else {
			k, lk := a.at(x.K, a.K, b, kv, j0)
			k, lk = a.roundedRows(keysCopy, worker, k, lk, m, a.Size)
			a.scores.wholeBlock(m, a.Size, n, k, lk, turned, a.rows(n), s, n*a.size, false, products)
		}
		a.maskBlock(s, worker, x.Mask, b, h, i0, j0, m, n)
		a.passes.top(top, s, m, n)
		if j0 == 0 {
			first(block[T](shift, n), block[T](top, n))
		} else {
			row, col := a.ValueSize, 1
			if a.turnsOut() {
				row, col = 1, n
			}
			higher(block[T](shift, n), totals, block[T](top, n), block[T](out, n*a.ValueSize), row, col)
		}
		var factors unsafe.Pointer
		if a.Dropout > 0 {
			factors = a.drop(worker, x.Drop, b, h, i0, j0, m, n)
		}
		if a.paired != nil {
			a.pairedValues(out, s, a.packed(shared, b, kv, j0), shift, total, factors, worker, m, n, j0 > 0)
			continue
		}
		a.passes.exp(s, shift, total, m, n)
		if factors != nil {
			a.mul(s, s, factors, nil, m*n)
		}
		a.round(s, m*n)
		v, lv := a.at(x.V, a.V, b, kv, j0)
		v, lv = a.roundedRows(valuesCopy, worker, v, lv, m, a.ValueSize)
		a.values.wholeBlock(n, m, a.ValueSize, s, Layout{a.size, n * a.size}, v, lv, out, a.ValueSize*a.size, j0 > 0, products)
	}
	o, lo := a.at(x.Out, a.Out, b, h, i0)
	logs := unsafe.Add(x.LogSums, ((b*a.Heads+h)*a.Queries+i0)*a.size)
	if keys == 0 {
		clear(block[T](out, n*a.ValueSize))
		clear(block[T](shift, n))
	}
	if a.selects() {
		sum := a.sum(worker)
		*sum = 0
		if a.addTotal(worker, out, Layout{}, 1, n*a.ValueSize); *sum != *sum {
			x.NaN.Store(true)
		}
	}
	a.log(logs, total, nil, nil, n)
	shifts, tops, sums := block[T](shift, n), block[T](top, n), block[T](logs, n)
	for i, t := range totals {
		if t == 0 { // no key counts: the weights are 0
			tops[i], sums[i] = 0, T(math.Inf(1))
			continue
		}
		tops[i] = 1 / t
		sums[i] -= shifts[i]
	}
	if a.turnsOut() {
		for c := range a.ValueSize {
			row := unsafe.Add(out, c*n*a.size)
			a.mul(row, row, top, nil, n)
		}
		a.transpose(o, out, a.ValueSize, n, a.Out.Row, n)
		return
	}
	spread := unsafe.Add(worker, a.spread)
	a.splat(spread, top, n, a.ValueSize)
	row := a.ValueSize * a.size
	for i := range n {
		a.mul(unsafe.Add(o, i*lo.RowStride), unsafe.Add(out, i*row), unsafe.Add(spread, i*row), nil, a.ValueSize)
	}
}

// first takes the maximum over the first block as what is taken away from all scores. Where no key has counted it stays 0.
func first[T float32 | float64](shift, top []T) {
	for i, t := range top {
		shift[i] = 0
		if !math.IsInf(float64(t), -1) {
			shift[i] = -t
		}
	}
}

// tolerable is how much a score may exceed the maximum of the blocks before it: e^tolerable is no large number yet. Few
// blocks exceed it, so that what has been summed up is seldom scaled.
const tolerable = 8

// higher looks at the maxima over a block. Where one exceeds what is taken away by too much, or is the first at all, it is taken away from now on:
// shift, the sums and the values of out are brought to it. Those of query i begin at i*row, col elements from each other.
func higher[T float32 | float64](shift, total, top, out []T, row, col int) {
	for i, t := range top {
		above := t + shift[i]
		switch {
		case total[i] == 0 && !math.IsInf(float64(t), -1):
			shift[i] = -t
		case above > tolerable:
			shift[i] = -t
			factor := T(math.Exp(float64(-above)))
			total[i] *= factor
			for c := i * row; c < i*row+len(out)/len(top)*col; c += col {
				out[c] *= factor
			}
		}
	}
}
