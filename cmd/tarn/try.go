package main

import (
	"bytes"
	"fmt"
	"go/format"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/doctor/remedy"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds doctor --try, which tries remedies on a run of train mnist.

// remedyFile is the program in a run's folder that trains with the best remedy.
const remedyFile = "remedy.go"

// try trains the network of a run for a short budget, as it is and with each remedy, those that the verdicts advise first.
func (c *doctorCommand) try(env *environment, verdicts []watch.Verdict) error {
	t, settings, one, err := c.training()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "\ntrying %d remedies, each on %d examples in %d epochs from the same weights in the same order; measured on %d of the validation examples\n\n",
		len(remedy.Table), t.Train.Len(), t.Epochs, t.Valid.Len())
	report, err := remedy.Try(env.ctx, t, remedy.Ordered(verdicts))
	if err != nil {
		return err
	}
	fmt.Fprint(env.stdout, printable(report.String()))
	best := report.Best()
	if best == nil {
		fmt.Fprintln(env.stdout, "\nnone of them helps in so short a training")
		return nil
	}
	program, err := program(best, settings, one, report)
	if err != nil {
		return err
	}
	path := filepath.Join(c.Dir, remedyFile)
	if err := file.Replace(file.Disk, path, func(w io.Writer) error { _, err := w.Write(program); return err }); err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "\nbest: %s; %s is a program that trains so, and says how to use it\n", best.Remedy.Name, file.Name(path))
	return nil
}

// training is that of the run for a short budget.
func (c *doctorCommand) training() (t *remedy.Training, settings *config, one contender, err error) {
	fail := func(err error) (*remedy.Training, *config, contender, error) { return nil, nil, one, err }
	of, err := taskOf(c.Dir)
	if err != nil {
		return fail(err)
	}
	if of != task {
		return fail(fmt.Errorf("%s is a run of train %s, and --try knows those of train %s; for a model of your own, package doctor/remedy does the same", file.Name(c.Dir), of, task))
	}
	_, found, err := openMNIST(c.Dir, math.MaxInt)
	if err != nil {
		return fail(err)
	}
	settings = &found
	all, _, err := mnist.Load()
	if err != nil {
		return fail(err)
	}
	valid, rest, err := all.Split(validation, settings.Seed)
	if err != nil {
		return fail(err)
	}
	if valid, err = valid.Slice(0, 2000); err != nil {
		return fail(err)
	}
	set, err := rest.Slice(0, min(settings.Examples, mnistTraining, c.Updates*settings.Batch))
	if err != nil {
		return fail(err)
	}
	if one, err = findContender("--optimizer", settings.Optimizer); err != nil {
		return fail(err)
	}
	model, err := initialized(settings.Hidden, settings.Seed)
	if err != nil {
		return fail(err)
	}
	perEpoch := (set.Len() + settings.Batch - 1) / settings.Batch
	return &remedy.Training{
		Model:     model.chain(),
		Loss:      func(y, target *tarn.Value) *tarn.Value { return nn.CrossEntropy(y, target) },
		Optimizer: func(rate float64, updates int) optim.Optimizer { return one.make(one.schedule(rate, updates)) },
		Rate:      settings.Rate, Train: set, Valid: valid, Input: "image", Target: "label",
		Batch: settings.Batch, Epochs: max(1, c.Updates/perEpoch), Seed: settings.Seed,
	}, settings, one, nil
}

// chain is the network as a Sequential with the same weights.
func (m *network) chain() *nn.Sequential {
	s := nn.NewSequential()
	for i, l := range m.Layers {
		if i > 0 {
			s.Layers = append(s.Layers, nn.ReLU{})
		}
		s.Layers = append(s.Layers, l)
	}
	return s
}

// code is the optimizer at a rate as Go: the expression that makes it, and what to set.
func (c *contender) code() (expression string, settings []string) {
	switch c.name {
	case "momentum":
		return "optim.NewMomentum(rate)", nil
	case "nesterov":
		return "optim.NewNesterov(rate)", nil
	case "amsgrad":
		return "optim.NewAdam(rate)", []string{"optimizer.AMSGrad = true"}
	case "muon":
		return "optim.NewMuon(rate)", []string{"optimizer.Group(optim.Not(optimizer.Match)).Rate = 0.05"}
	}
	return fmt.Sprintf("optim.New%s(rate)", strings.TrimPrefix(fmt.Sprintf("%T", c.make(optim.Constant(1))), "*optim.")), nil
}

// flagsOf is the command line that trains so, or "" if there is none.
func flagsOf(best *remedy.Trial, settings *config) string {
	if !slices.Contains([]string{"rate / 10", "rate x 10", "rate of the range test", "batches x 8"}, best.Remedy.Name) {
		return ""
	}
	s := best.Source()
	var hidden []string
	for _, n := range settings.Hidden {
		hidden = append(hidden, strconv.Itoa(n))
	}
	return fmt.Sprintf("tarn train mnist --hidden %s --optimizer %s --lr %g --batch %d --epochs %d --seed %d --examples %d",
		strings.Join(hidden, ","), settings.Optimizer, s.Rate, s.Batch, settings.Epochs, settings.Seed, settings.Examples)
}

// program is a program that trains as the best trial did, but for all epochs of the run.
func program(best *remedy.Trial, settings *config, one contender, report *remedy.Report) ([]byte, error) {
	s := best.Source()
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	lines := func(all []string) {
		for _, l := range all {
			p("%s", l)
		}
	}
	comment := func(text string) {
		for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			p("//\t%s", l)
		}
	}
	p("// Command remedy trains the MNIST network with the remedy that helped best in a short trial: %s.\n//", best.Remedy.Name)
	comment(report.String())
	p("//\n// To use it, copy it as remedy.go into a module that requires %s, and go run remedy.go.", "github.com/seed-49005b45/tarn")
	if flags := flagsOf(best, settings); flags != "" {
		p("// The command itself does the same:\n//\n//\t%s", flags)
	}
	for _, n := range s.Notes {
		p("//\n// Changed: %s.", n)
	}
	p("package main\n\nimport (\n\"context\"\n\"fmt\"\n\"log\"\n\"math\"\n")
	for _, name := range []string{"", "/data/mnist", "/doctor/remedy", "/nn", "/optim", "/train"} {
		if name == "/doctor/remedy" && !strings.Contains(s.Model, "remedy.") {
			continue
		}
		p("%q", "github.com/seed-49005b45/tarn"+name)
	}
	p(")\n\nfunc main() {")
	p("all, test, err := mnist.Load()\ncheck(err)\nvalid, rest, err := all.Split(%d, %d)\ncheck(err)\nset := must(rest.Slice(0, %d))", validation, settings.Seed, settings.Examples)
	lines(s.Data)
	p("const rate, batch, epochs = %g, %d, %d", s.Rate, s.Batch, settings.Epochs)
	p("updates := epochs * int(math.Ceil(float64(set.Len())/batch))\n")
	p("model := %s", s.Model)
	lines(s.Init)
	p("check(tarn.Init(model, %d))", settings.Seed)
	lines(s.Ready)
	p("build := func(g *tarn.Graph, n int) tarn.Outputs {")
	p("y := model.Forward(g.Input(\"image\", tarn.F32, n, mnist.Height*mnist.Width))")
	p("return tarn.Outputs{\"loss\": nn.CrossEntropy(y, g.Input(\"label\", tarn.I32, n)), \"prediction\": y}\n}\n")
	if s.Optimizer != "" {
		p("optimizer := %s\n_, _ = rate, updates", s.Optimizer)
	} else {
		expression, set := one.code()
		p("optimizer := %s", expression)
		lines(set)
		if strings.HasPrefix(one.name, "schedulefree") {
			p("optimizer.Rate = optim.Warmup{Steps: max(1, updates/20), Then: optim.Constant(rate)}")
		} else {
			p("optimizer.Rate = optim.Cosine{Rate: rate, Steps: updates}")
		}
	}
	lines(s.Tune)
	p("loop := train.NewLoop(build, model, optimizer, set)")
	p("loop.Valid, loop.Epochs, loop.Batch, loop.Seed = valid, epochs, batch, %d", settings.Seed)
	p("loop.Metrics = []train.Metric{&train.Accuracy{}}")
	lines(s.Loop)
	p("for p, err := range loop.Run(context.Background()) {\ncheck(err)\nif r := p.Record; r != nil {\nfmt.Printf(\"epoch %%d: training loss %%.4f, validation loss %%.4f\\n\", r.Epoch, r.TrainLoss, r.ValLoss)\n}\n}")
	p("accuracy := &train.Accuracy{}\nloss := must(must(train.NewEval(build)).Measure(context.Background(), test, 500, \"label\", accuracy))")
	p("fmt.Printf(\"test loss %%.4f, accuracy %%.4f\\n\", loss, accuracy.Value())\n}\n")
	p("func check(err error) {\nif err != nil {\nlog.Fatal(err)\n}\n}\n\nfunc must[T any](x T, err error) T {\ncheck(err)\nreturn x\n}")
	return format.Source(b.Bytes())
}
