package nn_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/tarntest"
)

// This file tests the losses beyond what PyTorch's numbers show: derivatives in every order, extreme operands, labels that
// are ignored or no class, and what is refused.

// matrix is random numbers without kinks of the losses nearby.
func matrix(seed uint64) *tarn.Tensor { return random(tarn.F64, seed, 3, 4) }

// positive is random probabilities.
func positive(seed uint64) *tarn.Tensor {
	t := tarn.Zeros(tarn.F64, 3, 4)
	tarn.NewRandom(seed, "test").Uniform(t, 0.1, 0.9)
	return t
}

func TestLossGradients(t *testing.T) {
	labels := tarn.Vector([]int32{3, -100, 0})
	weights := []float64{0.5, 2, 1, 0.25}
	for _, c := range []struct {
		name string
		loss func(x, y *tarn.Value) *tarn.Value
		x, y *tarn.Tensor
	}{
		{"MSE", nn.MSE, matrix(1), matrix(2)},
		{"MSE sum", nn.MSELoss{Reduction: nn.Sum}.Loss, matrix(1), matrix(2)},
		{"MAE", nn.MAE, matrix(1), matrix(2)},
		{"MAE none", nn.MAELoss{Reduction: nn.None}.Loss, matrix(1), matrix(2)},
		{"Huber", nn.HuberLoss{Delta: 0.5}.Loss, matrix(1), matrix(2)},
		{"SmoothL1", nn.SmoothL1Loss{Beta: 0.5}.Loss, matrix(1), matrix(2)},
		{"BCEWithLogits", nn.BCEWithLogitsLoss{PosWeight: weights}.Loss, matrix(1), positive(2)},
		{"BCE", nn.BCE, positive(1), positive(2)},
		{"BCE sum", nn.BCELoss{Reduction: nn.Sum}.Loss, positive(1), positive(2)},
		{"CrossEntropy", nn.CrossEntropy, matrix(1), labels},
		{"CrossEntropy with all options", nn.CrossEntropyLoss{Weight: weights, LabelSmoothing: 0.1, Reduction: nn.None}.Loss, matrix(1), labels},
		{"CrossEntropy dense", nn.CrossEntropyLoss{Weight: weights, LabelSmoothing: 0.1}.Loss, matrix(1), positive(2)},
		{"NLL", nn.NLLLoss{Weight: weights}.Loss, matrix(1), labels},
		{"KL", nn.KL, matrix(1), positive(2)},
		{"KL of log targets", nn.KLLoss{LogTarget: true}.Loss, matrix(1), matrix(2)},
		{"Hinge squared", nn.HingeLoss{Squared: true}.Loss, matrix(1), matrix(2)},
		{"MultiMargin", nn.MultiMarginLoss{Squared: true, Weight: weights}.Loss, matrix(1), tarn.Vector([]int64{3, 1, 0})},
		{"HingeEmbedding", nn.HingeEmbeddingLoss{Margin: 0.7}.Loss, matrix(1), tensor([]float64{1, -1, 1, 1, -1, -1, 1, -1, 1, 1, -1, 0}, 3, 4)},
		{"SoftMargin", nn.SoftMarginLoss{Reduction: nn.Sum}.Loss, matrix(1), matrix(2)},
		{"InfoNCE", nn.InfoNCELoss{Temperature: 0.5, Symmetric: true}.Loss, matrix(1), matrix(2)},
		{"NTXent", nn.NTXentLoss{Reduction: nn.None}.Loss, matrix(1), matrix(2)},
		{"PoissonNLL", nn.PoissonNLL, matrix(1), positive(2)},
		{"PoissonNLL of rates", nn.PoissonNLLLoss{Rate: true, Full: true}.Loss, positive(1), tensor([]float64{0, 1.5, 2, 3, 0.5, 4, 9, 2, 3, 0, 0.1, 7}, 3, 4)},
		{"MultiLabelMargin", nn.MultiLabelMarginLoss{Reduction: nn.None}.Loss, matrix(1), tokens([]int64{3, 0, -1, 1, -1, 0, 0, 0, 0, 1, 2, 3}, 3, 4)},
		{"MultiLabelSoftMargin", nn.MultiLabelSoftMarginLoss{Weight: weights}.Loss, matrix(1), positive(2)},
		{"Focal", nn.Focal, matrix(1), positive(2)},
		{"Focal of another power", nn.FocalLoss{Alpha: -1, Gamma: 0.5}.Loss, matrix(1), positive(2)},
		{"Dice", nn.DiceLoss{Logits: true, Squared: true}.Loss, random(tarn.F64, 1, 2, 3, 2), random(tarn.F64, 2, 2, 3, 2)},
		{"Quantile", nn.QuantileLoss{Quantiles: []float64{0.1, 0.3, 0.5, 0.9}}.Loss, matrix(1), tensor([]float64{0.3, -0.2, 1.7}, 3)},
		{"CTC", func(scores, labels *tarn.Value) *tarn.Value {
			g := scores.Graph()
			return nn.CTCLoss{Reduction: nn.Sum}.Loss(scores.LogSoftmax(2), labels, g.Const(tarn.Vector([]int32{4, 3})), g.Const(tarn.Vector([]int32{2, 1})))
		}, random(tarn.F64, 1, 4, 2, 3), tokens([]int64{1, 1, 2, 0}, 2, 2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			tarntest.CheckGrad(t, func(in ...*tarn.Value) *tarn.Value { return c.loss(in[0], in[1]) }, c.x, c.y)
		})
	}
}

// TestLossGradientsOfThree has the losses of three operands.
func TestLossGradientsOfThree(t *testing.T) {
	for _, c := range []struct {
		name    string
		loss    func(x, y, z *tarn.Value) *tarn.Value
		x, y, z *tarn.Tensor
	}{
		{"TripletMargin", nn.TripletMarginLoss{Margin: 3, Swap: true}.Loss, matrix(1), matrix(2), matrix(3)},
		{"TripletMargin of another norm", nn.TripletMarginLoss{Margin: 3, P: 3, Reduction: nn.None}.Loss, matrix(1), matrix(2), matrix(3)},
		{"CosineEmbedding", nn.CosineEmbeddingLoss{Margin: -0.9}.Loss, matrix(1), matrix(2), tensor([]float64{1, -1, -1}, 3)},
		{"MarginRanking", nn.MarginRankingLoss{Margin: 0.5}.Loss, matrix(1), matrix(2), matrix(3)},
		{"GaussianNLL", nn.GaussianNLLLoss{Full: true}.Loss, matrix(1), matrix(2), positive(3)},
		{"BCE with weights", func(x, y, z *tarn.Value) *tarn.Value { return nn.BCELoss{Weight: z}.Loss(x, y) }, positive(1), positive(2), matrix(3)},
		{"BCEWithLogits with weights", func(x, y, z *tarn.Value) *tarn.Value { return nn.BCEWithLogitsLoss{Weight: z}.Loss(x, y) }, matrix(1), positive(2), tensor([]float64{1, -1, 2}, 3, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			tarntest.CheckGrad(t, func(in ...*tarn.Value) *tarn.Value { return c.loss(in[0], in[1], in[2]) }, c.x, c.y, c.z)
		})
	}
}

func TestLossValues(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	logits := func(x ...float64) *tarn.Tensor { return tensor(x, len(x)/3, 3) }
	vector := func(x ...float64) *tarn.Tensor { return tensor(x, len(x)) }
	for _, c := range []struct {
		name string
		loss func(x, y *tarn.Value) *tarn.Value
		x, y *tarn.Tensor
		want float64
		grad []float64
	}{
		{"no label counts", nn.CrossEntropy, logits(1, 2, 3), tarn.Vector([]int32{-100}), 0, []float64{0, 0, 0}},
		{"no label counts with weights", nn.CrossEntropyLoss{Weight: []float64{0.5, 2, 3}}.Loss, logits(1, 2, 3), tarn.Vector([]int32{-100}), 0, []float64{0, 0, 0}},
		{"no label counts in NLL", nn.NLL, logits(1, 2, 3), tarn.Vector([]int32{-100}), 0, []float64{0, 0, 0}},
		{"NaN where no label counts", nn.CrossEntropy, logits(nan, nan, inf, 0, 0, 0), tarn.Vector([]int32{-100, 1}), math.Log(3), []float64{0, 0, 0, 1. / 3, -2. / 3, 1. / 3}},
		{"NaN where no label counts, smoothed", nn.CrossEntropyLoss{LabelSmoothing: 0.3}.Loss, logits(nan, nan, inf, 0, 0, 0), tarn.Vector([]int32{-100, 1}),
			math.Log(3), []float64{0, 0, 0, 1./3 - 0.1, 1./3 - 0.8, 1./3 - 0.1}},
		{"NaN where no label counts, weighted", nn.CrossEntropyLoss{Weight: []float64{1, 2, 3}}.Loss, logits(nan, -inf, inf, 0, 0, 0), tarn.Vector([]int32{-100, 1}),
			math.Log(3), []float64{0, 0, 0, 1. / 3, -2. / 3, 1. / 3}},
		{"NaN where no label counts in NLL", nn.NLL, logits(nan, nan, inf, 0, -2, 0), tarn.Vector([]int32{-100, 1}), 2, []float64{0, 0, 0, 0, -1, 0}},
		{"a distribution without a class masked out", nn.CrossEntropy, logits(0, 0, -inf), logits(0.5, 0.5, 0), math.Log(2), []float64{0, 0, 0}},
		{"a class masked out that should not be", nn.CrossEntropy, logits(0, 0, -inf), logits(0.5, 0.25, 0.25), inf, []float64{0.5 - 0.5, 0.5 - 0.25, -0.25}},
		{"a target of 0 of an impossible class", nn.KLLoss{Reduction: nn.Sum}.Loss, vector(-inf, math.Log(0.5)), vector(0, 0.5), 0, []float64{0, -0.5}},
		{"an impossible log target", nn.KLLoss{Reduction: nn.Sum, LogTarget: true}.Loss, vector(-2, -1), vector(-inf, -1), 0, []float64{0, -math.Exp(-1)}},
		{"an impossible log target of an impossible class", nn.KLLoss{Reduction: nn.Sum, LogTarget: true}.Loss, vector(-inf, -1), vector(-inf, -1), 0, []float64{0, -math.Exp(-1)}},
		{"infinitely sure and right", nn.BCEWithLogits, vector(inf, -inf), vector(1, 0), 0, []float64{0, 0}},
		{"infinitely sure and right, weighted", nn.BCEWithLogitsLoss{PosWeight: []float64{3}}.Loss, vector(inf, -inf), vector(1, 0), 0, []float64{0, 0}},
		{"infinitely sure and wrong", nn.BCEWithLogits, vector(inf, 0), vector(0, 1), inf, []float64{0.5, -0.25}},
		{"sure and right probabilities", nn.BCELoss{Reduction: nn.Sum}.Loss, vector(1, 0), vector(1, 0), 0, []float64{0, 0}},
		{"no label counts in a sum", nn.CrossEntropyLoss{Reduction: nn.Sum}.Loss, logits(1, 2, 3), tarn.Vector([]int32{-100}), 0, []float64{0, 0, 0}},
		{"two ignored labels", nn.CrossEntropyLoss{Ignore: []int{0, 7}}.Loss, logits(9, 2, 3, 0, 0, 0, 8, 1, 1), tarn.Vector([]int64{0, 1, 7}),
			math.Log(3), []float64{0, 0, 0, 1. / 3, -2. / 3, 1. / 3, 0, 0, 0}},
		{"huge logits", nn.CrossEntropy, logits(1e4, -1e4, 0), tarn.Vector([]int32{1}), 2e4, []float64{1, -1, 0}},
		{"a class masked out", nn.CrossEntropy, logits(0, 0, -inf), tarn.Vector([]int32{1}), math.Log(2), []float64{0.5, -0.5, 0}},
		{"zero logits", nn.BCEWithLogits, vector(0, 0), vector(0, 1), math.Log(2), []float64{0.25, -0.25}},
		{"sure and right", nn.BCEWithLogitsLoss{Reduction: nn.Sum}.Loss, vector(-40, 40), vector(0, 1), 2 * math.Exp(-40), []float64{math.Exp(-40), -math.Exp(-40)}},
		{"sure and wrong", nn.BCEWithLogitsLoss{Reduction: nn.Sum}.Loss, vector(-1e5, 1e5), vector(1, 0), 2e5, []float64{-1, 1}},
		{"a target of 0", nn.KLLoss{Reduction: nn.Sum}.Loss, vector(-2, math.Log(0.5)), vector(0, 0.5), 0, []float64{0, -0.5}},
		{"margin just met", nn.HingeLoss{Margin: 2, Reduction: nn.Sum}.Loss, vector(2, -3, 0.5), vector(1, 1, -1), 5 + 2.5, []float64{0, -1, 1}},
		{"a margin of 0", nn.HingeLoss{Margin: -1, Reduction: nn.Sum}.Loss, vector(2, -3, 0.5), vector(1, 1, -1), 3 + 0.5, []float64{0, -1, 1}},
		{"equal", nn.MAE, vector(1, 1), vector(1, 0), 0.5, []float64{0, 0.5}},
		{"a score far on its side", nn.SoftMarginLoss{Reduction: nn.Sum}.Loss, vector(1e4, -1e4, -1e4), vector(1, -1, 1), 1e4, []float64{0, 0, -1}},
		{"logits too large for an exponential", nn.FocalLoss{Alpha: -1, Gamma: 0.5, Reduction: nn.Sum}.Loss, vector(1e4, -1e4), vector(1, 1), 1e4, []float64{0, -1}},
		{"infinitely sure and right, focal", nn.FocalLoss{Reduction: nn.Sum}.Loss, vector(inf, -inf), vector(1, 0), 0, []float64{0, 0}},
		{"no row that differs", nn.InfoNCELoss{Reduction: nn.Sum}.Loss, logits(0, 0, 0), logits(1, 2, 3), 0, []float64{0, 0, 0}},
		{"a weight of 0 for an infinite loss", func(x, y *tarn.Value) *tarn.Value {
			return nn.BCEWithLogitsLoss{Weight: x.Graph().Const(vector(0, 2)), Reduction: nn.Sum}.Loss(x, y.StopGradient())
		}, vector(inf, 0), vector(0, 1), 2 * math.Log(2), []float64{0, -1}},
		{"a quantile just met", nn.QuantileLoss{Quantiles: []float64{0.9}, Reduction: nn.Sum}.Loss, vector(1, 2, 0), vector(1, 1, 1), 0.1 + 0.9, []float64{-0.4, 0.1, -0.9}},
		{"a count of 0 at the rate 0", nn.PoissonNLLLoss{Rate: true, Full: true}.Loss, vector(0), vector(0), 0, []float64{1}},
		{"no label at all", nn.MultiLabelMargin, logits(1, 2, 3), tokens([]int64{-1, 1, 2}, 1, 3), 0, []float64{0, 0, 0}},
	} {
		g := tarn.NewGraph()
		x, y := g.Input("x", tarn.F64, c.x.Shape()...), g.Input("y", c.y.DType(), c.y.Shape()...)
		loss := c.loss(x, y)
		outputs := tarn.Outputs{"loss": loss, "grad": tarn.Grad(loss, x)[0]}
		if c.y.DType().IsFloat() {
			outputs["target"] = tarn.Grad(loss, y)[0]
		}
		results := run(t, c.name, g, outputs, map[string]*tarn.Tensor{"x": c.x, "y": c.y})
		if diff := results["loss"].Diff(tarn.Scalar(c.want), 1e-14); diff != "" {
			t.Errorf("%s: the loss: %s", c.name, diff)
		}
		if diff := results["grad"].Diff(tensor(c.grad, c.x.Shape()...), 1e-14); diff != "" {
			t.Errorf("%s: the gradient: %s", c.name, diff)
		}
		if target, ok := results["target"]; ok && !math.IsInf(c.want, 0) {
			for i := range target.Size() {
				if d := target.Float(i); math.IsNaN(d) || math.IsInf(d, 0) {
					t.Errorf("%s: the gradient with respect to the target is %v", c.name, target)
					break
				}
			}
		}
	}
}

func tensor(x []float64, shape ...int) *tarn.Tensor {
	t := tarn.Zeros(tarn.F64, shape...)
	copy(t.F64(), x)
	return t
}

// doubled gives the second operand twice.
func doubled(l func(x, y, z *tarn.Value) *tarn.Value) func(x, y *tarn.Value) *tarn.Value {
	return func(x, y *tarn.Value) *tarn.Value { return l(x, y, y) }
}

func TestLossesRefuse(t *testing.T) {
	type loss = func(x, y *tarn.Value) *tarn.Value
	f, i := tarn.F32, tarn.I32
	for name, l := range map[string]loss{
		"MSE": nn.MSE, "MAE": nn.MAE, "Huber": nn.Huber, "SmoothL1": nn.SmoothL1, "BCEWithLogits": nn.BCEWithLogits, "BCE": nn.BCE,
		"KL": nn.KL, "Hinge": nn.Hinge, "HingeEmbedding": nn.HingeEmbedding, "SoftMargin": nn.SoftMargin, "InfoNCE": nn.InfoNCE, "NTXent": nn.NTXent,
		"PoissonNLL": nn.PoissonNLL, "MultiLabelSoftMargin": nn.MultiLabelSoftMargin, "Focal": nn.Focal, "Dice": nn.Dice, "Quantile": nn.Quantile,
		"TripletMargin": func(x, y *tarn.Value) *tarn.Value { return nn.TripletMargin(x, y, y) },
		"GaussianNLL":   func(x, y *tarn.Value) *tarn.Value { return nn.GaussianNLL(x, y, x) },
	} {
		for _, c := range []struct {
			x, y tarn.DType
			xs   []int
			ys   []int
			want string
		}{
			{f, f, []int{8, 1}, []int{8}, "the prediction has shape [8 1] and the target [8]: they should be equal"},
			{f, i, []int{8}, []int{8}, "the prediction is f32 and the target i32: Cast one of them"},
			{i, i, []int{8}, []int{8}, "the operands are i32 and should be f32 or f64"},
		} {
			g := tarn.NewGraph()
			l(g.Input("x", c.x, c.xs...), g.Input("y", c.y, c.ys...))
			refused(t, name, g, []string{name + ": " + c.want})
		}
		g := tarn.NewGraph()
		l(g.Input("x", f, 2), nil)
		refused(t, name, g, []string{name + ": the target is nil"})
	}
	for _, c := range []struct {
		name string
		loss loss
		x, y tarn.DType
		xs   []int
		ys   []int
		want string
	}{
		{"a column of labels", nn.CrossEntropy, f, i, []int{8, 3}, []int{8, 1}, "CrossEntropy: the scores have shape [8 3] and the target [8 1]: the target should have shape [8]"},
		{"bool labels", nn.CrossEntropy, f, tarn.Bool, []int{8, 3}, []int{8}, "CrossEntropy: the target is bool and should be i32 or i64"},
		{"probabilities of another shape", nn.CrossEntropy, f, f, []int{8, 3}, []int{8}, "CrossEntropy: the logits have shape [8 3] and the target [8]"},
		{"probabilities of another dtype", nn.CrossEntropy, f, tarn.F64, []int{8, 3}, []int{8, 3}, "CrossEntropy: the logits are f32 and the target f64"},
		{"integer logits", nn.CrossEntropy, i, i, []int{8, 3}, []int{8}, "CrossEntropy: the scores are i32"},
		{"a scalar", nn.NLL, f, i, nil, nil, "NLL: the scores are a scalar"},
		{"no classes", nn.NLL, f, i, []int{8, 0}, []int{8}, "NLL: the scores have shape [8 0], with no classes"},
		{"too few weights", nn.CrossEntropyLoss{Weight: []float64{1, 2}}.Loss, f, i, []int{8, 3}, []int{8}, "CrossEntropy: there are 2 class weights and 3 classes"},
		{"float labels", nn.MultiMargin, f, f, []int{8, 3}, []int{8}, "MultiMargin: the target is f32 and should be i32 or i64"},
		{"too much smoothing", nn.CrossEntropyLoss{LabelSmoothing: 1.5}.Loss, f, i, []int{8, 3}, []int{8}, "CrossEntropy: LabelSmoothing is 1.5"},
		{"negative delta", nn.HuberLoss{Delta: -1}.Loss, f, f, []int{8}, []int{8}, "Huber: Delta is -1 and should be positive"},
		{"negative beta", nn.SmoothL1Loss{Beta: -1}.Loss, f, f, []int{8}, []int{8}, "SmoothL1: Beta is -1 and should be positive"},
		{"labels of another shape", nn.MultiLabelMargin, f, i, []int{8, 3}, []int{8, 2}, "MultiLabelMargin: the scores have shape [8 3] and the target [8 2]"},
		{"labels that are floats", nn.MultiLabelMargin, f, f, []int{8, 3}, []int{8, 3}, "MultiLabelMargin: the target is f32 and should be i32 or i64"},
		{"class weights of several labels", nn.MultiLabelSoftMarginLoss{Weight: []float64{1, 2}}.Loss, f, f, []int{8, 3}, []int{8, 3}, "MultiLabelSoftMargin: there are 2 class weights and 3 classes"},
		{"several labels of a scalar", nn.MultiLabelSoftMargin, f, f, nil, nil, "MultiLabelSoftMargin: the scores are a scalar"},
		{"an infinite margin", nn.HingeEmbeddingLoss{Margin: math.Inf(1)}.Loss, f, f, []int{8}, []int{8}, "HingeEmbedding: Margin is +Inf and should be finite"},
		{"a negative temperature", nn.InfoNCELoss{Temperature: -1}.Loss, f, f, []int{8, 3}, []int{8, 3}, "InfoNCE: Temperature is -1 and should be finite and positive"},
		{"views that are no rows", nn.NTXent, f, f, []int{8}, []int{8}, "NTXent: the operands have shape [8] and should be [n size]"},
		{"a negative power", nn.FocalLoss{Gamma: -1}.Loss, f, f, []int{8}, []int{8}, "Focal: Alpha is 0 and Gamma -1"},
		{"regions without channels", nn.Dice, f, f, []int{8, 3}, []int{8, 3}, "Dice: the operand has shape [8 3]"},
		{"a negative smoothing", nn.DiceLoss{Smooth: -1}.Loss, f, f, []int{8, 3, 1}, []int{8, 3, 1}, "Dice: Smooth is -1"},
		{"a quantile above 1", nn.QuantileLoss{Quantiles: []float64{2}}.Loss, f, f, []int{8}, []int{8}, "Quantile: Quantiles are [2] and should lie between 0 and 1"},
		{"quantiles without an axis", nn.QuantileLoss{Quantiles: []float64{0.1, 0.9}}.Loss, f, f, []int{8}, []int{8}, "Quantile: the predictions have shape [8] and the target [8]"},
		{"a negative Eps of rates", nn.PoissonNLLLoss{Eps: -1}.Loss, f, f, []int{8}, []int{8}, "PoissonNLL: Eps is -1"},
		{"a margin that is no number", doubled(nn.TripletMarginLoss{Margin: math.NaN()}.Loss), f, f, []int{8}, []int{8}, "TripletMargin: Margin is NaN"},
		{"a negative norm", doubled(nn.TripletMarginLoss{P: -1}.Loss), f, f, []int{8}, []int{8}, "TripletMargin: P is -1"},
		{"a triplet of scalars", doubled(nn.TripletMargin), f, f, nil, nil, "TripletMargin: the operands are scalars"},
		{"a cosine's label for each element", doubled(nn.CosineEmbedding), f, f, []int{8, 3}, []int{8, 3}, "CosineEmbedding: the target has shape [8 3] and should have shape [8]"},
		{"a margin above 1", doubled(nn.CosineEmbeddingLoss{Margin: 2}.Loss), f, f, []int{8}, []int{8}, "CosineEmbedding: the target has shape [8] and should have shape []"},
		{"ranks of another shape", doubled(nn.MarginRanking), f, f, []int{8}, []int{8, 1}, "MarginRanking: the operands have the shapes [8] and [8 1]: they should be equal"},
		{"ranks of integers", doubled(nn.MarginRanking), f, i, []int{8}, []int{8}, "MarginRanking: the operands are f32, i32 and i32: Cast them to one type"},
		{"an infinite margin of ranks", doubled(nn.MarginRankingLoss{Margin: math.Inf(1)}.Loss), f, f, []int{8}, []int{8}, "MarginRanking: Margin is +Inf"},
		{"variances of another shape", func(x, y *tarn.Value) *tarn.Value { return nn.GaussianNLL(x, x, y) }, f, f, []int{8, 3}, []int{8, 2}, "GaussianNLL: the means have shape [8 3] and the variances [8 2]"},
		{"variances of another type", func(x, y *tarn.Value) *tarn.Value { return nn.GaussianNLL(x, x, y) }, f, tarn.F64, []int{8, 3}, []int{8}, "GaussianNLL: the means are f32 and the variances f64"},
		{"a negative Eps", doubled(nn.GaussianNLLLoss{Eps: -1}.Loss), f, f, []int{8}, []int{8}, "GaussianNLL: Eps is -1"},
		{"weights of another shape", func(x, y *tarn.Value) *tarn.Value { return nn.BCELoss{Weight: y}.Loss(x, x) }, f, f, []int{8, 3}, []int{8}, "BCE: the losses are f32[8 3] and Weight is f32[8]"},
		{"too few positive weights", nn.BCEWithLogitsLoss{PosWeight: []float64{1, 2}}.Loss, f, f, []int{8, 3}, []int{8, 3}, "BCEWithLogits: PosWeight has 2 numbers and should have 1 or 3"},
	} {
		g := tarn.NewGraph()
		c.loss(g.Input("x", c.x, c.xs...), g.Input("y", c.y, c.ys...))
		refused(t, c.name, g, []string{c.want})
	}
	g := tarn.NewGraph()
	nn.CrossEntropy(g.Input("x", f, 2, 3), nil)
	refused(t, "nil", g, []string{"CrossEntropy: the target is nil"})
	for name, l := range map[string]func(x, y, z *tarn.Value) *tarn.Value{
		"CosineEmbedding: operand 3": nn.CosineEmbedding, "MarginRanking: operand 3": nn.MarginRanking, "GaussianNLL: the variance": nn.GaussianNLL,
	} {
		g := tarn.NewGraph()
		x := g.Input("x", f, 2, 3)
		l(x, x, nil)
		refused(t, name, g, []string{name + " is nil"})
	}
}

// TestIndicesOutOfRange: what no rule of shapes can see is an error of Run, with the place.
func TestIndicesOutOfRange(t *testing.T) {
	label := tarn.Vector([]int32{1, 3})
	for _, c := range []struct {
		name string
		f    func(x, label *tarn.Value) *tarn.Value
	}{
		{"CrossEntropy", nn.CrossEntropy},
		{"CrossEntropy weighted", nn.CrossEntropyLoss{Weight: []float64{1, 2, 3}}.Loss},
		{"CrossEntropy that ignores nothing", nn.CrossEntropyLoss{Ignore: []int{}}.Loss},
		{"NLL", nn.NLL},
		{"MultiMargin", nn.MultiMargin},
		{"MultiLabelMargin", func(x, label *tarn.Value) *tarn.Value {
			return nn.MultiLabelMargin(x, label.Unsqueeze(1).Expand(2, 3))
		}},
		{"Embedding", func(x, label *tarn.Value) *tarn.Value { return nn.NewEmbedding(3, 2).Forward(label) }},
	} {
		g := tarn.NewGraph()
		x := g.Const(random(tarn.F32, 1, 2, 3))
		program, err := tarn.Compile(g, tarn.Outputs{"y": c.f(x, g.Input("label", tarn.I32, 2))})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		_, err = program.Run(label)
		for _, want := range []string{"loss_test.go:", "the index 3 at [1", "out of range", "of size 3"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q in it", c.name, err, want)
			}
		}
	}
}

// TestMistakesBelowAreReportedOnce: a layer or loss of a value that is itself a mistake adds no report.
func TestMistakesBelowAreReportedOnce(t *testing.T) {
	g := tarn.NewGraph()
	bad := nn.NewLinear(4, 3).Forward(g.Input("x", tarn.F32, 2, 5))
	label := g.Input("y", tarn.I32, 2)
	hidden := nn.NewSequential(nn.NewLinear(3, 3), nn.ReLU{}, nn.NewLayerNorm(3), nn.NewDropout(0.5), nn.Flatten{}).Forward(bad)
	nn.CrossEntropyLoss{Weight: []float64{1, 2, 3}, LabelSmoothing: 0.1}.Loss(hidden, label)
	nn.MultiMargin(hidden, label)
	nn.MSE(hidden, hidden)
	nn.NewEmbedding(3, 3).Forward(hidden)
	refused(t, "poison", g, []string{"Linear: the input has shape [2 5]"})
}
