package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/serve"
)

// alphabet has a token for each of its letters.
type alphabet string

func (a alphabet) Encode(text string) (tokens []int32, err error) {
	for _, r := range text {
		i := strings.IndexRune(string(a), r)
		if i < 0 {
			return nil, fmt.Errorf("text: the character %q is not known", r)
		}
		tokens = append(tokens, int32(i))
	}
	return tokens, nil
}

func (a alphabet) Decode(tokens ...int32) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte(a[t])
	}
	return b.String()
}

// writer is a language model of random weights.
func writer(t testing.TB, seed uint64) *serve.Text {
	t.Helper()
	m := nn.NewGPT(nn.GPTOptions{Vocabulary: 8, Context: 12, Width: 16, Layers: 2, Heads: 2})
	params, err := tarn.Params(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range params.All() {
		p.SetInit(nn.Normal(0.1, 0.4))
	}
	if err := tarn.Init(m, seed); err != nil {
		t.Fatal(err)
	}
	return &serve.Text{Model: m, Tokens: alphabet("abcdefgh")}
}

func textEntry(name string, m *serve.Text) serve.Entry {
	return serve.Entry{Name: name, Text: func() (*serve.Text, error) { return m, nil }}
}

type written struct {
	Text   string
	Done   bool
	Length int
	Seed   uint64
	Error  string
}

// TestText writes texts alone and together, with clients that read, wait and go: each is what a Generator writes.
func TestText(t *testing.T) {
	m := writer(t, 1)
	_, url := server(t, serve.Options{}, entry("table", &doubler{}), textEntry("gpt", m))
	url += "/models/gpt/generate"
	want := func(seed uint64, length int) string {
		g, err := m.Model.NewGenerator(seed)
		if err != nil {
			t.Fatal(err)
		}
		g.Temperature, g.TopK = 0.9, 5
		prompt, _ := m.Tokens.Encode("abc")
		if err := g.Read(prompt...); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for range length {
			token, err := g.Write()
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(m.Tokens.Decode(token))
		}
		return b.String()
	}
	request := func(seed, length int, rest string) string {
		return fmt.Sprintf(`{"prompt":"abc","temperature":0.9,"top_k":5,"seed":%d,"length":%d%s}`, seed, length, rest)
	}
	status, head, body := ask(t, "POST", url, "", strings.NewReader(request(3, 40, `,"stream":false`)))
	var one written
	if err := json.Unmarshal([]byte(body), &one); err != nil || status != 200 || head.Get("Content-Type") != "application/json" || one != (written{Text: want(3, 40), Done: true, Length: 40, Seed: 3}) {
		t.Errorf("%d %v %s, want %q", status, head, body, want(3, 40))
	}
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			length := 20 + i
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, _ := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(request(i, length, "")))
			events := i%3 == 1
			if events {
				r.Header.Set("Accept", "text/event-stream")
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			if kind := map[bool]string{true: "text/event-stream", false: "application/x-ndjson"}[events]; answer.Header.Get("Content-Type") != kind {
				t.Errorf("the type is %v, want %s", answer.Header, kind)
			}
			var all strings.Builder
			var last written
			lines := bufio.NewScanner(answer.Body)
			for n := 0; lines.Scan(); n++ {
				if i%5 == 2 && n == 3 {
					return // this client goes
				}
				if i%7 == 3 {
					time.Sleep(time.Millisecond)
				}
				line := lines.Text()
				if events {
					if line == "" {
						continue
					}
					line = strings.TrimPrefix(line, "data: ")
				}
				last = written{}
				if err := json.Unmarshal([]byte(line), &last); err != nil {
					t.Errorf("%q: %v", line, err)
					return
				}
				all.WriteString(last.Text)
			}
			if got := all.String(); got != want(uint64(i), length) || !last.Done || last.Length != length || last.Seed != uint64(i) {
				t.Errorf("text %d is %q, %v, want %q", i, got, last, want(uint64(i), length))
			}
		})
	}
	wait.Wait()
	_, _, body = ask(t, "POST", url, "", strings.NewReader(`{"prompt":"a","length":30,"stream":false}`))
	var first, second written
	json.Unmarshal([]byte(body), &first)
	_, _, body = ask(t, "POST", url, "", strings.NewReader(fmt.Sprintf(`{"prompt":"a","length":30,"stream":false,"seed":%d}`, first.Seed)))
	if json.Unmarshal([]byte(body), &second); first != second || first.Length != 30 {
		t.Errorf("with the seed that was told it writes %v, and before %v", second, first)
	}
}

func TestTextRefusals(t *testing.T) {
	_, url := server(t, serve.Options{MaxLength: 50, MaxBody: 1000}, textEntry("gpt", writer(t, 1)))
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/models/gpt/generate", `{"prompt":"ab","length":50}`, 200, `{"done":true,"length":50`},
		{"/models/gpt/generate", `{"prompt":"ab","length":51}`, 422, "the length is 51 and should be from 1 to 50"},
		{"/models/gpt/generate", `{"prompt":"ab","length":0}`, 422, "the length is 0"},
		{"/models/gpt/generate", `{"prompt":"ab","length":-9223372036854775808}`, 422, "the length is -"},
		{"/models/gpt/generate", `{"prompt":"ab","length":1e99}`, 400, "length"},
		{"/models/gpt/generate", `{"prompt":""}`, 422, "the prompt is empty"},
		{"/models/gpt/generate", `{}`, 422, `"column":"prompt"`},
		{"/models/gpt/generate", `{"prompt":"xyz"}`, 422, `the prompt: the character 'x' is not known`},
		{"/models/gpt/generate", `{"prompt":"a","temperature":-1}`, 422, "the temperature is -1"},
		{"/models/gpt/generate", `{"prompt":"a","temperature":0,"length":3}`, 200, `"done":true`},
		{"/models/gpt/generate", `{"prompt":"a","top_k":-1}`, 422, "top_k is -1"},
		{"/models/gpt/generate", `{"prompt":"a","seed":-1}`, 400, "seed"},
		{"/models/gpt/generate", `{"prompt":"a","lenght":3}`, 400, "lenght"},
		{"/models/gpt/generate", `{"prompt":"a"} {}`, 400, "goes on after the object"},
		{"/models/gpt/generate", `[`, 400, "is not an object"},
		{"/models/gpt/generate", strings.Repeat("[", 999), 400, "is not an object"},
		{"/models/gpt/generate", `{"prompt":"` + strings.Repeat("a", 1000) + `"}`, 413, "more than 1000 bytes"},
		{"/models/gpt/predict", `{}`, 404, `there is no model \"gpt\"`},
		{"/models/none/generate", `{"prompt":"a"}`, 404, `no language model \"none\"`},
		{"/predict", `{}`, 404, "there is no model"},
	} {
		status, _, body := ask(t, "POST", url+c.path, "", strings.NewReader(c.body))
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %.60s: %d %.200s, want %d %q", c.path, c.body, status, body, c.status, c.want)
		}
	}
	for path, want := range map[string]string{"/models": `"writes":"text"`, "/models/gpt": `"version":1`, "/openapi.json": `"/models/gpt/generate"`, "/metrics": `tarn_tokens_total{model="gpt"} 53`} {
		if status, _, body := ask(t, "GET", url+path, "", nil); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %q", path, status, body, want)
		}
	}
	if status, _, body := ask(t, "GET", url+"/", "", nil); status != 404 || !strings.Contains(body, "/models/NAME/generate") {
		t.Errorf("the page: %d %s", status, body)
	}
	for _, e := range []serve.Entry{
		{Name: "a"},
		{Name: "a", Load: entry("a", &doubler{}).Load, Text: textEntry("a", nil).Text},
		textEntry("a", nil),
		textEntry("a", &serve.Text{}),
		{Name: "a", Text: func() (*serve.Text, error) { return nil, errors.New("no file") }},
		{Name: "a", Text: func() (*serve.Text, error) { panic("a fault") }},
	} {
		if _, err := serve.New(serve.Options{}, e); err == nil || !strings.HasPrefix(err.Error(), `serve: model "a"`) {
			t.Errorf("%v: %v", e, err)
		}
	}
}

// TestTextLeaves reloads while texts are written, lets clients go, fills the queue and closes.
func TestTextLeaves(t *testing.T) {
	var now atomic.Pointer[serve.Text]
	now.Store(writer(t, 1))
	s, err := serve.New(serve.Options{Queue: 2, MaxLength: 1 << 20}, serve.Entry{Name: "gpt", Text: func() (*serve.Text, error) {
		if m := now.Load(); m != nil {
			return m, nil
		}
		return nil, errors.New("the file is broken")
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: s}
	url := listen(t, h)
	begin := func(length int) (lines *bufio.Scanner, leave func(), status int) {
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "POST", url+"/models/gpt/generate", strings.NewReader(fmt.Sprintf(`{"prompt":"abc","length":%d,"temperature":0}`, length)))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return bufio.NewScanner(answer.Body), func() { cancel(); answer.Body.Close() }, answer.StatusCode
	}
	var leave []func()
	for range 8 { // as many as are written together
		lines, gone, status := begin(1 << 20)
		if status != 200 || !lines.Scan() {
			t.Fatalf("the status is %d", status)
		}
		leave = append(leave, gone)
	}
	// Two wait, and are answered once others have gone. A third is sent away.
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() {
			status, _, body := ask(t, "POST", url+"/models/gpt/generate", "", strings.NewReader(`{"prompt":"a","length":5}`))
			if status != 200 || !strings.Contains(body, `"done":true`) {
				t.Errorf("a text that waited: %d %s", status, body)
			}
		})
	}
	waitFor(t, url, `tarn_queue_requests{model="gpt"} 2`)
	if status, head, body := ask(t, "POST", url+"/models/gpt/generate", "", strings.NewReader(`{"prompt":"a"}`)); status != 503 || head.Get("Retry-After") == "" {
		t.Errorf("a full queue: %d %v %s", status, head, body)
	}
	for _, gone := range leave[1:] {
		gone()
	}
	waiting.Wait()
	// A broken model changes nothing; a good one writes the next texts, while the old one finishes.
	now.Store(nil)
	if err := s.Reload("gpt"); err == nil || !strings.Contains(err.Error(), `model "gpt" stays as it was: the file is broken`) {
		t.Errorf("%v", err)
	}
	whole := func() string {
		_, _, body := ask(t, "POST", url+"/models/gpt/generate", "", strings.NewReader(`{"prompt":"abc","length":40,"temperature":0,"stream":false}`))
		var w written
		json.Unmarshal([]byte(body), &w)
		return w.Text
	}
	before := whole()
	now.Store(writer(t, 2))
	if err := s.Reload("gpt"); err != nil {
		t.Fatal(err)
	}
	if after := whole(); len(before) != 40 || len(after) != 40 || before == after {
		t.Errorf("before a reload %q is written, and after it %q", before, after)
	}
	// Closing waits for the text of the old model, which its client leaves at last.
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close while a text is written: %v", err)
	}
	if status, _, body := ask(t, "POST", url+"/models/gpt/generate", "", strings.NewReader(`{"prompt":"a"}`)); status != 503 || !strings.Contains(body, "being stopped") {
		t.Errorf("after Close: %d %s", status, body)
	}
	if err := s.Reload("gpt"); err == nil {
		t.Error("loaded again after Close")
	}
	leave[0]()
	long, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := s.Close(long); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// waitFor waits until the metrics say something.
func waitFor(t *testing.T, url, want string) {
	t.Helper()
	for range 10000 {
		if _, _, body := ask(t, "GET", url+"/metrics", "", nil); strings.Contains(body, want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the metrics never say %q", want)
}

// TestTextTimeout writes for longer than a request may take to come, and than a client may not read.
func TestTextTimeout(t *testing.T) {
	for limit := 100 * time.Millisecond; ; limit *= 5 { // a busy machine may stop this client for longer than the limit
		err := writesBeyond(t, limit)
		if err == nil {
			return
		}
		if limit > 10*time.Second {
			t.Fatal(err)
		}
	}
}

// writesBeyond reads a text for five times the limit, then no more, and returns an error if the text ends early.
func writesBeyond(t *testing.T, limit time.Duration) error {
	s, err := serve.New(serve.Options{Timeout: limit, MaxLength: 1 << 20}, textEntry("gpt", writer(t, 1)))
	if err != nil {
		t.Fatal(err)
	}
	url := listen(t, &http.Server{Handler: s})
	start := time.Now()
	r, _ := http.NewRequest("POST", url+"/models/gpt/generate", strings.NewReader(`{"prompt":"abc","length":1000000}`))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewReader(answer.Body)
	for time.Since(start) < 5*limit {
		if _, err := lines.ReadString('\n'); err != nil {
			return fmt.Errorf("after %v: %w", time.Since(start), err)
		}
	}
	time.Sleep(3 * limit) // a client that does not read is given up when no more fits on the way
	io.CopyN(io.Discard, lines, 1000)
	answer.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	return nil
}

// listen serves until the end of the test.
func listen(t *testing.T, h *http.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	go h.Serve(l)
	t.Cleanup(func() { h.Close() })
	return "http://" + l.Addr().String()
}
