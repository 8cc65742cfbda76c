package file_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/file"
)

// asHolder names the environment variable that makes the test binary a process that holds a lock until it is killed.
const asHolder = "TARN_TEST_HOLDS"

func TestMain(m *testing.M) {
	if path := os.Getenv(asHolder); path != "" {
		_, err := file.Acquire(path)
		fmt.Println(err)
		select {}
	}
	os.Exit(m.Run())
}

// TestLock takes a lock once, by whom the second is told, and again after it was released or its process killed.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held := func(process int) {
		t.Helper()
		_, err := file.Acquire(path)
		var by *file.Held
		if !errors.As(err, &by) || by.Holder.Process != process || by.Path != path || !strings.Contains(err.Error(), fmt.Sprintf("held by process %d on ", process)) {
			t.Errorf("the error is %v, want one that names process %d", err, process)
		}
	}
	for range 2 {
		l, err := file.Acquire(path)
		if err != nil {
			t.Fatal(err)
		}
		held(os.Getpid())
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Error("a released lock leaves its file")
		}
	}
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), asHolder+"="+path)
	out, err := other.StdoutPipe()
	if err == nil {
		err = other.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
		t.Fatalf("the other process: %q, %v", line, err)
	}
	held(other.Process.Pid)
	other.Process.Kill()
	other.Wait()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the file of a killed holder: %v", err)
	}
	l, err := file.Acquire(path)
	if err != nil {
		t.Fatalf("the lock of a process that was killed: %v", err)
	}
	text, _ := os.ReadFile(path)
	var me file.Holder
	if err := json.Unmarshal(text, &me); err != nil || me.Process != os.Getpid() || me.Host == "" || me.Since.IsZero() || runtime.GOOS == "linux" && (me.Started.IsZero() || me.Started.After(me.Since)) {
		t.Errorf("the file of the lock is %q, %v", text, err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("{broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err = file.Acquire(path); err != nil {
		t.Fatalf("a file that is no lock's: %v", err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if _, err := file.Acquire(filepath.Dir(path)); err == nil {
		t.Error("a directory is a lock")
	}
}
