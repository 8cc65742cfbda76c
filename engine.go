package tarn

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file lets other engines than that for the CPU run programs.

// Engine compiles programs for a device. The engine for the CPU needs none; package pjrt has one for accelerators. The types in its method
// are the compiler's, so that engines are packages of this module.
type Engine interface {
	// Load compiles a graph that reads and assigns variables in the given storages, between the device and the host's memory.
	Load(g *ir.Graph, variables []*exec.Storage) (exec.Runner, error)
}

// inUse is the engine of Use.
var inUse atomic.Pointer[Engine]

// Use makes e the engine of all programs that Compile makes from then on, wherever it is called; nil is the engine for the CPU. Programs that
// have been compiled stay where they are. With the words check and reference of TARN_DEBUG programs run on the CPU all the same.
func Use(e Engine) { inUse.Store(&e) }

// CompileOn is Compile for one engine; nil is the engine for the CPU.
func CompileOn(e Engine, g *Graph, outputs Outputs, updates ...Update) (*Program, error) {
	return compile(e, g, outputs, updates)
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
