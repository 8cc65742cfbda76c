package board_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/seed-49005b45/tarn/board"
	"github.com/seed-49005b45/tarn/watch"
)

// This file opens the page in a browser.

// patience is how long a test waits for what takes far less on an idle machine.
const patience = time.Minute

// serve serves a board. A test calls it before browser, because what is begun later ends earlier: the
// page must not see the server go.
func serve(t *testing.T, handler http.Handler) (url string) {
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// browser starts a headless Chromium with one empty page, and fails the test for every error of a script.
func browser(t *testing.T) context.Context {
	t.Helper()
	var found string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			found = path
			break
		}
	}
	if found == "" {
		message := "there is no Chromium here, so the page is not tested in a browser: install it (apt-get install chromium)"
		if os.Getenv("TARN_BROWSER") == "1" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	if testing.Short() && os.Getenv("TARN_BROWSER") != "1" {
		t.Skip("-short: tests in a browser take long; TARN_BROWSER=1 runs them")
	}
	profile, err := os.MkdirTemp("", "tarn-browser")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // processes of the browser outlive it by a moment, and write to its profile
		for range 100 {
			if err = os.RemoveAll(profile); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Log(err)
	})
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(found), chromedp.NoSandbox, chromedp.UserDataDir(profile), chromedp.WSURLReadTimeout(patience))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancelPage := chromedp.NewContext(ctx)
	t.Cleanup(cancelPage)
	ctx, cancelTime := context.WithTimeout(ctx, 4*patience)
	t.Cleanup(cancelTime)
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("the page throws: %v", e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError {
				t.Errorf("the console says: %s", e.Args[0].Value)
			}
		}
	})
	return ctx
}

// size makes the window as large as a screen of w by h.
func size(w, h int64) chromedp.Action { return emulation.SetDeviceMetricsOverride(w, h, 1, w < 600) }

// idle is true if the page has drawn everything that it was asked for.
const idle = `document.getElementById("panels")?.ariaBusy === "false"`

// until waits until an expression is true and the page idle.
func until(expression string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		var is bool
		err := chromedp.Poll("Boolean("+idle+" && ("+expression+"))", &is, chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(50*time.Millisecond)).Do(ctx)
		if err != nil {
			var text string
			chromedp.Evaluate(`document.body.innerText`, &text).Do(ctx)
			return fmt.Errorf("waiting for %s: %w\nthe page says:\n%s", expression, err, text)
		}
		return nil
	})
}

// do performs actions.
func do(t *testing.T, ctx context.Context, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// read evaluates an expression that is a text.
func read(t *testing.T, ctx context.Context, expression string) (text string) {
	t.Helper()
	do(t, ctx, chromedp.Evaluate(`String(`+expression+`)`, &text))
	return text
}

// shots takes pictures of each panel, in the folder that TARN_SHOTS names or in a temporary one.
type shots struct {
	t   *testing.T
	ctx context.Context
	dir string
}

func newShots(t *testing.T, ctx context.Context) *shots {
	dir := os.Getenv("TARN_SHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	return &shots{t, ctx, dir}
}

func (s *shots) take(name string) {
	s.t.Helper()
	var png []byte
	do(s.t, s.ctx, chromedp.Sleep(400*time.Millisecond), chromedp.CaptureScreenshot(&png))
	if len(png) < 10000 {
		s.t.Errorf("the picture %s has only %d bytes: the page is empty", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(s.dir, name+".png"), png, 0o666); err != nil {
		s.t.Fatal(err)
	}
}

// choose chooses in a list, as the browser does when someone clicks.
func choose(list, value string) chromedp.Action {
	return chromedp.Evaluate(fmt.Sprintf(`(e => { e.value = %q; e.dispatchEvent(new Event("input")); e.dispatchEvent(new Event("change")) })(document.getElementById(%q))`, value, list), nil)
}

// wide is true if the page is wider than the screen.
const wide = `document.documentElement.scrollWidth > innerWidth`

func TestBrowser(t *testing.T) {
	url := serve(t, newBoard(t, recorded(t), board.Options{}))
	ctx := browser(t)
	shot := newShots(t, ctx)
	do(t, ctx, size(1280, 800), chromedp.Navigate(url), until(`document.getElementById("link").innerText === "live" && document.querySelectorAll("#runs tbody tr").length === 3 && document.querySelectorAll(".card").length >= 5`))

	// The table says what the runs are.
	for _, test := range []struct{ run, want string }{
		{"mlp-1", "finished"}, {"mlp-1", "0.979"}, {"mlp-1", "0.001"}, {"deep/mlp-2", "stopped"}, {"deep/mlp-2", "the gradient vanishes"}, {"lstm", "text"},
	} {
		if row := read(t, ctx, `document.querySelector('tr[data-run="`+test.run+`"]').innerText`); !strings.Contains(row, test.want) {
			t.Errorf("the row of %s is %q and has no %s", test.run, row, test.want)
		}
	}
	if head := read(t, ctx, `document.querySelector("#runs thead").innerText`); strings.Contains(head, "checksum") || strings.Contains(head, "seed") || !strings.Contains(head, "lr") {
		t.Errorf("the head of the table is %q: want the settings that differ, lr among them", head)
	}
	shot.take("curves-1280")

	// The values at the end and under the pointer, by keyboard.
	card := `document.querySelector('[data-record="loss"]')`
	value := card + `.querySelector("tbody tr:last-child td").innerText`
	if last := read(t, ctx, value); !strings.HasPrefix(last, "0.1") {
		t.Errorf("the last loss of mlp-1 is %s", last)
	}
	do(t, ctx, chromedp.Focus(`[data-record="loss"] canvas`), chromedp.KeyEvent(kb.Home))
	if first := read(t, ctx, value); !strings.HasPrefix(first, "2.") {
		t.Errorf("the first loss of mlp-1 is %s", first)
	}
	if place := read(t, ctx, card+`.querySelector("thead").innerText`); !strings.Contains(place, "at step 20") {
		t.Errorf("the head of the values is %q", place)
	}
	do(t, ctx, chromedp.KeyEvent(kb.ArrowRight))
	if place := read(t, ctx, card+`.querySelector("thead").innerText`); !strings.Contains(place, "at step 40") {
		t.Errorf("after an arrow the head of the values is %q", place)
	}
	do(t, ctx, chromedp.KeyEvent("+"), until(`!document.getElementById("reset").hidden`), chromedp.KeyEvent("0"), until(`document.getElementById("reset").hidden`))

	// Zoom by the pointer, smoothing, other axes.
	do(t, ctx, chromedp.Evaluate(`(() => { const c = `+card+`.querySelector("canvas"), b = c.getBoundingClientRect();
		for (const [type, x] of [["pointerdown", 0.4], ["pointermove", 0.7], ["pointerup", 0.7]])
			c.dispatchEvent(new PointerEvent(type, {clientX: b.left + b.width * x, clientY: b.top + 50, bubbles: true, pointerId: 1})) })()`, nil),
		until(`!document.getElementById("reset").hidden`), chromedp.Click("#reset"), until(`document.getElementById("reset").hidden`),
		choose("axis", "seconds"), choose("smooth", "0.9"),
		chromedp.Click("#log-y"), until(`true`), chromedp.Focus(`[data-record="loss"] canvas`), chromedp.KeyEvent(kb.End), until(card+`.querySelector("thead").innerText.includes("at 40 s")`))
	shot.take("smooth-1280")

	// Sort and filter by keyboard, hide and show.
	first := `document.querySelector("#runs tbody tr").dataset.run`
	do(t, ctx, chromedp.Focus(`[data-focus="sort best"]`), chromedp.KeyEvent(kb.Enter))
	if run := read(t, ctx, first); run != "mlp-1" {
		t.Errorf("sorted by the best accuracy the first run is %s", run)
	}
	if focus := read(t, ctx, `document.activeElement.dataset.focus`); focus != "sort best" {
		t.Errorf("after sorting the focus is on %q", focus)
	}
	do(t, ctx, chromedp.KeyEvent(kb.Enter), until(first+` === "deep/mlp-2"`), chromedp.SendKeys("#filter", "lr=0.002"),
		until(`document.querySelectorAll("#runs tbody tr").length === 1`), chromedp.Click(".hide"), until(`document.querySelectorAll("#runs tbody tr").length === 0`),
		chromedp.Click("#unhide"), until(first+` === "lstm"`), choose("filter", ""), until(`document.querySelectorAll("#runs tbody tr").length === 3`))

	// Tabs by keyboard; the flow with its pins and numbers.
	do(t, ctx, chromedp.Focus("#tab-curves"), chromedp.KeyEvent(kb.ArrowRight), until(`document.querySelectorAll(".pin").length === 2`))
	if run := read(t, ctx, `document.getElementById("flow-run").value`); run != "deep/mlp-2" {
		t.Errorf("the flow begins with %s and not with the run that has a fault", run)
	}
	if text := read(t, ctx, `document.getElementById("verdicts").innerText`); !strings.Contains(text, vanishing.Evidence) || !strings.Contains(text, "He initialization") {
		t.Errorf("the verdicts are %q", text)
	}
	do(t, ctx, chromedp.Focus("#flow-map canvas"), chromedp.KeyEvent(kb.ArrowLeft), chromedp.KeyEvent(kb.ArrowDown))
	if text := read(t, ctx, `document.getElementById("flow-value").innerText`); !strings.HasPrefix(text, "blocks.01, step 1200: ") || !strings.Contains(text, "e−6") {
		t.Errorf("the value in the map is %q", text)
	}
	shot.take("flow-1280")
	do(t, ctx, chromedp.Click(".pin"), until(`document.activeElement.id === "verdict-0"`),
		choose("flow-run", "lstm"), until(`document.querySelectorAll("#recurrent .map canvas").length === 1`), chromedp.ScrollIntoView("#recurrent .map"))
	shot.take("recurrent-1280")

	do(t, ctx, chromedp.Click("#tab-histograms"), until(`document.getElementById("histogram-name").value === "weight/head.weight"`), chromedp.Focus("#histogram-map canvas"), chromedp.KeyEvent(kb.ArrowLeft))
	if text := read(t, ctx, `document.getElementById("histogram-value").innerText`); !strings.Contains(text, "50 % below") {
		t.Errorf("the histogram says %q", text)
	}
	shot.take("histograms-1280")
	do(t, ctx, chromedp.Click("#tab-mistakes"), choose("mistakes-run", "mlp-1"), until(mistakes))
	if got := read(t, ctx, `document.getElementById("mistakes-total").innerText + "; " + document.querySelector("#pairs li").innerText + "; " + document.querySelector("#confusion tbody tr").innerText.replace(/\s+/g, " ")`); got !=
		"230 of 263 examples are right after epoch 20; 2 taken for 0: 20 of 63, 31.7 %; 0 90 8 2 90.0 %" {
		t.Errorf("the mistakes are %q", got)
	}
	shot.take("mistakes-1280")
	do(t, ctx, choose("mistakes-run", "lstm"), until(`!document.getElementById("no-mistakes").hidden && document.querySelector("#mistakes .columns").hidden`))
	do(t, ctx, chromedp.Click("#tab-program"), choose("program-run", "mlp-1"), until(`document.querySelectorAll("#steps tbody tr").length === 2`))
	if got := read(t, ctx, `["#program-total", "#steps tbody tr", "#memory tbody tr"].map(s => document.querySelector(s).innerText.replace(/\s+/g, " ").trim()).join("; ")`); got !=
		"2.50 ms, 100 million operations and 5 MiB in 2 steps, the median of 5 runs; 80.0 % 2 ms 2 MiB 50 G product 128x512x784 nn/linear.go:50; values of a run 3 MiB" {
		t.Errorf("the program is %q", got)
	}
	shot.take("program-1280")
	do(t, ctx, choose("program-order", "bytes"), until(`document.querySelector("#steps tbody tr").innerText.includes("relu")`))
	do(t, ctx, chromedp.Click("#tab-pictures"), until(`document.querySelector("#gallery img")?.naturalWidth === 320`))

	// The light look, and a phone.
	do(t, ctx, chromedp.Click("#tab-curves"), chromedp.Evaluate(`document.documentElement.dataset.theme === "light" || document.getElementById("theme").click()`, nil), until(`true`))
	shot.take("light-1280")
	do(t, ctx, size(390, 844))
	shot.take("light-390")
	do(t, ctx, chromedp.Click("#theme"), chromedp.Click("#tab-flow"), chromedp.ScrollIntoView("#tab-flow"))
	shot.take("flow-390")
	do(t, ctx, chromedp.Click("#tab-program"), choose("program-run", "mlp-1"), until(`document.querySelectorAll("#steps tbody tr").length === 2`), chromedp.ScrollIntoView("#memory"))
	shot.take("program-390")
	for _, tab := range []string{"curves", "flow", "histograms", "mistakes", "program", "pictures"} {
		do(t, ctx, chromedp.Click("#tab-"+tab), until(`true`))
		if read(t, ctx, wide) == "true" {
			t.Errorf("at 390 pixels %s is wider than the screen: %s", tab, read(t, ctx, `document.documentElement.scrollWidth`))
		}
	}
	// Everything that can be operated has a name.
	if unnamed := read(t, ctx, `[...document.querySelectorAll("button, input, select, canvas, summary")].filter(e => !(e.innerText?.trim() || e.ariaLabel || e.labels?.length || e.ariaHidden)).map(e => e.outerHTML).join("\n")`); unnamed != "" {
		t.Errorf("these have no name for a screen reader:\n%s", unnamed)
	}
}

// mistakes holds if the table of confused classes is shown.
const mistakes = `document.querySelectorAll("#confusion tbody tr").length === 3 && document.querySelectorAll("#confusion .mistake").length === 4`

// TestBrowserLive watches a training that goes on.
func TestBrowserLive(t *testing.T) {
	dir := t.TempDir()
	b := newBoard(t, dir, board.Options{})
	var cut atomic.Bool // answers end early
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut.Load() && r.URL.Path == "/api/series" {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "{")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		b.ServeHTTP(w, r)
	}))
	ctx := browser(t)
	do(t, ctx, size(1280, 800), chromedp.Navigate(url), until(`!document.getElementById("empty").hidden && document.getElementById("link").innerText === "live"`))
	r := record(t, filepath.Join(dir, "now"), 3, nil)
	r.train(100, 1)
	step := `document.querySelector('tr[data-run="now"]')?.innerText ?? ""`
	do(t, ctx, until(`(`+step+`).includes("running") && document.querySelector('[data-record="loss"]')`))
	r.train(300, 1)
	r.step(320, 0.125)
	do(t, ctx, until(`(`+step+`).includes("320") && document.querySelector('[data-record="loss"] td').innerText === "0.125"`))
	r.write(watch.Line{Verdict: &watch.Verdict{Run: 320, Rule: "plateau", Severity: "warning", Headline: "the loss stands still", Evidence: "it fell by 0.1 %", Layers: nil}})
	do(t, ctx, until(`document.getElementById("announce").innerText.includes("the loss stands still") && document.querySelector(".banner.warning")`))

	// A server that goes in the middle of an answer is no error of the page, which lives on with the next event.
	cut.Store(true)
	r.step(340, 0.25)
	do(t, ctx, until(`document.getElementById("link").innerText === "offline"`))
	cut.Store(false)
	r.step(360, 0.5)
	do(t, ctx, until(`document.getElementById("link").innerText === "live" && document.querySelector('[data-record="loss"] td').innerText === "0.5"`))
}

// TestBrowserExport opens an exported page without a server.
func TestBrowserExport(t *testing.T) {
	ctx := browser(t)
	b := newBoard(t, recorded(t), board.Options{})
	path := filepath.Join(t.TempDir(), "run.html")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Export(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, size(1280, 800), chromedp.Navigate("file://"+path), until(`document.querySelectorAll(".card").length >= 5 && document.getElementById("link").innerText === "exported"`))
	if last := read(t, ctx, `document.querySelector('[data-record="loss"] tbody tr:last-child td').innerText`); !strings.HasPrefix(last, "0.1") {
		t.Errorf("the last loss of mlp-1 is %s", last)
	}
	do(t, ctx, choose("smooth", "0.9"),
		chromedp.Click("#tab-flow"), until(`document.querySelectorAll(".pin").length === 2`),
		chromedp.Click("#tab-histograms"), until(`document.getElementById("histogram-name").value === "weight/head.weight"`),
		chromedp.Click("#tab-mistakes"), until(mistakes),
		chromedp.Click("#tab-pictures"), until(`document.querySelector("#gallery img")?.naturalWidth === 320`))
	newShots(t, ctx).take("export-1280")
}
