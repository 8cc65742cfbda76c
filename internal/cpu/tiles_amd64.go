package cpu

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// What stops every instruction for tiles, as an unknown one.
var (
	errNoTiles      = errors.New("CPUID names no AMX")
	errUnsavedTiles = errors.New("the operating system does not save AMX tiles")
)

// assumeTiles is set by the linker in programs that are traced by the command in gen/tiles, which does each instruction of AMX in the processor's place
// if that refuses it.
var assumeTiles string

// tileUnit is what is known of AMX on this machine.
type tileUnit struct {
	refused error // why it cannot be used, or nil
	traced  bool  // a tracer does its instructions
}

// tiles asks processor and system, and compares a small product.
var tiles = sync.OnceValue(func() (u tileUnit) {
	u.refused = permittedTiles()
	if assumeTiles != "" && cpu.X86.HasAVX512BF16 && (u.refused == errNoTiles || u.refused == errUnsavedTiles) {
		u = tileUnit{traced: true}
	}
	if u.refused == nil {
		u.refused = checkTiles()
	}
	return u
})

// permittedTiles returns why this process may not use AMX tiles, or nil.
func permittedTiles() error {
	const tileState = 3 << 17 // of XCR0: configuration and data
	if !cpu.X86.HasAVX512BF16 || !cpu.X86.HasAMXTile || !cpu.X86.HasAMXBF16 {
		return errNoTiles
	}
	if _, _, c, _ := cpuid(1, 0); c>>27&1 == 0 || xgetbv()&tileState != tileState {
		return errUnsavedTiles
	}
	if err := tileLimits(cpuid); err != nil {
		return err
	}
	return permitTiles()
}

// tileLimits returns an error if tiles of palette 1, or the unit that multiplies them, are smaller than the kernels need. Leaves 0x1d and 0x1e of CPUID tell it.
func tileLimits(cpuid func(leaf, sub uint32) (a, b, c, d uint32)) error {
	const palette, unit = 0x1d, 0x1e
	if last, _, _, _ := cpuid(0, 0); last < unit {
		return errors.New("CPUID does not tell the size of tiles")
	}
	palettes, _, _, _ := cpuid(palette, 0)
	a, b, c, _ := cpuid(palette, 1)
	_, most, _, _ := cpuid(unit, 0)
	tile, row, names, rows, pairs, cols := a>>16, b&0xffff, b>>16, c&0xffff, most&0xff, most>>8&0xffff
	if palettes < 1 || tile < tileBytes || row < tileBytes/tileRow || names < 8 || rows < tileRow || pairs < tileRow || cols < tileBytes/tileRow {
		return fmt.Errorf("CPUID names %d tiles of %d bytes and %d rows of %d bytes, and products of %d rows of %d bytes", names, tile, rows, row, pairs, cols)
	}
	return nil
}

// BF16Refused returns why a unit that the processor has is not used, or nil.
func BF16Refused() error {
	if err := tiles().refused; err != nil && err != errNoTiles {
		return fmt.Errorf("AMX is not used: %w", err)
	}
	return nil
}

// String tells what was asked and what came of it.
func (u tileUnit) String() string {
	switch {
	case u.refused != nil:
		return "not here: " + u.refused.Error()
	case u.traced:
		return "a tracer does its instructions, and a product has the bits of plain Go"
	}
	return "CPUID names AMX, the kernel permits it, and a product has the bits of plain Go"
}

// checkTiles multiplies small integers, whose product is exact in any order of the sums, in tiles and in plain Go.
func checkTiles() error {
	const m, n, k = 45, 39, 75
	r := rand.New(rand.NewPCG(1, 2))
	a, b, c, want := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n), make([]float32, m*n)
	for i := range a {
		a[i] = float32(r.IntN(17) - 8)
	}
	for i := range b {
		b[i] = float32(r.IntN(17) - 8)
	}
	g := newGemmBF16(GemmSpec{M: m, N: n, K: k, A: Layout{1, m}, B: Layout{n, 1}, LDC: n}, TileBF16)
	shared, worker := make([]float32, g.SharedScratch()/4+16), make([]float32, g.WorkerScratch()/4+16)
	aligned := func(x []float32) unsafe.Pointer {
		p := unsafe.Pointer(&x[0])
		return unsafe.Add(p, -int(uintptr(p))&63)
	}
	for phase := range g.Phases() {
		for task := range g.Tasks(phase) {
			g.Run(phase, task, unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&c[0]), aligned(shared), aligned(worker))
		}
	}
	wrong := 0
	for i := range m {
		for j := range n {
			for x := range k {
				want[i*n+j] += a[x*m+i] * b[x*n+j]
			}
			if c[i*n+j] != want[i*n+j] {
				wrong++
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d numbers of a product differ from what plain Go computes", wrong, m*n)
	}
	return nil
}

// run computes the product in calls that are short.
func (p *tileProduct) run() {
	call := p.amxCall
	// Along K.
	steps := min(p.steps, tileMost)
	blocks := min(max(tileMost/p.steps, 1), p.blocks)
	rows, cols := p.m, p.n
	first := p.add
	for block := 0; block < p.blocks; block += blocks {
		for step := 0; step < p.steps; step += steps {
			call.blocks, call.steps = min(blocks, p.blocks-block), min(steps, p.steps-step)
			a := unsafe.Add(p.a, block*(p.steps*p.aStep+p.aNext)+step*p.aStep)
			b := unsafe.Add(p.b, block*(p.steps*p.bStep+p.bNext)+step*p.bStep)
			call.add = first
			if block+step > 0 {
				call.add = 1
			}
			// Along C: whole panels, and what is left at its edges.
			most := max(tileMost/(call.steps*call.blocks), 1) // panels
			for i := 0; i < rows; {
				height, down := tilePanel, min((rows-i)/tilePanel, most)
				if down == 0 {
					height, down = rows-i, 1
				}
				for j := 0; j < cols; {
					width, across := tilePanel, min((cols-j)/tilePanel, max(most/down, 1))
					if across == 0 {
						width, across = cols-j, 1
					}
					call.config = newTileConfig(height, width, p.pairs)
					call.a, call.b = unsafe.Add(a, i/tilePanel*p.aPanel), unsafe.Add(b, j/tilePanel*p.bPanel)
					call.c, call.cPanel = unsafe.Add(p.c, i*p.cRow+j*4), tilePanel*p.cRow
					call.rowPanels, call.colPanels = down, across
					argument := (*byte)(unsafe.Pointer(&call))
					switch {
					case height > tileRow && width > tileRow:
						amxTiles2x2(argument)
					case height > tileRow:
						amxTiles2x1(argument)
					case width > tileRow:
						amxTiles1x2(argument)
					default:
						amxTiles1x1(argument)
					}
					j += across * width
				}
				i += down * height
			}
		}
	}
}
