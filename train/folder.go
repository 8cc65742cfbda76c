package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds Folder, the directory of a run on the disk:
//
//	config.json               what the run was started with: what it takes to build the model again
//	log.jsonl                 a JSON object for each epoch
//	watch.jsonl               what was measured of its steps: see package watch
//	checkpoint.safetensors    all it takes to resume: weights, optimizer states, position
//	checkpoint-2.safetensors  the checkpoint before it; there may be more
//	best.safetensors          the weights of the best epoch, if there is early stopping
//	weights.safetensors       the weights in the end, and the sign that the run is finished
//	lock                      who trains in it, while someone does
//
// Every file but log.jsonl and watch.jsonl is replaced atomically, so a crash at any moment leaves whole files. These two grow by a line
// at a time. Only the training writes in the directory, and holds a lock while it does; readers change nothing.

// The names of the files in a run's folder.
const (
	configFile  = "config.json"
	logFile     = "log.jsonl"
	bestFile    = "best.safetensors"
	weightsFile = "weights.safetensors"
	lockFile    = "lock"

	checkpointFile = "checkpoint.safetensors"
	maxCheckpoints = 100
)

// The largest files that are read, in bytes.
const (
	maxConfig = 1 << 24
	maxLog    = 1 << 28
)

// checkpointName returns the name of the checkpoint that i newer ones followed.
func checkpointName(i int) string {
	if i == 0 {
		return checkpointFile
	}
	return fmt.Sprintf("checkpoint-%d.safetensors", i+1)
}

// Folder is the directory of a run.
type Folder struct {
	// ErrorLog takes what a training finds wrong with the files and can do without, such as a line of the log that cannot
	// be read. If it is nil, the standard logger does.
	ErrorLog *log.Logger

	dir     string
	disk    file.System // what is written goes through it
	opened  bool        // by OpenFolder
	made    bool        // create has made the directory
	lock    *file.Lock
	locks   int  // calls of Lock without their Unlock
	damaged bool // the newest checkpoint is, so that the next one takes its place
}

// CreateFolder makes the directory of a new run, which must not hold a run already, and writes its options as JSON.
func CreateFolder(dir string, options any) (*Folder, error) {
	f := &Folder{dir: dir, disk: file.Disk}
	if f.has(configFile) {
		return nil, fmt.Errorf("train: %s holds a run already: resume it or choose another directory", file.Name(dir))
	}
	if left := f.left(); len(left) > 0 {
		return nil, fmt.Errorf("train: %s has no %s, but %s of an earlier run: choose another directory, or start over with RestartFolder (--restart on the command line), which deletes them",
			file.Name(dir), configFile, strings.Join(left, ", "))
	}
	return f, f.create(options, nil)
}

// RestartFolder is CreateFolder for a directory that may hold a run already, which is deleted: its checkpoints, weights
// and log.
func RestartFolder(dir string, options any) (*Folder, error) {
	f := &Folder{dir: dir, disk: file.Disk}
	remove := f.left()
	entries, _ := os.ReadDir(dir) // if it cannot be read, create says why
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "events.out.tfevents.") { // see package train/events
			remove = append(remove, e.Name())
		}
	}
	return f, f.create(options, remove)
}

// create makes the directory, removes files from it and writes the options.
func (f *Folder) create(options any, remove []string) error {
	_, err := os.Lstat(f.dir)
	f.made = errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(f.dir, 0o777); err != nil {
		return fmt.Errorf("train: cannot make the directory of the run %s: %w", file.Name(f.dir), err)
	}
	if err := f.Lock(); err != nil {
		return err
	}
	defer f.Unlock()
	for _, name := range remove {
		if err := f.remove(name); err != nil {
			return err
		}
	}
	return f.SetOptions(options)
}

// Discard removes the options of a run that could not begin, and its directory if CreateFolder or RestartFolder made it, so
// that the directory can be used for another run. It unlocks the folder. A folder that holds anything of a training stays as it is.
func (f *Folder) Discard() error {
	if f.opened || len(f.left()) > 0 {
		return f.unlockAll()
	}
	if err := errors.Join(f.remove(configFile), f.unlockAll()); err != nil || !f.made {
		return err
	}
	os.Remove(f.dir) // unless it holds something else
	return nil
}

// unlockAll takes back all calls of Lock.
func (f *Folder) unlockAll() error {
	f.locks = min(f.locks, 1)
	return f.Unlock()
}

// OpenFolder opens the directory of a run, and changes nothing in it. A training may go on there at the same time.
func OpenFolder(dir string) (*Folder, error) {
	f := &Folder{dir: dir, disk: file.Disk, opened: true}
	why := "it has no " + configFile
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		why = "it does not exist"
	case err == nil && !info.IsDir():
		why = "it is a file"
	case f.has(configFile):
		return f, nil
	default:
		if left := f.left(); len(left) > 0 {
			why += fmt.Sprintf(", though it has %s: put %[2]s back", strings.Join(left, ", "), configFile)
		}
	}
	return nil, fmt.Errorf("train: %s is not the directory of a run: %s", file.Name(dir), why)
}

// Lock keeps others from training in the directory until Unlock, as Run does while it trains; it can be called more than
// once. It returns an error that names the holder if another process or another Folder holds the lock. The lock is
// advisory: it does not keep anyone from reading. It ends with the process, however that ends.
func (f *Folder) Lock() error {
	if f.locks == 0 {
		lock, err := file.Acquire(f.Path(lockFile))
		var held *file.Held
		if errors.As(err, &held) {
			return fmt.Errorf("train: someone trains in %s: %w", file.Name(f.dir), err)
		}
		if err != nil {
			return fmt.Errorf("train: %w", err)
		}
		f.lock = lock
	}
	f.locks++
	return nil
}

// Unlock takes back one call of Lock. After the last the directory is free.
func (f *Folder) Unlock() error {
	if f.locks == 0 {
		return nil
	}
	f.locks--
	if f.locks > 0 {
		return nil
	}
	if err := f.lock.Release(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// The states of a run.
const (
	Running  = "running"  // someone trains
	Finished = "finished" // the folder has the final weights
	Stopped  = "stopped"  // neither
)

// State returns Running, Finished or Stopped. It tells by the file of the lock and takes no lock, so it disturbs nobody.
func (f *Folder) State() string {
	if lock, _, err := file.Open(f.Path(lockFile)); err == nil {
		_, held := file.HolderIn(lock)
		lock.Close()
		if held {
			return Running
		}
	}
	if f.has(weightsFile) {
		return Finished
	}
	return Stopped
}

// report tells what is wrong and was mended.
func (f *Folder) report(format string, args ...any) {
	logger := f.ErrorLog
	if logger == nil {
		logger = log.Default()
	}
	logger.Printf("train: "+format, args...)
}

// Dir is the directory.
func (f *Folder) Dir() string { return f.dir }

// Path is the path of a file in the directory.
func (f *Folder) Path(name string) string { return filepath.Join(f.dir, name) }

// Options reads the options of the run into what into points to. A field that this does not have is an error, and so are
// other signs that the file is not what was written.
func (f *Folder) Options(into any) error {
	text, err := file.Read(f.Path(configFile), maxConfig)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err = checkKeys(text); err == nil {
		text, err = cutChecksum(text)
	}
	if err == nil {
		err = decodeStrict(text, into)
	}
	if err != nil {
		return fmt.Errorf("train: %s: %w", file.Name(f.Path(configFile)), err)
	}
	return nil
}

// SetOptions replaces the options of the run.
func (f *Folder) SetOptions(options any) error {
	text, err := json.MarshalIndent(options, "", "  ")
	if err == nil {
		text, err = addChecksum(text)
	}
	if err != nil {
		return fmt.Errorf("train: the options of the run %s: %w", file.Name(f.dir), err)
	}
	return f.Write(configFile, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// Write replaces a file of the directory atomically: a crash at any moment leaves the old file or the new one.
func (f *Folder) Write(name string, contents func(w io.Writer) error) error {
	return f.write(name, nil, contents)
}

// write replaces a file and keeps what it was under older names.
func (f *Folder) write(name string, older []string, contents func(w io.Writer) error) error {
	if err := file.ReplaceKeeping(f.disk, f.Path(name), older, contents); err != nil {
		return fmt.Errorf("train: cannot write %s: %w", file.Name(f.Path(name)), err)
	}
	return nil
}

// sweep removes what writes that were cut short have left in the directory. Only who has locked it may call it.
func (f *Folder) sweep() error {
	if err := file.Sweep(f.disk, f.dir, configFile, logFile, bestFile, weightsFile, checkpointFile); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// remove deletes a file if there is one.
func (f *Folder) remove(name string) error {
	err := f.disk.Remove(f.Path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// has reports whether there is anything of that name. What cannot be looked at counts, and opening it tells why.
func (f *Folder) has(name string) bool {
	_, err := os.Lstat(f.Path(name))
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// left lists the files that a training has written: the final weights, the best, the log, the records of package watch and the checkpoints, the newest
// first.
func (f *Folder) left() (names []string) {
	for _, name := range []string{weightsFile, bestFile, logFile, watch.FileName} {
		if f.has(name) {
			names = append(names, name)
		}
	}
	return append(names, f.checkpoints()...)
}

// checkpoints lists the checkpoints, the newest first.
func (f *Folder) checkpoints() (names []string) {
	for i := range maxCheckpoints {
		if name := checkpointName(i); f.has(name) {
			names = append(names, name)
		}
	}
	return names
}

// LoadWeights reads the run's weights into the model: those in the end, or of the last checkpoint if the run is not
// finished. It returns the name of their file, as in "weights.safetensors".
func (f *Folder) LoadWeights(model any) (from string, err error) {
	if f.has(weightsFile) {
		return weightsFile, safetensors.LoadWeights(f.Path(weightsFile), model, safetensors.LoadOptions{})
	}
	names := f.checkpoints()
	if len(names) == 0 {
		return "", fmt.Errorf("train: run %s has no weights yet: it was ended before its first checkpoint", file.Name(f.dir))
	}
	params, err := tarn.Params(model)
	if err != nil {
		return "", err
	}
	contents, _, err := f.loadCheckpoint(names[0])
	if err == nil {
		err = f.assign(names[0], contents, params, nil)
	} else if len(names) > 1 {
		err = fmt.Errorf("%w\nthe checkpoint before it is %s; a resumed training goes back to that", err, names[1])
	}
	return names[0], err
}

// Snapshot is what the weights of a run were at a moment of its training.
type Snapshot struct {
	File string        // in the folder, as in "checkpoint-2.safetensors"
	At   data.Position // epochs and batches that were completed
}

// Snapshots loads the weights of each checkpoint into the model, the oldest first, then those in the end if the run is finished. The model has them during
// a turn of the loop. Loop.KeepCheckpoints says how many checkpoints there are. A file that is damaged comes with an error, and the loop may go on to the
// next.
func (f *Folder) Snapshots(model any) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		params, err := tarn.Params(model)
		if err != nil {
			yield(Snapshot{}, err)
			return
		}
		for _, name := range slices.Backward(f.checkpoints()) {
			contents, s, err := f.loadCheckpoint(name)
			if err == nil {
				err = f.assign(name, contents, params, nil)
			}
			if !yield(Snapshot{name, s.Position}, err) {
				return
			}
		}
		if !f.has(weightsFile) {
			return
		}
		at := data.Position{}
		contents, err := safetensors.Options{MaxBytes: -1}.Load(f.Path(weightsFile))
		if err == nil {
			if err = safetensors.Assign(contents.Tensors, params, safetensors.LoadOptions{}); err != nil {
				err = fmt.Errorf("train: %s: %w", file.Name(f.Path(weightsFile)), err)
			}
			at.Epoch, _ = strconv.Atoi(contents.Metadata[bestEpochKey]) // 0 in a file that another program has written
		}
		yield(Snapshot{weightsFile, at}, err)
	}
}
