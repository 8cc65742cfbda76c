// Package nn has layers, initializers and losses.
//
// A layer is a plain struct: its *tarn.Param fields are its weights, under the names PyTorch gives them, its other fields
// are its configuration, and Forward adds it to a graph. Models are structs of layers, and layers themselves.
//
//	m := nn.NewSequential(nn.NewLinear(784, 128), nn.ReLU{}, nn.NewDropout(0.2), nn.NewLinear(128, 10))
//	tarn.Init(m, 42)
//	g := tarn.NewGraph()
//	image, label := g.Input("image", tarn.F32, 32, 784), g.Input("label", tarn.I32, 32)
//	loss := nn.CrossEntropy(m.Forward(image), label)
//
// Layers are made in f32; tarn.Cast makes a model f64. Dropout acts where the graph is for training, and not after
// Graph.Eval. Each loss is a function with the usual choices, and a struct of the options with a method Loss.
package nn
