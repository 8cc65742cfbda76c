package exec

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/lower"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file lays a loop out before it is bound: which results share a block of scratch memory, and how the space falls into
// units, chunks and tasks.

const (
	leastUnit    = 256      // elements of a unit, at least
	mostUnit     = 2048     // and at most, but for long rows that must stay whole
	unitBytes    = 24 << 10 // the blocks of a unit together
	chunkWork    = 1 << 17  // elements times the weight of the instructions of a chunk
	leastChunk   = 4096     // elements of a chunk, at least
	mostSummed   = 1024     // rows that are summed one after the other
	columnChunks = 32       // chunks that a reduction over rows is cut into
	mostTasks    = 64
	scratchStep  = 64
)

// registers says which register an instruction's result lies in.
type registers struct {
	of      []int // by instruction; -1 where the result goes to a buffer or an accumulator
	classes []class
}

// class is what a register can hold: a unit or one number per row, of a size of element.
type class struct {
	full bool
	size int
}

// allocate assigns a register to each result that no other result needs at the same time.
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
		// A vector function may write over its operand, and so may a run: nothing else may. If a run has to be done by
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
	if j.code != nil && sumsUnits(l) {
		registers += j.columnSums()
	}
	unit := unitBytes / 4 / (registers + len(l.Sources) + 1)
	unit = min(max(unit, leastUnit), mostUnit) &^ 63
	rows, cols := l.Rows, l.Cols
	switch {
	case j.oneRow && (wholeRows || cols <= unit):
		j.unitRows, j.unitCols = 1, cols
	case slices.ContainsFunc(l.Instrs, func(in lower.Instr) bool { return in.Place != nil }): // a block has no gaps
		j.unitRows, j.unitCols = 1, cols
		if !wholeRows {
			j.unitCols = min(cols, unit)
		}
	case wholeRows || cols <= unit:
		j.unitCols = max(cols, 1)
		j.unitRows = max(1, min(unit/j.unitCols, rows))
	default:
		j.unitRows, j.unitCols = 1, unit
	}
	chunk := max(leastChunk, chunkWork/(weight(l)+1))
	j.chunkCols = j.unitCols
	if j.unitCols < cols {
		j.chunkCols = min(roundUp(chunk, j.unitCols), roundUp(cols, j.unitCols))
	}
	j.chunkRows = max(1, chunk/max(1, j.chunkCols))
	if j.columnSums() > 0 { // every chunk has its own sum for each column: few chunks, but no long sums
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

// fatWeight is the number of simple instructions that an exponential or a similar function is worth.
const fatWeight = 8

// weight is the work of a loop's instructions on one element, in simple ones.
func weight(l *lower.Loop) int {
	n := len(l.Instrs)
	for _, in := range l.Instrs {
		if f := in.Func; in.Code == lower.Apply && (f >= scalar.Exp && f <= scalar.Erf || f == scalar.GELU || f == scalar.GELUPrime || f == scalar.Pow || f == scalar.Atan2 || f >= scalar.Polygamma && f <= scalar.GammaPDF) {
			n += fatWeight - 1
		}
	}
	return n
}

// columnSums is the number of reductions over rows.
func (j *loopJob) columnSums() (n int) {
	for _, in := range j.loop.Instrs {
		if in.Code == lower.ReduceGroups {
			n++
		}
	}
	return n
}

func ceil(a, b int) int { return (a + b - 1) / max(1, b) }

func roundUp(a, b int) int { return ceil(a, b) * b }

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
