package predict

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"iter"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/dist"
)

// This file answers all examples of a data source.

// Over answers all examples of a data source once, in their order, in batches of the given size, and calls take with the outputs for each batch. The fields of the source
// have the names of the inputs; it may have others.
//
// The ranks of c, which all call Over, answer batches by turns, and take is called on rank 0 alone: it gets what one process would. If c is nil there is
// this process alone. An error of one rank, that of a canceled context included, is an error of all.
func (p *Predictor) Over(ctx context.Context, c dist.Comm, set data.Source, size int, take func(out tarn.Results) error) error {
	if c == nil {
		c = dist.Single()
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if set == nil {
		return errors.New("predict: Over: the data set is nil")
	}
	batches := set.Batches(size, data.Options{})
	if err := batches.Err(); err != nil {
		return err
	}
	return dist.Turns(c, canceled(ctx, batches.All(context.WithoutCancel(ctx))), func(b *data.Batch) ([]byte, error) {
		var inputs []*tarn.Tensor
		for _, in := range p.inputs {
			t := b.Tensor(in.name)
			if t == nil {
				return nil, fmt.Errorf("predict: Over: the model has an input %q and the data set no field of that name", in.name)
			}
			inputs = append(inputs, t)
		}
		out, err := p.Run(ctx, inputs...)
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		sent := map[string]sentTensor{}
		for name, t := range out {
			sent[name] = sentTensor{t.DType(), t.Shape(), t.Raw()}
		}
		err = gob.NewEncoder(&text).Encode(sent)
		return text.Bytes(), err
	}, func(made []byte) error {
		var sent map[string]sentTensor
		if err := gob.NewDecoder(bytes.NewReader(made)).Decode(&sent); err != nil {
			return fmt.Errorf("predict: Over: the answers of a rank cannot be read: %w", err)
		}
		out := tarn.Results{}
		for name, s := range sent {
			t, err := tarn.NewTensor(s.DType, s.Shape...)
			if err != nil {
				return fmt.Errorf("predict: Over: output %q: %w", name, err)
			}
			copy(t.Raw(), s.Raw)
			out[name] = t
		}
		return take(out)
	})
}

// sentTensor is a tensor as it travels.
type sentTensor struct {
	DType tarn.DType
	Shape []int
	Raw   []byte
}

// canceled ends a sequence with the cause of ctx when that is canceled.
func canceled[T any](ctx context.Context, of iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for x, err := range of {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}
