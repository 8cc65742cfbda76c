package nn

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds transforms of a weight that a layer applies before it uses the weight.

// WeightTransform maps a weight to the one that a layer computes with.
type WeightTransform interface {
	Apply(w *tarn.Value) *tarn.Value
}

// transformed returns w, or the result of the transform if there is one.
func transformed(t WeightTransform, w *tarn.Value) *tarn.Value {
	if t == nil {
		return w
	}
	return t.Apply(w)
}

// WeightNorm gives each row of a weight, which computes one output, its own length: w becomes G w/|w|, so that direction
// and length are trained separately. Equal to torch.nn.utils.parametrizations.weight_norm with dim=0, whose original0 is G and
// whose original1 is the layer's weight.
// Salimans and Kingma, Weight normalization, NeurIPS 2016.
type WeightNorm struct {
	G *tarn.Param // [out 1...]
}

// NewWeightNorm returns the transform for a weight, [out ...]. After tarn.Init the lengths are 1; SetLengths makes them those of
// the weight.
func NewWeightNorm(weight *tarn.Param) *WeightNorm {
	return &WeightNorm{tarn.NewParam(weight.DType(), Ones(), lengths(weight.Shape())...)}
}

func lengths(shape []int) []int {
	for a := 1; a < len(shape); a++ {
		shape[a] = 1
	}
	return shape
}

// SetLengths makes each length that of the weight's row, so that the layer computes what it did without the transform.
func (n *WeightNorm) SetLengths(weight *tarn.Param) {
	if n == nil {
		return
	}
	w, g := weight.Tensor(), n.G.Tensor()
	row := w.Size() / max(g.Size(), 1)
	for i := range g.Size() {
		length := 0.0
		for j := range row {
			length = math.Hypot(length, w.Float(i*row+j))
		}
		g.SetFloat(i, length)
	}
}

// Apply is G w/|w|. Shapes: [out ...] -> same.
func (n *WeightNorm) Apply(w *tarn.Value) *tarn.Value {
	if n == nil {
		return missing("WeightNorm", w)
	}
	g := w.Graph()
	if got := n.G.Value(g); n.G == nil || !slices.Equal(got.Shape(), lengths(w.Shape())) {
		return g.Fail("WeightNorm", []*tarn.Value{w, got}, "the weight has shape %s and the lengths %s", shapeString(w.Shape()), shapeString(got.Shape()))
	}
	if w.Rank() < 2 {
		return w.Div(w.Abs()).Mul(n.G)
	}
	axes := make([]int, w.Rank()-1)
	for i := range axes {
		axes[i] = i + 1
	}
	return w.Div(w.Norm(2, axes...).Unsqueeze(axes...)).Mul(n.G)
}

// SpectralNorm divides a weight, seen as a matrix of its rows, by its largest singular value, which each training step
// approximates better by a step of power iteration. Equal to torch.nn.utils.parametrizations.spectral_norm, except that PyTorch makes 15
// such steps before the first.
// Miyato et al., Spectral normalization for generative adversarial networks, ICLR 2018.
type SpectralNorm struct {
	U          *tarn.Param `tarn:"_u"` // [out], the left singular vector
	V          *tarn.Param `tarn:"_v"` // [rest], the right one
	Eps        float64     // least length that a vector is divided by
	Iterations int         // steps of power iteration a training step
}

// NewSpectralNorm returns the transform for a weight, [out ...], with Eps 1e-12 and one iteration.
func NewSpectralNorm(weight *tarn.Param) *SpectralNorm {
	shape := weight.Shape()
	rest := 1
	for _, d := range shape[min(1, len(shape)):] {
		rest *= d
	}
	out := 1
	if len(shape) > 0 {
		out = shape[0]
	}
	return &SpectralNorm{U: tarn.NewState(weight.DType(), unitVector, out), V: tarn.NewState(weight.DType(), unitVector, rest), Eps: 1e-12, Iterations: 1}
}

// unitVector draws a direction.
func unitVector(t *tarn.Tensor, r *tarn.Random) {
	r.Normal(t, 0, 1)
	sum := 0.0
	for i := range t.Size() {
		sum += t.Float(i) * t.Float(i)
	}
	for i := range t.Size() {
		t.SetFloat(i, t.Float(i)/math.Sqrt(sum))
	}
}

// Apply is w divided by u'Wv. No gradient flows to u and v. Shapes: [out ...] -> same.
func (n *SpectralNorm) Apply(w *tarn.Value) *tarn.Value {
	if n == nil {
		return missing("SpectralNorm", w)
	}
	g := w.Graph()
	if w.Rank() < 2 || n.U == nil || n.V == nil {
		return g.Fail("SpectralNorm", []*tarn.Value{w}, "the weight has shape %s and should have at least two axes, and U and V should be set", shapeString(w.Shape()))
	}
	if bad := badSetting("SpectralNorm", w, "Eps", n.Eps); bad != nil {
		return bad
	}
	if n.Iterations < 0 || n.Iterations > 1000 {
		return g.Fail("SpectralNorm", []*tarn.Value{w}, "Iterations is %d and should be from 0 to 1000", n.Iterations)
	}
	matrix := w.Reshape(w.Dim(0), -1)
	u, v := n.U.Next(g), n.V.Next(g)
	if g.Training() {
		fixed := matrix.StopGradient()
		for range n.Iterations {
			u = n.unit(fixed.MatMul(v))
			v = n.unit(u.MatMul(fixed))
		}
	}
	y := w.Div(u.Dot(matrix.MatMul(v)))
	if g.Training() {
		g.Attach(y, n.U, u)
		g.Attach(y, n.V, v)
	}
	return y
}

// unit is x divided by its length.
func (n *SpectralNorm) unit(x *tarn.Value) *tarn.Value {
	return x.Div(x.Norm(2).Maximum(tarn.Num(n.Eps)))
}

// WeightNoise adds normal noise of standard deviation Std to a weight, in training, drawn again in every step. It is a regularizer that
// favors flat minima.
// Graves, Practical variational inference for neural networks, NeurIPS 2011.
type WeightNoise struct{ Std float64 }

// Apply is w and noise. Shapes: any -> same.
func (n *WeightNoise) Apply(w *tarn.Value) *tarn.Value {
	if n == nil {
		return missing("WeightNoise", w)
	}
	if bad := badSetting("WeightNoise", w, "Std", n.Std); bad != nil {
		return bad
	}
	g := w.Graph()
	if !g.Training() || n.Std == 0 {
		return w
	}
	return w.Add(g.Normal(w.DType(), 0, n.Std, w.Shape()...))
}
