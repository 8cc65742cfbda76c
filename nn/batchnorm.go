package nn

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the normalizations that standardize over examples or positions: BatchNorm, GroupNorm, InstanceNorm.

// standardized is (x - mean)/sqrt(variance + eps) over the axes, with the mean and the biased variance. Something near the mean is
// taken away before anything is squared, so that a mean far from 0 does not swamp the variance, and what it lacks, the mean d of what
// is left c, is taken away as well: variance = mean(c^2) - d^2. The gradient by x, given dy of the result y, is
// (dy - mean(dy) - y mean(dy y))/sqrt(variance + eps), which needs two passes where the derivative of the formulas takes more. r is
// 1/sqrt(variance + eps).
func standardized(x *tarn.Value, eps float64, axes []int) (y, mean, variance, r *tarn.Value) {
	rough := roughMean(x, axes)
	c := x.Sub(rough.Unsqueeze(axes...))
	d := c.Mean(axes...)
	mean, variance = rough.Add(d), c.Square().Mean(axes...).Sub(d.Square())
	r = variance.AddNum(eps).Rsqrt().Unsqueeze(axes...)
	y = c.Sub(d.Unsqueeze(axes...)).Mul(r)
	average := func(v *tarn.Value) *tarn.Value { return v.Mean(axes...).Unsqueeze(axes...) }
	y = tarn.WithGradient(y, []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{dy.Sub(average(dy)).Sub(y.Mul(average(dy.Mul(y)))).Mul(r)}
	})
	return y, mean, variance, r
}

// synchronized is standardized over the axes and all shards of the batch, of which x is one. N is the number of numbers of a channel in all shards, an F64 scalar.
func synchronized(x *tarn.Value, eps float64, axes []int) (y, mean, variance, r, n *tarn.Value) {
	n = x.Graph().Num(tarn.F64, float64(x.Size()/max(x.Dim(-1), 1))).SumShards()
	average := func(v *tarn.Value) *tarn.Value {
		return v.Cast(tarn.F64).Sum(axes...).SumShards().Div(n).Cast(v.DType())
	}
	mean = average(x)
	c := x.Sub(mean.Unsqueeze(axes...))
	variance = average(c.Square())
	r = variance.AddNum(eps).Rsqrt().Unsqueeze(axes...)
	y = c.Mul(r)
	y = tarn.WithGradient(y, []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{dy.Sub(average(dy).Unsqueeze(axes...)).Sub(y.Mul(average(dy.Mul(y)).Unsqueeze(axes...))).Mul(r)}
	})
	return y, mean, variance, r, n
}

// roughMean is near the mean of x over the axes: within four standard deviations, for it is the mean of a sixteenth of the numbers at
// least. (The mean of m of n numbers is within sqrt((n-m)/m) standard deviations of that of all, whichever they are: Cauchy and
// Schwarz.) So c^2 is at most 17 variances on average, and the difference of squares keeps all but four bits. Where all axes but the
// last go, the sixteenth that comes first saves a pass over x; elsewhere it is all of them. What it is changes no result and takes no
// gradient.
func roughMean(x *tarn.Value, axes []int) *tarn.Value {
	const sixteenth, worth = 16, 1 << 10
	rows := x.Size() / max(x.Dim(-1), 1)
	if len(axes) != x.Rank()-1 || axes[len(axes)-1] != x.Rank()-2 || rows < worth {
		return x.Mean(axes...).StopGradient()
	}
	first := x.Reshape(rows, x.Dim(-1)).Slice(0, 0, (rows+sixteenth-1)/sixteenth)
	return first.Mean(0).StopGradient()
}

// affine scales and shifts the last axis; nil params leave it as it is.
func affine(name string, y *tarn.Value, weight, bias *tarn.Param) *tarn.Value {
	g := y.Graph()
	for _, p := range []*tarn.Param{weight, bias} {
		if p == nil {
			continue
		}
		if s := p.Shape(); len(s) != 1 || s[0] != y.Dim(-1) {
			return g.Fail(name, []*tarn.Value{y, p.Value(g)}, "the operand has %d channels, its last axis, and the weights have shape %s%s", y.Dim(-1), shapeString(s), channelHint(y, s))
		}
		if p.DType() != y.DType() {
			return g.Fail(name, []*tarn.Value{y, p.Value(g)}, "the operand is %v and the weights %v: Cast the operand, or tarn.Cast the model", y.DType(), p.DType())
		}
	}
	if weight != nil {
		y = y.Mul(weight)
	}
	if bias != nil {
		y = y.Add(bias)
	}
	return y
}

// channelHint returns a hint if the second axis has the size that the channel axis should have.
func channelHint(x *tarn.Value, channels []int) string {
	if len(channels) == 1 && x.Rank() > 2 && x.Dim(1) == channels[0] {
		return ": ChannelsLast moves the second axis, where PyTorch has the channels, to the end"
	}
	return ""
}

// BatchNorm normalizes each channel, over all examples and positions of the batch, to mean 0 and variance 1, and then scales and
// shifts it. In training it also moves the running statistics, by which evaluation (see tarn.Graph.Eval) normalizes. Equal to
// torch.nn.BatchNorm1d, BatchNorm2d and BatchNorm3d but for the place of the channels, which are the last axis.
// Ioffe and Szegedy, Batch normalization, ICML 2015.
type BatchNorm struct {
	Weight      *tarn.Param // [channels], the scale; nil for none
	Bias        *tarn.Param // [channels], the shift; nil for none
	RunningMean *tarn.Param // [channels], a state; nil to normalize by the batch in evaluation too
	RunningVar  *tarn.Param // [channels], likewise: of unbiased variances
	// NumBatchesTracked counts the training steps, as in PyTorch's files; nil disables the count.
	NumBatchesTracked *tarn.Param
	Eps               float64 // added to the variance
	// Momentum is the share of a batch in the running statistics: new = (1-Momentum)*old + Momentum*batch. A negative number makes
	// them the plain average of all batches, which PyTorch calls momentum=None.
	Momentum float64
	// Synchronized makes a training over shards (see train.Shards) normalize by the statistics of the whole batch instead of those of a shard. Each such layer
	// then makes all shards wait for each other three times in the forward and twice in the backward pass, and a rank computes its shards at the same time, each
	// with memory of its own. Equal to torch.nn.SyncBatchNorm. Without shards it changes nothing.
	Synchronized bool

	wrong mistake
}

// NewBatchNorm returns a batch norm for the given number of channels with Eps 1e-5 and Momentum 0.1, as in PyTorch.
func NewBatchNorm(channels int) *BatchNorm {
	b := &BatchNorm{
		Weight: tarn.NewParam(tarn.F32, Ones(), channels), Bias: tarn.NewParam(tarn.F32, Zeros(), channels),
		RunningMean: tarn.NewState(tarn.F32, Zeros(), channels), RunningVar: tarn.NewState(tarn.F32, Ones(), channels),
		NumBatchesTracked: tarn.NewState(tarn.I64, nil), Eps: 1e-5, Momentum: 0.1,
	}
	b.wrong.sizes(fmt.Sprintf("NewBatchNorm(%d)", channels), []string{"the number of channels"}, channels)
	return b
}

// Forward normalizes x. Shapes: [n channels] or [n d... channels] -> same.
func (b *BatchNorm) Forward(x *tarn.Value) *tarn.Value {
	if b == nil {
		return missing("BatchNorm", x)
	}
	if bad := b.wrong.report("BatchNorm", x); bad != nil {
		return bad
	}
	if bad := badEps("BatchNorm", x, b.Eps); bad != nil {
		return bad
	}
	g, in := x.Graph(), []*tarn.Value{x}
	switch {
	case !x.DType().IsFloat():
		return g.Fail("BatchNorm", in, "the operand is %v and should be f32 or f64", x.DType())
	case x.Rank() < 2:
		return g.Fail("BatchNorm", in, "the operand has shape %s and should have a batch axis and a channel axis", shapeString(x.Shape()))
	case !(b.Momentum <= 1) || math.IsInf(b.Momentum, -1):
		return g.Fail("BatchNorm", in, "Momentum is %v and should be from 0 to 1, or negative for the plain average", b.Momentum)
	case (b.RunningMean == nil) != (b.RunningVar == nil):
		return g.Fail("BatchNorm", in, "RunningMean and RunningVar should both be set or both be nil")
	}
	tracks := b.RunningMean != nil
	for _, p := range []*tarn.Param{b.RunningMean, b.RunningVar} {
		if p == nil {
			continue
		}
		if s := p.Shape(); len(s) != 1 || s[0] != x.Dim(-1) || p.DType() != x.DType() {
			return g.Fail("BatchNorm", append(in, p.Value(g)), "the operand is %v%s with its channels last, and the running statistics are %v%s%s",
				x.DType(), shapeString(x.Shape()), p.DType(), shapeString(s), channelHint(x, s))
		}
	}
	if tracks && !g.Training() {
		c := x.Sub(b.RunningMean)
		return affine("BatchNorm", c.Mul(b.RunningVar.Value(g).AddNum(b.Eps).Rsqrt()), b.Weight, b.Bias)
	}
	n := x.Size() / max(x.Dim(-1), 1)
	if g.Training() && n == 1 && !(b.Synchronized && g.SharesShards()) {
		return g.Fail("BatchNorm", in, "the operand has shape %s: a single number for each channel has no variance", shapeString(x.Shape()))
	}
	axes := make([]int, x.Rank()-1)
	for i := range axes {
		axes[i] = i
	}
	if b.Synchronized && g.SharesShards() {
		unit, mean, variance, _, all := synchronized(x, b.Eps, axes)
		y := affine("BatchNorm", unit, b.Weight, b.Bias)
		if tracks && g.Training() {
			unbiased := all.Div(all.AddNum(-1).Maximum(tarn.Num(1)))
			b.track(y, mean, variance.Mul(unbiased.Cast(variance.DType())))
		}
		return y
	}
	unit, mean, variance, r := standardized(x, b.Eps, axes)
	y := affine("BatchNorm", unit, b.Weight, b.Bias)
	if b.Weight != nil && b.Bias != nil {
		y = b.withGradient(y, x, unit, r, axes)
	}
	if tracks && g.Training() {
		b.track(y, mean, variance.Scale(float64(n)/float64(max(n-1, 1))))
	}
	return y
}

// withGradient gives y = unit*weight + bias the gradient rule that needs no more sums over the batch than those of the weights,
// s = sum(dy unit) and t = sum(dy): dx = weight r (dy - t/n - unit s/n). Its parts apart would sum dy*weight as well.
func (b *BatchNorm) withGradient(y, x, unit, r *tarn.Value, axes []int) *tarn.Value {
	g := x.Graph()
	w, n := b.Weight.Value(g), float64(x.Size()/max(x.Dim(-1), 1))
	return tarn.WithGradient(y, []tarn.Operand{x, w, b.Bias}, func(dy *tarn.Value) []*tarn.Value {
		s, t := dy.Mul(unit).Sum(axes...), dy.Sum(axes...)
		dx := dy.Sub(t.Scale(1 / n)).Sub(unit.Mul(s.Scale(1 / n))).Mul(r.Mul(w))
		return []*tarn.Value{dx, s, t}
	})
}

// track moves the running statistics by those of a batch.
func (b *BatchNorm) track(y, mean, variance *tarn.Value) {
	g := y.Graph()
	part := mean.Num(b.Momentum)
	if b.NumBatchesTracked != nil {
		count := b.NumBatchesTracked.Next(g).AddNum(1)
		g.Attach(y, b.NumBatchesTracked, count)
		if b.Momentum < 0 {
			part = mean.Num(1).Div(count.Cast(mean.DType()))
		}
	}
	for _, s := range []struct {
		p     *tarn.Param
		batch *tarn.Value
	}{{b.RunningMean, mean}, {b.RunningVar, variance}} {
		old := s.p.Next(g)
		g.Attach(y, s.p, old.Add(s.batch.StopGradient().Sub(old).Mul(part)))
	}
}

// GroupNorm normalizes each group of channels of each example to mean 0 and variance 1, and then scales and shifts each channel.
// Equal to torch.nn.GroupNorm but for the place of the channels, which are the last axis.
// Wu and He, Group normalization, ECCV 2018.
type GroupNorm struct {
	Weight *tarn.Param // [channels], the scale; nil for none
	Bias   *tarn.Param // [channels], the shift; nil for none
	Groups int
	Eps    float64 // added to the variance

	wrong mistake
}

// NewGroupNorm returns a group norm with Eps 1e-5. The number of groups must divide the number of channels.
func NewGroupNorm(groups, channels int) *GroupNorm {
	l := &GroupNorm{Weight: tarn.NewParam(tarn.F32, Ones(), channels), Bias: tarn.NewParam(tarn.F32, Zeros(), channels), Groups: groups, Eps: 1e-5}
	call := fmt.Sprintf("NewGroupNorm(%d, %d)", groups, channels)
	l.wrong.sizes(call, []string{"the number of groups", "the number of channels"}, groups, channels)
	l.wrong.require(groups < 1 || channels%groups == 0, "%s: %d groups do not divide %d channels", call, groups, channels)
	return l
}

// Forward normalizes x. Shapes: [n channels] or [n d... channels] -> same.
func (l *GroupNorm) Forward(x *tarn.Value) *tarn.Value {
	if l == nil {
		return missing("GroupNorm", x)
	}
	if bad := l.wrong.report("GroupNorm", x); bad != nil {
		return bad
	}
	if bad := badEps("GroupNorm", x, l.Eps); bad != nil {
		return bad
	}
	g, in := x.Graph(), []*tarn.Value{x}
	switch {
	case !x.DType().IsFloat():
		return g.Fail("GroupNorm", in, "the operand is %v and should be f32 or f64", x.DType())
	case x.Rank() < 2:
		return g.Fail("GroupNorm", in, "the operand has shape %s and should have a batch axis and a channel axis", shapeString(x.Shape()))
	case l.Groups < 1 || x.Dim(-1)%l.Groups != 0:
		return g.Fail("GroupNorm", in, "the operand has %d channels, its last axis, which %d groups do not divide", x.Dim(-1), l.Groups)
	}
	n, c := x.Dim(0), x.Dim(-1)
	positions := 1
	for _, d := range x.Shape()[1 : x.Rank()-1] {
		positions *= d
	}
	y, _, _, _ := standardized(x.Reshape(n, positions, l.Groups, c/l.Groups), l.Eps, []int{1, 3})
	return affine("GroupNorm", y.Reshape(x.Shape()...), l.Weight, l.Bias)
}

// InstanceNorm normalizes each channel of each example to mean 0 and variance 1. Equal to torch.nn.InstanceNorm1d to
// InstanceNorm3d but for the place of the channels, which are the last axis.
// Ulyanov, Vedaldi and Lempitsky, Instance normalization, 2016.
type InstanceNorm struct {
	Weight *tarn.Param // [channels], the scale; nil for none, as in PyTorch by default
	Bias   *tarn.Param // [channels], the shift; likewise
	Eps    float64     // added to the variance

	wrong mistake
}

// NewInstanceNorm returns an instance norm with Eps 1e-5 that neither scales nor shifts.
func NewInstanceNorm() *InstanceNorm { return &InstanceNorm{Eps: 1e-5} }

// NewInstanceNormAffine returns an instance norm that scales and shifts the given number of channels, as PyTorch's with affine=True.
func NewInstanceNormAffine(channels int) *InstanceNorm {
	l := &InstanceNorm{Weight: tarn.NewParam(tarn.F32, Ones(), channels), Bias: tarn.NewParam(tarn.F32, Zeros(), channels), Eps: 1e-5}
	l.wrong.sizes(fmt.Sprintf("NewInstanceNormAffine(%d)", channels), []string{"the number of channels"}, channels)
	return l
}

// Forward normalizes x. Shapes: [n d... channels] -> same.
func (l *InstanceNorm) Forward(x *tarn.Value) *tarn.Value {
	if l == nil {
		return missing("InstanceNorm", x)
	}
	if bad := l.wrong.report("InstanceNorm", x); bad != nil {
		return bad
	}
	if bad := badEps("InstanceNorm", x, l.Eps); bad != nil {
		return bad
	}
	axes, failed := spatialAxes("InstanceNorm", x)
	if failed != nil {
		return failed
	}
	if !x.DType().IsFloat() {
		return x.Graph().Fail("InstanceNorm", []*tarn.Value{x}, "the operand is %v and should be f32 or f64", x.DType())
	}
	y, _, _, _ := standardized(x, l.Eps, axes)
	return affine("InstanceNorm", y, l.Weight, l.Bias)
}
