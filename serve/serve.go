// Package serve answers over HTTP for models of tables, of pictures and of language. A Server is an http.Handler:
//
//	s, err := serve.New(serve.Options{}, serve.Entry{Name: "houses", Load: func() (predict.Model, error) { return fit.Load("houses.tarn") }})
//	http.ListenAndServe("localhost:8080", s)
//
// POST /predict takes one JSON object, an array of them, {"rows": [...]}, CSV or a NumPy array, and answers in the same form. Requests that come at the same time are answered
// together. A model of pictures takes the file of one, as image/png, image/jpeg, image/gif or image/webp, or rows with the file in base64. There are limits on everything that a client can ask for, and no values of requests or answers are logged.
//
//	POST /predict                  the first model; ?explain=1 adds the share of each column in the answer
//	POST /models/NAME/predict      another one
//	POST /models/NAME/generate     a language model: continues {"prompt": "The ", "length": 200, "temperature": 0.8, "top_k": 0, "seed": 1}, a line of JSON for
//	                               each token as it comes, or events for a client that accepts text/event-stream; "stream": false for one answer
//	GET  /models, /models/NAME     what there is, and what it reads
//	GET  /                         a page with a form
//	GET  /openapi.json /healthz /readyz /metrics
package serve

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/seed-49005b45/tarn/predict"
)

// Entry is a model as a server knows it.
type Entry struct {
	Name string // letters, digits, and . _ - within; in the address
	// Load reads the model: at the beginning, and again at each Reload. What it returns must be able to answer at once, see Warm of package fit.
	Load func() (predict.Model, error)
	// Text reads a language model instead, as Load does.
	Text func() (*Text, error)
}

// Options are the limits of a server. The zero value has useful ones.
type Options struct {
	Batch     int           // rows that are answered together; 0 means 256
	Wait      time.Duration // how long a row waits for others to come, if it is alone; 0 means not at all: those that come while others are answered go together
	Queue     int           // requests that wait at most; a further one is answered 503. 0 means 1000
	MaxBody   int64         // bytes of a request; 0 means 8 MiB
	MaxRows   int           // of a request; 0 means 100,000, and 100 for those that ask for explanations
	MaxLength int           // of a text that a language model writes, in tokens; 0 means 10,000
	Timeout   time.Duration // of a request, from its first byte to its answer; 0 means 30 seconds
	Tokens    []string      // of which a client must send one, as Authorization: Bearer TOKEN; nil means that all may ask
	Logger    *slog.Logger  // one line for each request; nil means none
	Hostname  string        // as the openapi document names the server; "" means the host of the request
}

func (o Options) filled() (Options, error) {
	if o.Batch < 0 || o.Wait < 0 || o.Queue < 0 || o.MaxBody < 0 || o.MaxRows < 0 || o.MaxLength < 0 || o.Timeout < 0 {
		return o, errors.New("serve: a limit is negative")
	}
	set := func(v *int, usual int) {
		if *v == 0 {
			*v = usual
		}
	}
	set(&o.Batch, 256)
	set(&o.Queue, 1000)
	set(&o.MaxRows, 100_000)
	set(&o.MaxLength, 10_000)
	if o.MaxBody == 0 {
		o.MaxBody = 8 << 20
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	for _, t := range o.Tokens {
		if len(t) < 8 {
			return o, errors.New("serve: a token has less than 8 characters: one could guess it")
		}
	}
	return o, nil
}

// Server answers requests. Its methods may be called by several goroutines.
type Server struct {
	options Options
	models  []*served
	texts   []*servedText
	mux     *http.ServeMux
	metrics *metrics.Set
	closing sync.RWMutex
	closed  bool
	number  atomic.Int64 // of requests, for those without an id
}

// served is one model.
type served struct {
	entry   Entry
	now     atomic.Pointer[version]
	queue   chan *request
	done    chan struct{} // closed when the queue has been emptied for good
	reloads *metrics.Counter
	broken  *metrics.Counter
	rows    *metrics.Counter
	batches *metrics.PrometheusHistogram
}

// version is a model as it was loaded at some time.
type version struct {
	model  predict.Model
	number int
	loaded time.Time
}

// goodName reports whether a name can be part of an address: up to 100 letters, digits, and after the first . _ - too.
func goodName(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return 1 <= len(name) && len(name) <= 100
}

// New loads the models and returns a server that is ready to answer.
func New(o Options, entries ...Entry) (*Server, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errors.New("serve: there is no model")
	}
	s := &Server{options: o, metrics: metrics.NewSet()}
	for i, e := range entries {
		switch {
		case !goodName(e.Name):
			return nil, fmt.Errorf("serve: a model cannot be called %q: names have letters, digits, and . _ - within", e.Name)
		case slices.ContainsFunc(entries[:i], func(other Entry) bool { return other.Name == e.Name }):
			return nil, fmt.Errorf("serve: two models are called %q", e.Name)
		case (e.Load == nil) == (e.Text == nil):
			return nil, fmt.Errorf("serve: model %q cannot be loaded: Load is nil, or Text is set beside it", e.Name)
		case e.Text != nil:
			if err := s.addText(e); err != nil {
				return nil, err
			}
			continue
		}
		m := &served{entry: e, queue: make(chan *request, o.Queue), done: make(chan struct{})}
		label := fmt.Sprintf("{model=%q}", e.Name)
		m.reloads = s.metrics.NewCounter("tarn_model_reloads_total" + label)
		m.broken = s.metrics.NewCounter("tarn_model_reload_failures_total" + label)
		m.rows = s.metrics.NewCounter("tarn_rows_total" + label)
		m.batches = s.metrics.NewPrometheusHistogramExt("tarn_batch_rows"+label, []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024})
		s.metrics.NewGauge("tarn_queue_requests"+label, func() float64 { return float64(len(m.queue)) })
		model, err := load(e)
		if err != nil {
			return nil, fmt.Errorf("serve: model %q: %w", e.Name, err)
		}
		m.now.Store(&version{model, 1, time.Now()})
		s.models = append(s.models, m)
	}
	for _, m := range s.models {
		go s.answer(m)
	}
	for _, m := range s.texts {
		m.start(m.now.Load())
	}
	s.routes()
	return s, nil
}

// load loads a model. A panic of it is an error, since a server goes on with the model that it has.
func load(e Entry) (m predict.Model, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("loading it panics: %v", r)
		}
	}()
	m, err = e.Load()
	if err == nil && (m == nil || m.Schema() == nil) {
		err = errors.New("it has no schema")
	}
	return m, err
}

// Reload loads a model again. If that fails, the one that was there goes on to answer. Requests that are being answered are not disturbed.
func (s *Server) Reload(name string) error {
	m := s.model(name)
	if text := s.text(name); text != nil {
		if err := text.reload(s.options.Queue); err != nil {
			return fmt.Errorf("serve: model %q stays as it was: %w", name, err)
		}
		return nil
	}
	if m == nil {
		return fmt.Errorf("serve: there is no model %q", name)
	}
	model, err := load(m.entry)
	if err != nil {
		m.broken.Inc()
		return fmt.Errorf("serve: model %q stays as it was: %w", name, err)
	}
	m.now.Store(&version{model, m.now.Load().number + 1, time.Now()})
	m.reloads.Inc()
	return nil
}

// model returns the model of a name, the first one for "".
func (s *Server) model(name string) *served {
	for _, m := range s.models {
		if m.entry.Name == name || name == "" {
			return m
		}
	}
	return nil
}

// Close refuses further requests, and waits until those that are there are answered, or the context ends.
func (s *Server) Close(ctx context.Context) error {
	s.closing.Lock()
	first := !s.closed
	s.closed = true
	s.closing.Unlock()
	if first {
		for _, m := range s.models {
			m.queue <- nil // the last one
		}
	}
	for _, m := range s.texts {
		if err := m.close(ctx); err != nil {
			return err
		}
	}
	for _, m := range s.models {
		select {
		case <-m.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		id = fmt.Sprintf("%x-%d", start.UnixNano(), s.number.Add(1))
	}
	w.Header().Set("X-Request-Id", id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	seen := &recorder{ResponseWriter: w, status: http.StatusOK}
	control := http.NewResponseController(w)
	control.SetReadDeadline(start.Add(s.options.Timeout)) // a client that sends slowly; those that cannot have deadlines have none
	control.SetWriteDeadline(start.Add(2 * s.options.Timeout))
	defer func() {
		if p := recover(); p != nil {
			s.fail(seen, &failure{status: http.StatusInternalServerError, Error: "the server has a fault; the log says more"})
			if s.options.Logger != nil {
				s.options.Logger.Error("panic", "id", id, "panic", fmt.Sprint(p))
			}
		}
		route := seen.route
		if route == "" {
			route = "other"
		}
		s.metrics.GetOrCreateCounter(fmt.Sprintf("tarn_requests_total{route=%q,code=\"%d\"}", route, seen.status)).Inc()
		s.metrics.GetOrCreatePrometheusHistogram(fmt.Sprintf("tarn_request_seconds{route=%q}", route)).UpdateDuration(start)
		if s.options.Logger != nil {
			s.options.Logger.Info("request", "id", id, "method", r.Method, "route", route, "status", seen.status, "rows", seen.rows, "seconds", time.Since(start).Seconds())
		}
	}()
	if !s.allowed(r) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="tarn"`)
		s.fail(seen, &failure{status: http.StatusUnauthorized, Error: "send a token, as in Authorization: Bearer TOKEN"})
		return
	}
	s.mux.ServeHTTP(seen, r)
}

// allowed reports whether a client may ask. Health is told to all.
func (s *Server) allowed(r *http.Request) bool {
	if s.options.Tokens == nil || r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		return true
	}
	given, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	ok := 0
	for _, t := range s.options.Tokens {
		ok |= subtle.ConstantTimeCompare([]byte(given), []byte(t))
	}
	return found && ok == 1
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	begun  bool
	route  string
	rows   int
}

func (r *recorder) WriteHeader(status int) {
	if !r.begun {
		r.status, r.begun = status, true
		r.ResponseWriter.WriteHeader(status)
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.begun = true
	return r.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
