package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// This file holds the standard output as commands see it, and what text must be before a terminal may have it.

// output is a writer that keeps its first error, so that a command that does not ask still fails.
type output struct {
	w   io.Writer
	err error
}

// Write writes, unless it failed before.
func (o *output) Write(p []byte) (n int, err error) {
	if o.err == nil {
		if n, o.err = o.w.Write(p); o.err != nil {
			o.err = fmt.Errorf("cannot write to the standard output: %w", o.err)
		}
	}
	return n, o.err
}

// Fd returns the number of the file, by which one finds out whether it is a terminal.
func (o *output) Fd() uintptr {
	if f, ok := o.w.(*os.File); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// printable returns a text with the characters that a terminal would act on, other than newlines and tabs, as Go escapes
// them. Messages have names of files and columns in them, and these may come from anywhere.
func printable(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '\ufffd' && !strings.HasPrefix(text[i:], "\ufffd"): // a byte that is not UTF-8
			b.WriteString(strings.Trim(strconv.Quote(text[i:i+1]), `"`))
		case r == '\n' || r == '\t' || strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// printableWriter writes what is printable.
type printableWriter struct{ w io.Writer }

// Write writes a whole message.
func (p printableWriter) Write(text []byte) (int, error) {
	if _, err := io.WriteString(p.w, printable(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}
