// Package list shows names and texts in messages: a list of any length in a few lines, and a text of any contents in one.
package list

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	widest   = 500 // bytes of the names of a list
	longest  = 60  // characters of one of them
	mostRows = 30  // of a list with a line for each
)

// Names returns names as "a, b, c": as many as fit into a few lines, and how many more there are. A name with characters that a
// terminal would act on is quoted, and a long one cut.
func Names(names []string) string { return join(names, ", ") }

// Words is Names for things that are not separated by commas.
func Words(names []string) string { return join(names, " ") }

func join(names []string, separator string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 && b.Len() > widest {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(Name(name))
	}
	return b.String()
}

// Name returns a name as it is if it is short and printable, and otherwise as Quote does.
func Name(name string) string {
	if name == "" || utf8.RuneCountInString(name) > longest || !printable(name) {
		return Quote(name)
	}
	return name
}

// Count returns a number of things with their name: "1 row", "2 rows", "0 classes".
func Count(n int, thing string) string {
	switch {
	case n == 1:
		return "1 " + thing
	case strings.HasSuffix(thing, "s"):
		thing += "e"
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Quote returns a text in quotes. What a terminal would act on is escaped, and a long text cut.
func Quote(text string) string {
	n := 0
	for at := range text {
		if n++; n > longest {
			return strconv.Quote(text[:at]) + fmt.Sprintf(" and %d bytes more", len(text)-at)
		}
	}
	return strconv.Quote(text)
}

// Lines returns rows as the lines of a message, each indented: the first ones, and how many more there are.
func Lines(rows []string) string {
	var b strings.Builder
	for i, row := range rows {
		if i == mostRows && len(rows) > mostRows+1 {
			fmt.Fprintf(&b, "\n\tand %d more", len(rows)-i)
			break
		}
		b.WriteString("\n\t")
		b.WriteString(row)
	}
	return b.String()
}

func printable(text string) bool {
	for _, r := range text {
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			return false
		}
	}
	return true
}
