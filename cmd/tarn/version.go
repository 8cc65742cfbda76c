package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/version"
)

// This file holds --version.

// versionFlag is a flag that prints the version and ends the program.
type versionFlag bool

// BeforeReset prints; kong calls it if the flag is given, before it requires a command.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	if _, err := fmt.Fprintf(app.Stdout, "%v\nkernels of level %v, of %v on this processor\n", version.Read(), cpu.Name(), cpu.Levels()); err != nil {
		return err
	}
	if refused := cpu.BF16Refused(); refused != nil {
		if _, err := fmt.Fprintln(app.Stdout, refused); err != nil {
			return err
		}
	}
	app.Exit(0)
	return nil
}
