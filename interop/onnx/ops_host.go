package onnx

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file holds the operators whose result has a shape that only the contents of their operands tell, and those on strings. They need contents that are known when
// the graph is built.

func hostOperators() {
	registerOwn("NonZero", func(c *call) []*value {
		t := c.known(0, "which elements are not zero")
		shape := t.Shape()
		var at []int
		for i := range t.Size() {
			if t.Float(i) != 0 {
				at = append(at, i)
			}
		}
		out := tarn.Zeros(tarn.I64, len(shape), len(at))
		for k, i := range at {
			for a := len(shape) - 1; a >= 0; a-- {
				out.I64()[a*len(at)+k] = int64(i % shape[a])
				i /= shape[a]
			}
		}
		return host(typeInt64, out)
	})
	registerOwn("Unique", func(c *call) []*value { return c.unique() })
	registerOwn("NonMaxSuppression", func(c *call) []*value { return c.suppress() })
	registerOwn("StringConcat", func(c *call) []*value {
		a, b := c.words1(0), c.words1(1)
		shape := broadcastShape(a.shape, b.shape)
		out := &value{elem: typeString, shape: shape, strings: make([]string, product(shape))}
		for i := range out.strings {
			out.strings[i] = a.strings[broadcastAt(i, shape, a.shape)] + b.strings[broadcastAt(i, shape, b.shape)]
		}
		return []*value{out}
	})
	registerOwn("RegexFullMatch", func(c *call) []*value {
		x := c.words1(0)
		re, err := regexp.Compile("^(?:" + c.string("pattern", "") + ")$")
		if err != nil {
			failf("the pattern %q: %v", c.string("pattern", ""), err)
		}
		t := c.zeros(tarn.Bool, x.shape)
		for i, s := range x.strings {
			t.Bools()[i] = re.MatchString(s)
		}
		return host(typeBool, t)
	})
	registerOwn("StringSplit", func(c *call) []*value {
		x := c.words1(0)
		limit := c.int("maxsplit", -1)
		delimiter := c.string("delimiter", "")
		most := 0
		parts := make([][]string, len(x.strings))
		counts := c.zeros(tarn.I64, x.shape)
		for i, s := range x.strings {
			parts[i] = split(s, delimiter, limit)
			most = max(most, len(parts[i]))
			counts.I64()[i] = int64(len(parts[i]))
		}
		out := &value{elem: typeString, shape: append(slices.Clone(x.shape), most), strings: []string{}}
		for _, p := range parts {
			out.strings = append(append(out.strings, p...), slices.Repeat([]string{""}, most-len(p))...)
		}
		return []*value{out, constant(typeInt64, counts)}
	})
	registerOwn("StringNormalizer", func(c *call) []*value {
		x := c.words1(0)
		stop := c.words("stopwords")
		exact := c.int("is_case_sensitive", 0) != 0
		change := func(s string) string {
			switch c.string("case_change_action", "NONE") {
			case "LOWER":
				return strings.ToLower(s)
			case "UPPER":
				return strings.ToUpper(s)
			}
			return s
		}
		kept := []string{}
		for _, s := range x.strings {
			if slices.ContainsFunc(stop, func(w string) bool { return w == s || !exact && strings.EqualFold(w, s) }) {
				continue
			}
			kept = append(kept, change(s))
		}
		if len(kept) == 0 {
			kept = []string{""}
		}
		shape := []int{len(kept)}
		if len(x.shape) == 2 {
			shape = []int{1, len(kept)}
		}
		return []*value{{elem: typeString, shape: shape, strings: kept}}
	})
	registered[domainML+":LabelEncoder"] = operator{own: true, f: func(c *call) []*value { return c.encodeLabels() }}
	numbers := registered[":Equal"].f
	registered[":Equal"] = operator{f: func(c *call) []*value {
		if c.elem(0) != typeString {
			return numbers(c)
		}
		a, b := c.words1(0), c.words1(1)
		shape := broadcastShape(a.shape, b.shape)
		t := c.zeros(tarn.Bool, shape)
		for i := range t.Bools() {
			t.Bools()[i] = a.strings[broadcastAt(i, shape, a.shape)] == b.strings[broadcastAt(i, shape, b.shape)]
		}
		return host(typeBool, t)
	}}
}

// encodeLabels maps words or integers to words or integers.
func (c *call) encodeLabels() []*value {
	v := c.at(0)
	var keys, values []string
	if keys = c.words("keys_strings"); keys == nil {
		for _, k := range c.numbers("keys_int64s") {
			keys = append(keys, strconv.Itoa(k))
		}
	}
	texts := c.attr("values_strings") != nil
	if values = c.words("values_strings"); !texts {
		for _, k := range c.numbers("values_int64s") {
			values = append(values, strconv.Itoa(k))
		}
	}
	if len(keys) == 0 || len(keys) != len(values) {
		failf("%d keys and %d values of words or integers are given, and other types are not supported", len(keys), len(values))
	}
	to := map[string]string{}
	for i, k := range keys {
		to[k] = values[i]
	}
	given := v.strings
	if given == nil {
		t := c.known(0, "a label")
		for _, k := range tensorInts(t) {
			given = append(given, strconv.Itoa(k))
		}
	}
	otherwise := strconv.Itoa(c.int("default_int64", -1))
	if texts {
		otherwise = c.string("default_string", "_Unused")
	}
	out := &value{elem: typeString, shape: v.sizes(), strings: make([]string, len(given))}
	for i, k := range given {
		if s, ok := to[k]; ok {
			out.strings[i] = s
		} else {
			out.strings[i] = otherwise
		}
	}
	if texts {
		return []*value{out}
	}
	numbers := make([]int, len(given))
	for i, s := range out.strings {
		numbers[i], _ = strconv.Atoi(s)
	}
	return int64s(numbers, out.shape...)
}

// words1 is operand i, which must be strings.
func (c *call) words1(i int) *value {
	v := c.at(i)
	if v.strings == nil {
		panic(failure{c.unknown(v, "a work on strings")})
	}
	return v
}

// broadcastAt is the place in an array of a shape that element i of one that it broadcasts to reads.
func broadcastAt(i int, to, from []int) int {
	at, stride := 0, 1
	for a := len(to) - 1; a >= 0; a-- {
		if b := a - len(to) + len(from); b >= 0 {
			if from[b] != 1 {
				at += i % to[a] * stride
			}
			stride *= from[b]
		}
		i /= to[a]
	}
	return at
}

// split splits as Python does: at runs of spaces if there is no delimiter.
func split(s, delimiter string, limit int) []string {
	if delimiter != "" {
		if s == "" {
			return nil
		}
		if limit < 0 {
			return strings.Split(s, delimiter)
		}
		return strings.SplitN(s, delimiter, limit+1)
	}
	var parts []string
	for s = strings.TrimLeft(s, " \t\n\r"); s != ""; s = strings.TrimLeft(s, " \t\n\r") {
		end := strings.IndexAny(s, " \t\n\r")
		if end < 0 || limit >= 0 && len(parts) == limit {
			return append(parts, s)
		}
		parts, s = append(parts, s[:end]), s[end:]
	}
	return parts
}

func (c *call) unique() []*value {
	v := c.at(0)
	t := c.known(0, "which elements are different")
	shape := t.Shape()
	n, rowOf := t.Size(), func(i int) []float64 { return []float64{t.Float(i)} }
	a := c.attr("axis")
	axis := 0
	if a != nil {
		axis = axisOf(int(a.i), len(shape))
		n = shape[axis]
		outer, inner := product(shape[:axis]), product(shape[axis+1:])
		rowOf = func(i int) []float64 {
			var row []float64
			for o := range outer {
				for k := range inner {
					row = append(row, t.Float((o*n+i)*inner+k))
				}
			}
			return row
		}
	}
	rows := make([][]float64, n)
	order := make([]int, n)
	for i := range n {
		rows[i], order[i] = rowOf(i), i
	}
	slices.SortStableFunc(order, func(i, j int) int { return slices.CompareFunc(rows[i], rows[j], cmp.Compare[float64]) })
	var firsts []int
	group := make([]int, n)
	for k, i := range order {
		if k == 0 || !slices.Equal(rows[i], rows[order[k-1]]) {
			firsts = append(firsts, i)
		}
		group[i] = len(firsts) - 1
	}
	places := make([]int, len(firsts))
	for i := range places {
		places[i] = i
	}
	if c.int("sorted", 1) == 0 {
		slices.SortFunc(places, func(i, j int) int { return firsts[i] - firsts[j] })
	}
	to := make([]int, len(places))
	index := make([]int, len(places))
	for k, p := range places {
		to[p], index[k] = k, firsts[p]
	}
	inverse, counts := make([]int, n), make([]int, len(places))
	for i := range n {
		inverse[i] = to[group[i]]
		counts[inverse[i]]++
	}
	var y *tarn.Tensor
	if a == nil {
		y = c.zeros(t.DType(), []int{len(index)})
		for k, i := range index {
			copyElement(y, k, t, i)
		}
	} else {
		out := slices.Clone(shape)
		out[axis] = len(index)
		y = c.zeros(t.DType(), out)
		outer, inner := product(shape[:axis]), product(shape[axis+1:])
		for o := range outer {
			for k, i := range index {
				for j := range inner {
					copyElement(y, (o*len(index)+k)*inner+j, t, (o*n+i)*inner+j)
				}
			}
		}
	}
	return []*value{constant(v.elem, y), int64s(index, len(index))[0], int64s(inverse, n)[0], int64s(counts, len(counts))[0]}
}

func copyElement(to *tarn.Tensor, i int, from *tarn.Tensor, j int) {
	size := to.DType().Size()
	copy(to.Raw()[i*size:(i+1)*size], from.Raw()[j*size:])
}

// suppress takes boxes by descending score that do not overlap with one taken before.
func (c *call) suppress() []*value {
	boxes, scores := c.known(0, "which boxes are taken"), c.known(1, "which boxes are taken")
	most, overlap, least := 0, 0.0, math.Inf(-1)
	if c.has(2) {
		most = int(c.known(2, "the number of boxes").Float(0))
	}
	if c.has(3) {
		overlap = c.known(3, "the overlap").Float(0)
	}
	if c.has(4) {
		least = c.known(4, "the least score").Float(0)
	}
	if boxes.Rank() != 3 || scores.Rank() != 3 || boxes.Shape()[2] != 4 || scores.Shape()[0] != boxes.Shape()[0] || scores.Shape()[2] != boxes.Shape()[1] {
		failf("the shapes %v and %v do not fit", boxes.Shape(), scores.Shape())
	}
	n, classes := boxes.Shape()[1], scores.Shape()[1]
	center := c.int("center_point_box", 0) != 0
	corner := func(batch, i int) (y0, x0, y1, x1 float64) {
		at := (batch*n + i) * 4
		a, b, d, e := boxes.Float(at), boxes.Float(at+1), boxes.Float(at+2), boxes.Float(at+3)
		if center { // x, y, width, height
			return b - e/2, a - d/2, b + e/2, a + d/2
		}
		return min(a, d), min(b, e), max(a, d), max(b, e)
	}
	var out []int
	for batch := range boxes.Shape()[0] {
		for class := range classes {
			score := func(i int) float64 { return scores.Float((batch*classes+class)*n + i) }
			var order, taken []int
			for i := range n {
				if score(i) > least {
					order = append(order, i)
				}
			}
			slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(score(j), score(i)) })
			for _, i := range order {
				if len(taken) >= most {
					break
				}
				y0, x0, y1, x1 := corner(batch, i)
				if slices.ContainsFunc(taken, func(j int) bool {
					v0, u0, v1, u1 := corner(batch, j)
					both := max(0, min(y1, v1)-max(y0, v0)) * max(0, min(x1, u1)-max(x0, u0))
					return both/((y1-y0)*(x1-x0)+(v1-v0)*(u1-u0)-both) > overlap
				}) {
					continue
				}
				taken = append(taken, i)
				out = append(out, batch, class, i)
			}
		}
	}
	return int64s(out, len(out)/3, 3)
}
