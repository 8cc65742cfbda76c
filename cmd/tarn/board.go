package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"time"

	"github.com/seed-49005b45/tarn/board"
	"github.com/seed-49005b45/tarn/internal/file"
)

// This file holds board, which serves the page that shows trainings.

// boardAddress is where the page is served by default. At the ports 6000 to 6009 Debian's mpirun looks for X servers, and would wait for an answer.
const boardAddress = "localhost:7007"

// boardCommand has the arguments of board.
type boardCommand struct {
	Dir    string `arg:"" optional:"" default:"runs" help:"Folder of runs, or of one run."`
	Open   bool   `help:"Open the page in the browser."`
	Listen string `placeholder:"HOST:PORT" help:"Address to serve at, by default localhost:7007, or another port if that is taken. An address that other machines reach needs --token. Port 0 takes any free one."`
	Token  string `placeholder:"SECRET" help:"Secret that visitors need; it is part of the address that is printed."`
	Export string `placeholder:"FILE.html" help:"Write the page with all its data as one file that needs no server, and end."`
}

// Validate checks the flags; kong calls it.
func (c *boardCommand) Validate() error {
	if c.Export != "" && (c.Open || c.Listen != "" || c.Token != "") {
		return errors.New("--export writes a file and serves nothing: --open, --listen and --token have no effect with it")
	}
	if err := free(c.Export, true); err != nil {
		return fmt.Errorf("--export: %w", err)
	}
	if c.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen is %q and should be HOST:PORT, as in localhost:7007 or :7007: %w", c.Listen, err)
	}
	if !isLoopback(host) && c.Token == "" {
		return fmt.Errorf("--listen %s can be reached from other machines: set --token to a secret", c.Listen)
	}
	return nil
}

// isLoopback reports whether only this machine reaches a host. An empty one stands for all addresses.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Run serves the page until Ctrl-C, or writes it.
func (c *boardCommand) Run(env *environment) error {
	options := board.Options{Token: c.Token}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && host != "" {
		options.Hosts = []string{host}
	}
	b, err := board.New(c.Dir, options)
	if err != nil {
		return err
	}
	defer b.Close()
	if c.Export != "" {
		return file.Replace(file.Disk, c.Export, func(w io.Writer) error { return b.Export(w) })
	}
	listener, err := c.listen()
	if err != nil {
		return err
	}
	address := pageURL(c.Listen, listener.Addr().(*net.TCPAddr), c.Token)
	fmt.Fprintf(env.stdout, "%s at %s\nCtrl-C ends it\n", file.Name(c.Dir), address)
	if c.Open {
		if err := openBrowser(address); err != nil {
			fmt.Fprintf(env.stderr, "tarn: cannot open the browser: %s\n", printable(err.Error()))
		}
	}
	server := &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return env.ctx }} // which ends the streams of events
	stop := context.AfterFunc(env.ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listen opens the port.
func (c *boardCommand) listen() (net.Listener, error) {
	if c.Listen != "" {
		return net.Listen("tcp", c.Listen)
	}
	listener, err := net.Listen("tcp", boardAddress)
	if err != nil {
		return net.Listen("tcp", "localhost:0")
	}
	return listener, nil
}

// pageURL is the address of the page as the one who started it opens it.
func pageURL(listen string, at *net.TCPAddr, token string) string {
	host, _, _ := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, fmt.Sprint(at.Port)), Path: "/"}
	if token != "" {
		u.RawQuery = url.Values{"token": {token}}.Encode()
	}
	return u.String()
}

// openBrowser asks the system to open a page.
func openBrowser(address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	return exec.Command(name, args...).Start()
}
