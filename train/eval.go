package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/dist"
)

// This file holds evaluation: the forward pass alone, in graphs marked for evaluation.

// Eval runs a model forward.
type Eval struct {
	// Comm, if it is not nil, spreads Measure over ranks, which all call it with the same arguments: batches are evaluated by turns, and what they gave is sent to
	// all, in order. Loss and metrics have the same bits as those of one process.
	Comm dist.Comm

	team     *team
	build    Build
	programs []*program
	result   Result
	ahead    ahead
}

// NewEval makes an evaluation of what build describes, which is the function that NewStepOf takes. Its graphs are marked
// for evaluation, so dropout and batch norms behave so.
func NewEval(build Build) (*Eval, error) {
	if build == nil {
		return nil, errors.New("train: NewEval: build is nil")
	}
	return &Eval{build: build}, nil
}

func (e *Eval) programFor(n int) (*program, error) {
	for _, p := range e.programs {
		if p.size == n {
			return p, nil
		}
	}
	g := tarn.NewGraph()
	g.Eval()
	outputs := e.build(g, n)
	outputs, err := counted(outputs)
	if err != nil {
		return nil, err
	}
	p, err := compile(g, outputs)
	if err != nil {
		return nil, err
	}
	p.size = n
	e.programs = append(e.programs, p)
	e.ahead.need(p)
	return p, nil
}

// take evaluates one batch of n rows.
func (e *Eval) take(ctx context.Context, b *data.Batch, n int) (*Result, error) {
	p, err := e.programFor(n)
	if err == nil {
		err = p.bind(b)
	}
	if err == nil {
		err = p.run(ctx, 0, &e.result, p.inputs, n, nil)
	}
	if canceled(ctx, err) {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("train: evaluation of %d examples: %w", n, err)
	}
	e.result.Batch = b
	return &e.result, nil
}

// explain says where the infinity or NaN comes from that makes the loss of a set not finite.
func (e *Eval) explain(ctx context.Context, set data.Source, size int) error {
	for r, err := range e.Over(ctx, set.Batches(size, data.Options{})) {
		if err != nil {
			return err
		}
		if finite(r.Loss) || r.Count == 0 {
			continue
		}
		g := tarn.NewGraph()
		g.Eval()
		outputs, err := counted(e.build(g, r.Batch.N))
		if err != nil {
			return err
		}
		p, err := compile(g, outputs, guard(outputs["loss"]))
		if err == nil {
			err = p.bind(r.Batch)
		}
		if err != nil {
			return err
		}
		origin, err := p.program.Origin(p.inputs...)
		if err != nil || origin == nil {
			return errors.Join(fmt.Errorf("train: the validation loss is %v", r.Loss), err)
		}
		err = fmt.Errorf("train: the validation loss is %v in batch %d of %d examples: %v", r.Loss, r.Batch.Position.Batch+1, r.Batch.N, origin)
		if origin.Input != "" && len(origin.Element) > 0 {
			err = fmt.Errorf("%w; it is row %d of the data", err, r.Batch.Row(origin.Element[0]))
		}
		return err
	}
	return errors.New("train: the validation loss is not finite, though that of each batch is")
}

// Over evaluates one batch after the other, as Step.Over trains. Padding (data.Pad) counts in the loss like any example.
func (e *Eval) Over(ctx context.Context, batches *data.Batches) iter.Seq2[*Result, error] {
	return over(ctx, batches.Prepared(e.ahead.upload), e.take)
}

// Measure evaluates the model over a whole data set or an epoch of a stream, in batches of the given size and a last one of what is left, so that
// each example counts once. It returns the mean loss, in which each batch has the weight of its Result.Count, so that the mean does not depend on the
// size of the batches; it is NaN if nothing counts. It resets and fills the metrics, which are given the
// output "prediction" and the data set's field target, unless On binds them to others.
func (e *Eval) Measure(ctx context.Context, set data.Source, size int, target string, metrics ...Metric) (loss float64, err error) {
	var m mean
	if err = checkMetrics(metrics); err == nil {
		m, _, err = e.measure(ctx, set, size, 0, target, metrics)
	}
	return m.value(), err
}

// measure measures so many batches, all if most is 0, and returns the number of their examples too.
func (e *Eval) measure(ctx context.Context, set data.Source, size, most int, target string, metrics []Metric) (loss mean, n int, err error) {
	for _, m := range metrics {
		m.Reset()
	}
	if e.Comm != nil {
		return e.measureRanks(ctx, set, size, most*e.Comm.Size(), target, metrics)
	}
	for r, err := range e.Over(ctx, set.Batches(size, data.Options{})) {
		if err != nil {
			return loss, n, err
		}
		loss.add(r.Loss, r.Count)
		n += r.Batch.N
		for _, m := range metrics {
			if err := given(m, r.Outputs, r.Batch.Tensor, target); err != nil {
				return loss, n, err
			}
		}
		if most--; most == 0 {
			break
		}
	}
	return loss, n, nil
}

// checkMetrics refuses metrics that a record cannot hold.
func checkMetrics(metrics []Metric) error {
	seen := map[string]bool{}
	for i, m := range metrics {
		switch v := reflect.ValueOf(m); {
		case m == nil || v.Kind() == reflect.Pointer && v.IsNil():
			return fmt.Errorf("train: metric %d is nil", i)
		case unbound(m):
			return fmt.Errorf("train: metric %d is an On without a Metric", i)
		case seen[m.Name()]:
			return fmt.Errorf("train: two metrics have the name %q, under which a record has one number", m.Name())
		}
		seen[m.Name()] = true
	}
	return nil
}

// unbound reports an On that binds nothing.
func unbound(m Metric) bool {
	on, ok := m.(*On)
	if !ok {
		return false
	}
	v := reflect.ValueOf(on.Metric)
	return on.Metric == nil || v.Kind() == reflect.Pointer && v.IsNil()
}
