package bench

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn"
)

// This file runs the peers' programs, which are Python, in an environment that the user made.

//go:embed peers/*.py
var peerPrograms embed.FS

// peer is a different engine, or a way to use one.
type peer struct {
	name    string
	modules []string // the Python distributions that it needs
	program string
	mode    string
	only    map[string]string // if not nil: the workloads that it has, and their names in the program
	bf16    bool              // products have operands of bfloat16
}

// peers lists, for every engine, each way that is the fastest on some workload.
var peers = []peer{
	{name: "PyTorch eager", modules: []string{"torch"}, program: "torch_bench.py", mode: "eager"},
	{name: "torch.compile", modules: []string{"torch"}, program: "torch_bench.py", mode: "compile", only: wholes()},
	{name: "torch.compile, whole step", modules: []string{"torch"}, program: "torch_bench.py", mode: "compile-step", only: trainingOnly()},
	{name: "PyTorch eager, bf16", modules: []string{"torch"}, program: "torch_bench.py", mode: "eager", bf16: true, only: multiplying()},
	{name: "torch.compile, bf16", modules: []string{"torch"}, program: "torch_bench.py", mode: "compile", bf16: true, only: multiplying()},
	{name: "JAX", modules: []string{"jax", "optax"}, program: "jax_bench.py", mode: "compile", only: wholes()},
	{name: "JAX, loop inside", modules: []string{"jax", "optax"}, program: "jax_bench.py", mode: "compile",
		only: map[string]string{"linreg": "linreg-loop", "mlp-small": "mlp-small-scan"}},
	{name: "NumPy and SciPy", modules: []string{"numpy", "scipy", "threadpoolctl"}, program: "numpy_bench.py", mode: "eager", only: numpyOnly()},
}

// wholes are the workloads that are more than one op or product, which is the same however PyTorch calls it.
func wholes() map[string]string {
	only := map[string]string{}
	for _, load := range workloads {
		only[load.Name] = load.Name
	}
	return only
}

// multiplying are the trainings whose time is that of products, which are measured with operands of bfloat16 too.
func multiplying() map[string]string {
	only := map[string]string{}
	for _, load := range slices.Concat(mlps[1:], images, gpts, recurrents) {
		only[load.Name] = load.Name
	}
	return only
}

func trainingOnly() map[string]string {
	only := map[string]string{linreg.Name: linreg.Name}
	for _, load := range slices.Concat(mlps, gpts) {
		if !load.large { // which would take minutes to compile
			only[load.Name] = load.Name
		}
	}
	return only
}

func numpyOnly() map[string]string {
	only := map[string]string{lbfgs.Name: lbfgs.Name}
	for _, load := range slices.Concat(gemms, products) {
		only[load.Name] = load.Name
	}
	return only
}

// peerLimit is how long one workload of one peer may take, compilation included.
const peerLimit = 5 * time.Minute

// python is an environment with peers in it.
type python struct {
	interpreter string
	dir         string // the directory of the programs
	versions    map[string]string
	peers       []peer   // those that can run
	lacks       []string // the others, each with what it needs
	environment []string // variables that hold the peers to a level
	short       bool     // whether products of bfloat16 are compared too
}

const versionScript = `
import importlib.metadata as m, json, platform
v = {"python": platform.python_version()}
for name in "torch", "jax", "jaxlib", "optax", "numpy", "scipy", "threadpoolctl":
    try: v[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(v))
`

// holding returns the variables that hold the peers' libraries to the instructions of a level, or an error if there are none. Among the libraries of XLA,
// YNNPACK alone knows no limit.
func holding(level string) ([]string, error) {
	switch level {
	case "", "avx512":
		return nil, nil
	case "avx2":
		return []string{"ATEN_CPU_CAPABILITY=avx2", "ONEDNN_MAX_CPU_ISA=AVX2", "MKL_ENABLE_INSTRUCTIONS=AVX2", "OPENBLAS_CORETYPE=Haswell",
			"XLA_FLAGS=--xla_cpu_max_isa=AVX2 --xla_cpu_experimental_ynn_fusion_type="}, nil
	}
	return nil, fmt.Errorf("bench: no peer can be held to the level %s: compare at another level", level)
}

// surroundings returns the variables of the peers' processes: those of the shell, but for OpenBLAS's choice of kernels, which it then makes by the processor,
// and those that hold them to a level. torch.compile gets an empty cache: its first step then contains compilation, as Tarn's does, and it takes no code from
// there that was compiled for another level, or is damaged.
func (p *python) surroundings(shell []string) []string {
	kept := slices.DeleteFunc(slices.Clone(shell), func(v string) bool {
		return strings.HasPrefix(v, "OPENBLAS_CORETYPE=") || strings.HasPrefix(v, "OPENBLAS_L2_SIZE=")
	})
	return slices.Concat(kept, []string{"TORCHINDUCTOR_CACHE_DIR=" + filepath.Join(p.dir, "inductor")}, p.environment)
}

// newPython asks an interpreter which peers it has, and writes the programs into dir. It holds the peers to a level, if the options have one. Products of
// bfloat16 are compared beside those of float32 by the usual engine: of the levels that peers can be held to none has instructions for them, and PyTorch takes
// twenty times as long without. For other engines the precision is an option.
func newPython(ctx context.Context, interpreter, dir string, o Options) (*python, error) {
	environment, err := holding(o.Level)
	if err != nil {
		return nil, err
	}
	output, err := exec.CommandContext(ctx, interpreter, "-c", versionScript).Output()
	if err != nil {
		return nil, fmt.Errorf("bench: cannot run %s: %w", interpreter, processError(ctx, err))
	}
	p := &python{interpreter: interpreter, dir: dir, environment: environment,
		short: len(environment) == 0 && o.Engine == "" && o.Precision == tarn.PrecisionF32}
	if err := json.Unmarshal(output, &p.versions); err != nil {
		return nil, fmt.Errorf("bench: %s printed %q instead of versions; is it Python 3?", interpreter, output)
	}
	for _, peer := range peers {
		if peer.bf16 && !p.short {
			continue
		}
		lacking := slices.IndexFunc(peer.modules, func(name string) bool { return p.versions[name] == "" })
		if lacking < 0 {
			p.peers = append(p.peers, peer)
		} else {
			p.lacks = append(p.lacks, fmt.Sprintf("%s, which needs %s", peer.name, peer.modules[lacking]))
		}
	}
	if len(p.peers) == 0 {
		return nil, fmt.Errorf("bench: %s has no peer: not %s; make an environment with internal/bench/peers/setup.sh", interpreter, strings.Join(p.lacks, ", not "))
	}
	return p, os.CopyFS(dir, peerPrograms)
}

// device is where peers compute: on a GPU if Tarn's engine is for one.
func (o Options) device() string {
	if kind, platform, _ := strings.Cut(o.Engine, ":"); kind == "pjrt" && (strings.HasPrefix(platform, "cuda") || strings.HasPrefix(platform, "rocm")) {
		return "gpu"
	}
	return "cpu"
}

// measure runs one workload of a peer. It returns no result and no error if the peer has no such workload.
func (p *python) measure(ctx context.Context, peer peer, workload string, o Options) (*Result, error) {
	own := workload
	if peer.only != nil {
		if own = peer.only[workload]; own == "" {
			return nil, nil
		}
	}
	limited, cancel := context.WithTimeout(ctx, peerLimit)
	defer cancel()
	name := filepath.Join(p.dir, "result.json")
	precision := o.Precision
	if peer.bf16 {
		precision = tarn.PrecisionBF16
	}
	cmd := exec.CommandContext(limited, p.interpreter, filepath.Join(p.dir, "peers", peer.program),
		"--workload", own, "--threads", strconv.Itoa(o.threads()), "--mode", peer.mode, "--json", name,
		"--precision", precision.String(), "--device", o.device())
	cmd.Env = p.surroundings(cmd.Environ())
	cmd.WaitDelay = time.Second
	if _, err := cmd.Output(); err != nil {
		if ctx.Err() == nil && limited.Err() != nil {
			return nil, fmt.Errorf("it took longer than %v", peerLimit)
		}
		return nil, processError(ctx, err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(name); err != nil {
		return nil, err
	}
	r, err := parsePeer(text, own, o.threads())
	if err == nil {
		r.Workload = workload
	}
	return r, err
}

// parsePeer reads what harness.py writes: a list of one record, with times in seconds.
func parsePeer(text []byte, workload string, threads int) (*Result, error) {
	var records []struct {
		Workload                     string
		Median, Min, Max, First, RSS float64
		Iterations, Evaluations      int
	}
	if err := json.Unmarshal(text, &records); err != nil {
		return nil, fmt.Errorf("its result has the wrong form: %w", err)
	}
	if len(records) != 1 || records[0].Workload != workload || !(records[0].Median > 0) {
		return nil, errors.New("its result should be one record of the workload")
	}
	r := records[0]
	return &Result{
		Workload: workload, Threads: threads, MedianUS: rounded(1e6 * r.Median), MinUS: rounded(1e6 * r.Min),
		MaxUS: rounded(1e6 * r.Max), FirstUS: rounded(1e6 * r.First), PeakRSSMiB: rounded(r.RSS),
		Iterations: r.Iterations, Evaluations: r.Evaluations,
	}, nil
}
