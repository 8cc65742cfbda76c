package main

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/opticks"
	"github.com/seed-49005b45/tarn/data/text"
	"github.com/seed-49005b45/tarn/doctor"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds check, which looks at a network and a batch before a training, or at a table before a model answers it.

// checkCommand has the arguments of check.
type checkCommand struct {
	What  string `arg:"" name:"what" help:"mnist or gpt, the network and the data of train mnist or train gpt; with --model a table: CSV, TSV, Parquet, or FILE#TABLE of an SQLite database, - is the standard input."`
	Model string `placeholder:"FILE" help:"A model that tarn fit made: compare the values of a table with those that it has learned from, and find what it cannot read."`
	JSON  bool   `name:"json" help:"With --model: print the comparison as JSON."`
	dialectFlags
	Hidden widths `default:"512,512" placeholder:"N,N..." help:"Widths of the hidden layers of mnist (512,512)."`
	Layers int    `default:"4" help:"Number of layers of gpt."`
	Seed   uint64 `default:"1" help:"Seed of the initial weights."`
}

// Validate checks the flags; kong calls it.
func (c *checkCommand) Validate() error {
	if c.Layers < 1 || c.Layers > 100 {
		return fmt.Errorf("--layers is %d and should be from 1 to 100", c.Layers)
	}
	return c.dialectFlags.check()
}

// Run checks and prints.
func (c *checkCommand) Run(env *environment) error {
	if c.Model != "" {
		for _, flag := range []string{"hidden", "layers", "seed"} {
			if env.given[flag] {
				return usageError{fmt.Errorf("--%s has no effect with --model", flag)}
			}
		}
		return c.drift(env)
	}
	if c.What != task && c.What != gptTask {
		return usageError{fmt.Errorf("expected mnist or gpt and not %s; to compare a table with a model, set --model", list.Quote(c.What))}
	}
	for _, flag := range []string{"json", "sep", "decimal", "na", "no-header"} {
		if env.given[flag] {
			return usageError{fmt.Errorf("--%s has no effect without --model", flag)}
		}
	}
	if other := map[bool]string{true: "layers", false: "hidden"}[c.What == task]; env.given[other] {
		return usageError{fmt.Errorf("--%s has no effect on %s", other, c.What)}
	}
	model, build, set, target, err := c.task()
	if err != nil {
		return err
	}
	if err := tarn.Init(model, c.Seed); err != nil {
		return err
	}
	const size = 128
	for b, err := range set.Batches(size, data.Options{Shuffle: true, Seed: c.Seed}).All(env.ctx) {
		if err != nil {
			return err
		}
		batch := map[string]*tarn.Tensor{}
		for i, name := range set.Names() {
			batch[name] = b.Tensors[i].Clone()
		}
		verdicts, err := doctor.Check(env.ctx, model, build, batch, target)
		if err != nil {
			return err
		}
		if len(verdicts) == 0 {
			fmt.Fprintln(env.stdout, "nothing seems wrong: inputs, targets, weights, loss and flow at the start are as they should be, and 16 examples are learned in 100 steps")
		}
		fmt.Fprint(env.stdout, printable(doctor.Report(verdicts)))
		return nil
	}
	return nil
}

// task returns what is trained, and the name of the targets.
func (c *checkCommand) task() (any, train.Build, *data.Set, string, error) {
	if c.What == task {
		all, _, err := loadMNIST()
		if err != nil {
			return nil, nil, nil, "", err
		}
		m := newNetwork(c.Hidden)
		return m, m.build, all, "label", nil
	}
	words := opticks.Text()
	characters, err := text.NewCharacters(words)
	if err != nil {
		return nil, nil, nil, "", err
	}
	settings := gptConfig{Model: nn.GPTOptions{Vocabulary: characters.Len(), Context: 64, Width: 128, Layers: c.Layers, Heads: 4}}
	set, _, err := settings.sets(words, characters)
	if err != nil {
		return nil, nil, nil, "", err
	}
	m := nn.NewGPT(settings.Model)
	return m, gptBuild(m, settings.Model.Context), set, "next", nil
}
