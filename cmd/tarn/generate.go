package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"unicode"

	"github.com/seed-49005b45/tarn/data/text"
	"github.com/seed-49005b45/tarn/nn"
)

// This file holds generate, which writes text with a trained language model.

// generateCommand has the arguments of generate.
type generateCommand struct {
	Dir         string  `arg:"" name:"run" help:"Folder of a run of train gpt."`
	Prompt      string  `default:"The " help:"Text to continue; its characters must occur in the training text."`
	Length      int     `default:"500" help:"Number of characters to write."`
	Temperature float64 `default:"0.8" help:"Temperature of the draws: 0 always writes the likeliest character, 1 draws from the model's distribution."`
	TopK        int     `name:"top-k" default:"0" help:"Draw among this number of the likeliest characters; 0 means all."`
	Seed        uint64  `default:"1" help:"Seed of the draws."`
	Threads     int     `placeholder:"N" help:"Number of processor cores to use; all by default."`
	engineFlags
}

// Validate checks the flags; kong calls it.
func (c *generateCommand) Validate() error {
	switch {
	case c.Length < 1 || c.Length > 1e9:
		return fmt.Errorf("--length is %d and should be from 1 to 1000000000", c.Length)
	case !(c.Temperature >= 0) || math.IsInf(c.Temperature, 0):
		return fmt.Errorf("--temperature is %v and should be a finite number, not negative", c.Temperature)
	case c.TopK < 0 || c.TopK > unicode.MaxRune:
		return fmt.Errorf("--top-k is %d and should be from 1 to the number of characters that the model knows, or 0 for all", c.TopK)
	case c.Prompt == "":
		return fmt.Errorf("--prompt is empty and should have at least one character")
	case c.Threads < 0 || c.Threads > 1024:
		return fmt.Errorf("--threads is %d and should be from 1 to 1024", c.Threads)
	}
	return nil
}

// loadGPT reads the language model of a run, and the characters that it knows.
func loadGPT(dir string) (*nn.GPT, *text.Characters, error) {
	settings, folder, err := openGPT(dir)
	if err != nil {
		return nil, nil, err
	}
	characters, err := text.NewCharacters(settings.Characters)
	if err != nil {
		return nil, nil, err
	}
	model := nn.NewGPT(settings.Model)
	_, err = folder.LoadWeights(model)
	return model, characters, err
}

// Run writes the prompt and what follows it, each character as it comes.
func (c *generateCommand) Run(env *environment) error {
	if c.Threads > 0 {
		runtime.GOMAXPROCS(c.Threads)
	}
	model, characters, err := loadGPT(c.Dir)
	if err != nil {
		return err
	}
	if c.TopK > characters.Len() {
		return usageError{fmt.Errorf("--top-k is %d, and the model knows %d characters; 0 means all", c.TopK, characters.Len())}
	}
	prompt, err := characters.Encode(c.Prompt)
	if err != nil {
		return usageError{fmt.Errorf("--prompt: %w", err)}
	}
	writer, err := model.NewGenerator(c.Seed)
	if err != nil {
		return err
	}
	writer.Temperature, writer.TopK = c.Temperature, c.TopK
	if err := writer.Read(prompt...); err != nil {
		return err
	}
	shown := func(text string) string { return text }
	if isTerminal(env.stdout) {
		shown = printable // the characters are those of the run's folder, which may come from anywhere
	}
	if _, err := fmt.Fprint(env.stdout, shown(c.Prompt)); err != nil {
		return err
	}
	for range c.Length {
		if env.ctx.Err() != nil {
			fmt.Fprintln(env.stdout)
			return context.Cause(env.ctx)
		}
		token, err := writer.Write()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprint(env.stdout, shown(characters.Decode(token))); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(env.stdout)
	return err
}
