package serve

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/interop/npy"
	"github.com/seed-49005b45/tarn/predict"
)

// This file reads requests and writes answers.

// failure is an answer that says what is wrong.
type failure struct {
	Error  string `json:"error"`
	Column string `json:"column,omitempty"`
	Row    int    `json:"row,omitempty"` // from 1
	status int
	retry  int // seconds after which to try again
}

// asFailure finds out whose mistake an error is.
func asFailure(err error) *failure {
	var cell *table.CellError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &failure{status: http.StatusRequestEntityTooLarge, Error: fmt.Sprintf("the request has more than %d bytes", large.Limit)}
	case errors.As(err, &cell):
		f := &failure{status: http.StatusUnprocessableEntity, Error: cell.Problem, Column: cell.Column, Row: cell.Row + 1}
		return f
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return &failure{status: http.StatusServiceUnavailable, Error: "the request took too long", retry: 1}
	case errors.Is(err, context.Canceled):
		return &failure{status: 499, Error: "the client has gone"}
	}
	return &failure{status: http.StatusUnprocessableEntity, Error: strings.TrimPrefix(strings.TrimPrefix(err.Error(), "fit: Predict: "), "table: ")}
}

// fail answers with a failure.
func (s *Server) fail(w http.ResponseWriter, f *failure) {
	if f.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retry))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(f)
}

// routes says who answers what.
func (s *Server) routes() {
	s.mux = http.NewServeMux()
	handle := func(pattern, route string, f http.HandlerFunc) {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if rec, ok := w.(*recorder); ok {
				rec.route = route
			}
			f(w, r)
		})
	}
	handle("POST /predict", "predict", s.predict)
	handle("POST /models/{name}/predict", "predict", s.predict)
	handle("POST /models/{name}/generate", "generate", s.generate)
	handle("GET /models", "models", func(w http.ResponseWriter, r *http.Request) {
		list := []any{}
		for _, m := range s.models {
			list = append(list, m.describe())
		}
		for _, m := range s.texts {
			list = append(list, m.describe())
		}
		s.write(w, map[string]any{"models": list})
	})
	handle("GET /models/{name}", "models", func(w http.ResponseWriter, r *http.Request) {
		if m := s.model(r.PathValue("name")); m != nil {
			s.write(w, m.describe())
			return
		}
		if m := s.text(r.PathValue("name")); m != nil {
			s.write(w, m.describe())
			return
		}
		s.fail(w, &failure{status: http.StatusNotFound, Error: fmt.Sprintf("there is no model %q", r.PathValue("name"))})
	})
	handle("GET /healthz", "health", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok\n") })
	handle("GET /readyz", "health", func(w http.ResponseWriter, r *http.Request) {
		s.closing.RLock()
		defer s.closing.RUnlock()
		if s.closed {
			s.fail(w, &failure{status: http.StatusServiceUnavailable, Error: "the server is being stopped", retry: 5})
			return
		}
		io.WriteString(w, "ok\n")
	})
	handle("GET /metrics", "metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		s.metrics.WritePrometheus(w)
	})
	handle("GET /openapi.json", "openapi", func(w http.ResponseWriter, r *http.Request) { s.write(w, s.openAPI(r)) })
	handle("GET /{$}", "page", s.page)
	// What no other pattern takes: a path that is not there, or another method for one that is.
	handle("/", "other", func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if _, pattern := s.mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern != "/" {
				allowed = append(allowed, method)
			}
		}
		if allowed == nil {
			s.fail(w, &failure{status: http.StatusNotFound, Error: fmt.Sprintf("there is no page %.200q; there are POST /predict, POST /models/NAME/predict, POST /models/NAME/generate, GET /models, /openapi.json, /healthz, /readyz, /metrics and /", r.URL.Path)})
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.fail(w, &failure{status: http.StatusMethodNotAllowed, Error: fmt.Sprintf("%s takes %s, and not %s", r.URL.Path, strings.Join(allowed, " or "), r.Method)})
	})
}

// describe says what a model reads and answers.
func (m *served) describe() any {
	v := m.now.Load()
	type column struct {
		Name    string     `json:"name"`
		Kind    table.Kind `json:"kind"`
		Example string     `json:"example,omitempty"`
	}
	var columns []column
	schema := v.model.Schema()
	for _, c := range schema.Columns {
		if c.Role == table.Feature {
			columns = append(columns, column{c.Name, c.Kind, c.Example})
		}
	}
	target := ""
	if t := schema.Target(); t != nil {
		target = t.Name
	}
	return map[string]any{"name": m.entry.Name, "version": v.number, "loaded": v.loaded.UTC().Format(time.RFC3339), "target": target, "columns": columns}
}

func (s *Server) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v)
}

// predict answers rows.
func (s *Server) predict(w http.ResponseWriter, r *http.Request) {
	m := s.model(r.PathValue("name"))
	if m == nil {
		s.fail(w, &failure{status: http.StatusNotFound, Error: fmt.Sprintf("there is no model %q", r.PathValue("name"))})
		return
	}
	explain, err := strconv.ParseBool(r.URL.Query().Get("explain"))
	if q := r.URL.Query().Get("explain"); q != "" && err != nil {
		s.fail(w, &failure{status: http.StatusBadRequest, Error: fmt.Sprintf("explain=%s: it must be 1 or 0", q)})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.options.Timeout)
	defer cancel()
	v := m.now.Load()
	body, f := s.body(w, r)
	if f != nil {
		s.fail(w, f)
		return
	}
	form, rows, f := readRows(r.Header.Get("Content-Type"), body, v.model, s.options)
	if f != nil {
		s.fail(w, f)
		return
	}
	most := s.options.MaxRows
	if explain {
		most = min(most, 100)
	}
	if rows.Rows() > most {
		s.fail(w, &failure{status: http.StatusRequestEntityTooLarge, Error: fmt.Sprintf("the request has %d rows, and at most %d are answered", rows.Rows(), most)})
		return
	}
	if rec, ok := w.(*recorder); ok {
		rec.rows = rows.Rows()
	}
	answers := &predict.Answers{}
	if rows.Rows() > 0 {
		if answers, f = s.ask(ctx, m, v, rows, explain); f != nil {
			s.fail(w, f)
			return
		}
	}
	s.reply(w, form, v.model.Schema(), answers)
}

// body reads what a request sends, unpacked; the limit holds for what is packed and for what is unpacked.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, *failure) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.options.MaxBody))
	if err != nil {
		return nil, asFailure(err)
	}
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = io.ReadAll(http.MaxBytesReader(nil, z, s.options.MaxBody))
		}
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			return nil, asFailure(err)
		case err != nil:
			return nil, &failure{status: http.StatusBadRequest, Error: fmt.Sprintf("the request says that it is packed with gzip, and cannot be unpacked: %v", err)}
		}
		return body, nil
	default:
		w.Header().Set("Accept-Encoding", "gzip")
		return nil, &failure{status: http.StatusUnsupportedMediaType, Error: fmt.Sprintf("the content encoding %s is not read: send the request as it is, or packed with gzip", encoding)}
	}
}

// form is how rows came, and how answers go.
type form uint8

const (
	single  form = iota // one JSON object
	array               // an array of them
	wrapped             // {"rows": [...]}
	commas              // CSV
	numpy
)

// readRows reads the rows of a request.
func readRows(contentType string, body []byte, model predict.Model, o Options) (form, *table.Table, *failure) {
	schema := model.Schema()
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = "application/json"
	}
	options := table.Options{Schema: schema, MaxBytes: max(4*o.MaxBody, 1<<20)}
	switch kind {
	case "text/csv", "text/tab-separated-values":
		t, err := table.Read(bytes.NewReader(body), options)
		if err != nil {
			return commas, nil, asFailure(err)
		}
		return commas, t, nil
	case "application/x-npy", "application/octet-stream":
		t, err := fromArray(body, schema)
		if err != nil {
			return numpy, nil, asFailure(err)
		}
		return numpy, t, nil
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		if m, ok := model.(interface{ ReadsPictures() bool }); !ok || !m.ReadsPictures() {
			return 0, nil, &failure{status: http.StatusUnsupportedMediaType, Error: "a picture is not read by this model: send application/json, text/csv or application/x-npy"}
		}
		t, err := table.New(table.Words(schema.Features()[0], base64.StdEncoding.EncodeToString(body)))
		if err != nil {
			return single, nil, asFailure(err)
		}
		return single, t, nil
	case "application/json", "text/plain", "application/x-www-form-urlencoded", "application/x-ndjson": // curl's -d says that it is a form
	default:
		return 0, nil, &failure{status: http.StatusUnsupportedMediaType, Error: fmt.Sprintf("the content type %s is not read: send application/json, text/csv or application/x-npy", kind)}
	}
	how := single
	text := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff"))) // a byte order mark
	if len(text) == 0 {
		return how, nil, &failure{status: http.StatusBadRequest, Error: "the request is empty: send rows as JSON, CSV or a NumPy array"}
	}
	if text[0] == '[' {
		how = array
	} else if inner := rowsWithin(text); inner != nil {
		how, text = wrapped, inner
	}
	t, err := table.ReadJSON(bytes.NewReader(text), options)
	if err != nil {
		f := asFailure(err)
		if f.Column == "" && f.Row == 0 {
			f.status = http.StatusBadRequest
		}
		return how, nil, f
	}
	if how == single && t.Rows() != 1 {
		how = array
	}
	return how, t, nil
}

// rowsWithin returns the array in {"rows": [...]}, or nil if the text is something else.
func rowsWithin(text []byte) []byte {
	rest, ok := bytes.CutPrefix(text, []byte("{"))
	if !ok {
		return nil
	}
	if rest = bytes.TrimSpace(rest); !bytes.HasPrefix(rest, []byte(`"rows"`)) {
		return nil
	}
	var outer struct {
		Rows json.RawMessage `json:"rows"`
	}
	if err := json.Unmarshal(text, &outer); err != nil || len(outer.Rows) == 0 || outer.Rows[0] != '[' {
		return nil
	}
	return outer.Rows
}

// fromArray reads a NumPy array [rows features], whose columns are the features of the schema in their order, all of which are numbers.
func fromArray(body []byte, schema *table.Schema) (*table.Table, error) {
	a, err := npy.Options{MaxBytes: int64(len(body))}.Read(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	names := schema.Features()
	if len(a.Shape) == 1 && a.Shape[0] == len(names) {
		a.Shape = []int{1, len(names)}
	}
	if len(a.Shape) != 2 || a.Shape[1] != len(names) {
		return nil, fmt.Errorf("the array has the shape %v, and must have one row for each question and %d columns", a.Shape, len(names))
	}
	values, err := floats(a)
	if err != nil {
		return nil, err
	}
	var columns []*table.Column
	for k, name := range names {
		d := schema.Column(name)
		if !d.Numbers {
			return nil, &table.CellError{Column: name, Problem: "it holds words, so that rows cannot be sent as an array of numbers; send JSON or CSV"}
		}
		c := table.Numbers(name, make([]float64, a.Shape[0])...)
		for i := range c.Numbers {
			v := values(i*len(names) + k)
			if math.IsInf(v, 0) {
				return nil, &table.CellError{Row: i, Column: name, Problem: "the value is infinite"}
			}
			c.Numbers[i] = v
		}
		columns = append(columns, c)
	}
	return table.New(columns...)
}

// floats returns the elements of an array as numbers.
func floats(a data.Array) (func(i int) float64, error) {
	switch d := a.Data.(type) {
	case []float32:
		return func(i int) float64 { return float64(d[i]) }, nil
	case []float64:
		return func(i int) float64 { return d[i] }, nil
	case []int32:
		return func(i int) float64 { return float64(d[i]) }, nil
	case []int64:
		return func(i int) float64 { return float64(d[i]) }, nil
	case []uint8:
		return func(i int) float64 { return float64(d[i]) }, nil
	}
	return nil, fmt.Errorf("the array has elements of type %T; send float32 or float64", a.Data)
}

// answer is what is said about one row.
type answer struct {
	Prediction  any                `json:"prediction"`
	Probability map[string]float64 `json:"probability,omitempty"`
	Low         *float64           `json:"low,omitempty"`
	High        *float64           `json:"high,omitempty"`
	Notes       []string           `json:"notes,omitempty"`
	Shares      map[string]float64 `json:"shares,omitempty"`
}

// reply writes answers in the form of the question.
func (s *Server) reply(w http.ResponseWriter, how form, schema *table.Schema, a *predict.Answers) {
	switch how {
	case commas:
		s.replyCSV(w, a)
		return
	case numpy:
		w.Header().Set("Content-Type", "application/x-npy")
		shape, values := []int{a.Rows()}, slices.Clone(a.Values)
		if a.Probabilities != nil {
			shape = append(shape, len(a.Classes))
			values = slices.Concat(a.Probabilities...)
		}
		if values == nil {
			values = []float64{}
		}
		npy.Write(w, data.Array{Shape: shape, Data: values})
		return
	}
	features := schema.Features()
	answers := make([]answer, a.Rows())
	for i := range answers {
		out := &answers[i]
		if a.Labels != nil {
			out.Prediction = a.Labels[i]
			out.Probability = map[string]float64{}
			for k, c := range a.Classes {
				out.Probability[c] = a.Probabilities[i][k]
			}
		} else {
			out.Prediction = a.Values[i]
			if a.Low != nil {
				out.Low, out.High = &a.Low[i], &a.High[i]
			}
		}
		if a.Notes != nil {
			out.Notes = a.Notes[i]
		}
		if a.Shares != nil {
			out.Shares = map[string]float64{}
			for k, name := range features {
				out.Shares[name] = a.Shares[i][k]
			}
		}
	}
	switch {
	case how == single && len(answers) == 1:
		s.write(w, answers[0])
	case how == wrapped:
		s.write(w, map[string]any{"answers": answers})
	default:
		s.write(w, answers)
	}
}

// replyCSV writes a line for each row.
func (s *Server) replyCSV(w http.ResponseWriter, a *predict.Answers) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	b := bufio.NewWriter(w)
	defer b.Flush()
	out := csv.NewWriter(b)
	defer out.Flush()
	out.Write(predict.Header(a))
	for i := range a.Rows() {
		out.Write(predict.Record(a, i))
	}
}

// openAPI is the description of the server that tools read.
func (s *Server) openAPI(r *http.Request) any {
	paths := map[string]any{}
	for i, m := range s.models {
		schema := m.now.Load().model.Schema()
		properties, example := map[string]any{}, map[string]any{}
		for _, c := range schema.Columns {
			if c.Role != table.Feature {
				continue
			}
			kind := "string"
			example[c.Name] = c.Example
			if c.Numbers {
				kind = "number"
				if v, err := strconv.ParseFloat(c.Example, 64); err == nil {
					example[c.Name] = v
				}
			}
			properties[c.Name] = map[string]any{"type": []string{kind, "null"}, "description": string(c.Kind) + ": " + c.Why}
		}
		row := map[string]any{"type": "object", "properties": properties, "example": example}
		content := map[string]any{"schema": map[string]any{"oneOf": []any{row, map[string]any{"type": "array", "items": row}, map[string]any{"type": "object", "properties": map[string]any{"rows": map[string]any{"type": "array", "items": row}}}}}}
		answer := map[string]any{"type": "object", "properties": map[string]any{"prediction": map[string]any{}, "probability": map[string]any{"type": "object"}, "low": map[string]any{"type": "number"}, "high": map[string]any{"type": "number"},
			"notes": map[string]any{"type": "array", "items": map[string]any{"type": "string"}}, "shares": map[string]any{"type": "object"}}}
		problem := map[string]any{"description": "what is wrong", "content": map[string]any{"application/json": map[string]any{"schema": map[string]any{"type": "object", "properties": map[string]any{"error": map[string]any{"type": "string"}, "column": map[string]any{"type": "string"}, "row": map[string]any{"type": "integer"}}}}}}
		post := map[string]any{"post": map[string]any{
			"summary":     "answers rows, by model " + m.entry.Name,
			"parameters":  []any{map[string]any{"name": "explain", "in": "query", "schema": map[string]any{"type": "boolean"}, "description": "adds the share of each column in the answer"}},
			"requestBody": map[string]any{"required": true, "content": map[string]any{"application/json": content, "text/csv": map[string]any{}, "application/x-npy": map[string]any{}}},
			"responses": map[string]any{"200": map[string]any{"description": "the answer, in the form of the question", "content": map[string]any{"application/json": map[string]any{"schema": answer}}},
				"400": problem, "401": problem, "413": problem, "422": problem, "503": problem},
		}}
		paths["/models/"+m.entry.Name+"/predict"] = post
		if i == 0 {
			paths["/predict"] = post
		}
	}
	for _, m := range s.texts {
		paths["/models/"+m.entry.Name+"/generate"] = m.openAPI(s.options.MaxLength)
	}
	for _, p := range []string{"/models", "/healthz", "/readyz", "/metrics"} {
		paths[p] = map[string]any{"get": map[string]any{"responses": map[string]any{"200": map[string]any{"description": "ok"}}}}
	}
	host := s.options.Hostname
	if host == "" {
		host = r.Host
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	doc := map[string]any{"openapi": "3.1.0", "info": map[string]any{"title": "Tarn", "version": "1"}, "paths": maps.Clone(paths), "servers": []any{map[string]any{"url": scheme + host}}}
	if s.options.Tokens != nil {
		doc["components"] = map[string]any{"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}}}
		doc["security"] = []any{map[string]any{"token": []string{}}}
	}
	return doc
}
