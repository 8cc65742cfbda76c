// Package onnx reads models in the ONNX format into graphs that run, have gradients and can be trained further, and writes graphs of tarn in this format.
//
//	m, err := onnx.Load("model.onnx")
//	out, err := m.Run(ctx, map[string]*tarn.Tensor{"input": x}) // the answers, for inputs of any shapes that the model takes
//
// Load reads operator sets 9 to 26 and refuses, all at once and by name, what it has no operator for. The weights of the model are params, with
// the names that they have in the file, so that package train trains them, and package safetensors saves and loads them:
//
//	g := tarn.NewGraph()
//	y, err := m.Build(g, map[string]*tarn.Value{"input": g.Input("x", tarn.F32, 32, 3, 224, 224)}, onnx.Options{})
//	step, err := train.NewStep(nn.CrossEntropy(y["logits"], g.Input("label", tarn.I32, 32)), m, opt)
//
// A model with free axes gets its shapes when a graph is built: what it computes from the shapes of its inputs is computed then. Types that tarn does
// not have are carried by wider ones: float16 and bfloat16 by F32, integers of 8 and 16 bits by I32, uint32 and uint64 by I64. What float16 would
// round, F32 keeps.
package onnx
