package exec

import (
	"math"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/lower"
)

// This file runs guards: see package lower. While everything is finite and of moderate size, a guard costs one pass over the arrays that the new
// values are computed from, which the caches still hold.

// surveyEvery is the most runs after which the variables are looked at again.
const surveyEvery = 256

// guardJob decides whether what is to be assigned is computed, and whether the variables are copied first.
type guardJob struct {
	m       *Machine
	work    *lower.Guard
	squares [2]cpu.Rows // sums of squares, of F32 and F64
	least   [2]cpu.Rows // minima
	pieces  []piece
	sums    []float64 // by piece
	total   float64   // of one array
	least32 float32
	least64 float64
	shared  bool // the pieces are worth several workers

	variables []ir.Array
	copies    []ir.Array // of the variables that are assigned; nil until they are needed
	copied    bool       // in this run

	// The last survey of the variables.
	every   int       // the number of runs after which the next is due; 0 if the next comes with the next run
	since   int       // runs since then
	large   bool      // what was found: the variables may not be as the proof assumes
	size    float64   // the largest norm of a variable, at least 1
	numbers []float64 // at that time
}

// piece is a part of an array that is looked at in one go.
type piece struct {
	array int
	start int // in elements
	n     int
}

// guardPiece is the number of elements in a piece.
const guardPiece = 1 << 15

func (m *Machine) newGuard(w *lower.Guard) *guardJob {
	j := &guardJob{m: m, work: w,
		squares: [2]cpu.Rows{cpu.RowSquares(cpu.F32), cpu.RowSquares(cpu.F64)},
		least:   [2]cpu.Rows{cpu.RowReduction(cpu.Min, cpu.F32), cpu.RowReduction(cpu.Min, cpu.F64)},
	}
	total := 0
	for i, x := range w.Arrays {
		total += x.Buffer.Size
		for start := 0; start < x.Buffer.Size; start += guardPiece {
			j.pieces = append(j.pieces, piece{array: i, start: start, n: min(guardPiece, x.Buffer.Size-start)})
		}
	}
	j.sums = make([]float64, len(j.pieces))
	j.shared = total >= 2*guardPiece
	for _, v := range w.Variables {
		j.variables = append(j.variables, m.flat(v.Buffer))
	}
	j.size, j.numbers = 1, make([]float64, len(w.Numbers))
	return j
}

// flat is a buffer as an array of one axis.
func (m *Machine) flat(b *lower.Buffer) ir.Array {
	return ir.Array{Type: ir.Type{DType: b.DType, Shape: []int{b.Size}}, Data: m.bases[b.ID]}
}

func (j *guardJob) needs() (shared, worker, slots int) { return 0, 0, 0 }

// run looks at what is there before anything is assigned.
func (j *guardJob) run() error {
	j.copied = false
	safe, err := j.look()
	if j.m.most != nil {
		most := Safe
		switch {
		case err != nil:
			most = Broken
		case !safe:
			most = Unsure
		}
		if most = j.m.most(most); most == Broken && err == nil {
			err = ErrElsewhere
		}
		safe = most == Safe
	}
	if err == nil && !safe {
		j.keep()
	}
	return err
}

// look reports whether what is to be assigned is finite for sure.
func (j *guardJob) look() (safe bool, err error) {
	for _, x := range j.work.Guards {
		if !j.finite(x.Buffer) {
			return false, &ir.NonFinite{Node: x.Node}
		}
	}
	safe = j.work.Bounded
	for i, x := range j.work.Numbers {
		// Compared in this order, NaN is not within the bounds.
		v := number(j.m.bases[x.Buffer.ID], x.Buffer.DType)
		safe = safe && v <= lower.MostNumber && v >= -lower.MostNumber && (v >= 0 || !x.NotNegative)
		if last := j.numbers[i]; math.Abs(v-last) > math.Abs(last) { // a larger rate may make the variables grow from now on
			j.every, j.numbers[i] = 0, v
		}
	}
	if j.shared {
		j.m.fork(len(j.pieces), j)
	} else {
		for i := range j.pieces {
			j.Do(0, i)
		}
	}
	for i, sum := range j.sums {
		if sum <= lower.MostArray*lower.MostArray {
			continue
		}
		safe = false
		if x := j.work.Arrays[j.pieces[i].array]; x.Must && !j.finite(x.Buffer) {
			return false, &ir.NonFinite{Node: x.Node}
		}
	}
	if j.since++; safe && j.since >= j.every {
		j.survey()
	}
	return safe && !j.large, nil
}

// Do adds up the squares of a piece.
func (j *guardJob) Do(_, task int) {
	p := &j.pieces[task]
	b := j.work.Arrays[p.array].Buffer
	j.sum(&j.sums[task], unsafe.Add(j.m.bases[b.ID], p.start*b.DType.Size()), b.DType, p.n)
}

// sum adds up the squares of n floats. It works in a place of the caller's, so that it allocates nothing.
func (j *guardJob) sum(in *float64, data unsafe.Pointer, dtype ir.DType, n int) float64 {
	squares := j.squares[0]
	if dtype == ir.F64 {
		squares = j.squares[1]
	}
	*in = 0
	squares(unsafe.Pointer(in), data, 1, n)
	return *in
}

// survey looks at the variables: whether they are as the proof that the new values are finite assumes, and will be until the next survey if they
// go on to grow as they have grown since the last. Surveys come after 1 run, 2, 4 and so on.
func (j *guardJob) survey() {
	size := 1.0
	j.large = false
	for i, v := range j.work.Variables {
		a := j.variables[i]
		if !a.DType.Float() {
			continue
		}
		size = max(size, math.Sqrt(j.sum(&j.total, a.Data, a.DType, a.Size()))) // NaN if one of them is
		j.large = j.large || v.NotNegative && j.negative(a)
	}
	next := max(1, min(2*j.every, surveyEvery))
	growth := math.Pow(max(1, size/j.size), float64(next)/float64(j.since))
	const room = 1 << 10
	j.large = j.large || !(size*max(growth, room) <= lower.MostVariable)
	for i, x := range j.work.Numbers {
		j.numbers[i] = number(j.m.bases[x.Buffer.ID], x.Buffer.DType)
	}
	j.every, j.since, j.size = next, 0, size
	if !j.large {
		j.copies = nil
	}
}

// keep copies the variables that are assigned.
func (j *guardJob) keep() {
	if j.copies == nil {
		j.copies = make([]ir.Array, len(j.variables))
	}
	for i, v := range j.variables {
		if j.work.Variables[i].Node == nil {
			continue
		}
		if j.copies[i].Data == nil {
			j.copies[i] = ir.NewArray(v.Type)
		}
		copy(j.copies[i].Raw(), v.Raw())
	}
	j.copied, j.every = true, 0
}

// settle restores the variables if a new value is not finite. It is called at the end of the run.
func (j *guardJob) settle() error {
	if !j.copied {
		return nil
	}
	err := j.broken()
	if j.m.most != nil {
		most := Safe
		if err != nil {
			most = Broken
		}
		if most = j.m.most(most); most == Broken && err == nil {
			err = ErrElsewhere
		}
	}
	if err != nil {
		for i, v := range j.work.Variables {
			if v.Node != nil {
				copy(j.variables[i].Raw(), j.copies[i].Raw())
			}
		}
	}
	return err
}

// broken returns an error if a variable has become not finite.
func (j *guardJob) broken() error {
	for i, v := range j.work.Variables {
		if v.Node == nil || !v.Node.Type.DType.Float() {
			continue
		}
		a, old := j.variables[i], j.copies[i]
		if isFinite(j.sum(&j.total, a.Data, a.DType, a.Size())) {
			continue
		}
		for k := range a.Size() {
			if !isFinite(a.Float(k)) && isFinite(old.Float(k)) {
				return &ir.NonFinite{Node: v.Node}
			}
		}
	}
	return nil
}

// finite reports whether all elements of a buffer are finite.
func (j *guardJob) finite(b *lower.Buffer) bool {
	if isFinite(j.sum(&j.total, j.m.bases[b.ID], b.DType, b.Size)) {
		return true
	}
	return finite(j.m.flat(b))
}

// finite reports whether all elements of a float array are finite.
func finite(a ir.Array) bool {
	for i := range a.Size() {
		if !isFinite(a.Float(i)) {
			return false
		}
	}
	return true
}

// negative reports whether an element of a float array is below zero.
func (j *guardJob) negative(a ir.Array) bool {
	if a.DType == ir.F64 {
		j.least64 = 0
		j.least[1](unsafe.Pointer(&j.least64), a.Data, 1, a.Size())
		return j.least64 < 0
	}
	j.least32 = 0
	j.least[0](unsafe.Pointer(&j.least32), a.Data, 1, a.Size())
	return j.least32 < 0
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// number reads a float.
func number(p unsafe.Pointer, dtype ir.DType) float64 {
	if dtype == ir.F64 {
		return *(*float64)(p)
	}
	return float64(*(*float32)(p))
}

// Agrees reports whether the program has a guard.
func (m *Machine) Agrees() bool { return m.guard != nil }

// settle ends a run: if it has a guard, the variables get back what they held if a new value is not finite.
func (m *Machine) settle() error {
	if m.guard == nil {
		return nil
	}
	return m.guard.settle()
}
