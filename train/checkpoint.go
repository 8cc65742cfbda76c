package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

// This file holds checkpoints. A checkpoint is one file, so it is complete or absent: the weights under their names, the
// optimizer's states with a prefix, and the rest as JSON in the file's metadata. The ones before it are kept, and a
// training falls back to them if it is damaged.

const (
	statePrefix    = "optimizer/" // of the tensors that are the optimizer's
	checkpointKey  = "tarn.checkpoint"
	bestEpochKey   = "tarn.epoch"
	checkpointForm = 3 // of the JSON; form 1 had no last record, and its file no checksums; form 2 counted examples alone
)

// state is where a training stands, beside its tensors.
type state struct {
	Form           int              `json:"form"`
	Runs           int64            `json:"runs"`                // of the optimizer
	First          int64            `json:"first_run,omitempty"` // its runs before this training
	Joined         map[string]int64 `json:"joined,omitempty"`    // see optim.Counter
	Position       data.Position    `json:"position"`            // of the next batch; one past the epoch's last where only its end is to come
	Shards         string           `json:"shards,omitempty"`    // see Loop.shards
	Seed           uint64           `json:"seed"`
	Batch          int              `json:"batch"`
	DropLast       bool             `json:"drop_last"`
	Precision      tarn.Precision   `json:"precision,omitempty"` // of products
	Examples       int              `json:"examples"`
	Weighted       string           `json:"weighted,omitempty"` // see weightedSum
	LossSum        float64          `json:"loss_sum"`           // over what the losses of the epoch so far are means of
	Counted        float64          `json:"counted"`            // how much that is: see Result.Count
	Count          int              `json:"count"`              // examples of the epoch so far
	Skipped        int64            `json:"skipped,omitempty"`  // batches, of all epochs
	SkippedInEpoch int              `json:"skipped_in_epoch,omitempty"`
	Seconds        float64          `json:"seconds"` // spent on the epoch so far
	Early          *EarlyStopping   `json:"early_stopping,omitempty"`
	Last           *Record          `json:"last,omitempty"` // of the epoch before this one
}

// add adds the loss of a run to that of the epoch.
func (s *state) add(loss, count float64) {
	m := mean{s.LossSum, s.Counted}
	m.add(loss, count)
	s.LossSum, s.Counted = m.sum, m.count
}

// meanLoss is the mean loss of the epoch so far.
func (s *state) meanLoss() float64 { return mean{s.LossSum, s.Counted}.value() }

// check returns an error unless the training l, whose state it is, can be in this state.
func (s *state) check(l *Loop) error {
	if s.Seed != l.Seed || s.Batch != l.Batch || s.DropLast != l.DropLast || s.Examples != l.Train.Len() {
		return fmt.Errorf("it is of a training with seed %d, batches of %d (last dropped: %t) and %d examples; this one has seed %d, batches of %d (last dropped: %t) and %d examples",
			s.Seed, s.Batch, s.DropLast, s.Examples, l.Seed, l.Batch, l.DropLast, l.Train.Len())
	}
	if s.Precision != l.Precision {
		return fmt.Errorf("it is of a training whose products have precision %v, and this one has %v (Loop.Precision, --precision on the command line)", s.Precision, l.Precision)
	}
	if s.Shards != l.shards() {
		return fmt.Errorf("it is of a training over %s shards, and this one has %s: another number of ranks may resume it, but not another number of shards (Loop.Shards, --shards on the command line)", orNone(s.Shards), orNone(l.shards()))
	}
	if s.Weighted != weightedSum(l.Weighted) {
		return errors.New("it is of a training whose examples are drawn by other weights (Loop.Weighted)")
	}
	batches := l.batches()
	if err := batches.Err(); err != nil {
		return err
	}
	at := s.Position
	switch {
	case at.Epoch > l.Epochs:
		return fmt.Errorf("it is from after epoch %d, and Epochs is %d: set it to %[1]d or more", at.Epoch, l.Epochs)
	case s.First < 0 || s.Runs < s.First || s.Skipped < 0 || batches.PerEpoch() >= 0 && s.Runs-s.First+s.Skipped != int64(at.Epoch)*int64(batches.PerEpoch())+int64(at.Batch):
		return fmt.Errorf("it counts %d runs and %d skipped batches, which are not those of %d epochs of %d batches and %d batches more", s.Runs-s.First, s.Skipped, at.Epoch, batches.PerEpoch(), at.Batch)
	case s.SkippedInEpoch < 0 || s.SkippedInEpoch > at.Batch || int64(s.SkippedInEpoch) > s.Skipped:
		return fmt.Errorf("it counts %d skipped batches of an epoch after %d batches", s.SkippedInEpoch, at.Batch)
	case s.Count < 0 || s.Count > at.Batch*l.Batch || batches.Examples() >= 0 && s.Count > batches.Examples():
		return fmt.Errorf("it counts %d examples of the epoch after %d batches of %d", s.Count, at.Batch, l.Batch)
	case !finite(s.Counted) || !finite(s.LossSum) || !(s.Seconds >= 0) || !finite(s.Seconds):
		return fmt.Errorf("its sum of losses is %v and its time %v seconds", s.LossSum, s.Seconds)
	case s.Early != nil && (s.Early.BestEpoch < 0 || s.Early.BestEpoch > at.Epoch || s.Early.Waited < 0 || s.Early.Waited > at.Epoch || !finite(s.Early.Best)):
		return fmt.Errorf("its early stopping has best epoch %d, best number %v and %d epochs of waiting, after %d epochs", s.Early.BestEpoch, s.Early.Best, s.Early.Waited, at.Epoch)
	case s.Last != nil && s.Last.Epoch != at.Epoch:
		return fmt.Errorf("its last record is of epoch %d, and %d epochs are completed", s.Last.Epoch, at.Epoch)
	}
	return nil
}

// orNone is what is written for an empty text.
func orNone(s string) string {
	if s == "" {
		return "no"
	}
	return s
}

// weightedSum is a checksum of the weights by which examples are drawn, "" if they are not.
func weightedSum(w *data.Weighted) string {
	if w == nil {
		return ""
	}
	h := sha256.New()
	binary.Write(h, binary.LittleEndian, w.Weights)
	fmt.Fprint(h, w.Draws, w.Distinct)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// writeCheckpoint writes a checkpoint and keeps the keep-1 before it.
func (f *Folder) writeCheckpoint(s state, params, optimizer *tarn.ParamSet, keep int) error {
	s.Form = checkpointForm
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	tensors := map[string]*tarn.Tensor{}
	for name, p := range params.All() {
		tensors[name] = p.Tensor()
	}
	for name, p := range optimizer.All() {
		tensors[statePrefix+name] = p.Tensor()
	}
	var older []string
	for i := 1; i < keep && !f.damaged; i++ {
		older = append(older, f.Path(checkpointName(i)))
	}
	err = f.write(checkpointFile, older, func(w io.Writer) error {
		return safetensors.Write(w, tensors, map[string]string{checkpointKey: string(text)})
	})
	if err == nil {
		f.damaged = false
	}
	return err
}

// resume reads the newest checkpoint that is whole into the params and the optimizer's states. It reports those that are
// not.
func (f *Folder) resume(params, optimizer *tarn.ParamSet) (s state, name string, err error) {
	names := f.checkpoints()
	if names[0] != checkpointFile {
		f.report("%s has no %s: resuming from %s", file.Name(f.dir), checkpointFile, names[0])
	}
	var contents *safetensors.File
	for i := range names {
		name = names[i]
		if contents, s, err = f.loadCheckpoint(name); err == nil {
			return s, name, f.assign(name, contents, params, optimizer)
		}
		if i+1 < len(names) {
			f.report("%v\nresuming from the checkpoint before it, %s", err, names[i+1])
			f.damaged = true
		}
	}
	return s, name, err
}

// loadCheckpoint reads a checkpoint.
func (f *Folder) loadCheckpoint(name string) (*safetensors.File, state, error) {
	var s state
	contents, err := safetensors.Options{MaxBytes: -1}.Load(f.Path(name)) // what a run has written can be read
	if err != nil {
		return nil, s, err
	}
	text, ok := contents.Metadata[checkpointKey]
	if !ok {
		return nil, s, fmt.Errorf("train: %s is not a checkpoint: it has no metadata %q", file.Name(f.Path(name)), checkpointKey)
	}
	var form struct{ Form int }
	if err = json.Unmarshal([]byte(text), &form); err == nil {
		if form.Form < 1 || form.Form > checkpointForm {
			return nil, s, fmt.Errorf("train: %s is of form %d, this version reads forms 1 to %d", file.Name(f.Path(name)), form.Form, checkpointForm)
		}
		err = decodeStrict([]byte(text), &s)
	}
	if err != nil {
		return nil, s, fmt.Errorf("train: %s: metadata %q: %w", file.Name(f.Path(name)), checkpointKey, err)
	}
	if s.Form < 3 {
		s.Counted = float64(s.Count)
	}
	if s.Form > 1 && !contents.Verified {
		return nil, s, fmt.Errorf("train: %s is damaged: it has no checksums", file.Name(f.Path(name)))
	}
	return contents, s, nil
}

// assign copies a checkpoint's tensors into the params, and into the optimizer's states unless these are nil.
func (f *Folder) assign(name string, contents *safetensors.File, params, optimizer *tarn.ParamSet) error {
	weights, states := map[string]*tarn.Tensor{}, map[string]*tarn.Tensor{}
	for name, t := range contents.Tensors {
		if path, ok := strings.CutPrefix(name, statePrefix); ok {
			states[path] = t
		} else {
			weights[name] = t
		}
	}
	if err := safetensors.Assign(weights, params, safetensors.LoadOptions{}); err != nil {
		return fmt.Errorf("train: %s: %w", file.Name(f.Path(name)), err)
	}
	if optimizer == nil {
		return nil
	}
	if err := safetensors.Assign(states, optimizer, safetensors.LoadOptions{}); err != nil {
		return fmt.Errorf("train: %s: the optimizer's states: was the optimizer another? %w", file.Name(f.Path(name)), err)
	}
	return nil
}

// writeWeights replaces a file of weights; epoch says when they were so.
func (f *Folder) writeWeights(name string, epoch int, weights map[string]*tarn.Tensor) error {
	return f.Write(name, func(w io.Writer) error {
		return safetensors.Write(w, weights, map[string]string{bestEpochKey: strconv.Itoa(epoch)})
	})
}

// readBest reads the weights of the best epoch. It returns nil if the file is of another epoch.
func (f *Folder) readBest(epoch int) (map[string]*tarn.Tensor, error) {
	contents, err := safetensors.Options{MaxBytes: -1}.Load(f.Path(bestFile))
	if err != nil {
		return nil, err
	}
	if contents.Metadata[bestEpochKey] != strconv.Itoa(epoch) {
		return nil, nil
	}
	return contents.Tensors, nil
}
