package exec

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/jit"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file binds a loop: every value gets a slot, every instruction a function.

func (m *Machine) newLoop(l *lower.Loop, code *jit.Assembler) job {
	if l.Rows*l.Cols == 0 {
		return &loopJob{m: m, loop: l, perTask: 1} // nothing to compute, and nothing to point at
	}
	segments := singles(len(l.Instrs))
	if code != nil {
		l, segments = schedule(l)
	}
	j := &loopJob{m: m, loop: l, code: code, slots: len(l.Sources) + len(l.Instrs)}
	j.oneRow = code != nil && oneRow(l)
	j.inRun = make([]bool, len(l.Instrs))
	for _, s := range segments {
		for i := s.first; i < s.end; i++ {
			j.inRun[i] = s.run
		}
	}
	regs := j.allocate(segments)
	j.cut(len(regs.classes))
	j.bindRegisters(regs)
	j.bindSources()
	for _, s := range segments {
		if s.run {
			j.bindRun(s)
		} else {
			j.bindInstr(s.first)
		}
	}
	j.code, j.inRun = nil, nil
	return j
}

// block reserves scratch of the worker for n elements. The step of one cache line keeps blocks of a power of two from
// falling into the same sets of the cache.
func (j *loopJob) block(n, size int) (offset int) {
	offset = j.worker
	j.worker += roundUp(n*size, 64) + scratchStep
	return offset
}

func (j *loopJob) bindRegisters(regs registers) {
	offsets := make([]int, len(regs.classes))
	for r, c := range regs.classes {
		n := j.unitRows
		if c.full {
			n *= j.unitCols
		}
		offsets[r] = j.block(n, c.size)
	}
	for i, r := range regs.of {
		if r >= 0 {
			j.fixed = append(j.fixed, fixed{slot: j.result(i), offset: offsets[r]})
		}
	}
}

// result is the slot of an instruction's result.
func (j *loopJob) result(i int) int { return len(j.loop.Sources) + i }

func (j *loopJob) bindSources() {
	unit := j.unitRows * j.unitCols
	for i := range j.loop.Sources {
		s := &j.loop.Sources[i]
		dtype, size := cpu.DType(s.Buffer.DType), s.Buffer.DType.Size()
		follow := moving{slot: i, buffer: s.Buffer, offset: s.Offset * size, source: s}
		switch s.Pattern {
		case lower.Whole:
			follow.row, follow.col = j.loop.Cols*size, size
			j.moving = append(j.moving, follow)
		case lower.PerRow:
			follow.row = size
			j.moving = append(j.moving, follow)
		case lower.Single:
			if !j.readSingly(i) { // a run reads the number itself
				j.moving = append(j.moving, follow)
				continue
			}
			if s.Buffer.Storage == lower.Constant {
				j.fixed = append(j.fixed, fixed{slot: i, constant: filled(s, unit)})
				continue
			}
			j.fixed = append(j.fixed, fixed{slot: i, offset: j.block(unit, size), fill: cpu.Splat(dtype), source: s, n: unit, rows: 1})
		case lower.Repeated:
			if j.unitRows == 1 {
				follow.col = size
				j.moving = append(j.moving, follow)
				continue
			}
			j.fixed = append(j.fixed, fixed{slot: i, offset: j.block(unit, size), fill: cpu.Tile(dtype), source: s, n: j.unitCols, rows: j.unitRows})
		case lower.Strided, lower.StridedRow:
			if j.unitRows == 1 {
				if s.Pattern == lower.Strided {
					follow.col = size
				}
				j.moving = append(j.moving, follow)
				continue
			}
			n := j.unitRows
			if s.Pattern == lower.Strided {
				n = unit
			}
			j.fixed = append(j.fixed, fixed{slot: i, offset: j.block(n, size)})
			j.ops = append(j.ops, loopOp{kind: opGather, full: s.Pattern == lower.Strided, dst: i, source: s, size: size})
		}
	}
}

// filled is a block that repeats a constant.
func filled(s *lower.Source, n int) unsafe.Pointer {
	p := memory(n * s.Buffer.DType.Size())
	value := unsafe.Add(s.Buffer.Array.Data, s.Offset*s.Buffer.DType.Size())
	cpu.Fill(cpu.DType(s.Buffer.DType))(p, value, n)
	return p
}

func (j *loopJob) bindInstr(i int) {
	in := &j.loop.Instrs[i]
	from, to := cpu.DType(in.From), cpu.DType(in.DType)
	op := loopOp{dst: j.result(i), a: in.Args[0], b: in.Args[1], c: in.Args[2]}
	op.full = in.Extent == lower.Full
	switch in.Code {
	case lower.Apply:
		op.vec = cpu.Function(in.Func, from)
	case lower.Convert:
		op.vec = cpu.Convert(from, to)
	case lower.Spread:
		op.kind, op.rows = opRows, cpu.Splat(from)
	case lower.ReduceRows:
		acc := accumulatorType(in.Reduce, from)
		op.kind, op.rows, op.acc = opReduce, cpu.RowReduction(cpu.Reduce(in.Reduce), from), op.dst
		op.identity, op.fill = identity(in.Reduce, acc), cpu.Fill(acc)
		if acc != to {
			op.convert, op.acc = cpu.Convert(acc, to), j.slots
			j.fixed = append(j.fixed, fixed{slot: j.slots, offset: j.block(j.unitRows, 8)})
			j.slots++
		}
	case lower.ReduceGroups:
		c := j.newColumns(in)
		op.kind, op.rows, op.acc, op.size = opColumns, c.combine, c.slot, from.Size()
	case lower.ReduceTotal:
		op.kind, op.rows, op.acc = opTotal, cpu.RowReduction(cpu.Reduce(in.Reduce), from), j.newTotal(in).slot
		op.full = j.fullOperand(in.Args[0])
	}
	j.follow(i)
	j.ops = append(j.ops, op)
}

// newColumns makes the accumulators of a reduction over rows.
func (j *loopJob) newColumns(in *lower.Instr) sum {
	t := cpu.DType(in.From)
	s := sum{slot: j.slots, units: -1, kind: in.Reduce, acc: t, store: in.Store, chunks: in.Group / j.group * j.perGroup,
		identity: identity(in.Reduce, t), fill: cpu.Fill(t), combine: cpu.ColumnReduction(cpu.Reduce(in.Reduce), t)}
	if s.chunks > 1 {
		s.offset = j.sharedBlock(j.perGroup*j.loop.Rows/j.group*j.loop.Cols, t.Size())
	}
	j.columns = append(j.columns, s)
	j.slots++
	return s
}

// newTotal makes the accumulators of a reduction of everything.
func (j *loopJob) newTotal(in *lower.Instr) sum {
	acc := accumulatorType(in.Reduce, cpu.DType(in.From))
	s := sum{slot: j.slots, kind: in.Reduce, acc: acc, store: in.Store, identity: identity(in.Reduce, acc), fill: cpu.Fill(acc),
		offset: j.sharedBlock(j.chunks+1, acc.Size()), combine: cpu.RowReduction(cpu.Reduce(in.Reduce), acc), convert: cpu.Convert(acc, cpu.DType(in.DType))}
	j.totals = append(j.totals, s)
	j.slots++
	return s
}

// follow lets the slot of a stored result follow the units through its buffer.
func (j *loopJob) follow(i int) {
	in := &j.loop.Instrs[i]
	if in.Store == nil || in.Extent != lower.Full && in.Extent != lower.Row {
		return
	}
	size := in.Store.DType.Size()
	w := moving{slot: j.result(i), buffer: in.Store, row: size}
	if in.Extent == lower.Full {
		w.row, w.col = j.loop.Cols*size, size
	}
	if p := in.Place; p != nil {
		w.offset, w.row = p.Offset*size, p.RowStride*size
	}
	j.moving = append(j.moving, w)
}

// fullOperand reports whether a value is Full.
func (j *loopJob) fullOperand(value int) bool {
	if at := value - len(j.loop.Sources); at >= 0 {
		return j.loop.Instrs[at].Extent == lower.Full
	}
	p := j.loop.Sources[value].Pattern
	return p != lower.PerRow && p != lower.StridedRow
}

func (j *loopJob) sharedBlock(n, size int) (offset int) {
	offset = j.shared
	j.shared += roundUp(n*size, 64)
	return offset
}

// accumulatorType is the type in which a reduction of rows or of everything is taken: sums in the widest.
func accumulatorType(kind ir.ReduceKind, dtype cpu.DType) cpu.DType {
	switch {
	case kind != ir.ReduceSum:
		return dtype
	case dtype == cpu.F32 || dtype == cpu.F64:
		return cpu.F64
	}
	return cpu.I64
}

// identity points at the reduction of no elements.
func identity(kind ir.ReduceKind, dtype cpu.DType) unsafe.Pointer {
	a := ir.NewArray(ir.Type{DType: ir.DType(dtype), Shape: []int{1}})
	ir.Identity(kind, a, 0)
	return a.Data
}
