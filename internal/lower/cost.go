package lower

import (
	"fmt"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file estimates the least cost of a step, to compare with the time that it takes.

// Flops is the number of arithmetic operations of a step: two for each multiply and add of a product, one for each element
// of an instruction of a loop.
func (s *Step) Flops() int {
	switch w := s.Work.(type) {
	case *Product:
		return 2 * w.C.Size * w.K
	case *Attention:
		return w.flops()
	case *Conv:
		return w.flops()
	case *Pool:
		return w.flops()
	case *Nest:
		return w.flops()
	case *Loop:
		n := 0
		for _, in := range w.Instrs {
			switch {
			case in.Code == Spread:
			case in.Extent == Row && in.Code == Apply, in.Extent == Row && in.Code == Convert:
				n += w.Rows
			default:
				n += w.Rows * w.Cols
			}
		}
		return n
	}
	return 0
}

// Bytes is the number of bytes that a step must read and write, each buffer once.
func (s *Step) Bytes() int {
	n := 0
	for _, b := range s.Reads {
		n += b.Bytes()
	}
	for _, b := range s.Writes {
		n += b.Bytes()
	}
	return n
}

// Summary describes the step in a few words, as in "product 128x512x784" or "loop 128x512: add relu".
func (s *Step) Summary() string {
	switch w := s.Work.(type) {
	case *Product:
		text := fmt.Sprintf("product%s %dx%dx%d", precision(w.Precision), w.M, w.N, w.K)
		if batch := ir.Size(w.A.View.Shape[:len(w.A.View.Shape)-2]); batch != 1 {
			text = fmt.Sprintf("%d %s", batch, text)
		}
		return text
	case *Loop:
		text := fmt.Sprintf("loop %dx%d:", w.Rows, w.Cols)
		for i, in := range w.Instrs {
			if i == 6 && len(w.Instrs) > 8 {
				return fmt.Sprintf("%s ... (%d in all)", text, len(w.Instrs))
			}
			text += " " + in.name()
		}
		return text
	case *Attention:
		return w.summary()
	case *Conv:
		return w.summary()
	case *Pool:
		return w.summary()
	case *Nest:
		return w.summary()
	case *Copy:
		return fmt.Sprintf("copy %s", ir.ShapeString(w.From.View.Shape))
	case *Guard:
		if !w.Bounded {
			return "guard, with a copy of what is assigned"
		}
		return "guard"
	case *Check:
		return fmt.Sprintf("check for %s", w.Op.Name())
	case *Kernel:
		return fmt.Sprintf("%s %s", w.Op.Name(), ir.ShapeString(w.Type.Shape))
	}
	return ""
}
