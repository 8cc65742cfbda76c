//go:build js || wasip1 || plan9

package main

import (
	"context"
	"os"
)

// withHangup returns ctx: this system has no terminals that close.
func withHangup(ctx context.Context) context.Context { return ctx }

// hangups returns what receives nothing.
func hangups() <-chan os.Signal { return nil }
