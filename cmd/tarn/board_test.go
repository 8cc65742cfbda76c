package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBoardExport(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "log.jsonl"), []byte(`{"epoch":1,"step":10,"train_loss":2,"seconds":3}`+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "run.html")
	command(t, 0, "board", dir, "--export", path)
	if text, err := os.ReadFile(path); err != nil || !bytes.Contains(text, []byte("epoch/train loss")) {
		t.Errorf("the page has %d bytes and no loss: %v", len(text), err)
	}
	command(t, exitFailure, "board", filepath.Join(dir, "nothing"), "--export", path)
}

func TestBoardRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"board --listen 0.0.0.0:0":                    "set --token",
		"board --listen :0":                           "set --token",
		"board --listen 7007":                         "HOST:PORT",
		"board --export page.html --open":             "have no effect",
		"board --export page.html --listen [::1]:600": "have no effect",
	} {
		if _, message := command(t, exitUsage, strings.Fields(args)...); !strings.Contains(message, want) {
			t.Errorf("tarn %s says %q and not %q", args, message, want)
		}
	}
}

// TestBoardServes opens the address that is printed, and ends the command.
func TestBoardServes(t *testing.T) {
	for _, test := range []struct {
		flags []string
		open  string // with what the address begins
	}{
		{nil, "http://localhost:"},
		{[]string{"--listen", "127.0.0.1:0"}, "http://127.0.0.1:"},
		{[]string{"--listen", ":0", "--token", "a b"}, "http://localhost:"},
	} {
		ctx, stop := context.WithCancel(t.Context())
		out, in := io.Pipe()
		code := make(chan int)
		go func() {
			var stderr bytes.Buffer
			c := run(ctx, append([]string{"board", t.TempDir()}, test.flags...), in, &stderr)
			in.CloseWithError(io.ErrUnexpectedEOF)
			code <- c
		}()
		lines := bufio.NewReader(out)
		first, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, lines)
		_, address, _ := strings.Cut(strings.TrimSpace(first), " at ")
		if !strings.HasPrefix(address, test.open) {
			t.Errorf("%v: the address is %q", test.flags, address)
		}
		if reply, err := http.Get(address); err != nil || reply.StatusCode != 200 && len(test.flags) < 4 {
			t.Errorf("%s: %v", address, err)
		}
		if len(test.flags) == 4 {
			bare, _, _ := strings.Cut(address, "?")
			if reply, err := http.Get(bare); err != nil || reply.StatusCode != 401 {
				t.Errorf("%s without the token: %v", bare, err)
			}
		}
		stop()
		if c := <-code; c != 0 {
			t.Errorf("%v: exit code %d", test.flags, c)
		}
	}
}
