// Command tarn trains, evaluates and inspects neural networks.
//
// This file holds the command line: its grammar, the exit codes and what Ctrl-C does. Each command has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/internal/list"
)

// The exit codes.
const (
	exitFailure     = 1   // something went wrong
	exitUsage       = 2   // the command line is wrong
	exitInterrupted = 130 // Ctrl-C or another signal to end, after a checkpoint: 128 + SIGINT, as in shells
)

// commandLine is the grammar.
type commandLine struct {
	Version versionFlag `help:"Print the version, the revision, how the program was built, and the level of its kernels, then end. A build with CGO_ENABLED=0 is one static binary."`

	Fit       fitCommand       `cmd:"" help:"Make a model of a table: find out what its columns are, learn to predict one of them, and judge the answers."`
	Search    searchCommand    `cmd:"" help:"Look for the settings with which tarn fit makes the best model of a table: at random, with more time for the better ones."`
	Train     trainCommand     `cmd:"" help:"Train a network, and show its loss as it learns."`
	Runs      runsCommand      `cmd:"" help:"List and compare runs."`
	Eval      evalCommand      `cmd:"" help:"Measure a trained network on held-out data."`
	Predict   predictCommand   `cmd:"" help:"Answer the rows of a table with a model that tarn fit made, or read digits with a network that tarn train mnist made."`
	Evaluate  evaluateCommand  `cmd:"" help:"Measure how good a model's answers are about a table whose targets are known."`
	Serve     serveCommand     `cmd:"" help:"Answer over HTTP with models that tarn fit made."`
	Export    exportCommand    `cmd:"" help:"Write a model that tarn fit made as an ONNX file, or the weights of a model as safetensors."`
	Import    importCommand    `cmd:"" help:"Tell what an ONNX file has: inputs, outputs, free axes, operators and weights, and which operators are missing."`
	Generate  generateCommand  `cmd:"" help:"Write text with a trained language model."`
	Inspect   inspectCommand   `cmd:"" help:"List the weights in a safetensors file, or tell what a model of a table is."`
	Board     boardCommand     `cmd:"" help:"Show runs in the browser: curves, the flow of gradients through the layers, verdicts, pictures; live while they train."`
	Bench     benchCommand     `cmd:"" help:"Measure how fast Tarn is here, on standard workloads."`
	Scale     scaleCommand     `cmd:"" help:"Predict how a training gets faster with more machines, from the speed of this one and of the network."`
	Minimize  minimizeCommand  `cmd:"" help:"Find the minimum of a formula."`
	Grad      gradCommand      `cmd:"" help:"Differentiate a formula."`
	Fitcurve  fitcurveCommand  `cmd:"" help:"Fit a curve to data by nonlinear least squares."`
	LR        lrCommand        `cmd:"" name:"lr" help:"Find a learning rate for the MNIST network by a test that raises it at every step."`
	Sharpness sharpnessCommand `cmd:"" help:"Measure the curvature of a trained network's loss: extremal eigenvalues of its Hessian, trace and spectral density."`
	Check     checkCommand     `cmd:"" help:"Look at a network and a batch before a training: data, weights, loss and flow at the start, and whether it can learn; or compare a table with what a model has learned from."`
	Doctor    doctorCommand    `cmd:"" help:"Judge a training by its records: what is wrong, where, and what helps."`
	Landscape landscapeCommand `cmd:"" help:"Draw the ground of a training: the loss on a plane through the weights, the path over it, and the curvature along the way."`
	Race      raceCommand      `cmd:"" help:"Train the MNIST network with several optimizers in turn, and draw their losses."`
}

// trainCommand groups what can be trained.
type trainCommand struct {
	MNIST  mnistCommand  `cmd:"" name:"mnist" help:"Train a network of linear layers with ReLU to recognize handwritten digits. The MNIST database is part of the program."`
	GPT    gptCommand    `cmd:"" name:"gpt" help:"Train a transformer to predict the next character of a text, by default Newton's Opticks."`
	Linreg linregCommand `cmd:"" name:"linreg" help:"Fit a line by gradient descent, the smallest possible training."`
}

// environment is what a command gets from its caller.
type environment struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer       // for notes beside the result
	args   []string        // the command line
	comm   dist.Comm       // the ranks that run the command, or nil
	given  map[string]bool // the names of the flags that are on the command line
}

// usageError is a mistake on the command line that is found only when the command runs.
type usageError struct{ error }

func main() {
	collectLater()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if len(os.Args) < 2 || os.Args[1] != "serve" { // which reads its models again
		ctx = withHangup(ctx)
	}
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(mainRanks(func(c dist.Comm, stdout, stderr io.Writer) (int, bool) {
		return runRank(ctx, c, os.Args[1:], stdout, stderr)
	}))
}

// leave is the panic by which kong ends the program after --help.
type leave int

// run runs the command with everything it depends on, and returns the exit code.
func run(ctx context.Context, args []string, out, stderr io.Writer) (code int) {
	code, _ = runRank(ctx, nil, args, out, stderr)
	return code
}

// runRank is run on one of several ranks; c is nil if there are none. An exit code is agreed if all ranks return it.
func runRank(ctx context.Context, c dist.Comm, args []string, out, stderr io.Writer) (code int, agreed bool) {
	stdout := &output{w: out}
	defer func() {
		if code == 0 && stdout.err != nil {
			code = complain(ctx, stderr, stdout.err)
		}
	}()
	defer func() {
		if r := recover(); r != nil {
			exit, ok := r.(leave)
			if !ok {
				panic(r)
			}
			code, agreed = int(exit), true
			if different := sameCommand(c, "--help", nil); different != nil {
				code = complain(ctx, stderr, different)
			}
		}
	}()
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	var line commandLine
	grammar, finish := grammarFor(args, &line)
	parser, err := kong.New(grammar, append(numbers(),
		kong.Name("tarn"), kong.Description("Tarn trains neural networks. If a flag is given more than once, the last one counts."),
		kong.Vars{"optimizers": strings.Join(contenderNames(), ", ")},
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(leave(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}))...)
	if err != nil {
		fmt.Fprintf(stderr, "tarn: %v\n", err)
		return exitFailure, true
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(shieldFormula(parser.Model, args))
	if stdout.err != nil { // of the help
		return complain(ctx, stderr, stdout.err), false
	}
	var given map[string]bool
	name := ""
	if err == nil {
		finish()
		name = parsed.Command()
		given, err = checkGiven(parsed, &line)
	}
	if err := sameCommand(c, name, err); err != nil {
		return complain(ctx, stderr, usageError{err}), true
	}
	env := &environment{ctx: ctx, stdout: stdout, stderr: stderr, args: args, given: given, comm: c}
	if env.ranks() > 1 && !slices.ContainsFunc(shared, func(c string) bool { return strings.HasPrefix(parsed.Command()+" ", c+" ") }) {
		return complain(ctx, stderr, usageError{fmt.Errorf("%d processes were started, and only %s share their work between processes", env.ranks(), list.Names(shared))}), true
	}
	if err := useEngine(parsed); err != nil {
		return complain(ctx, stderr, err), true
	}
	if err := parsed.Run(env); err != nil {
		var common agreedError
		return complain(ctx, stderr, err), errors.As(err, &common)
	}
	return 0, true
}

// shared are the commands that share their work between ranks.
var shared = []string{"train mnist", "train gpt", "eval", "evaluate", "predict", "scale"}

// valueOf returns the value of an argument on the command line, nil for the word of a command.
func valueOf(p *kong.Path) *kong.Value {
	switch {
	case p.Flag != nil:
		return p.Flag.Value
	case p.Positional != nil:
		return p.Positional
	}
	return nil
}

// complain prints an error and returns its exit code.
func complain(ctx context.Context, stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "tarn: %s\n", printable(err.Error()))
	var usage usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "tarn: see tarn --help, or --help after a command")
		return exitUsage
	case ctx.Err() != nil || errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitFailure
}
