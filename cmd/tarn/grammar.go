package main

import (
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
)

// This file keeps the start of the command short: it takes longer to read the grammar of all commands than to run some of them.

// grammarFor returns the part of the grammar that a command line needs: the command that it names, or all if it names none. finish stores what has been
// read in line.
func grammarFor(args []string, line *commandLine) (grammar any, finish func()) {
	all := reflect.TypeFor[commandLine]()
	for i := range all.NumField() {
		command := all.Field(i)
		if _, ok := command.Tag.Lookup("cmd"); !ok || len(args) == 0 || commandName(command) != args[0] {
			continue
		}
		var fields []reflect.StructField
		for j := range all.NumField() {
			f := all.Field(j)
			if _, other := f.Tag.Lookup("cmd"); j == i || !other {
				f.Offset, f.Index = 0, nil
				fields = append(fields, f)
			}
		}
		part := reflect.New(reflect.StructOf(fields))
		return part.Interface(), func() {
			for _, f := range fields {
				reflect.ValueOf(line).Elem().FieldByName(f.Name).Set(part.Elem().FieldByName(f.Name))
			}
		}
	}
	return line, func() {}
}

// commandName is the word for a command.
func commandName(f reflect.StructField) string {
	if name := f.Tag.Get("name"); name != "" {
		return name
	}
	return strings.ToLower(f.Name)
}

// collectLater lets the heap grow to 16 MiB before the first collection of garbage, which a short command then ends without. After it the
// collector works as usual.
func collectLater() {
	if os.Getenv("GOGC") != "" {
		return
	}
	before := debug.SetGCPercent(400)
	runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, before)
}
