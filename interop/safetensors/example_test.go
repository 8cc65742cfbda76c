package safetensors_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

// One tensor of a large file is read without the others.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")
	if err := safetensors.Save(path, map[string]*tarn.Tensor{"bias": tarn.Zeros(tarn.F32, 3), "weight": tarn.Zeros(tarn.F32, 3, 1000)}, nil); err != nil {
		log.Fatal(err)
	}

	r, err := safetensors.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	for _, name := range r.Names() {
		info, _ := r.Info(name)
		fmt.Println(name, info.DType, info.Shape)
	}
	bias, err := r.Tensor("bias")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bias.F32())
	// Output:
	// bias F32 [3]
	// weight F32 [3 1000]
	// [0 0 0]
}
