package cpu

// Indices that other values name.

// Outside returns the first place of an index that is not from 0 to before size, or -1.
func Outside[I int32 | int64](at []I, size int) int {
	first := 0
	if n := len(at) / outsideGroup * outsideGroup; n > 0 && !outside(at[:n], size) {
		first = n
	}
	for k, i := range at[first:] {
		if uint64(i) >= uint64(size) {
			return first + k
		}
	}
	return -1
}

// outsideGroup is the number of indices that fill vectors at every level.
const outsideGroup = 64
