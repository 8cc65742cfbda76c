package exec

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/jit"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file runs fused loops. The space of Rows x Cols is cut into units that stay in the first-level cache: some whole
// rows, or a part of one. Each instruction is a vector function over a unit; what one passes to the next lies in a
// block of scratch memory, a register. Units form chunks, whose sums are taken separately and then combined in order, so
// that the result is a function of the shape alone; chunks form the tasks of the pool.

// loopJob is a loop bound to vector functions and blocks.
//
// A slot is the address of the block that an instruction reads or writes. Slots 0 to len(Sources)-1 are the sources',
// the next ones the instructions' results, then come accumulators.
type loopJob struct {
	m    *Machine
	loop *lower.Loop

	unitRows, unitCols   int // of a unit
	chunkRows, chunkCols int // of a chunk
	group                int // rows that no chunk crosses the ends of
	perGroup, across     int // chunks down a group, and side by side
	chunks, perTask      int

	slots   int
	fixed   []fixed  // slots that hold one block for a whole task
	moving  []moving // slots that follow the units through memory
	shifted []shifted
	ops     []loopOp
	totals  []sum
	columns []sum

	worker, shared int // bytes of scratch

	// While the loop is bound:
	code   *jit.Assembler // nil if there is to be no machine code
	oneRow bool           // units are single rows
	inRun  []bool         // instructions that are part of a run
}

// fixed is a block that stays where it is.
type fixed struct {
	slot     int
	offset   int            // in the worker's scratch
	constant unsafe.Pointer // or the block itself, filled for good
	fill     cpu.Rows       // fills the block from the source at the start of a task: Splat or Tile
	source   *lower.Source
	n        int // elements of a row to fill
	rows     int
}

// moving is a block in a buffer.
type moving struct {
	slot     int
	buffer   *lower.Buffer
	offset   int // in bytes
	row, col int // bytes from one row or column to the next
	source   *lower.Source
}

// shifted is a slot that follows the units along the row that another slot points at.
type shifted struct{ slot, row, size int }

// loopOp is an instruction bound to its function and slots.
type loopOp struct {
	kind     opKind
	full     bool // the result, or for reductions the operand, is Full
	dst, a   int
	b, c     int
	vec      cpu.Vec
	rows     cpu.Rows
	convert  cpu.Vec // from the accumulator, or nil if the result is the accumulator
	acc      int
	identity unsafe.Pointer
	fill     func(dst, src unsafe.Pointer, n int)
	source   *lower.Source
	id       int // of the run's code
	run      jit.Func
	away     []int // slots that the run stores to past the caches, for which they must be aligned alike
	plainID  int   // of code that does not
	plain    jit.Func
	size     int // bytes of an element of the gathered source or the column accumulator
}

type opKind uint8

const (
	opVector  opKind = iota // vec
	opRows                  // rows, from a to dst
	opReduce                // rows to acc, which starts as the identity, and convert to dst
	opColumns               // rows to acc, which a whole chunk shares
	opTotal                 // rows to acc, likewise, of the block as one row
	opGather                // the rows, or row numbers, of a strided source
	opRun                   // code made for a run of instructions
)

// sum is a reduction whose chunks' results are combined after the loop.
type sum struct {
	slot     int
	kind     ir.ReduceKind
	acc      cpu.DType // of the chunks' results
	store    *lower.Buffer
	offset   int // of the chunks' results in the shared scratch
	chunks   int // that one result combines, for columns
	units    int // slot of the block in which a run adds up the units of a chunk, or -1
	identity unsafe.Pointer
	fill     func(dst, src unsafe.Pointer, n int)
	combine  cpu.Rows
	convert  cpu.Vec
}

func (j *loopJob) needs() (shared, worker, slots int) { return j.shared, j.worker, j.slots }

func (j *loopJob) run() error {
	j.m.fork(ceil(j.chunks, j.perTask), j)
	for i := range j.totals {
		s := &j.totals[i]
		parts := unsafe.Add(j.m.shared, s.offset)
		end := unsafe.Add(parts, j.chunks*s.acc.Size())
		s.fill(end, s.identity, 1)
		s.combine(end, parts, 1, j.chunks)
		s.convert(j.m.at(s.store, 0), end, nil, nil, 1)
	}
	for i := range j.columns {
		if s := &j.columns[i]; s.chunks > 1 {
			j.combineColumns(s)
		}
	}
	return nil
}

// combineColumns adds up the chunks of each group, in order.
func (j *loopJob) combineColumns(s *sum) {
	row := j.loop.Cols * s.acc.Size()
	parts := unsafe.Add(j.m.shared, s.offset)
	for g := range s.store.Size / max(1, j.loop.Cols) {
		dst := unsafe.Add(j.m.bases[s.store.ID], g*row)
		s.fill(dst, s.identity, j.loop.Cols)
		s.combine(dst, unsafe.Add(parts, g*s.chunks*row), s.chunks, j.loop.Cols)
	}
}

// Do runs the chunks of one task.
func (j *loopJob) Do(id, task int) {
	w := &j.m.workers[id]
	p := w.slots[:j.slots]
	for i := range j.fixed {
		f := &j.fixed[i]
		if f.constant != nil {
			p.set(f.slot, f.constant)
			continue
		}
		block := unsafe.Add(w.scratch, f.offset)
		p.set(f.slot, block)
		if f.fill != nil {
			j.fillFixed(f, block)
		}
	}
	for chunk := task * j.perTask; chunk < min(j.chunks, (task+1)*j.perTask); chunk++ {
		j.chunk(p, chunk)
	}
}

func (j *loopJob) fillFixed(f *fixed, dst unsafe.Pointer) {
	src := j.m.at(f.source.Buffer, f.source.Offset)
	if f.source.Pattern == lower.Single {
		f.fill(dst, src, 1, min(f.n, j.loop.Rows*j.loop.Cols))
		return
	}
	f.fill(dst, src, min(f.rows, j.loop.Rows), f.n)
}

// chunk runs the units of one chunk.
func (j *loopJob) chunk(p slots, chunk int) {
	down, side := chunk/j.across, chunk%j.across
	row0 := down/j.perGroup*j.group + down%j.perGroup*j.chunkRows
	row1 := min(row0+j.chunkRows, (down/j.perGroup+1)*j.group)
	col0 := side * j.chunkCols
	col1 := min(col0+j.chunkCols, j.loop.Cols)
	for i := range j.totals {
		s := &j.totals[i]
		part := unsafe.Add(j.m.shared, s.offset+chunk*s.acc.Size())
		p.set(s.slot, part)
		s.fill(part, s.identity, 1)
	}
	for i := range j.columns {
		s := &j.columns[i]
		base := unsafe.Add(j.m.shared, s.offset)
		if s.chunks == 1 {
			base = j.m.bases[s.store.ID]
		}
		part := unsafe.Add(base, down*j.loop.Cols*s.acc.Size())
		p.set(s.slot, part)
		s.fill(unsafe.Add(part, col0*s.acc.Size()), s.identity, col1-col0)
		if s.units >= 0 {
			s.fill(p.at(s.units), s.identity, j.unitRows*j.unitCols)
		}
	}
	for row := row0; row < row1; row += j.unitRows {
		rows := min(j.unitRows, row1-row)
		for col := col0; col < col1; col += j.unitCols {
			j.unit(p, row, rows, col, min(j.unitCols, col1-col))
		}
	}
	for i := range j.columns {
		if s := &j.columns[i]; s.units >= 0 {
			s.combine(p.at(s.slot), p.at(s.units), j.unitRows, j.unitCols)
		}
	}
}

// unit runs the instructions on one unit.
func (j *loopJob) unit(p slots, row, rows, col, cols int) {
	bases := j.m.bases
	for i := range j.moving {
		v := &j.moving[i]
		offset := v.offset + row*v.row + col*v.col
		if v.source != nil && v.source.RowShape != nil {
			offset += rowOffset(v.source, row) * v.buffer.DType.Size()
		}
		p.set(v.slot, unsafe.Add(bases[v.buffer.ID], offset))
	}
	for i := range j.shifted {
		s := &j.shifted[i]
		p.set(s.slot, unsafe.Add(p.at(s.row), col*s.size))
	}
	for i := range j.ops {
		op := &j.ops[i]
		n := rows
		if op.full {
			n = rows * cols
		}
		switch op.kind {
		case opVector:
			var b, c unsafe.Pointer
			if op.b >= 0 {
				b = p.at(op.b)
			}
			if op.c >= 0 {
				c = p.at(op.c)
			}
			op.vec(p.at(op.dst), p.at(op.a), b, c, n)
		case opRows:
			op.rows(p.at(op.dst), p.at(op.a), rows, cols)
		case opReduce:
			op.fill(p.at(op.acc), op.identity, rows)
			op.rows(p.at(op.acc), p.at(op.a), rows, cols)
			if op.convert != nil {
				op.convert(p.at(op.dst), p.at(op.acc), nil, nil, rows)
			}
		case opColumns:
			op.rows(unsafe.Add(p.at(op.acc), col*op.size), p.at(op.a), rows, cols)
		case opTotal:
			op.rows(p.at(op.acc), p.at(op.a), 1, n)
		case opRun:
			if len(op.away) > 1 && !alike(p, op.away) {
				op.plain.Call(p, n)
				continue
			}
			op.run.Call(p, n)
		case opGather:
			j.gather(op, p.at(op.dst), row, rows)
		}
	}
}

// gather writes the rows, or the row numbers, of a strided source one after the other.
func (j *loopJob) gather(op *loopOp, dst unsafe.Pointer, row, rows int) {
	size := op.size
	if op.full {
		size *= j.loop.Cols
	}
	for r := range rows {
		src := unsafe.Add(j.m.at(op.source.Buffer, op.source.Offset), rowOffset(op.source, row+r)*op.size)
		copy(unsafe.Slice((*byte)(unsafe.Add(dst, r*size)), size), unsafe.Slice((*byte)(src), size))
	}
}

// rowOffset is where a row of a strided source begins, in elements.
func rowOffset(s *lower.Source, row int) int {
	offset := 0
	for a := len(s.RowShape) - 1; a > 0; a-- {
		d := s.RowShape[a]
		offset += row % d * s.RowStrides[a]
		row /= d
	}
	return offset + row*s.RowStrides[0]
}
