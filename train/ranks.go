package train

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds how the ranks of a Loop begin: they make sure that all have the same program, settings, data and weights, and rank 0 tells the
// others where the training of its folder stands.

// sampled is the number of batches that are compared between ranks, and sampledSize how many examples they have.
const (
	sampled     = 32
	sampledSize = 128
)

// beginRanks begins the training of all ranks.
func (l *Loop) beginRanks() error {
	t := l.Shards.team
	facts, err := l.facts()
	if err := t.meet("the beginning", 0, false, err); err != nil {
		return err
	}
	if err := t.compare(facts); err != nil {
		return err
	}
	if l.step.sharded.split != nil {
		if l.whole, err = l.step.wholeStates(); err != nil {
			return err
		}
		defer func() { l.whole = nil }()
	}
	err = l.beginFolder() // of rank 0; the others have none
	if err := t.meet("the checkpoint", 0, false, err); err != nil {
		return err
	}
	l.eval.Comm, l.eval.team = t.comm, t
	return l.shareState(t)
}

// facts are what must be the same on all ranks.
func (l *Loop) facts() ([]fact, error) {
	states, err := l.Optimizer.States()
	if err != nil {
		return nil, err
	}
	rates := "unknown"
	if r, ok := l.Optimizer.(optim.Rater); ok {
		first, err := r.RateAt(0)
		if err != nil {
			return nil, err
		}
		rates = fmt.Sprint(first)
	}
	optimizer := fmt.Sprintf("%T with the rate %s", l.Optimizer, rates)
	if l.step.sharded.split == nil {
		optimizer += fmt.Sprintf(" and %d states", states.Len())
	} else { // and all ranks write checkpoints together
		optimizer += fmt.Sprintf(", split states and checkpoints every %d steps", l.CheckpointEvery)
	}
	const settings = "start all ranks with the same settings"
	facts := []fact{
		{"the program", executableSum(), "start the same executable file on all hosts"},
		{"the processor's architecture", runtime.GOARCH, "use hosts of one architecture"},
		{"the level of the kernels", tarn.Kernels(), "results would differ in their bits; set TARN_CPU to the lower level on all hosts"},
		{"the number of shards", l.shards(), settings},
		{"the number of epochs", fmt.Sprint(l.Epochs), settings},
		{"the batch size", fmt.Sprint(l.Batch, ", last dropped: ", l.DropLast), settings},
		{"the precision", fmt.Sprint(l.Precision), settings},
		{"the seed", fmt.Sprint(l.Seed), settings},
		{"the optimizer", optimizer, settings},
		{"what is done after a step that is not finite", fmt.Sprint("skip: ", l.SkipNonFinite), settings},
		{"the metrics", metricNames(l.Metrics), settings},
		{"what is watched", watchNames(l.Watch), settings},
	}
	const files = "give all ranks the same data"
	for _, s := range []struct {
		name string
		set  data.Source
	}{{"training set", l.Train}, {"validation set", l.Valid}} {
		if none(s.set) {
			facts = append(facts, fact{"the " + s.name, "none", files})
			continue
		}
		sum, err := setSum(s.set)
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact{"the " + s.name, fmt.Sprintf("of %d examples with checksum %08x", s.set.Len(), sum), files})
	}
	h := crc32.NewIEEE()
	for name, p := range l.params.All() {
		fmt.Fprint(h, name, p.Shape(), p.DType(), p.Trainable())
		h.Write(p.Tensor().Raw())
	}
	return append(facts, fact{"the checksum of the weights", fmt.Sprintf("%08x", h.Sum32()), "call tarn.Init with the same seed on all ranks, or load the same weights"}), nil
}

// executableSum is a checksum of the file of this program, "unknown" if it cannot be read.
var executableSum = sync.OnceValue(func() string {
	path, err := os.Executable()
	if err != nil {
		return "unknown"
	}
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	h := crc32.New(castagnoli)
	if _, err := io.Copy(h, f); err != nil {
		return "unknown"
	}
	return fmt.Sprintf("the one with checksum %08x", h.Sum32())
})

// metricNames lists names.
func metricNames(metrics []Metric) string {
	var names []string
	for _, m := range metrics {
		names = append(names, m.Name())
	}
	return fmt.Sprint(names)
}

// watchNames says what is watched.
func watchNames(o *watch.Options) string {
	if o == nil {
		return "nothing"
	}
	return fmt.Sprintf("each %d updates with a window of %d, histograms: %v, further values: %v", o.Every, o.Window, o.Histograms, o.Values != nil)
}

// setSum is a checksum of the names of the fields and of a few thousand examples, which are drawn from all.
func setSum(s data.Source) (uint32, error) {
	h := crc32.New(castagnoli)
	if named, ok := s.(interface{ Names() []string }); ok {
		fmt.Fprint(h, named.Names())
	}
	n := 0
	for b, err := range s.Batches(sampledSize, data.Options{Shuffle: true}).All(context.Background()) {
		if err != nil {
			return 0, err
		}
		for _, t := range b.Tensors {
			fmt.Fprint(h, t.DType(), t.Shape())
			h.Write(t.Raw())
		}
		if n++; n == sampled {
			break
		}
	}
	return h.Sum32(), nil
}

// shared is where a training stands, as rank 0 tells the others.
type shared struct {
	At      []byte // a state
	History []byte // of Records
	Early   []byte // EarlyStopping
	Best    []byte // a file of weights, or none
	Weights []byte // likewise, of params and states
	Saves   bool
}

// shareState brings the other ranks to where rank 0 is.
func (l *Loop) shareState(t *team) error {
	var mine bytes.Buffer
	var err error
	if t.comm.Rank() == 0 {
		var s shared
		if s, err = l.share(); err == nil {
			err = gob.NewEncoder(&mine).Encode(s)
		}
	}
	if err := t.meet("the state", 0, false, err); err != nil {
		return err
	}
	all, err := t.broadcast(mine.Bytes(), 0)
	if err == nil && t.comm.Rank() != 0 {
		err = l.takeShare(all)
	} else if err == nil && l.whole != nil {
		err = l.step.takeStates(func(name string) (*tarn.Tensor, error) { return l.whole.Lookup(name).Tensor(), nil })
	}
	return t.meet("the first step", 0, false, err)
}

// share packs where rank 0 stands.
func (l *Loop) share() (s shared, err error) {
	at := l.at
	at.Early = nil
	if s.At, err = json.Marshal(at); err != nil {
		return s, err
	}
	if s.History, err = json.Marshal(l.history); err != nil {
		return s, err
	}
	if l.EarlyStopping != nil {
		if s.Early, err = json.Marshal(l.EarlyStopping); err != nil {
			return s, err
		}
	}
	var file bytes.Buffer
	if l.best != nil {
		if err := safetensors.Write(&file, l.best, nil); err != nil {
			return s, err
		}
		s.Best = bytes.Clone(file.Bytes())
	}
	s.Saves = l.saves
	states, err := l.states()
	if err != nil {
		return s, err
	}
	tensors := map[string]*tarn.Tensor{}
	for name, p := range l.params.All() {
		tensors[name] = p.Tensor()
	}
	for name, p := range states.All() {
		tensors[statePrefix+name] = p.Tensor()
	}
	file.Reset()
	err = safetensors.Write(&file, tensors, nil)
	s.Weights = file.Bytes()
	return s, err
}

// takeShare continues from where rank 0 stands.
func (l *Loop) takeShare(all []byte) error {
	var s shared
	if err := gob.NewDecoder(bytes.NewReader(all)).Decode(&s); err != nil {
		return fmt.Errorf("train: what rank 0 has sent: %w", err)
	}
	var at state
	if err := json.Unmarshal(s.At, &at); err != nil {
		return fmt.Errorf("train: the state that rank 0 has sent: %w", err)
	}
	if err := json.Unmarshal(s.History, &l.history); err != nil {
		return fmt.Errorf("train: the epochs that rank 0 has sent: %w", err)
	}
	if s.Early != nil && l.EarlyStopping != nil {
		if err := json.Unmarshal(s.Early, l.EarlyStopping); err != nil {
			return fmt.Errorf("train: the early stopping that rank 0 has sent: %w", err)
		}
	}
	read := func(b []byte) (map[string]*tarn.Tensor, error) {
		f, err := safetensors.Options{MaxBytes: -1}.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return nil, fmt.Errorf("train: the weights that rank 0 has sent: %w", err)
		}
		return f.Tensors, nil
	}
	var err error
	if s.Best != nil {
		if l.best, err = read(s.Best); err != nil {
			return err
		}
	}
	if err := l.continueFrom(at); err != nil {
		return err
	}
	tensors, err := read(s.Weights)
	if err != nil {
		return err
	}
	l.saves = s.Saves
	find := func(name string) (*tarn.Tensor, error) {
		if t := tensors[name]; t != nil {
			return t, nil
		}
		return nil, fmt.Errorf("train: rank 0 has sent no tensor %q", name)
	}
	for name, p := range l.params.All() {
		t, err := find(name)
		if err == nil {
			err = p.Set(t)
		}
		if err != nil {
			return err
		}
	}
	return l.step.takeStates(func(name string) (*tarn.Tensor, error) { return find(statePrefix + name) })
}
