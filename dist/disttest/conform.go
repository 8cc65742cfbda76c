package disttest

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/dist"
)

// Conform calls each collective of a communicator, on all ranks, and returns an error if it does not leave what package dist promises.
func Conform(c dist.Comm) error {
	me, n := c.Rank(), c.Size()
	total := n * (n + 1) / 2 // of rank+1
	const width = 5
	check := func(name string, got, want any) error {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("disttest: %s on rank %d of %d left %v and should have left %v", name, me, n, got, want)
		}
		return nil
	}
	if err := sums[float32](c, check, total, width); err != nil {
		return err
	}
	if err := sums[float64](c, check, total, width); err != nil {
		return err
	}
	if err := sums[int64](c, check, total, width); err != nil {
		return err
	}

	var want []byte
	gathered, part := dist.Alloc(c, n*width), slices.Repeat([]byte{byte(me + 1)}, width)
	for r := range n {
		want = append(want, slices.Repeat([]byte{byte(r + 1)}, width)...)
	}
	if err := c.AllGather(gathered, part); err != nil {
		return err
	}
	if err := check("AllGather", gathered, want); err != nil {
		return err
	}

	var from []byte
	want = nil
	for r := range n {
		from, want = append(from, byte(me), byte(r)), append(want, byte(r), byte(me))
	}
	to := make([]byte, len(from))
	if err := c.AllToAll(to, from); err != nil {
		return err
	}
	if err := check("AllToAll", to, want); err != nil {
		return err
	}

	for root := range n {
		x := []byte{byte(me), 2, 3}
		if err := c.Broadcast(x, root); err != nil {
			return err
		}
		if err := check("Broadcast", x, []byte{byte(root), 2, 3}); err != nil {
			return err
		}
	}
	if err := c.Barrier(); err != nil {
		return err
	}

	// The group of the even and that of the odd ranks, each in the reverse order.
	group, err := c.Split(me%2, -me)
	if err != nil {
		return err
	}
	members := (n + 1 - me%2) / 2
	if err := check("Split", []int{group.Rank(), group.Size()}, []int{members - 1 - me/2, members}); err != nil {
		return err
	}
	x := []int64{1}
	if err := group.AllReduce(dist.Of(x)); err != nil {
		return err
	}
	return check("AllReduce of a group", x, []int64{int64(members)})
}

// sums calls the collectives that sum.
func sums[T dist.Number](c dist.Comm, check func(name string, got, want any) error, total, width int) error {
	n := c.Size()
	x := slices.Repeat([]T{T(c.Rank() + 1)}, width)
	if err := c.AllReduce(dist.Of(x)); err != nil {
		return err
	}
	if err := check("AllReduce", x, slices.Repeat([]T{T(total)}, width)); err != nil {
		return err
	}
	blocks, part := make([]T, n*width), make([]T, width)
	for i := range blocks {
		blocks[i] = T((c.Rank() + 1) * (i/width + 1))
	}
	if err := c.ReduceScatter(dist.Of(part), dist.Of(blocks)); err != nil {
		return err
	}
	return check("ReduceScatter", part, slices.Repeat([]T{T(total * (c.Rank() + 1))}, width))
}
