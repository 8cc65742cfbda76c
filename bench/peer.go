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
	"strconv"
	"strings"
	"time"
)

// This file runs the peers' programs, which are Python, in an environment of the user's.

//go:embed peers/*.py
var peerPrograms embed.FS

// peer is another engine, or a way to use one.
type peer struct {
	name    string
	module  string // the Python distribution that it needs
	program string
	mode    string
	prefix  string // it has only the workloads whose names begin so
}

var peers = []peer{
	{name: "PyTorch eager", module: "torch", program: "torch_bench.py", mode: "eager"},
	{name: "torch.compile", module: "torch", program: "torch_bench.py", mode: "compile"},
	{name: "JAX", module: "jax", program: "jax_bench.py", mode: "compile"},
	{name: "NumPy", module: "numpy", program: "numpy_bench.py", mode: "eager", prefix: "gemm-"},
}

// peerLimit is how long one workload of one peer may take, compilation included.
const peerLimit = 5 * time.Minute

// python is an environment with peers in it.
type python struct {
	interpreter string
	dir         string // where the programs lie
	versions    map[string]string
	peers       []peer // those that can run
}

const versionScript = `
import importlib.metadata as m, json, platform
v = {"python": platform.python_version()}
for name in "torch", "jax", "jaxlib", "optax", "numpy", "scipy":
    try: v[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(v))
`

// newPython asks an interpreter what it has, and puts the programs into dir.
func newPython(ctx context.Context, interpreter, dir string) (*python, error) {
	output, err := exec.CommandContext(ctx, interpreter, "-c", versionScript).Output()
	if err != nil {
		return nil, fmt.Errorf("bench: cannot run %s: %w", interpreter, processError(ctx, err))
	}
	p := &python{interpreter: interpreter, dir: dir}
	if err := json.Unmarshal(output, &p.versions); err != nil {
		return nil, fmt.Errorf("bench: %s printed %q instead of versions; is it Python 3?", interpreter, output)
	}
	for _, peer := range peers {
		if p.versions[peer.module] != "" {
			p.peers = append(p.peers, peer)
		}
	}
	if len(p.peers) == 0 {
		return nil, fmt.Errorf("bench: %s has neither torch nor jax nor numpy; make an environment with bench/peers/setup.sh", interpreter)
	}
	return p, os.CopyFS(dir, peerPrograms)
}

// measure runs one workload of a peer. It gives no result and no error where the peer has no such workload.
func (p *python) measure(ctx context.Context, peer peer, workload string, threads int) (*Result, error) {
	if !strings.HasPrefix(workload, peer.prefix) {
		return nil, nil
	}
	limited, cancel := context.WithTimeout(ctx, peerLimit)
	defer cancel()
	name := filepath.Join(p.dir, "result.json")
	cmd := exec.CommandContext(limited, p.interpreter, filepath.Join(p.dir, "peers", peer.program),
		"--workload", workload, "--threads", strconv.Itoa(threads), "--mode", peer.mode, "--json", name)
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
	return parsePeer(text, workload, threads)
}

// parsePeer reads what harness.py writes: a list of one record, with times in seconds.
func parsePeer(text []byte, workload string, threads int) (*Result, error) {
	var records []struct {
		Workload                     string
		Median, Min, Max, First, RSS float64
	}
	if err := json.Unmarshal(text, &records); err != nil {
		return nil, fmt.Errorf("its result is not as expected: %w", err)
	}
	if len(records) != 1 || records[0].Workload != workload || !(records[0].Median > 0) {
		return nil, errors.New("its result is not one record of the workload")
	}
	r := records[0]
	return &Result{
		Workload: workload, Threads: threads, MedianUS: rounded(1e6 * r.Median), MinUS: rounded(1e6 * r.Min),
		MaxUS: rounded(1e6 * r.Max), FirstUS: rounded(1e6 * r.First), PeakRSSMiB: rounded(r.RSS),
	}, nil
}
