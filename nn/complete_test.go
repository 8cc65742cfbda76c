package nn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn/internal/declared"
)

// This file checks that the tables are complete: each layer has its derivatives, save and load, training and evaluation
// tested; each loss its derivatives; each initializer what it draws; and all that PyTorch has too are compared with it.

func TestTablesAreComplete(t *testing.T) {
	p := declared.Read(t, ".")
	layers := p.TypesWith("Forward").Without(t, "Recurrent")                              // which RNN, LSTM and GRU embed
	cells := p.TypesWith("Next").Without(t, "RecurrentCell", "GPT", "MultiHeadAttention") // which the cells embed; which generate
	transforms := p.TypesWith("Apply")
	p.Check("layer", layers.Join(p.Constructors(layers)), "layerTable")
	p.Check("cell", cells.Join(p.Constructors(cells)), "layerTable")

	p.Check("transform of weights", transforms, "layerTable")

	goldens := []string{"goldenModels", "imageModels", "attentionModels", "recurrentModel", "lossModels", "variantModels", "fakeQuantizeCases"}
	// PyTorch has none of these, or none that can be compared.
	own := []string{"Func", "GPT", "Dropout", "Dropout2d", "DropPath", "ChannelsFirst", "ChannelsLast", "LearnedPosition", "SinusoidalPosition"}
	p.Check("layer with a golden", layers.Without(t, own...), goldens...)

	p.Check("cell with a golden", cells, goldens...)

	p.Check("transform of weights with a golden", transforms.Without(t, "WeightNoise").Join(p.Constructors(transforms)), "imageModels", "fakeQuantizeCases")

	losses := p.FuncsWith("func(*tarn.Value, *tarn.Value) *tarn.Value", "func(*tarn.Value, *tarn.Value, *tarn.Value) *tarn.Value").Join(p.TypesWith("Loss"))
	p.Check("loss", p.TypesWith("Loss"), "TestLossGradients", "TestLossGradientsOfThree")
	p.Check("loss with a golden", losses.Without(t, "HingeLoss"), append(goldens, "init")...)

	p.Check("initializer", p.FuncsWith("func() tarn.Initializer"), "TestInitializersDrawTheirDistribution", "TestOrthogonal")
}
