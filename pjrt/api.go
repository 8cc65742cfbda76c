//go:build (linux || darwin) && (amd64 || arm64)

package pjrt

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// This file calls a plugin through its C interface, without cgo. The layouts are those of pjrt_c_api.h, API 0.81 and later, on 64-bit
// machines. Three rules keep them right:
//
//   - A field that holds an address of Go memory is an unsafe.Pointer, so that the collector sees it while C runs; a field that holds
//     an object of the plugin is a handle, a plain number, so that the collector never looks at it.
//   - Every args struct starts with its size. A plugin refuses one that is shorter than the struct of its own version and accepts a
//     longer one. So structs that may grow end in spare zeros: a newer plugin finds its new fields empty. Elements of arrays are exact.
//   - The table of functions only ever grows at its end, and says its own size: an entry past the size is missing.

// handle is an object that the plugin owns: a client, a device, a buffer, an event, an error.
type handle uintptr

// The functions by their place in PJRT_Api, counted from the first after the version.
const (
	fnErrorDestroy       = 0
	fnErrorMessage       = 1
	fnErrorGetCode       = 2
	fnPluginInitialize   = 3
	fnEventDestroy       = 5
	fnEventAwait         = 8
	fnClientCreate       = 10
	fnClientDestroy      = 11
	fnPlatformName       = 12
	fnPlatformVersion    = 14
	fnAddressableDevices = 16
	fnCompile            = 20
	fnBufferFromHost     = 22
	fnDescriptionID      = 23
	fnDescriptionKind    = 26
	fnDescription        = 29
	fnExecutableDestroy  = 40
	fnNumOutputs         = 44
	fnLoadedDestroy      = 50
	fnGetExecutable      = 51
	fnExecute            = 55
	fnBufferDestroy      = 58
	fnToHost             = 70
	fnReadyEvent         = 72
	fnUnsafePointer      = 73
	fnMemoryStats        = 96
	fnNeeded             = fnUnsafePointer // the last that must be there
)

// api is a loaded plugin.
type api struct {
	path  string
	minor int
	fn    []uintptr
}

// header starts every args struct.
type header struct {
	size      uintptr
	extension uintptr
}

// load opens a plugin's file. A plugin stays open until the process ends: its threads cannot be unloaded.
func load(path string) (*api, error) {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("pjrt: the plugin %s cannot be loaded: %w", path, err)
	}
	get, err := purego.Dlsym(lib, "GetPjrtApi")
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s is no PJRT plugin: %w", path, err)
	}
	r, _, _ := purego.SyscallN(get)
	if r == 0 {
		return nil, fmt.Errorf("pjrt: %s: GetPjrtApi returns nothing", path)
	}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&r)) // memory of the plugin, which the collector does not move
	size := *(*uintptr)(p)
	version := unsafe.Slice((*int32)(unsafe.Add(p, 32)), 2)
	a := &api{path: path, minor: int(version[1]), fn: unsafe.Slice((*uintptr)(unsafe.Add(p, 40)), (size-40)/8)}
	if version[0] != 0 || len(a.fn) <= fnNeeded {
		return nil, fmt.Errorf("pjrt: %s has PJRT API %d.%d, and this package needs 0.81 or later of 0.x; install another version of the plugin", path, version[0], version[1])
	}
	args := &struct{ header }{}
	return a, call(a, fnPluginInitialize, args, &args.header)
}

// spare ends the structs that later versions may lengthen.
type spare [12]uintptr

// call calls a function of the table. h is the header within args; the size is that of the struct.
func call[T any](a *api, fn int, args *T, h *header) error {
	if fn >= len(a.fn) || a.fn[fn] == 0 {
		return fmt.Errorf("pjrt: the plugin %s (API 0.%d) lacks function %d", a.path, a.minor, fn)
	}
	h.size = unsafe.Sizeof(*args)
	r, _, _ := purego.SyscallN(a.fn[fn], uintptr(unsafe.Pointer(args)))
	runtime.KeepAlive(args)
	if r == 0 {
		return nil
	}
	return a.takeError(handle(r))
}

// takeError copies an error into Go memory and frees it.
func (a *api) takeError(h handle) error {
	m := &struct {
		header
		err     handle
		message unsafe.Pointer // memory of the plugin
		size    uintptr
	}{err: h}
	m.header.size = unsafe.Sizeof(*m)
	purego.SyscallN(a.fn[fnErrorMessage], uintptr(unsafe.Pointer(m))) // returns nothing
	e := &Error{Message: string(unsafe.Slice((*byte)(m.message), m.size))}
	c := &struct {
		header
		err  handle
		code int32
		_    int32
	}{err: h}
	c.header.size = unsafe.Sizeof(*c) - 4 // the size is counted to the end of the last field, not padded
	purego.SyscallN(a.fn[fnErrorGetCode], uintptr(unsafe.Pointer(c)))
	e.Code = int(c.code)
	d := &oneHandle{h: h}
	d.header.size = unsafe.Sizeof(*d)
	purego.SyscallN(a.fn[fnErrorDestroy], uintptr(unsafe.Pointer(d)))
	return e
}

// oneHandle is the args struct of the many functions that take one object.
type oneHandle struct {
	header
	h handle
}

// slot is an args struct that is used again, with the list that a call takes, so that a call allocates nothing.
type slot[T any] struct {
	args T
	list [1]uintptr
}

// call calls a function of the table that is known to be there. h is the header within the args.
func (s *slot[T]) call(a *api, fn int, h *header) error {
	h.size = unsafe.Sizeof(s.args)
	s.list[0] = uintptr(unsafe.Pointer(&s.args))
	r, _, _ := purego.SyscallN(a.fn[fn], s.list[:]...)
	runtime.KeepAlive(s)
	if r == 0 {
		return nil
	}
	return a.takeError(handle(r))
}

var oneHandles = sync.Pool{New: func() any { return new(slot[oneHandle]) }}

func (a *api) on(fn int, h handle) error {
	s := oneHandles.Get().(*slot[oneHandle])
	s.args = oneHandle{h: h}
	err := s.call(a, fn, &s.args.header)
	oneHandles.Put(s)
	return err
}

// await waits for an event and frees it. The goroutine's thread blocks in C meanwhile; other goroutines go on.
func (a *api) await(event handle) error {
	if event == 0 {
		return nil
	}
	err := a.on(fnEventAwait, event)
	if e := a.on(fnEventDestroy, event); err == nil {
		err = e
	}
	return err
}

// namedValue is PJRT_NamedValue: an option of a client.
type namedValue struct {
	header
	name     unsafe.Pointer
	nameSize uintptr
	kind     int32 // 0 string, 1 int64, 2 list of int64, 3 float32, 4 bool
	_        int32
	value    uint64 // the number itself, or an address
	size     uintptr
}
