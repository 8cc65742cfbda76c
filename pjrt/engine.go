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

// Engine compiles and runs programs on one device of a plugin, or on several that share the work of each program. It is a tarn.Engine. It may be used by
// several goroutines, and lives until the process ends, as the threads of a plugin do.
type Engine struct {
	client  *client
	all     []Device
	devices []handle                          // those of the engine
	ids     []int                             // of those
	flags   map[string]any                    // bools and strings
	whole   func(ir.Array) (exec.Copy, error) // copies an array to each device
}

// Open opens a plugin. The error says what was looked for, and where plugins are to be had.
func Open(o Options) (*Engine, error) {
	switch {
	case !(o.MemoryFraction >= 0 && o.MemoryFraction <= 1):
		return nil, fmt.Errorf("pjrt: the memory fraction is %v and should be from 0 to 1", o.MemoryFraction)
	case o.Devices < 0:
		return nil, fmt.Errorf("pjrt: the number of devices is %d and should not be negative", o.Devices)
	}
	file, err := Find(o.Plugin)
	if err != nil {
		return nil, err
	}
	a, err := load(file)
	if err != nil {
		return nil, err
	}
	settings := map[string]any{}
	switch {
	case is(file, "cuda", "rocm"):
		settings["preallocate"] = o.MemoryFraction > 0
		if o.MemoryFraction > 0 {
			settings["memory_fraction"] = o.MemoryFraction
		}
	case is(file, "cpu") && o.Devices > 1: // as many as are asked for: they share the cores
		settings["cpu_device_count"] = o.Device + o.Devices
	case is(file, "cpu"): // to compute in a thread of its own takes a small program longer than the computation
		settings["asynchronous"] = false
	}
	maps.Copy(settings, o.Settings)
	c, err := a.newClient(settings)
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", file, err)
	}
	e := &Engine{client: c, flags: map[string]any{}}
	e.all, err = c.describe()
	switch {
	case err != nil:
	case slices.ContainsFunc(platforms, func(p platform) bool { return p.name == o.Plugin }) && c.platform != o.Plugin:
		err = fmt.Errorf("pjrt: %s is a plugin for %s and not for %s; set %s to the file of one", file, c.platform, o.Plugin, variable)
	case o.Device < 0 || o.Device >= len(e.all):
		err = fmt.Errorf("pjrt: there is no device %d; %s has %d", o.Device, c.platform, len(e.all))
	case o.Devices > len(e.all)-o.Device:
		err = fmt.Errorf("pjrt: there are no %d devices from device %d on; %s has %d", o.Devices, o.Device, c.platform, len(e.all))
	}
	if err != nil {
		c.close()
		return nil, err
	}
	for i := range max(1, o.Devices) {
		e.devices, e.ids = append(e.devices, c.devices[o.Device+i]), append(e.ids, e.all[o.Device+i].ID)
	}
	e.whole = func(a ir.Array) (exec.Copy, error) { return e.upload(a.Type, false, a.Data) }
	if c.platform == "cpu" {
		e.flags["xla_cpu_enable_fast_min_max"] = false // which would drop NaN
		// Without it a state that an update reads twice is copied before it is overwritten, by as many tasks for other threads.
		e.flags["xla_cpu_copy_insertion_use_region_analysis"] = true
	}
	if folder := cudaFolder(file); folder != "" && is(file, "cuda") {
		e.flags["xla_gpu_cuda_data_dir"] = folder
	}
	for name, v := range o.Flags {
		e.flags[name] = v
	}
	return e, nil
}

// is reports whether a file is the plugin of one of the platforms, which have settings of their own.
func is(file string, names ...string) bool {
	return slices.ContainsFunc(platforms, func(p platform) bool {
		return slices.Contains(names, p.name) && slices.ContainsFunc(p.files, func(pattern string) bool { return matches(file, pattern) })
	})
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
	return slices.Clone(e.all)
}

// String returns the platform and the kind of the device.
func (e *Engine) String() string {
	if e.Platform() == "" {
		return "pjrt"
	}
	at := slices.IndexFunc(e.all, func(d Device) bool { return d.ID == e.ids[0] })
	kind := e.all[at].Kind
	if len(e.ids) > 1 {
		kind = fmt.Sprintf("%d x %s", len(e.ids), kind)
	}
	return fmt.Sprintf("pjrt:%s (%s, plugin %s)", e.client.platform, kind, e.client.version)
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

// options are how graphs are written for the engine.
func (e *Engine) options() hlo.Options {
	return hlo.Options{Devices: len(e.devices), OneKernel: e.client.platform == "cpu"}
}

// Load compiles a graph. Compile and CompileOn call it.
func (e *Engine) Load(g *ir.Graph, variables []*exec.Storage) (exec.Runner, error) {
	if e == nil || e.client == nil {
		return nil, errors.New("pjrt: the engine is nil or was not made by Open: look at the error that Open returned")
	}
	o := e.options()
	m, err := hlo.Lower(g, o)
	if err != nil {
		return nil, err
	}
	x, err := e.client.compile(m.Text, e.ids, e.flags)
	if err != nil {
		return nil, fmt.Errorf("%s refuses the program: %w", e.client.platform, err)
	}
	h := x.h
	runtime.AddCleanup(x, func(c *client) { c.api.on(fnLoadedDestroy, h) }, e.client)
	return (&loaded{engine: e, program: x, module: m, graph: g, variables: variables, options: o, temporary: x.temporary()}).bind(), nil
}

// Upload copies the elements of an input to the devices, for the next run that takes it. See tarn.Upload.
func (e *Engine) Upload(s *exec.Storage) error {
	t := s.Host().Type
	b, err := e.upload(t, e.options().Split(t), s.Host().Data)
	if err == nil {
		s.Uploaded(b)
	}
	return err
}

// loaded is a program on the devices.
type loaded struct {
	engine    *Engine
	program   *executable
	module    *hlo.Module
	graph     *ir.Graph
	variables []*exec.Storage
	options   hlo.Options
	temporary int

	// What a run uses.
	call     *prepared
	step     exec.Storage // the number of the next run
	next     int64        // what step holds
	flags    ir.Array
	in       []*buffer // of the run in progress
	fits     []func(exec.Copy) bool
	assigned []int // the variables that are, in the order of the graph
}

// bind makes room for runs.
func (l *loaded) bind() *loaded {
	l.call = l.program.prepare(len(l.engine.devices), len(l.graph.Variables)+len(l.graph.Inputs)+1)
	l.step.Init(ir.NewArray(ir.Type{DType: ir.I64, Shape: []int{}}))
	l.flags = ir.NewArray(ir.Type{DType: ir.Bool, Shape: []int{l.module.Flags}})
	fit := func(t ir.Type, split bool) {
		l.fits = append(l.fits, func(c exec.Copy) bool {
			b, ok := c.(*buffer)
			return ok && b.engine == l.engine && b.split == split && b.typ.Equal(t)
		})
	}
	for _, n := range l.graph.Variables {
		fit(n.Type, false)
	}
	for _, n := range l.graph.Inputs {
		fit(n.Type, l.options.Split(n.Type))
	}
	fit(l.step.Host().Type, false)
	for _, a := range l.graph.Assigns {
		l.assigned = append(l.assigned, a.Variable.Op.(ir.Variable).Index)
	}
	return l
}

// Clone returns the program with room for a run of its own.
func (l *loaded) Clone() (exec.Runner, error) {
	return (&loaded{engine: l.engine, program: l.program, module: l.module, graph: l.graph, variables: l.variables, options: l.options, temporary: l.temporary}).bind(), nil
}

// Memory is what a run takes on a device.
func (l *loaded) Memory() exec.Memory {
	m := exec.Memory{Arena: l.temporary}
	for _, n := range l.graph.Outputs {
		m.Outputs += n.Type.Bytes()
	}
	return m
}

// Run starts a run on what is on the devices, and copies there what is not. It returns before the run has ended unless flags may refuse it. It can only be
// canceled before it begins.
func (l *loaded) Run(c exec.Call) (err error) {
	select {
	case <-c.Done:
		return exec.ErrCanceled
	default:
	}
	defer l.release()
	if err := l.take(c); err != nil {
		return err
	}
	for i, b := range l.in {
		for d, h := range b.handles {
			l.call.in[d][i] = h
		}
	}
	if err := l.call.run(); err != nil {
		return err
	}
	for _, s := range c.From {
		s.Used()
	}
	for i, at := range l.assigned {
		l.variables[at].Moved(l.result(i, l.graph.Assigns[i].Value.Type))
	}
	for i, s := range c.To {
		b := l.result(len(l.assigned)+i, l.graph.Outputs[i].Type)
		b.hasten()
		s.Moved(b)
	}
	l.step.Moved(l.result(len(l.assigned)+len(c.To), l.step.Host().Type))
	l.next = c.Step + 1
	if l.module.Flags == 0 {
		return nil
	}
	flags := l.result(len(l.assigned)+len(c.To)+1, l.flags.Type)
	flags.hasten() // after the outputs, which arrive while these are waited for
	err = flags.Fetch(l.flags)
	flags.Release()
	if err == nil {
		err = l.refuse(c)
	}
	if err != nil {
		l.step.Drop()
	}
	return err
}

// take finds the arguments of a run, or copies them to the devices.
func (l *loaded) take(c exec.Call) error {
	e := l.engine
	for i, s := range l.variables {
		b, err := s.OnDevice(l.fits[i], e.whole)
		if err != nil {
			return err
		}
		l.in = append(l.in, b.(*buffer))
	}
	for i, s := range c.From {
		if b, ok := s.Copy(l.fits[len(l.in)]).(*buffer); ok {
			if !slices.ContainsFunc(l.assigned, func(at int) bool { return l.in[at] == b }) {
				l.in = append(l.in, b)
				continue
			}
			b.Release() // the run overwrites this one
		}
		if err := s.Read(); err != nil {
			return err
		}
		t := c.Inputs[i].Type
		b, err := e.upload(t, l.options.Split(t), c.Inputs[i].Data)
		if err != nil {
			return err
		}
		l.in = append(l.in, b)
	}
	if l.next != c.Step {
		l.step.Drop()
	}
	l.step.Host().SetInt(0, c.Step)
	b, err := l.step.OnDevice(l.fits[len(l.in)], e.whole)
	if err != nil {
		return err
	}
	l.in = append(l.in, b.(*buffer))
	return nil
}

// result is a result of a run, with one user.
func (l *loaded) result(i int, t ir.Type) *buffer {
	b := l.engine.newBuffer(t, false)
	for _, out := range l.call.out {
		b.handles = append(b.handles, out[i])
	}
	return b
}

// release gives back the arguments of a run.
func (l *loaded) release() {
	for _, b := range l.in {
		b.Release()
	}
	clear(l.in)
	l.in = l.in[:0]
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
	variables := make([]ir.Array, len(l.variables))
	for i, s := range l.variables {
		if err := s.Read(); err != nil {
			return err
		}
		variables[i] = ir.NewArray(s.Host().Type)
		copy(variables[i].Raw(), s.Host().Raw())
	}
	for _, s := range c.From {
		if err := s.Read(); err != nil {
			return err
		}
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
