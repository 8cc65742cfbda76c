package board_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn/board"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/watch"
)

// newBoard returns a board that is closed with the test.
func newBoard(t testing.TB, dir string, options board.Options) *board.Board {
	t.Helper()
	b, err := board.New(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// get asks for a path, as a browser on this machine does unless change says otherwise.
func get(b *board.Board, path string, change ...func(r *http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Host = "localhost:7007"
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// decode reads an answer.
func decode[T any](t testing.TB, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %.200s", err, w.Body)
	}
	return v
}

// contents reads all files below a directory, with the times of their last changes.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		fmt.Fprintln(&all, path, info.ModTime(), info.Mode())
		if err == nil && info.Mode().IsRegular() {
			var text []byte
			text, err = os.ReadFile(path)
			all.Write(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestAnswers(t *testing.T) {
	dir := recorded(t)
	before := contents(t, dir)
	b := newBoard(t, dir, board.Options{})
	for _, test := range []struct {
		path, kind string
		want       []string
	}{
		{"/", "text/html", []string{"<title>Tarn board</title>", `src="app.js"`}},
		{"/style.css", "text/css", []string{"--accent"}},
		{"/app.js", "text/javascript", []string{"function start()"}},
		{"/chart.js", "text/javascript", []string{"class Chart"}},
		{"/heat.js", "text/javascript", []string{"class HeatMap"}},
		{"/source.js", "text/javascript", []string{"EventSource"}},
		{"/icon.svg", "image/svg+xml", []string{"<svg"}},
		{"/api/runs", "application/json", []string{`"run":"deep/mlp-2"`, `"state":"finished"`, `"lr":"0.001"`, `"best":{"accuracy":0.97`, `"pictures":["curve.png"]`, `"headline":"the gradient vanishes`, `"step":2000`, `"seconds":40`}},
		{"/api/run?run=deep/mlp-2", "application/json", []string{`"layers":[{"path":"blocks.00"`, `"rule":"vanishing-gradients"`, `"epoch/accuracy"`, `"layer/blocks.00/gradNorm"`, `"param/head.weight/ratio"`, `"weight/head.weight"`}},
		{"/api/run?run=lstm", "application/json", []string{`"recurrent":["blocks.00"]`, `"verdicts":[]`}},
		{"/api/series?run=mlp-1&name=loss&name=epoch/accuracy&name=nothing&smooth=0.5", "application/json", []string{`"loss":{"raw":{"step":[20,40`, `"smooth":{"step":[20,40`, `"epoch/accuracy":{"raw":{"step":[100,200`}},
		{"/api/series?run=mlp-1&name=rate&axis=epoch&from=3&to=4", "application/json", []string{`"step":[280,300,320,340,360,380,400,420]`}},
		{"/api/flow?run=deep/mlp-2&measure=gradNorm&points=5", "application/json", []string{`"rows":["blocks.00","blocks.01"`, `"step":[240,480,720,960,1200]`}},
		{"/api/flow?run=deep/mlp-2&measure=ratio", "application/json", []string{`"rows":["blocks.00.weight"`}},
		{"/api/flow?run=lstm&measure=waiting&points=5", "application/json", []string{`"rows":["rank 0 on a1","rank 1 on a2"]`, `"values":[[0.01,`}},
		{"/api/series?run=lstm&name=rank/1/computing", "application/json", []string{`"y":[0.03,`}},
		{"/api/flow?run=lstm&layer=blocks.00", "application/json", []string{`"rows":["step 1","step 2"`}},
		{"/api/histograms?run=mlp-1&name=weight/head.weight", "application/json", []string{`"limits":[-1,`}},
		{"/api/picture?run=mlp-1&name=curve.png", "image/png", []string{"PNG"}},
	} {
		w := get(b, test.path)
		if kind := w.Header().Get("Content-Type"); w.Code != 200 || !strings.HasPrefix(kind, test.kind) {
			t.Errorf("%s: status %d, type %s, want %s", test.path, w.Code, kind, test.kind)
		}
		for _, want := range test.want {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s has no %s:\n%.600s", test.path, want, w.Body)
			}
		}
		for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'; script-src 'self'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if got := w.Header().Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q, want %q", test.path, name, got, want)
			}
		}
	}
	if after := contents(t, dir); after != before {
		t.Error("reading has changed the folder")
	}
}

func TestRefusals(t *testing.T) {
	dir := recorded(t)
	outside := filepath.Join(t.TempDir(), "secret.png")
	if err := os.WriteFile(outside, []byte("hidden away"), 0o666); err != nil {
		t.Fatal(err)
	}
	linked := os.Symlink(outside, filepath.Join(dir, "mlp-1", "link.png")) == nil
	if !linked && runtime.GOOS != "windows" {
		t.Fatal("there is no link to refuse")
	}
	os.Symlink(filepath.Dir(outside), filepath.Join(dir, "mlp-1", "folder"))
	b := newBoard(t, dir, board.Options{Hosts: []string{"box.example"}})
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	method := func(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
	for _, test := range []struct {
		path   string
		change func(*http.Request)
		want   int
	}{
		{"/", host("127.0.0.1:7007"), 200},
		{"/", host("[::1]:7007"), 200},
		{"/", host("LOCALHOST"), 200},
		{"/", host("box.example:1"), 200},
		{"/", host("evil.example"), 421},
		{"/", host("localhost.evil.example:7007"), 421},
		{"/", host(""), 421},
		{"/", method("HEAD"), 200},
		{"/", method("POST"), 405},
		{"/api/runs", method("DELETE"), 405},
		{"/api/runs", method("OPTIONS"), 405},
		{"/nothing", nil, 404},
		{"/page/app.js", nil, 404},
		{"/api/run?run=nothing", nil, 404},
		{"/api/run", nil, 404},
		{"/api/run?run=..", nil, 404},
		{"/api/run?run=/etc", nil, 404},
		{"/api/run?run=mlp-1/../../x", nil, 404},
		{"/api/picture?run=mlp-1&name=config.json", nil, 404},
		{"/api/picture?run=mlp-1&name=../mlp-1/curve.png", nil, 404},
		{"/api/picture?run=mlp-1&name=" + url.QueryEscape(outside), nil, 404},
		{"/api/picture?run=mlp-1&name=..%2F..%2F..%2Fetc%2Fpasswd", nil, 404},
		{"/api/picture?run=mlp-1&name=link.png", nil, 404},
		{"/api/picture?run=mlp-1/folder&name=secret.png", nil, 404},
		{"/../board_test.go", nil, 404},
		{"/api/series?run=mlp-1&name=loss&points=1e9", nil, 400},
		{"/api/series?run=mlp-1&name=loss&points=-1", nil, 400},
		{"/api/series?run=mlp-1&name=loss&from=NaN", nil, 400},
		{"/api/series?run=mlp-1&name=loss&smooth=1", nil, 400},
		{"/api/series?run=mlp-1" + strings.Repeat("&name=loss", 101), nil, 400},
		{"/api/flow?run=mlp-1&measure=nothing", nil, 400},
	} {
		if strings.Contains(test.path, "link.png") && !linked {
			continue // not everyone may make links on Windows
		}
		var change []func(*http.Request)
		if test.change != nil {
			change = append(change, test.change)
		}
		w := get(b, test.path, change...)
		if w.Code != test.want || strings.Contains(w.Body.String(), "hidden away") {
			t.Errorf("%s: status %d, want %d: %.100s", test.path, w.Code, test.want, w.Body)
		}
	}
	if _, err := board.New(filepath.Join(dir, "nothing"), board.Options{}); err == nil || !strings.HasPrefix(err.Error(), "board: ") {
		t.Errorf("a directory that does not exist: %v", err)
	}
}

func TestToken(t *testing.T) {
	b := newBoard(t, recorded(t), board.Options{Token: "fish & chips"})
	for _, path := range []string{"/", "/app.js", "/api/runs", "/api/events", "/?token=", "/?token=fish", "/api/runs?token=fish+%26+chips2"} {
		if w := get(b, path); w.Code != 401 || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s without the token: status %d", path, w.Code)
		}
	}
	w := get(b, "/?token="+url.QueryEscape("fish & chips"))
	cookies := w.Result().Cookies()
	if w.Code != 303 || w.Header().Get("Location") != "./" || len(cookies) != 1 {
		t.Fatalf("with the token: status %d, to %q, %d cookies", w.Code, w.Header().Get("Location"), len(cookies))
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, "fish") || len(c.Value) < 32 {
		t.Errorf("the cookie is %v", c)
	}
	if w := get(b, "/api/runs", func(r *http.Request) { r.AddCookie(c) }); w.Code != 200 {
		t.Errorf("with the cookie: status %d", w.Code)
	}
	for _, value := range []string{"", "x", c.Value[1:], "fish & chips"} {
		if w := get(b, "/api/runs", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: c.Name, Value: value}) }); w.Code != 401 {
			t.Errorf("with the cookie %q: status %d", value, w.Code)
		}
	}
	if other := newBoard(t, recorded(t), board.Options{Token: "fish & chips"}); get(other, "/api/runs", func(r *http.Request) { r.AddCookie(c) }).Code != 401 {
		t.Error("the cookie of one board opens another")
	}
}

// row is what the tests read of a row of the table.
type row struct {
	Run, State string
	Step       int64
	Seconds    float64
	Loss       *watch.Number
	Verdict    *watch.Verdict
	Best       map[string]watch.Number
	BadLines   int
}

// line is what the tests read of a record.
type line struct {
	Raw, Smooth struct {
		Step           []int64
		Epoch, Seconds []watch.Number
		Y              []watch.Number
	}
}

func TestState(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"running", "gone", "finished", "stopped", "loose", "old"} {
		config := map[string]any{"lr": 1}
		if name == "loose" || name == "old" {
			config = nil
		}
		record(t, filepath.Join(dir, name), 1, config).step(20, 1)
	}
	lock, err := file.Acquire(filepath.Join(dir, "running", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	host, _ := os.Hostname()
	for path, text := range map[string]string{"gone/lock": fmt.Sprintf(`{"pid":%d,"host":%q}`, math.MaxInt32, host), "finished/weights.safetensors": ""} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, "old", watch.FileName), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"running": "running", "gone": "stopped", "finished": "finished", "stopped": "stopped", "loose": "running", "old": "stopped"}
	for _, r := range decode[struct{ Runs []row }](t, get(newBoard(t, dir, board.Options{}), "/api/runs")).Runs {
		if r.State != want[r.Run] {
			t.Errorf("%s is %s", r.Run, r.State)
		}
		delete(want, r.Run)
	}
	if len(want) > 0 {
		t.Errorf("these runs are not in the table: %v", want)
	}
}

// TestRecords reads files that a training leaves: resumed, begun anew, cut, damaged, and with numbers that are not finite.
func TestRecords(t *testing.T) {
	for _, test := range []struct {
		name  string
		write func(r *recorder)
		steps []int64
		loss  []string // as JSON has it
		check func(t *testing.T, r row)
	}{
		{"plain", func(r *recorder) { r.step(20, 2); r.step(40, 1.5) }, []int64{20, 40}, []string{"2", "1.5"}, func(t *testing.T, r row) {
			if r.Step != 40 || r.Seconds != 0.8 || *r.Loss != 1.5 {
				t.Errorf("the row is %+v", r)
			}
		}},
		{"resumed", func(r *recorder) {
			r.step(20, 2)
			r.step(40, 1)
			r.step(60, 9)
			r.write(watch.Line{Verdict: &watch.Verdict{Run: 60, Rule: "rate-too-large", Headline: "undone"}})
			h := r.header
			h.Run = 40
			r.write(watch.Line{Header: &h})
			r.step(60, 0.5)
		}, []int64{20, 40, 60}, []string{"2", "1", "0.5"}, func(t *testing.T, r row) {
			if r.Verdict != nil {
				t.Errorf("the verdict %q has been undone", r.Verdict.Headline)
			}
			if r.Seconds != 1.2 {
				t.Errorf("the training has taken %v seconds, want 1.2: looks count from its beginning", r.Seconds)
			}
		}},
		{"healed", func(r *recorder) {
			r.step(20, 2)
			r.write(watch.Line{Verdict: &vanishing})
			r.write(watch.Line{Verdict: &watch.Verdict{Run: 500}})
		}, []int64{20}, []string{"2"}, func(t *testing.T, r row) {
			if r.Verdict != nil {
				t.Errorf("the verdict is %+v", r.Verdict)
			}
		}},
		{"not finite", func(r *recorder) { r.step(20, math.NaN()); r.step(40, math.Inf(1)); r.step(60, 1) }, []int64{20, 40, 60}, []string{`"NaN"`, `"+Inf"`, "1"}, nil},
		{"damaged", func(r *recorder) {
			r.step(20, 2)
			f, err := os.OpenFile(filepath.Join(r.dir, watch.FileName), os.O_APPEND|os.O_WRONLY, 0)
			r.check(err)
			_, err = f.WriteString("what is this?\n" + `{"step":{"run":40,"seconds":0.8,"loss":1,"layers":{"gradNorm":[1]}}}` + "\n" + `{"step":{"run":60,"lo`)
			r.check(err)
			r.check(f.Close())
		}, []int64{20, 40}, []string{"2", "1"}, func(t *testing.T, r row) {
			if r.BadLines != 1 {
				t.Errorf("%d lines are bad", r.BadLines)
			}
		}},
		{"no looks", func(*recorder) {}, nil, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			r := record(t, filepath.Join(dir, "run"), 2, nil)
			test.write(r)
			b := newBoard(t, dir, board.Options{})
			got := decode[map[string]line](t, get(b, "/api/series?run=run&name=loss"))["loss"].Raw
			var loss []string
			for _, y := range got.Y {
				text, _ := json.Marshal(y)
				loss = append(loss, string(text))
			}
			for i, run := range got.Step { // as the recorder counts time
				if seconds := float64(run) / 50; float64(got.Seconds[i]) != seconds {
					t.Errorf("run %d is at %v seconds, want %v", run, got.Seconds[i], seconds)
				}
			}
			if fmt.Sprint(got.Step, loss) != fmt.Sprint(test.steps, test.loss) {
				t.Errorf("the losses are %v at %v, want %v at %v", loss, got.Step, test.loss, test.steps)
			}
			rows := decode[struct{ Runs []row }](t, get(b, "/api/runs")).Runs
			if len(rows) != 1 {
				t.Fatalf("the table has %d rows", len(rows))
			}
			if test.check != nil {
				test.check(t, rows[0])
			}
		})
	}
}

// TestAnew checks that a file that is begun anew, shorter or longer, is read from its start.
func TestAnew(t *testing.T) {
	dir := t.TempDir()
	b := newBoard(t, dir, board.Options{})
	for _, steps := range []int64{5, 2, 9} {
		os.Remove(filepath.Join(dir, watch.FileName))
		r := record(t, dir, 1, nil)
		for i := range steps {
			r.step(20*(i+1), float64(steps))
		}
		r.check(r.file.Close())
		got := decode[map[string]line](t, get(b, "/api/series?run=.&name=loss"))["loss"].Raw
		if len(got.Y) != int(steps) || got.Y[0] != watch.Number(steps) {
			t.Errorf("of %d looks the board has %v", steps, got.Y)
		}
	}
}

// TestLog reads a run that was not watched.
func TestLog(t *testing.T) {
	dir := t.TempDir()
	log := `{"epoch":1,"step":10,"train_loss":2,"val_loss":2.5,"metrics":{"accuracy":0.5,"mae":null},"lr":0.1,"examples_per_second":100,"seconds":3}
{"epoch":2,"step":20,"train_loss":1,"val_loss":null,"metrics":{"accuracy":0.4,"mae":3},"lr":0.05,"examples_per_second":100,"seconds":4}
{"epoch":3,"ste`
	for name, text := range map[string]string{"log.jsonl": log, "config.json": `{"net":{"hidden":[1,2]},"lr":0.10,"checksum":"x"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	b := newBoard(t, dir, board.Options{})
	if text := get(b, "/api/runs").Body.String(); !strings.Contains(text, `"config":{"lr":"0.10","net.hidden":"[1,2]"}`) || !strings.Contains(text, `"best":{"accuracy":0.5,"mae":3,"train loss":1,"val loss":2.5}`) || !strings.Contains(text, `"seconds":7`) {
		t.Errorf("the table is %s", text)
	}
	lines := decode[map[string]line](t, get(b, "/api/series?run=.&name=epoch/accuracy&name="+url.QueryEscape("epoch/val loss")))
	if got := fmt.Sprint(lines["epoch/accuracy"].Raw.Y, lines["epoch/accuracy"].Raw.Seconds, lines["epoch/val loss"].Raw.Y); got != "[0.5 0.4] [3 7] [2.5]" {
		t.Errorf("the lines are %s", got)
	}
}

// TestDownsampling reads 200,000 looks: the answer is small, and has the extremes and the ends exactly.
func TestDownsampling(t *testing.T) {
	const n = 200000
	dir := t.TempDir()
	r := record(t, dir, 1, nil)
	r.check(r.file.Close())
	f, err := os.OpenFile(filepath.Join(dir, watch.FileName), os.O_APPEND|os.O_WRONLY, 0)
	r.check(err)
	w := bufio.NewWriter(f)
	for i := range n {
		loss := fmt.Sprint(1 + math.Sin(float64(i)/1000)/2)
		switch i {
		case 77777:
			loss = "9.25"
		case 123456:
			loss = "-7.125"
		case 150001:
			loss = `"NaN"`
		}
		fmt.Fprintf(w, `{"step":{"run":%d,"epoch":%d,"seconds":%d,"loss":%s,"rate":0.001,"gradNorm":1,"clippedNorm":1,"params":{},"layers":{"gradNorm":[%d]}}}`+"\n", i+1, i/100, i, loss, i%7)
	}
	r.check(w.Flush())
	r.check(f.Close())
	b := newBoard(t, dir, board.Options{})
	for _, test := range []struct {
		query       string
		first, last int64
		has         []int64
	}{
		{"points=500", 1, n, []int64{77778, 123457, 150002}},
		{"points=500&smooth=0.9", 1, n, []int64{77778, 123457, 150002}},
		{"points=500&from=70000&to=80000", 69999, 80001, []int64{77778}},
		{"points=2000&from=123000&to=123999", 122999, 124000, []int64{123000, 123457, 123999}},
		{"points=1", 1, n, []int64{77778, 123457}},
	} {
		w := get(b, "/api/series?run=.&name=loss&"+test.query)
		if size := w.Body.Len(); size > 200_000 {
			t.Errorf("%s: the answer has %d bytes", test.query, size)
		}
		s := decode[map[string]line](t, w)["loss"].Raw
		at := map[int64]watch.Number{}
		for i, step := range s.Step {
			at[step] = s.Y[i]
		}
		if len(s.Step) == 0 || s.Step[0] != test.first || s.Step[len(s.Step)-1] != test.last {
			t.Errorf("%s: the points run from %d to %d, want %d to %d", test.query, s.Step[0], s.Step[len(s.Step)-1], test.first, test.last)
		}
		for _, step := range test.has {
			y, there := at[step]
			if want := map[int64]watch.Number{77778: 9.25, 123457: -7.125}[step]; !there || want != 0 && y != want {
				t.Errorf("%s: at step %d there is %v", test.query, step, y)
			}
		}
	}
	if w := get(b, "/api/flow?run=.&measure=gradNorm&points=400"); w.Body.Len() > 50_000 {
		t.Errorf("the heat map has %d bytes", w.Body.Len())
	}
	var page bytes.Buffer
	if err := b.Export(&page); err != nil || page.Len() > 1<<20 {
		t.Errorf("the exported page has %d bytes: %v", page.Len(), err)
	}
}

// TestEvents follows a training.
func TestEvents(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewServer(newBoard(t, dir, board.Options{}))
	defer server.Close()
	reply, err := http.Get(server.URL + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if kind := reply.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("the type is %s", kind)
	}
	lines := bufio.NewReader(reply.Body)
	next := func() (rows []row, all []string) {
		t.Helper()
		for {
			text, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if data, ok := strings.CutPrefix(text, "data: "); ok {
				var e struct {
					Runs []row
					All  []string
				}
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					t.Fatal(err)
				}
				return e.Runs, e.All
			}
		}
	}
	if rows, all := next(); len(rows) != 0 || len(all) != 0 {
		t.Errorf("at first there are %v, %v", rows, all)
	}
	r := record(t, filepath.Join(dir, "run"), 1, nil)
	next() // the run is there
	r.step(20, 1)
	r.write(watch.Line{Verdict: &vanishing})
	for {
		rows, all := next()
		if len(all) != 1 || len(rows) != 1 {
			t.Fatalf("the event has %v, %v", rows, all)
		}
		if rows[0].Step == 20 && rows[0].Verdict != nil {
			break
		}
	}
	r.check(r.file.Close())
	r.check(os.RemoveAll(r.dir))
	for {
		if _, all := next(); len(all) == 0 {
			break
		}
	}
}

// TestExport checks that the file needs nothing else, and that no text of a run becomes markup.
func TestExport(t *testing.T) {
	if err := newBoard(t, t.TempDir(), board.Options{}).Export(io.Discard); err == nil || !strings.Contains(err.Error(), "there are no runs") {
		t.Errorf("a page without runs: %v", err)
	}
	dir := recorded(t)
	evil := `</script><script>alert(1)</script>`
	r := record(t, filepath.Join(dir, "evil"), 1, map[string]any{"name": evil})
	r.step(20, 1)
	var out bytes.Buffer
	if err := newBoard(t, dir, board.Options{}).Export(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if strings.Contains(text, evil) || strings.Count(text, "<script") != 2 || strings.Count(text, "</script>") != 2 {
		t.Error("a setting has become markup")
	}
	if found := regexp.MustCompile(`(?m)(^import |^export |(src|href)="[^#d"][^"]*")`).FindAllString(text, -1); len(found) > 0 {
		t.Errorf("the page needs more than itself: %q", found)
	}
	for _, want := range []string{"script-src 'sha256-", "data:image/png;base64,", "vanishing-gradients"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if err := newBoard(t, dir, board.Options{}).Export(failing{}); err == nil || !strings.HasPrefix(err.Error(), "board: ") {
		t.Errorf("a writer that fails: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
