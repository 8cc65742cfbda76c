package serve_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/interop/npy"
	"github.com/seed-49005b45/tarn/predict"
	"github.com/seed-49005b45/tarn/serve"
)

// doubler answers with twice the column x, plus an offset. It can be slow, fail and panic.
type doubler struct {
	offset float64
	wait   chan struct{}
	most   atomic.Int64 // rows answered together
}

var doublerSchema = &table.Schema{Columns: []table.Description{
	{Name: "x", Kind: table.Numeric, Role: table.Feature, Numbers: true, Example: "3"},
	{Name: "word", Kind: table.Category, Role: table.Feature, Example: "red"},
	{Name: "y", Kind: table.Numeric, Role: table.Target, Numbers: true},
}}

func (d *doubler) Schema() *table.Schema { return doublerSchema }

func (d *doubler) Predict(ctx context.Context, rows *table.Table) (*predict.Answers, error) {
	if d.wait != nil {
		<-d.wait
	}
	for {
		most := d.most.Load()
		if int64(rows.Rows()) <= most || d.most.CompareAndSwap(most, int64(rows.Rows())) {
			break
		}
	}
	a := &predict.Answers{}
	for i, x := range rows.Column("x").Numbers {
		switch rows.Column("word").Text(i) {
		case "bad":
			return nil, &table.CellError{Row: i, Column: "word", Problem: "it is bad"}
		case "panic":
			panic("the model has a fault")
		}
		a.Values = append(a.Values, 2*x+d.offset)
	}
	if predict.AsksShares(ctx) {
		for _, v := range a.Values {
			a.Shares = append(a.Shares, []float64{v, 0})
		}
	}
	return a, nil
}

func server(t *testing.T, o serve.Options, entries ...serve.Entry) (*serve.Server, string) {
	t.Helper()
	s, err := serve.New(o, entries...)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s, h.URL
}

func entry(name string, m predict.Model) serve.Entry {
	return serve.Entry{Name: name, Load: func() (predict.Model, error) { return m, nil }}
}

// ask sends a request and returns status, headers and answer.
func ask(t *testing.T, method, url, contentType string, body io.Reader, headers ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, strings.TrimSpace(string(text))
}

// TestRequests sends what clients send, right and wrong.
func TestRequests(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	logger := slog.New(slog.NewJSONHandler(lockedWriter{&mu, &log}, nil))
	_, url := server(t, serve.Options{MaxBody: 2000, MaxRows: 50, Logger: logger}, entry("first", &doubler{}), entry("second", &doubler{offset: 1}))
	var array bytes.Buffer
	if err := npy.Write(&array, data.Array{Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}}); err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(`{"more":`, 200) + "1" + strings.Repeat("}", 200)
	for _, c := range []struct {
		name, method, path, kind, body string
		status                         int
		want                           string
	}{
		{"one", "POST", "/predict", "application/json", `{"x": 3, "word": "red"}`, 200, `{"prediction":6}`},
		{"without a type", "POST", "/predict", "", `{"x": 3, "word": "red"}`, 200, `{"prediction":6}`},
		{"curl -d", "POST", "/predict", "application/x-www-form-urlencoded", `{"x": 3, "word": "crimson"}`, 200, `{"prediction":6}`},
		{"more than asked", "POST", "/predict", "application/json", `{"x": 3, "word": "red", "z": [1, {}]}`, 200, `{"prediction":6}`},
		{"many", "POST", "/predict", "application/json", `[{"x": 1, "word": "a"}, {"x": -2.5, "word": "b"}]`, 200, `[{"prediction":2},{"prediction":-5}]`},
		{"lines", "POST", "/predict", "application/json", "{\"x\": 1, \"word\": \"a\"}\n{\"x\": 2, \"word\": \"a\"}\n", 200, `[{"prediction":2},{"prediction":4}]`},
		{"wrapped", "POST", "/predict", "application/json", `{"rows": [{"x": 1, "word": "a"}]}`, 200, `{"answers":[{"prediction":2}]}`},
		{"none", "POST", "/predict", "application/json", `[]`, 200, `[]`},
		{"other model", "POST", "/models/second/predict", "application/json", `{"x": 3, "word": "red"}`, 200, `{"prediction":7}`},
		{"explained", "POST", "/predict?explain=1", "application/json", `{"x": 3, "word": "red"}`, 200, `{"prediction":6,"shares":{"word":0,"x":6}}`},
		{"CSV", "POST", "/predict", "text/csv", "word;x\nred;1,5\nblue;2\n", 200, "prediction\n3\n4"},
		{"array with words", "POST", "/predict", "application/x-npy", array.String(), 422, `{"error":"it holds words, so that rows cannot be sent as an array of numbers; send JSON or CSV","column":"word","row":1}`},
		{"no number", "POST", "/predict", "application/json", `[{"x": 1, "word": "a"}, {"x": "big", "word": "b"}]`, 422, `{"error":"\"big\" is not a number","column":"x","row":2}`},
		{"no number in CSV", "POST", "/predict", "text/csv", "word,x\nred,1\nred,big\n", 422, `{"error":"\"big\" is not a number","column":"x","row":2}`},
		{"column absent", "POST", "/predict", "application/json", `{"word": "a"}`, 422, `no row has it`},
		{"column absent in CSV", "POST", "/predict", "text/csv", "word\na\n", 422, `the column x must be there and is not`},
		{"model refuses", "POST", "/predict", "application/json", `{"x": 3, "word": "bad"}`, 422, `{"error":"it is bad","column":"word","row":1}`},
		{"model panics", "POST", "/predict", "application/json", `{"x": 3, "word": "panic"}`, 422, `panics`},
		{"no JSON", "POST", "/predict", "application/json", `x=3`, 400, `this is no JSON`},
		{"cut", "POST", "/predict", "application/json", `{"x": 3, "wo`, 400, `ends too early`},
		{"empty", "POST", "/predict", "application/json", ``, 400, `the request is empty`},
		{"bad UTF-8", "POST", "/predict", "application/json", "{\"x\": 3, \"word\": \"\xff\xfe\"}", 200, `{"prediction":6}`},
		{"deep", "POST", "/predict", "application/json", `{"x": 3, "word": "a", "more": ` + deep + `}`, 200, `{"prediction":6}`},
		{"too deep", "POST", "/predict", "application/json", strings.Repeat("[", 1900), 422, `must be an object`},
		{"huge", "POST", "/predict", "application/json", strings.Repeat(" ", 2001), 413, `more than 2000 bytes`},
		{"many rows", "POST", "/predict", "text/csv", "word,x\n" + strings.Repeat("a,1\n", 51), 413, `at most 50 are answered`},
		{"type", "POST", "/predict", "image/png", "x", 415, `is not read`},
		{"unknown model", "POST", "/models/third/predict", "application/json", `{"x": 3}`, 404, `there is no model \"third\"`},
		{"explain", "POST", "/predict?explain=perhaps", "application/json", `{"x": 3}`, 400, `it must be 1 or 0`},
		{"method", "GET", "/predict", "", "", 405, `{"error":"/predict takes POST, and not GET"}`},
		{"method of a model", "DELETE", "/models/second", "", "", 405, `/models/second takes GET, and not DELETE`},
		{"no object", "POST", "/predict", "application/json", `[null]`, 422, `and this is null`},
		{"byte order mark", "POST", "/predict", "application/json", "\ufeff{\"x\": 3, \"word\": \"red\"}", 200, `{"prediction":6}`},
		{"signs in an error", "POST", "/predict", "application/json", `{"x": "<b>", "word": "red"}`, 422, `"error":"\"<b>\" is not a number"`},
		{"nothing", "GET", "/../etc/passwd", "", "", 404, `{"error":"there is no page \"/etc/passwd\"; there are POST /predict`},
		{"models", "GET", "/models", "", "", 200, `"name":"second"`},
		{"model", "GET", "/models/first", "", "", 200, `"columns":[{"name":"x","kind":"numeric","example":"3"},{"name":"word","kind":"category","example":"red"}]`},
		{"health", "GET", "/healthz", "", "", 200, `ok`},
		{"ready", "GET", "/readyz", "", "", 200, `ok`},
		{"page", "GET", "/", "", "", 200, `data-column="word"`},
		{"page of another", "GET", "/?model=second", "", "", 200, `second: predict y`},
		{"metrics", "GET", "/metrics", "", "", 200, `tarn_requests_total{route="predict",code="200"}`},
	} {
		status, header, got := ask(t, c.method, url+c.path, c.kind, strings.NewReader(c.body))
		if status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.name, status, got, c.status, c.want)
		}
		if header.Get("X-Request-Id") == "" {
			t.Errorf("%s: no request id", c.name)
		}
	}
	if _, header, _ := ask(t, "GET", url+"/healthz", "", nil, "X-Request-Id", "abc-1"); header.Get("X-Request-Id") != "abc-1" {
		t.Errorf("the request id is %q", header.Get("X-Request-Id"))
	}
	status, _, text := ask(t, "GET", url+"/openapi.json", "", nil)
	var doc struct {
		OpenAPI string
		Paths   map[string]any
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || status != 200 || doc.OpenAPI != "3.1.0" || doc.Paths["/predict"] == nil || doc.Paths["/models/second/predict"] == nil {
		t.Errorf("openapi: %d %v %s", status, err, text)
	}
	mu.Lock()
	defer mu.Unlock()
	if lines := log.String(); !strings.Contains(lines, `"status":422`) || strings.Contains(lines, "crimson") || strings.Contains(lines, "big") {
		t.Errorf("the log has values of requests, or lacks statuses: %s", lines)
	}
}

// TestPacked reads requests that are packed with gzip, within the limit, and refuses other packings.
func TestPacked(t *testing.T) {
	_, url := server(t, serve.Options{MaxBody: 2000}, entry("first", &doubler{}))
	pack := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, text)
		z.Close()
		return b.String()
	}
	row := `{"x": 3, "word": "red"}`
	for _, c := range []struct {
		name, encoding, body string
		status               int
		want                 string
	}{
		{"gzip", "gzip", pack(row), 200, `{"prediction":6}`},
		{"as it is", "identity", row, 200, `{"prediction":6}`},
		{"small, and large when unpacked", "gzip", pack(strings.Repeat(" ", 2001)), 413, "more than 2000 bytes"},
		{"not packed", "gzip", row, 400, "cannot be unpacked"},
		{"cut", "gzip", pack(row)[:20], 400, "cannot be unpacked"},
		{"another packing", "br", row, 415, "the content encoding br is not read"},
	} {
		if status, _, got := ask(t, "POST", url+"/predict", "application/json", strings.NewReader(c.body), "Content-Encoding", c.encoding); status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.name, status, got, c.status, c.want)
		}
	}
}

// sizer answers pictures with the number of their bytes.
type sizer struct{ doubler }

func (s *sizer) ReadsPictures() bool { return true }

func (s *sizer) Schema() *table.Schema {
	return &table.Schema{Columns: []table.Description{{Name: "image", Kind: table.Text, Role: table.Feature}, {Name: "bytes", Kind: table.Numeric, Role: table.Target, Numbers: true}}}
}

func (s *sizer) Predict(ctx context.Context, rows *table.Table) (*predict.Answers, error) {
	a := &predict.Answers{}
	for i := range rows.Rows() {
		content, err := base64.StdEncoding.DecodeString(rows.Column("image").Text(i))
		if err != nil || len(content) == 0 {
			return nil, &table.CellError{Row: i, Column: "image", Problem: "this is no picture"}
		}
		a.Values = append(a.Values, float64(len(content)))
	}
	return a, nil
}

// TestPictures sends the file of a picture, which only models of pictures take.
func TestPictures(t *testing.T) {
	_, url := server(t, serve.Options{}, entry("sizes", &sizer{}), entry("double", &doubler{}))
	for _, c := range []struct {
		path, kind, body string
		status           int
		want             string
	}{
		{"/predict", "image/png", "12345", 200, `{"prediction":5}`},
		{"/predict", "image/webp", "123", 200, `{"prediction":3}`},
		{"/predict", "application/json", `[{"image":"MTIz"},{"image":"MQ=="}]`, 200, `[{"prediction":3},{"prediction":1}]`},
		{"/predict", "image/png", "", 422, `"column":"image","row":1`},
		{"/predict", "image/tiff", "123", 415, "image/tiff is not read"},
		{"/models/double/predict", "image/png", "123", 415, "a picture is not read by this model"},
	} {
		if status, _, body := ask(t, "POST", url+c.path, c.kind, strings.NewReader(c.body)); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %q: %d %s, want %d %s", c.kind, c.body, status, body, c.status, c.want)
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func TestTokens(t *testing.T) {
	_, url := server(t, serve.Options{Tokens: []string{"secret-one", "secret-two"}}, entry("m", &doubler{}))
	for _, c := range []struct {
		header string
		status int
	}{{"", 401}, {"Bearer secret-one", 200}, {"Bearer secret-two", 200}, {"Bearer secret-three", 401}, {"secret-one", 401}, {"Bearer ", 401}} {
		status, header, _ := ask(t, "POST", url+"/predict", "application/json", strings.NewReader(`{"x": 3, "word": "a"}`), "Authorization", c.header)
		if status != c.status || status == 401 && header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: %d", c.header, status)
		}
	}
	if status, _, _ := ask(t, "GET", url+"/readyz", "", nil); status != 200 {
		t.Errorf("readiness asks for a token: %d", status)
	}
	if _, err := serve.New(serve.Options{Tokens: []string{"x"}}, entry("m", &doubler{})); err == nil {
		t.Error("a short token is taken")
	}
}

// TestQueue fills the queue of a slow model, and looks at what is refused, answered together, and answered in the end.
func TestQueue(t *testing.T) {
	slow := &doubler{wait: make(chan struct{})}
	s, err := serve.New(serve.Options{Queue: 5, Batch: 100}, entry("m", slow))
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	defer h.Close()
	var right, busy atomic.Int64
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			status, header, text := ask(t, "POST", h.URL+"/predict", "application/json", strings.NewReader(fmt.Sprintf(`{"x": %d, "word": "a"}`, i)))
			switch {
			case status == 200 && text == fmt.Sprintf(`{"prediction":%d}`, 2*i):
				right.Add(1)
			case status == 503 && header.Get("Retry-After") != "":
				busy.Add(1)
			default:
				t.Errorf("request %d: %d %s", i, status, text)
			}
		})
	}
	deadline := time.Now().Add(3 * time.Minute)
	for busy.Load() == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	closed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		closed <- s.Close(ctx)
	}()
	close(slow.wait)
	wg.Wait()
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if right.Load()+busy.Load() != 60 || right.Load() < 5 || busy.Load() == 0 {
		t.Errorf("%d right, %d refused", right.Load(), busy.Load())
	}
	if status, _, _ := ask(t, "POST", h.URL+"/predict", "application/json", strings.NewReader(`{"x": 3, "word": "a"}`)); status != 503 {
		t.Errorf("after Close: %d", status)
	}
	if status, _, _ := ask(t, "GET", h.URL+"/readyz", "", nil); status != 503 {
		t.Errorf("ready after Close: %d", status)
	}
}

// TestReloads asks from many clients while the model is replaced, by good ones and by broken ones.
func TestReloads(t *testing.T) {
	var loads atomic.Int64
	e := serve.Entry{Name: "m", Load: func() (predict.Model, error) {
		n := loads.Add(1)
		switch n % 5 {
		case 3:
			return nil, errors.New("the file is cut")
		case 4:
			panic("reading it panics")
		}
		return &doubler{offset: 1000 * float64(n)}, nil
	}}
	s, url := server(t, serve.Options{Queue: 10_000}, e)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var asked atomic.Int64
	for k := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				x := float64(i%100) + float64(k)/10
				status, _, text := ask(t, "POST", url+"/predict", "application/json", strings.NewReader(fmt.Sprintf(`{"x": %v, "word": "a"}`, x)))
				var a struct{ Prediction float64 }
				if err := json.Unmarshal([]byte(text), &a); err != nil || status != 200 || math.Abs(math.Mod(a.Prediction, 1000)-2*x) > 1e-9 {
					t.Errorf("x %v: %d %s", x, status, text)
					return
				}
				asked.Add(1)
			}
		})
	}
	good, bad := 0, 0
	for range 20 {
		before := asked.Load()
		for deadline := time.Now().Add(time.Minute); asked.Load() < before+20 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if err := s.Reload("m"); err == nil {
			good++
		} else if strings.Contains(err.Error(), `model "m" stays as it was`) {
			bad++
		} else {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if good != 12 || bad != 8 {
		t.Errorf("%d reloads, %d failures", good, bad)
	}
	if err := s.Reload("n"); err == nil {
		t.Error("an unknown model is reloaded")
	}
}

// TestSlowClients sends a request byte by byte, and one that never ends; others are answered meanwhile.
func TestSlowClients(t *testing.T) {
	_, url := server(t, serve.Options{Timeout: 300 * time.Millisecond}, entry("m", &doubler{}))
	host := strings.TrimPrefix(url, "http://")
	var connections []net.Conn
	for range 50 {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"x\"")
		connections = append(connections, c)
	}
	if status, _, text := ask(t, "POST", url+"/predict", "application/json", strings.NewReader(`{"x": 3, "word": "a"}`)); status != 200 {
		t.Errorf("beside slow clients: %d %s", status, text)
	}
	for i, c := range connections {
		c.SetReadDeadline(time.Now().Add(3 * time.Minute))
		text, err := io.ReadAll(c)
		if i == 0 && (err != nil || !strings.Contains(string(text), "503") && !strings.Contains(string(text), "the request took too long") && len(text) > 0) {
			t.Errorf("a slow client gets %q (%v)", text, err)
		}
		c.Close()
	}
}

// flats is a table whose price a model learns.
func flats(rows int) string {
	var b strings.Builder
	b.WriteString("size,city,price\n")
	for i := range rows {
		size := 20 + float64(i*37%100)
		fmt.Fprintf(&b, "%v,%s,%.1f\n", size, []string{"Bonn", "Ulm"}[i%2], 3*size+40*float64(i%2))
	}
	return b.String()
}

// TestModel serves a model of package fit: answers alone and together are those of Predict, in each form.
func TestModel(t *testing.T) {
	tab, err := table.Read(strings.NewReader(flats(100)), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := fit.Table(context.Background(), tab, fit.Options{Target: "price", Epochs: 3})
	if err != nil {
		t.Fatal(err)
	}
	_, url := server(t, serve.Options{}, entry("flats", m))
	want, err := m.Predict(context.Background(), tab)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			body := fmt.Sprintf(`{"size": %v, "city": %q}`, tab.Columns[0].Numbers[i], tab.Columns[1].Text(i))
			status, _, text := ask(t, "POST", url+"/predict", "application/json", strings.NewReader(body))
			var a struct{ Prediction, Low, High float64 }
			if err := json.Unmarshal([]byte(text), &a); err != nil || status != 200 || math.Abs(a.Prediction-want.Values[i]) > 1e-4*math.Abs(want.Values[i]) || !(a.Low < a.Prediction && a.Prediction < a.High) {
				t.Errorf("row %d: %d %s, want %v", i, status, text, want.Values[i])
			}
		})
	}
	wg.Wait()
	status, _, text := ask(t, "POST", url+"/predict", "text/csv", strings.NewReader(flats(100)))
	if lines := strings.Split(text, "\n"); status != 200 || len(lines) != 101 || lines[0] != "prediction,low,high" {
		t.Errorf("CSV: %d %s", status, lines[0])
	}
	if _, _, page := ask(t, "GET", url+"/", "", nil); !strings.Contains(page, "<option selected>Bonn</option>") {
		t.Errorf("the page has no list of the cities: %s", page)
	}
	_, _, text = ask(t, "POST", url+"/predict?explain=1", "application/json", strings.NewReader(`{"size": 100, "city": "Rome"}`))
	if !strings.Contains(text, `"notes":["city \"Rome\" was not seen in training"]`) || !strings.Contains(text, `"shares":{"city"`) {
		t.Errorf("explained: %s", text)
	}
}

// BenchmarkServe asks over HTTP from as many clients as there are processors.
func BenchmarkServe(b *testing.B) {
	tab, err := table.Read(strings.NewReader(flats(100)), table.Options{})
	if err != nil {
		b.Fatal(err)
	}
	m, err := fit.Table(context.Background(), tab, fit.Options{Target: "price", Epochs: 3})
	if err != nil {
		b.Fatal(err)
	}
	s, err := serve.New(serve.Options{}, entry("flats", m))
	if err != nil {
		b.Fatal(err)
	}
	h := httptest.NewServer(s)
	defer h.Close()
	var mu sync.Mutex
	var all []time.Duration
	b.RunParallel(func(pb *testing.PB) {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 10}}
		var took []time.Duration
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		}()
		for pb.Next() {
			start := time.Now()
			r, err := client.Post(h.URL+"/predict", "application/json", strings.NewReader(`{"size": 50, "city": "Ulm"}`))
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
			took = append(took, time.Since(start))
		}
	})
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "us-p99")
}
