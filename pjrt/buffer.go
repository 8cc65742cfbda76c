//go:build (linux || darwin) && (amd64 || arm64)

package pjrt

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds buffer, an array on the devices of an engine.

// buffer is an array on the devices of an engine: the whole on each, or a part of the first axis. It is an exec.Copy.
type buffer struct {
	engine  *Engine
	typ     ir.Type // of the whole
	split   bool
	handles []handle // by device
	users   atomic.Int32

	// What hasten has copied, or copies until the event.
	near  []uint64
	event handle
}

// mostHastened is the size of the largest arrays that are copied before they are asked for.
const mostHastened = 256

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// newBuffer returns a buffer with one user and no handles yet.
func (e *Engine) newBuffer(t ir.Type, split bool) *buffer {
	b := buffers.Get().(*buffer)
	b.engine, b.typ, b.split, b.handles, b.near = e, t, split, b.handles[:0], b.near[:0]
	b.users.Store(1)
	return b
}

// upload copies the elements at data to the devices.
func (e *Engine) upload(t ir.Type, split bool, data unsafe.Pointer) (*buffer, error) {
	b := e.newBuffer(t, split)
	part, bytes := t, 0
	if split {
		part, bytes = b.part()
	}
	for i, device := range e.devices {
		h, err := e.client.put(device, part, unsafe.Add(data, i*bytes))
		if err != nil {
			b.Release()
			return nil, err
		}
		b.handles = append(b.handles, h)
	}
	return b, nil
}

// part is the type of what each device has of a buffer that is split, and its size.
func (b *buffer) part() (t ir.Type, bytes int) {
	t = ir.Type{DType: b.typ.DType, Shape: append([]int(nil), b.typ.Shape...)}
	t.Shape[0] /= len(b.engine.devices)
	return t, t.Bytes()
}

// Type returns the type of the whole.
func (b *buffer) Type() ir.Type { return b.typ }

// hasten begins to copy a small result to the host. Where devices have memory of their own each copy takes a while: those of a run go on at the same time.
func (b *buffer) hasten() {
	c, n := b.engine.client, b.typ.Bytes()
	if c.here || b.split || n == 0 || n > mostHastened {
		return
	}
	b.near = append(b.near, make([]uint64, (n+7)/8)...)
	event, err := c.begin(b.handles[0], unsafe.Pointer(&b.near[0]), n)
	if err != nil { // Fetch tries again, and says it
		b.near = b.near[:0]
		return
	}
	b.event = event
}

// arrive waits until what is hastened is there.
func (b *buffer) arrive() error {
	event := b.event
	b.event = 0
	return b.engine.client.api.await(event)
}

// Fetch waits until the elements are there and copies them to a.
func (b *buffer) Fetch(a ir.Array) error {
	c := b.engine.client
	if len(b.near) > 0 {
		if err := b.arrive(); err != nil {
			b.near = b.near[:0] // holds nothing: a further Fetch must fail, too
			return err
		}
		copy(a.Raw(), unsafe.Slice((*byte)(unsafe.Pointer(&b.near[0])), a.Bytes()))
		return nil
	}
	if !b.split {
		return c.get(b.handles[0], a.Data, a.Bytes())
	}
	_, bytes := b.part()
	for i, h := range b.handles {
		if err := c.get(h, unsafe.Add(a.Data, i*bytes), bytes); err != nil {
			return err
		}
	}
	return nil
}

// Retain adds a user.
func (b *buffer) Retain() { b.users.Add(1) }

// Release takes a user away, and frees the memory on the devices if it was the last one.
func (b *buffer) Release() {
	if b.users.Add(-1) > 0 {
		return
	}
	b.arrive() // else the copy would write to memory of others
	for _, h := range b.handles {
		b.engine.client.free(h) // which fails only if h is no buffer
	}
	b.engine, b.typ = nil, ir.Type{}
	buffers.Put(b)
}

var _ exec.Copy = (*buffer)(nil)
