package exec

import (
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/jit"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file runs fused loops. The space of Rows x Cols is cut into units that stay in the first-level cache: some whole
// rows, or a part of one. Each instruction is a vector function over a unit; what one gives and the next takes lies in a
// block of scratch memory, a register. Units form chunks, over which sums are taken apart and then combined in order, so
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
	code   *jit.Assembler // nil where there is to be no machine code
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
	dst, a   int32
	b, c     int32
	vec      cpu.Vec
	rows     cpu.Rows
	convert  cpu.Vec // from the accumulator, or nil where the result is the accumulator
	acc      int32
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
	identity unsafe.Pointer
	fill     func(dst, src unsafe.Pointer, n int)
	combine  cpu.Rows
	convert  cpu.Vec
}

const (
	leastUnit    = 256      // elements of a unit, at least
	mostUnit     = 2048     // and at most, but for long rows that must stay whole
	unitBytes    = 24 << 10 // the blocks of a unit together
	chunkWork    = 1 << 17  // elements times instructions of a chunk
	leastChunk   = 4096     // elements of a chunk, at least
	mostSummed   = 1024     // rows that are summed one after the other
	columnChunks = 32       // chunks that a reduction over rows is cut into
	mostTasks    = 64
	scratchStep  = 64
)

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

// registers says which register an instruction's result lies in.
type registers struct {
	of      []int // by instruction; -1 where the result goes to a buffer or an accumulator
	classes []class
}

// class is what a register can hold: a unit or one number a row, of a size of element.
type class struct {
	full bool
	size int
}

// allocate gives each result a register that no other needs at the same time.
func (j *loopJob) allocate(segments []segment) registers {
	l := j.loop
	last := make([]int, j.slots) // the segment that reads a value last
	for k, s := range segments {
		for _, in := range l.Instrs[s.first:s.end] {
			for _, a := range in.Args {
				if a >= 0 {
					last[a] = k
				}
			}
		}
	}
	if j.oneRow { // a run reads what is spread, and not the spread values
		for i, in := range l.Instrs {
			if in.Code == lower.Spread {
				last[in.Args[0]] = max(last[in.Args[0]], last[j.result(i)])
			}
		}
	}
	regs := registers{of: make([]int, len(l.Instrs))}
	free := map[class][]int{}
	for k, s := range segments {
		var released []int
		for _, in := range l.Instrs[s.first:s.end] {
			for _, a := range in.Args {
				at := a - len(l.Sources)
				if at >= 0 && at < s.first && last[a] == k && regs.of[at] >= 0 && !slices.Contains(released, regs.of[at]) {
					released = append(released, regs.of[at])
				}
			}
		}
		release := func() {
			for _, r := range released {
				free[regs.classes[r]] = append(free[regs.classes[r]], r)
			}
		}
		// A vector function may write over its operand, and so may a run: nothing else may. Where a run has to be done by
		// single functions after all, its results must not lie over operands that later ones of them read.
		code := l.Instrs[s.first].Code
		inPlace := !s.run && (code == lower.Apply || code == lower.Convert)
		if inPlace {
			release()
		}
		for i := s.first; i < s.end; i++ {
			in := l.Instrs[i]
			c := class{in.Extent == lower.Full, in.DType.Size()}
			regs.of[i] = -1
			if in.Store != nil {
				continue
			}
			if n := len(free[c]); n > 0 {
				regs.of[i] = free[c][n-1]
				free[c] = free[c][:n-1]
			} else {
				regs.of[i] = len(regs.classes)
				regs.classes = append(regs.classes, c)
			}
		}
		if !inPlace {
			release()
		}
		// What only the run itself reads is needed no longer.
		for i := s.first; i < s.end; i++ {
			if v := j.result(i); regs.of[i] >= 0 && last[v] <= k {
				free[regs.classes[regs.of[i]]] = append(free[regs.classes[regs.of[i]]], regs.of[i])
			}
		}
	}
	return regs
}

// cut decides on units, chunks and tasks, by the shape and the instructions alone.
func (j *loopJob) cut(registers int) {
	l := j.loop
	wholeRows := false
	j.group = l.Rows
	for _, in := range l.Instrs {
		wholeRows = wholeRows || in.Extent == lower.Row
		if in.Code == lower.ReduceGroups {
			j.group = gcd(j.group, in.Group)
		}
	}
	unit := unitBytes / 4 / (registers + len(l.Sources) + 1)
	unit = min(max(unit, leastUnit), mostUnit) &^ 63
	rows, cols := l.Rows, l.Cols
	switch {
	case j.oneRow && (wholeRows || cols <= unit):
		j.unitRows, j.unitCols = 1, cols
	case wholeRows || cols <= unit:
		j.unitCols = max(cols, 1)
		j.unitRows = max(1, min(unit/j.unitCols, rows))
	default:
		j.unitRows, j.unitCols = 1, unit
	}
	chunk := max(leastChunk, chunkWork/(len(l.Instrs)+1))
	j.chunkCols = j.unitCols
	if j.unitCols < cols {
		j.chunkCols = min(roundUp(chunk, j.unitCols), roundUp(cols, j.unitCols))
	}
	j.chunkRows = max(1, chunk/max(1, j.chunkCols))
	if j.hasColumns() { // every chunk has a sum of its own for each column: few chunks, but no long sums
		j.chunkRows = min(max(j.chunkRows, ceil(rows, columnChunks)), mostSummed)
	}
	j.chunkRows = min(roundUp(j.chunkRows, j.unitRows), max(j.group, 1))
	j.perGroup = ceil(j.group, j.chunkRows)
	j.across = ceil(cols, j.chunkCols)
	j.chunks = j.perGroup * j.across
	if j.group > 0 {
		j.chunks *= rows / j.group
	}
	work := ceil(chunk, max(1, j.chunkRows*j.chunkCols)) // chunks worth a task
	j.perTask = max(1, work, ceil(j.chunks, mostTasks))
}

func (j *loopJob) hasColumns() bool {
	return slices.ContainsFunc(j.loop.Instrs, func(in lower.Instr) bool { return in.Code == lower.ReduceGroups })
}

func ceil(a, b int) int { return (a + b - 1) / max(1, b) }

func roundUp(a, b int) int { return ceil(a, b) * b }

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
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
			j.ops = append(j.ops, loopOp{kind: opGather, full: s.Pattern == lower.Strided, dst: int32(i), source: s, size: size})
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
	op := loopOp{dst: int32(j.result(i)), a: int32(in.Args[0]), b: int32(in.Args[1]), c: int32(in.Args[2])}
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
			op.convert, op.acc = cpu.Convert(acc, to), int32(j.slots)
			j.fixed = append(j.fixed, fixed{slot: j.slots, offset: j.block(j.unitRows, 8)})
			j.slots++
		}
	case lower.ReduceGroups:
		c := j.newColumns(in)
		op.kind, op.rows, op.acc, op.size = opColumns, c.combine, int32(c.slot), from.Size()
	case lower.ReduceTotal:
		op.kind, op.rows, op.acc = opTotal, cpu.RowReduction(cpu.Reduce(in.Reduce), from), int32(j.newTotal(in).slot)
		op.full = j.fullOperand(in.Args[0])
	}
	j.follow(i)
	j.ops = append(j.ops, op)
}

// newColumns makes the accumulators of a reduction over rows.
func (j *loopJob) newColumns(in *lower.Instr) sum {
	t := cpu.DType(in.From)
	s := sum{slot: j.slots, kind: in.Reduce, acc: t, store: in.Store, chunks: in.Group / j.group * j.perGroup,
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

// identity points at what a reduction of nothing gives.
func identity(kind ir.ReduceKind, dtype cpu.DType) unsafe.Pointer {
	a := ir.NewArray(ir.Type{DType: ir.DType(dtype), Shape: []int{1}})
	ir.Identity(kind, a, 0)
	return a.Data
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
			p[f.slot] = f.constant
			continue
		}
		p[f.slot] = unsafe.Add(w.scratch, f.offset)
		if f.fill != nil {
			j.fillFixed(f, p[f.slot])
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
func (j *loopJob) chunk(p []unsafe.Pointer, chunk int) {
	down, side := chunk/j.across, chunk%j.across
	row0 := down/j.perGroup*j.group + down%j.perGroup*j.chunkRows
	row1 := min(row0+j.chunkRows, (down/j.perGroup+1)*j.group)
	col0 := side * j.chunkCols
	col1 := min(col0+j.chunkCols, j.loop.Cols)
	for i := range j.totals {
		s := &j.totals[i]
		p[s.slot] = unsafe.Add(j.m.shared, s.offset+chunk*s.acc.Size())
		s.fill(p[s.slot], s.identity, 1)
	}
	for i := range j.columns {
		s := &j.columns[i]
		base := unsafe.Add(j.m.shared, s.offset)
		if s.chunks == 1 {
			base = j.m.bases[s.store.ID]
		}
		p[s.slot] = unsafe.Add(base, down*j.loop.Cols*s.acc.Size())
		s.fill(unsafe.Add(p[s.slot], col0*s.acc.Size()), s.identity, col1-col0)
	}
	for row := row0; row < row1; row += j.unitRows {
		rows := min(j.unitRows, row1-row)
		for col := col0; col < col1; col += j.unitCols {
			j.unit(p, row, rows, col, min(j.unitCols, col1-col))
		}
	}
}

// unit runs the instructions on one unit.
func (j *loopJob) unit(p []unsafe.Pointer, row, rows, col, cols int) {
	bases := j.m.bases
	for i := range j.moving {
		v := &j.moving[i]
		offset := v.offset + row*v.row + col*v.col
		if v.source != nil && v.source.RowShape != nil {
			offset += rowOffset(v.source, row) * v.buffer.DType.Size()
		}
		p[v.slot] = unsafe.Add(bases[v.buffer.ID], offset)
	}
	for i := range j.shifted {
		s := &j.shifted[i]
		p[s.slot] = unsafe.Add(p[s.row], col*s.size)
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
				b = p[op.b]
			}
			if op.c >= 0 {
				c = p[op.c]
			}
			op.vec(p[op.dst], p[op.a], b, c, n)
		case opRows:
			op.rows(p[op.dst], p[op.a], rows, cols)
		case opReduce:
			op.fill(p[op.acc], op.identity, rows)
			op.rows(p[op.acc], p[op.a], rows, cols)
			if op.convert != nil {
				op.convert(p[op.dst], p[op.acc], nil, nil, rows)
			}
		case opColumns:
			op.rows(unsafe.Add(p[op.acc], col*op.size), p[op.a], rows, cols)
		case opTotal:
			op.rows(p[op.acc], p[op.a], 1, n)
		case opRun:
			if len(op.away) > 1 && !alike(p, op.away) {
				op.plain.Call(p, n)
				continue
			}
			op.run.Call(p, n)
		case opGather:
			j.gather(op, p[op.dst], row, rows)
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
