package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/file/filetest"
)

// quiet makes a folder report nothing.
func quiet(f *Folder) *Folder {
	f.ErrorLog = log.New(io.Discard, "", 0)
	return f
}

// TestFaults lets every call to the disk fail in turn, and then all after it, as after a power cut that takes what was not
// synced, while a training writes its log, checkpoints and weights. The training reports the fault. The newest checkpoint
// that can be read is the last that was written or the one under way, and the training resumes to the same end, bit for bit.
func TestFaults(t *testing.T) {
	epochs := 1
	if os.Getenv("TARN_LONG") != "" {
		epochs = 2
	}
	start := func(f *Folder) *Loop {
		l := loop()
		l.Epochs, l.CheckpointEvery, l.Folder = epochs, 4, f
		return l
	}
	whole := start(folder(t))
	steps := map[int64]map[string]*tarn.Tensor{0: weightsOf(t, whole.Model)} // by runs
	for p, err := range whole.Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		steps[p.Runs] = weightsOf(t, whole.Model)
	}
	every := 1
	if testing.Short() {
		every = 7
	}
	seen := map[string]bool{}
	for _, kind := range []filetest.Failing{{}, {Broken: true}, {Broken: true, Loss: filetest.Data}, {Broken: true, Loss: filetest.Names}} {
		for at := 1; ; at += every {
			f := folder(t)
			s := kind
			s.At = at
			f.disk = &s
			var failed error
			written, running := int64(-1), int64(0)
			for p, err := range start(f).Run(context.Background()) {
				if failed = err; err != nil {
					break
				}
				running = p.Runs
				if p.Runs%4 == 0 || p.Record != nil {
					written = p.Runs
				}
			}
			if s.Failed == "" {
				if failed != nil {
					t.Error(failed)
				}
				break
			}
			seen[s.Failed] = true
			what := fmt.Sprintf("call %d, %s, failed, loss %d", at, s.Failed, s.Loss)
			if !errors.Is(failed, filetest.Fault) && s.Failed != "Remove" && s.Failed != "Link" {
				t.Errorf("%s: the error is %v", what, failed)
			}
			again, err := OpenFolder(f.Dir())
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if names := again.checkpoints(); len(names) > 0 {
				contents, s, err := again.loadCheckpoint(names[0])
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if s.Runs < written || s.Runs > running+1 {
					t.Errorf("%s: the newest checkpoint is of run %d, one of run %d was written", what, s.Runs, written)
				}
				maps.DeleteFunc(contents.Tensors, func(name string, _ *tarn.Tensor) bool { return strings.HasPrefix(name, statePrefix) })
				sameWeights(t, what, contents.Tensors, steps[s.Runs])
			} else if written >= 0 {
				t.Errorf("%s: there is no checkpoint, and one of run %d was written", what, written)
			}
			finish(t, start(quiet(again)))
			sameRun(t, what, again, whole.Folder)
			if left, _ := filepath.Glob(filepath.Join(f.Dir(), ".*")); len(left) > 0 {
				t.Errorf("%s: left behind: %v", what, left)
			}
		}
	}
	for _, call := range []string{"Create", "Append", "Write", "Sync", "Close", "Rename", "Link", "SyncDir", "Remove"} {
		if !seen[call] && every == 1 {
			t.Errorf("%s was never called", call)
		}
	}
}

// TestOpenBeside opens the folder of a training that is writing a file there.
func TestOpenBeside(t *testing.T) {
	f := folder(t)
	temporary := f.Path(".weights.safetensors.tarn-1-1.tmp")
	if err := os.WriteFile(temporary, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(f.Dir()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(temporary); err != nil {
		t.Errorf("opening the folder takes the file from under the training: %v", err)
	}
	l := loop()
	l.Epochs, l.Folder = 1, f
	finish(t, l)
	if _, err := os.Stat(temporary); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a training leaves what another has left: %v", err)
	}
}
