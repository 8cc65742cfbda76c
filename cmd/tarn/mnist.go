package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/train/curve"
	"github.com/seed-49005b45/tarn/train/progress"
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
	Threads   int      `placeholder:"N" help:"Number of processor cores to use; all by default. It does not change the result."`
	Out       string   `placeholder:"DIR" help:"Folder of the run; by default the first of runs/mnist-1, runs/mnist-2, ... that does not exist."`
	Resume    string   `placeholder:"DIR" help:"Resume the run in this folder. Only --epochs, --checkpoints, --threads, --zero, --engine, --restart, --quiet and what the run is watched by may be set beside it."`
	Restart   bool     `help:"Start over in the folder of --resume or --out, and delete the checkpoints, weights, log and records that it has."`
	Quiet     bool     `short:"q" help:"Print only the result."`

	precisionFlag
	rankFlags
	engineFlags
	lookFlags
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
	cores := runtime.NumCPU()
	switch {
	case c.Threads < 0 || c.Threads > 1024:
		return fmt.Errorf("--threads is %d and should be from 1 to 1024; this machine has %d cores", c.Threads, cores)
	case c.Checkpoints < 1 || c.Checkpoints > 100:
		return fmt.Errorf("--checkpoints is %d and should be from 1 to 100", c.Checkpoints)
	case c.Resume != "" && c.Out != "":
		return errors.New("--out and --resume exclude each other: a resumed run stays in its folder")
	case c.Watch < 0 || c.Watch > 1e9:
		return fmt.Errorf("--watch is %d and should be from 0 to 1000000000", c.Watch)
	case c.Restart && c.Resume == "" && c.Out == "":
		return errors.New("--restart needs the folder of a run: set --resume to keep its settings, or --out")
	}
	if err := c.rankFlags.check(); err != nil {
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
	if c.Threads > 0 {
		runtime.GOMAXPROCS(c.Threads)
	} else {
		env.shareCores()
	}
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
	say := func(format string, args ...any) {
		if !c.Quiet {
			fmt.Fprintf(env.stdout, format+"\n", args...)
		}
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
	say("network %v with %d weights; %d examples to train on, %d to validate, %d to test", widths(settings.Hidden), model.size(), set.Len(), valid.Len(), test.Len())
	if folder != nil {
		say("run folder %s", file.Name(folder.Dir()))
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
	display := progress.New(env.stdout)
	drawn := time.Now()
	for p, err := range loop.Run(env.ctx) {
		if err != nil {
			display.Close()
			if errors.Is(err, context.Canceled) && folder != nil {
				err = errors.Join(draw(folder, loop), fmt.Errorf("%w\nresume with: tarn train mnist --resume %s", err, file.Name(folder.Dir())))
			}
			return agreedError{err}
		}
		begun = true
		if !c.Quiet {
			display.Show(p)
		}
		if p.Record != nil && env.rank() == 0 && time.Since(drawn) > 10*time.Second {
			if err := errors.Join(draw(folder, loop), showSamples(env.ctx, folder, model, valid)); err != nil && env.ctx.Err() == nil { // else the next step ends the training
				return err
			}
			drawn = time.Now()
		}
	}
	display.Close()
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
	if c.DryRun {
		return settings, nil, nil
	}
	dir := c.Out
	for n := 1; dir == ""; n++ {
		if _, err := os.Lstat(fmt.Sprintf("runs/mnist-%d", n)); errors.Is(err, os.ErrNotExist) {
			dir = fmt.Sprintf("runs/mnist-%d", n)
		} else if err != nil {
			return settings, nil, err
		}
	}
	folder, err := createFolder(env, dir, settings, c.Restart)
	return settings, folder, err
}

// createFolder makes the folder of a new run and locks it. If restart is set, it may hold another, which is deleted.
func createFolder(env *environment, dir string, settings any, restart bool) (*train.Folder, error) {
	create := train.CreateFolder
	if restart {
		create = train.RestartFolder
	}
	folder, err := create(dir, settings)
	if err != nil {
		return nil, err
	}
	return folder, lockFolder(env, folder)
}

// lockFolder locks the folder of a run, for the process to train in it.
func lockFolder(env *environment, folder *train.Folder) error {
	folder.ErrorLog = log.New(printableWriter{env.stderr}, "tarn: ", 0)
	return folder.Lock()
}

// resumeFolder locks the folder of a run to resume, and writes its settings if they have changed. If restart is set, the run
// is deleted and begins again.
func resumeFolder(env *environment, folder *train.Folder, settings any, changed, restart bool) (*train.Folder, error) {
	if restart {
		return createFolder(env, folder.Dir(), settings, true)
	}
	err := lockFolder(env, folder)
	if err == nil && changed {
		err = folder.SetOptions(settings)
	}
	return folder, err
}

// resume opens the folder of a run. The number of epochs may change; everything else stays as it was.
func (c *mnistCommand) resume(env *environment) (config, *train.Folder, error) {
	for _, name := range []string{"batch", "lr", "optimizer", "hidden", "seed", "examples", "shards", "precision"} {
		if env.given[name] {
			return config{}, nil, usageError{fmt.Errorf("--%s cannot be set with --resume: the run in %s keeps its settings", name, c.Resume)}
		}
	}
	folder, settings, err := openMNIST(c.Resume, mnistTraining)
	if err != nil {
		return settings, nil, err
	}
	changed := env.given["epochs"] && c.Epochs != settings.Epochs
	if changed {
		settings.Epochs = c.Epochs
	}
	if c.DryRun {
		return settings, nil, nil
	}
	folder, err = resumeFolder(env, folder, settings, changed, c.Restart)
	return settings, folder, err
}
