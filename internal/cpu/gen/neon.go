package main

// The vector machine for NEON. It has the operations of the machine for AVX2 and AVX-512, so that the bodies of functions are written once. An
// operation is recorded first, because registers are given to values when all uses are known: bodies are straight-line code, so one pass does it.

import (
	"fmt"
	"math"
	"strings"

	. "github.com/mmcloughlin/avo/operand"
)

// neonFile is an assembly file for arm64 in the making.
type neonFile struct {
	asm, stubs strings.Builder
	symbol     string   // of the numbers in the data section
	numbers    []uint64 // by pairs: one vector
	places     map[string]int
	labels     int
}

// registerNEON adds an assembly file for arm64. The build function writes functions into it.
func registerNEON(name string, build func(*neonFile)) {
	files = append(files, file{name: name, neon: build})
}

// text returns the assembly file and the declarations of its functions.
func (f *neonFile) text(pkg string) (asm, stubs string) {
	var data strings.Builder
	for i, x := range f.numbers {
		fmt.Fprintf(&data, "DATA %s<>+%d(SB)/8, $%#016x\n", f.symbol, 8*i, x)
	}
	if len(f.numbers) > 0 {
		fmt.Fprintf(&data, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", f.symbol, 8*len(f.numbers))
	}
	imports := ""
	if strings.Contains(f.stubs.String(), "unsafe.Pointer") {
		imports = "import \"unsafe\"\n\n"
	}
	return heading + "#include \"textflag.h\"\n\n" + f.asm.String() + data.String(),
		heading + "package " + pkg + "\n\n" + imports + strings.TrimSuffix(f.stubs.String(), "\n")
}

// line writes a line of assembly.
func (f *neonFile) line(format string, args ...any) { fmt.Fprintf(&f.asm, "\t"+format+"\n", args...) }

// label writes a label.
func (f *neonFile) label(name string) { f.asm.WriteString(name + ":\n") }

// newLabel returns a name for a place.
func (f *neonFile) newLabel(name string) string {
	f.labels++
	return fmt.Sprintf("%s%d", name, f.labels)
}

// word writes a vector instruction.
func (f *neonFile) word(op string, double bool, d, n, m, imm int) {
	w, text := encode(op, double, d, n, m, imm)
	f.line("WORD $0x%08X // %s", w, text)
}

// begin begins a function of the given parameters and results, each of 8 bytes but a bool. It returns where a parameter lies.
func (f *neonFile) begin(name, doc string, params []string, results ...string) (at map[string]string) {
	at = map[string]string{}
	offset := 0
	place := func(p string) {
		name, _, _ := strings.Cut(p, " ")
		if !strings.HasSuffix(p, " bool") {
			offset = (offset + 7) &^ 7
		}
		at[name] = fmt.Sprintf("%s+%d(FP)", name, offset)
		offset += 8
		if strings.HasSuffix(p, " bool") {
			offset -= 7
		}
	}
	for _, p := range params {
		place(p)
	}
	signature := "(" + strings.Join(params, ", ") + ")"
	if len(results) > 0 {
		offset = (offset + 7) &^ 7
		for _, r := range results {
			place(r)
		}
		signature += " (" + strings.Join(results, ", ") + ")"
	}
	fmt.Fprintf(&f.asm, "// func %s%s\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", name, signature, name, offset)
	if doc != "" {
		fmt.Fprintf(&f.stubs, "// %s\n//\n", doc)
	}
	fmt.Fprintf(&f.stubs, "//go:noescape\nfunc %s%s\n\n", name, signature)
	return at
}

// flush makes denormal numbers count as zero until unflush. The mode belongs to the code, as with AVX: see denormals.go.
func (f *neonFile) flush() {
	f.line("MRS FPCR, R26")
	f.line("ORR $(1<<24), R26, R10")
	f.line("MSR R10, FPCR")
}

func (f *neonFile) unflush() { f.line("MSR R26, FPCR") }

// end returns from the function.
func (f *neonFile) end(flushed bool) {
	if flushed {
		f.unflush()
	}
	f.line("RET")
	f.asm.WriteString("\n")
}

// vector returns the offset of two words in the data section.
func (f *neonFile) vector(low, high uint64) int {
	name := fmt.Sprintf("%x %x", low, high)
	if at, ok := f.places[name]; ok {
		return at
	}
	at := 8 * len(f.numbers)
	f.numbers = append(f.numbers, low, high)
	f.places[name] = at
	return at
}

// table returns the offset of a table of eight float32 in the data section.
func (f *neonFile) table(name string, numbers []float64) int {
	if at, ok := f.places[name]; ok {
		return at
	}
	at := 8 * len(f.numbers)
	for i := 0; i < 8; i += 2 {
		f.numbers = append(f.numbers, uint64(math.Float32bits(float32(numbers[i])))|uint64(math.Float32bits(float32(numbers[i+1])))<<32)
	}
	f.places[name] = at
	return at
}

// value is an operand: an input or the result of an instruction.
type value struct{ from string }

// Asm makes a value an operand.
func (v *value) Asm() string { return v.from }

// newInput returns a value that the code around a body puts into a register.
func newInput() *value { return &value{from: "input"} }

// literal is a constant vector.
type literal struct{ low, high uint64 }

// Asm makes a literal an operand.
func (l literal) Asm() string { return fmt.Sprintf("literal %#x %#x", l.high, l.low) }

// splat is a constant in all lanes of a vector.
func splat(c constant, double bool) literal {
	if !double {
		c |= c << 32
	}
	return literal{uint64(c), uint64(c)}
}

// instruction is a recorded operation.
type instruction struct {
	op     string // of encode, or one of select, into, label, jumpAny and jumpAll
	double bool
	imm    int
	d      *value
	src    [3]Op // n, m and the old destination if the instruction reads it; of select the mask and what it chooses from; of tbl2 the name of a table and an index
	label  string
}

// recorder holds the body of a function.
type recorder struct {
	code    []instruction
	tables  []namedTable
	indices map[Op]Op // of bytes, by those of elements
}

type namedTable struct {
	name    string
	numbers []float64
}

// tableOf stands for a table among operands.
type tableOf string

// Asm makes a table an operand.
func (t tableOf) Asm() string { return string(t) }

func (m *machine) neon() bool { return m.level == neon }

// arm records an instruction on the operands n, m and the old destination.
func (m *machine) arm(op string, imm int, x ...Op) Op {
	in := instruction{op: op, double: m.f64, imm: imm, d: &value{from: op}}
	for i, x := range x {
		if c, ok := x.(constant); ok {
			x = splat(c, m.f64)
		}
		in.src[i] = x
	}
	m.body.code = append(m.body.code, in)
	return in.d
}

// armJump records a jump, if any or if all lanes of a mask are set.
func (m *machine) armJump(how string, mask Op, label string) {
	m.body.code = append(m.body.code, instruction{op: how, src: [3]Op{mask}, label: label})
}

// armInto records a change of the value d.
func (m *machine) armInto(d, x Op) {
	m.body.code = append(m.body.code, instruction{op: "into", d: d.(*value), src: [3]Op{x}})
}

// armLookUp picks numbers of a table by the low three bits of an index.
func (m *machine) armLookUp(index Op, name string, numbers []float64) Op {
	bytes := m.body.indices[index]
	if bytes == nil {
		// Those of the four bytes of a number, with which TBL picks.
		bytes = m.iadd(m.imul(m.and(index, constant(7)), constant(0x04040404)), constant(0x03020100))
		m.body.indices[index] = bytes
	}
	known := false
	for _, t := range m.body.tables {
		known = known || t.name == name
	}
	if !known {
		m.body.tables = append(m.body.tables, namedTable{name, numbers})
	}
	return m.arm("tbl2", 0, tableOf(name), bytes)
}

// armCompare returns a mask in a vector register.
func (m *machine) armCompare(how U8, x, y Op) Op {
	not := func(x Op) Op { return m.arm("not", 0, x) }
	switch how {
	case equal:
		return m.arm("fcmeq", 0, x, y)
	case notEqual:
		return not(m.arm("fcmeq", 0, x, y))
	case differs:
		return m.or(m.arm("fcmgt", 0, x, y), m.arm("fcmgt", 0, y, x))
	case less:
		return m.arm("fcmgt", 0, y, x)
	case lessEqual:
		return m.arm("fcmge", 0, y, x)
	case greater:
		return m.arm("fcmgt", 0, x, y)
	case greaterEqual:
		return m.arm("fcmge", 0, x, y)
	case notLessEqual:
		return not(m.arm("fcmge", 0, y, x))
	case notLess:
		return not(m.arm("fcmgt", 0, y, x))
	case unordered:
		sound := m.arm("fcmeq", 0, x, x)
		if y != x {
			sound = m.and(sound, m.arm("fcmeq", 0, y, y))
		}
		return not(sound)
	}
	panic("no such comparison")
}

// armIntegerCompare returns a mask in a vector register.
func (m *machine) armIntegerCompare(how U8, x, y Op) Op {
	switch how {
	case iEqual:
		return m.arm("cmeq", 0, x, y)
	case iNotEqual:
		return m.arm("not", 0, m.arm("cmeq", 0, x, y))
	case iLess:
		return m.arm("cmgt", 0, y, x)
	case iLessEqual:
		return m.arm("cmge", 0, y, x)
	case iGreater:
		return m.arm("cmgt", 0, x, y)
	}
	return m.arm("cmge", 0, x, y)
}

// flushes reports whether the body depends on whether denormal numbers count as zero.
func (r *recorder) flushes() bool {
	for _, in := range r.code {
		if encodings[in.op].word != 0 && flushes(in.op) {
			return true
		}
	}
	return false
}

// allocation is where the values of a body are.
type allocation struct {
	file      *neonFile
	registers map[*value]int
	constants map[literal]int // that stay in registers
	tables    map[string]int
	free      []int
	text      []string
}

// assemble writes the body: what is done once in front of the loop, and the code in it. Constants stay in registers as far as there are some. The
// values to keep, such as results, are in their registers at the end of the body.
func (r *recorder) assemble(f *neonFile, inputs []*value, keep ...*value) (once, code []string, registers map[*value]int) {
	var wanted []literal // except by instructions that overwrite them, which would need a copy as well
	seen := map[literal]bool{}
	for _, in := range r.code {
		for j, s := range in.src {
			if c, ok := s.(literal); ok && c != (literal{}) && !seen[c] && !(j == 2 && readsDestination(in.op)) {
				seen[c] = true
				wanted = append(wanted, c)
			}
		}
	}
	for hold := min(len(wanted), 24); hold >= 0; hold-- {
		a := &allocation{file: f, registers: map[*value]int{}, constants: map[literal]int{}, tables: map[string]int{}}
		top := 32
		for _, t := range r.tables {
			top -= 2
			a.tables[t.name] = top
		}
		for _, c := range wanted[:hold] {
			top--
			a.constants[c] = top
		}
		if top < len(inputs)+1 || !a.run(r, inputs, keep, top) {
			continue
		}
		for _, t := range r.tables {
			at := f.table(t.name, t.numbers)
			once = append(once, fmt.Sprintf("FMOVQ %d(R9), F%d", at, a.tables[t.name]), fmt.Sprintf("FMOVQ %d(R9), F%d", at+16, a.tables[t.name]+1))
		}
		for _, c := range wanted[:hold] {
			once = append(once, fmt.Sprintf("FMOVQ %d(R9), F%d", f.vector(c.low, c.high), a.constants[c]))
		}
		return once, a.text, a.registers
	}
	panic("a body needs more registers than there are")
}

// run gives registers below top to the values and writes the code. It reports false if there are too few.
func (a *allocation) run(r *recorder, inputs, keep []*value, top int) bool {
	for i := top - 1; i >= 0; i-- {
		a.free = append(a.free, i)
	}
	enough := true
	take := func() int {
		if len(a.free) == 0 {
			enough = false
			return 0
		}
		n := a.free[len(a.free)-1]
		a.free = a.free[:len(a.free)-1]
		return n
	}
	last := map[*value]int{}
	for i, in := range r.code {
		for _, s := range in.src {
			if v, ok := s.(*value); ok {
				last[v] = i
			}
		}
		if in.op == "into" {
			last[in.d] = i
		}
	}
	for _, v := range keep {
		last[v] = len(r.code)
	}
	for _, v := range inputs {
		a.registers[v] = take()
	}
	word := func(op string, double bool, d, n, m, imm int) {
		w, text := encode(op, double, d, n, m, imm)
		a.text = append(a.text, fmt.Sprintf("WORD $0x%08X // %s", w, text))
	}
	for i, in := range r.code {
		if !enough {
			return false
		}
		if in.op == "label" {
			a.text = append(a.text, in.label+":")
			continue
		}
		// Operands in registers. Those that hold a value for the last time may become the destination.
		var reg [3]int
		var mine [3]bool
		for j, s := range in.src {
			switch s := s.(type) {
			case literal:
				if at, ok := a.constants[s]; ok {
					reg[j] = at
					break
				}
				reg[j], mine[j] = take(), true
				if s == (literal{}) {
					word("movi0", false, reg[j], 0, 0, 0)
				} else {
					a.text = append(a.text, fmt.Sprintf("FMOVQ %d(R9), F%d", a.file.vector(s.low, s.high), reg[j]))
				}
			case tableOf:
				reg[j] = a.tables[string(s)]
			case *value:
				at, ok := a.registers[s]
				if !ok {
					panic(in.op + " uses a value before it is computed, of " + s.from)
				}
				reg[j] = at
				mine[j] = last[s] == i && (in.op != "into" || in.d != s)
				for l := range j { // the same value twice
					if in.src[l] == s {
						mine[j] = false
					}
				}
			}
		}
		twice := func(j int) bool {
			for l := range 3 {
				if l != j && in.src[l] != nil && in.src[l] == in.src[j] {
					return true
				}
			}
			return false
		}
		release := func(except int) {
			for j := range reg {
				if mine[j] && reg[j] != except {
					a.free = append(a.free, reg[j])
				}
			}
		}
		// inPlace returns the destination of an instruction that reads it: operand j.
		inPlace := func(j int) int {
			if mine[j] && !twice(j) {
				return reg[j]
			}
			d := take()
			word("orr", false, d, reg[j], reg[j], 0)
			return d
		}
		d := -1
		switch {
		case in.op == "into":
			word("orr", false, a.registers[in.d], reg[0], reg[0], 0)
			release(-1)
			continue
		case in.op == "jumpAny" || in.op == "jumpAll":
			x := take()
			word(map[string]string{"jumpAny": "umaxv", "jumpAll": "uminv"}[in.op], false, x, reg[0], 0, 0)
			a.text = append(a.text, fmt.Sprintf("FMOVS F%d, R10", x))
			if in.op == "jumpAny" {
				a.text = append(a.text, "CBNZ R10, "+in.label)
			} else {
				a.text = append(a.text, "CMNW $1, R10", "BEQ "+in.label)
			}
			a.free = append(a.free, x)
			release(-1)
			continue
		case in.op == "select":
			switch {
			case mine[0] || !mine[1] && !mine[2]:
				d = inPlace(0)
				word("bsl", false, d, reg[1], reg[2], 0)
			case mine[2] && !twice(2):
				d = reg[2]
				word("bit", false, d, reg[1], reg[0], 0)
			default:
				d = inPlace(1)
				word("bif", false, d, reg[2], reg[0], 0)
			}
			release(d)
		case readsDestination(in.op):
			d = inPlace(2)
			word(in.op, in.double, d, reg[0], reg[1], in.imm)
			release(d)
		default:
			release(-1)
			d = take()
			word(in.op, in.double, d, reg[0], reg[1], in.imm)
		}
		a.registers[in.d] = d
		if _, used := last[in.d]; !used {
			a.free = append(a.free, d)
		}
	}
	return enough
}
