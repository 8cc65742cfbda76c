package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

// This file holds Folder, the directory of a run on the disk:
//
//	config.json             what the run was started with: what it takes to build the model again
//	log.jsonl               a JSON object for each epoch
//	checkpoint.safetensors  all it takes to go on: weights, optimizer states, position
//	best.safetensors        the weights of the best epoch, where there is early stopping
//	weights.safetensors     the weights in the end, and the sign that the run is finished
//
// Every file but the log is replaced atomically, so a crash at any moment leaves whole files. The log grows by a line
// at a time, and a line that was cut is skipped.

// The names of the files in a run's folder.
const (
	configFile     = "config.json"
	logFile        = "log.jsonl"
	checkpointFile = "checkpoint.safetensors"
	bestFile       = "best.safetensors"
	weightsFile    = "weights.safetensors"
)

// Folder is the directory of a run.
type Folder struct {
	dir  string
	disk file.System // what is written goes through it
}

// CreateFolder makes the directory of a new run, which must not hold a run already, and writes its configuration as JSON.
func CreateFolder(dir string, options any) (*Folder, error) {
	f := &Folder{dir, file.Disk}
	if _, err := os.Stat(f.Path(configFile)); err == nil {
		return nil, fmt.Errorf("train: %s holds a run already: resume it or choose another directory", dir)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("train: cannot make the directory of the run: %w", err)
	}
	if err := f.SetOptions(options); err != nil {
		return nil, err
	}
	return f, nil
}

// OpenFolder opens the directory of a run. A training may go on there at the same time.
func OpenFolder(dir string) (*Folder, error) {
	f := &Folder{dir, file.Disk}
	if _, err := os.Stat(f.Path(configFile)); err != nil {
		return nil, fmt.Errorf("train: %s is not the directory of a run: it has no %s", dir, configFile)
	}
	return f, nil
}

// Dir is the directory.
func (f *Folder) Dir() string { return f.dir }

// Path is the path of a file in the directory.
func (f *Folder) Path(name string) string { return filepath.Join(f.dir, name) }

// Options reads the options of the run into what into points to. A field that this does not have is an error.
func (f *Folder) Options(into any) error {
	r, err := os.Open(f.Path(configFile))
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	defer r.Close()
	d := json.NewDecoder(io.LimitReader(r, 1<<24))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("train: %s: %w", f.Path(configFile), err)
	}
	return nil
}

// SetOptions replaces the options of the run.
func (f *Folder) SetOptions(options any) error {
	text, err := json.MarshalIndent(options, "", "  ")
	if err != nil {
		return fmt.Errorf("train: the configuration of the run %s: %w", f.dir, err)
	}
	return f.Write(configFile, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// Write replaces a file of the directory atomically: a crash at any moment leaves the old file or the new one.
func (f *Folder) Write(name string, contents func(w io.Writer) error) error {
	if err := file.Replace(f.disk, f.Path(name), contents); err != nil {
		return fmt.Errorf("train: cannot write %s: %w", f.Path(name), err)
	}
	return nil
}

// sweep removes what writes that were cut short have left in the directory. Only who trains in it may call it.
func (f *Folder) sweep() error {
	if err := file.Sweep(f.disk, f.dir); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// remove deletes a file where there is one.
func (f *Folder) remove(name string) error {
	err := f.disk.Remove(f.Path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// has reports whether there is a file of that name.
func (f *Folder) has(name string) bool {
	_, err := os.Stat(f.Path(name))
	return err == nil
}

// LoadWeights reads the run's weights into the model: those in the end, or of the last checkpoint where the run is not
// finished. It says where they come from, as in "weights.safetensors".
func (f *Folder) LoadWeights(model any) (from string, err error) {
	if f.has(weightsFile) {
		return weightsFile, safetensors.LoadWeights(f.Path(weightsFile), model, safetensors.LoadOptions{})
	}
	if !f.has(checkpointFile) {
		return "", fmt.Errorf("train: run %s has no weights yet: it was ended before its first checkpoint", f.dir)
	}
	params, err := tarn.Params(model)
	if err != nil {
		return "", err
	}
	_, err = f.readCheckpoint(params, nil)
	return checkpointFile, err
}
