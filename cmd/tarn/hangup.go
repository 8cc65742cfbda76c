//go:build !js && !wasip1 && !plan9

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// This file ends the program when its terminal closes.

// withHangup returns a context that ends also when the terminal closes, unless the program was told to ignore that, as
// nohup does. A terminal that closes may send the signal more than once, so that, unlike a second Ctrl-C, the second does
// nothing.
func withHangup(ctx context.Context) context.Context {
	if !signal.Ignored(syscall.SIGHUP) {
		ctx, _ = signal.NotifyContext(ctx, syscall.SIGHUP)
	}
	return ctx
}

// hangups returns what receives the signals that a terminal sends when it closes, and that ask a service to read its files again.
func hangups() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}
