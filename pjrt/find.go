package pjrt

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// This file looks for plugins.

// platform is a kind of device, where its plugins lie in a folder of Python packages, and the package that has one.
type platform struct {
	name  string
	files []string
	get   string
}

var platforms = []platform{
	{"cuda", []string{"jax_plugins/xla_cuda13/xla_cuda_plugin.so", "jax_plugins/xla_cuda12/xla_cuda_plugin.so"}, "jax-cuda13-plugin[with-cuda]"},
	{"rocm", []string{"jax_plugins/xla_rocm*/xla_rocm_plugin.so"}, "jax-rocm7-plugin"},
	{"tpu", []string{"libtpu/libtpu.so"}, "libtpu"},
	{"cpu", []string{"lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"}, "lammps-jax-pjrt-cpu"},
}

// variable is the environment variable that names a plugin.
const variable = "TARN_PJRT_PLUGIN"

// Find returns the file of the plugin that Open opens for Options.Plugin.
func Find(plugin string) (file string, err error) {
	fallback := ""
	if set := os.Getenv(variable); plugin == "" {
		plugin = set
	} else if strings.ContainsRune(set, filepath.Separator) {
		fallback = set
	}
	wanted := platforms
	if at := slices.IndexFunc(platforms, func(p platform) bool { return p.name == plugin }); at >= 0 {
		wanted = platforms[at : at+1]
	} else if plugin != "" {
		if !strings.ContainsRune(plugin, filepath.Separator) && filepath.Ext(plugin) == "" {
			return "", fmt.Errorf("pjrt: there is no platform %q; give cuda, rocm, tpu, cpu or the file of a plugin", plugin)
		}
		if _, err := os.Stat(plugin); err != nil {
			return "", fmt.Errorf("pjrt: the plugin: %w; give another file, or cuda, rocm, tpu or cpu to look for one", err)
		}
		return plugin, nil
	}
	var looked, get []string
	for _, p := range wanted {
		for _, folder := range packages() {
			for _, f := range p.files {
				if found, _ := filepath.Glob(filepath.Join(folder, f)); len(found) > 0 {
					return found[len(found)-1], nil
				}
			}
			if !slices.Contains(looked, folder) {
				looked = append(looked, folder)
			}
		}
		get = append(get, fmt.Sprintf("pip install %q", p.get))
	}
	if fallback != "" { // Open refuses it if it is for another platform
		_, err := os.Stat(fallback)
		return fallback, err
	}
	where := "no folder of Python packages was found"
	if len(looked) > 0 {
		where = "looked in " + strings.Join(looked, ", ")
	}
	name := "plugin"
	if len(wanted) == 1 {
		name = "plugin for " + wanted[0].name
	}
	return "", fmt.Errorf("pjrt: there is no %s: %s; get one with %s, or set %s to its file", name, where, strings.Join(get, " or "), variable)
}

// packages are the folders of Python packages: of the virtual environment, of each Python on the path, and of the user.
func packages() (folders []string) {
	var roots []string
	if venv := os.Getenv("VIRTUAL_ENV"); venv != "" {
		roots = append(roots, venv)
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, "python3")); err == nil {
			if root := filepath.Dir(filepath.Clean(dir)); root == "/usr" { // whose pip installs into /usr/local
				roots = append(roots, "/usr/local", root)
			} else {
				roots = append(roots, root)
			}
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		roots = append(roots, filepath.Join(home, ".local"))
	}
	for _, root := range roots {
		for _, kind := range []string{"site-packages", "dist-packages"} {
			found, _ := filepath.Glob(filepath.Join(root, "lib", "python3*", kind))
			for _, f := range found {
				if !slices.Contains(folders, f) {
					folders = append(folders, f)
				}
			}
		}
	}
	return folders
}

// cudaFolder returns the folder of CUDA's tools and libraries, of which XLA links the functions of nvvm/libdevice into its kernels: CUDA_ROOT, or one that pip has put
// beside the plugin or elsewhere. It is "" if there is none, and then XLA looks in /usr/local/cuda.
func cudaFolder(plugin string) string {
	folders := []string{os.Getenv("CUDA_ROOT")}
	for _, p := range append([]string{filepath.Dir(filepath.Dir(filepath.Dir(plugin)))}, packages()...) {
		folders = append(folders, filepath.Join(p, "nvidia", "cu13"), filepath.Join(p, "nvidia", "cuda_nvcc"))
	}
	for _, f := range folders {
		if found, _ := filepath.Glob(filepath.Join(f, "nvvm", "libdevice", "*.bc")); f != "" && len(found) > 0 {
			return f
		}
	}
	return ""
}

// matches reports whether a file is what a pattern finds in some folder.
func matches(file, pattern string) bool {
	parts := strings.Split(filepath.ToSlash(file), "/")
	n := strings.Count(pattern, "/") + 1
	if len(parts) < n {
		return false
	}
	ok, _ := filepath.Match(pattern, strings.Join(parts[len(parts)-n:], "/"))
	return ok
}
