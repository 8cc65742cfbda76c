package tarn_test

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"runtime"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// TestRandomTensorBits shows that random numbers have the same bits on every architecture: no product in them is fused with the sum that follows.
func TestRandomTensorBits(t *testing.T) {
	for _, c := range []struct {
		name string
		fill func(r *tarn.Random, t *tarn.Tensor)
		f32  uint64
		f64  uint64
	}{
		{"Normal", func(r *tarn.Random, t *tarn.Tensor) { r.Normal(t, 0.1, 0.02) }, 0x18a45ab9af9fe92c, 0x56b504e9451c2b06},
		{"Uniform", func(r *tarn.Random, t *tarn.Tensor) { r.Uniform(t, -0.3, 0.5) }, 0x16905925901d65f6, 0x7f86b6f3365b5ef5},
		{"TruncatedNormal", func(r *tarn.Random, t *tarn.Tensor) { r.TruncatedNormal(t, 0.1, 0.02, 2) }, 0x41938253a073022d, 0x4e103273fdbc9d80},
	} {
		for _, d := range []struct {
			dtype tarn.DType
			want  uint64
		}{{tarn.F32, c.f32}, {tarn.F64, c.f64}} {
			x := tarn.Zeros(d.dtype, 100_000)
			c.fill(tarn.NewRandom(7, "bits"), x)
			h := fnv.New64a()
			for i := range x.Size() {
				h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(x.Float(i))))
			}
			if got := h.Sum64(); got != d.want {
				t.Errorf("%s of %v has the hash %#x, want %#x", c.name, d.dtype, got, d.want)
			}
		}
	}
}

// TestRandomTensorParts fills tensors that are drawn on several processors: each number is that of its place in the stream, also after others.
func TestRandomTensorParts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for name, fill := range map[string]func(r *tarn.Random, t *tarn.Tensor){
		"Normal":          func(r *tarn.Random, t *tarn.Tensor) { r.Normal(t, 0.1, 0.02) },
		"Uniform":         func(r *tarn.Random, t *tarn.Tensor) { r.Uniform(t, -0.3, 0.5) },
		"TruncatedNormal": func(r *tarn.Random, t *tarn.Tensor) { r.TruncatedNormal(t, 0.1, 0.02, 2) },
	} {
		for _, dtype := range []tarn.DType{tarn.F32, tarn.F64} {
			const before, n, short = 5, 600_001, 1777
			first, all, r := tarn.Zeros(dtype, before), tarn.Zeros(dtype, n), tarn.NewRandom(7, "parts")
			fill(r, first)
			fill(r, all)
			part, r := tarn.Zeros(dtype, short), tarn.NewRandom(7, "parts")
			fill(r, first)
			for from := 0; from < n; from += short {
				fill(r, part)
				for i := from; i < min(from+short, n); i++ {
					if got, want := all.Float(i), part.Float(i-from); got != want {
						t.Fatalf("%s of %v: number %d is %v, want %v", name, dtype, i, got, want)
					}
				}
			}
		}
	}
}
