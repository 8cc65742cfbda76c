// Package pjrt runs Tarn's programs on the accelerators for which there is an XLA plugin: NVIDIA and AMD GPUs, TPUs, and for tests XLA's
// own CPU compiler. A plugin is a shared library with the PJRT interface, which pip installs; it is opened at run time, without cgo. Only
// programs that import this package depend on it.
//
//	engine, err := pjrt.Open(pjrt.Options{}) // the plugin that is found
//	...
//	tarn.Use(engine) // all programs compiled from here on
//
// or, without a line of code beside the import, the environment variable TARN_ENGINE=pjrt: see Parse.
//
// Everything else stays as it is: models, losses, optimizers, package train. A program for the engine is translated to StableHLO, with all
// of a training step in one computation. Params and results stay on the device, and move when their tensors are read. An op that the engine does not have
// is an error of Compile, which names it and its place.
package pjrt

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
)

func init() {
	tarn.RegisterEngine("pjrt", func(settings string) (tarn.Engine, error) {
		o, err := Parse(settings)
		if err != nil {
			return nil, err
		}
		e, err := Open(o)
		if err != nil {
			return nil, err
		}
		return e, nil
	})
}

// Parse returns the options that stand behind "pjrt:" in the name of an engine: what Options.Plugin takes, a colon, and the number of devices, each of which may
// be missing, as in "cuda", "cuda:4", "4" or "/opt/plugin.so:2".
func Parse(settings string) (Options, error) {
	var o Options
	plugin, number := settings, ""
	if at := strings.LastIndexByte(settings, ':'); at >= 0 {
		plugin, number = settings[:at], settings[at+1:]
	} else if _, err := strconv.Atoi(settings); err == nil {
		plugin, number = "", settings
	}
	o.Plugin = plugin
	if number == "" {
		return o, nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return o, fmt.Errorf("pjrt: the number of devices in %q is %q and should be a whole number of at least 1", settings, number)
	}
	o.Devices = n
	return o, nil
}

// Options says which plugin is opened, and how. The zero value opens the plugin that is found, for its first device.
type Options struct {
	// Plugin is the file of a plugin, or a platform: cuda, rocm, tpu or cpu. If it is empty, it is the environment variable
	// TARN_PJRT_PLUGIN, and if that is empty too the first platform for which a plugin is installed, in that order. A plugin is looked for
	// in Python's site-packages, where pip puts it.
	Plugin string
	// Device is the number of the device among those of the plugin that this process can use.
	Device int
	// Devices is the number of devices, from Device on, that compute each program together; 0 is 1. See Engine.
	Devices int
	// MemoryFraction is the part of a GPU's memory that is taken at once and kept; 0 takes memory when it is needed.
	MemoryFraction float64
	// Settings are further settings of the plugin's client by their names, such as "allocator" for a GPU: strings, bools, ints, float64s
	// and []ints. The plugin refuses those that it does not know.
	Settings map[string]any
	// Flags are options of XLA's compiler, such as xla_gpu_deterministic_ops, for every program.
	Flags map[string]bool
}

// Device is a device of an engine.
type Device struct {
	ID   int    // the plugin's number
	Kind string // such as "NVIDIA H100 80GB HBM3"
}

// Error is an error that the plugin has returned.
type Error struct {
	Code    int // one of the status codes of gRPC and Abseil
	Message string
}

var codes = [...]string{"ok", "canceled", "unknown", "invalid argument", "deadline exceeded", "not found", "already exists", "permission denied",
	"out of memory", "failed precondition", "aborted", "out of range", "unimplemented", "internal", "unavailable", "data loss", "unauthenticated"}

// Error returns the name of the code and the message.
func (e *Error) Error() string {
	if e.Code >= 0 && e.Code < len(codes) {
		return "pjrt: " + codes[e.Code] + ": " + e.Message
	}
	return fmt.Sprintf("pjrt: error %d: %s", e.Code, e.Message)
}
