package serve

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/predict"
)

// This file answers requests that come at the same time together.

// request is one request that waits for its answer.
type request struct {
	ctx     context.Context
	version *version // whose schema the rows were read by
	rows    *table.Table
	explain bool
	reply   chan reply // has room for one
}

type reply struct {
	answers *predict.Answers
	err     error
}

// ask puts rows into the queue and waits for the answer.
func (s *Server) ask(ctx context.Context, m *served, v *version, rows *table.Table, explain bool) (*predict.Answers, *failure) {
	r := &request{ctx: ctx, version: v, rows: rows, explain: explain, reply: make(chan reply, 1)}
	if f := s.enqueue(m, r); f != nil {
		return nil, f
	}
	select {
	case a := <-r.reply:
		if a.err != nil {
			return nil, asFailure(a.err)
		}
		return a.answers, nil
	case <-ctx.Done():
		return nil, asFailure(context.Cause(ctx))
	}
}

// enqueue puts a request into the queue, unless the queue is full or closed.
func (s *Server) enqueue(m *served, r *request) *failure {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		return &failure{status: http.StatusServiceUnavailable, Error: "the server is being stopped", retry: 5}
	}
	select {
	case m.queue <- r:
		return nil
	default:
		return &failure{status: http.StatusServiceUnavailable, Error: fmt.Sprintf("%d requests are waiting already", s.options.Queue), retry: 1}
	}
}

// answer takes requests out of the queue, as many as fit into a batch, until the server is closed. Several batches are answered at the same time, one for each processor.
func (s *Server) answer(m *served) {
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	defer func() {
		for range cap(slots) {
			slots <- struct{}{}
		}
		close(m.done)
	}()
	var next *request // that did not fit
	for {
		first := next
		if first == nil {
			if first = <-m.queue; first == nil {
				return
			}
		}
		slots <- struct{}{} // while this waits, others come
		batch, more, last := s.collect(m, first)
		next = more
		go func() {
			defer func() { <-slots }()
			s.run(m, batch)
		}()
		if last {
			return
		}
	}
}

// collect takes requests out of the queue that go together with the first one: as many as are there, or come while one may wait. It returns the one that did not fit, if
// any, and whether there will be no more.
func (s *Server) collect(m *served, first *request) (batch []*request, next *request, last bool) {
	batch = []*request{first}
	if m, ok := first.version.model.(interface{ ReadsSeries() bool }); first.explain || ok && m.ReadsSeries() {
		return batch, nil, false
	}
	var late <-chan time.Time
	if s.options.Wait > 0 {
		late = time.After(s.options.Wait)
	}
	for rows := first.rows.Rows(); rows < s.options.Batch; {
		r, there := take(m.queue, late)
		switch {
		case !there:
			return batch, nil, false
		case r == nil:
			return batch, nil, true
		case r.explain || r.version != first.version || rows+r.rows.Rows() > s.options.Batch:
			return batch, r, false
		}
		batch = append(batch, r)
		rows += r.rows.Rows()
	}
	return batch, nil, false
}

// take takes a request that is there, or comes before it is late.
func take(queue chan *request, late <-chan time.Time) (r *request, there bool) {
	select {
	case r = <-queue:
		return r, true
	default:
	}
	if late == nil {
		return nil, false
	}
	select {
	case r = <-queue:
		return r, true
	case <-late:
		return nil, false
	}
}

// run answers a batch.
func (s *Server) run(m *served, batch []*request) {
	defer func() {
		if p := recover(); p != nil {
			for _, r := range batch {
				select {
				case r.reply <- reply{err: fmt.Errorf("the model panics: %v", p)}:
				default:
				}
			}
		}
	}()
	// Those who wait no more are left out.
	waiting := batch[:0:0]
	var tables []*table.Table
	total := 0
	for _, r := range batch {
		if r.ctx.Err() != nil {
			r.reply <- reply{err: context.Cause(r.ctx)}
			continue
		}
		waiting = append(waiting, r)
		tables = append(tables, r.rows)
		total += r.rows.Rows()
	}
	if len(waiting) == 0 {
		return
	}
	m.batches.Update(float64(total))
	m.rows.Add(total)
	model := waiting[0].version.model
	if len(waiting) == 1 {
		r := waiting[0]
		ctx := r.ctx
		if r.explain {
			ctx = predict.WithShares(ctx)
		}
		a, err := model.Predict(ctx, r.rows)
		r.reply <- reply{a, err}
		return
	}
	all, err := table.Join(tables...)
	var answers *predict.Answers
	if err == nil {
		answers, err = model.Predict(context.Background(), all)
	}
	if err != nil { // of one of them; the others must not suffer
		for _, r := range waiting {
			a, err := model.Predict(r.ctx, r.rows)
			r.reply <- reply{a, err}
		}
		return
	}
	from := 0
	for _, r := range waiting {
		to := from + r.rows.Rows()
		r.reply <- reply{answers: part(answers, from, to)}
		from = to
	}
}

// part are the answers about some of the rows.
func part(a *predict.Answers, from, to int) *predict.Answers {
	out := &predict.Answers{Classes: a.Classes}
	if a.Probabilities != nil {
		out.Probabilities = a.Probabilities[from:to]
	}
	if a.Labels != nil {
		out.Labels = a.Labels[from:to]
	}
	if a.Values != nil {
		out.Values = a.Values[from:to]
	}
	if a.Low != nil {
		out.Low, out.High = a.Low[from:to], a.High[from:to]
	}
	if a.Notes != nil {
		out.Notes = a.Notes[from:to]
	}
	if a.Shares != nil {
		out.Shares = a.Shares[from:to]
	}
	return out
}
