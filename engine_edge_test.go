package tarn_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
)

// This file tests the edges of programs: outputs and updates that are leaves or views, inputs that are the program's own
// memory, runs that fail in their middle, and the debug switches.

func mustRun(t *testing.T, p *tarn.Program, in ...*tarn.Tensor) tarn.Results {
	t.Helper()
	out, err := p.Run(in...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustCompile(t *testing.T, g *tarn.Graph, outputs tarn.Outputs, updates ...tarn.Update) *tarn.Program {
	t.Helper()
	p, err := tarn.Compile(g, outputs, updates...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func square(a, b, c, d float32) *tarn.Tensor {
	t := tarn.Zeros(tarn.F32, 2, 2)
	copy(t.F32(), []float32{a, b, c, d})
	return t
}

// TestPlainOutputs outputs what no step computes: inputs, params, constants, views of them, and one value several times.
func TestPlainOutputs(t *testing.T) {
	w := tarn.NewParam(tarn.F32, nil, 2, 2)
	if err := w.Set(square(1, 2, 3, 4)); err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 3)
	c := g.Const(tarn.Vector([]float32{5, 6}))
	y := x.Exp().Log1p()
	empty := x.Slice(0, 1, 1)
	p := mustCompile(t, g, tarn.Outputs{"x": x, "again": x, "w": w.Value(g), "transposed": w.Value(g).Permute(1, 0), "c": c, "flipped": c.Flip(0),
		"number": g.Num(tarn.I64, 7), "y": y, "y again": y, "part of y": y.Slice(0, 1, 2), "rows of y": y.Expand(2, 3), "empty": empty, "empty sum": empty.Sum()},
		tarn.Assign(w, w.Value(g).AddNum(1)))
	for _, step := range []float32{0, 1} {
		in := tarn.Vector([]float32{1, -1, step})
		out := mustRun(t, p, in)
		a := step
		checkNear(t, "x", out["x"], in, 0)
		checkNear(t, "x again", out["again"], in, 0)
		checkNear(t, "w", out["w"], square(1+a, 2+a, 3+a, 4+a), 0)
		checkNear(t, "w transposed", out["transposed"], square(1+a, 3+a, 2+a, 4+a), 0)
		checkNear(t, "c", out["c"], tarn.Vector([]float32{5, 6}), 0)
		checkNear(t, "c flipped", out["flipped"], tarn.Vector([]float32{6, 5}), 0)
		checkNear(t, "number", out["number"], tarn.Scalar(int64(7)), 0)
		checkNear(t, "y again", out["y again"], out["y"], 0)
		checkNear(t, "part of y", out["part of y"], tarn.Vector([]float32{float32(out["y"].Float(1))}), 0)
		for i := range 6 {
			if out["rows of y"].Float(i) != out["y"].Float(i%3) {
				t.Errorf("the rows are %v and should each be %v", out["rows of y"], out["y"])
			}
		}
		if out["empty"].Size() != 0 || out["empty sum"].Item() != 0 {
			t.Errorf("of nothing there is %v with the sum %v", out["empty"], out["empty sum"])
		}
		for name := range out {
			for other := range out {
				if name != other && out[name].Size() > 0 && out[other].Size() > 0 && &out[name].Raw()[0] == &out[other].Raw()[0] {
					t.Errorf("the outputs %q and %q share memory", name, other)
				}
			}
		}
	}
}

// TestAssignPlain stores what no step computes: an input, a constant, a view of another param, a value that is an output too.
func TestAssignPlain(t *testing.T) {
	param := func(xs ...float32) *tarn.Param {
		p := tarn.NewParam(tarn.F32, nil, len(xs))
		if err := p.Set(tarn.Vector(xs)); err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b, c, d, e := param(1, 2), param(3, 4), param(5, 6), param(7, 8), param(9, 10)
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 2)
	sum := d.Value(g).Add(a)
	p := mustCompile(t, g, tarn.Outputs{"sum": sum}, tarn.Assign(a, x), tarn.Assign(b, a.Value(g).Flip(0)), tarn.Assign(c, g.Const(tarn.Vector([]float32{-1, -2}))),
		tarn.Assign(d, sum), tarn.Assign(e, e.Value(g).Flip(0).Add(e)))
	out := mustRun(t, p, tarn.Vector([]float32{20, 30}))
	checkNear(t, "a, from the input", a.Tensor(), tarn.Vector([]float32{20, 30}), 0)
	checkNear(t, "b, from the old a backwards", b.Tensor(), tarn.Vector([]float32{2, 1}), 0)
	checkNear(t, "c, from a constant", c.Tensor(), tarn.Vector([]float32{-1, -2}), 0)
	checkNear(t, "d, from the output", d.Tensor(), tarn.Vector([]float32{8, 10}), 0)
	checkNear(t, "the output", out["sum"], tarn.Vector([]float32{8, 10}), 0)
	checkNear(t, "e, from itself and itself backwards", e.Tensor(), tarn.Vector([]float32{19, 19}), 0)
}

// TestOwnMemoryAsInput runs a program on its own output and on its own param, as a recurrence does: it takes their contents
// from before the run.
func TestOwnMemoryAsInput(t *testing.T) {
	const n = 5000
	w := tarn.NewParam(tarn.F32, nil, n)
	g := tarn.NewGraph()
	x, z := g.Input("x", tarn.F32, n), g.Input("z", tarn.F32, n)
	next := x.AddNum(1)
	p := mustCompile(t, g, tarn.Outputs{"next": next, "back": x.Flip(0).Add(z)}, tarn.Assign(w, w.Value(g).AddNum(10)))
	first := tarn.Zeros(tarn.F32, n)
	for i := range n {
		first.SetFloat(i, float64(i))
	}
	out := mustRun(t, p, first, w.Tensor())
	for step := 1; step < 4; step++ {
		out = mustRun(t, p, out["next"], w.Tensor())
		for _, i := range []int{0, 17, n - 1} {
			if got, want := out["next"].Float(i), float64(i+step+1); got != want {
				t.Fatalf("step %d: element %d is %v and should be %v", step, i, got, want)
			}
			if got, want := out["back"].Float(i), float64(n-1-i+step+10*step); got != want {
				t.Fatalf("step %d: element %d backwards is %v and should be %v", step, i, got, want)
			}
		}
	}
}

// TestFailedRunAssignsNothing lets a run find an index out of range after everything that an update needs is there.
func TestFailedRunAssignsNothing(t *testing.T) {
	w, v := tarn.NewParam(tarn.F32, nil, 3), tarn.NewParam(tarn.F32, nil, 4, 2)
	g := tarn.NewGraph()
	index := g.Input("index", tarn.I32, 2)
	// The look-up waits for two long chains; the update of w for nothing.
	late := v.Value(g).Exp().Sum(1).Softmax(0).CumSum(0).Take(0, index)
	p := mustCompile(t, g, tarn.Outputs{"y": late}, tarn.Assign(w, w.Value(g).AddNum(1)), tarn.Assign(v, v.Value(g).AddNum(1)))
	if _, err := p.Run(tarn.Vector([]int32{0, 4})); err == nil || !strings.Contains(err.Error(), "out of range") {
		t.Fatalf("the error is %v", err)
	}
	checkNear(t, "w after a failed run", w.Tensor(), tarn.Zeros(tarn.F32, 3), 0)
	checkNear(t, "v after a failed run", v.Tensor(), tarn.Zeros(tarn.F32, 4, 2), 0)
	if p.Runs() != 0 {
		t.Errorf("a failed run counts")
	}
	mustRun(t, p, tarn.Vector([]int32{0, 3}))
	checkNear(t, "w", w.Tensor(), tarn.Vector([]float32{1, 1, 1}), 0)
}

// TestSharedParam lets one program change a param that another reads.
func TestSharedParam(t *testing.T) {
	w := tarn.NewParam(tarn.F64, nil)
	train, eval := tarn.NewGraph(), tarn.NewGraph()
	step := mustCompile(t, train, nil, tarn.Assign(w, w.Value(train).AddNum(1)))
	read := mustCompile(t, eval, tarn.Outputs{"w": w.Value(eval), "twice": w.Value(eval).Scale(2)})
	for i := range 3 {
		if out := mustRun(t, read); out["w"].Item() != float64(i) || out["twice"].Item() != float64(2*i) {
			t.Errorf("after %d steps the other program reads %v", i, out["w"])
		}
		mustRun(t, step)
	}
}

// TestPerf takes names for profiles: those of machine code from the file that perf reads, and those of steps from the labels in a profile of Go.
func TestPerf(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("perf is for Linux")
	}
	t.Setenv("TARN_DEBUG", "perf")
	name := fmt.Sprintf("/tmp/perf-%d.map", os.Getpid())
	t.Cleanup(func() { os.Remove(name) })
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 1000, 1000)
	program, err := tarn.Compile(g, tarn.Outputs{"y": x.GELU().Mul(x).Sum()})
	if err != nil {
		t.Fatal(err)
	}
	clone, err := program.Clone() // whose code is elsewhere
	if err != nil {
		t.Fatal(err)
	}
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		t.Fatal(err)
	}
	input := tarn.Zeros(tarn.F32, 1000, 1000)
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		mustRun(t, program, input)
		mustRun(t, clone, input)
	}
	pprof.StopCPUProfile()
	unpacked, err := gzip.NewReader(&profile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	const step = "Sum engine_edge_test.go:" // of a loop, whose last op it is
	if !bytes.Contains(text, []byte(step)) {
		t.Errorf("the profile has no step %q", step)
	}
	regions, err := os.ReadFile(name)
	if tarn.Kernels() == "go" {
		return // no code is made at run time
	}
	if err != nil {
		t.Fatal(err)
	}
	starts := map[string]bool{}
	for line := range strings.Lines(string(regions)) {
		var start, size uint64
		var rest string
		if n, err := fmt.Sscanf(line, "%x %x %s", &start, &size, &rest); n != 3 || start == 0 || size == 0 || !strings.Contains(line, step) {
			t.Errorf("the line %q is not that of a step: %v", line, err)
		}
		starts[strings.Fields(line)[0]] = true
	}
	if len(starts) < 2 {
		t.Errorf("the code of a program and its clone is at %v", starts)
	}
}

func TestDebugSwitches(t *testing.T) {
	build := func() (*tarn.Program, error) {
		g := tarn.NewGraph()
		x := g.Input("x", tarn.F32, 3)
		return tarn.Compile(g, tarn.Outputs{"y": x.Softmax(0).Sub(x)})
	}
	plain, err := build()
	if err != nil {
		t.Fatal(err)
	}
	x := tarn.Vector([]float32{1, 2, 3})
	want := mustRun(t, plain, x)["y"]
	for _, words := range []string{"", "verify", "check", "reference", " check , verify", ","} {
		t.Setenv("TARN_DEBUG", words)
		p, err := build()
		if err != nil {
			t.Errorf("TARN_DEBUG=%q: %v", words, err)
			continue
		}
		checkNear(t, "with TARN_DEBUG="+words, mustRun(t, p, x)["y"], want, 1e-6)
	}
	t.Setenv("TARN_DEBUG", "verify,chekc")
	if _, err := build(); err == nil || !strings.Contains(err.Error(), `TARN_DEBUG has the unknown word "chekc"; it takes dump, verify, check, nan, reference, perf`) {
		t.Errorf("the error for an unknown word is %v", err)
	}
}

// TestUnknownLevel starts a process with a level that does not exist, which is read before any test.
func TestUnknownLevel(t *testing.T) {
	if level := os.Getenv("TARN_CPU"); level == "sse9" {
		g := tarn.NewGraph()
		_, err := tarn.Compile(g, tarn.Outputs{"y": g.Num(tarn.F32, 1)})
		if err == nil || !strings.Contains(err.Error(), `TARN_CPU="sse9" is not a level: choose go`) {
			t.Errorf("the error is %v", err)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestUnknownLevel$")
	cmd.Env = append(os.Environ(), "TARN_CPU=sse9")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
