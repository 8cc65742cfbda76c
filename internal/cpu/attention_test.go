package cpu

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/alloctest"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// TestAttentionTasks runs the tasks of an attention and of its gradient in two orders, with scratch that holds what came
// before: the results have the same bits, and nothing is allocated. What they should be the op table of the root package tests.
func TestAttentionTasks(t *testing.T) {
	atEachUnit(t, func(t *testing.T) {
		for _, kind := range []AttentionSpec{{}, {Float64: true}, {BF16: true}} {
			attentionTasks(t, kind.Float64, kind.BF16)
		}
	})
}

func attentionTasks(t *testing.T, f64, bf16 bool) {
	for _, spec := range []AttentionSpec{
		{Batch: 2, Heads: 4, KVHeads: 2, Queries: 70, Keys: 130, Size: 5, ValueSize: 9, Scale: 0.5, Float64: f64},
		{Batch: 1, Heads: 1, KVHeads: 1, Queries: 200, Keys: 200, Size: 16, ValueSize: 16, Scale: 0.25, Causal: true, Float64: f64},
		{Batch: 1, Heads: 2, KVHeads: 2, Queries: 40, Keys: 100, Size: 3, ValueSize: 3, Scale: 1, Mask: AdditiveMask, MaskStrides: [4]int{0, 0, 100, 1}, Float64: f64},
		{Batch: 3, Heads: 1, KVHeads: 1, Queries: 40, Keys: 100, Size: 3, ValueSize: 3, Scale: 1, Mask: BoolMask, MaskStrides: [4]int{40, 0, 1, 0}, Float64: f64},
		{Batch: 2, Heads: 2, KVHeads: 1, Queries: 50, Keys: 300, Size: 4, ValueSize: 6, Scale: 1, Dropout: 0.4, Causal: true, Float64: f64},
	} {
		spec.BF16 = bf16
		r := rand.New(rand.NewPCG(1, 2))
		rows := func(n, heads, size int) HeadLayout { return HeadLayout{n * heads * size, size, heads * size} }
		spec.Q, spec.K, spec.V = rows(spec.Queries, spec.Heads, spec.Size), rows(spec.Keys, spec.KVHeads, spec.Size), rows(spec.Keys, spec.KVHeads, spec.ValueSize)
		spec.Out = rows(spec.Queries, spec.Heads, spec.ValueSize)
		spec.DOut, spec.DQ, spec.DK, spec.DV = spec.Out, spec.Q, spec.K, spec.V
		array := func(n int) []byte {
			data := make([]byte, 8*n+64)
			if f64 {
				for i := range n {
					*(*float64)(unsafe.Pointer(&data[8*i])) = r.NormFloat64()
				}
				return data
			}
			for i := range n {
				*(*float32)(unsafe.Pointer(&data[4*i])) = float32(r.NormFloat64())
			}
			return data
		}
		q, k, v := array(spec.Batch*spec.Q.Batch), array(spec.Batch*spec.K.Batch), array(spec.Batch*spec.V.Batch)
		do := array(spec.Batch * spec.Out.Batch)
		mask := array(spec.Batch * spec.Queries * spec.Keys)
		if spec.Mask == BoolMask {
			for i := range mask {
				mask[i] &= 1
			}
		}
		forward, backward := NewAttention(spec), NewAttentionGrad(spec)
		worker := make([]byte, max(forward.WorkerScratch(), backward.WorkerScratch())+128)
		shared := make([]byte, max(forward.SharedScratch(), backward.SharedScratch())+128)
		place := func(b []byte) unsafe.Pointer {
			p := unsafe.Pointer(&b[0])
			return unsafe.Add(p, -uintptr(p)&63)
		}
		run := func(back bool) [][]byte {
			results := [][]byte{array(spec.Batch * spec.Out.Batch), array(spec.Batch * spec.Heads * spec.Queries), array(spec.Batch * spec.Q.Batch), array(spec.Batch * spec.K.Batch), array(spec.Batch * spec.V.Batch)}
			x := &AttentionArrays{Drop: rng.Step(1, 2, 3), Q: unsafe.Pointer(&q[0]), K: unsafe.Pointer(&k[0]), V: unsafe.Pointer(&v[0]), Mask: unsafe.Pointer(&mask[0]), DOut: unsafe.Pointer(&do[0]),
				Out: unsafe.Pointer(&results[0][0]), LogSums: unsafe.Pointer(&results[1][0]), DQ: unsafe.Pointer(&results[2][0]), DK: unsafe.Pointer(&results[3][0]), DV: unsafe.Pointer(&results[4][0])}
			order := func(n int) []int {
				var tasks []int
				for i := range n {
					tasks = append(tasks, i)
				}
				if back {
					slices.Reverse(tasks)
				}
				return tasks
			}
			for phase := range forward.Phases() {
				for _, task := range order(forward.Tasks(phase)) {
					forward.Run(phase, task, x, place(shared), place(worker))
				}
			}
			for phase := range backward.Phases() {
				for _, task := range order(backward.Tasks(phase)) {
					backward.Run(phase, task, x, place(shared), place(worker))
				}
			}
			if n := alloctest.PerRun(3, func() { forward.Run(0, 0, x, place(shared), place(worker)) }); n != 0 {
				t.Errorf("%+v: a task allocates %v times", spec, n)
			}
			return results
		}
		one, other := run(false), run(true)
		size := 4
		if f64 {
			size = 8
		}
		for i, n := range []int{spec.Out.Batch, spec.Heads * spec.Queries, spec.Q.Batch, spec.K.Batch, spec.V.Batch} {
			if !bytes.Equal(one[i][:spec.Batch*n*size], other[i][:spec.Batch*n*size]) {
				t.Errorf("%+v: result %d depends on the order of the tasks", spec, i)
			}
		}
	}
}

// BenchmarkAttention runs causal attention of a small transformer and its gradient on one worker.
func BenchmarkAttention(b *testing.B) {
	for _, bf16 := range []bool{false, true} {
		spec := AttentionSpec{Batch: 4, Heads: 6, KVHeads: 6, Queries: 256, Keys: 256, Size: 64, ValueSize: 64, Scale: 0.125, Causal: true, BF16: bf16}
		joined := HeadLayout{256 * 3 * 384, 64, 3 * 384}
		spec.Q, spec.K, spec.V = joined, joined, joined
		spec.Out = HeadLayout{256 * 384, 64, 384}
		spec.DOut, spec.DQ, spec.DK, spec.DV = spec.Out, joined, joined, joined
		forward, backward := NewAttention(spec), NewAttentionGrad(spec)
		array := func(n int) unsafe.Pointer {
			s := make([]float32, n)
			for i := range s {
				s[i] = float32(i*7919%1000)/500 - 1
			}
			return unsafe.Pointer(&s[0])
		}
		qkv, dqkv := array(4*256*3*384), array(4*256*3*384)
		x := &AttentionArrays{Q: qkv, K: unsafe.Add(qkv, 384*4), V: unsafe.Add(qkv, 768*4), Out: array(4 * 256 * 384), LogSums: array(24 * 256),
			DOut: array(4 * 256 * 384), DQ: dqkv, DK: unsafe.Add(dqkv, 384*4), DV: unsafe.Add(dqkv, 768*4)}
		worker, shared := aligned(max(forward.WorkerScratch(), backward.WorkerScratch())), aligned(max(forward.SharedScratch(), backward.SharedScratch()))
		b.Run(fmt.Sprintf("forward/bf16=%v", bf16), func(b *testing.B) {
			for b.Loop() {
				for phase := range forward.Phases() {
					for task := range forward.Tasks(phase) {
						forward.Run(phase, task, x, shared, worker)
					}
				}
			}
		})
		b.Run(fmt.Sprintf("backward/bf16=%v", bf16), func(b *testing.B) {
			for b.Loop() {
				for phase := range backward.Phases() {
					for task := range backward.Tasks(phase) {
						backward.Run(phase, task, x, shared, worker)
					}
				}
			}
		})
	}
}
