package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/train/progress"
)

// This file holds what train mnist and train gpt share: the flags of a run, its folder, and the loop.

// runFlags are the flags of a training that has a folder. The variable task is the last word of the command.
type runFlags struct {
	Threads int    `placeholder:"N" help:"Number of processor cores to use; all by default. It does not change the result."`
	Out     string `placeholder:"DIR" help:"Folder of the run; by default the first of runs/${task}-1, runs/${task}-2, ... that does not exist."`
	Resume  string `placeholder:"DIR" help:"Resume the run in this folder. Only --epochs, --checkpoints, --threads, --zero, --engine, --restart, --quiet and what the run is watched by may be set beside it."`
	Restart bool   `help:"Start over in the folder of --resume or --out, and delete the checkpoints, weights, log and records that it has."`
	Quiet   bool   `short:"q" help:"Print only the result."`

	precisionFlag
	rankFlags
	engineFlags
	lookFlags
}

// check checks the flags.
func (c *runFlags) check() error {
	switch {
	case c.Threads < 0 || c.Threads > 1024:
		return fmt.Errorf("--threads is %d and should be from 1 to 1024; this machine has %d cores", c.Threads, runtime.NumCPU())
	case c.Checkpoints < 1 || c.Checkpoints > 100:
		return fmt.Errorf("--checkpoints is %d and should be from 1 to 100", c.Checkpoints)
	case c.Resume != "" && c.Out != "":
		return errors.New("--out and --resume exclude each other: a resumed run stays in its folder")
	case c.Watch < 0 || c.Watch > 1e9:
		return fmt.Errorf("--watch is %d and should be from 0 to 1000000000", c.Watch)
	case c.Restart && c.Resume == "" && c.Out == "":
		return errors.New("--restart needs the folder of a run: set --resume to keep its settings, or --out")
	}
	return c.rankFlags.check()
}

// takeCores sets how many cores the training uses.
func (c *runFlags) takeCores(env *environment) {
	if c.Threads > 0 {
		runtime.GOMAXPROCS(c.Threads)
	} else {
		env.shareCores()
	}
}

// say prints a line unless --quiet is set.
func (c *runFlags) say(env *environment, format string, args ...any) {
	if !c.Quiet {
		fmt.Fprintf(env.stdout, format+"\n", args...)
	}
}

// newFolder makes the folder of a new run, which a dry run does without.
func (c *runFlags) newFolder(env *environment, task string, settings any) (*train.Folder, error) {
	if c.DryRun {
		return nil, nil
	}
	dir := c.Out
	for n := 1; dir == ""; n++ {
		name := fmt.Sprintf("runs/%s-%d", task, n)
		if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
			dir = name
		} else if err != nil {
			return nil, err
		}
	}
	return createFolder(env, dir, settings, c.Restart)
}

// refuse returns an error if one of the flags is given, which a resumed run keeps as they were.
func (c *runFlags) refuse(env *environment, flags ...string) error {
	for _, name := range flags {
		if env.given[name] {
			return usageError{fmt.Errorf("--%s cannot be set with --resume: the run in %s keeps its settings", name, c.Resume)}
		}
	}
	return nil
}

// resumeFolder locks the folder of a run to resume, and writes its settings if they have changed. With --restart the run is deleted and begins
// again, and a dry run does without the folder.
func (c *runFlags) resumeFolder(env *environment, folder *train.Folder, settings any, changed bool) (*train.Folder, error) {
	switch {
	case c.DryRun:
		return nil, nil
	case c.Restart:
		return createFolder(env, folder.Dir(), settings, true)
	}
	err := lockFolder(env, folder)
	if err == nil && changed {
		err = folder.SetOptions(settings)
	}
	return folder, err
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

// train runs the loop and shows its progress; after, which may be nil, is called after each step. It reports whether there was a step.
func (c *runFlags) train(env *environment, task string, loop *train.Loop, after func(p *train.Progress) error) (stepped bool, err error) {
	display := progress.New(env.stdout)
	defer display.Close()
	for p, err := range loop.Run(env.ctx) {
		if err != nil {
			if folder := loop.Folder; errors.Is(err, context.Canceled) && folder != nil {
				err = errors.Join(draw(folder, loop), fmt.Errorf("%w\nresume with: tarn train %s --resume %s", err, task, file.Name(folder.Dir())))
			}
			return stepped, agreedError{err}
		}
		stepped = true
		if !c.Quiet {
			display.Show(p)
		}
		if after != nil {
			if err := after(p); err != nil {
				return stepped, err
			}
		}
	}
	if !stepped && env.rank() == 0 {
		c.say(env, "the run has finished: a larger --epochs trains it further, --restart trains it again")
	}
	return stepped, nil
}
