package pjrt

import (
	"os"
	"path/filepath"
	"testing"
)

// TestCUDAFolder looks for the folder of CUDA where pip may have put it.
func TestCUDAFolder(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, test := range []struct{ name, file, root, want string }{
		{name: "beside the plugin", file: "site-packages/nvidia/cu13/nvvm/libdevice/libdevice.10.bc", want: "site-packages/nvidia/cu13"},
		{name: "of CUDA 12", file: "site-packages/nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc", want: "site-packages/nvidia/cuda_nvcc"},
		{name: "of the virtual environment", file: "venv/lib/python3.12/site-packages/nvidia/cu13/nvvm/libdevice/libdevice.10.bc", want: "venv/lib/python3.12/site-packages/nvidia/cu13"},
		{name: "by CUDA_ROOT", file: "cuda/nvvm/libdevice/libdevice.10.bc", root: "cuda", want: "cuda"},
		{name: "without the functions", file: "site-packages/nvidia/cu13/lib/libcudart.so"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			in := func(name string) string {
				if name == "" {
					return ""
				}
				return filepath.Join(dir, filepath.FromSlash(name))
			}
			if err := os.MkdirAll(filepath.Dir(in(test.file)), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(in(test.file), nil, 0o666); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", "")
			t.Setenv("VIRTUAL_ENV", in("venv"))
			t.Setenv("CUDA_ROOT", in(test.root))
			if got := cudaFolder(in("site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so")); got != in(test.want) {
				t.Errorf("got %q, want %q", got, in(test.want))
			}
		})
	}
}
