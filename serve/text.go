package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/seed-49005b45/tarn/nn"
)

// This file writes texts with language models. Each model has a goroutine that takes all texts that are being written one token further at a time;
// a new one joins them as soon as there is a place, and one whose client has gone leaves.

// Text is a language model and what its tokens stand for.
type Text struct {
	Model  *nn.GPT
	Tokens interface {
		Encode(text string) ([]int32, error)
		Decode(tokens ...int32) string
	}
}

// together is the number of texts that a model writes at the same time.
const together = 8

// servedText is a language model of a server.
type servedText struct {
	entry   Entry
	now     atomic.Pointer[textVersion]
	reloads *metrics.Counter
	broken  *metrics.Counter
	tokens  *metrics.Counter
	mu      sync.Mutex // of reload and close
	closed  bool
	running sync.WaitGroup // versions that write
}

// textVersion is a language model as it was loaded at some time.
type textVersion struct {
	text   *Text
	number int
	loaded time.Time

	writers *nn.Writers
	mu      sync.RWMutex
	closed  bool
	queue   chan *writing
}

// writing is a text that a client waits for.
type writing struct {
	ctx         context.Context
	prompt      []int32
	length      int
	temperature float64
	topK        int
	seed        uint64
	tokens      chan int32 // has room for all of them, so that a slow client holds up no one; closed at the end
	err         error      // why it ended too early; read after tokens is closed

	writer *nn.Writer
}

// loadText loads a language model. A panic of it is an error, since a server goes on with the model that it has.
func loadText(e Entry, number, queue int) (v *textVersion, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, fmt.Errorf("loading it panics: %v", r)
		}
	}()
	t, err := e.Text()
	if err == nil && (t == nil || t.Model == nil || t.Tokens == nil) {
		err = errors.New("it has no model or no tokens")
	}
	if err != nil {
		return nil, err
	}
	writers, err := t.Model.NewWriters(together)
	if err != nil {
		return nil, err
	}
	return &textVersion{text: t, number: number, loaded: time.Now(), writers: writers, queue: make(chan *writing, queue)}, nil
}

// addText adds a language model to a server.
func (s *Server) addText(e Entry) error {
	m := &servedText{entry: e}
	label := fmt.Sprintf("{model=%q}", e.Name)
	m.reloads = s.metrics.NewCounter("tarn_model_reloads_total" + label)
	m.broken = s.metrics.NewCounter("tarn_model_reload_failures_total" + label)
	m.tokens = s.metrics.NewCounter("tarn_tokens_total" + label)
	v, err := loadText(e, 1, s.options.Queue)
	if err != nil {
		return fmt.Errorf("serve: model %q: %w", e.Name, err)
	}
	m.now.Store(v)
	s.metrics.NewGauge("tarn_queue_requests"+label, func() float64 { return float64(len(m.now.Load().queue)) })
	s.texts = append(s.texts, m)
	return nil
}

// start begins to write.
func (m *servedText) start(v *textVersion) {
	m.running.Go(func() { v.write(m.tokens) })
}

// close lets no more texts in, and waits until those that are there are finished, or the context ends.
func (m *servedText) close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	m.now.Load().close()
	m.mu.Unlock()
	done := make(chan struct{})
	go func() {
		m.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reload loads a language model again. Texts that are being written are finished by the old one.
func (m *servedText) reload(queue int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errors.New("the server is being stopped")
	}
	old := m.now.Load()
	v, err := loadText(m.entry, old.number+1, queue)
	if err != nil {
		m.broken.Inc()
		return err
	}
	m.start(v)
	m.now.Store(v)
	old.close()
	m.reloads.Inc()
	return nil
}

// text returns the language model of a name.
func (s *Server) text(name string) *servedText {
	for _, m := range s.texts {
		if m.entry.Name == name {
			return m
		}
	}
	return nil
}

var errClosed, errFull = errors.New("closed"), errors.New("full")

// ask puts a text into the queue.
func (v *textVersion) ask(w *writing) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return errClosed
	}
	select {
	case v.queue <- w:
		return nil
	default:
		return errFull
	}
}

// close lets no more texts in. Those that are there are finished.
func (v *textVersion) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.closed {
		v.closed = true
		close(v.queue)
	}
}

// write writes texts until the model is closed and all are finished.
func (v *textVersion) write(count *metrics.Counter) {
	var active []*writing
	queue := v.queue
	for {
		for queue != nil && len(active) < together {
			w, open, there := v.next(queue, len(active) > 0)
			if !there {
				break
			}
			if !open {
				queue = nil
				break
			}
			if v.begin(w) {
				active = append(active, w)
			}
		}
		if len(active) == 0 {
			if queue == nil {
				return
			}
			continue
		}
		err := v.step()
		rest := active[:0]
		for _, w := range active {
			if w.take(err, count) {
				rest = append(rest, w)
			}
		}
		active = rest
	}
}

// next takes a text out of the queue. If others are being written it does not wait.
func (v *textVersion) next(queue chan *writing, busy bool) (w *writing, open, there bool) {
	if !busy {
		w, open = <-queue
		return w, open, true
	}
	select {
	case w, open = <-queue:
		return w, open, true
	default:
		return nil, true, false
	}
}

// step takes all texts one token further. A panic is an error of all of them.
func (v *textVersion) step() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the model panics: %v", r)
		}
	}()
	return v.writers.Step(context.Background())
}

// begin gives a text a place, and reports whether it is being written now.
func (v *textVersion) begin(w *writing) bool {
	err := context.Cause(w.ctx)
	if err == nil {
		w.writer, err = v.writers.Begin(w.seed, w.prompt...)
	}
	if err != nil {
		w.err = err
		close(w.tokens)
		return false
	}
	w.writer.Temperature, w.writer.TopK = w.temperature, w.topK
	return true
}

// take takes the token that has been written, if there is one, and reports whether the text goes on.
func (w *writing) take(err error, count *metrics.Counter) bool {
	token, ok := int32(0), false
	if err == nil {
		if err = context.Cause(w.ctx); err == nil {
			token, ok, err = w.writer.Token()
		}
	}
	if ok {
		count.Inc()
		w.tokens <- token
		w.length--
	}
	if err == nil && w.length > 0 {
		return true
	}
	w.err = err
	w.writer.End()
	close(w.tokens)
	return false
}

// next waits for a token, and returns false at the end or when the client has gone.
func (w *writing) next() (token int32, open bool) {
	select {
	case token, open = <-w.tokens:
		return token, open
	case <-w.ctx.Done():
		return 0, false
	}
}

// ended returns why a text that next returns no more tokens of ended too early.
func (w *writing) ended() error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return w.err
}

// generateRequest is what a client asks for.
type generateRequest struct {
	Prompt      string   `json:"prompt"`
	Length      *int     `json:"length"`
	Temperature *float64 `json:"temperature"`
	TopK        int      `json:"top_k"`
	Seed        *uint64  `json:"seed"`
	Stream      *bool    `json:"stream"`
}

// writing checks a request.
func (q *generateRequest) writing(t *Text, most int) (*writing, *failure) {
	wrong := func(field, format string, args ...any) *failure {
		return &failure{status: http.StatusUnprocessableEntity, Error: fmt.Sprintf(format, args...), Column: field}
	}
	w := &writing{length: min(200, most), temperature: 0.8, topK: q.TopK, seed: rand.Uint64() >> 11} // a number that JSON holds
	if q.Length != nil {
		w.length = *q.Length
	}
	if q.Temperature != nil {
		w.temperature = *q.Temperature
	}
	if q.Seed != nil {
		w.seed = *q.Seed
	}
	switch {
	case q.Prompt == "":
		return nil, wrong("prompt", "the prompt is empty: it needs at least one character")
	case w.length < 1 || w.length > most:
		return nil, wrong("length", "the length is %d and should be from 1 to %d", w.length, most)
	case !(w.temperature >= 0) || math.IsInf(w.temperature, 0):
		return nil, wrong("temperature", "the temperature is %v and should be a finite number, not negative", w.temperature)
	case w.topK < 0:
		return nil, wrong("top_k", "top_k is %d and should not be negative", w.topK)
	}
	var err error
	if w.prompt, err = t.Tokens.Encode(q.Prompt); err != nil {
		return nil, wrong("prompt", "the prompt: %s", strings.TrimPrefix(err.Error(), "text: "))
	}
	if len(w.prompt) == 0 {
		return nil, wrong("prompt", "the prompt has no tokens")
	}
	w.tokens = make(chan int32, w.length)
	return w, nil
}

// generate writes a text, each token as it comes.
func (s *Server) generate(w http.ResponseWriter, r *http.Request) {
	m := s.text(r.PathValue("name"))
	if m == nil {
		s.fail(w, &failure{status: http.StatusNotFound, Error: fmt.Sprintf("there is no language model %q", r.PathValue("name"))})
		return
	}
	body, f := s.body(w, r)
	if f != nil {
		s.fail(w, f)
		return
	}
	var q generateRequest
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&q); err != nil || decoder.More() {
		if err == nil {
			err = errors.New("it goes on after the object")
		}
		s.fail(w, &failure{status: http.StatusBadRequest, Error: "the body is not an object with prompt, length, temperature, top_k, seed and stream: " + strings.TrimPrefix(err.Error(), "json: ")})
		return
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{}) // the request is read, and a text may take long
	for {
		v := m.now.Load()
		text, f := q.writing(v.text, s.options.MaxLength)
		if f != nil {
			s.fail(w, f)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		text.ctx = ctx
		switch err := v.ask(text); {
		case err == errClosed && m.now.Load() != v:
			continue // it has been loaded again
		case err == errClosed:
			s.fail(w, &failure{status: http.StatusServiceUnavailable, Error: "the server is being stopped", retry: 5})
		case err != nil:
			s.fail(w, &failure{status: http.StatusServiceUnavailable, Error: fmt.Sprintf("%d requests are waiting already", s.options.Queue), retry: 1})
		default:
			s.stream(w, r, control, v, &q, text)
		}
		return
	}
}

// stream answers with the tokens of a text.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, control *http.ResponseController, v *textVersion, q *generateRequest, text *writing) {
	events := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	whole := q.Stream != nil && !*q.Stream
	send := func(v any) bool {
		line, err := json.Marshal(v)
		if err != nil {
			return false
		}
		control.SetWriteDeadline(time.Now().Add(s.options.Timeout)) // of each piece: a client that does not read is given up
		if events {
			_, err = fmt.Fprintf(w, "data: %s\n\n", line)
		} else {
			_, err = fmt.Fprintf(w, "%s\n", line)
		}
		return err == nil && control.Flush() == nil
	}
	var all strings.Builder
	begun, n := false, 0
	for token, open := text.next(); open; token, open = text.next() {
		piece := v.text.Tokens.Decode(token)
		n++
		if whole {
			all.WriteString(piece)
			continue
		}
		if !begun {
			begun = true
			kind := "application/x-ndjson"
			if events {
				kind = "text/event-stream"
			}
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Cache-Control", "no-store")
		}
		if !send(map[string]string{"text": piece}) {
			return // which cancels the text
		}
	}
	if rec, ok := w.(*recorder); ok {
		rec.rows = n
	}
	if err := text.ended(); err != nil {
		f := asFailure(err)
		if f.status == http.StatusUnprocessableEntity {
			f.status = http.StatusInternalServerError // the request has been checked
		}
		if begun {
			send(f)
		} else {
			s.fail(w, f)
		}
		return
	}
	end := map[string]any{"done": true, "length": n, "seed": text.seed}
	if !whole {
		send(end)
		return
	}
	end["text"] = all.String()
	control.SetWriteDeadline(time.Now().Add(s.options.Timeout))
	s.write(w, end)
}

// describe says what a language model is.
func (m *servedText) describe() any {
	v := m.now.Load()
	return map[string]any{"name": m.entry.Name, "version": v.number, "loaded": v.loaded.UTC().Format(time.RFC3339), "writes": "text"}
}

// openAPI describes the requests of a language model.
func (m *servedText) openAPI(most int) any {
	number := func(kind, means string) any { return map[string]any{"type": kind, "description": means} }
	return map[string]any{"post": map[string]any{
		"summary": "continues a text, by model " + m.entry.Name,
		"requestBody": map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{"schema": map[string]any{
			"type": "object", "required": []string{"prompt"}, "properties": map[string]any{
				"prompt": number("string", "the text to continue"), "length": number("integer", "tokens to write, up to "+strconv.Itoa(most)), "temperature": number("number", "0 writes the likeliest token"),
				"top_k": number("integer", "draw among this number of the likeliest tokens; 0 means all"), "seed": number("integer", "of the draws"), "stream": number("boolean", "false for one answer at the end"),
			}}}}},
		"responses": map[string]any{"200": map[string]any{"description": "a line, or an event if the client accepts text/event-stream, for each token, and one at the end"}},
	}}
}
