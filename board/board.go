// Package board serves a page that shows trainings: all runs below a directory in a table, their records as curves, the flow
// of gradients through the layers as a heat map with the doctor's verdicts on it, histograms, confused classes and pictures. It follows runs
// while they train, needs nothing but the program itself, and changes nothing on the disk.
//
// A Board is an http.Handler:
//
//	b, err := board.New("runs", board.Options{})
//	if err != nil {
//		log.Fatal(err)
//	}
//	log.Fatal(http.ListenAndServe("localhost:7007", b))
//
// The records are those of package watch, and the folders those of package train. A folder that has only a file of records is
// shown too.
package board

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/watch"
)

//go:embed page
var page embed.FS

// Limits of what is answered and remembered.
const (
	maxNames   = 100  // records of one request
	maxBuckets = 2000 // of a record or a heat map
	maxOpen    = 16   // runs whose records are kept in memory
	poll       = 500 * time.Millisecond
)

// Options has what may differ from one board to another.
type Options struct {
	// Token is the secret that a visitor needs, in the query of the first page as ?token=. Without one, everyone who
	// reaches the handler may read.
	Token string
	// Hosts are the names by which the board may be reached, beside localhost and addresses of numbers. A request for
	// another host is refused, because a name that an attacker owns may lead here.
	Hosts []string
}

// Board is the page and what it reads. It can be used by many goroutines at a time.
type Board struct {
	options Options
	name    string // of the directory, as the page shows it
	root    *os.Root
	session string // the value of the cookie of those who knew the token

	mu      sync.Mutex
	found   time.Time // when the runs were looked for last
	runs    map[string]*run
	rows    map[string]*summary
	version int64 // counts changes of the table
	open    map[string]*records
	turn    int64
}

// New returns a board of the runs below a directory.
func New(dir string, options Options) (*Board, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("board: %w: name the folder that holds the runs, or that of one run", err)
	}
	name := dir
	if abs, err := filepath.Abs(dir); err == nil {
		name = filepath.Base(abs)
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	return &Board{options: options, name: name, root: root, session: hex.EncodeToString(secret),
		runs: map[string]*run{}, rows: map[string]*summary{}, open: map[string]*records{}}, nil
}

// Close closes the directory. Requests that come later find no runs.
func (b *Board) Close() error { return b.root.Close() }

// policy lets the page load its own files and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP answers a request.
func (b *Board) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the board only reads: use GET", http.StatusMethodNotAllowed)
	case !b.knownHost(r.Host):
		http.Error(w, "this host name is not one of the board's", http.StatusMisdirectedRequest)
	default:
		if b.admitted(w, r) {
			b.answer(w, r)
		}
	}
}

// knownHost reports whether a request's host is an address, localhost, or one of Options.Hosts.
func (b *Board) knownHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == "localhost" || net.ParseIP(host) != nil || slices.ContainsFunc(b.options.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// cookie is the name of the cookie.
const cookie = "tarn-board"

// same compares two secrets in a time that does not depend on them.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// admitted reports whether the visitor knows the token, and answers if not. Who brings it in the query gets a cookie, and is
// sent to the same address without it, so that it does not stay in the browser's history.
func (b *Board) admitted(w http.ResponseWriter, r *http.Request) bool {
	if b.options.Token == "" {
		return true
	}
	if c, err := r.Cookie(cookie); err == nil && same(c.Value, b.session) {
		return true
	}
	given := r.URL.Query().Get("token")
	if given == "" || !same(given, b.options.Token) {
		http.Error(w, "the board needs its token: open the address with ?token=TOKEN", http.StatusUnauthorized)
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: b.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil})
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
	return false
}

// badRequest is an error of whoever asks.
type badRequest struct{ error }

// answer answers a visitor who may read.
func (b *Board) answer(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	var reply any
	var err error
	switch r.URL.Path {
	case "/", "":
		http.ServeFileFS(w, r, page, "page/board.html")
		return
	case "/style.css", "/app.js", "/chart.js", "/heat.js", "/source.js", "/icon.svg":
		http.ServeFileFS(w, r, page, "page"+r.URL.Path)
		return
	case "/api/events":
		b.events(w, r)
		return
	case "/api/picture":
		err = b.picture(w, query.Get("run"), query.Get("name"))
		if err == nil {
			return
		}
	case "/api/runs":
		reply, err = b.table(), nil
	case "/api/run":
		reply, err = b.details(query.Get("run"))
	case "/api/series":
		var win window
		if win, err = windowOf(query.Get); err == nil {
			reply, err = b.series(query.Get("run"), query["name"], win)
		}
	case "/api/flow":
		var win window
		if win, err = windowOf(query.Get); err == nil {
			reply, err = b.flow(query.Get("run"), query.Get("measure"), query.Get("layer"), win)
		}
	case "/api/histograms":
		reply, err = b.histograms(query.Get("run"), query.Get("name"))
	default:
		http.NotFound(w, r)
		return
	}
	var bad badRequest
	switch {
	case errors.As(err, &bad):
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	case errors.Is(err, fs.ErrNotExist):
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(reply)
}

// windowOf reads the part that is asked for.
func windowOf(get func(string) string) (w window, err error) {
	w = window{axis: get("axis"), from: math.Inf(-1), to: math.Inf(1), buckets: 500}
	number := func(name string, into *float64, low, high float64) {
		if text := get(name); text != "" && err == nil {
			x, e := strconv.ParseFloat(text, 64)
			if e != nil || !(x >= low && x <= high) {
				err = badRequest{fmt.Errorf("board: %s is %q and should be a number from %v to %v", name, text, low, high)}
				return
			}
			*into = x
		}
	}
	buckets := float64(w.buckets)
	number("from", &w.from, -math.MaxFloat64, math.MaxFloat64)
	number("to", &w.to, -math.MaxFloat64, math.MaxFloat64)
	number("points", &buckets, 1, maxBuckets)
	number("smooth", &w.smooth, 0, 0.9999)
	w.buckets = int(buckets)
	return w, err
}

// table is the list of all runs.
type table struct {
	Dir     string     `json:"dir"`
	Version int64      `json:"version"`
	Runs    []*summary `json:"runs"`
}

// table reads what is new, at most every half second, and returns the rows.
func (b *Board) table() table {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.found) >= poll {
		b.look()
		b.found = time.Now()
	}
	t := table{Dir: b.name, Version: b.version, Runs: []*summary{}}
	for _, dir := range slices.Sorted(maps.Keys(b.rows)) {
		t.Runs = append(t.Runs, b.rows[dir])
	}
	slices.SortStableFunc(t.Runs, func(x, y *summary) int { return cmp.Compare(y.Started, x.Started) })
	return t
}

// look looks for runs and reads what is new of them.
func (b *Board) look() {
	dirs := find(b.root)
	gone := maps.Clone(b.runs)
	for _, dir := range dirs {
		delete(gone, dir)
	}
	for dir := range gone {
		delete(b.runs, dir)
		delete(b.rows, dir)
		delete(b.open, dir)
		b.version++
	}
	for _, dir := range dirs {
		r := b.runs[dir]
		if r == nil {
			r = &run{dir: dir, records: tail{name: path.Join(dir, watch.FileName)}}
			b.runs[dir] = r
		}
		row, err := r.update(b.root)
		if err != nil {
			continue // it is being removed, or cannot be read now
		}
		text, err := json.Marshal(row)
		if err == nil && !bytes.Equal(text, r.shown) {
			b.version++
			b.rows[dir], r.shown, r.version = row, text, b.version
		}
	}
}

// since returns the rows that have changed since a version, the names of all, and the version now.
func (b *Board) since(version int64) (changed []*summary, all []string, now int64) {
	t := b.table()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, row := range t.Runs {
		all = append(all, row.Run)
		if r := b.runs[row.Run]; r != nil && r.version > version {
			changed = append(changed, row)
		}
	}
	return changed, all, t.Version
}

// errNoRun is the error of a run that is not there.
func errNoRun(dir string) error {
	return fmt.Errorf("board: %w: there is no run %s", fs.ErrNotExist, file.Name(dir))
}

// with calls f with the records of a run, up to date. The name has to be one of the table's, so no path is made of what a
// visitor sends.
func (b *Board) with(dir string, f func(r *records, of *run) error) error {
	b.table()
	b.mu.Lock()
	of := b.runs[dir]
	if of == nil {
		b.mu.Unlock()
		return errNoRun(dir)
	}
	r := b.open[dir]
	if r == nil {
		if len(b.open) >= maxOpen {
			oldest := slices.MinFunc(slices.Collect(maps.Keys(b.open)), func(x, y string) int { return cmp.Compare(b.open[x].used, b.open[y].used) })
			delete(b.open, oldest)
		}
		r = newRecords(dir)
		b.open[dir] = r
	}
	b.turn++
	r.used = b.turn
	epochs := of.epochs // which is replaced as a whole, under mu, and not written to again
	settings := of.settings
	b.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.update(b.root); err != nil {
		return fmt.Errorf("board: %w", err)
	}
	return f(r, &run{dir: dir, epochs: epochs, settings: settings})
}

// details is what is known of a run as a whole.
type details struct {
	Header     *watch.Header     `json:"header"`
	Config     map[string]string `json:"config"`
	Names      []string          `json:"names"` // of the records
	Verdicts   []watch.Verdict   `json:"verdicts"`
	Histograms []string          `json:"histograms"`
	Recurrent  []string          `json:"recurrent"` // layers whose gradient by time step is known
	Confusion  *watch.Confusion  `json:"confusion"`
	Program    *watch.Program    `json:"program"`
	BadLines   int               `json:"badLines"`
}

func (b *Board) details(dir string) (d details, err error) {
	err = b.with(dir, func(r *records, of *run) error {
		d = details{Header: r.header, Config: of.settings, Names: append([]string{}, r.looks.names...), Verdicts: append([]watch.Verdict{}, r.verdicts...),
			Histograms: names(r.histograms), Recurrent: names(r.profiles), Confusion: r.confusion, Program: r.program, BadLines: r.file.bad}
		d.Names = append(d.Names, r.ends(of).names...)
		return nil
	})
	return d, err
}

// names are the keys of a map in order: an empty list, and not null in JSON, if there are none.
func names[T any](m map[string]T) []string {
	all := slices.AppendSeq([]string{}, maps.Keys(m))
	slices.Sort(all)
	return all
}

// ends has the numbers of the epochs: of the log if there is one, or else of the file of records.
func (r *records) ends(of *run) *columns {
	if len(of.epochs.step) > 0 {
		return &of.epochs
	}
	return &r.epochs
}

// lines is a record as it was and smoothed.
type lines struct {
	Raw    series  `json:"raw"`
	Smooth *series `json:"smooth,omitempty"`
}

// series returns records of a run as they are drawn.
func (b *Board) series(dir string, names []string, w window) (map[string]lines, error) {
	if len(names) > maxNames {
		return nil, badRequest{fmt.Errorf("board: at most %d records can be asked for at a time", maxNames)}
	}
	reply := map[string]lines{}
	err := b.with(dir, func(r *records, of *run) error {
		for _, name := range names {
			c := &r.looks
			if strings.HasPrefix(name, "epoch/") {
				c = r.ends(of)
			}
			if _, known := c.values[name]; !known {
				continue // another run has it
			}
			raw := w
			raw.smooth = 0
			one := lines{Raw: c.series(name, raw)}
			if w.smooth > 0 {
				s := c.series(name, w)
				one.Smooth = &s
			}
			reply[name] = one
		}
		return nil
	})
	return reply, err
}

// flow returns a heat map of a run: of a measure, or of the time steps of a recurrent layer.
func (b *Board) flow(dir, measure, layer string, w window) (h heat, err error) {
	if layer == "" && measures[measure] == "" {
		return h, badRequest{fmt.Errorf("board: there is no measure %s; there are %s", file.Name(measure), strings.Join(slices.Sorted(maps.Keys(measures)), ", "))}
	}
	err = b.with(dir, func(r *records, _ *run) error {
		if layer != "" {
			h = r.overTime(layer)
			return nil
		}
		h = r.flow(measure, w)
		return nil
	})
	return h, err
}

// histograms returns the histograms of one name.
func (b *Board) histograms(dir, name string) (all []watch.Histogram, err error) {
	err = b.with(dir, func(r *records, _ *run) error {
		if t := r.histograms[name]; t != nil {
			all = slices.Clone(t.kept)
		}
		return nil
	})
	return all, err
}

// picture sends a picture of a run.
func (b *Board) picture(w http.ResponseWriter, dir, name string) error {
	text, kind, err := b.readPicture(dir, name)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", kind)
	w.Write(text)
	return nil
}

// readPicture reads a picture that the table lists.
func (b *Board) readPicture(dir, name string) (text []byte, kind string, err error) {
	b.table()
	b.mu.Lock()
	row := b.rows[dir]
	b.mu.Unlock()
	if row == nil {
		return nil, "", errNoRun(dir)
	}
	if !slices.Contains(row.Pictures, name) {
		return nil, "", fmt.Errorf("board: %w: run %s has no picture %s", fs.ErrNotExist, file.Name(dir), file.Name(name))
	}
	f, size, err := file.OpenIn(b.root, path.Join(dir, name))
	if err != nil {
		return nil, "", fmt.Errorf("board: %w", err)
	}
	defer f.Close()
	if size > maxPicture {
		return nil, "", badRequest{fmt.Errorf("board: %s has %d bytes; pictures of at most %d are shown", file.Name(name), size, maxPicture)}
	}
	text, err = io.ReadAll(io.LimitReader(f, maxPicture))
	return text, pictureTypes[strings.ToLower(path.Ext(name))], err
}

// update is an event: rows of the table that have changed, and the names of all runs.
type update struct {
	Runs []*summary `json:"runs"`
	All  []string   `json:"all"`
}

// events sends what changes, until the visitor leaves. (Server-sent events: HTML standard, section 9.2.)
func (b *Board) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	var version int64
	var names []string
	for quiet := 0; ; quiet++ {
		changed, all, now := b.since(version)
		text := ""
		switch {
		case len(changed) > 0 || !slices.Equal(all, names) || version == 0 && quiet == 0:
			line, err := json.Marshal(update{changed, all})
			if err != nil {
				return
			}
			text, quiet = fmt.Sprintf("data: %s\n\n", line), 0
		case quiet >= 30:
			text, quiet = ": still here\n\n", 0
		}
		version, names = now, all
		if text != "" {
			control.SetWriteDeadline(time.Now().Add(30 * time.Second)) // not every writer has deadlines
			if _, err := io.WriteString(w, text); err != nil {
				return
			}
			if err := control.Flush(); err != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}
