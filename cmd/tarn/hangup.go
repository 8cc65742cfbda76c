//go:build !js && !wasip1 && !plan9

package main

import (
	"context"
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
