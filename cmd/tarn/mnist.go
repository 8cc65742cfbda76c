package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/train/curve"
)

// This file holds train mnist.

// mnistCommand has the flags of train mnist.
type mnistCommand struct {
	Epochs    int      `default:"6" help:"Number of passes over the examples."`
	Batch     int      `default:"128" help:"Number of examples in a step."`
	LR        *float64 `name:"lr" placeholder:"RATE" help:"Learning rate at the beginning; it falls to 0 along a cosine, except with schedulefree-sgd and schedulefree-adamw. The default depends on the optimizer."`
	Optimizer string   `default:"adamw" help:"Optimizer, one of: ${optimizers} (adamw)."`
	Hidden    widths   `default:"512,512" placeholder:"N,N..." help:"Widths of the hidden layers (512,512)."`
	Seed      uint64   `default:"1" help:"Seed of the initial weights and of the order of the examples."`
	Examples  int      `default:"55000" help:"Number of examples to train on; 5000 others are used for validation."`

	runFlags `embed:"" set:"task=mnist"`
}

// validation is the number of examples kept from training.
const validation = 5000

// config returns what the flags ask for.
func (c *mnistCommand) config() config {
	rate := 1.0 // if the optimizer is unknown, check reports that and not the rate
	if one, err := findContender("--optimizer", c.Optimizer); c.LR != nil {
		rate = *c.LR
	} else if err == nil {
		rate = one.rate
	}
	return config{task, c.Hidden, c.Epochs, c.Batch, c.Optimizer, rate, c.Seed, c.Examples, c.Shards, c.Precision}
}

// Validate checks the flags; kong calls it.
func (c *mnistCommand) Validate() error {
	if err := c.runFlags.check(); err != nil {
		return err
	}
	asked := c.config()
	return asked.check(mnistTraining)
}

// loadMNIST returns the data sets. The tests, which run many commands in one process, decode them once.
var loadMNIST = mnist.Load

// mnistTraining is the number of examples to train on.
const mnistTraining = 60000 - validation

// Run trains.
func (c *mnistCommand) Run(env *environment) (err error) {
	c.takeCores(env)
	var settings config
	var folder *train.Folder
	if env.rank() == 0 {
		settings, folder, err = c.folder(env)
	}
	if err := env.share(&settings, err); err != nil {
		return err
	}
	if folder != nil {
		defer folder.Unlock()
	}
	begun := c.Resume != "" || folder == nil
	defer func() {
		if err != nil && !begun && env.ctx.Err() == nil {
			err = errors.Join(err, folder.Discard())
		}
	}()
	shards, err := env.spread(settings.Shards, c.ZeRO)
	if err != nil {
		return err
	}
	all, test, err := loadMNIST()
	if err != nil {
		return err
	}
	valid, rest, err := all.Split(validation, settings.Seed)
	if err != nil {
		return err
	}
	set, err := rest.Slice(0, settings.Examples)
	if err != nil {
		return err
	}
	model := newNetwork(settings.Hidden)
	if err := tarn.Init(model, settings.Seed); err != nil {
		return err
	}
	c.say(env, "network %v with %d weights; %d examples to train on, %d to validate, %d to test", widths(settings.Hidden), model.size(), set.Len(), valid.Len(), test.Len())
	if folder != nil {
		c.say(env, "run folder %s", file.Name(folder.Dir()))
	}

	optimizer, err := settings.optimizer()
	if err != nil {
		return err
	}
	loop := train.NewLoop(model.build, model, optimizer, set)
	loop.Epochs, loop.Batch, loop.Seed = settings.Epochs, settings.Batch, settings.Seed
	loop.Precision, loop.Shards = settings.Precision, shards
	loop.Valid, loop.Metrics, loop.Folder = valid, []train.Metric{&train.Accuracy{}}, folder
	if err := c.apply(loop, settings); err != nil {
		return err
	}
	if c.DryRun {
		return dryRun(env, loop)
	}
	drawn := time.Now()
	stepped, err := c.train(env, task, loop, func(p *train.Progress) error {
		if p.Record == nil || env.rank() > 0 || time.Since(drawn) < 10*time.Second {
			return nil
		}
		if err := errors.Join(draw(folder, loop), showSamples(env.ctx, folder, model, valid)); err != nil && env.ctx.Err() == nil { // else the next step ends the training
			return err
		}
		drawn = time.Now()
		return nil
	})
	begun = begun || stepped
	if err != nil {
		return err
	}
	if env.rank() > 0 {
		return nil
	}
	if err := draw(folder, loop); err != nil {
		return err
	}
	loss, accuracy, err := measure(env.ctx, nil, model, test)
	if err != nil {
		return err
	}
	if !finite(loss) {
		return fmt.Errorf("the loss on the test examples is %v: the weights are too large; try a lower learning rate", loss)
	}
	if err := showSamples(env.ctx, folder, model, valid); err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "test accuracy %.4f\n", accuracy)
	return nil
}

// draw draws the learning curve of the epochs so far, if any.
func draw(folder *train.Folder, loop *train.Loop) error {
	history := loop.History()
	if len(history) == 0 {
		return nil
	}
	return folder.Write("curve.png", func(w io.Writer) error { return curve.WritePNG(w, history) })
}

// folder makes the folder of a new run, or opens that of the run to resume.
func (c *mnistCommand) folder(env *environment) (config, *train.Folder, error) {
	if c.Resume != "" {
		return c.resume(env)
	}
	settings := c.config()
	settings.Shards = env.shards(c.Shards)
	folder, err := c.newFolder(env, task, settings)
	return settings, folder, err
}

// resume opens the folder of a run. The number of epochs may change; everything else stays as it was.
func (c *mnistCommand) resume(env *environment) (config, *train.Folder, error) {
	if err := c.refuse(env, "batch", "lr", "optimizer", "hidden", "seed", "examples", "shards", "precision"); err != nil {
		return config{}, nil, err
	}
	folder, settings, err := openMNIST(c.Resume, mnistTraining)
	if err != nil {
		return settings, nil, err
	}
	changed := env.given["epochs"] && c.Epochs != settings.Epochs
	if changed {
		settings.Epochs = c.Epochs
	}
	folder, err = c.resumeFolder(env, folder, settings, changed)
	return settings, folder, err
}
