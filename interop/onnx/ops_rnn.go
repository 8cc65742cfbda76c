package onnx

import (
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file holds recurrent layers: each direction is a scan over time.

func recurrentOperators() {
	register("LSTM", func(c *call) []*value { return c.recurrent(4) })
	register("GRU", func(c *call) []*value { return c.recurrent(3) })
	register("RNN", func(c *call) []*value { return c.recurrent(1) })
}

// functions returns the activation functions of one direction.
func (c *call) functions(direction int, usual ...string) []func(*tarn.Value) *tarn.Value {
	names := c.words("activations")
	if len(names) == 0 {
		names = append(append([]string{}, usual...), usual...)
	}
	var alphas, betas []float32
	if a := c.attr("activation_alpha"); a != nil {
		alphas = a.floats
	}
	if a := c.attr("activation_beta"); a != nil {
		betas = a.floats
	}
	var all []func(*tarn.Value) *tarn.Value
	n := len(usual)
	if len(names) < (direction+1)*n {
		failf("%d activations are too few", len(names))
	}
	for i, name := range names {
		number := func(list *[]float32, otherwise float64) float64 {
			if len(*list) == 0 {
				return otherwise
			}
			x := (*list)[0]
			*list = (*list)[1:]
			return float64(x)
		}
		var f func(*tarn.Value) *tarn.Value
		switch strings.ToLower(name) {
		case "sigmoid":
			f = (*tarn.Value).Sigmoid
		case "tanh":
			f = (*tarn.Value).Tanh
		case "relu":
			f = (*tarn.Value).ReLU
		case "softsign":
			f = (*tarn.Value).Softsign
		case "softplus":
			f = (*tarn.Value).Softplus
		case "leakyrelu":
			alpha := number(&alphas, 0.01)
			f = func(v *tarn.Value) *tarn.Value { return v.LeakyReLU(alpha) }
		case "thresholdedrelu":
			alpha := number(&alphas, 1)
			f = func(v *tarn.Value) *tarn.Value { return v.Gt(tarn.Num(alpha)).Where(v, v.Num(0)) }
		case "elu":
			alpha := number(&alphas, 1)
			f = func(v *tarn.Value) *tarn.Value { return v.ELU(alpha) }
		case "hardsigmoid":
			alpha, beta := number(&alphas, 0.2), number(&betas, 0.5)
			f = func(v *tarn.Value) *tarn.Value { return v.Scale(alpha).AddNum(beta).Clip(tarn.Num(0), tarn.Num(1)) }
		case "affine":
			alpha, beta := number(&alphas, 1), number(&betas, 0)
			f = func(v *tarn.Value) *tarn.Value { return v.Scale(alpha).AddNum(beta) }
		case "scaledtanh":
			alpha, beta := number(&alphas, 1), number(&betas, 1)
			f = func(v *tarn.Value) *tarn.Value { return v.Scale(beta).Tanh().Scale(alpha) }
		default:
			failf("the activation %q is not supported", name)
		}
		if i >= direction*n && i < (direction+1)*n {
			all = append(all, f)
		}
	}
	return all
}

// recurrent is a layer with the given number of gates. Operands: x [time batch in], w [directions gates*h in], r [directions gates*h h], b [directions 2*gates*h],
// lengths [batch], the first states [directions batch h], and of an LSTM the first cells and the peepholes [directions 3*h].
func (c *call) recurrent(gates int) []*value {
	x, w, r := c.val(0), c.val(1), c.val(2)
	first := c.int("layout", 0) != 0 // the batch is first
	if first {
		x = x.Transpose(0, 1)
	}
	if x.Rank() != 3 || w.Rank() != 3 || r.Rank() != 3 {
		failf("the shapes %v, %v and %v are not those of a recurrent layer", x.Shape(), w.Shape(), r.Shape())
	}
	time, batch := x.Dim(0), x.Dim(1)
	directions, h := w.Dim(0), r.Dim(2)
	direction := c.string("direction", "forward")
	clip := c.float("clip", 0)
	clipped := func(v *tarn.Value) *tarn.Value {
		if clip > 0 {
			return v.Clip(tarn.Num(-clip), tarn.Num(clip))
		}
		return v
	}
	start := func(i, d int) *tarn.Value {
		if !c.has(i) {
			return c.g.Num(x.DType(), 0).Expand(batch, h)
		}
		v := c.val(i)
		if first {
			v = v.Transpose(0, 1)
		}
		return v.Slice(0, d, d+1).Squeeze(0)
	}
	var outs, hs, cs []*tarn.Value
	for d := range directions {
		wd, rd := w.Slice(0, d, d+1).Squeeze(0), r.Slice(0, d, d+1).Squeeze(0)
		reverse := direction == "reverse" || d == 1
		inputs := x.Reshape(time*batch, x.Dim(2)).MatMulT(wd)
		var rb *tarn.Value
		if c.has(3) {
			b := c.val(3).Slice(0, d, d+1).Squeeze(0)
			rb = b.Slice(0, gates*h, 2*gates*h)
			inputs = inputs.Add(b.Slice(0, 0, gates*h))
		}
		inputs = inputs.Reshape(time, batch, gates*h)
		carries := []*tarn.Value{start(5, d)}
		xs := []*tarn.Value{inputs}
		if gates == 4 {
			carries = append(carries, start(6, d))
		}
		var live *tarn.Value
		if c.has(4) {
			lengths := c.val(4).Cast(tarn.I64).Reshape(1, batch, 1)
			live = c.g.Iota(tarn.I64, 0, time, 1, 1).Expand(time, batch, 1).Lt(lengths)
			xs = append(xs, live.Expand(time, batch, h))
		}
		var peep *tarn.Value
		if gates == 4 && c.has(7) {
			peep = c.val(7).Slice(0, d, d+1).Squeeze(0)
		}
		part := func(v *tarn.Value, i int) *tarn.Value { return v.Slice(-1, i*h, (i+1)*h) }
		var step func(z *tarn.Value, s []*tarn.Value) []*tarn.Value
		recur := func(s *tarn.Value) *tarn.Value {
			y := s.MatMulT(rd)
			if rb != nil {
				y = y.Add(rb)
			}
			return y
		}
		switch gates {
		case 1:
			f := c.functions(d, "Tanh")
			step = func(z *tarn.Value, s []*tarn.Value) []*tarn.Value {
				return []*tarn.Value{f[0](clipped(z.Add(recur(s[0]))))}
			}
		case 3:
			f := c.functions(d, "Sigmoid", "Tanh")
			after := c.int("linear_before_reset", 0) != 0
			step = func(z *tarn.Value, s []*tarn.Value) []*tarn.Value {
				state := s[0]
				own := recur(state)
				update := f[0](clipped(part(z, 0).Add(part(own, 0))))
				reset := f[0](clipped(part(z, 1).Add(part(own, 1))))
				var candidate *tarn.Value
				if after {
					candidate = f[1](clipped(part(z, 2).Add(reset.Mul(part(own, 2)))))
				} else {
					y := reset.Mul(state).MatMulT(rd.Slice(0, 2*h, 3*h))
					if rb != nil {
						y = y.Add(part(rb, 2))
					}
					candidate = f[1](clipped(part(z, 2).Add(y)))
				}
				return []*tarn.Value{candidate.Add(update.Mul(state.Sub(candidate)))}
			}
		case 4:
			f := c.functions(d, "Sigmoid", "Tanh", "Tanh")
			coupled := c.int("input_forget", 0) != 0
			step = func(z *tarn.Value, s []*tarn.Value) []*tarn.Value {
				z = z.Add(recur(s[0]))
				cell := s[1]
				i, o, fg, g := part(z, 0), part(z, 1), part(z, 2), part(z, 3)
				if peep != nil {
					i, fg = i.Add(cell.Mul(part(peep, 0))), fg.Add(cell.Mul(part(peep, 2)))
				}
				in := f[0](clipped(i))
				forget := in.Neg().AddNum(1)
				if !coupled {
					forget = f[0](clipped(fg))
				}
				next := forget.Mul(cell).Add(in.Mul(f[1](clipped(g))))
				if peep != nil {
					o = o.Add(next.Mul(part(peep, 1)))
				}
				return []*tarn.Value{f[0](clipped(o)).Mul(f[2](next)), next}
			}
		}
		last, ys := tarn.Scan(carries, xs, tarn.ScanOptions{Reverse: reverse}, func(s, parts []*tarn.Value) (next, ys []*tarn.Value) {
			next = step(parts[0], s)
			y := next[0]
			if len(parts) > 1 {
				y = parts[1].Where(y, y.Num(0))
				for i := range next {
					next[i] = parts[1].Where(next[i], s[i])
				}
			}
			return next, []*tarn.Value{y}
		})
		outs, hs = append(outs, ys[0]), append(hs, last[0])
		if gates == 4 {
			cs = append(cs, last[1])
		}
	}
	stack := func(axis int, all []*tarn.Value) *value {
		return &value{elem: c.elem(0), v: tarn.Stack(axis, all...)}
	}
	if first {
		y := tarn.Stack(2, outs...).Transpose(0, 1) // [batch time directions h]
		out := []*value{{elem: c.elem(0), v: y}, stack(1, hs)}
		if gates == 4 {
			out = append(out, stack(1, cs))
		}
		return out
	}
	out := []*value{stack(1, outs), stack(0, hs)}
	if gates == 4 {
		out = append(out, stack(0, cs))
	}
	return out
}
