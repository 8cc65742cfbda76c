package tarn

// This file tells whether a gradient can flow.

// Depends reports whether y depends on one of the operands in a way that a gradient can follow: through float values and not through
// StopGradient. If it does not, Grad returns zeros for all of them.
func Depends[T Operand](y *Value, on ...T) bool {
	y = y.orLost()
	ends := map[*Value]bool{}
	for _, o := range on {
		ends[y.operand(o)] = true
	}
	seen := map[*Value]bool{}
	list := []*Value{y}
	for len(list) > 0 {
		v := list[len(list)-1]
		list = list[:len(list)-1]
		if v == nil || seen[v] || !v.DType().IsFloat() {
			continue
		}
		seen[v] = true
		if ends[v] {
			return true
		}
		if _, stops := v.op.(stopGradientOp); !stops {
			list = append(list, v.in...)
		}
	}
	return false
}
