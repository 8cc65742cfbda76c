package board

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds what the table says of each run: which folders are runs, and what their small files tell.

// Limits of what is looked at.
const (
	maxDepth   = 8     // of folders below the directory
	maxFolders = 20000 // looked through for runs
	maxSmall   = 16 << 20
	maxPicture = 32 << 20
)

// signs are the files that make a folder a run.
var signs = []string{"config.json", "log.jsonl", watch.FileName, "checkpoint.safetensors"}

// pictureTypes are the pictures that are shown, by the ends of their names.
var pictureTypes = map[string]string{".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}

// summary is a row of the table.
type summary struct {
	Run      string                  `json:"run"` // the folder below the directory, with slashes; "." for the directory itself
	Config   map[string]string       `json:"config"`
	State    string                  `json:"state"` // "running", "finished" or "stopped"
	Started  int64                   `json:"started"`
	Changed  int64                   `json:"changed"` // when a record came last; both in seconds since 1970
	Step     int64                   `json:"step"`
	Epoch    int                     `json:"epoch"`
	Seconds  float64                 `json:"seconds"`
	Loss     *watch.Number           `json:"loss"`
	Best     map[string]watch.Number `json:"best"` // the best of each number that epochs have
	Verdict  *watch.Verdict          `json:"verdict"`
	Pictures []string                `json:"pictures"`
	BadLines int                     `json:"badLines,omitempty"`
}

// run is a folder of a run, and what of it has been read.
type run struct {
	dir     string
	records tail
	log     os.FileInfo // of log.jsonl when it was read last
	config  os.FileInfo

	settings map[string]string
	epochs   columns // of log.jsonl
	header   *watch.Header
	last     []byte        // the line of the last look
	ends     []watch.Epoch // of the file of records
	verdicts []watch.Verdict
	shown    []byte // the summary as it was last sent
	version  int64  // counts its changes
}

// find lists the folders of runs below root.
func find(root *os.Root) []string {
	var dirs []string
	seen := map[string]bool{}
	folders := 0
	fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // what cannot be read has no runs to show
		}
		if !d.IsDir() {
			if slices.Contains(signs, d.Name()) {
				if dir := path.Dir(p); !seen[dir] {
					seen[dir] = true
					dirs = append(dirs, dir)
				}
			}
			return nil
		}
		if folders++; folders > maxFolders {
			return fs.SkipAll
		}
		if p != "." && (strings.HasPrefix(d.Name(), ".") || strings.Count(p, "/") >= maxDepth) {
			return fs.SkipDir
		}
		return nil
	})
	return dirs
}

// small reads a small file of the run.
func (r *run) small(root *os.Root, name string) ([]byte, error) {
	f, size, err := file.OpenIn(root, path.Join(r.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxSmall {
		return nil, fs.ErrInvalid
	}
	return io.ReadAll(io.LimitReader(f, maxSmall))
}

// changed reports whether a file is not what it was, and remembers it.
func (r *run) changed(root *os.Root, name string, was *os.FileInfo) bool {
	info, err := root.Stat(path.Join(r.dir, name))
	if err != nil {
		same := *was == nil
		*was = nil
		return !same
	}
	old := *was
	*was = info
	return old == nil || !os.SameFile(old, info) || old.Size() != info.Size() || !old.ModTime().Equal(info.ModTime())
}

// has reports whether the run has a file.
func (r *run) has(root *os.Root, name string) bool {
	_, err := root.Stat(path.Join(r.dir, name))
	return err == nil
}

// update reads what is new, and returns the row of the table.
func (r *run) update(root *os.Root) (*summary, error) {
	if r.changed(root, "config.json", &r.config) {
		r.settings = map[string]string{}
		if text, err := r.small(root, "config.json"); err == nil {
			var v any
			d := json.NewDecoder(bytes.NewReader(text))
			d.UseNumber()
			if d.Decode(&v) == nil {
				flatten(r.settings, "", v)
				delete(r.settings, "checksum")
			}
		}
	}
	if r.changed(root, "log.jsonl", &r.log) {
		r.readLog(root)
	}
	reset := func() { r.header, r.last, r.ends, r.verdicts = nil, nil, nil, nil }
	if err := r.records.read(root, reset, r.take); err != nil {
		return nil, err
	}
	return r.summary(root), nil
}

// take takes a line of the file of records. Those of looks are many, so only the last is kept, and read when it is needed.
func (r *run) take(text []byte) error {
	if bytes.HasPrefix(text, []byte(`{"step":`)) {
		r.last = append(r.last[:0], text...)
		return nil
	}
	if bytes.HasPrefix(text, []byte(`{"histogram":`)) || bytes.HasPrefix(text, []byte(`{"confusion":`)) || bytes.HasPrefix(text, []byte(`{"program":`)) {
		return nil
	}
	var l watch.Line
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	switch {
	case l.Header != nil:
		r.header = l.Header
		r.ends = slices.DeleteFunc(r.ends, func(e watch.Epoch) bool { return e.Run > l.Header.Run })
		r.verdicts = slices.DeleteFunc(r.verdicts, func(v watch.Verdict) bool { return v.Run > l.Header.Run })
		r.last = nil
	case l.Epoch != nil:
		r.ends = append(r.ends, *l.Epoch)
	case l.Verdict != nil:
		r.verdicts = append(r.verdicts, *l.Verdict)
	}
	return nil
}

// lastStep is the last look, nil if there is none.
func (r *run) lastStep() *watch.Step {
	var l watch.Line
	if r.last == nil || json.Unmarshal(r.last, &l) != nil {
		return nil
	}
	return l.Step
}

// readLog reads the log of epochs.
func (r *run) readLog(root *os.Root) {
	r.epochs.reset()
	text, err := r.small(root, "log.jsonl")
	if err != nil {
		return
	}
	seconds := 0.0
	for line := range bytes.Lines(text) {
		var e struct {
			Epoch     int                 `json:"epoch"`
			Step      int64               `json:"step"`
			TrainLoss *float64            `json:"train_loss"`
			ValLoss   *float64            `json:"val_loss"`
			Metrics   map[string]*float64 `json:"metrics"`
			LR        *float64            `json:"lr"`
			Rate      *float64            `json:"examples_per_second"`
			Seconds   float64             `json:"seconds"`
		}
		if !bytes.HasSuffix(line, []byte{'\n'}) || json.Unmarshal(line, &e) != nil {
			continue
		}
		seconds += e.Seconds
		r.epochs.begin(e.Step, float64(e.Epoch), seconds)
		set := func(name string, x *float64) {
			if x != nil {
				r.epochs.set("epoch/"+name, *x)
			}
		}
		set("train loss", e.TrainLoss)
		set("val loss", e.ValLoss)
		for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
			set(name, e.Metrics[name])
		}
		set("rate", e.LR)
		set("examples a second", e.Rate)
	}
}

// flatten makes one level of nested settings.
func flatten(into map[string]string, prefix string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			flatten(into, strings.TrimPrefix(prefix+"."+name, "."), x)
		}
	case string:
		into[prefix] = v
	default:
		text, _ := json.Marshal(v)
		into[prefix] = string(text)
	}
}

// summary puts the row together.
func (r *run) summary(root *os.Root) *summary {
	s := &summary{Run: r.dir, Config: r.settings, Best: map[string]watch.Number{}, Pictures: []string{}, BadLines: r.records.bad}
	if h := r.header; h != nil && len(s.Config) == 0 {
		s.Config = map[string]string{"optimizer": h.Optimizer, "batch": strconv.Itoa(h.Batch)}
	}
	if n := len(r.verdicts); n > 0 && r.verdicts[n-1].Rule != "" {
		last := r.verdicts[n-1]
		s.Verdict = &last
	}
	if r.header != nil {
		s.Step = r.header.Run // until the first look
	}
	if step := r.lastStep(); step != nil {
		s.Step, s.Epoch, s.Seconds, s.Loss = step.Run, step.Epoch, step.Seconds, &step.Loss
	}
	if n := len(r.epochs.step); n > 0 {
		s.Step, s.Epoch, s.Seconds = max(s.Step, r.epochs.step[n-1]), max(s.Epoch, int(r.epochs.epoch[n-1])), max(s.Seconds, r.epochs.seconds[n-1])
		if x := r.epochs.at("epoch/train loss", n-1); s.Loss == nil && !isAbsent(x) {
			loss := watch.Number(x)
			s.Loss = &loss
		}
		for name, v := range r.epochs.values {
			for _, x := range v {
				s.better(strings.TrimPrefix(name, "epoch/"), x)
			}
		}
		delete(s.Best, "rate")
		delete(s.Best, "examples a second")
	} else {
		for _, e := range r.ends {
			s.Step, s.Epoch = max(s.Step, e.Run), max(s.Epoch, e.Epoch)
			s.better("train loss", float64(e.TrainLoss))
			s.better("val loss", float64(e.ValLoss))
			for name, x := range e.Metrics {
				s.better(name, float64(x))
			}
		}
	}
	for _, info := range []os.FileInfo{r.config, r.log, r.records.info} {
		if info == nil {
			continue
		}
		at := info.ModTime().Unix()
		s.Changed = max(s.Changed, at)
		if s.Started == 0 || at < s.Started {
			s.Started = at
		}
	}
	s.State = r.state(root, s.Changed)
	if entries, err := fs.ReadDir(root.FS(), r.dir); err == nil {
		for _, e := range entries {
			if pictureTypes[strings.ToLower(path.Ext(e.Name()))] != "" && e.Type().IsRegular() {
				s.Pictures = append(s.Pictures, e.Name())
			}
		}
	}
	return s
}

// better takes a number of an epoch if it is the best of its name. Smaller is better for losses and errors.
func (s *summary) better(name string, x float64) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return
	}
	old, known := s.Best[name]
	if !known || smallerIsBetter(name) == (x < float64(old)) {
		s.Best[name] = watch.Number(x)
	}
}

// smallerIsBetter says in what direction a number improves, by its name.
func smallerIsBetter(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"loss", "error", "perplexity", "mae", "mse", "rmse", "nats", "bits"}, func(word string) bool { return strings.Contains(name, word) })
}

// state tells by the lock whether someone trains in the folder, and by the final weights whether the training has ended. A
// folder that has only a file of records has no lock: it is running while the file grows.
func (r *run) state(root *os.Root, changed int64) string {
	if f, _, err := file.OpenIn(root, path.Join(r.dir, "lock")); err == nil {
		_, running := file.HolderIn(f)
		f.Close()
		if running {
			return "running"
		}
	}
	switch {
	case r.has(root, "weights.safetensors"):
		return "finished"
	case r.config == nil && time.Since(time.Unix(changed, 0)) < time.Minute:
		return "running"
	}
	return "stopped"
}

// timeStep names a time step of a recurrent layer, from 1.
func timeStep(i int) string { return "step " + strconv.Itoa(i+1) }
