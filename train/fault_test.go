package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-49005b45/tarn/internal/file/filetest"
)

// TestFaults lets every call to the disk fail in turn, and then all after it, as after a power cut, while a training writes its
// log, checkpoints and weights. The training reports the fault, and goes on from what is there to the same end, bit for bit.
func TestFaults(t *testing.T) {
	start := func(f *Folder) *Loop {
		l := loop()
		l.Epochs, l.CheckpointEvery, l.Folder = 2, 3, f
		return l
	}
	whole := start(folder(t))
	finish(t, whole)
	every := 1
	if testing.Short() {
		every = 7
	}
	seen := map[string]bool{}
	for _, broken := range []bool{false, true} {
		for at := 1; ; at += every {
			f := folder(t)
			s := &filetest.Failing{At: at, Broken: broken}
			f.disk = s
			var failed error
			for _, err := range start(f).Run(context.Background()) {
				failed = err
			}
			if s.Failed == "" {
				if failed != nil {
					t.Error(failed)
				}
				break
			}
			seen[s.Failed] = true
			what := fmt.Sprintf("call %d, %s, failed", at, s.Failed)
			if !errors.Is(failed, filetest.Fault) && s.Failed != "Remove" {
				t.Errorf("%s: the error is %v", what, failed)
			}
			again, err := OpenFolder(f.Dir())
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			finish(t, start(again))
			sameRun(t, what, again, whole.Folder)
			if left, _ := filepath.Glob(filepath.Join(f.Dir(), ".*")); len(left) > 0 {
				t.Errorf("%s: left behind: %v", what, left)
			}
		}
	}
	for _, call := range []string{"Create", "Append", "Write", "Sync", "Close", "Rename", "SyncDir", "Remove"} {
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
