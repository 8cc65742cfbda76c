package nn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file compares the losses of pairs, likelihoods, several labels, regions and quantiles with PyTorch: testdata/losses.py writes the numbers.

// of, of3 and weighted make models of losses whose operands are called a, b and c.
func of(f func(x, y *tarn.Value) *tarn.Value) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		return nil, func(in map[string]*tarn.Value) *tarn.Value { return f(in["a"], in["b"]) }
	}
}

func of3(f func(x, y, z *tarn.Value) *tarn.Value) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		return nil, func(in map[string]*tarn.Value) *tarn.Value { return f(in["a"], in["b"], in["c"]) }
	}
}

func weightedBCE(r nn.Reduction) attentionModel {
	return of3(func(x, y, w *tarn.Value) *tarn.Value { return nn.BCELoss{Weight: w, Reduction: r}.Loss(x, y) })
}

func lossModels() map[string]attentionModel {
	return map[string]attentionModel{
		"TripletMargin": of3(nn.TripletMargin), "TripletMargin sum": of3(nn.TripletMarginLoss{Reduction: nn.Sum}.Loss), "TripletMargin none": of3(nn.TripletMarginLoss{Reduction: nn.None}.Loss),
		"TripletMargin with all":  of3(nn.TripletMarginLoss{Margin: 0.7, P: 3, Eps: 1e-3, Swap: true, Reduction: nn.None}.Loss),
		"TripletMargin of norm 1": of3(nn.TripletMarginLoss{P: 1, Reduction: nn.None}.Loss), "TripletMargin of vectors": of3(nn.TripletMargin),
		"CosineEmbedding": of3(nn.CosineEmbedding), "CosineEmbedding sum": of3(nn.CosineEmbeddingLoss{Reduction: nn.Sum}.Loss),
		"CosineEmbedding none":             of3(nn.CosineEmbeddingLoss{Reduction: nn.None}.Loss),
		"CosineEmbedding with a margin":    of3(nn.CosineEmbeddingLoss{Margin: 0.3, Reduction: nn.None}.Loss),
		"CosineEmbedding of other targets": of3(nn.CosineEmbeddingLoss{Reduction: nn.None}.Loss),
		"CosineEmbedding of vectors":       of3(nn.CosineEmbedding), "CosineEmbedding of zeros": of3(nn.CosineEmbedding),
		"MarginRanking": of3(nn.MarginRanking), "MarginRanking sum": of3(nn.MarginRankingLoss{Reduction: nn.Sum}.Loss), "MarginRanking none": of3(nn.MarginRankingLoss{Reduction: nn.None}.Loss),
		"MarginRanking with a margin": of3(nn.MarginRankingLoss{Margin: 0.8, Reduction: nn.None}.Loss),
		"HingeEmbedding":              of(nn.HingeEmbedding), "HingeEmbedding sum": of(nn.HingeEmbeddingLoss{Reduction: nn.Sum}.Loss), "HingeEmbedding none": of(nn.HingeEmbeddingLoss{Reduction: nn.None}.Loss),
		"HingeEmbedding with a margin":    of(nn.HingeEmbeddingLoss{Margin: 0.4, Reduction: nn.None}.Loss),
		"HingeEmbedding of other targets": of(nn.HingeEmbeddingLoss{Reduction: nn.None}.Loss),
		"SoftMargin":                      of(nn.SoftMargin), "SoftMargin none": of(nn.SoftMarginLoss{Reduction: nn.None}.Loss),
		"InfoNCE": of(nn.InfoNCE), "InfoNCE sum": of(nn.InfoNCELoss{Reduction: nn.Sum}.Loss), "InfoNCE none": of(nn.InfoNCELoss{Reduction: nn.None}.Loss),
		"InfoNCE symmetric": of(nn.InfoNCELoss{Temperature: 0.3, Symmetric: true, Reduction: nn.None}.Loss),
		"NTXent":            of(nn.NTXent), "NTXent sum": of(nn.NTXentLoss{Reduction: nn.Sum}.Loss), "NTXent none": of(nn.NTXentLoss{Reduction: nn.None}.Loss),
		"NTXent of another temperature": of(nn.NTXentLoss{Temperature: 0.1}.Loss),

		"GaussianNLL": of3(nn.GaussianNLL), "GaussianNLL sum": of3(nn.GaussianNLLLoss{Reduction: nn.Sum}.Loss), "GaussianNLL none": of3(nn.GaussianNLLLoss{Reduction: nn.None}.Loss),
		"GaussianNLL full":                  of3(nn.GaussianNLLLoss{Full: true, Eps: 0.4, Reduction: nn.None}.Loss),
		"GaussianNLL of one variance a row": of3(nn.GaussianNLL), "GaussianNLL of fewer axes": of3(nn.GaussianNLL),
		"PoissonNLL": of(nn.PoissonNLL), "PoissonNLL sum": of(nn.PoissonNLLLoss{Reduction: nn.Sum}.Loss), "PoissonNLL none": of(nn.PoissonNLLLoss{Reduction: nn.None}.Loss),
		"PoissonNLL full":     of(nn.PoissonNLLLoss{Full: true, Reduction: nn.None}.Loss),
		"PoissonNLL of rates": of(nn.PoissonNLLLoss{Rate: true, Full: true, Eps: 1e-3}.Loss),

		"MultiLabelMargin": of(nn.MultiLabelMargin), "MultiLabelMargin sum": of(nn.MultiLabelMarginLoss{Reduction: nn.Sum}.Loss), "MultiLabelMargin none": of(nn.MultiLabelMarginLoss{Reduction: nn.None}.Loss),
		"MultiLabelMargin of one example": of(nn.MultiLabelMargin),
		"MultiLabelSoftMargin":            of(nn.MultiLabelSoftMargin), "MultiLabelSoftMargin sum": of(nn.MultiLabelSoftMarginLoss{Reduction: nn.Sum}.Loss),
		"MultiLabelSoftMargin none":     of(nn.MultiLabelSoftMarginLoss{Reduction: nn.None}.Loss),
		"MultiLabelSoftMargin weighted": of(nn.MultiLabelSoftMarginLoss{Weight: classWeights}.Loss),

		"BCE of weighted elements": weightedBCE(nn.Mean), "BCE of weighted columns": weightedBCE(nn.None), "BCE of weighted rows": weightedBCE(nn.Sum),
		"BCEWithLogits of weighted elements": of3(func(x, y, w *tarn.Value) *tarn.Value {
			return nn.BCEWithLogitsLoss{Weight: w, PosWeight: []float64{2.5}}.Loss(x, y)
		}),
		"BCEWithLogits of weighted columns": of3(func(x, y, w *tarn.Value) *tarn.Value {
			return nn.BCEWithLogitsLoss{Weight: w, Reduction: nn.None}.Loss(x, y)
		}),

		"Focal": of(nn.Focal), "Focal sum": of(nn.FocalLoss{Reduction: nn.Sum}.Loss), "Focal none": of(nn.FocalLoss{Reduction: nn.None}.Loss),
		"Focal of hard targets": of(nn.Focal), "Focal of another power": of(nn.FocalLoss{Alpha: 0.6, Gamma: 0.5, Reduction: nn.None}.Loss),
		"Focal without weights": of(nn.FocalLoss{Alpha: -1, Gamma: 3}.Loss),
		"Dice":                  of(nn.Dice), "Dice sum": of(nn.DiceLoss{Reduction: nn.Sum}.Loss), "Dice none": of(nn.DiceLoss{Reduction: nn.None}.Loss),
		"Dice of logits":  of(nn.DiceLoss{Logits: true, Squared: true, Smooth: 1, Reduction: nn.None}.Loss),
		"Dice of nothing": of(nn.Dice),
		"Quantile":        of(nn.Quantile), "Quantile 0.9": of(nn.QuantileLoss{Quantiles: []float64{0.9}, Reduction: nn.None}.Loss),
		"Quantile of three": of(nn.QuantileLoss{Quantiles: []float64{0.1, 0.5, 0.95}}.Loss),
	}
}

func TestLossGoldens(t *testing.T) { checkGoldens(t, "losses", lossModels) }
