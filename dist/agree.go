package dist

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"iter"
	"os"
)

// This file holds what ranks do together beside sums: they gather what has different lengths, agree on errors, and work by turns.

// Gather returns what each rank passes, of any length, on all ranks.
func Gather(c Comm, mine []byte) ([][]byte, error) {
	n := c.Size()
	lengths, length := make([]int64, n), []int64{int64(len(mine))}
	if err := c.AllGather(Bytes(lengths), Bytes(length)); err != nil {
		return nil, err
	}
	most := 0
	for _, l := range lengths {
		most = max(most, int(l))
	}
	out := make([][]byte, n)
	if most == 0 {
		return out, nil
	}
	padded, all := make([]byte, most), make([]byte, n*most)
	copy(padded, mine)
	if err := c.AllGather(all, padded); err != nil {
		return nil, err
	}
	for r, l := range lengths {
		out[r] = all[r*most:][:l]
	}
	return out, nil
}

// said is an error as it travels.
type said struct{ Host, Text string }

// say packs an error, which is not nil.
func say(err error) *said {
	host, _ := os.Hostname()
	return &said{host, err.Error()}
}

// by is the error as that of a rank.
func (s *said) by(rank int) error {
	return &RankError{Rank: rank, Host: s.Host, Err: errors.New(s.Text)}
}

// exchange gathers values.
func exchange[T any](c Comm, mine T) ([]T, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(&mine); err != nil {
		return nil, fmt.Errorf("dist: %w", err)
	}
	all, err := Gather(c, b.Bytes())
	if err != nil {
		return nil, err
	}
	out := make([]T, len(all))
	for r, text := range all {
		if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&out[r]); err != nil {
			return nil, fmt.Errorf("dist: what rank %d has sent: %w", r, err)
		}
	}
	return out, nil
}

// Agree returns an error on all ranks if one of them passes one: its own on a rank that has one, and on others a *RankError of the first rank that has.
func Agree(c Comm, mine error) error {
	if c.Size() == 1 {
		return mine
	}
	var sent struct{ Error *said }
	if mine != nil {
		sent.Error = say(mine)
	}
	all, err := exchange(c, sent)
	if err != nil {
		return errors.Join(mine, err)
	}
	if mine != nil {
		return mine
	}
	for r, theirs := range all {
		if theirs.Error != nil {
			return theirs.Error.by(r)
		}
	}
	return nil
}

// Turns lets the ranks work on pieces by turns: rank r on the pieces r, r+Size and so on. All ranks go through all pieces, which must be the same, and call Turns
// together. What work returns of each piece goes to rank 0, which calls take with it, in the order of the pieces. So any number of ranks makes the same of them.
//
// If a piece, work or take has an error, all ranks return one, after take has had what comes before it.
func Turns[T any](c Comm, pieces iter.Seq2[T, error], work func(piece T) ([]byte, error), take func(made []byte) error) error {
	t := turns{comm: c, take: take}
	for piece, err := range pieces {
		switch {
		case err != nil:
			t.fail(err, t.Pieces)
		case t.Pieces == c.Rank():
			if t.Made, err = work(piece); err != nil {
				t.fail(err, t.Pieces)
			}
			fallthrough
		default:
			t.Pieces++
		}
		if t.Error != nil && t.At == t.Pieces || t.Pieces == c.Size() {
			if err := t.finish(); err != nil {
				return err
			}
		}
	}
	return t.finish() // what is left, and that nobody has more
}

// turns is a round of Turns, of a piece for each rank.
type turns struct {
	comm Comm
	take func(made []byte) error
	mine error
	turn
}

// turn is what a rank has to tell of a round.
type turn struct {
	Pieces int
	Made   []byte
	Error  *said
	At     int // the piece that has it
}

// fail notes an error of a piece, unless an earlier one has had one.
func (t *turns) fail(err error, at int) {
	if t.Error == nil {
		t.mine, t.Error, t.At = err, say(err), at
	}
}

// finish ends a round.
func (t *turns) finish() error {
	all, err := exchange(t.comm, t.turn)
	if err != nil {
		return errors.Join(t.mine, err)
	}
	failed := func() error {
		for at := range all {
			for r, theirs := range all {
				switch {
				case theirs.Error != nil && theirs.At == at && r == t.comm.Rank():
					return t.mine
				case theirs.Error != nil && theirs.At == at:
					err = theirs.Error.by(r)
				case theirs.Pieces != t.Pieces && theirs.Error == nil && t.Error == nil:
					return fmt.Errorf("dist: rank %d has other pieces to work on than rank %d: give all ranks the same data", r, t.comm.Rank())
				}
			}
			if err != nil {
				return err
			}
			if at < t.Pieces && t.comm.Rank() == 0 {
				if err := t.take(all[at].Made); err != nil {
					return err
				}
			}
		}
		return nil
	}()
	t.turn = turn{}
	return Agree(t.comm, failed) // since rank 0 alone knows what take returns
}
