// Package opticks carries Isaac Newton's Opticks inside the program, a text to train language models on. ORIGIN.md says where it
// comes from.
package opticks

import (
	_ "embed"
	"strings"
)

//go:embed opticks.txt
var file string

// Text returns the book, from its title on: 567 thousand characters, some of them outside ASCII.
func Text() string { return file[strings.Index(file, "OPTICKS:"):] }
