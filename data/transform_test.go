package data

// The tests check that transforms change examples as they say, each way as often as it should be, and that what they draw depends
// on the seed, the epoch and the example alone.

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// pictures is a set of n images of 3 by 4 pixels of two channels, numbered from 1 on within the image, whose field "mask" is the same
// and whose field "y" numbers them.
func pictures(t testing.TB, n int) *Set {
	t.Helper()
	x, y := make([]float32, n*24), make([]int64, n)
	for i := range x {
		x[i] = float32(1 + i%24)
	}
	for i := range y {
		y[i] = int64(i)
	}
	return newSet(t, Field{"x", Array{[]int{n, 3, 4, 2}, x}}, Field{"mask", Array{[]int{n, 3, 4, 2}, x}}, Field{"y", Array{[]int{n}, y}})
}

// moved is the image moved up and to the left by some pixels, mirrored or not before, read pixel by pixel.
func moved(down, right int, mirrored bool) []float32 {
	var to []float32
	for y := range 3 {
		for x := range 4 {
			for c := range 2 {
				fy, fx := y+down, x+right
				if fy < 0 || fy >= 3 || fx < 0 || fx >= 4 {
					to = append(to, 0)
					continue
				}
				if mirrored {
					fx = 3 - fx
				}
				to = append(to, float32(1+(fy*4+fx)*2+c))
			}
		}
	}
	return to
}

func TestTransforms(t *testing.T) {
	const n = 4000
	for _, c := range []struct {
		transforms []Transform
		want       [][]float32 // all as often
	}{
		{[]Transform{RandomFlip{}}, [][]float32{moved(0, 0, false), moved(0, 0, true)}},
		{[]Transform{RandomCrop{0}}, [][]float32{moved(0, 0, false)}},
		{[]Transform{RandomCrop{1}}, moves(1, false)},
		{[]Transform{RandomCrop{3}}, moves(3, false)},
		{[]Transform{RandomFlip{}, RandomCrop{1}}, append(moves(1, false), moves(1, true)...)},
	} {
		s, err := pictures(t, n).Transform("x", c.transforms...)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = s.Transform("mask", c.transforms...); err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for b, err := range s.Batches(100, Options{Shuffle: true, Seed: 3}).All(background) {
			if err != nil {
				t.Fatal(err)
			}
			if !b.Tensor("x").Equal(b.Tensor("mask"), 0) {
				t.Fatalf("%v: a mask was changed otherwise than its image", c.transforms)
			}
			for x := range slices.Chunk(b.Tensor("x").F32(), 24) {
				count[fmt.Sprint(x)]++
			}
		}
		want := map[string]int{}
		for _, x := range c.want {
			want[fmt.Sprint(x)]++ // moves out of sight are the same
		}
		for x, ways := range want {
			expected := float64(n*ways) / float64(len(c.want))
			if got := float64(count[x]); math.Abs(got-expected) > 5*math.Sqrt(expected) {
				t.Errorf("%v: %v times, expected %v: %s", c.transforms, got, expected, x)
			}
			delete(count, x)
		}
		for x := range count {
			t.Errorf("%v gives %s", c.transforms, x)
		}
	}
}

// moves lists all moves by up to pad pixels.
func moves(pad int, mirrored bool) (all [][]float32) {
	for down := -pad; down <= pad; down++ {
		for right := -pad; right <= pad; right++ {
			all = append(all, moved(down, right, mirrored))
		}
	}
	return all
}

// changed is what batches make of each example: by its number.
func changed(t *testing.T, s *Set, size, epoch int, o Options) map[int64]string {
	t.Helper()
	all := map[int64]string{}
	for b, err := range s.Batches(size, o).Epoch(background, epoch) {
		if err != nil {
			t.Fatal(err)
		}
		for i, y := range b.Tensor("y").I64() {
			all[y] = fmt.Sprint(b.Tensor("x").F32()[i*24 : (i+1)*24])
		}
	}
	return all
}

func TestTransformsFollowFromTheExample(t *testing.T) {
	s, err := pictures(t, 64).Transform("x", RandomFlip{}, RandomCrop{3})
	if err != nil {
		t.Fatal(err)
	}
	const epoch = 2
	want := changed(t, s, 8, epoch, Options{Seed: 5})
	for _, o := range []Options{{}, {Shuffle: true}, {Prefetch: -1}, {Prefetch: 5, Last: Pad}, {Start: Position{epoch, 0}}} {
		for _, size := range []int{1, 7, 64} {
			o.Seed = 5
			if got := changed(t, s, size, epoch, o); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("batches of %d, %+v: other examples", size, o)
			}
		}
	}
	half, _, err := s.Split(32, 1)
	if err != nil {
		t.Fatal(err)
	}
	for y, x := range changed(t, half, 8, epoch, Options{Seed: 5}) {
		if x != want[y] {
			t.Errorf("example %d is changed otherwise in a part of the set", y)
		}
	}
	for what, other := range map[string]map[int64]string{
		"epoch": changed(t, s, 8, epoch+1, Options{Seed: 5}),
		"seed":  changed(t, s, 8, epoch, Options{Seed: 6}),
	} {
		same := 0
		for y, x := range other {
			if x == want[y] {
				same++
			}
		}
		if same > 16 { // of 64, where 98 ways are as likely
			t.Errorf("another %s changes %d of 64 examples alike", what, same)
		}
	}
	// Saved runs depend on the draws, so they must not change.
	var d Draws
	d.begin(7, 3, 11)
	if got, want := fmt.Sprint(d.Intn(1000), d.Intn(1000), d.Float64()), "707 491 0.5222299613744878"; got != want {
		t.Errorf("draws of seed 7, epoch 3, example 11 = %s, want %s", got, want)
	}
}

func TestTransformsAndOtherSettings(t *testing.T) {
	s, err := pictures(t, 40).Transform("x", RandomCrop{1})
	if err != nil {
		t.Fatal(err)
	}
	before, err := pictures(t, 40).Tensor("x")
	if err != nil {
		t.Fatal(err)
	}
	if x, err := s.Tensor("x"); err != nil || !x.Equal(before, 0) {
		t.Errorf("Tensor returns changed examples: %v", err)
	}
	m, err := s.Moments("x", false)
	if err != nil || m.Mean[0] != 12.5 {
		t.Errorf("moments %v, %v", m, err)
	}
	if s, err = s.Normalize("x", Moments{[]float64{100}, []float64{1}}); err != nil {
		t.Fatal(err)
	}
	outside, inside := 0, 0
	for b := range s.Batches(40, Options{}).All(background) {
		for _, v := range b.Tensor("x").F32() {
			if v == 0 {
				outside++
			} else if v >= -99 && v <= -76 {
				inside++
			}
		}
	}
	if outside == 0 || outside+inside != 40*24 {
		t.Errorf("%d zeros from outside and %d normalized pixels of %d", outside, inside, 40*24)
	}
}

func TestTransformMistakes(t *testing.T) {
	s := pictures(t, 2)
	f64, err := s.Cast("x", tarn.F64)
	if err != nil {
		t.Fatal(err)
	}
	cropped, err := s.Transform("x", RandomCrop{1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		set        *Set
		field      string
		transforms []Transform
		want       string
	}{
		{s, "z", nil, `no field "z"`},
		{s, "y", []Transform{RandomFlip{}}, `field "y" is i64 and should be f32: Normalize or Cast it`},
		{f64, "x", []Transform{RandomFlip{}}, `field "x" is f64 and should be f32`},
		{s, "x", []Transform{RandomCrop{-1}}, "Pad is -1"},
		{s, "x", []Transform{RandomFlip{}, RandomCrop{4}}, "Pad is 4 and should be from 0 to the size of the image, 3 by 4"},
		{numbered(t, 2), "x", []Transform{RandomFlip{}}, "RandomFlip: an example has shape [2]"},
		{numbered(t, 2), "x", []Transform{RandomCrop{1}}, "RandomCrop: an example has shape [2]"},
		{s, "x", []Transform{RandomFlip{}, nil}, `field "x": transform 1 is nil`},
	} {
		_, err := c.set.Transform(c.field, c.transforms...)
		refused(t, c.want, err, c.want)
	}
	_, err = cropped.Cast("x", tarn.F64)
	refused(t, "Cast", err, "has transforms, which take f32")
	if _, err := cropped.Cast("x", tarn.F32); err != nil {
		t.Error(err)
	}
}

func TestTransformsDoNotAllocate(t *testing.T) {
	s, err := pictures(t, 1000).Transform("x", RandomFlip{}, RandomCrop{2})
	if err != nil {
		t.Fatal(err)
	}
	run := func(epochs int) float64 {
		b := s.Batches(10, Options{Shuffle: true, Epochs: epochs})
		return testing.AllocsPerRun(5, func() {
			for range b.All(background) {
			}
		})
	}
	if few, many := run(1), run(6); many > few+5 { // 500 batches more
		t.Errorf("%v allocations for 100 batches, %v for 600", few, many)
	}
}
