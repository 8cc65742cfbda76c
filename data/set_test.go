package data

// The tests check what a set accepts, and that split, cast and normalized sets have the values that the definitions say.

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// numbered is a set of n examples: x is [n, 2] with the values 2i and 2i+1, y is [n] with the value i.
func numbered(t testing.TB, n int) *Set {
	t.Helper()
	x, y := make([]float32, 2*n), make([]int64, n)
	for i := range n {
		x[2*i], x[2*i+1], y[i] = float32(2*i), float32(2*i+1), int64(i)
	}
	return newSet(t, Field{"x", Array{[]int{n, 2}, x}}, Field{"y", Array{[]int{n}, y}})
}

func newSet(t testing.TB, fields ...Field) *Set {
	t.Helper()
	s, err := NewSet(fields...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ys are the values of the field y, which number the examples.
func ys(t testing.TB, s *Set) []int64 {
	t.Helper()
	y, err := s.Tensor("y")
	if err != nil {
		t.Fatal(err)
	}
	return y.I64()
}

// refused checks that err is there and says want.
func refused(t testing.TB, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), "data: ") || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error %v, want %q", what, err, want)
	}
}

func TestNewSet(t *testing.T) {
	for _, c := range []struct {
		data  any
		dtype tarn.DType
		want  []float64
	}{
		{[]uint8{0, 255}, tarn.I32, []float64{0, 255}},
		{[]int8{-1, 127}, tarn.I32, []float64{-1, 127}},
		{[]int16{-300, 300}, tarn.I32, []float64{-300, 300}},
		{[]int32{-70000, 1}, tarn.I32, []float64{-70000, 1}},
		{[]int64{-1 << 40, 1}, tarn.I64, []float64{-1 << 40, 1}},
		{[]float32{0.5, -1}, tarn.F32, []float64{0.5, -1}},
		{[]float64{0.1, -1}, tarn.F64, []float64{0.1, -1}},
		{[]bool{true, false}, tarn.Bool, []float64{1, 0}},
	} {
		s := newSet(t, Field{"a", Array{[]int{2, 1}, c.data}})
		got, err := s.Tensor("a")
		if err != nil || got.DType() != c.dtype || !slices.Equal(got.Floats(), c.want) || !slices.Equal(got.Shape(), []int{2, 1}) {
			t.Errorf("%T: %v, %v", c.data, got, err)
		}
		if d, err := s.DType("a"); err != nil || d != c.dtype {
			t.Errorf("%T: %v, %v", c.data, d, err)
		}
		if shape, err := s.Shape("a"); err != nil || !slices.Equal(shape, []int{1}) {
			t.Errorf("%T: %v, %v", c.data, shape, err)
		}
		whole, err := Array{[]int{2, 1}, c.data}.Tensor()
		if err != nil || !whole.Equal(got, 0) {
			t.Errorf("%T: Tensor of the array: %v, %v", c.data, whole, err)
		}
		back, err := FromTensor(whole).Tensor()
		if err != nil || !back.Equal(whole, 0) {
			t.Errorf("%T: array of the tensor: %v, %v", c.data, back, err)
		}
	}
	two := Array{[]int{2}, []float32{1, 2}}
	for _, c := range []struct {
		fields []Field
		want   string
	}{
		{nil, "at least one field"},
		{[]Field{{"a", Array{[]int{}, []float32{1}}}}, "is a scalar"},
		{[]Field{{"a", Array{[]int{2}, []string{"a", "b"}}}}, "elements of type []string"},
		{[]Field{{"a", Array{[]int{3}, []float32{1, 2}}}}, "needs 3 elements, there are 2"},
		{[]Field{{"a", Array{[]int{-1}, []float32{}}}}, "negative size"},
		{[]Field{{"", two}}, "has no name"},
		{[]Field{{"a", two}, {"a", two}}, `two fields are named "a"`},
		{[]Field{{"a", two}, {"b", Array{[]int{1}, []bool{true}}}}, `field "b" has 1 examples, field "a" has 2`},
		{[]Field{{"a", Array{[]int{1 << 40, 0}, []float32{}}}}, "examples, more than"},
	} {
		_, err := NewSet(c.fields...)
		refused(t, c.want, err, c.want)
	}
	s := numbered(t, 3)
	if !slices.Equal(s.Names(), []string{"x", "y"}) || s.Len() != 3 {
		t.Errorf("names %v, %d examples", s.Names(), s.Len())
	}
	_, err := s.Tensor("z")
	refused(t, "Tensor", err, `no field "z", there are: x, y`)
	_, err = s.Shape("z")
	refused(t, "Shape", err, `no field "z"`)
	_, err = s.DType("z")
	refused(t, "DType", err, `no field "z"`)
	_, err = Array{[]int{2}, nil}.Tensor()
	refused(t, "Array.Tensor", err, "elements of type <nil>")
}

func TestSplit(t *testing.T) {
	s := numbered(t, 100)
	a, b, err := s.Split(70, 5)
	if err != nil || a.Len() != 70 || b.Len() != 30 {
		t.Fatalf("%d and %d, %v", a.Len(), b.Len(), err)
	}
	first, rest := ys(t, a), ys(t, b)
	if !slices.IsSorted(first) || !slices.IsSorted(rest) {
		t.Error("the parts are not in the order of the set")
	}
	both := append(slices.Clone(first), rest...)
	slices.Sort(both)
	if !slices.Equal(both, ys(t, s)) {
		t.Error("the parts do not make up the set")
	}
	if slices.Equal(first, ys(t, s)[:70]) {
		t.Error("the split is not random")
	}
	again, _, _ := s.Split(70, 5)
	other, _, _ := s.Split(70, 6)
	if !slices.Equal(ys(t, again), first) || slices.Equal(ys(t, other), first) {
		t.Error("the split does not depend on the seed alone")
	}
	c, d, err := b.Split(10, 1) // a part of a part
	if err != nil {
		t.Fatal(err)
	}
	parts := append(ys(t, c), ys(t, d)...)
	slices.Sort(parts)
	if !slices.Equal(parts, rest) {
		t.Error("the parts of a part do not make it up")
	}
	x, _ := c.Tensor("x")
	for i, y := range ys(t, c) {
		if x.F32()[2*i] != float32(2*y) {
			t.Errorf("x and y of example %d do not belong together", i)
		}
	}
	for _, n := range []int{0, 100} {
		if a, b, err := s.Split(n, 1); err != nil || a.Len() != n || b.Len() != 100-n {
			t.Errorf("Split(%d): %v", n, err)
		}
	}
	for _, n := range []int{-1, 101} {
		_, _, err := s.Split(n, 1)
		refused(t, "Split", err, "of 100 examples")
	}
	part, err := b.Slice(5, 8)
	if err != nil || !slices.Equal(ys(t, part), rest[5:8]) {
		t.Errorf("Slice: %v", err)
	}
	for _, r := range [][2]int{{-1, 2}, {3, 2}, {0, 31}} {
		_, err := b.Slice(r[0], r[1])
		refused(t, "Slice", err, "of 30 examples")
	}
}

func TestCast(t *testing.T) {
	s := newSet(t,
		Field{"u8", Array{[]int{2}, []uint8{3, 200}}}, Field{"i32", Array{[]int{2}, []int32{-3, 4}}},
		Field{"i64", Array{[]int{2}, []int64{-5, 6}}}, Field{"f32", Array{[]int{2}, []float32{0.5, -7}}},
		Field{"f64", Array{[]int{2}, []float64{0.25, -8}}}, Field{"bool", Array{[]int{2}, []bool{false, true}}})
	for _, name := range s.Names() {
		before, _ := s.Tensor(name)
		for _, to := range []tarn.DType{tarn.Bool, tarn.I32, tarn.I64, tarn.F32, tarn.F64} {
			cast, err := s.Cast(name, to)
			from := before.DType()
			if allowed := from == to || from != tarn.Bool && to != tarn.Bool && (to.IsFloat() || !from.IsFloat()); !allowed {
				refused(t, name, err, "cannot become")
				continue
			}
			if err != nil {
				t.Errorf("%s to %v: %v", name, to, err)
				continue
			}
			after, err := cast.Tensor(name)
			if err != nil || after.DType() != to || !slices.Equal(after.Floats(), before.Floats()) {
				t.Errorf("%s to %v: %v, %v", name, to, after, err)
			}
		}
		if d, _ := s.DType(name); d != before.DType() {
			t.Errorf("Cast changed the set that it was called on")
		}
	}
	_, err := s.Cast("none", tarn.F32)
	refused(t, "Cast", err, "no field")
}

func TestNormalize(t *testing.T) {
	const n = 5000
	values := map[string]any{}
	u8, i32, f32, f64 := make([]uint8, 2*n), make([]int32, 2*n), make([]float32, 2*n), make([]float64, 2*n)
	for i := range 2 * n {
		v := (i*i*31 + i*17) % 251
		u8[i], i32[i], f32[i], f64[i] = uint8(v/(1+i%2)), int32(v-100), float32(v)/7+float32(i%2)*50, 1e6+float64(v)/1e3
	}
	values["u8"], values["i32"], values["f32"], values["f64"] = u8, i32, f32, f64
	for name, v := range values {
		s := newSet(t, Field{name, Array{[]int{n, 2}, v}})
		plain, err := s.Cast(name, tarn.F64)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := plain.Tensor(name)
		for _, perElement := range []bool{false, true} {
			m, err := s.Moments(name, perElement)
			if err != nil {
				t.Fatal(err)
			}
			step := 1
			if perElement {
				step = 2
			}
			if len(m.Mean) != step || len(m.Std) != step {
				t.Fatalf("%s: %d means", name, len(m.Mean))
			}
			for j := range step {
				mean, square := 0.0, 0.0
				for i := j; i < 2*n; i += step {
					mean += x.F64()[i] / (2 * n / float64(step))
				}
				for i := j; i < 2*n; i += step {
					square += (x.F64()[i] - mean) * (x.F64()[i] - mean)
				}
				sd := math.Sqrt(square / (2 * n / float64(step)))
				if math.Abs(m.Mean[j]/mean-1) > 1e-12 || math.Abs(m.Std[j]/sd-1) > 1e-9 {
					t.Errorf("%s: mean %v, deviation %v, want %v, %v", name, m.Mean[j], m.Std[j], mean, sd)
				}
			}
			normal, err := plain.Normalize(name, m)
			if err != nil {
				t.Fatal(err)
			}
			y, _ := normal.Tensor(name)
			for i, v := range y.F64() {
				if j := i % step; v != (x.F64()[i]-m.Mean[j])/m.Std[j] {
					t.Fatalf("%s: element %d normalizes to %v", name, i, v)
				}
			}
			twice, err := normal.Normalize(name, Moments{[]float64{-1}, []float64{4}})
			if err != nil {
				t.Fatal(err)
			}
			z, _ := twice.Tensor(name)
			for i, v := range z.F64() {
				if want := (y.F64()[i] + 1) / 4; math.Abs(v-want) > 1e-9 {
					t.Fatalf("%s: element %d normalizes to %v then %v, want %v", name, i, y.F64()[i], v, want)
				}
			}
			single, err := s.Normalize(name, m)
			if err != nil {
				t.Fatal(err)
			}
			w, _ := single.Tensor(name)
			if f, ok := values[name].([]float64); !ok && w.DType() != tarn.F32 || ok && w.DType() != tarn.F64 {
				t.Errorf("%s: normalized to %v (%d values)", name, w.DType(), len(f))
			}
		}
	}

	same := newSet(t, Field{"x", Array{[]int{3}, []float64{2, 2, 2}}}, Field{"b", Array{[]int{3}, []bool{true, true, false}}})
	if m, err := same.Moments("x", false); err != nil || m.Mean[0] != 2 || m.Std[0] != 1 {
		t.Errorf("moments of a constant: %v, %v", m, err)
	}
	for _, test := range []struct {
		x         []float64
		mean, std float64
	}{
		{[]float64{0.1, 0.1, 0.1}, 0.1, 1},
		{[]float64{0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7}, 0.7, 1},
		{[]float64{1e15, 1e15 + 1, 1e15 + 2}, 1e15 + 1, math.Sqrt(2. / 3)},
		{[]float64{1e200, 3e200}, 2e200, 1e200},
		{[]float64{1e-200, 3e-200}, 2e-200, 1e-200},
	} {
		m, err := newSet(t, Field{"x", Array{[]int{len(test.x)}, test.x}}).Moments("x", false)
		if err != nil || math.Abs(m.Mean[0]-test.mean) > 1e-15*test.mean || math.Abs(m.Std[0]-test.std) > 1e-15*test.std {
			t.Errorf("the moments of %v are %v, %v; want %v and %v", test.x, m, err, test.mean, test.std)
		}
	}
	_, err := same.Moments("b", false)
	refused(t, "Moments", err, "bools")
	_, err = same.Moments("none", false)
	refused(t, "Moments", err, "no field")
	empty := newSet(t, Field{"x", Array{[]int{0, 3}, []float64{}}})
	_, err = empty.Moments("x", true)
	refused(t, "Moments", err, "has no values")
	one := []float64{1}
	for _, c := range []struct {
		name string
		m    Moments
		want string
	}{
		{"none", UnitBytes(), "no field"},
		{"b", UnitBytes(), "bools"},
		{"x", Moments{}, "0 means"},
		{"x", Moments{[]float64{1, 2}, []float64{1, 2}}, "2 means"},
		{"x", Moments{one, nil}, "0 deviations"},
		{"x", Moments{one, []float64{0}}, "deviation above 0"},
		{"x", Moments{one, []float64{math.NaN()}}, "deviation above 0"},
		{"x", Moments{[]float64{math.Inf(1)}, one}, "want finite numbers"},
	} {
		_, err := same.Normalize(c.name, c.m)
		refused(t, c.want, err, c.want)
	}
	if got := (Moments{}).apply(3, 7); !reflect.DeepEqual(got, 3.0) {
		t.Errorf("no moments change 3 to %v", got)
	}
}

// TestTensorTooLarge asks for a field as a tensor that the process may not have.
func TestTensorTooLarge(t *testing.T) {
	s := newSet(t, Field{"x", Array{[]int{2, 1 << 21}, make([]float32, 1<<22)}})
	t.Setenv("TARN_MEMORY", "0")
	_, err := s.Tensor("x")
	refused(t, "Tensor", err, `data: Tensor: field "x": tarn: NewTensor: f32[2 2097152] is too large`)
}
