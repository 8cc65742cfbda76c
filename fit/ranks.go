package fit

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/dist"
)

// This file spreads answers over ranks. Each answers some of the rows, and all get the answers about all rows.

// spreadRows is the number of rows that a rank answers in one go, a multiple of the largest number that a predictor of this package takes at once. So each row is answered beside the same
// others as in one process, and its answer has the same bits.
const spreadRows = 256

// ranks is the number of those that answer together.
func (m *Model) ranks() int {
	if m.Comm == nil {
		return 1
	}
	return m.Comm.Size()
}

// alike refuses ranks that have different rows.
func (m *Model) alike(t *table.Table) error {
	if m.ranks() == 1 {
		return nil
	}
	var mine string
	if t != nil {
		mine = digest(t)
	}
	all, err := dist.Gather(m.Comm, []byte(mine))
	if err != nil {
		return err
	}
	for r, theirs := range all {
		if !bytes.Equal(theirs, all[0]) {
			return fmt.Errorf("the rows of rank %d are not those of rank 0: give all ranks the same data", r)
		}
	}
	return nil
}

// pieces works on n rows in pieces of a number of them, which the ranks share, and returns on all ranks what has come of each piece, in order.
func pieces[T any](m *Model, n, size int, work func(lo, hi int) (T, error)) (all []T, err error) {
	count, ranks, rank := (n+size-1)/size, m.ranks(), 0
	if ranks > 1 {
		rank = m.Comm.Rank()
	}
	first, end := dist.Shard(count, ranks, rank)
	for i := first; i < end && err == nil; i++ {
		var made T
		made, err = work(i*size, min(n, (i+1)*size))
		all = append(all, made)
	}
	if ranks == 1 {
		return all, err
	}
	var text bytes.Buffer
	if err == nil {
		err = gob.NewEncoder(&text).Encode(all)
	}
	if err := dist.Agree(m.Comm, err); err != nil {
		return nil, err
	}
	texts, err := dist.Gather(m.Comm, text.Bytes())
	if err != nil {
		return nil, err
	}
	all = nil
	for r, text := range texts {
		var theirs []T
		if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&theirs); err != nil {
			return nil, fmt.Errorf("the answers of rank %d cannot be read: %w", r, err)
		}
		all = append(all, theirs...)
	}
	return all, nil
}

// answers are probabilities or quantities, row after row, and what is unusual about the rows.
func (m *Model) answers(ctx context.Context, t *table.Table) (y []float64, notes [][]string, err error) {
	if _, series := m.medium.(*seriesMedium); m.ranks() == 1 || series { // whose questions are spread
		return m.answersAlone(ctx, t)
	}
	type answered struct {
		Y     []float64
		Notes [][]string
	}
	all, err := pieces(m, t.Rows(), spreadRows, func(lo, hi int) (a answered, err error) {
		rows := make([]int, 0, hi-lo)
		for i := lo; i < hi; i++ {
			rows = append(rows, i)
		}
		a.Y, a.Notes, err = m.answersAlone(ctx, t.Take(rows))
		if cell := (*table.CellError)(nil); errors.As(err, &cell) {
			cell.Row += lo
		}
		return a, err
	})
	if err != nil {
		return nil, nil, err
	}
	for i, a := range all {
		y = append(y, a.Y...)
		for k, n := range a.Notes {
			if notes == nil {
				notes = make([][]string, t.Rows())
			}
			notes[i*spreadRows+k] = n
		}
	}
	return y, notes, nil
}
