package mnist

// The tests check that painted digits are the same on every machine, differ by seed and place, and are what they should be.

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
)

// some are the first test digits and, painted by a seed, their images.
func some(t *testing.T, n int, seed uint64) (plain, colored *data.Set) {
	t.Helper()
	plain, err := load(testImages, testLabels)
	if err == nil {
		plain, err = plain.Slice(0, n)
	}
	if err == nil {
		colored, err = Colored(plain, seed)
	}
	if err != nil {
		t.Fatal(err)
	}
	return plain, colored
}

func tensor(t *testing.T, s *data.Set, name string) *tarn.Tensor {
	t.Helper()
	x, err := s.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func bytesOf(x *tarn.Tensor) []byte {
	var all []byte
	for _, v := range x.F32() {
		all = append(all, uint8(v*255+0.5))
	}
	return all
}

func TestColored(t *testing.T) {
	const n = 300
	plain, colored := some(t, n, 1)
	x := tensor(t, colored, "image")
	if !reflect.DeepEqual(x.Shape(), []int{n, ColoredHeight, ColoredWidth, ColoredChannels}) || x.DType() != tarn.F32 {
		t.Fatalf("images %v%v", x.DType(), x.Shape())
	}
	if !tensor(t, colored, "label").Equal(tensor(t, plain, "label"), 0) {
		t.Error("the labels are not those of the digits")
	}
	// Documents tell what was reached on these images: they must not change.
	sum := sha256.Sum256(bytesOf(x))
	if got, want := hex.EncodeToString(sum[:]), "45ba62ba67b3630476debaa07de4a3f1a1431a7fe4b05f00f45a2ffc14ee8b7e"; got != want {
		t.Errorf("sha256 %s, want %s", got, want)
	}
	_, again := some(t, n, 1)
	if !tensor(t, again, "image").Equal(x, 0) {
		t.Error("the same seed paints other images")
	}
	_, fewer := some(t, 10, 2)
	for i, a := range tensor(t, fewer, "image").F32() {
		if i%(ColoredHeight*ColoredWidth*ColoredChannels) == 0 && a == x.F32()[i] && x.F32()[i+1] == tensor(t, fewer, "image").F32()[i+1] {
			t.Errorf("seeds 1 and 2 paint the same corner of image %d", i/(ColoredHeight*ColoredWidth*ColoredChannels))
		}
	}
}

// TestColorTellsNothing checks that the mean color of an image says no more of its digit than chance has it: the digit whose
// images have the nearest mean color is the right one about once in ten.
func TestColorTellsNothing(t *testing.T) {
	const n, size = 4000, ColoredHeight * ColoredWidth
	_, colored := some(t, n, 1)
	x, labels := tensor(t, colored, "image").F32(), tensor(t, colored, "label").I32()
	mean := func(i int) (m [3]float64) {
		for p := range size {
			for c := range 3 {
				m[c] += float64(x[(i*size+p)*3+c]) / size
			}
		}
		return m
	}
	var of [Classes][3]float64
	var count [Classes]float64
	for i := range n / 2 {
		m := mean(i)
		for c := range 3 {
			of[labels[i]][c] += m[c]
		}
		count[labels[i]]++
	}
	right := 0
	for i := n / 2; i < n; i++ {
		m, best, nearest := mean(i), 1e9, 0
		for d := range of {
			far := 0.0
			for c := range 3 {
				e := m[c] - of[d][c]/count[d]
				far += e * e
			}
			if far < best {
				best, nearest = far, d
			}
		}
		if nearest == int(labels[i]) {
			right++
		}
	}
	if share := float64(right) / (n / 2); share > 0.14 {
		t.Errorf("the mean color tells %.3f of the digits", share)
	}
}

func TestColoredMistakes(t *testing.T) {
	plain, _ := some(t, 4, 1)
	none, err := plain.Slice(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := plain.Cast("image", tarn.F64)
	if err != nil {
		t.Fatal(err)
	}
	other, err := data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{1}, Data: []uint8{1}}})
	if err != nil {
		t.Fatal(err)
	}
	_, colored := some(t, 4, 1)
	for _, c := range []struct {
		set  *data.Set
		want string
	}{
		{none, "without examples"},
		{wide, "the images are f64[4 784]"},
		{other, `the set has the fields ["x"]`},
		{colored, "the images are f32[4 32 32 3]"},
	} {
		if _, err := Colored(c.set, 1); err == nil || !strings.HasPrefix(err.Error(), "mnist: Colored: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func BenchmarkColored(b *testing.B) {
	_, test, err := Load()
	if err == nil {
		test, err = test.Slice(0, 1000)
	}
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Colored(test, 1); err != nil {
			b.Fatal(err)
		}
	}
}
