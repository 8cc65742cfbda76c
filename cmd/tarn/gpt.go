package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/opticks"
	"github.com/seed-49005b45/tarn/data/text"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds train gpt.

// gptCommand has the flags of train gpt.
type gptCommand struct {
	Epochs  int     `default:"3" help:"Number of passes over the text."`
	Batch   int     `default:"32" help:"Number of pieces of text in a step."`
	LR      float64 `name:"lr" default:"0.002" placeholder:"RATE" help:"Largest learning rate (0.002); it rises in the first steps and falls to 0 along a cosine."`
	Layers  int     `default:"4" help:"Number of blocks, each attention and a network of two layers."`
	Heads   int     `default:"4" help:"Number of attention heads in a block."`
	Width   int     `default:"128" help:"Size of the vector for a character within the model; a multiple of --heads."`
	Context int     `default:"64" help:"Number of characters that the model sees at once."`
	Dropout float64 `default:"0" help:"Probability with which dropout zeroes a number in training."`
	Text    string  `placeholder:"FILE" help:"Text to train on, in UTF-8; by default Newton's Opticks, which is part of the program."`
	Seed    uint64  `default:"1" help:"Seed of the initial weights and of the order of the pieces."`

	runFlags `embed:"" set:"task=gpt"`
}

// gptConfig is a run of train gpt as config.json has it.
type gptConfig struct {
	Task       string        `json:"task"`
	Model      nn.GPTOptions `json:"model"`
	Characters string        `json:"characters"` // in the order of their numbers
	Text       string        `json:"text"`       // the file; "" for the Opticks
	Epochs     int           `json:"epochs"`
	Batch      int           `json:"batch"`
	Rate       float64       `json:"learning_rate"`
	Seed       uint64        `json:"seed"`
	Shards     int           `json:"shards,omitempty"` // of a batch: see train.Shards

	Precision tarn.Precision `json:"precision,omitempty"` // of products
}

const (
	gptTask   = "gpt"
	maxText   = 1 << 28 // bytes
	validText = 20      // the last 1/validText of the text is for validation
)

// check returns an error for a configuration that is impossible.
func (c *gptConfig) check() error {
	m := c.Model
	switch {
	case c.Epochs < 1 || c.Epochs > 1e6:
		return fmt.Errorf("--epochs is %d and should be from 1 to 1000000", c.Epochs)
	case c.Batch < 1 || c.Batch > 1<<16:
		return fmt.Errorf("--batch is %d and should be from 1 to %d", c.Batch, 1<<16)
	case !(c.Rate > 0) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("--lr is %v and should be a finite number above 0", c.Rate)
	case m.Layers < 1 || m.Layers > 1000:
		return fmt.Errorf("--layers is %d and should be from 1 to 1000", m.Layers)
	case m.Width < 1 || m.Width > maxWidth:
		return fmt.Errorf("--width is %d and should be from 1 to %d", m.Width, maxWidth)
	case m.Heads < 1 || m.Width%m.Heads != 0:
		return fmt.Errorf("--heads is %d and should divide the width %d", m.Heads, m.Width)
	case m.Context < 1 || m.Context > 1<<16:
		return fmt.Errorf("--context is %d and should be from 1 to %d", m.Context, 1<<16)
	case !(m.Dropout >= 0 && m.Dropout < 1):
		return fmt.Errorf("--dropout is %v and should be from 0 to below 1", m.Dropout)
	}
	return nil
}

// Validate checks the flags; kong calls it.
func (c *gptCommand) Validate() error {
	if err := c.runFlags.check(); err != nil {
		return err
	}
	asked := c.config()
	return asked.check()
}

// config returns what the flags ask for; the text determines the rest.
func (c *gptCommand) config() gptConfig {
	return gptConfig{
		Task: gptTask, Text: c.Text, Epochs: c.Epochs, Batch: c.Batch, Rate: c.LR, Seed: c.Seed, Shards: c.Shards, Precision: c.Precision,
		Model: nn.GPTOptions{Context: c.Context, Width: c.Width, Layers: c.Layers, Heads: c.Heads, Dropout: c.Dropout},
	}
}

// read returns the text to train on.
func (c *gptConfig) read() (string, error) {
	if c.Text == "" {
		return opticks.Text(), nil
	}
	bytes, err := file.Read(c.Text, maxText)
	return string(bytes), err
}

// sets cuts the text into pieces that overlap by half, to train on, and into others, to validate.
func (c *gptConfig) sets(words string, characters *text.Characters) (set, valid *data.Set, err error) {
	tokens, err := characters.Encode(words)
	if err != nil {
		return nil, nil, err
	}
	end := len(tokens) - len(tokens)/validText
	if set, err = text.Windows(tokens[:end], c.Model.Context, max(1, c.Model.Context/2)); err == nil {
		valid, err = text.Windows(tokens[end:], c.Model.Context, c.Model.Context)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: the text of %s is too short for a --context of %d: give a longer text or a smaller context",
			file.Name(cmp.Or(c.Text, "Newton's Opticks")), list.Count(len(tokens), "character"), c.Model.Context)
	}
	return set, valid, nil
}

// optimizer returns AdamW with a rate that rises over the first steps and then falls along a cosine.
func (c *gptConfig) optimizer(examples int) optim.Optimizer {
	steps := c.Epochs * ((examples + c.Batch - 1) / c.Batch)
	rise := max(1, min(100, steps/10))
	o := optim.NewAdamW(c.Rate)
	o.Rate = optim.Warmup{Steps: rise, Then: optim.Cosine{Rate: c.Rate, Steps: max(1, steps-rise)}}
	o.Beta2, o.WeightDecay, o.ClipNorm = 0.99, 0.1, 1
	o.Group(optim.Vectors).Decay = 0
	return o
}

// gptBuild describes the computation on n pieces of text: the loss is the mean cross-entropy of the next character, in nats.
func gptBuild(m *nn.GPT, context int) train.Build {
	return func(g *tarn.Graph, n int) tarn.Outputs {
		here, next := g.Input("text", tarn.I32, n, context), g.Input("next", tarn.I32, n, context)
		return tarn.Outputs{"loss": nn.CrossEntropy(m.Forward(here), next)}
	}
}

// gptLogits has the logits beside the loss.
func gptLogits(m *nn.GPT, context int) train.Build {
	return func(g *tarn.Graph, n int) tarn.Outputs {
		here, next := g.Input("text", tarn.I32, n, context), g.Input("next", tarn.I32, n, context)
		logits := m.Forward(here)
		return tarn.Outputs{"loss": nn.CrossEntropy(logits, next), "prediction": logits}
	}
}

// Run trains.
func (c *gptCommand) Run(env *environment) (err error) {
	c.takeCores(env)
	var settings gptConfig
	var words string
	var folder *train.Folder
	if env.rank() == 0 {
		settings, words, folder, err = c.folder(env)
	}
	if err := env.share(&settings, err); err != nil {
		return err
	}
	if env.rank() > 0 {
		if words, err = settings.read(); err != nil {
			return err
		}
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
	characters, err := text.NewCharacters(settings.Characters)
	if err != nil {
		return err
	}
	set, valid, err := settings.sets(words, characters)
	if err != nil {
		return err
	}
	model := nn.NewGPT(settings.Model)
	if err := tarn.Init(model, settings.Seed); err != nil {
		return err
	}
	if !c.Quiet {
		params, err := tarn.Params(model)
		if err != nil {
			return err
		}
		size := 0
		for _, p := range params.All() {
			size += p.Tensor().Size()
		}
		fmt.Fprintf(env.stdout, "gpt with %d layers, %d heads, %d wide, %d weights; %d characters of context, %d kinds; %d pieces to train on, %d to validate\n",
			settings.Model.Layers, settings.Model.Heads, settings.Model.Width, size, settings.Model.Context, characters.Len(), set.Len(), valid.Len())
		if folder != nil {
			fmt.Fprintf(env.stdout, "run folder %s\n", file.Name(folder.Dir()))
		}
	}
	loop := train.NewLoop(gptBuild(model, settings.Model.Context), model, settings.optimizer(set.Len()), set)
	loop.Epochs, loop.Batch, loop.Seed, loop.Valid, loop.Folder, loop.CheckpointEvery = settings.Epochs, settings.Batch, settings.Seed, valid, folder, 500
	loop.Precision, loop.Shards = settings.Precision, shards
	loop.Target = "next"
	if err := c.apply(loop, settings); err != nil {
		return err
	}
	if c.DryRun {
		return dryRun(env, loop)
	}
	stepped, err := c.train(env, gptTask, loop, nil)
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
	loss, err := lastLoss(env, loop)
	if err != nil {
		return err
	}
	prompt := "TEXT"
	if settings.Text == "" {
		prompt = `"The Rays of Light"`
	}
	c.say(env, "write text with: tarn generate %s --prompt %s", file.Name(folder.Dir()), prompt)
	fmt.Fprintf(env.stdout, "validation loss %.4f\n", loss)
	return nil
}

// lastLoss returns the validation loss of the last epoch. A finished run may have lost its record; then it is measured.
func lastLoss(env *environment, loop *train.Loop) (float64, error) {
	if history := loop.History(); len(history) > 0 && history[len(history)-1].Epoch == loop.Epochs {
		return history[len(history)-1].ValLoss, nil
	}
	eval, err := train.NewEval(loop.Build)
	if err != nil {
		return 0, err
	}
	return eval.Measure(env.ctx, loop.Valid, loop.Batch, "next")
}

// folder makes the folder of a new run, or opens that of the run to resume, and returns the text.
func (c *gptCommand) folder(env *environment) (settings gptConfig, words string, folder *train.Folder, err error) {
	if c.Resume != "" {
		return c.resume(env)
	}
	settings = c.config()
	settings.Shards = env.shards(c.Shards)
	if words, err = settings.read(); err != nil {
		return settings, "", nil, err
	}
	characters, err := text.NewCharacters(words)
	if err != nil {
		return settings, "", nil, fmt.Errorf("%s: %w", settings.Text, err)
	}
	settings.Characters, settings.Model.Vocabulary = characters.String(), characters.Len()
	if _, _, err := settings.sets(words, characters); err != nil {
		return settings, "", nil, err
	}
	folder, err = c.newFolder(env, gptTask, settings)
	return settings, words, folder, err
}

// resume opens the folder of a run. The number of epochs may change; everything else stays as it was.
func (c *gptCommand) resume(env *environment) (settings gptConfig, words string, folder *train.Folder, err error) {
	if err := c.refuse(env, "batch", "lr", "layers", "heads", "width", "context", "dropout", "text", "seed", "shards", "precision"); err != nil {
		return settings, "", nil, err
	}
	settings, folder, err = openGPT(c.Resume)
	if err != nil {
		return settings, "", nil, err
	}
	if words, err = settings.read(); err != nil {
		return settings, "", nil, err
	}
	changed := env.given["epochs"] && c.Epochs != settings.Epochs
	if changed {
		settings.Epochs = c.Epochs
	}
	folder, err = c.resumeFolder(env, folder, settings, changed)
	return settings, words, folder, err
}

// openGPT reads the configuration of a run.
func openGPT(dir string) (settings gptConfig, folder *train.Folder, err error) {
	if folder, err = openRun(dir, gptTask, &settings); err != nil {
		return settings, nil, err
	}
	if err := settings.check(); err != nil {
		return settings, nil, fmt.Errorf("%s: %w", file.Name(folder.Path("config.json")), err)
	}
	characters, err := text.NewCharacters(settings.Characters)
	if err == nil && (characters.Len() == 0 || characters.Len() != settings.Model.Vocabulary) {
		err = fmt.Errorf("there are %d characters and a vocabulary of %d", characters.Len(), settings.Model.Vocabulary)
	}
	if err != nil {
		return settings, nil, fmt.Errorf("%s: %w", file.Name(folder.Path("config.json")), err)
	}
	return settings, folder, nil
}
