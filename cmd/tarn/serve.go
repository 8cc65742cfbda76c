package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/predict"
	"github.com/seed-49005b45/tarn/serve"
)

// This file holds serve, which answers over HTTP.

// serveCommand has the arguments of serve.
type serveCommand struct {
	Models    []string      `arg:"" name:"model" help:"Models that tarn fit made, as FILE or NAME=FILE, and folders of runs of tarn train gpt. The first model of tarn fit answers at /predict, each at /models/NAME/predict; runs continue texts at /models/NAME/generate."`
	Addr      string        `default:"localhost:8080" placeholder:"HOST:PORT" help:"Address to serve at; :8080 is reached from other machines (localhost:8080). Port 0 takes any free one."`
	Unix      string        `placeholder:"SOCKET" help:"Serve at a socket in the file system instead, which only its owner reaches."`
	Batch     int           `default:"256" help:"Rows that are answered together at most (256)."`
	Wait      time.Duration `default:"0s" placeholder:"2ms" help:"How long a request waits for others, to be answered together with them (0s: those that come while others are answered go together)."`
	MaxBody   int           `default:"8" placeholder:"MIB" help:"Largest request, in MiB (8)."`
	MaxQueue  int           `default:"1000" help:"Requests that wait at most; a further one is answered 503 (1000)."`
	Timeout   time.Duration `default:"30s" placeholder:"30s" help:"Longest time of a request (30s)."`
	Reload    bool          `help:"Read a model again if its file changes. SIGHUP reads all again in any case. A broken file leaves the model that was there."`
	TokenFile string        `placeholder:"FILE" help:"File with a secret on each line, of which clients must send one as Authorization: Bearer SECRET."`
	Cert      string        `placeholder:"FILE" help:"Certificate for TLS, as PEM; with --key."`
	Key       string        `placeholder:"FILE" help:"Private key of --cert, as PEM."`
	Log       string        `enum:"none,text,json" default:"none" placeholder:"FORM" help:"Write a line for each request to the standard error: none, text or json; never values of rows (none)."`
	engineFlags
}

// Validate checks the flags; kong calls it.
func (c *serveCommand) Validate() error {
	for flag, v := range map[string]int{"batch": c.Batch, "max-queue": c.MaxQueue, "max-body": c.MaxBody} {
		if v < 1 || v > 1<<20 {
			return fmt.Errorf("--%s is %d and should be from 1 to %d", flag, v, 1<<20)
		}
	}
	if c.Wait < 0 || c.Wait > time.Minute {
		return fmt.Errorf("--wait is %v and should be from 0s to 1m", c.Wait)
	}
	if c.Timeout < time.Millisecond || c.Timeout > 24*time.Hour {
		return fmt.Errorf("--timeout is %v and should be from 1ms to 24h", c.Timeout)
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("--addr is %q and should be HOST:PORT, as in localhost:8080 or :8080: %w", c.Addr, err)
	}
	if (c.Cert == "") != (c.Key == "") {
		return fmt.Errorf("--cert and --key go together, a certificate and its private key: %q is given alone", c.Cert+c.Key)
	}
	if slices.Contains(c.Models, "") {
		return errors.New("a model is given without a value")
	}
	return nil
}

// Run serves until a signal ends it; those that are being answered get their answer.
func (c *serveCommand) Run(env *environment) error {
	if c.Unix != "" && env.given["addr"] {
		return usageError{errors.New("--addr and --unix exclude each other")}
	}
	entries, paths, err := c.entries()
	if err != nil {
		return err
	}
	options := serve.Options{Batch: c.Batch, Wait: c.Wait, Queue: c.MaxQueue, MaxBody: int64(c.MaxBody) << 20, Timeout: c.Timeout}
	if options.Tokens, err = c.tokens(); err != nil {
		return err
	}
	stderr := &lockedWriter{w: env.stderr}
	switch c.Log {
	case "json":
		options.Logger = slog.New(slog.NewJSONHandler(stderr, nil))
	case "text":
		options.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	}
	var secure *tls.Config
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return fmt.Errorf("--cert %s: %w", file.Name(c.Cert), err)
		}
		secure = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	watch := &watcher{paths: paths}
	watch.look() // before they are read
	s, err := serve.New(options, entries...)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "serve: "))
	}
	listener, address, err := c.listen(secure != nil)
	if err != nil {
		return err
	}
	defer listener.Close()
	host, _, _ := net.SplitHostPort(c.Addr)
	if c.Unix == "" && !isLoopback(host) && options.Tokens == nil {
		fmt.Fprintln(stderr, "tarn: warning: anyone who reaches this machine may ask; --token-file sets secrets that clients need")
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	for i, e := range entries {
		fmt.Fprintf(env.stdout, "%s (%s) at %s", e.Name, file.Name(paths[i]), address)
		switch {
		case e.Text != nil:
			fmt.Fprintf(env.stdout, "models/%s/generate", e.Name)
		case i > 0:
			fmt.Fprintf(env.stdout, "models/%s/predict", e.Name)
		}
		fmt.Fprintln(env.stdout)
	}
	fmt.Fprintln(env.stdout, "Ctrl-C ends it")
	h := &http.Server{Handler: s, ReadHeaderTimeout: min(10*time.Second, c.Timeout), IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(listener) }()
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	if !c.Reload {
		again.Stop()
	}
	hangup := hangups()
	for {
		select {
		case err := <-ended:
			return err
		case <-hangup:
			watch.look()
			for _, e := range entries {
				reload(s, e.Name, stderr)
			}
		case <-again.C:
			for _, i := range watch.look() {
				reload(s, entries[i].Name, stderr)
			}
		case <-env.ctx.Done():
			drain, cancel := context.WithTimeout(context.Background(), c.Timeout)
			defer cancel()
			err := errors.Join(s.Close(drain), h.Shutdown(drain))
			if err != nil {
				h.Close()
				return fmt.Errorf("some requests were not answered within %v: %w", c.Timeout, err)
			}
			return nil
		}
	}
}

// entries are the models by their names. They may be called as their files are.
func (c *serveCommand) entries() (entries []serve.Entry, paths []string, err error) {
	for _, model := range c.Models {
		name, path, found := strings.Cut(model, "=")
		if _, err := os.Stat(model); !found || err == nil {
			path = model
			name = strings.TrimSuffix(filepath.Base(path), ".tarn")
			name = strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
					return r
				}
				return '-'
			}, name)
		}
		if slices.ContainsFunc(entries, func(e serve.Entry) bool { return e.Name == name }) {
			return nil, nil, usageError{fmt.Errorf("two models are called %q: name them, as in old=%s new=%s", name, path, path)}
		}
		paths = append(paths, path)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			entries = append(entries, serve.Entry{Name: name, Text: func() (*serve.Text, error) {
				model, characters, err := loadGPT(path)
				return &serve.Text{Model: model, Tokens: characters}, err
			}})
			continue
		}
		entries = append(entries, serve.Entry{Name: name, Load: func() (predict.Model, error) {
			m, err := loadModel(path)
			if err != nil {
				return nil, err
			}
			return m, m.Warm()
		}})
	}
	return entries, paths, nil
}

// tokens reads the secrets.
func (c *serveCommand) tokens() ([]string, error) {
	if c.TokenFile == "" {
		return nil, nil
	}
	content, err := file.Read(c.TokenFile, 1<<20)
	if err != nil {
		return nil, err
	}
	tokens := strings.Fields(string(content))
	if len(tokens) == 0 {
		return nil, fmt.Errorf("--token-file %s has no secret: write one on a line, of at least 8 characters", file.Name(c.TokenFile))
	}
	return tokens, nil
}

// listen opens the port or the socket. It returns the address as a client writes it.
func (c *serveCommand) listen(secure bool) (net.Listener, string, error) {
	if c.Unix != "" {
		if info, err := os.Stat(c.Unix); err == nil {
			if info.Mode()&fs.ModeSocket == 0 {
				return nil, "", fmt.Errorf("--unix %s is there already and is no socket", file.Name(c.Unix))
			}
			if other, err := net.Dial("unix", c.Unix); err == nil {
				other.Close()
				return nil, "", fmt.Errorf("--unix %s is served already", file.Name(c.Unix))
			}
			os.Remove(c.Unix) // of a server that was killed
		}
		l, err := net.Listen("unix", c.Unix)
		if err != nil {
			return nil, "", err
		}
		if err := os.Chmod(c.Unix, 0o600); err != nil {
			l.Close()
			return nil, "", err
		}
		return l, "unix:" + c.Unix, nil
	}
	l, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, "", fmt.Errorf("%w: choose another address with --addr; port 0 takes any free one", err)
	}
	address := pageURL(c.Addr, l.Addr().(*net.TCPAddr), "")
	if secure {
		address = "https" + strings.TrimPrefix(address, "http")
	}
	return l, address, nil
}

// reload reads a model again, and says how that went.
func reload(s *serve.Server, name string, stderr *lockedWriter) {
	if err := s.Reload(name); err != nil {
		fmt.Fprintf(stderr, "tarn: %s\n", printable(strings.TrimPrefix(err.Error(), "serve: ")))
		return
	}
	fmt.Fprintf(stderr, "tarn: model %s was read again\n", name)
}

// watcher looks whether files change.
type watcher struct {
	paths []string
	seen  []fs.FileInfo
}

// look returns the places of the files that have changed since the last look. One that is gone has not changed.
func (w *watcher) look() (changed []int) {
	if w.seen == nil {
		w.seen = make([]fs.FileInfo, len(w.paths))
	}
	for i, path := range w.paths {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		old := w.seen[i]
		if old != nil && (!info.ModTime().Equal(old.ModTime()) || info.Size() != old.Size() || !os.SameFile(info, old)) {
			changed = append(changed, i)
		}
		w.seen[i] = info
	}
	return changed
}

// lockedWriter writes what several goroutines say.
type lockedWriter struct {
	mu sync.Mutex
	w  interface{ Write([]byte) (int, error) }
}

// Write writes a whole message.
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
