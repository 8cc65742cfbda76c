//go:build (linux || darwin) && (amd64 || arm64)

package pjrt_test

import (
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/pjrt"
)

// This file tests what the plugin's compiler makes of a training step.

// TestNoCopies expects params and moments to be overwritten in place, also where an update reads them twice.
func TestNoCopies(t *testing.T) {
	for name, guarded := range map[string]bool{"plain": false, "guarded": true} {
		t.Run(name, func(t *testing.T) {
			e := &pjrt.Spy{Engine: engine(t)}
			stepOf(t, e, guarded)
			code, err := e.Optimized()
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(code, "\x12\x04copy"); n > 0 { // field 2 of an instruction, its opcode
				t.Errorf("the program copies %d arrays", n)
			}
			if n := strings.Count(code, "\x12\x03dot"); n == 0 {
				t.Error("the program has no products: its encoding is another one than this test reads")
			}
		})
	}
}

// TestManyGuards expects the program of a guarded step to grow with the number of params and not with its square.
func TestManyGuards(t *testing.T) {
	e := &pjrt.Spy{Engine: engine(t)}
	sizes := map[int]int{}
	for _, layers := range []int{6, 12} {
		var all []nn.Layer
		for range layers {
			all = append(all, nn.NewLinear(8, 8))
		}
		m := nn.NewSequential(all...)
		params, err := tarn.Params(m)
		if err != nil {
			t.Fatal(err)
		}
		g := tarn.NewGraph()
		loss := m.Forward(g.Input("x", tarn.F32, 32, 8)).Square().Mean()
		updates, err := optim.NewAdam(1e-3).Update(loss, params)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tarn.CompileOn(e, g, tarn.Outputs{"loss": loss}, append(updates, tarn.Guard(loss))...); err != nil {
			t.Fatal(err)
		}
		code, err := e.Optimized()
		if err != nil {
			t.Fatal(err)
		}
		sizes[layers] = len(code)
	}
	if float64(sizes[12]) > 2.5*float64(sizes[6]) {
		t.Errorf("the program of 6 layers has %d bytes, and that of 12 has %d", sizes[6], sizes[12])
	}
}

// TestTextFlag compiles with a flag that is a string: the folder of CUDA, which this plugin knows and does not use. One that it does not know is refused.
func TestTextFlag(t *testing.T) {
	for flag, known := range map[string]bool{"xla_gpu_cuda_data_dir": true, "xla_no_such_dir": false} {
		e, err := pjrt.Open(pjrt.Options{Plugin: pluginName(t)})
		if err != nil {
			t.Fatal(err)
		}
		pjrt.SetFlag(e, flag, t.TempDir())
		g := tarn.NewGraph()
		if _, err := tarn.CompileOn(e, g, tarn.Outputs{"y": g.Input("x", tarn.F32, 2).Exp()}); (err == nil) != known {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
