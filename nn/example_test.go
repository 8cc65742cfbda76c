package nn_test

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// A model is made of layers and is a layer itself. Its weights have the names that PyTorch gives them.
func ExampleSequential() {
	m := nn.NewSequential(nn.NewLinear(784, 128), nn.ReLU{}, nn.NewDropout(0.2), nn.NewLinear(128, 10))
	params, err := tarn.Params(m)
	if err != nil {
		fmt.Println(err)
	}
	for _, p := range params.All() {
		fmt.Println(p)
	}
	// Output:
	// 0.weight f32[128 784]
	// 0.bias f32[128]
	// 3.weight f32[10 128]
	// 3.bias f32[10]
}

// Training a model and evaluating it are two graphs of one struct.
func ExampleDropout() {
	half := nn.NewDropout(0.5)
	for _, training := range []bool{true, false} {
		g := tarn.NewGraph()
		if !training {
			g.Eval()
		}
		y := half.Forward(g.Input("x", tarn.F32, 6))
		program, err := tarn.Compile(g, tarn.Outputs{"y": y})
		if err != nil {
			fmt.Println(err)
			return
		}
		out, err := program.Run(tarn.Vector([]float32{1, 1, 1, 1, 1, 1}))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(out["y"].F32())
	}
	// Output:
	// [2 2 0 2 0 2]
	// [1 1 1 1 1 1]
}

// A loss is a function with the usual choices, and a struct where there is more to choose.
func ExampleCrossEntropyLoss() {
	g := tarn.NewGraph()
	logits, label := g.Input("logits", tarn.F64, 2, 3), g.Input("label", tarn.I32, 2)
	program, err := tarn.Compile(g, tarn.Outputs{
		"plain":    nn.CrossEntropy(logits, label),
		"smoothed": nn.CrossEntropyLoss{LabelSmoothing: 0.1, Ignore: []int{0}}.Loss(logits, label),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := tarn.FromSlice([]float64{2, 0, 0, 0, 2, 0}, 2, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := program.Run(x, tarn.Vector([]int32{0, 1}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.4f %.4f\n", out["plain"].Item(), out["smoothed"].Item())
	// Output: 0.2395 0.3729
}
