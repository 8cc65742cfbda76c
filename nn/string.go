package nn

import (
	"fmt"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file holds how layers print: as the call that would make them, and those that arrange others with one line for each.

// call formats a layer as in "Linear(784, 512, no bias)"; empty arguments are left out.
func call(name string, args ...string) string {
	var said []string
	for _, a := range args {
		if a != "" {
			said = append(said, a)
		}
	}
	return name + "(" + strings.Join(said, ", ") + ")"
}

// absent is what a nil layer prints.
const absent = "<nil>"

// axis is the size of an axis of a param, counted from the end if it is negative; "?" if there is none.
func axis(p *tarn.Param, i int) string {
	if p == nil {
		return "?"
	}
	shape := p.Shape()
	if i < 0 {
		i += len(shape)
	}
	if i < 0 || i >= len(shape) {
		return "?"
	}
	return fmt.Sprint(shape[i])
}

// by formats sizes, as in "3x3".
func by(sizes []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(sizes)), "x"), "[]")
}

// setting is a named option, or "" if it has its default.
func setting[T comparable](name string, x, usual T) string {
	if x == usual {
		return ""
	}
	return fmt.Sprintf("%s %v", name, x)
}

// sizesSetting is a named option of several axes, or "" if it is not set.
func sizesSetting(name string, sizes []int) string {
	if len(sizes) == 0 {
		return ""
	}
	return name + " " + by(sizes)
}

// said is a word if it applies.
func said(applies bool, word string) string {
	if applies {
		return word
	}
	return ""
}

// transform names the transform of a weight.
func transform(t WeightTransform) string {
	if t == nil {
		return ""
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", t), "*nn.")
}

// windowSettings are those of a window that are set.
func windowSettings(w tarn.Window) string {
	var parts []string
	for _, s := range []string{
		sizesSetting("stride", w.Stride), sizesSetting("dilation", w.Dilation), sizesSetting("padding", w.Padding),
		sizesSetting("padding after", w.PaddingAfter), said(w.Same, "padding same"), said(w.Ceil, "ceil"),
	} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

// nested formats a layer of named parts, one on each line.
func nested(name string, parts ...string) string {
	if len(parts) == 0 {
		return name + "()"
	}
	var b strings.Builder
	b.WriteString(name + "(\n")
	for _, p := range parts {
		b.WriteString("  " + strings.ReplaceAll(p, "\n", "\n  ") + "\n")
	}
	b.WriteString(")")
	return b.String()
}

// part is a part of a layer with its name.
func part(name string, layer any) string { return fmt.Sprintf("%s: %v", name, layer) }

// String returns "Linear(in, out)" and what is set beside.
func (l *Linear) String() string {
	if l == nil {
		return absent
	}
	return call("Linear", axis(l.Weight, 1), axis(l.Weight, 0), said(l.Bias == nil, "no bias"), transform(l.Transform), l.LoRA.setting())
}

// String returns "LoRA(in, out, rank)", where in and out are those of the weight as a matrix, and what is set beside.
func (l *LoRA) String() string {
	if l == nil {
		return absent
	}
	shape := shapeOf(l.A)
	in := 1
	for _, d := range shape[min(1, len(shape)):] {
		in *= d
	}
	return call("LoRA", fmt.Sprint(in), axis(l.B, 0), axis(l.A, 0), "scale "+fmt.Sprint(l.scale()), setting("dropout", l.Dropout, 0), said(l.base != nil, "merged"))
}

// setting is the adapter as a setting of its layer.
func (l *LoRA) setting() string {
	if l == nil {
		return ""
	}
	return "LoRA of rank " + axis(l.A, 0) + said(l.base != nil, ", merged")
}

// String returns "Bilinear(in1, in2, out)".
func (b *Bilinear) String() string {
	if b == nil {
		return absent
	}
	return call("Bilinear", axis(b.Weight, 1), axis(b.Weight, 2), axis(b.Weight, 0), said(b.Bias == nil, "no bias"))
}

// String returns "FakeQuantize(low to high)" and what is set beside.
func (f *FakeQuantize) String() string {
	if f == nil {
		return absent
	}
	o := f.options
	return call("FakeQuantize", fmt.Sprintf("%d to %d", o.Low, o.High), said(o.Symmetric, "symmetric"), setting("channels", o.Channels, 0), setting("axis", o.Axis, 0),
		setting("average", o.Average, 0), said(!f.Observe, "does not observe"), said(!f.Quantize, "does not quantize"))
}

// String returns the layers with their places, one on each line.
func (s *Sequential) String() string {
	if s == nil {
		return absent
	}
	var parts []string
	for i, l := range s.Layers {
		parts = append(parts, part(fmt.Sprint(i), l))
	}
	return nested("Sequential", parts...)
}

// String returns "Func".
func (f Func) String() string { return "Func" }

// String returns "ReLU".
func (ReLU) String() string { return "ReLU" }

// String returns "Sigmoid".
func (Sigmoid) String() string { return "Sigmoid" }

// String returns "Tanh".
func (Tanh) String() string { return "Tanh" }

// String returns "SELU".
func (SELU) String() string { return "SELU" }

// String returns "GELU".
func (GELU) String() string { return "GELU" }

// String returns "GELUTanh".
func (GELUTanh) String() string { return "GELUTanh" }

// String returns "SiLU".
func (SiLU) String() string { return "SiLU" }

// String returns "Mish".
func (Mish) String() string { return "Mish" }

// String returns "HardSigmoid".
func (HardSigmoid) String() string { return "HardSigmoid" }

// String returns "HardSwish".
func (HardSwish) String() string { return "HardSwish" }

// String returns "HardTanh".
func (HardTanh) String() string { return "HardTanh" }

// String returns "Softsign".
func (Softsign) String() string { return "Softsign" }

// String returns "ReLU6".
func (ReLU6) String() string { return "ReLU6" }

// String returns "GLU".
func (GLU) String() string { return "GLU" }

// String returns "SwiGLU".
func (SwiGLU) String() string { return "SwiGLU" }

// String returns "GeGLU".
func (GeGLU) String() string { return "GeGLU" }

// String returns "Identity".
func (Identity) String() string { return "Identity" }

// String returns "Softplus", with what is set in parentheses.
func (a Softplus) String() string {
	beta, threshold := setting("beta", orOne(a.Beta), 1), setting("threshold", a.Threshold, 0)
	if beta+threshold == "" {
		return "Softplus"
	}
	return call("Softplus", beta, threshold)
}

// String returns "PReLU(channels)".
func (p *PReLU) String() string {
	if p == nil {
		return absent
	}
	return call("PReLU", axis(p.Weight, 0))
}

// String returns "Softmax".
func (Softmax) String() string { return "Softmax" }

// String returns "LogSoftmax".
func (LogSoftmax) String() string { return "LogSoftmax" }

// String returns "Flatten".
func (Flatten) String() string { return "Flatten" }

// String returns "ChannelsLast".
func (ChannelsLast) String() string { return "ChannelsLast" }

// String returns "ChannelsFirst".
func (ChannelsFirst) String() string { return "ChannelsFirst" }

// String returns "GlobalAvgPool".
func (GlobalAvgPool) String() string { return "GlobalAvgPool" }

// String returns "GlobalMaxPool".
func (GlobalMaxPool) String() string { return "GlobalMaxPool" }

// String returns "LeakyReLU(slope)".
func (a LeakyReLU) String() string { return call("LeakyReLU", fmt.Sprint(a.slope())) }

// String returns "ELU(alpha)".
func (a ELU) String() string { return call("ELU", fmt.Sprint(orOne(a.Alpha))) }

// String returns "CELU(alpha)".
func (a CELU) String() string { return call("CELU", fmt.Sprint(orOne(a.Alpha))) }

// String returns "Dropout(p)".
func (d *Dropout) String() string {
	if d == nil {
		return absent
	}
	return call("Dropout", fmt.Sprint(d.P))
}

// String returns "Dropout2d(p)".
func (d *Dropout2d) String() string {
	if d == nil {
		return absent
	}
	return call("Dropout2d", fmt.Sprint(d.P))
}

// String returns "DropPath(p)".
func (d *DropPath) String() string {
	if d == nil {
		return absent
	}
	return call("DropPath", fmt.Sprint(d.P))
}

// String returns "Conv(in, out, window)" and what is set beside.
func (c *Conv) String() string {
	if c == nil {
		return absent
	}
	in, out, size := "?", "?", "?"
	if shape := shapeOf(c.Weight); len(shape) > 2 {
		in, out, size = fmt.Sprint(shape[1]*max(1, c.Groups)), fmt.Sprint(shape[0]), by(shape[2:])
	}
	return call("Conv", in, out, size, windowSettings(c.Window), setting("padding mode", c.PaddingMode, ZeroPadding), setting("groups", max(1, c.Groups), 1),
		said(c.Bias == nil, "no bias"), transform(c.Transform), c.LoRA.setting())
}

// String returns "ConvTranspose(in, out, window)" and what is set beside.
func (c *ConvTranspose) String() string {
	if c == nil {
		return absent
	}
	in, out, size := "?", "?", "?"
	if shape := shapeOf(c.Weight); len(shape) > 2 {
		in, out, size = fmt.Sprint(shape[0]), fmt.Sprint(shape[1]*max(1, c.Groups)), by(shape[2:])
	}
	return call("ConvTranspose", in, out, size, windowSettings(c.Window), sizesSetting("extra", c.Extra), setting("groups", max(1, c.Groups), 1),
		said(c.Bias == nil, "no bias"), transform(c.Transform))
}

// shapeOf is the shape of a param, nil if there is none.
func shapeOf(p *tarn.Param) []int {
	if p == nil {
		return nil
	}
	return p.Shape()
}

// String returns "Embedding(n, width)".
func (e *Embedding) String() string {
	if e == nil {
		return absent
	}
	return call("Embedding", axis(e.Weight, 0), axis(e.Weight, 1), sizesSetting("padding", e.Padding))
}

// String returns "EmbeddingBag(n, width)" and what is set beside.
func (e *EmbeddingBag) String() string {
	if e == nil {
		return absent
	}
	return call("EmbeddingBag", axis(e.Weight, 0), axis(e.Weight, 1), said(e.Mode == BagSum, "sum"), said(e.Mode == BagMax, "max"), sizesSetting("padding", e.Padding))
}

// String returns "LayerNorm(sizes)" and what is set beside.
func (l *LayerNorm) String() string {
	if l == nil {
		return absent
	}
	size := by(shapeOf(l.Weight))
	if l.Weight == nil {
		size = fmt.Sprintf("last %d axes, no scale", l.Axes)
	}
	return call("LayerNorm", size, said(l.Bias == nil, "no shift"), setting("eps", l.Eps, 1e-5))
}

// String returns "RMSNorm(size)" and what is set beside.
func (l *RMSNorm) String() string {
	if l == nil {
		return absent
	}
	return call("RMSNorm", axis(l.Weight, 0), setting("eps", l.Eps, -1))
}

// String returns "BatchNorm(channels)" and what is set beside.
func (b *BatchNorm) String() string {
	if b == nil {
		return absent
	}
	channels := b.Weight
	if channels == nil {
		channels = b.RunningMean
	}
	return call("BatchNorm", axis(channels, 0), said(b.Weight == nil, "no scale"), said(b.Bias == nil, "no shift"), said(b.RunningMean == nil, "no running statistics"),
		setting("eps", b.Eps, 1e-5), setting("momentum", b.Momentum, 0.1))
}

// String returns "GroupNorm(groups, channels)" and what is set beside.
func (n *GroupNorm) String() string {
	if n == nil {
		return absent
	}
	return call("GroupNorm", fmt.Sprint(n.Groups), axis(n.Weight, 0), said(n.Bias == nil, "no shift"), setting("eps", n.Eps, 1e-5))
}

// String returns "InstanceNorm()", with the channels if it has weights, and what is set beside.
func (n *InstanceNorm) String() string {
	if n == nil {
		return absent
	}
	channels := ""
	if n.Weight != nil {
		channels = axis(n.Weight, 0)
	}
	return call("InstanceNorm", channels, setting("eps", n.Eps, 1e-5))
}

// String returns "MaxUnpool(window)" and what is set beside.
func (p *MaxUnpool) String() string {
	if p == nil {
		return absent
	}
	return call("MaxUnpool", by(p.Size), sizesSetting("stride", p.Stride), sizesSetting("padding", p.Padding))
}

// String returns "AdaptiveMaxPool(sizes)".
func (p *AdaptiveMaxPool) String() string {
	if p == nil {
		return absent
	}
	return call("AdaptiveMaxPool", by(p.Size))
}

// String returns "MaxPool(window)" and what is set beside.
func (p *MaxPool) String() string {
	if p == nil {
		return absent
	}
	return call("MaxPool", by(p.Size), windowSettings(p.Window))
}

// String returns "AvgPool(window)" and what is set beside.
func (p *AvgPool) String() string {
	if p == nil {
		return absent
	}
	return call("AvgPool", by(p.Size), windowSettings(p.Window), said(!p.CountPadding, "padding does not count"))
}

// String returns "LpPool(window)" and what is set beside.
func (p *LpPool) String() string {
	if p == nil {
		return absent
	}
	return call("LpPool", "P "+fmt.Sprint(p.P), by(p.Size), windowSettings(p.Window))
}

// String returns "AdaptiveAvgPool(sizes)".
func (p *AdaptiveAvgPool) String() string {
	if p == nil {
		return absent
	}
	return call("AdaptiveAvgPool", by(p.Size))
}

// String returns "Upsample(scale)" and what is set beside.
func (u *Upsample) String() string {
	if u == nil {
		return absent
	}
	return call("Upsample", fmt.Sprint(u.Scale), said(u.Linear, "linear"), said(u.AlignCorners, "corners aligned"))
}

// String returns "PixelShuffle(r)".
func (p PixelShuffle) String() string { return call("PixelShuffle", fmt.Sprint(p.R)) }

// String returns "SinusoidalPosition()" and what is set.
func (p SinusoidalPosition) String() string {
	return call("SinusoidalPosition", setting("base", p.Base, 0))
}

// String returns "RotaryPosition(context)" and what is set beside.
func (p RotaryPosition) String() string {
	return call("RotaryPosition", fmt.Sprint(p.Context), setting("base", p.Base, 0), said(p.Interleaved, "interleaved"))
}
