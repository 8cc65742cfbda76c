// Package op holds the ops that the compiler knows: those that passes build or look for. Each has its shape rule, its reference
// kernel and, if it has one, its fast kernel. The root package embeds them, and adds the methods of Value and the gradient
// rules.
package op

import (
	"fmt"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// axesString prints the attribute of an op that works along axes.
func axesString(axes ...int) string { return fmt.Sprintf("axes=%v", axes) }

// around returns the number of elements of the axes before an axis, its size, and the number of elements of those after it.
func around(shape []int, axis int) (outer, size, inner int) {
	return ir.Size(shape[:axis]), shape[axis], ir.Size(shape[axis+1:])
}
