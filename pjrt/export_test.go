//go:build (linux || darwin) && (amd64 || arm64)

package pjrt

import (
	"errors"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file opens to the tests what the plugin's compiler has made of a program, and how results come from a device.

// Apart makes an engine take its device's memory for one that the host cannot read, as that of a GPU.
func Apart(e *Engine) *Engine {
	e.client.here = false
	return e
}

// SetFlag gives the programs of an engine a flag that is a string.
func SetFlag(e *Engine, name, value string) { e.flags[name] = value }

// Spy is an engine that keeps the last program that it has loaded.
type Spy struct {
	*Engine
	last *loaded
}

// Load keeps what it loads.
func (s *Spy) Load(g *ir.Graph, variables []*exec.Storage) (exec.Runner, error) {
	r, err := s.Engine.Load(g, variables)
	s.last, _ = r.(*loaded)
	return r, err
}

// Optimized returns the last program as each device computes it, in the encoding of XLA.
func (s *Spy) Optimized() (string, error) {
	if s.last == nil {
		return "", errors.New("nothing was loaded")
	}
	const fnOptimizedProgram = 48
	var code []byte
	x := s.last.program
	err := x.inside(func(inner handle) error {
		p := &program{}
		args := &struct {
			header
			executable handle
			program    *program
		}{executable: inner, program: p}
		for range 2 { // the first call tells the size
			p.header.size = unsafe.Sizeof(*p)
			if err := call(x.client.api, fnOptimizedProgram, args, &args.header); err != nil {
				return err
			}
			if p.code == nil {
				code = make([]byte, p.codeSize)
				p.code = unsafe.Pointer(unsafe.SliceData(code))
			}
		}
		return nil
	})
	return string(code), err
}
