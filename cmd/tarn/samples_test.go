package main

import (
	"bytes"
	"image/png"
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
)

// TestSamples orders what a network takes digits for, and draws it.
func TestSamples(t *testing.T) {
	r := &readings{}
	for _, c := range []struct {
		scores []float32
		digit  int32
	}{{[]float32{0, 5, 0}, 1}, {[]float32{0, 1, 0}, 2}, {[]float32{9, 1, 0}, 2}, {[]float32{0, 0.1, 0}, 1}} {
		if err := r.Add(must(tarn.FromSlice(c.scores, 1, 3)), must(tarn.FromSlice([]int32{c.digit}, 1))); err != nil {
			t.Fatal(err)
		}
	}
	var order []int
	sorted := r.sorted()
	for _, s := range sorted {
		order = append(order, s.at)
	}
	if want := []int{2, 1, 3, 0}; len(order) != 4 || order[0] != want[0] || order[1] != want[1] || order[2] != want[2] || order[3] != want[3] {
		t.Errorf("the order is %v, want %v: the surest mistake first, then what is the least sure", order, want)
	}
	if p := sorted[0].how; math.Abs(p-1/(1+math.Exp(-8)+math.Exp(-9))) > 1e-6 {
		t.Errorf("the surest mistake has the probability %v", p)
	}
	if r.Value() != 4 {
		t.Errorf("there are %v readings", r.Value())
	}
	images := tarn.Zeros(tarn.F32, 4, pixels)
	images.F32()[2*pixels] = 1 // of the digit that is drawn first
	set := must(data.NewSet(data.Field{Name: "image", Array: data.FromTensor(images)}))
	var b bytes.Buffer
	if err := drawSamples(&b, set, sorted); err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if size := picture.Bounds(); size.Dx() != sampleColumns*cellWidth || size.Dy() != cellHeight {
		t.Errorf("the picture is %v", size)
	}
	if red, _, _, _ := picture.At(13, 5).RGBA(); red != 0 {
		t.Errorf("the ink of the first digit is %d", red)
	}
	if red, _, _, _ := picture.At(13+cellWidth, 5).RGBA(); red != 0xffff {
		t.Errorf("the second digit has ink %d", red)
	}
	if r.Reset(); r.Value() != 0 {
		t.Error("Reset keeps readings")
	}
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}
