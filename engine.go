package tarn

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file lets other engines than that for the CPU run programs.

// Engine compiles programs for a device. The engine for the CPU needs none; package pjrt has one for accelerators. The types in its methods
// are the compiler's, so that engines are packages of this module.
type Engine interface {
	// Load compiles a graph that reads and assigns variables in the given storages, between the device and the host's memory.
	Load(g *ir.Graph, variables []*exec.Storage) (exec.Runner, error)
}

// uploader is an Engine that can copy inputs to its device before the run that takes them.
type uploader interface {
	Upload(s *exec.Storage) error
}

// engineVar is the environment variable that names the engine of programs for which Use has not been called.
const engineVar = "TARN_ENGINE"

// inUse is the engine of Use.
var inUse atomic.Pointer[Engine]

// engines are those that are registered and those that TARN_ENGINE has opened, by name.
var engines struct {
	sync.Mutex
	open   map[string]func(settings string) (Engine, error)
	opened map[string]Engine
}

// RegisterEngine makes an engine known to OpenEngine by its name. The package of an engine calls it when it is imported, as drivers of databases
// do, so that importing it is all that a program needs for TARN_ENGINE.
func RegisterEngine(name string, open func(settings string) (Engine, error)) {
	engines.Lock()
	defer engines.Unlock()
	put(&engines.open, name, open)
}

// OpenEngine opens the engine of a name such as "pjrt" or "pjrt:cuda". What follows the first colon is for the engine: see its package. "cpu" is the engine for
// the CPU, which is nil. It returns an error for an engine that the program does not have.
func OpenEngine(name string) (Engine, error) {
	kind, settings, _ := strings.Cut(name, ":")
	if kind == "cpu" {
		if settings != "" {
			return nil, fmt.Errorf("tarn: there is no engine %q: cpu takes nothing after it", name)
		}
		return nil, nil
	}
	engines.Lock()
	open, known := engines.open[kind], slices.Sorted(maps.Keys(engines.open))
	engines.Unlock()
	switch {
	case open != nil:
		return open(settings)
	case kind == "pjrt":
		return nil, fmt.Errorf("tarn: the engine %q is not part of this program: import github.com/seed-49005b45/tarn/pjrt, or build the tarn command with go install -tags pjrt ./cmd/tarn", kind)
	}
	return nil, fmt.Errorf("tarn: there is no engine %q; this program has %s", name, list.Names(append([]string{"cpu"}, known...)))
}

// Use makes e the engine of all programs that Compile makes from then on, wherever it is called; nil is the engine for the CPU. Programs that
// have been compiled stay where they are. Before the first call it is the engine that the environment variable TARN_ENGINE names, as for
// OpenEngine, or that for the CPU. With the words check and reference of TARN_DEBUG programs run on the CPU all the same.
func Use(e Engine) { inUse.Store(&e) }

// engineInUse is the engine of Use, or of TARN_ENGINE.
func engineInUse() (Engine, error) {
	if used := inUse.Load(); used != nil {
		return *used, nil
	}
	name := os.Getenv(engineVar)
	if name == "" {
		return nil, nil
	}
	engines.Lock()
	e, ok := engines.opened[name]
	engines.Unlock()
	if ok {
		return e, nil
	}
	e, err := OpenEngine(name)
	if err != nil {
		return nil, fmt.Errorf("tarn: %s=%s: %w", engineVar, name, err)
	}
	engines.Lock()
	defer engines.Unlock()
	put(&engines.opened, name, e)
	return e, nil
}

// CompileOn is Compile for one engine; nil is the engine for the CPU.
func CompileOn(e Engine, g *Graph, outputs Outputs, updates ...Update) (*Program, error) {
	return compile(e, g, outputs, updates)
}

// Upload begins to copy tensors to the device of the engine in use, ahead of the next run that takes them as inputs; package train does so with the next batch
// while a step runs. The tensors must not be changed until that run. For the CPU it does nothing.
func Upload(tensors ...*Tensor) error {
	e, err := engineInUse()
	if err != nil {
		return err
	}
	u, ok := e.(uploader)
	if !ok {
		return nil
	}
	for _, t := range tensors {
		if !t.exists() {
			return errors.New("tarn: Upload: a tensor is nil")
		}
		if t.array.Data != t.storage.Host().Data || !t.array.Type.Equal(t.storage.Host().Type) { // reshaped
			continue
		}
		if err := t.storage.Write(); err != nil {
			return fmt.Errorf("tarn: Upload: %w", err)
		}
		if err := u.Upload(t.storage); err != nil {
			return fmt.Errorf("tarn: Upload: %w", err)
		}
	}
	return nil
}

// loadOn compiles an optimized graph for an engine.
func loadOn(e Engine, g *ir.Graph, variables []*exec.Storage) (exec.Runner, error) {
	r, err := e.Load(g, variables)
	if err != nil {
		return nil, fmt.Errorf("tarn: Compile: %v: %w", e, err)
	}
	if r == nil {
		return nil, errors.New("tarn: Compile: the engine returned no program")
	}
	return r, nil
}
