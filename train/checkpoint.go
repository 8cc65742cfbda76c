package train

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

// This file holds checkpoints. One file has it all, so that it is whole or not there: the weights under their names, the
// optimizer's states with a prefix, and the rest as JSON in the file's metadata.

const (
	statePrefix    = "optimizer/" // of the tensors that are the optimizer's
	checkpointKey  = "tarn.checkpoint"
	bestEpochKey   = "tarn.epoch"
	checkpointForm = 1 // of the JSON; another number is refused
)

// state is where a training stands, beside its tensors.
type state struct {
	Form     int            `json:"form"`
	Runs     int64          `json:"runs"`
	Position data.Position  `json:"position"` // of the next batch; one past the epoch's last where only its end is to come
	Seed     uint64         `json:"seed"`
	Batch    int            `json:"batch"`
	DropLast bool           `json:"drop_last"`
	Examples int            `json:"examples"`
	LossSum  float64        `json:"loss_sum"` // over the examples of the epoch so far
	Count    int            `json:"count"`    // of these examples
	Seconds  float64        `json:"seconds"`  // spent on the epoch so far
	Early    *EarlyStopping `json:"early_stopping,omitempty"`
}

// writeCheckpoint replaces the checkpoint.
func (f *Folder) writeCheckpoint(s state, params, optimizer *tarn.ParamSet) error {
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
	return f.Write(checkpointFile, func(w io.Writer) error {
		return safetensors.Write(w, tensors, map[string]string{checkpointKey: string(text)})
	})
}

// readCheckpoint reads the checkpoint into the params, and into the optimizer's states unless these are nil.
func (f *Folder) readCheckpoint(params, optimizer *tarn.ParamSet) (state, error) {
	var s state
	file, err := safetensors.Load(f.Path(checkpointFile))
	if err != nil {
		return s, err
	}
	text, ok := file.Metadata[checkpointKey]
	if !ok {
		return s, fmt.Errorf("train: %s is not a checkpoint: it has no metadata %q", f.Path(checkpointFile), checkpointKey)
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("train: %s: metadata %q: %w", f.Path(checkpointFile), checkpointKey, err)
	}
	if s.Form != checkpointForm {
		return s, fmt.Errorf("train: %s is of form %d, this version reads form %d", f.Path(checkpointFile), s.Form, checkpointForm)
	}
	weights, states := map[string]*tarn.Tensor{}, map[string]*tarn.Tensor{}
	for name, t := range file.Tensors {
		if path, ok := strings.CutPrefix(name, statePrefix); ok {
			states[path] = t
		} else {
			weights[name] = t
		}
	}
	if err := safetensors.Assign(weights, params, safetensors.LoadOptions{}); err != nil {
		return s, fmt.Errorf("train: %s: %w", f.Path(checkpointFile), err)
	}
	if optimizer == nil {
		return s, nil
	}
	if err := safetensors.Assign(states, optimizer, safetensors.LoadOptions{}); err != nil {
		return s, fmt.Errorf("train: %s: the optimizer's states: was the optimizer another? %w", f.Path(checkpointFile), err)
	}
	return s, nil
}

// writeWeights replaces a file of weights; epoch says when they were so.
func (f *Folder) writeWeights(name string, epoch int, weights map[string]*tarn.Tensor) error {
	return f.Write(name, func(w io.Writer) error {
		return safetensors.Write(w, weights, map[string]string{bestEpochKey: strconv.Itoa(epoch)})
	})
}

// readBest reads the weights of the best epoch. It returns nil where the file is of another epoch.
func (f *Folder) readBest(epoch int) (map[string]*tarn.Tensor, error) {
	file, err := safetensors.Load(f.Path(bestFile))
	if err != nil {
		return nil, err
	}
	if file.Metadata[bestEpochKey] != strconv.Itoa(epoch) {
		return nil, nil
	}
	return file.Tensors, nil
}
