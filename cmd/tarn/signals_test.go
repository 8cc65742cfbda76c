//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSignals ends a training by each of the signals that ask for it, twice where a terminal may send two: it writes a checkpoint
// first. What it holds is free then.
func TestSignals(t *testing.T) {
	for _, signals := range [][]os.Signal{{syscall.SIGTERM}, {syscall.SIGHUP}, {syscall.SIGHUP, syscall.SIGHUP}} {
		dir := filepath.Join(t.TempDir(), "run")
		c := exec.Command(os.Args[0], with("--out", dir, "--epochs", "2000")...)
		c.Env = append(os.Environ(), asCommand+"=1")
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "epoch 1/2000") {
		}
		if _, message := command(t, 1, "train", "mnist", "--resume", dir, "--epochs", "3"); !strings.Contains(message, fmt.Sprintf("held by process %d on ", c.Process.Pid)) {
			t.Errorf("a second training in the folder: %q", message)
		}
		for _, s := range signals {
			c.Process.Signal(s)
		}
		io.Copy(io.Discard, out)
		c.Wait()
		if code := c.ProcessState.ExitCode(); code != exitInterrupted {
			t.Errorf("%v: exit code %d", signals, code)
		}
		if _, err := os.Lstat(filepath.Join(dir, "lock")); err == nil {
			t.Errorf("%v: the lock is still there", signals)
		}
		if out, _ := command(t, 0, "eval", dir); !strings.Contains(out, "weights of checkpoint.safetensors") {
			t.Errorf("%v: %s", signals, out)
		}
	}
}

// TestServeSignals reads models again at SIGHUP and ends at SIGTERM, with the code 0, as a service manager wants it. It serves at a socket.
func TestServeSignals(t *testing.T) {
	twoModels(t)
	c := exec.Command(os.Args[0], "serve", "a.tarn", "--unix", "sock")
	c.Env = append(os.Environ(), asCommand+"=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	words, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "a (a.tarn) at unix:sock" || !lines.Scan() {
		t.Fatalf("it says %q", lines.Text())
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", "sock") }}}
	_, first := askServed(t, client, "http://tarn/predict", oneFlat)
	if info, err := os.Stat("sock"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
	if _, message := command(t, 1, "serve", "a.tarn", "--unix", "sock"); !strings.Contains(message, "is served already") {
		t.Errorf("a second server: %s", message)
	}
	if err := os.Rename("b.tarn", "a.tarn"); err != nil {
		t.Fatal(err)
	}
	c.Process.Signal(syscall.SIGHUP)
	said := bufio.NewScanner(words)
	if !said.Scan() || said.Text() != "tarn: model a was read again" {
		t.Errorf("at SIGHUP it says %q", said.Text())
	}
	if status, second := askServed(t, client, "http://tarn/predict", oneFlat); status != 200 || second == first {
		t.Errorf("after SIGHUP: %d %s", status, second)
	}
	client.CloseIdleConnections()
	c.Process.Signal(syscall.SIGTERM)
	io.Copy(io.Discard, words)
	if err := c.Wait(); err != nil {
		t.Errorf("at SIGTERM it ends with %v", err)
	}
	if _, err := os.Lstat("sock"); err == nil {
		t.Error("the socket is left")
	}
}

// TestFitInterrupted ends a training by Ctrl-C: the model of what was learned until then is whole. At once there is nothing to write.
func TestFitInterrupted(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	flats(t, dir, "flats.csv", 400)
	c := exec.Command(os.Args[0], "fit", "flats.csv", "--target", "price", "--cv", "100", "--epochs", "20")
	c.Env = append(os.Environ(), asCommand+"=1")
	words, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var last string
	for lines := bufio.NewScanner(words); lines.Scan(); {
		if last = lines.Text(); strings.HasPrefix(last, "fold 1/100") {
			c.Process.Signal(os.Interrupt)
		}
	}
	c.Wait()
	if code := c.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(last, "interrupted: flats.tarn is whole") {
		t.Fatalf("code %d, %q", code, last)
	}
	out, _ := command(t, 0, "inspect", "flats.tarn", "--card")
	if !strings.Contains(out, "the training was stopped: the model is that of ") {
		t.Errorf("the card: %s", out)
	}
	command(t, 0, "predict", "flats.tarn", "flats.csv")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var said bytes.Buffer
	if code := run(ctx, []string{"fit", "flats.csv", "--target", "price", "--out", "none.tarn"}, io.Discard, &said); code != exitInterrupted || !strings.Contains(said.String(), "nothing is written") || exists("none.tarn") {
		t.Errorf("interrupted at once: code %d, %s", code, said.String())
	}
	// A nanosecond is over before a timer would have to tell.
	if _, message := command(t, 1, "fit", "flats.csv", "--target", "price", "--out", "none.tarn", "--time", "1ns", "--quiet"); !strings.Contains(message, "give it more") || exists("none.tarn") {
		t.Errorf("with no time: %s", message)
	}
}
