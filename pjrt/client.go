//go:build (linux || darwin) && (amd64 || arm64)

package pjrt

import (
	"fmt"
	"math"
	"runtime"
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

// compileOptions is the serialized CompileOptionsProto: one replica on a device, and flags of XLA for this program.
func compileOptions(device int, flags map[string]bool) []byte {
	build := varintField(varintField(nil, 4, 1), 5, 1) // num_replicas, num_partitions
	ids := bytesField(nil, 1, varint(nil, uint64(device)))
	build = bytesField(build, 9, bytesField(varintField(varintField(nil, 1, 1), 2, 1), 3, ids)) // device_assignment
	all := bytesField(nil, 3, build)
	for name, v := range flags { // env_option_overrides, a map
		n := uint64(0)
		if v {
			n = 1
		}
		all = bytesField(all, 7, bytesField(bytesField(nil, 1, []byte(name)), 2, varintField(nil, 2, n)))
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
func (c *client) compile(text string, device int, flags map[string]bool) (*executable, error) {
	code, format, options := []byte(text), []byte("mlir"), compileOptions(device, flags)
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
var kinds = [...]int32{ir.Bool: 1, ir.I32: 4, ir.I64: 5, ir.F32: 11, ir.F64: 12}

// put copies an array to a device. It returns once the memory may be changed again.
func (c *client) put(device handle, a ir.Array) (handle, error) {
	dims := make([]int64, len(a.Shape)+1)
	for i, d := range a.Shape {
		dims[i] = int64(d)
	}
	args := &struct {
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
	}{client: c.h, data: a.Data, kind: kinds[a.DType], dims: unsafe.Pointer(&dims[0]), numDims: uintptr(len(a.Shape)), device: device}
	if a.Size() == 0 {
		args.data = unsafe.Pointer(&dims[0]) // nothing is read, and nil is refused
	}
	if err := call(c.api, fnBufferFromHost, args, &args.header); err != nil {
		return 0, err
	}
	return args.buffer, c.api.await(args.done)
}

// get copies a buffer to an array and waits.
func (c *client) get(buffer handle, a ir.Array) error {
	if a.Size() == 0 {
		return nil
	}
	args := &struct {
		header
		src    handle
		layout uintptr
		dst    unsafe.Pointer
		size   uintptr
		event  handle
		_      spare
	}{src: buffer, dst: a.Data, size: uintptr(a.Bytes())}
	if err := call(c.api, fnToHost, args, &args.header); err != nil {
		return err
	}
	err := c.api.await(args.event)
	runtime.KeepAlive(a.Data)
	return err
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
	events     unsafe.Pointer // [device], written
	device     handle
	_          spare
}

// prepared is a run on one device: its memory is used again by every run.
type prepared struct {
	client       *client
	args         execute
	options      executeOptions
	in, out      []handle
	event        [1]handle
	inRow, outOf [1]unsafe.Pointer
}

// prepare makes room for runs with so many arguments.
func (e *executable) prepare(arguments int) *prepared {
	p := &prepared{client: e.client, in: make([]handle, arguments), out: make([]handle, e.outputs)}
	p.inRow[0], p.outOf[0] = unsafe.Pointer(unsafe.SliceData(p.in)), unsafe.Pointer(unsafe.SliceData(p.out))
	p.options.header.size = unsafe.Sizeof(p.options)
	p.args = execute{executable: e.h, options: &p.options, arguments: unsafe.Pointer(&p.inRow[0]), numDevices: 1, numArgs: uintptr(arguments),
		outputs: unsafe.Pointer(&p.outOf[0]), events: unsafe.Pointer(&p.event[0])}
	return p
}

// run starts a run and waits for it. The outputs are handles that must be freed.
func (p *prepared) run() error {
	if err := call(p.client.api, fnExecute, &p.args, &p.args.header); err != nil {
		return err
	}
	err := p.client.api.await(p.event[0])
	p.event[0] = 0
	return err
}
