//go:build linux && amd64

// Command tiles runs a program whose AMX instructions the processor does not have. It traces the program, and does in its place each instruction that the
// processor refuses. So the kernels can be tested where there is AVX512_BF16 alone:
//
//	go build -C internal/cpu/gen -o /tmp/tiles ./tiles
//	go test -exec /tmp/tiles -ldflags '-X github.com/seed-49005b45/tarn/internal/cpu.assumeTiles=yes' -run BF16 ./internal/cpu
//
// On a processor with AMX such a program asks the kernel for its use as any other does, and no instruction is refused. If this system lets no program be traced, as in some
// containers, the exit code is 3.
//
// What an instruction does follows Intel's "Intel 64 and IA-32 Architectures Software Developer's Manual", volume 2, and nothing else.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"syscall"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: tiles PROGRAM [ARGUMENT...]")
		os.Exit(2)
	}
	code, err := trace(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "tiles:", err)
		code = 1
		if errors.Is(err, errNotTraced) {
			code = notTraced
		}
	}
	os.Exit(code)
}

// notTraced is the exit code if errNotTraced is the error.
const notTraced = 3

var errNotTraced = errors.New("this system lets no program be traced")

// trace runs a program to its end, and returns its exit code.
func trace(args []string) (code int, err error) {
	runtime.LockOSThread() // only the thread that traces may ask
	if _, err := os.Stat(args[0]); err != nil {
		return 0, err
	}
	p, err := os.StartProcess(args[0], args, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Sys: &syscall.SysProcAttr{Ptrace: true}})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errNotTraced, err)
	}
	memory, err := attach(p.Pid)
	if err != nil {
		p.Kill()
		return 0, fmt.Errorf("%w: %w", errNotTraced, err)
	}
	defer memory.Close()
	var status syscall.WaitStatus
	threads := map[int]*thread{p.Pid: {memory: memory}}
	done, signal := 0, 0
	for id := p.Pid; ; {
		if err := syscall.PtraceCont(id, signal); err != nil && err != syscall.ESRCH {
			return 0, err
		}
		for {
			id, err = syscall.Wait4(-1, &status, syscall.WALL, nil)
			if err == nil && (status.Exited() || status.Signaled()) {
				delete(threads, id)
				if id != p.Pid {
					continue
				}
				fmt.Fprintf(os.Stderr, "tiles: %d instructions for tiles were done\n", done)
				if status.Signaled() {
					return 0, fmt.Errorf("the program was ended by %v", status.Signal())
				}
				return status.ExitStatus(), nil
			}
			if err != syscall.EINTR {
				break
			}
		}
		if err != nil {
			return 0, err
		}
		signal = int(status.StopSignal())
		t := threads[id]
		switch {
		case t == nil: // a new one stops first
			threads[id] = &thread{memory: memory}
			signal = 0
		case status.StopSignal() == syscall.SIGTRAP:
			signal = 0
		case status.StopSignal() == syscall.SIGILL:
			if t.instruction(id) {
				done++
				signal = 0
			}
		}
	}
}

// attach waits until a program has stopped at its start, and returns its memory. It tries all that instructions take.
func attach(id int) (memory *os.File, err error) {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(id, &status, 0, nil); err != nil {
		return nil, fmt.Errorf("wait: %w", err)
	}
	if !status.Stopped() {
		return nil, errors.New("the program does not stop at its start")
	}
	const exitKill = 1 << 20
	if err := syscall.PtraceSetOptions(id, syscall.PTRACE_O_TRACECLONE|exitKill); err != nil {
		return nil, fmt.Errorf("ptrace: %w", err)
	}
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(id, &r); err != nil {
		return nil, fmt.Errorf("ptrace: %w", err)
	}
	if err := syscall.PtraceSetRegs(id, &r); err != nil {
		return nil, fmt.Errorf("ptrace: %w", err)
	}
	if memory, err = os.OpenFile(fmt.Sprintf("/proc/%d/mem", id), os.O_RDWR, 0); err != nil {
		return nil, err
	}
	var stack [8]byte
	if _, err = memory.ReadAt(stack[:], int64(r.Rsp)); err == nil {
		_, err = memory.WriteAt(stack[:], int64(r.Rsp))
	}
	if err != nil {
		memory.Close()
		return nil, err
	}
	return memory, nil
}

// thread is the tiles of a thread.
type thread struct {
	memory     *os.File
	configured bool
	rows       [8]int
	bytes      [8]int
	tile       [8][16][64]byte
}

// instruction does the instruction at which a thread has stopped, and reports whether it is one for tiles that has no fault.
func (t *thread) instruction(id int) bool {
	var r syscall.PtraceRegs
	var code [10]byte
	if syscall.PtraceGetRegs(id, &r) != nil {
		return false
	}
	if _, err := t.memory.ReadAt(code[:], int64(r.Rip)); err != nil || code[0] != 0xc4 || code[1]&0x1f != 2 || code[2]&0x84 != 0 {
		return false
	}
	length := uint64(5)
	prefix, modrm := code[2]&3, code[4]
	reg, rm := int(modrm>>3&7), int(modrm&7)
	operand := int(^code[2] >> 3 & 15)
	none := code[2]&0x78 == 0x78
	ok := false
	switch {
	case code[3] == 0x49 && prefix == 0 && modrm == 0 && none && code[1] == 0xe2:
		ok = t.configure(r.Rax)
	case code[3] == 0x49 && prefix == 0 && modrm == 0xc0 && none:
		*t = thread{memory: t.memory}
		ok = true
	case code[3] == 0x49 && prefix == 3 && modrm >= 0xc0 && rm == 0 && none:
		ok = t.valid(reg)
		t.tile[reg] = [16][64]byte{}
	case code[3] == 0x4b && modrm&0xc7 == 0x84 && none:
		general := [16]uint64{r.Rax, r.Rcx, r.Rdx, r.Rbx, r.Rsp, r.Rbp, r.Rsi, r.Rdi, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15}
		base := general[code[5]&7|^code[1]>>5&1<<3]
		stride := general[code[5]>>3&7|^code[1]>>6&1<<3] << (code[5] >> 6)
		at := base + uint64(int64(int32(binary.LittleEndian.Uint32(code[6:]))))
		length = 10
		ok = t.move(prefix, reg, at, stride)
	case code[3] == 0x5c && prefix == 2 && modrm >= 0xc0 && operand < 8:
		ok = t.multiply(reg, rm, operand)
	}
	if !ok {
		return false
	}
	r.Rip += length
	return syscall.PtraceSetRegs(id, &r) == nil
}

func (t *thread) valid(tile int) bool { return t.configured && t.rows[tile] > 0 && t.bytes[tile] > 0 }

// configure is LDTILECFG.
func (t *thread) configure(at uint64) bool {
	var c [64]byte
	if _, err := t.memory.ReadAt(c[:], int64(at)); err != nil || c[0] != 1 || c[1] != 0 {
		return false
	}
	*t = thread{memory: t.memory, configured: true}
	for i := range 16 {
		rows, bytes := int(c[48+i]), int(binary.LittleEndian.Uint16(c[16+2*i:]))
		switch {
		case i >= 8 && (rows != 0 || bytes != 0), rows > 16, bytes > 64, (rows == 0) != (bytes == 0):
			return false
		case i < 8:
			t.rows[i], t.bytes[i] = rows, bytes
		}
	}
	for _, c := range c[2:16] {
		if c != 0 {
			return false
		}
	}
	return true
}

// move is TILELOADD, which clears what it does not load, and TILESTORED.
func (t *thread) move(prefix byte, tile int, at, stride uint64) bool {
	if !t.valid(tile) || prefix != 3 && prefix != 2 {
		return false
	}
	if prefix == 3 {
		t.tile[tile] = [16][64]byte{}
	}
	if last := uint64(t.rows[tile]-1) * stride; prefix == 3 && last < 1<<16 { // all rows at once, if what lies between can be read
		all := make([]byte, last+64)
		if _, err := t.memory.ReadAt(all[:last+uint64(t.bytes[tile])], int64(at)); err == nil {
			for r := range t.rows[tile] {
				copy(t.tile[tile][r][:t.bytes[tile]], all[uint64(r)*stride:])
			}
			return true
		}
	}
	for r := range t.rows[tile] {
		row := t.tile[tile][r][:t.bytes[tile]]
		var err error
		if prefix == 3 {
			_, err = t.memory.ReadAt(row, int64(at))
		} else {
			_, err = t.memory.WriteAt(row, int64(at))
		}
		if err != nil {
			return false
		}
		at += stride
	}
	return true
}

// multiply is TDPBF16PS: products of even and of odd places are summed apart, each by one rounding, and then added. Denormal numbers are zero throughout.
func (t *thread) multiply(c, a, b int) bool {
	if c == a || c == b || a == b || !t.valid(c) || !t.valid(a) || !t.valid(b) ||
		t.bytes[a]%4 != 0 || t.bytes[b]%4 != 0 || t.bytes[c]%4 != 0 || t.rows[c] != t.rows[a] || t.bytes[c] != t.bytes[b] || t.bytes[a]/4 != t.rows[b] {
		return false
	}
	for m := range t.rows[c] {
		for n := range t.bytes[c] / 4 {
			var sums [2]float32
			for k := range t.rows[b] {
				for i := range sums {
					x, y := short(t.tile[a][m][4*k+2*i:]), short(t.tile[b][k][4*n+2*i:])
					sums[i] = flush(float32(float64(x)*float64(y) + float64(sums[i])))
				}
			}
			at := t.tile[c][m][4*n:]
			old := flush(math.Float32frombits(binary.LittleEndian.Uint32(at)))
			binary.LittleEndian.PutUint32(at, math.Float32bits(flush(old+flush(sums[0]+sums[1]))))
		}
		clear(t.tile[c][m][t.bytes[c]:])
	}
	return true
}

// short returns a bfloat16 number.
func short(b []byte) float32 {
	return flush(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16))
}

func flush(x float32) float32 {
	if math.Abs(float64(x)) < 0x1p-126 {
		return float32(math.Copysign(0, float64(x)))
	}
	return x
}
