package cpu

// Attention with operands of products rounded to bfloat16. With a unit for pairs of such numbers, keys and values of each head are packed once, and
// the queries of a block, the weights and the gradients with respect to scores when they are known. Tiles read the first operand of a product as rows along
// what is summed over, so the two products over keys, those of the weights with values and of the gradients with keys, are computed transposed there: values and
// keys are turned once, where weights would have to be turned for each block. Without a unit, blocks are copied with their numbers rounded, and multiplied as float32.

import "unsafe"

// The blocks that are copied.
const (
	keysCopy = iota
	valuesCopy
	queriesCopy
	gradientsCopy
)

// round rounds n numbers in place, if products are those of bfloat16.
func (a *attention) round(x unsafe.Pointer, n int) {
	if a.BF16 {
		RoundBF16(x, x, n)
	}
}

// roundedRows returns rows of an operand, or a copy of them in the worker's scratch with the numbers rounded.
func (a *attention) roundedRows(which int, worker, from unsafe.Pointer, l Layout, n, size int) (unsafe.Pointer, Layout) {
	if !a.BF16 {
		return from, l
	}
	to := unsafe.Add(worker, a.rounded[which])
	for i := range n {
		RoundBF16(unsafe.Add(to, i*size*a.size), unsafe.Add(from, i*l.RowStride), size)
	}
	return to, a.rows(size)
}

// pairedBlocks says where an attention with products of pairs has its operands. A block of up to blockKeys keys of a head is packed in the shared
// scratch: keys and values as rows, whose numbers are summed over, or as pairs of rows, if the sum is over keys, which tiles have turned. Places are in bytes.
type pairedBlocks struct {
	backward, tiles                    bool
	start, size                        int // of the blocks in the shared scratch
	keys, keyPairs, values, valuePairs int // in a block
	queries, gradients                 int // in a worker's scratch: pairs of queries, and of gradients with respect to the result
	asRows, asPairs                    int // weights or gradients with respect to scores, keys by queries, as rows and as pairs of rows
	turnedQueries                      int // gradients with respect to queries, size by queries, if they are computed in tiles
}

// pairKernels are the passes over a block whose rows are blockQueries scores that pack their results, too. Where there are none, the results are packed
// afterwards. See scoreKernels.
type pairKernels struct {
	expPairs func(dst, s, by, sums unsafe.Pointer, rows int)
	expRows  func(dst, s, by unsafe.Pointer, rows int)
	gradient func(asRows, asPairs, ds, s, by, scale unsafe.Pointer, rows int)
}

// The sizes of packed rows in bytes.
const (
	scoreRow  = blockQueries * 2 // of scores
	scorePair = blockQueries * 4 // of pairs of scores, and of turned pairs
)

// packedRow is the size of n numbers as bfloat16, in whole cache lines.
func packedRow(n int) int { return (n + 31) / 32 * 64 }

// pairRow is the size of n pairs.
func pairRow(n int) int { return (n + 15) / 16 * 64 }

// turnedPairs is the number of elements, of 4 bytes, of turned pairs of a block of queries of some size.
func turnedPairs(size int) int { return (size + 31) / 32 * 16 * blockQueries }

// planPairs lays out what is packed.
func (a *attention) planPairs(backward bool) {
	p := a.paired
	place := func(rows, bytes int) int {
		at := p.size
		p.size += rows * bytes
		return at
	}
	keyPairs := (a.bk + 1) / 2
	overKeys := func(size int) int {
		if p.tiles {
			return place((size+tileRow-1)/tileRow, a.turnedRows())
		}
		return place(keyPairs, pairRow(size))
	}
	p.keys = place(a.bk, packedRow(a.Size))
	p.asPairs = a.room(keyPairs * blockQueries)
	p.backward = backward
	if backward {
		p.keyPairs, p.values = overKeys(a.Size), place(a.bk, packedRow(a.ValueSize))
		queryPairs := (a.bq + 1) / 2
		p.queries, p.gradients = a.room(queryPairs*pairRow(a.Size)/4), a.room(queryPairs*pairRow(a.ValueSize)/4)
		p.asRows = a.room(a.bk * scoreRow / 4)
		if p.tiles {
			p.turnedQueries = a.room(a.Size * a.bq)
		}
	} else {
		p.valuePairs = overKeys(a.ValueSize)
	}
	p.start = a.shared
	a.shared += a.packTasks() * p.size
}

// packTasks is the number of tasks that pack keys and values.
func (a *attention) packTasks() int { return a.Batch * a.KVHeads * a.keyBlocks }

// packed is where the block of keys that begins at key j0 is packed.
func (a *attention) packed(shared unsafe.Pointer, b, kv, j0 int) unsafe.Pointer {
	return unsafe.Add(shared, a.paired.start+((b*a.KVHeads+kv)*a.keyBlocks+j0/a.bk)*a.paired.size)
}

// pack packs a block of keys and their values.
func (a *attention) pack(task int, x *AttentionArrays, shared unsafe.Pointer) {
	j0, kv, b := task%a.keyBlocks*a.bk, task/a.keyBlocks%a.KVHeads, task/a.keyBlocks/a.KVHeads
	m, p, to := min(a.bk, a.Keys-j0), a.paired, a.packed(shared, b, kv, j0)
	k, lk := a.at(x.K, a.K, b, kv, j0)
	v, lv := a.at(x.V, a.V, b, kv, j0)
	packRowsBF16(unsafe.Add(to, p.keys), packedRow(a.Size), k, lk.RowStride, m, a.Size)
	if !p.backward {
		a.packOverKeys(unsafe.Add(to, p.valuePairs), v, lv.RowStride, m, a.ValueSize)
		return
	}
	a.packOverKeys(unsafe.Add(to, p.keyPairs), k, lk.RowStride, m, a.Size)
	packRowsBF16(unsafe.Add(to, p.values), packedRow(a.ValueSize), v, lv.RowStride, m, a.ValueSize)
}

// turnedRows is the size of 16 numbers of each key of a block, turned.
func (a *attention) turnedRows() int { return (a.bk + 31) / 32 * tileBytes }

// packOverKeys packs m keys, or their values, for products that sum over keys: as pairs of rows, or as tiles whose rows run along the keys.
func (a *attention) packOverKeys(dst, src unsafe.Pointer, stride, m, size int) {
	if !a.paired.tiles {
		packColumns(dst, src, stride, m, size)
		return
	}
	for c := 0; c < size; c += tileRow {
		for j := 0; j < m; j += 32 {
			packAcrossBF16(unsafe.Add(dst, c/tileRow*a.turnedRows()+j/32*tileBytes), unsafe.Add(src, j*stride+c*4), stride, min(32, m-j), min(tileRow, size-c))
		}
	}
}

// packColumns makes pairs of rows 0 and 1, 2 and 3, and so on of any number of columns.
func packColumns(dst, src unsafe.Pointer, stride, rows, cols int) {
	for c := 0; c < cols; c += 32 {
		packPairsBF16(unsafe.Add(dst, c*4), pairRow(cols), unsafe.Add(src, c*4), stride, rows, min(32, cols-c))
	}
}

// turnPairs makes rows of pairs of n queries: row p has numbers 2p and 2p+1 of each.
func turnPairs(dst, src unsafe.Pointer, stride, n, size int) {
	for k := 0; k < size; k += 32 {
		for i := 0; i < n; i += 16 {
			packTurnedBF16(unsafe.Add(dst, k/2*scorePair+i*4), scorePair, unsafe.Add(src, i*stride+k*4), stride, min(16, n-i), min(32, size-k))
		}
	}
}

// multiplyPairs computes C = A·B or C += A·B of pairs, m by n, with k pairs to sum over. Element (i, p) of A is at i*aRow + p*aCol, and row p of B
// at p*bRow. Distances are in bytes.
func multiplyPairs(m, k, n int, a unsafe.Pointer, aRow, aCol int, b unsafe.Pointer, bRow int, c unsafe.Pointer, ldc int, add bool) {
	ks := &bf16Dot
	panels, width := (m+ks.rows-1)/ks.rows, ks.across(m)
	for j := 0; j < n; j += width {
		cols := min(width, n-j)
		vectors := (cols + ks.width - 1) / ks.width
		lanes := cols - (vectors-1)*ks.width
		for p := range panels {
			first, end := m*p/panels, m*(p+1)/panels
			ks.tile[end-first][vectors](k, (*byte)(unsafe.Add(a, first*aRow)), aRow, aCol, (*byte)(unsafe.Add(b, j*4)), bRow, (*byte)(unsafe.Add(c, first*ldc+j*4)), ldc, lanes, add, 1, 0, 0, nil)
		}
	}
}

// multiplyRows computes C = A·B or C += A·B, m by n, with k pairs to sum over, which rows of A have one after the other.
func (p *pairedBlocks) multiplyRows(m, k, n int, a unsafe.Pointer, aRow int, b unsafe.Pointer, bRow int, c unsafe.Pointer, ldc int, add bool) {
	if p.tiles {
		multiplyTileBlock(m, k, n, a, aRow, tileRow*aRow, false, b, bRow, c, ldc, add)
		return
	}
	multiplyPairs(m, k, n, a, aRow, 4, b, bRow, c, ldc, add)
}

// multiplyTurned computes C = A·B or C += A·B with A the numbers of m keys of a block, size by m, as packOverKeys turned them, and B their pairs with n queries.
func (a *attention) multiplyTurned(size, m, n int, turned, pairs, c unsafe.Pointer, add bool) {
	multiplyTileBlock(size, (m+1)/2, n, turned, 64, a.turnedRows(), true, pairs, scorePair, c, n*4, add)
}

// multiplyTileBlock computes C = A·B or C += A·B in tiles, m by n, with k pairs to sum over. A has rows of pairs, or is packed as tiles; each next 16 of them begin
// aLower bytes further. Distances are in bytes.
func multiplyTileBlock(m, k, n int, a unsafe.Pointer, aRow, aLower int, packed bool, b unsafe.Pointer, bRow int, c unsafe.Pointer, ldc int, add bool) {
	if k == 0 && !add {
		for i := range m {
			clear(unsafe.Slice((*byte)(unsafe.Add(c, i*ldc)), n*4))
		}
	}
	t := tileProduct{m: m, n: n}
	t.a, t.aRow, t.aLower, t.aPanel = a, aRow, aLower, 2*aLower
	t.b, t.bRow, t.bPanel = b, bRow, tilePanel*4
	t.c, t.cRow, t.blocks = c, ldc, 1
	if add {
		t.add = 1
	}
	t.sumSteps(tileRow, k/tileRow, k%tileRow, packed, 0, 0)
}

// pairedScores computes the scores of m packed keys and n turned queries.
func (a *attention) pairedScores(s, packed, turned unsafe.Pointer, m, n int) {
	a.paired.multiplyRows(m, (a.Size+1)/2, n, unsafe.Add(packed, a.paired.keys), packedRow(a.Size), turned, scorePair, s, n*4, false)
	a.mul(s, s, a.scales, nil, m*n)
}

// pairedValues makes weights of scores, which it multiplies by factors if these are not nil, and adds the weighted values to out.
func (a *Attention) pairedValues(out, s, packed, shift, total, factors, worker unsafe.Pointer, m, n int, add bool) {
	p := a.paired
	weights := unsafe.Add(worker, p.asPairs)
	if n == blockQueries && factors == nil && pairScores.expPairs != nil {
		pairScores.expPairs(weights, s, shift, total, m)
	} else {
		a.passes.exp(s, shift, total, m, n)
		if factors != nil {
			a.mul(s, s, factors, nil, m*n)
		}
		packPairsBF16(weights, scorePair, s, n*4, m, n)
	}
	if p.tiles {
		a.multiplyTurned(a.ValueSize, m, n, unsafe.Add(packed, p.valuePairs), weights, out, add)
		return
	}
	multiplyPairs(n, (m+1)/2, a.ValueSize, weights, 4, scorePair, unsafe.Add(packed, p.valuePairs), pairRow(a.ValueSize), out, a.ValueSize*4, add)
}

// pairedQueries is the part of queries that multiplies.
func (a *AttentionGrad) pairedQueries(x *AttentionArrays, b, h, kv, i0, n, first, end int, dq unsafe.Pointer, ldq Layout, shared, worker unsafe.Pointer) {
	p := a.paired
	q, lq := a.at(x.Q, a.Q, b, h, i0)
	do, ldo := a.at(x.DOut, a.DOut, b, h, i0)
	turned, turnedOut := unsafe.Add(worker, a.turned), unsafe.Add(worker, a.turnedOut)
	queries, gradients := unsafe.Add(worker, p.queries), unsafe.Add(worker, p.gradients)
	s, ds := unsafe.Add(worker, a.block), unsafe.Add(worker, a.gradient)
	asRows, asPairs := unsafe.Add(worker, p.asRows), unsafe.Add(worker, p.asPairs)
	logSum, weight := unsafe.Add(worker, a.logSum), unsafe.Add(worker, a.weight)
	turnPairs(turned, q, lq.RowStride, n, a.Size)
	turnPairs(turnedOut, do, ldo.RowStride, n, a.ValueSize)
	packColumns(queries, q, lq.RowStride, n, a.Size)
	packColumns(gradients, do, ldo.RowStride, n, a.ValueSize)
	whole := n == blockQueries && a.Dropout == 0 && pairScores.expRows != nil
	for j0 := first; j0 < end; j0 += a.bk {
		m, packed := min(a.bk, end-j0), a.packed(shared, b, kv, j0)
		dk, ldk := a.at(x.DK, a.DK, b, kv, j0)
		dv, ldv := a.at(x.DV, a.DV, b, kv, j0)
		a.pairedScores(s, packed, turned, m, n)
		a.maskBlock(s, worker, x.Mask, b, h, i0, j0, m, n)
		var factors unsafe.Pointer
		if whole {
			pairScores.expRows(asRows, s, logSum, m)
		} else {
			a.passes.exp(s, logSum, unsafe.Add(worker, a.unused), m, n)
			weights := s
			if a.Dropout > 0 {
				factors, weights = a.drop(worker, x.Drop, b, h, i0, j0, m, n), ds
				a.mul(weights, s, factors, nil, m*n)
			}
			packRowsBF16(asRows, scoreRow, weights, n*4, m, n)
		}
		p.multiplyRows(m, (n+1)/2, a.ValueSize, asRows, scoreRow, gradients, pairRow(a.ValueSize), dv, ldv.RowStride, true)
		p.multiplyRows(m, (a.ValueSize+1)/2, n, unsafe.Add(packed, p.values), packedRow(a.ValueSize), turnedOut, scorePair, ds, n*4, false)
		if whole {
			pairScores.gradient(asRows, asPairs, ds, s, weight, a.scales, m)
		} else {
			if factors != nil {
				a.mul(ds, ds, factors, nil, m*n)
			}
			a.mul(ds, ds, a.scales, nil, m*n)
			a.passes.gradient(ds, s, weight, m, n)
			packRowsBF16(asRows, scoreRow, ds, n*4, m, n)
			packPairsBF16(asPairs, scorePair, ds, n*4, m, n)
		}
		p.multiplyRows(m, (n+1)/2, a.Size, asRows, scoreRow, queries, pairRow(a.Size), dk, ldk.RowStride, true)
		if p.tiles {
			a.multiplyTurned(a.Size, m, n, unsafe.Add(packed, p.keyPairs), asPairs, unsafe.Add(worker, p.turnedQueries), j0 > first)
			continue
		}
		multiplyPairs(n, (m+1)/2, a.Size, asPairs, 4, scorePair, unsafe.Add(packed, p.keyPairs), pairRow(a.Size), dq, ldq.RowStride, j0 > first)
	}
	if p.tiles {
		a.transpose(dq, unsafe.Add(worker, p.turnedQueries), a.Size, n, ldq.RowStride/a.size, n)
	}
}
