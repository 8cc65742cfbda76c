package tarn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds Einsum. A specification names every axis by a letter; the product is made of two operands at a time, left
// to right, each by one MatMul of permuted and reshaped operands or, where nothing is summed, by one Mul.

// Einsum multiplies operands and sums over axes, as the specification says: a letter for each axis of each operand, operands
// separated by commas, then -> and the letters of the result. Axes of one letter have one size and are walked together;
// letters that are not in the result are summed over. A letter twice in one operand takes its diagonal. "..." stands for any
// further axes in front, which have equal sizes in all operands that have them. Without -> the result has the letters that
// come once, in alphabetical order, after the axes of "...". Spaces mean nothing. Equal to torch.einsum.
//
//	Einsum("bhqd,bhkd->bhqk", q, k) // the scores of attention
//
// Shapes: as the specification says.
func Einsum(spec string, first *Value, others ...Operand) *Value {
	first = first.orLost()
	g := first.graph
	in := []*Value{first}
	for _, o := range others {
		in = append(in, first.operand(o))
	}
	g, in = g.meet(in)
	for _, v := range in {
		if !v.exists() || v.failed || v.graph != g {
			return g.add(einsumOp{}, in...)
		}
	}
	e, err := parseEinsum(spec, in)
	if err != nil {
		return g.failAs("Einsum", in, err)
	}
	product := e.reduced(0, in[0])
	for i := 1; i < len(in); i++ {
		product = e.multiply(product, e.reduced(i, in[i]), i)
	}
	return e.arrange(product)
}

// einsumOp names Einsum where an operand is nil or of another graph.
type einsumOp struct{ failedOp }

func (einsumOp) Name() string { return "Einsum" }

// labels name the axes of a value, a rune each.
type labels []rune

// labeled is a value whose axes have names.
type labeled struct {
	v     *Value
	names labels
}

// einsum is a parsed specification.
type einsum struct {
	operands []labels
	result   labels
	sizes    map[rune]int
}

// ellipsis is the first of the names of the axes that "..." stands for, counted from the last of them.
const ellipsis = '\U000F0000'

// parseEinsum reads the specification against the operands' shapes.
func parseEinsum(spec string, in []*Value) (*einsum, error) {
	left, right, explicit := strings.Cut(spec, "->")
	e := &einsum{sizes: map[rune]int{}}
	terms := strings.Split(left, ",")
	if len(terms) != len(in) {
		return nil, newProblem("%q names %d operands and %d are given", spec, len(terms), len(in))
	}
	for i, v := range in {
		if v.DType() != in[0].DType() {
			return nil, newProblem("operands 1 and %d are %v and %v", i+1, in[0].DType(), v.DType()).WithHint("Cast one of them")
		}
		if v.DType() == Bool {
			return nil, newProblem("operand %d is bool and should be a number", i+1).WithHint("Cast it")
		}
	}
	at, dots := 0, 0 // the byte where the term begins; the most axes that "..." stands for
	owner := map[rune]int{}
	for i, term := range terms {
		names, n, err := parseTerm(spec, term, at, in[i].Rank(), i)
		if err != nil {
			return nil, err
		}
		dots = max(dots, n)
		for a, r := range names {
			d := in[i].typ.Shape[a]
			if size, ok := e.sizes[r]; ok && size != d {
				return nil, specProblem(spec, at+find(term, r), "%s has size %d in operand %d and size %d at axis %d of operand %d",
					labelName(r), size, owner[r]+1, d, a, i+1)
			}
			e.sizes[r], owner[r] = d, i
		}
		e.operands = append(e.operands, names)
		at += len(term) + 1
	}
	if explicit {
		names, _, err := parseTerm(spec, right, len(left)+2, -1, dots)
		if err != nil {
			return nil, err
		}
		for i, r := range names {
			if slices.Contains(names[:i], r) {
				return nil, specProblem(spec, len(left)+2+strings.LastIndex(right, string(r)), "%s comes twice in the result", labelName(r))
			}
			if _, ok := e.sizes[r]; !ok {
				return nil, specProblem(spec, len(left)+2+find(right, r), "%s is an axis of no operand", labelName(r))
			}
		}
		e.result = names
		return e, nil
	}
	e.result = e.implicit(dots)
	return e, nil
}

// implicit is the result without an arrow: the axes of "...", then the letters that come once.
func (e *einsum) implicit(dots int) labels {
	count := map[rune]int{}
	for _, names := range e.operands {
		for _, r := range names {
			count[r]++
		}
	}
	var once labels
	for r, n := range count {
		if n == 1 && r < ellipsis {
			once = append(once, r)
		}
	}
	slices.Sort(once)
	return append(dotNames(dots), once...)
}

// dotNames are the names of n axes that "..." stands for.
func dotNames(n int) labels {
	var names labels
	for i := n - 1; i >= 0; i-- {
		names = append(names, ellipsis+rune(i))
	}
	return names
}

// parseTerm reads the letters of operand i, which has the given rank, or of the result, where rank is -1 and i the number
// of axes that "..." stands for. It also gives the number of axes that "..." stands for here.
func parseTerm(spec, term string, at, rank, i int) (names labels, dots int, err error) {
	dots = -1 // where "..." comes in names
	for j := 0; j < len(term); j++ {
		switch c := term[j]; {
		case c == ' ':
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			names = append(names, rune(c))
		case strings.HasPrefix(term[j:], "...") && dots < 0:
			dots = len(names)
			j += 2
		case strings.HasPrefix(term[j:], "..."):
			return nil, 0, specProblem(spec, at+j, "a second \"...\"")
		default:
			r := []rune(term[j:])[0]
			return nil, 0, specProblem(spec, at+j, "%q is neither a letter nor a comma, an arrow or \"...\"", r)
		}
	}
	n := 0
	switch {
	case rank < 0:
		n = i
	case dots >= 0:
		n = rank - len(names)
	}
	if rank >= 0 && len(names)+n != rank || n < 0 {
		return nil, 0, specProblem(spec, at, "%q names %d axes, and operand %d has rank %d", strings.TrimSpace(term), len(names), i+1, rank)
	}
	if dots >= 0 {
		names = slices.Insert(names, dots, dotNames(n)...)
		return names, n, nil
	}
	return names, 0, nil
}

// specProblem points at a byte of the specification.
func specProblem(spec string, at int, format string, args ...any) *ir.Problem {
	return newProblem("%q at character %d: %s", spec, at+1, fmt.Sprintf(format, args...))
}

// find returns the byte of a term where a name stands.
func find(term string, r rune) int {
	if r >= ellipsis {
		return strings.Index(term, "...")
	}
	return strings.LastIndex(term, string(r))
}

func labelName(r rune) string {
	if r >= ellipsis {
		return fmt.Sprintf("axis -%d of \"...\"", r-ellipsis+1)
	}
	return fmt.Sprintf("axis %q", r)
}

// needed reports whether a name is in the result or in an operand from i on.
func (e *einsum) needed(r rune, i int) bool {
	return slices.Contains(e.result, r) || slices.ContainsFunc(e.operands[i:], func(names labels) bool { return slices.Contains(names, r) })
}

// reduced is operand i with its diagonals taken and the axes that nothing else has summed over.
func (e *einsum) reduced(i int, v *Value) labeled {
	names := slices.Clone(e.operands[i])
	for a := 0; a < len(names); a++ {
		b := a + 1 + slices.Index(names[a+1:], names[a])
		if b == a {
			continue
		}
		// The two axes go last, where their diagonal is a view, and the diagonal goes where the first of them was.
		axes := others(len(names), a, b)
		diagonal := v.Permute(append(axes, a, b)...).Diagonal()
		back := make([]int, 0, len(names)-1)
		for k := range len(names) - 1 {
			switch {
			case k < a:
				back = append(back, k)
			case k == a:
				back = append(back, len(names)-2)
			default:
				back = append(back, k-1)
			}
		}
		v, names = diagonal.Permute(back...), slices.Delete(names, b, b+1)
		a-- // a letter may come a third time
	}
	elsewhere := func(r rune) bool {
		for j, other := range e.operands {
			if j != i && slices.Contains(other, r) {
				return true
			}
		}
		return slices.Contains(e.result, r)
	}
	return labeled{v, names}.sumExcept(elsewhere)
}

// others are the axes of a value of the given rank but two.
func others(rank, a, b int) []int {
	var axes []int
	for k := range rank {
		if k != a && k != b {
			axes = append(axes, k)
		}
	}
	return axes
}

// sumExcept sums over the axes that are not to be kept.
func (x labeled) sumExcept(keep func(r rune) bool) labeled {
	var axes []int
	var kept labels
	for a, r := range x.names {
		if keep(r) {
			kept = append(kept, r)
		} else {
			axes = append(axes, a)
		}
	}
	if len(axes) == 0 {
		return x
	}
	return labeled{x.v.Sum(axes...), kept}
}

// multiply is the product of a, which stands for the operands before i, and operand i.
func (e *einsum) multiply(a, b labeled, i int) labeled {
	var batch, inner, rows, cols labels
	for _, r := range a.names {
		switch shared := slices.Contains(b.names, r); {
		case shared && e.needed(r, i+1):
			batch = append(batch, r)
		case shared:
			inner = append(inner, r)
		default:
			rows = append(rows, r)
		}
	}
	for _, r := range b.names {
		if !slices.Contains(a.names, r) {
			cols = append(cols, r)
		}
	}
	if len(inner) == 0 || len(rows) == 0 && len(cols) == 0 {
		// Nothing to sum, or a sum of plain products: elementwise ops, which fuse.
		names := slices.Concat(batch, rows, cols, inner)
		product := labeled{a.spread(names).Mul(b.spread(names)), names}
		return product.sumExcept(func(r rune) bool { return !slices.Contains(inner, r) })
	}
	// Of the two orders that MatMul takes, that which leaves an operand's last axis, along which its memory runs, among the
	// last: then no element is moved.
	transA := slices.Contains(rows, a.names[len(a.names)-1])
	transB := slices.Contains(inner, b.names[len(b.names)-1])
	x, y := [2]labels{rows, inner}, [2]labels{inner, cols}
	if transA {
		x = [2]labels{inner, rows}
	}
	if transB {
		y = [2]labels{cols, inner}
	}
	product := e.matrix(a, batch, x[0], x[1]).matMul(e.matrix(b, batch, y[0], y[1]), transA, transB)
	names := slices.Concat(batch, rows, cols)
	return labeled{product.Reshape(e.shape(names)...), names}
}

// matrix is x with its axes in three groups, of which the last two are made one axis each. The batch axes stay as they are:
// MatMul takes any number, and a permuted operand need not be copied to merge them.
func (e *einsum) matrix(x labeled, batch, rows, cols labels) *Value {
	shape := append(e.shape(batch), ir.Size(e.shape(rows)), ir.Size(e.shape(cols)))
	return x.ordered(slices.Concat(batch, rows, cols)).Reshape(shape...)
}

// shape returns the sizes of the axes named.
func (e *einsum) shape(names labels) []int {
	shape := make([]int, len(names))
	for i, r := range names {
		shape[i] = e.sizes[r]
	}
	return shape
}

// ordered is x with its axes in another order.
func (x labeled) ordered(names labels) *Value {
	if slices.Equal(x.names, names) {
		return x.v
	}
	axes := make([]int, len(names))
	for i, r := range names {
		axes[i] = slices.Index(x.names, r)
	}
	return x.v.Permute(axes...)
}

// spread is x with its axes in the order of names, and size 1 where it lacks an axis.
func (x labeled) spread(names labels) *Value {
	var own labels
	var missing []int
	for i, r := range names {
		if slices.Contains(x.names, r) {
			own = append(own, r)
		} else {
			missing = append(missing, i)
		}
	}
	return x.ordered(own).Unsqueeze(missing...)
}

// arrange puts the axes of the product in the order of the result.
func (e *einsum) arrange(product labeled) *Value {
	return product.ordered(e.result)
}
