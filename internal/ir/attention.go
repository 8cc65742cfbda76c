package ir

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/half"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file holds what lowering knows of attention and of its gradient.

// AttentionForm says what an attention computes. Its operands are queries [batch heads queries size], keys
// [batch groups keys size] and values [batch groups keys valueSize], all of one float dtype, heads a multiple of groups, and then
// perhaps a mask [batch heads queries keys], bool for what counts or of that dtype to be added to the scores, and with dropout the
// step, which with the seed and the number says what is dropped, as in a Bernoulli draw of the mask's shape. The result is flat:
// the weighted values as [batch queries heads valueSize] and then, as [batch heads queries], the logarithm of the sum of
// the exponentials of each query's scores, +Inf where no key counts.
//
// The gradient has two more operands, the flat result and the gradient with respect to the weighted values, [batch heads queries
// valueSize]. Its result is flat too: the gradients with respect to queries [batch queries heads size], keys [batch keys groups size] and values
// [batch keys groups valueSize], one after the other; or, if they are joined, one array [batch queries heads+2*groups size].
type AttentionForm struct {
	Scale    float64
	Causal   bool // key j counts for query i only if j <= i
	Masked   bool // there is a mask among the operands
	Gradient bool
	Joined   bool
	Dropout  float64 // probability with which a weight is set to 0; the others are divided by the rest of it
	Seed     uint64  // of the graph, and which of its random ops this is
	Number   uint64

	// Precision is that of the products. At PrecisionBF16 queries, keys, values, weights and the gradients with respect to the result and to the scores
	// are rounded where they are multiplied. Weights are rounded as exponentials, before they are divided by their sum, which is that of
	// the exponentials as they were.
	Precision Precision
}

// StepAt is the number of the operand that is the step, if there is dropout.
func (f AttentionForm) StepAt() int {
	if f.Masked {
		return 4
	}
	return 3
}

// kept returns what dropout multiplies the weights of query i by; nil if there is none.
func (f AttentionForm) kept(in []Array, b, h, i int) []float64 {
	if f.Dropout == 0 {
		return nil
	}
	heads, queries, keys := in[0].Shape[1], in[0].Shape[2], in[1].Shape[2]
	key := rng.Step(f.Seed, f.Number, uint64(in[f.StepAt()].Int(0)))
	factors := make([]float64, keys)
	for j := range factors {
		if rng.Bernoulli(key, uint64(((b*heads+h)*queries+i)*keys+j), 1-f.Dropout) {
			factors[j] = 1 / (1 - f.Dropout)
		}
	}
	return factors
}

// Attention is an op that computes scaled dot-product attention, or its gradient.
type Attention interface {
	Op
	Attends() AttentionForm
}

// Eval is the reference kernel of an op of this form.
func (f AttentionForm) Eval(out Array, in []Array) {
	if f.Gradient {
		f.gradients(out, in)
	} else {
		f.values(out, in)
	}
}

// values is the reference of the attention.
func (f AttentionForm) values(out Array, in []Array) {
	in = f.rounded(in)
	q, v := in[0], in[2]
	batch, heads, queries, size := q.Shape[0], q.Shape[1], q.Shape[2], v.Shape[3]
	keys := v.Shape[2]
	for b := range batch {
		for h := range heads {
			group := b*v.Shape[1] + h/(heads/v.Shape[1])
			for i := range queries {
				weights, logSum := f.weights(in, b, h, i)
				for j, factor := range f.kept(in, b, h, i) {
					weights[j] *= factor
				}
				f.roundExponentials(weights)
				for c := range size {
					sum := 0.0
					for j, w := range weights {
						if w != 0 {
							sum += w * v.Float((group*keys+j)*size+c)
						}
					}
					out.SetFloat(((b*queries+i)*heads+h)*size+c, sum)
				}
				out.SetFloat(batch*queries*heads*size+(b*heads+h)*queries+i, logSum)
			}
		}
	}
}

// weights returns the weight of each key for query i, and the logarithm of the sum of the exponentials.
func (f AttentionForm) weights(in []Array, b, h, i int) (weights []float64, logSum float64) {
	q, k := in[0], in[1]
	heads, queries, size, keys := q.Shape[1], q.Shape[2], q.Shape[3], k.Shape[2]
	group := b*k.Shape[1] + h/(heads/k.Shape[1])
	row := (b*heads+h)*queries + i
	weights = make([]float64, keys)
	top := math.Inf(-1)
	for j := range weights {
		score := 0.0
		for c := range size {
			score += q.Float(row*size+c) * k.Float((group*keys+j)*size+c)
		}
		score *= f.Scale
		if f.Masked {
			switch mask := in[3]; {
			case mask.DType != Bool && math.IsInf(mask.Float(row*keys+j), -1):
				score = math.Inf(-1)
			case mask.DType != Bool:
				score += mask.Float(row*keys + j)
			case mask.Int(row*keys+j) == 0:
				score = math.Inf(-1)
			}
		}
		if f.Causal && j > i {
			score = math.Inf(-1)
		}
		weights[j] = score
		top = max(top, score)
	}
	if math.IsInf(top, -1) {
		return make([]float64, keys), math.Inf(1)
	}
	sum := 0.0
	for j, s := range weights {
		weights[j] = math.Exp(s - top)
		sum += weights[j]
	}
	for j := range weights {
		weights[j] /= sum
	}
	return weights, top + math.Log(sum)
}

// gradients is the reference of the gradient. Keys with the weight 0, and queries whose results have the gradient 0, have no part in it, NaN
// or not. The formulas: with w the weights of query i and dw_j = dout_i·v_j, ds_j = w_j (dw_j - sum(w dw)), dq_i = scale sum(ds_j k_j), dk_j =
// scale sum(ds_j q_i) and dv_j = sum(w_j dout_i).
//
// Where products are rounded, sum(w dw) is computed as the kernels do, which multiply the gradient with respect to the result by the result.
func (f AttentionForm) gradients(out Array, in []Array) {
	given, result := in[len(in)-1], in[len(in)-2]
	in = f.rounded(in)
	q, k, v, dout := in[0], in[1], in[2], in[len(in)-1]
	batch, heads, queries, size := q.Shape[0], q.Shape[1], q.Shape[2], q.Shape[3]
	groups, keys, valueSize := k.Shape[1], k.Shape[2], v.Shape[3]
	sums := make([]float64, out.Size())
	dq, dk, dv := sums, sums[q.Size():], sums[q.Size()+k.Size():]
	rowQ, rowK, rowV := heads*size, groups*size, groups*valueSize
	if f.Joined {
		rowQ = (heads + 2*groups) * size
		rowK, rowV = rowQ, rowQ
		dk, dv = sums[min(len(sums), heads*size):], sums[min(len(sums), (heads+groups)*size):]
	}
	for b := range batch {
		for h := range heads {
			group := h / (heads / groups)
			for i := range queries {
				row := (b*heads+h)*queries + i
				if zero(dout, row*valueSize, valueSize) {
					continue
				}
				weights, _ := f.weights(in, b, h, i)
				kept := f.kept(in, b, h, i)
				dw := make([]float64, keys)
				mean := 0.0
				for j, w := range weights {
					for c := range valueSize {
						if w == 0 {
							continue
						}
						g := dout.Float(row*valueSize + c)
						if kept != nil {
							if kept[j] == 0 {
								continue
							}
							g *= kept[j]
						}
						dw[j] += g * v.Float(((b*groups+group)*keys+j)*valueSize+c)
						dv[(b*keys+j)*rowV+group*valueSize+c] += f.round(w*factor(kept, j)) * dout.Float(row*valueSize+c)
					}
					mean += w * dw[j]
				}
				if f.Precision == PrecisionBF16 {
					mean = 0
					for c := range valueSize {
						mean += given.Float(row*valueSize+c) * result.Float(((b*queries+i)*heads+h)*valueSize+c)
					}
				}
				for j, w := range weights {
					if w == 0 {
						continue
					}
					ds := f.round(f.Scale * w * (dw[j] - mean))
					for c := range size {
						dq[(b*queries+i)*rowQ+h*size+c] += ds * k.Float(((b*groups+group)*keys+j)*size+c)
						dk[(b*keys+j)*rowK+group*size+c] += ds * q.Float(row*size+c)
					}
				}
			}
		}
	}
	for i, s := range sums {
		out.SetFloat(i, s)
	}
}

// factor is what dropout multiplies weight j by.
func factor(kept []float64, j int) float64 {
	if kept == nil {
		return 1
	}
	return kept[j]
}

// rounded returns the operands as they are multiplied.
func (f AttentionForm) rounded(in []Array) []Array {
	if f.Precision != PrecisionBF16 {
		return in
	}
	in = slices.Clone(in)
	for i := range 3 {
		in[i] = RoundBF16(in[i])
	}
	if last := len(in) - 1; f.Gradient {
		in[last] = RoundBF16(in[last])
	}
	return in
}

// round rounds a number that is multiplied.
func (f AttentionForm) round(x float64) float64 {
	if f.Precision != PrecisionBF16 {
		return x
	}
	return float64(half.RoundBF16(float32(x)))
}

// roundExponentials rounds the weights of a query as exponentials, of which the largest is 1.
func (f AttentionForm) roundExponentials(weights []float64) {
	if f.Precision != PrecisionBF16 || len(weights) == 0 {
		return
	}
	top := slices.Max(weights)
	for j, w := range weights {
		if w != 0 {
			weights[j] = f.round(w/top) * top
		}
	}
}

// zero reports whether n elements from the first on are 0.
func zero(a Array, first, n int) bool {
	for i := range n {
		if a.Float(first+i) != 0 {
			return false
		}
	}
	return true
}
