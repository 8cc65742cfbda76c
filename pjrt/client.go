//go:build (linux || darwin) && (amd64 || arm64)

package pjrt

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds what is done with a plugin: a client with its devices, buffers, compiled programs and runs of them.

// client owns the devices.
type client struct {
	api      *api
	h        handle
	platform string // "cpu", "cuda", "tpu"
	version  string
	devices  []handle
	here     bool // the devices have the memory of the host
}

// newClient makes a client. Settings are strings, bools, ints, float64s and lists of ints.
func (a *api) newClient(settings map[string]any) (*client, error) {
	values := make([]namedValue, 0, len(settings))
	var pin runtime.Pinner // value holds addresses as numbers, which the collector does not see
	defer pin.Unpin()
	for name, o := range settings {
		n := []byte(name)
		if len(n) == 0 {
			return nil, fmt.Errorf("pjrt: a setting has no name")
		}
		v := namedValue{name: unsafe.Pointer(&n[0]), nameSize: uintptr(len(n)), size: 1}
		v.header.size = unsafe.Sizeof(v)
		switch o := o.(type) {
		case string:
			s := []byte(o + "\x00")
			pin.Pin(&s[0])
			v.kind, v.value, v.size = 0, uint64(uintptr(unsafe.Pointer(&s[0]))), uintptr(len(o))
		case int:
			v.kind, v.value = 1, uint64(o)
		case []int:
			list := make([]int64, len(o)+1)
			for i, x := range o {
				list[i] = int64(x)
			}
			pin.Pin(&list[0])
			v.kind, v.value, v.size = 2, uint64(uintptr(unsafe.Pointer(&list[0]))), uintptr(len(o))
		case float64:
			v.kind, v.value = 3, uint64(math.Float32bits(float32(o)))
		case bool:
			if v.kind = 4; o {
				v.value = 1
			}
		default:
			return nil, fmt.Errorf("pjrt: the setting %s is a %T; it may be a string, a bool, an int, a float64 or a []int", name, o)
		}
		values = append(values, v)
	}
	args := &struct {
		header
		options                  unsafe.Pointer
		n                        uintptr
		get, getArg, put, putArg uintptr // a key-value store, for several processes
		client                   handle
		tryGet, tryGetArg        uintptr
		_                        spare
	}{options: unsafe.Pointer(unsafe.SliceData(values)), n: uintptr(len(values))}
	if err := call(a, fnClientCreate, args, &args.header); err != nil {
		return nil, err
	}
	c := &client{api: a, h: args.client}
	var err error
	text := func(fn int) string {
		t := &struct {
			header
			client handle
			text   unsafe.Pointer
			size   uintptr
		}{client: c.h}
		if e := call(a, fn, t, &t.header); e != nil {
			err = e
			return ""
		}
		return string(unsafe.Slice((*byte)(t.text), t.size))
	}
	c.platform, c.version = text(fnPlatformName), text(fnPlatformVersion)
	c.here = c.platform == "cpu"
	d := &struct {
		header
		client  handle
		devices unsafe.Pointer
		n       uintptr
	}{client: c.h}
	if e := call(a, fnAddressableDevices, d, &d.header); e != nil {
		err = e
	}
	if err != nil {
		c.close()
		return nil, err
	}
	c.devices = append(c.devices, unsafe.Slice((*handle)(d.devices), d.n)...)
	return c, nil
}

func (c *client) close() error { return c.api.on(fnClientDestroy, c.h) }

// executable is a compiled program.
type executable struct {
	client  *client
	h       handle
	outputs int
}

// compileOptions is the serialized CompileOptionsProto: one program on devices, among which XLA's partitioner divides the work if there are several, and
// flags of XLA for this program, bools and strings.
func compileOptions(devices []int, flags map[string]any) []byte {
	n := uint64(len(devices))
	build := varintField(varintField(nil, 4, 1), 5, n) // num_replicas, num_partitions
	assignment := varintField(varintField(nil, 1, 1), 2, n)
	for _, id := range devices { // a list of one replica for each partition
		assignment = bytesField(assignment, 3, bytesField(nil, 1, varint(nil, uint64(id))))
	}
	if n > 1 {
		build = varintField(build, 6, 1) // use_spmd_partitioning
	}
	build = bytesField(build, 9, assignment) // device_assignment
	if n > 1 {
		build = varintField(build, 19, 1) // use_shardy_partitioner
	}
	all := bytesField(nil, 3, build)
	for name, v := range flags { // env_option_overrides, a map
		var value []byte
		switch v := v.(type) {
		case string:
			value = bytesField(nil, 1, []byte(v))
		case bool:
			n := uint64(0)
			if v {
				n = 1
			}
			value = varintField(nil, 2, n)
		}
		all = bytesField(all, 7, bytesField(bytesField(nil, 1, []byte(name)), 2, value))
	}
	return all
}

func varint(b []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

func varintField(b []byte, field int, v uint64) []byte { return varint(varint(b, uint64(field)<<3), v) }

func bytesField(b []byte, field int, v []byte) []byte {
	return append(varint(varint(b, uint64(field)<<3|2), uint64(len(v))), v...)
}

type program struct {
	header
	code       unsafe.Pointer
	codeSize   uintptr
	format     unsafe.Pointer
	formatSize uintptr
	_          spare
}

// compile compiles StableHLO as text.
func (c *client) compile(text string, devices []int, flags map[string]any) (*executable, error) {
	code, format, options := []byte(text), []byte("mlir"), compileOptions(devices, flags)
	p := &program{code: unsafe.Pointer(&code[0]), codeSize: uintptr(len(code)), format: unsafe.Pointer(&format[0]), formatSize: uintptr(len(format))}
	p.header.size = unsafe.Sizeof(*p)
	args := &struct {
		header
		client      handle
		program     *program
		options     unsafe.Pointer
		optionsSize uintptr
		executable  handle
		_           spare
	}{client: c.h, program: p, options: unsafe.Pointer(&options[0]), optionsSize: uintptr(len(options))}
	if err := call(c.api, fnCompile, args, &args.header); err != nil {
		return nil, err
	}
	e := &executable{client: c, h: args.executable}
	err := e.inside(func(inner handle) error {
		n := &struct {
			header
			executable handle
			n          uintptr
		}{executable: inner}
		err := call(c.api, fnNumOutputs, n, &n.header)
		e.outputs = int(n.n)
		return err
	})
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// inside lends the PJRT_Executable in a PJRT_LoadedExecutable, which is an object of its own and must be freed.
func (e *executable) inside(f func(handle) error) error {
	args := &struct {
		header
		loaded, executable handle
	}{loaded: e.h}
	if err := call(e.client.api, fnGetExecutable, args, &args.header); err != nil {
		return err
	}
	err := f(args.executable)
	if e := e.client.api.on(fnExecutableDestroy, args.executable); err == nil {
		err = e
	}
	return err
}

// temporary is the number of bytes that a run needs on the device beside its arguments and results; 0 if the plugin does not say.
func (e *executable) temporary() int {
	var n int64
	err := e.inside(func(inner handle) error {
		type stats struct{ code, arguments, outputs, aliased, temporary int64 }
		args := &struct {
			header
			executable   handle
			device, host stats
			peak         int64
			_            spare
		}{executable: inner}
		err := call(e.client.api, fnMemoryStats, args, &args.header)
		n = args.device.temporary
		return err
	})
	if err != nil {
		return 0
	}
	return int(n)
}

func (e *executable) close() error { return e.client.api.on(fnLoadedDestroy, e.h) }

// kinds are the plugin's numbers of the element types.
var kinds = [...]int32{ir.Bool: 1, ir.I32: 4, ir.I64: 5, ir.F32: 11, ir.F64: 12, ir.BF16: 13, ir.F16: 10}

// fromHost is PJRT_Client_BufferFromHostBuffer_Args.
type fromHost struct {
	header
	client       handle
	data         unsafe.Pointer
	kind         int32
	_            int32
	dims         unsafe.Pointer
	numDims      uintptr
	strides      unsafe.Pointer
	numStrides   uintptr
	semantics    int32 // 0: copied before the call returns
	_            int32
	device       handle
	memory       handle
	layout       uintptr
	done, buffer handle
	_            spare
}

// fromHosts are slots with room for dims.
var fromHosts = sync.Pool{New: func() any {
	return &struct {
		slot[fromHost]
		dims []int64
	}{dims: make([]int64, 1)}
}}

// put copies the elements at data, which have a type, to a device. It returns once the memory may be changed again.
func (c *client) put(device handle, t ir.Type, data unsafe.Pointer) (handle, error) {
	s := fromHosts.Get().(*struct {
		slot[fromHost]
		dims []int64
	})
	defer fromHosts.Put(s)
	for len(s.dims) <= len(t.Shape) {
		s.dims = append(s.dims, 0)
	}
	for i, d := range t.Shape {
		s.dims[i] = int64(d)
	}
	s.args = fromHost{client: c.h, data: data, kind: kinds[t.DType], dims: unsafe.Pointer(&s.dims[0]), numDims: uintptr(len(t.Shape)), device: device}
	if t.Size() == 0 {
		s.args.data = unsafe.Pointer(&s.dims[0]) // nothing is read, and nil is refused
	}
	if err := s.call(c.api, fnBufferFromHost, &s.args.header); err != nil {
		return 0, err
	}
	s.args.data = nil
	if s.args.done != 0 {
		if err := c.api.on(fnEventDestroy, s.args.done); err != nil {
			return 0, err
		}
	}
	return s.args.buffer, nil
}

// toHost is PJRT_Buffer_ToHostBuffer_Args.
type toHost struct {
	header
	src    handle
	layout uintptr
	dst    unsafe.Pointer
	size   uintptr
	event  handle
	_      spare
}

var toHosts = sync.Pool{New: func() any { return new(slot[toHost]) }}

// ofBuffer is the args struct of functions that tell something of a buffer.
type ofBuffer struct {
	header
	buffer handle
	answer uintptr
}

var ofBuffers = sync.Pool{New: func() any { return new(slot[ofBuffer]) }}

// ask calls a function that tells something of a buffer.
func (c *client) ask(fn int, buffer handle) (uintptr, error) {
	s := ofBuffers.Get().(*slot[ofBuffer])
	defer ofBuffers.Put(s)
	s.args = ofBuffer{buffer: buffer}
	err := s.call(c.api, fn, &s.args.header)
	return s.args.answer, err
}

// getHere is get from a device that has the memory of the host. The plugin's own copy would change threads, which takes 20 us.
func (c *client) getHere(buffer handle, data unsafe.Pointer, bytes int) error {
	event, err := c.ask(fnReadyEvent, buffer)
	if err == nil {
		err = c.api.await(handle(event))
	}
	if err != nil {
		return err
	}
	from, err := c.ask(fnUnsafePointer, buffer)
	if err != nil {
		return err
	}
	copy(unsafe.Slice((*byte)(data), bytes), unsafe.Slice(*(**byte)(unsafe.Pointer(&from)), bytes)) // memory of the plugin
	return nil
}

// get copies a buffer of some bytes to memory and waits.
func (c *client) get(buffer handle, data unsafe.Pointer, bytes int) error {
	if bytes == 0 {
		return nil
	}
	if c.here {
		return c.getHere(buffer, data, bytes)
	}
	event, err := c.begin(buffer, data, bytes)
	if err == nil {
		err = c.api.await(event)
	}
	runtime.KeepAlive(data)
	return err
}

// begin begins to copy a buffer of some bytes to memory, which must be kept until the event.
func (c *client) begin(buffer handle, data unsafe.Pointer, bytes int) (event handle, err error) {
	s := toHosts.Get().(*slot[toHost])
	defer toHosts.Put(s)
	s.args = toHost{src: buffer, dst: data, size: uintptr(bytes)}
	err = s.call(c.api, fnToHost, &s.args.header)
	s.args.dst = nil
	return s.args.event, err
}

// free destroys a buffer, one that was donated too.
func (c *client) free(buffer handle) error {
	if buffer == 0 {
		return nil
	}
	return c.api.on(fnBufferDestroy, buffer)
}

type executeOptions struct {
	header
	send, recv       uintptr
	numSend, numRecv uintptr
	launch           int32
	_                int32
	keep             unsafe.Pointer // indices of arguments not to donate
	numKeep          uintptr
	context          handle
	location         unsafe.Pointer
	numTasks         uintptr
	tasks, lives     unsafe.Pointer
	_                spare
}

type execute struct {
	header
	executable handle
	options    *executeOptions
	arguments  unsafe.Pointer // [device][argument]
	numDevices uintptr
	numArgs    uintptr
	outputs    unsafe.Pointer // [device][output], written
	events     unsafe.Pointer // [device], written; nil for none
	device     handle
	_          spare
}

// prepared is a run on all devices of an engine: its memory is used again by every run.
type prepared struct {
	slot[execute]
	client       *client
	options      executeOptions
	in, out      [][]handle // [device][argument or result]
	inRow, outOf []unsafe.Pointer
}

// prepare makes room for runs on a number of devices with a number of arguments.
func (e *executable) prepare(devices, arguments int) *prepared {
	p := &prepared{client: e.client}
	for range devices {
		in, out := make([]handle, arguments), make([]handle, e.outputs)
		p.in, p.out = append(p.in, in), append(p.out, out)
		p.inRow, p.outOf = append(p.inRow, unsafe.Pointer(unsafe.SliceData(in))), append(p.outOf, unsafe.Pointer(unsafe.SliceData(out)))
	}
	p.options.header.size = unsafe.Sizeof(p.options)
	p.args = execute{executable: e.h, options: &p.options, arguments: unsafe.Pointer(&p.inRow[0]), numDevices: uintptr(devices), numArgs: uintptr(arguments),
		outputs: unsafe.Pointer(&p.outOf[0])}
	return p
}

// run starts a run, and does not wait for it. The results are handles that must be freed.
func (p *prepared) run() error { return p.call(p.client.api, fnExecute, &p.args.header) }
