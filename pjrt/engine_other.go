//go:build !((linux || darwin) && (amd64 || arm64))

package pjrt

import (
	"errors"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// Engine compiles and runs programs on one device of a plugin. On this system there is none.
type Engine struct{}

var errSystem = errors.New("pjrt: plugins can be opened on Linux and macOS, on amd64 and arm64; on this system the CPU engine is the only one")

// Open returns an error: plugins can be opened on Linux and macOS only.
func Open(o Options) (*Engine, error) { return nil, errSystem }

// Platform returns "".
func (e *Engine) Platform() string { return "" }

// Devices returns nil.
func (e *Engine) Devices() []Device { return nil }

// String returns "pjrt".
func (e *Engine) String() string { return "pjrt" }

// Load returns an error.
func (e *Engine) Load(g *ir.Graph, variables []*exec.Storage) (exec.Runner, error) {
	return nil, errSystem
}
