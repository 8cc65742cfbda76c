package exec

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/jit"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file turns segments of a loop's instructions into runs, for which package jit makes machine code.

// farBytes is the size from which an array is not expected to be in the cache.
const farBytes = 1 << 19

// awayBytes is the size from which a program's output is stored past the caches: they would keep little of it until the caller
// reads it, and storing through them reads the memory first.
const awayBytes = 1 << 22

// runMaker makes one run.
type runMaker struct {
	*loopJob
	segment segment
	run     jit.Run
	number  map[int]int // values of the run by values of the loop
}

// bindRun makes a segment one operation, or a few where it is too large for one.
func (j *loopJob) bindRun(s segment) {
	r := runMaker{loopJob: j, segment: s, number: map[int]int{}}
	instrs := j.loop.Instrs[s.first:s.end]
	full := true
	for k := range instrs {
		in := &instrs[k]
		if in.Code == lower.Spread {
			continue
		}
		r.run.Double = r.run.Double || floatType(in) == ir.F64
		full = full && in.Extent != lower.Row || reduces(in)
		if in.Code == lower.ReduceTotal {
			full = j.fullOperand(in.Args[0])
		}
		for _, v := range in.Args {
			r.input(v)
		}
	}
	next := len(r.run.Inputs)
	for k := range instrs {
		if in := &instrs[k]; in.Code == lower.Apply || in.Code == lower.Convert {
			r.number[j.result(s.first+k)] = next
			next++
		}
	}
	columns, totals, blocks, shared, worker, slots := len(j.columns), len(j.totals), len(j.fixed), j.shared, j.worker, j.slots
	for k := range instrs {
		r.add(s.first + k)
	}
	if len(r.run.Instrs)+len(r.run.Reductions) > 0 {
		id, ok := j.code.Add(&r.run)
		if !ok { // it needs more registers than there are: half of it will need fewer
			j.columns, j.totals, j.fixed = j.columns[:columns], j.totals[:totals], j.fixed[:blocks]
			j.shared, j.worker, j.slots = shared, worker, slots
			j.shifted = slices.DeleteFunc(j.shifted, func(s shifted) bool { return s.slot >= slots })
			middle := (s.first + s.end) / 2
			j.bindRun(segment{s.first, middle, true})
			j.bindRun(segment{middle, s.end, true})
			return
		}
		op := loopOp{kind: opRun, id: id, full: full}
		plain := r.run
		plain.Outputs = slices.Clone(plain.Outputs)
		for i, o := range r.run.Outputs {
			if o.Away {
				op.away = append(op.away, o.Slot)
				plain.Outputs[i].Away = false
			}
		}
		if len(op.away) > 1 {
			op.plainID, _ = j.code.Add(&plain)
		}
		j.ops = append(j.ops, op)
	}
	for i := s.first; i < s.end; i++ {
		if j.loop.Instrs[i].Code == lower.Spread {
			if j.readSingly(j.result(i)) {
				j.bindInstr(i)
			}
			continue
		}
		j.follow(i)
	}
}

// alike reports whether the blocks of some slots begin at one distance from a cache line.
func alike(p slots, stored []int) bool {
	for _, s := range stored[1:] {
		if (p[s]^p[stored[0]])%64 != 0 {
			return false
		}
	}
	return true
}

// spreadOf is the instruction that spreads v over the row, or -1 if v is no such value.
func (j *loopJob) spreadOf(v int) int {
	if i := v - len(j.loop.Sources); i >= 0 && j.loop.Instrs[i].Code == lower.Spread {
		return i
	}
	return -1
}

// input makes v an input of the run, unless it is computed there or is one already. Of what is spread over the row the run
// reads the number.
func (r *runMaker) input(v int) {
	if v < 0 {
		return
	}
	if _, ok := r.number[v]; ok {
		return
	}
	in := jit.Input{Slot: v, Type: jitType(r.typeOf(v)), Single: r.single(v)}
	if i := r.spreadOf(v); i >= 0 && r.oneRow {
		in.Slot, in.Single = r.loop.Instrs[i].Args[0], true
	} else if v >= r.result(r.segment.first) {
		return
	}
	in.Far = r.far(v)
	r.number[v] = len(r.run.Inputs)
	r.run.Inputs = append(r.run.Inputs, in)
}

// far reports whether v is a source that lies in memory as a whole, is too large for the cache that is the worker's own, and is
// read for the first time.
func (r *runMaker) far(v int) bool {
	if v >= len(r.loop.Sources) || r.loop.Sources[v].Pattern != lower.Whole || r.loop.Sources[v].Buffer.Bytes() < farBytes {
		return false
	}
	return !slices.ContainsFunc(r.loop.Instrs[:r.segment.first], func(in lower.Instr) bool { return slices.Contains(in.Args[:], v) })
}

// add puts instruction i of the loop into the run.
func (r *runMaker) add(i int) {
	in := &r.loop.Instrs[i]
	v := r.result(i)
	switch in.Code {
	case lower.Apply, lower.Convert:
		out := jit.Instr{Func: in.Func, Convert: in.Code == lower.Convert}
		for a, x := range in.Args {
			if x >= 0 {
				out.Args[a] = r.number[x]
			}
		}
		r.run.Instrs = append(r.run.Instrs, out)
		if in.Store != nil || r.readAfter(v, r.segment.end) {
			out := jit.Output{Slot: v, Value: r.number[v]}
			if in.Store != nil && in.Extent == lower.Full {
				out.Far = in.Store.Bytes() >= farBytes
				out.Away = in.Store.Storage == lower.Output && in.Store.Bytes() >= awayBytes && !r.readAfter(v, r.segment.end)
			}
			r.run.Outputs = append(r.run.Outputs, out)
		}
	case lower.ReduceRows:
		kind := map[ir.ReduceKind]jit.Kind{ir.ReduceSum: jit.RowSum, ir.ReduceMax: jit.RowMax, ir.ReduceMin: jit.RowMin}[in.Reduce]
		r.run.Reductions = append(r.run.Reductions, jit.Reduction{Kind: kind, Value: r.number[in.Args[0]], Slot: v})
	case lower.ReduceTotal:
		r.run.Reductions = append(r.run.Reductions, jit.Reduction{Kind: jit.Total, Value: r.number[in.Args[0]], Slot: r.newTotal(in).slot})
	case lower.ReduceGroups:
		c := r.newColumns(in)
		if r.oneRow {
			r.shifted = append(r.shifted, shifted{r.slots, c.slot, c.acc.Size()})
		} else {
			r.columns[len(r.columns)-1].units = r.slots
			r.fixed = append(r.fixed, fixed{slot: r.slots, offset: r.block(r.unitRows*r.unitCols, c.acc.Size())})
		}
		r.run.Reductions = append(r.run.Reductions, jit.Reduction{Kind: jit.Columns, Value: r.number[in.Args[0]], Slot: r.slots})
		r.slots++
	}
}

func jitType(d ir.DType) jit.Type {
	switch d {
	case ir.Bool:
		return jit.Bool
	case ir.I32:
		return jit.Int
	}
	return jit.Float
}

// typeOf is the type of a value.
func (j *loopJob) typeOf(v int) ir.DType {
	if v < len(j.loop.Sources) {
		return j.loop.Sources[v].Buffer.DType
	}
	return j.loop.Instrs[v-len(j.loop.Sources)].DType
}

// single reports whether a value is one number for the whole loop.
func (j *loopJob) single(v int) bool {
	return v < len(j.loop.Sources) && j.loop.Sources[v].Pattern == lower.Single
}

// readAfter reports whether an instruction from the given one on reads v.
func (j *loopJob) readAfter(v, from int) bool {
	return slices.ContainsFunc(j.loop.Instrs[from:], func(in lower.Instr) bool { return slices.Contains(in.Args[:], v) })
}

// readSingly reports whether an instruction that is part of no run reads v.
func (j *loopJob) readSingly(v int) bool {
	for i, in := range j.loop.Instrs {
		if !j.inRun[i] && slices.Contains(in.Args[:], v) {
			return true
		}
	}
	return false
}
