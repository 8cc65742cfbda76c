package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/seed-49005b45/tarn/internal/decimal"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds what all flags have in common: numbers are decimal, and a flag that has no effect beside the others is refused. Of a flag
// that is given twice the last one counts, as the help says.

// numbers are the options that read numbers. Kong itself takes 0x10, 010 (as 8) and 1_000 for numbers.
func numbers() []kong.Option {
	read := func(set func(text string, target reflect.Value) error) kong.MapperFunc {
		return func(ctx *kong.DecodeContext, target reflect.Value) error {
			token, err := ctx.Scan.PopValue("number")
			if err != nil {
				return err
			}
			return set(fmt.Sprint(token.Value), target)
		}
	}
	return []kong.Option{
		kong.KindMapper(reflect.Int, read(setInt)),
		kong.KindMapper(reflect.Uint64, read(setUint)),
		kong.KindMapper(reflect.Float64, read(setFloat)),
	}
}

func setInt(text string, target reflect.Value) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return notWhole(text, err, "")
	}
	target.SetInt(n)
	return nil
}

func setUint(text string, target reflect.Value) error {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return notWhole(text, err, " from 0 to 18446744073709551615")
	}
	target.SetUint(n)
	return nil
}

// notWhole returns the error for a text that is not a whole number in a range.
func notWhole(text string, err error, span string) error {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is too large", list.Quote(text))
	}
	return fmt.Errorf("%s should be a whole number%s, in decimal digits, such as 12", list.Quote(text), span)
}

// setFloat lets NaN and infinity pass to the command, which says what it needs.
func setFloat(text string, target reflect.Value) error {
	if bare := strings.ToLower(strings.TrimLeft(text, "+-")); bare == "nan" || bare == "inf" || bare == "infinity" {
		x, err := strconv.ParseFloat(text, 64)
		if err == nil {
			target.SetFloat(x)
			return nil
		}
	}
	x, err := decimal.Parse(text)
	if err != nil {
		return fmt.Errorf("%w, and should be one such as 0.01 or 1e-3", err)
	}
	target.SetFloat(x)
	return nil
}

// shieldFormula puts a space before a formula that begins with a minus, which kong would take for a flag of one letter. There is none but -h.
func shieldFormula(model *kong.Application, args []string) []string {
	i := slices.IndexFunc(model.Children, func(n *kong.Node) bool { return n.Name == args[0] })
	if i < 0 || !slices.ContainsFunc(model.Children[i].Positional, func(v *kong.Value) bool { return v.Name == "formula" }) {
		return args
	}
	command, shielded := model.Children[i], slices.Clone(args)
	words, formula := 0, false
	for i := 1; i < len(args) && args[i] != "--"; i++ {
		if name, ok := strings.CutPrefix(args[i], "--"); ok {
			if slices.ContainsFunc(command.Flags, func(f *kong.Flag) bool { return f.Name == name && !f.IsBool() }) {
				i++ // its value
			}
			continue
		}
		words++
		if strings.HasPrefix(args[i], "-") && args[i] != "-" && args[i] != "-h" && words == len(command.Positional) {
			shielded[i], formula = " "+args[i], true
		}
	}
	if !formula || words > len(command.Positional) { // a word too many: a flag that does not exist
		return args
	}
	return shielded
}

// checkGiven returns an error for a flag or argument that is given without a value, and for a flag that has no effect. It returns the
// names of the flags that are given.
func checkGiven(parsed *kong.Context, line *commandLine) (given map[string]bool, err error) {
	given = map[string]bool{}
	for _, p := range parsed.Path {
		value := valueOf(p)
		switch {
		case value == nil:
			continue
		case value.Target.Kind() == reflect.String && value.Target.Len() == 0:
			return nil, fmt.Errorf("%s is given without a value", value.ShortSummary())
		case p.Flag != nil && p.Flag.Name == "threads" && p.Flag.Target.Int() == 0:
			return nil, errors.New("--threads is 0 and should be at least 1; leave it out to use all cores")
		}
		if p.Flag != nil {
			given[p.Flag.Name] = true
		}
	}
	command := parsed.Command()
	for _, rule := range withoutEffect {
		if !strings.HasPrefix(command+" ", rule.command+" ") || !rule.applies(line) {
			continue
		}
		for _, name := range rule.flags {
			if given[name] {
				return nil, fmt.Errorf("--%s has no effect %s", name, rule.why)
			}
		}
	}
	return given, nil
}

// withoutEffect lists the flags that have no effect beside others.
var withoutEffect = []struct {
	command string
	flags   []string
	applies func(line *commandLine) bool
	why     string
}{
	{"generate", []string{"top-k", "seed"}, func(l *commandLine) bool { return l.Generate.Temperature == 0 },
		"with --temperature 0, which always writes the likeliest character: leave one of them out"},
	{"minimize", []string{"rate"}, func(l *commandLine) bool { return !l.Minimize.uses("adam") }, "without --method adam"},
	{"minimize", []string{"seed"}, func(l *commandLine) bool { return !l.Minimize.uses("multistart", "basinhopping") },
		"without --method multistart or basinhopping, which alone draw random numbers"},
	{"train mnist", []string{"watch-histograms"}, func(l *commandLine) bool { return l.Train.MNIST.Watch == 0 }, "with --watch 0, which measures nothing"},
	{"train gpt", []string{"watch-histograms"}, func(l *commandLine) bool { return l.Train.GPT.Watch == 0 }, "with --watch 0, which measures nothing"},
	{"sharpness", []string{"steps"}, func(l *commandLine) bool { return l.Sharpness.Probes == 0 }, "with --probes 0, which skips the density"},
	{"landscape", []string{"span", "seed"}, func(l *commandLine) bool { return l.Landscape.Path || l.Landscape.Through != "" },
		"with --path or --through, whose directions are not random"},
	{"landscape", []string{"products"}, func(l *commandLine) bool { return l.Landscape.SkipCurvature }, "with --skip-curvature, which takes no products"},
	{"doctor", []string{"updates"}, func(l *commandLine) bool { return !l.Doctor.Try }, "without --try, which trains"},
	{"doctor", []string{"json"}, func(l *commandLine) bool { return l.Doctor.Try }, "with --try, which prints a table"},
	{"fit", []string{"hidden", "epochs", "periodic", "members", "rate", "decay", "dropout"}, func(l *commandLine) bool { return l.Fit.Family == "linear" }, "with --family linear, which has no network"},
	{"bench", []string{"out"}, func(l *commandLine) bool { return l.Bench.Peers == "" }, "without --peers, whose report it is for"},
	{"bench", []string{"threads", "level"}, func(l *commandLine) bool { return l.Bench.List }, "with --list, which measures nothing"},
}

// uses reports whether one of the methods is among those of --method.
func (c *minimizeCommand) uses(methods ...string) bool {
	return slices.ContainsFunc(c.methods(), func(name string) bool { return slices.Contains(methods, name) })
}
