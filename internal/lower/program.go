// Package lower turns a graph into a program of few large pieces of work: products, fused row loops, copies and kernels
// of single ops. Movements become views, elementwise ops and reductions are fused into loops, and what is left between
// the pieces are buffers.
package lower

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// Program is a sequence of steps over buffers.
type Program struct {
	Buffers []*Buffer
	Steps   []*Step
	Outputs []*Buffer // by output index
	Arena   int       // bytes that the temporaries take together, once planned
}

// Storage says where a buffer's memory comes from.
type Storage uint8

// The kinds of memory.
const (
	Temporary Storage = iota // a place in the arena, while it is needed
	Input                    // given to each run
	Variable                 // outlives the run
	Constant                 // fixed
	Output                   // handed to the caller after the run
	Counter                  // the number of runs completed
)

// Buffer is an array in row-major order without gaps.
type Buffer struct {
	ID      int
	Storage Storage
	Index   int // of the input, variable or output
	DType   ir.DType
	Size    int      // in elements
	Array   ir.Array // a constant's contents
	Offset  int      // a temporary's place in the arena, in bytes, once planned
}

// Bytes is the size of the buffer in bytes.
func (b *Buffer) Bytes() int { return b.Size * b.DType.Size() }

// String prints the buffer as in "t3:f32[1024]".
func (b *Buffer) String() string {
	name := [...]string{"t", "in", "var", "const", "out", "step"}[b.Storage]
	if b.Storage == Temporary || b.Storage == Constant {
		return fmt.Sprintf("%s%d:%v[%d]", name, b.ID, b.DType, b.Size)
	}
	return fmt.Sprintf("%s%d:%v[%d]", name, b.Index, b.DType, b.Size)
}

// Step is one piece of work.
type Step struct {
	Work   Work
	Nodes  []*ir.Node // what it computes, for reports
	Reads  []*Buffer
	Writes []*Buffer
	Assign bool // copies a value into a variable at the end of the run
}

// Work is a *Loop, a *Product, an *Attention, a *Conv, a *Pool, a *Copy, a *Kernel, a *Nest, a *Check or a *Guard.
type Work interface {
	describe() string
	// buffers calls see with the address of every buffer pointer in the work. The pointer of a result that is not needed is nil.
	buffers(see func(b **Buffer))
}

// Ref is a buffer seen through a view.
type Ref struct {
	Buffer *Buffer
	View   ir.View
}

// String prints the reference, with its view where that is not the whole buffer in order.
func (r Ref) String() string {
	if r.View.Offset == 0 && r.View.Contiguous() && ir.Size(r.View.Shape) == r.Buffer.Size {
		return r.Buffer.String()
	}
	return fmt.Sprintf("%v{%v strides %v +%d}", r.Buffer, r.View.Shape, r.View.Strides, r.View.Offset)
}

// Copy writes the elements of a view in row-major order.
type Copy struct {
	From Ref
	To   *Buffer
}

func (c *Copy) describe() string { return fmt.Sprintf("copy %v -> %v", c.From, c.To) }

func (c *Copy) buffers(see func(b **Buffer)) {
	see(&c.From.Buffer)
	see(&c.To)
}

// Product is a batch of matrix products: C[b] = A[b] B[b]. The views have the batch axes, then rows and columns, and a
// transposed operand is one with exchanged strides.
type Product struct {
	M, N, K int
	A, B    Ref
	C       *Buffer

	Precision ir.Precision // of the operands
}

func (p *Product) describe() string {
	return fmt.Sprintf("product%s %dx%dx%d batch %v: %v x %v -> %v", precision(p.Precision), p.M, p.N, p.K, p.A.View.Shape[:len(p.A.View.Shape)-2], p.A, p.B, p.C)
}

// precision says that operands are rounded.
func precision(p ir.Precision) string {
	if p == ir.PrecisionBF16 {
		return " in bf16"
	}
	return ""
}

func (p *Product) buffers(see func(b **Buffer)) {
	see(&p.A.Buffer)
	see(&p.B.Buffer)
	see(&p.C)
}

// Kernel is a single op run by its own kernel, on whole arrays.
type Kernel struct {
	Op    ir.Op
	In    []Ref     // contiguous
	Types []ir.Type // of the operands
	Out   *Buffer
	Type  ir.Type
}

func (k *Kernel) describe() string {
	return fmt.Sprintf("kernel %s{%s} %v -> %v", k.Op.Name(), k.Op.Attrs(), k.In, k.Out)
}

func (k *Kernel) buffers(see func(b **Buffer)) {
	refBuffers(k.In, see)
	see(&k.Out)
}

// Check looks for wrong contents of an operand, which end the run. It is apart from the op that they are wrong for, so that
// it can come before everything that cannot be undone.
type Check struct {
	Op    ir.Checked
	In    Ref       // contiguous: the operand to look at
	Type  ir.Type   // of it
	Types []ir.Type // of all operands
}

func (c *Check) describe() string { return fmt.Sprintf("check for %s of %v", c.Op.Name(), c.In) }

func (c *Check) buffers(see func(b **Buffer)) { see(&c.In.Buffer) }

// Loop is a fused computation over a space of Rows x Cols. Values are numbered: first the sources, then the results of
// the instructions.
type Loop struct {
	Rows, Cols int
	Sources    []Source
	Instrs     []Instr
}

// Pattern is how a source's elements lie over the loop's space.
type Pattern uint8

// The patterns. A row's elements are contiguous, or all the same.
const (
	Whole      Pattern = iota // element (r, c) at r*Cols + c
	Repeated                  // element (r, c) at c: each row the same
	PerRow                    // element (r, c) at r: one number per row, not spread over the row
	Single                    // one element for all
	Strided                   // rows as their strides say, a row's elements contiguous
	StridedRow                // one number per row, as the strides say, not spread over the row
)

// Source is an array that a loop reads.
type Source struct {
	Buffer  *Buffer
	Offset  int // in elements
	Pattern Pattern
	// For Strided and StridedRow: the sizes of the row axes and their strides.
	RowShape, RowStrides []int
}

// Extent is how many numbers a value has in a loop.
type Extent uint8

// The extents.
const (
	Full   Extent = iota // one per element: Rows x Cols
	Row                  // one per row
	Column               // one per column, for each group of rows; known only after the loop
	Total                // one; known only after the loop
)

// Code is what an instruction does.
type Code uint8

// The codes.
const (
	Apply        Code = iota // a scalar function, on values of the instruction's extent
	Convert                  // to another dtype
	Spread                   // a Row value over the columns, to a Full one
	ReduceRows               // each row to one number
	ReduceGroups             // each column, over Group consecutive rows, to one number
	ReduceTotal              // all numbers of the operand to one
)

// Instr is an instruction of a loop.
type Instr struct {
	Code   Code
	Func   scalar.Func   // for Apply
	Reduce ir.ReduceKind // for reductions
	Group  int           // for ReduceGroups: rows that go into one result
	Args   [3]int        // value numbers; -1 for none
	From   ir.DType      // of the operands (the two values, for Where)
	DType  ir.DType      // of the result
	Extent Extent        // of the result
	Store  *Buffer       // where the result goes, or nil if only later instructions need it
	Place  *Place        // where in Store the rows of a Full result lie; nil if they fill it
	Node   *ir.Node      // for reports

	Assigned []*Buffer // the variables that what is stored is assigned to, which may be done in place
}

// Place is a block of columns of a larger array: row r of the loop begins at element Offset + r*RowStride.
type Place struct{ Offset, RowStride int }

// name is what the instruction does, as in "exp" or "sum-rows".
func (in *Instr) name() string {
	switch in.Code {
	case Apply:
		return strings.ToLower(in.Func.String())
	case Convert:
		return "convert"
	case Spread:
		return "spread"
	}
	return [...]string{"sum", "prod", "max", "min", "all", "any"}[in.Reduce] + [...]string{ReduceRows: "-rows", ReduceGroups: "-columns", ReduceTotal: "-total"}[in.Code]
}

func (l *Loop) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "loop %dx%d", l.Rows, l.Cols)
	for i, s := range l.Sources {
		fmt.Fprintf(&b, "\n    v%d = %s %v", i, [...]string{"whole", "repeated", "per-row", "single", "strided", "strided-row"}[s.Pattern], s.Buffer)
		if s.Offset != 0 {
			fmt.Fprintf(&b, "+%d", s.Offset)
		}
		if s.RowShape != nil {
			fmt.Fprintf(&b, " rows %v strides %v", s.RowShape, s.RowStrides)
		}
	}
	for i, in := range l.Instrs {
		fmt.Fprintf(&b, "\n    v%d:%v = %s", len(l.Sources)+i, in.DType, in.name())
		for _, a := range in.Args {
			if a >= 0 {
				fmt.Fprintf(&b, " v%d", a)
			}
		}
		if in.Store != nil {
			fmt.Fprintf(&b, " -> %v", in.Store)
		}
		if p := in.Place; p != nil {
			fmt.Fprintf(&b, "+%d rows %d apart", p.Offset, p.RowStride)
		}
	}
	return b.String()
}

func (l *Loop) buffers(see func(b **Buffer)) {
	for i := range l.Sources {
		see(&l.Sources[i].Buffer)
	}
	for i := range l.Instrs {
		see(&l.Instrs[i].Store)
	}
}

// String lists the steps.
func (p *Program) String() string {
	var b strings.Builder
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "%3d %s\n", i, s.Work.describe())
	}
	return b.String()
}

// addRead records that the step reads b.
func (s *Step) addRead(b *Buffer) {
	if !slices.Contains(s.Reads, b) {
		s.Reads = append(s.Reads, b)
	}
}

// Replace exchanges buffers for others in all that the step reads and writes.
func (s *Step) Replace(by map[*Buffer]*Buffer) {
	swap := func(b **Buffer) {
		if other := by[*b]; other != nil {
			*b = other
		}
	}
	for i := range s.Reads {
		swap(&s.Reads[i])
	}
	for i := range s.Writes {
		swap(&s.Writes[i])
	}
	s.Work.buffers(swap)
}

// refBuffers calls see with the address of the buffer pointer of each reference.
func refBuffers(refs []Ref, see func(b **Buffer)) {
	for i := range refs {
		see(&refs[i].Buffer)
	}
}
