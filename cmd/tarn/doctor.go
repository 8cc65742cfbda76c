package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/doctor"
	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds doctor, which judges a run by its records.

// doctorCommand has the arguments of doctor.
type doctorCommand struct {
	Dir  string `arg:"" name:"run" help:"Folder of a run, finished or not."`
	JSON bool   `name:"json" help:"Print one JSON object for each verdict."`

	Try     bool `help:"For a run of train mnist: train its network anew for a short budget, as it is and with each remedy, print what helps, and write a program with the best as remedy.go into the folder."`
	Updates int  `default:"300" placeholder:"N" help:"Number of updates of each training of --try (300)."`
}

// Validate checks the flags; kong calls it.
func (c *doctorCommand) Validate() error {
	if c.Updates < 20 || c.Updates > 1e6 {
		return fmt.Errorf("--updates is %d and should be from 20 to 1000000", c.Updates)
	}
	return nil
}

// units tells what multiplies bfloat16 numbers on this machine, if the run has products of them.
func (c *doctorCommand) units() []string {
	var settings map[string]any
	folder, err := train.OpenFolder(c.Dir)
	if err != nil || folder.Options(&settings) != nil {
		return nil // the records of a training of one's own may lie in any folder
	}
	if p := settings["precision"]; p != tarn.PrecisionBF16.String() && p != tarn.PrecisionBF16Activations.String() {
		return nil
	}
	lines := cpu.BF16Choice()
	lines[0] = "on this machine " + lines[0]
	return lines
}

// Run prints the verdicts.
func (c *doctorCommand) Run(env *environment) error {
	h, err := watch.Load(filepath.Join(c.Dir, watch.FileName))
	if errors.Is(err, fs.ErrNotExist) || err != nil && !isFolder(c.Dir) {
		return fmt.Errorf("%s has no %s, which a training writes that is watched: is it the folder of a run?", file.Name(c.Dir), watch.FileName)
	}
	if err != nil {
		return err
	}
	verdicts := doctor.Judge(h)
	if c.JSON {
		lines := json.NewEncoder(env.stdout)
		for _, v := range verdicts {
			if err := lines.Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
	w := env.stdout
	if n := len(h.Steps); n > 0 {
		s := h.Steps[n-1]
		fmt.Fprintf(w, "looks up to run %d, epoch %d: %d; loss %.4g, at the first look %.4g", s.Run, s.Epoch, n, float64(s.Loss), float64(h.Steps[0].Loss))
		if chance := h.Header.Chance; chance != nil {
			fmt.Fprintf(w, ", of the best constant prediction %.4g", float64(*chance))
		}
		fmt.Fprintln(w)
		fmt.Fprint(w, printable(doctor.Ranks(h)))
	}
	for _, line := range c.units() {
		fmt.Fprintln(w, line)
	}
	switch {
	case len(verdicts) > 0:
	case len(h.Steps) == 0:
		fmt.Fprintln(w, "there is no look at the training yet to judge it by")
		return nil
	default:
		fmt.Fprintln(w, "nothing seems wrong")
	}
	fmt.Fprint(w, printable(doctor.Report(verdicts)))
	if c.Try {
		return c.try(env, verdicts)
	}
	return nil
}
