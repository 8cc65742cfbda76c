package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/seed-49005b45/tarn"
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
// Every file but the log is replaced in one stroke, so a crash at any moment leaves whole files. The log grows by a line
// at a time, and a line that was cut is passed over.

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
	dir string
}

// CreateFolder makes the directory of a new run, which must not hold a run already, and writes its configuration as JSON.
func CreateFolder(dir string, options any) (*Folder, error) {
	f := &Folder{dir}
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

// OpenFolder opens the directory of a run and removes what writes that were cut short have left there.
func OpenFolder(dir string) (*Folder, error) {
	f := &Folder{dir}
	if _, err := os.Stat(f.Path(configFile)); err != nil {
		return nil, fmt.Errorf("train: %s is not the directory of a run: it has no %s", dir, configFile)
	}
	left, err := filepath.Glob(filepath.Join(escapeGlob(dir), ".*.tmp"))
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	for _, path := range left {
		os.Remove(path) // whatever remains is harmless
	}
	return f, nil
}

// escapeGlob makes a path match itself alone.
func escapeGlob(path string) string {
	if runtime.GOOS == "windows" {
		return path
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
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

// Write replaces a file of the directory in one stroke: contents goes to a temporary file, which is brought to the disk
// and renamed.
func (f *Folder) Write(name string, contents func(w io.Writer) error) error {
	temporary := f.Path(fmt.Sprintf(".%s.%08x.tmp", name, rand.Uint32()))
	err := writeSynced(temporary, contents)
	if err == nil {
		err = os.Rename(temporary, f.Path(name))
	}
	if err == nil {
		err = f.sync()
	}
	if err != nil {
		os.Remove(temporary)
		return fmt.Errorf("train: cannot write %s: %w", f.Path(name), err)
	}
	return nil
}

// writeSynced writes a new file, whose contents are on the disk when it returns.
func writeSynced(path string, contents func(w io.Writer) error) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(contents(w), w.Sync(), w.Close())
}

// sync brings the directory's names to the disk. Windows does this by itself and cannot be asked to.
func (f *Folder) sync() error {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		return nil
	}
	d, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// remove deletes a file where there is one.
func (f *Folder) remove(name string) error {
	err := os.Remove(f.Path(name))
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
