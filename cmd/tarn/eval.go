package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/text"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds eval.

// evalCommand has the arguments of eval.
type evalCommand struct {
	Dir string `arg:"" name:"run" help:"Folder of a run of train mnist or train gpt."`
	engineFlags
}

// Run measures the network on held-out data.
func (c *evalCommand) Run(env *environment) error {
	of, err := taskOf(c.Dir)
	if err := env.agree(err); err != nil {
		return err
	}
	if of == gptTask {
		return c.gpt(env)
	}
	m, settings, from, err := loadRun(c.Dir)
	if err := env.agree(err); err != nil {
		return err
	}
	if err := env.same("the network of "+file.Name(c.Dir), weightSum(m)); err != nil {
		return err
	}
	_, test, err := loadMNIST()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "network %v, weights of %s\n", widths(settings.Hidden), from)
	top, confusion := &train.TopK{K: 2}, &train.ConfusionMatrix{}
	loss, accuracy, err := measure(env.ctx, env.comm, m, test, top, confusion)
	if err := env.agree(err); err != nil {
		return err
	}
	printConfusion(env.stdout, confusion.Counts)
	fmt.Fprintf(env.stdout, "\ntest examples %d\ntest loss %.4f\ntest accuracy of two guesses %.4f\ntest accuracy %.4f\n", test.Len(), loss, top.Value(), accuracy)
	return nil
}

// gpt measures a language model on the part of its text that was held out.
func (c *evalCommand) gpt(env *environment) error {
	settings, model, valid, from, err := heldOutGPT(c.Dir)
	if err := env.agree(err); err != nil {
		return err
	}
	if err := env.same("the language model of "+file.Name(c.Dir), weightSum(model)); err != nil {
		return err
	}
	eval, err := train.NewEval(gptBuild(model, settings.Model.Context))
	if err != nil {
		return err
	}
	if env.ranks() > 1 {
		eval.Comm = env.comm
	}
	loss, err := eval.Measure(env.ctx, valid, settings.Batch, "next")
	if err := env.agree(err); err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "gpt with %d layers, %d heads, %d wide, weights of %s\nheld-out characters %d\nvalidation loss %.4f nats a character\nvalidation perplexity %.4f\n",
		settings.Model.Layers, settings.Model.Heads, settings.Model.Width, from, valid.Len()*settings.Model.Context, loss, math.Exp(loss))
	return nil
}

// heldOutGPT returns the language model of a run, and the part of its text that was held out.
func heldOutGPT(dir string) (settings gptConfig, model *nn.GPT, valid *data.Set, from string, err error) {
	settings, folder, err := openGPT(dir)
	if err != nil {
		return settings, nil, nil, "", err
	}
	characters, err := text.NewCharacters(settings.Characters)
	if err != nil {
		return settings, nil, nil, "", err
	}
	words, err := settings.read()
	if err != nil {
		return settings, nil, nil, "", fmt.Errorf("the text that the run was trained on: %w", err)
	}
	if _, valid, err = settings.sets(words, characters); err != nil {
		return settings, nil, nil, "", fmt.Errorf("%s, which the run was trained on: %w", settings.Text, err)
	}
	model = nn.NewGPT(settings.Model)
	from, err = folder.LoadWeights(model)
	return settings, model, valid, from, err
}

// measure returns loss and accuracy of the network on a set, and fills other metrics. The ranks of c share the work, if it is not nil.
func measure(ctx context.Context, c dist.Comm, m *network, set *data.Set, metrics ...train.Metric) (loss, accuracy float64, err error) {
	eval, err := train.NewEval(m.build)
	if err != nil {
		return 0, 0, err
	}
	if c != nil && c.Size() > 1 {
		eval.Comm = c
	}
	a := &train.Accuracy{}
	loss, err = eval.Measure(ctx, set, 500, "label", append(metrics, a)...)
	return loss, a.Value(), err
}

// printConfusion prints the table of digits and guesses, with the share of each digit that was read right.
func printConfusion(w io.Writer, counts [][]int) {
	fmt.Fprintf(w, "\ndigit  read as")
	for p := range counts {
		if p > 0 {
			fmt.Fprintf(w, "%6d", p)
		} else {
			fmt.Fprintf(w, "%3d", p)
		}
	}
	fmt.Fprintln(w, "    right")
	for t, row := range counts {
		fmt.Fprintf(w, "%5d      ", t)
		n := 0
		for _, c := range row {
			fmt.Fprintf(w, "%6d", c)
			n += c
		}
		fmt.Fprintf(w, "   %.4f\n", float64(row[t])/float64(max(1, n)))
	}
}
