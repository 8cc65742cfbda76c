//go:build (linux || darwin) && (amd64 || arm64)

package pjrt

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/hlo"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/pool"
)

// Engine compiles and runs programs on one device of a plugin. It is a tarn.Engine. It may be used by several goroutines, and lives until the
// process ends, as the threads of a plugin do.
type Engine struct {
	client  *client
	device  handle
	id      int
	devices []Device
	flags   map[string]bool
}

// Open opens a plugin. The error says what was looked for, and where plugins are to be had.
func Open(o Options) (*Engine, error) {
	if o.MemoryFraction < 0 || o.MemoryFraction > 1 {
		return nil, fmt.Errorf("pjrt: the memory fraction is %v and should be from 0 to 1", o.MemoryFraction)
	}
	file, err := Find(o.Plugin)
	if err != nil {
		return nil, err
	}
	a, err := load(file)
	if err != nil {
		return nil, err
	}
	settings := maps.Clone(o.Settings)
	if isGPU(file) {
		if settings == nil {
			settings = map[string]any{}
		}
		preset := func(name string, v any) {
			if _, ok := settings[name]; !ok {
				settings[name] = v
			}
		}
		preset("preallocate", o.MemoryFraction > 0)
		if o.MemoryFraction > 0 {
			preset("memory_fraction", o.MemoryFraction)
		}
	}
	c, err := a.newClient(settings)
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", file, err)
	}
	e := &Engine{client: c, flags: map[string]bool{}}
	if e.devices, err = c.describe(); err == nil && (o.Device < 0 || o.Device >= len(e.devices)) {
		err = fmt.Errorf("pjrt: there is no device %d; %s has %d", o.Device, c.platform, len(e.devices))
	}
	if err != nil {
		c.close()
		return nil, err
	}
	e.device, e.id = c.devices[o.Device], e.devices[o.Device].ID
	if c.platform == "cpu" {
		e.flags["xla_cpu_enable_fast_min_max"] = false // which would drop NaN
	}
	maps.Copy(e.flags, o.Flags)
	return e, nil
}

// isGPU reports whether a plugin has the settings of XLA's GPU client.
func isGPU(file string) bool {
	for _, p := range platforms[:2] {
		for _, f := range p.files {
			if matches(file, f) {
				return true
			}
		}
	}
	return false
}

// Platform returns the plugin's name of its devices, such as "cuda" or "cpu". It is "" if e is nil.
func (e *Engine) Platform() string {
	if e == nil || e.client == nil {
		return ""
	}
	return e.client.platform
}

// Devices returns the devices that this process can use. Options.Device counts in this list.
func (e *Engine) Devices() []Device {
	if e == nil {
		return nil
	}
	return slices.Clone(e.devices)
}

// String returns the platform and the kind of the device.
func (e *Engine) String() string {
	if e.Platform() == "" {
		return "pjrt"
	}
	at := slices.IndexFunc(e.devices, func(d Device) bool { return d.ID == e.id })
	return fmt.Sprintf("pjrt:%s (%s, plugin %s)", e.client.platform, e.devices[at].Kind, e.client.version)
}

// describe asks for the devices.
func (c *client) describe() (all []Device, err error) {
	for _, h := range c.devices {
		d := &struct {
			header
			device, description handle
		}{device: h}
		if err := call(c.api, fnDescription, d, &d.header); err != nil {
			return nil, err
		}
		id := &struct {
			header
			description handle
			id          int32
			_           int32
		}{description: d.description}
		if err := call(c.api, fnDescriptionID, id, &id.header); err != nil {
			return nil, err
		}
		kind := &struct {
			header
			description handle
			text        unsafe.Pointer
			size        uintptr
		}{description: d.description}
		if err := call(c.api, fnDescriptionKind, kind, &kind.header); err != nil {
			return nil, err
		}
		all = append(all, Device{int(id.id), string(unsafe.Slice((*byte)(kind.text), kind.size))})
	}
	return all, nil
}

// Load compiles a graph. Compile and CompileOn call it.
func (e *Engine) Load(g *ir.Graph, variables []ir.Array) (exec.Runner, error) {
	if e == nil || e.client == nil {
		return nil, errors.New("pjrt: the engine is nil or was not made by Open: look at the error that Open returned")
	}
	m, err := hlo.Lower(g)
	if err != nil {
		return nil, err
	}
	x, err := e.client.compile(m.Text, e.id, e.flags)
	if err != nil {
		return nil, fmt.Errorf("%s refuses the program: %w", e.client.platform, err)
	}
	h := x.h
	runtime.AddCleanup(x, func(c *client) { c.api.on(fnLoadedDestroy, h) }, e.client)
	return e.bind(x, m, g, variables), nil
}

// loaded is a program on the device.
type loaded struct {
	engine    *Engine
	program   *executable
	module    *hlo.Module
	graph     *ir.Graph
	variables []ir.Array
	call      *prepared
	step      ir.Array
	flags     ir.Array
	temporary int
}

func (e *Engine) bind(x *executable, m *hlo.Module, g *ir.Graph, variables []ir.Array) *loaded {
	return &loaded{engine: e, program: x, module: m, graph: g, variables: variables, call: x.prepare(len(g.Variables) + len(g.Inputs) + 1),
		step: ir.NewArray(ir.Type{DType: ir.I64, Shape: []int{}}), flags: ir.NewArray(ir.Type{DType: ir.Bool, Shape: []int{m.Flags}}), temporary: x.temporary()}
}

// Clone returns the program with room for a run of its own.
func (l *loaded) Clone() (exec.Runner, error) {
	return l.engine.bind(l.program, l.module, l.graph, l.variables), nil
}

// Memory is what a run takes on the device.
func (l *loaded) Memory() exec.Memory {
	m := exec.Memory{Arena: l.temporary}
	for _, n := range l.graph.Outputs {
		m.Outputs += n.Type.Bytes()
	}
	return m
}

// Run copies variables and inputs to the device, runs, and copies back what the program computes. It can only be canceled before it begins.
func (l *loaded) Run(c exec.Call) (err error) {
	select {
	case <-c.Done:
		return exec.ErrCanceled
	default:
	}
	client := l.engine.client
	defer func() { err = errors.Join(err, l.release()) }()
	l.step.SetInt(0, c.Step)
	for i, a := range slices.Concat(l.variables, c.Inputs, []ir.Array{l.step}) {
		if l.call.in[i], err = client.put(l.engine.device, a); err != nil {
			return err
		}
	}
	if err := l.call.run(); err != nil {
		return err
	}
	results := l.call.out
	if l.module.Flags > 0 {
		if err := client.get(results[len(results)-1], l.flags); err != nil {
			return err
		}
		if err := l.refuse(c); err != nil {
			return err
		}
	}
	for i, a := range c.Outputs {
		if err := client.get(results[len(l.graph.Assigns)+i], a); err != nil {
			return err
		}
	}
	for i, a := range l.graph.Assigns {
		if err := client.get(results[i], l.variables[a.Variable.Op.(ir.Variable).Index]); err != nil {
			return err
		}
	}
	return nil
}

// release frees the buffers of a run.
func (l *loaded) release() error {
	var errs []error
	for _, all := range [][]handle{l.call.in, l.call.out} {
		for i, h := range all {
			errs = append(errs, l.engine.client.free(h))
			all[i] = 0
		}
	}
	return errors.Join(errs...)
}

// refuse returns the error of a run whose flags say that nothing may be stored, or nil.
func (l *loaded) refuse(c exec.Call) error {
	guards := l.flags.Raw()
	if l.module.Checked {
		if guards[0] == 0 {
			return l.explain(c)
		}
		guards = guards[1:]
	}
	if at := slices.Index(guards, 0); at >= 0 {
		return &ir.NonFinite{Node: l.module.Guards[at]}
	}
	return nil
}

// explain runs the program on the CPU, with copies of what it would write, to find which operand's contents are wrong.
func (l *loaded) explain(c exec.Call) error {
	variables := slices.Clone(l.variables)
	for i, v := range variables {
		variables[i] = ir.NewArray(v.Type)
		copy(variables[i].Raw(), v.Raw())
	}
	m, err := exec.NewMachine(l.graph, variables, pool.Default())
	if err != nil {
		return fmt.Errorf("pjrt: an index is out of range; where cannot be said: %w", err)
	}
	if err := m.Run(c); err != nil {
		return err
	}
	return errors.New("pjrt: an index is out of range on the device, and none is when the run is repeated on the CPU: it depends on rounding")
}
