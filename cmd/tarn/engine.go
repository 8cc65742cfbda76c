package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/seed-49005b45/tarn"
)

// This file holds --engine, which says where programs run.

// engineFlags are the flags of commands whose programs may run on an accelerator.
type engineFlags struct {
	Engine string `placeholder:"NAME" help:"Where to compute: cpu; or pjrt, for a GPU, a TPU or another device with an XLA plugin, as pjrt:cuda or, for four devices, pjrt:cuda:4. By default what the variable TARN_ENGINE says, or cpu. pjrt is part of a tarn built with -tags pjrt."`
}

// useEngine makes all programs of the command run on the engine of its flag --engine, if it is given.
func useEngine(parsed *kong.Context) error {
	for _, p := range parsed.Path {
		if p.Flag == nil || p.Flag.Name != "engine" {
			continue
		}
		name := p.Flag.Target.String()
		e, err := tarn.OpenEngine(name)
		if err != nil {
			err = fmt.Errorf("--engine %s: %w", name, err)
			if kind, _, _ := strings.Cut(name, ":"); kind != "pjrt" {
				return usageError{err}
			}
			return err
		}
		tarn.Use(e)
	}
	return nil
}
