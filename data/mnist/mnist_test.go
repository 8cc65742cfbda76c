package mnist

// The tests hold the files to their checksums and look at what is loaded.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
)

func TestFilesAreTheOriginals(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"train images", trainImages, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
		{"train labels", trainLabels, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
		{"test images", testImages, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
		{"test labels", testLabels, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
	} {
		sum := sha256.Sum256(c.file)
		if got := hex.EncodeToString(sum[:]); got != c.want {
			t.Errorf("%s: sha256 %s, want %s", c.name, got, c.want)
		}
	}
}

func TestLoad(t *testing.T) {
	train, test, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		set    *data.Set
		n      int
		counts [Classes]int // of each digit, as published
		first  []int32
	}{
		{"train", train, 60000, [Classes]int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}, []int32{5, 0, 4, 1, 9, 2, 1, 3}},
		{"test", test, 10000, [Classes]int{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}, []int32{7, 2, 1, 0, 4, 1, 4, 9}},
	} {
		shape, _ := c.set.Shape("image")
		dtype, _ := c.set.DType("image")
		if c.set.Len() != c.n || !reflect.DeepEqual(shape, []int{784}) || dtype != tarn.F32 {
			t.Errorf("%s: %d images of shape %v, %v", c.name, c.set.Len(), shape, dtype)
		}
		labels, err := c.set.Tensor("label")
		if err != nil {
			t.Fatal(err)
		}
		var counts [Classes]int
		for _, l := range labels.I32() {
			counts[l]++
		}
		if counts != c.counts || !reflect.DeepEqual(labels.I32()[:8], c.first) {
			t.Errorf("%s: %v, first %v", c.name, counts, labels.I32()[:8])
		}
	}
	m, err := train.Moments("image", false)
	if err != nil || math.Abs(m.Mean[0]-0.1307) > 5e-5 || math.Abs(m.Std[0]-0.3081) > 5e-5 { // the numbers everyone uses
		t.Errorf("moments %v, %v", m, err)
	}
	for b, err := range test.Batches(16, data.Options{}).All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		lo, hi := float32(1), float32(0)
		for _, v := range b.Tensor("image").F32() {
			lo, hi = min(lo, v), max(hi, v)
		}
		if lo != 0 || hi != 1 || b.Tensor("label").I32()[0] != 7 {
			t.Errorf("pixels from %v to %v, first label %v", lo, hi, b.Tensor("label").I32()[0])
		}
		break
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, _, err := Load(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEpoch(b *testing.B) {
	train, _, err := Load()
	if err != nil {
		b.Fatal(err)
	}
	batches := train.Batches(128, data.Options{Shuffle: true, Last: data.Drop})
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range batches.All(context.Background()) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestMemory loads the digits where there is no memory for them.
func TestMemory(t *testing.T) {
	t.Setenv("TARN_MEMORY", "8MiB")
	if _, _, err := Load(); err == nil || !strings.Contains(err.Error(), "mnist: training examples: ") || !strings.Contains(err.Error(), "TARN_MEMORY is 8.0 MiB; read it where") {
		t.Errorf("the error is %v", err)
	}
}
