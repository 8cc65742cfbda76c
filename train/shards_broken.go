package train

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
)

// This file finds the shard whose gradients are not finite, and tells all ranks why.

// report is an error as it travels to other ranks.
type report struct {
	Text  string
	Found *tarn.NonFiniteError
}

// reported is the error of a report.
type reported struct{ report }

func (r reported) Error() string { return r.Text }

func (r reported) Unwrap() error {
	if r.Found == nil {
		return nil
	}
	return r.Found
}

// brokenShard says where the infinity or NaN in the gradients of a shard comes from, which the rank that has it finds out.
func (s *Step) brokenShard(b *shardBatch, owner, shard int) error {
	s.result = Result{Run: s.Runs(), Loss: math.NaN(), Skipped: true, Batch: b.batch}
	if s.SkipNonFinite {
		return nil
	}
	return s.explained(owner, func() error { return s.explainShard(b, shard) })
}

// explained returns on all ranks the error that owner has when it looks for the reason.
func (s *Step) explained(owner int, explain func() error) error {
	var text bytes.Buffer
	if s.sharded.Comm.Rank() == owner {
		err := explain()
		r := report{Text: err.Error()}
		errors.As(err, &r.Found)
		if err := gob.NewEncoder(&text).Encode(r); err != nil {
			text.Reset()
			gob.NewEncoder(&text).Encode(report{Text: r.Text}) // two strings can be encoded
		}
	}
	all, err := s.sharded.team.broadcast(text.Bytes(), owner)
	if err != nil {
		return err
	}
	var r report
	if err := gob.NewDecoder(bytes.NewReader(all)).Decode(&r); err != nil {
		return fmt.Errorf("train: the error of rank %d cannot be read: %w", owner, err)
	}
	return reported{r}
}

// notFinite ends a step whose update is not finite, or whose gradients are not if there is no update. Found is nil on a rank whose part of the update is finite.
func (s *Step) notFinite(b *shardBatch, update *program, found *tarn.NonFiniteError) error {
	s.result = Result{Run: s.Runs(), Loss: math.NaN(), Skipped: true, Batch: b.batch}
	if s.SkipNonFinite {
		return nil
	}
	shard, err := s.findBroken(b)
	switch {
	case err != nil:
		return err
	case shard >= 0:
		return s.brokenShard(b, s.sharded.owner(shard), shard)
	case update == nil:
		return errors.New("train: the gradients of all shards are finite, and their sum is not: it is too large for the dtype of the params; take a smaller batch or a smaller loss")
	}
	if s.sharded.split == nil {
		return s.explain(update, update.inputs, nil, found)
	}
	mine := 0
	if found != nil {
		mine = s.sharded.Comm.Size() - s.sharded.Comm.Rank()
	}
	most, err := s.sharded.most(mine)
	if err != nil {
		return err
	}
	return s.explained(s.sharded.Comm.Size()-most, func() error { return s.explain(update, update.inputs, nil, found) })
}

// findBroken computes all shards again, with guards, and returns the first whose gradients are not finite, or -1.
func (s *Step) findBroken(b *shardBatch) (shard int, err error) {
	part := s.Shards.part()
	mine, all := []int64{int64(part.Shards)}, make([]int64, s.sharded.Comm.Size())
	for i := part.First; i < part.End && mine[0] == int64(part.Shards); i++ {
		lo, hi := dist.Shard(b.n, part.Shards, i)
		if lo == hi {
			continue
		}
		var found *tarn.NonFiniteError
		if _, err := s.runGuarded(b, i); errors.As(err, &found) {
			mine[0] = int64(i)
		} else if err != nil {
			return -1, err
		}
	}
	if err := s.sharded.Comm.AllGather(dist.Bytes(all), dist.Bytes(mine)); err != nil {
		return -1, err
	}
	if first := slices.Min(all); first < int64(part.Shards) {
		return int(first), nil
	}
	return -1, nil
}

// runGuarded runs the program of a shard that ends with an error if a gradient is not finite.
func (s *Step) runGuarded(b *shardBatch, i int) (*program, error) {
	lo, hi := dist.Shard(b.n, s.Shards.number(), i)
	p, err := s.gradientProgram(hi-lo, true)
	if err == nil {
		err = s.bindShard(p, b, i, lo, hi)
	}
	if err != nil {
		return nil, err
	}
	p.program.SetRuns(s.Runs())
	return p, p.program.RunInto(context.Background(), p.results, p.inputs...)
}

// explainShard runs a shard again and finds where the first infinity or NaN comes from.
func (s *Step) explainShard(b *shardBatch, i int) error {
	p, err := s.runGuarded(b, i)
	var found *tarn.NonFiniteError
	if !errors.As(err, &found) {
		return errors.Join(errors.New("train: a shard was not finite, and was when it was computed again"), err)
	}
	lo, _ := dist.Shard(b.n, s.Shards.number(), i)
	s.offset = lo - b.first
	defer func() { s.offset = 0 }()
	return s.explain(p, p.inputs, b.batch, found)
}
