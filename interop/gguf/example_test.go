package gguf_test

import (
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn/interop/gguf"
)

// Some tensors of a large file are read without the others.
func ExampleOpen() {
	r, err := gguf.Open("testdata/small.gguf")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	info, _ := r.Info("q8_0")
	fmt.Println(len(r.Names()), "tensors; q8_0 is", info.Type, info.Shape)
	t, err := r.Tensor("q8_0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("read as", t.DType(), t.Shape())
	// Output:
	// 25 tensors; q8_0 is Q8_0 [3 64]
	// read as f32 [3 64]
}
