package onnx_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/interop/onnx"
)

// A forward pass is written as an ONNX model, which any number of rows may be asked of.
func ExampleWrite() {
	var b bytes.Buffer
	err := onnx.Write(&b, func(g *tarn.Graph, n int) tarn.Outputs {
		return tarn.Outputs{"y": g.Input("x", tarn.F32, n, 2).Square().Sum(-1)}
	}, onnx.ExportOptions{})
	if err != nil {
		log.Fatal(err)
	}

	m, err := onnx.Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		log.Fatal(err)
	}
	x, err := tarn.FromSlice([]float32{3, 4, 5, 12}, 2, 2)
	if err != nil {
		log.Fatal(err)
	}
	out, err := m.Run(context.Background(), map[string]*tarn.Tensor{"x": x})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Operators(), out["y"].F32())
	// Output:
	// map[Identity:1 Mul:1 ReduceSum:1 Shape:1] [25 169]
}
