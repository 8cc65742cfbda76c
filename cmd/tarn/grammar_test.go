package main

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/alecthomas/kong"
)

// TestGrammarFor asserts that the grammar of each command alone says of it what the whole grammar says, and that what is read gets to the whole.
func TestGrammarFor(t *testing.T) {
	help := func(grammar any, args ...string) string {
		var out bytes.Buffer
		parser, err := kong.New(grammar, append(numbers(), kong.Name("tarn"), kong.Writers(&out, &out), kong.Vars{"optimizers": "sgd"}, kong.Exit(func(int) { panic(leave(0)) }))...)
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() { recover() }() // kong ends the program after it
			parser.Parse(args)
		}()
		return out.String()
	}
	all, commands := reflect.TypeFor[commandLine](), 0
	for i := range all.NumField() {
		f := all.Field(i)
		if _, ok := f.Tag.Lookup("cmd"); !ok {
			continue
		}
		commands++
		args := []string{commandName(f), "--help"}
		part, _ := grammarFor(args, new(commandLine))
		if _, whole := part.(*commandLine); whole {
			t.Errorf("%s gets the whole grammar", args[0])
		}
		if got, want := help(part, args...), help(new(commandLine), args...); got != want || got == "" {
			t.Errorf("the help of %s alone is\n%s\nwant\n%s", args[0], got, want)
		}
	}
	if commands < 10 {
		t.Fatalf("%d commands", commands)
	}
	for _, args := range [][]string{nil, {"--help"}, {"nothing"}, {"--version"}, {"fi"}} {
		if whole, _ := grammarFor(args, new(commandLine)); reflect.TypeOf(whole) != reflect.TypeFor[*commandLine]() {
			t.Errorf("%q gets a part of the grammar", args)
		}
	}
	line := new(commandLine)
	part, finish := grammarFor([]string{"bench"}, line)
	parser, err := kong.New(part, numbers()...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"bench", "linreg", "--threads", "3"}); err != nil {
		t.Fatal(err)
	}
	if finish(); line.Bench.Threads != 3 || len(line.Bench.Workloads) != 1 {
		t.Errorf("the line has %+v", line.Bench)
	}
}
