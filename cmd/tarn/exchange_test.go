package main

import (
	"os"
	"strings"
	"testing"
)

// TestExchange writes a model of a table in other formats, and reads what it has written.
func TestExchange(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	flats(t, dir, "flats.csv", 60)
	command(t, 0, quickFit("flats.csv", "price", "--out", "m.tarn", "--drop", "id,sold")...)
	if _, stderr := command(t, 0, "export", "m.tarn", "--to", "onnx"); !strings.Contains(stderr, "wrote m.onnx") {
		t.Error(stderr)
	}
	stdout, _ := command(t, 0, "import", "m.onnx", "--dry-run", "--out", "none.safetensors")
	for _, want := range []string{"operator set 18", "size  float64 [n 1]", "city  string [n 1]", "value  float64 [n 1]", "all are supported"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	if _, err := os.Stat("none.safetensors"); err == nil {
		t.Error("a dry run has written a file")
	}
	if stdout, _ := command(t, 0, "import", "m.onnx", "--json"); !strings.Contains(stdout, `"opset": 18`) {
		t.Error(stdout)
	}
	command(t, 0, "import", "m.onnx", "--out", "w.safetensors")
	command(t, 0, "export", "m.onnx", "--to", "safetensors", "--out", "v.safetensors")
	if stdout, _ := command(t, 0, "inspect", "w.safetensors"); !strings.Contains(stdout, "weight") {
		t.Error(stdout)
	}
	if stdout, _ := command(t, 0, "export", "m.tarn", "--to", "onnx", "--opset", "21", "--out", "-"); len(stdout) < 1000 {
		t.Errorf("%d bytes are written to the standard output", len(stdout))
	}
	for _, c := range []struct {
		code int
		args []string
		want string
	}{
		{1, []string{"export", "m.tarn", "--to", "onnx"}, "--force"},
		{2, []string{"export", "m.tarn", "--to", "onnx", "--opset", "9"}, "17 to 21"},
		{2, []string{"export", "m.tarn", "--to", "gif"}, "onnx"},
		{1, []string{"export", "flats.csv", "--to", "onnx", "--out", "x.onnx"}, "safetensors"},
		{1, []string{"import", "flats.csv"}, "protocol buffer"},
		{1, []string{"import", "none.onnx"}, "none.onnx"},
		{1, []string{"import", "m.onnx", "--out", "w.safetensors"}, "--force"},
	} {
		if _, stderr := command(t, c.code, c.args...); !strings.Contains(stderr, c.want) {
			t.Errorf("tarn %s: %q is missing in %q", strings.Join(c.args, " "), c.want, stderr)
		}
	}
	if _, err := os.Stat("x.onnx"); err == nil {
		t.Error("a refused export has written a file")
	}
}
