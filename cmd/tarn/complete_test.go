package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/mnist"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
)

// This file checks that every command is tested: that some test has it do its work, that some has it refuse a command line,
// and that its help says what it is for. What the tests run is counted, and looked at after all of them.

// commands are the commands that do something, by their words, as in "train mnist", with their help.
func commands() (map[string]string, error) {
	parser, err := kong.New(new(commandLine), kong.Name("tarn"), kong.Vars{"optimizers": ""})
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, leaf := range parser.Model.Leaves(true) {
		all[strings.TrimPrefix(leaf.FullPath(), "tarn ")] = leaf.Help
	}
	return all, nil
}

// ran counts by exit code and command how often the tests ran it.
var ran struct {
	sync.Mutex
	times map[string]int
}

// count notes a run of the command, other than for its help.
func count(args []string, code int) {
	if slices.Contains(args, "--help") {
		return
	}
	ran.Lock()
	defer ran.Unlock()
	if ran.times == nil {
		ran.times = map[string]int{}
	}
	ran.times[fmt.Sprintf("%d %s", code, strings.Join(args, " "))+" "]++
}

// untested names what no test has run; it knows only after all tests.
func untested() (missing []string) {
	all, err := commands()
	if err != nil {
		return []string{err.Error()}
	}
	for name := range all {
		for code, what := range map[int]string{0: "do its work", exitUsage: "refuse a command line"} {
			prefix := fmt.Sprintf("%d %s ", code, name)
			found := false
			for run := range ran.times {
				found = found || strings.HasPrefix(run, prefix)
			}
			if !found {
				missing = append(missing, fmt.Sprintf("no test has tarn %s %s", name, what))
			}
		}
	}
	slices.Sort(missing)
	return missing
}

// TestMain runs the tests, or, with the variable set, is the command.
func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	var all, test *data.Set
	load := sync.OnceValue(func() (err error) {
		all, test, err = mnist.Load()
		return err
	})
	loadMNIST = func() (*data.Set, *data.Set, error) {
		err := load()
		return all, test, err
	}
	code := m.Run()
	whole := !testing.Short() && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && flag.Lookup("test.list").Value.String() == ""
	if whole && code == 0 {
		for _, missing := range untested() {
			fmt.Println(missing)
			code = 1
		}
	}
	os.Exit(code)
}

func TestHelpOfEachCommand(t *testing.T) {
	all, err := commands()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Errorf("there are only the commands %v", all)
	}
	for name, help := range all {
		out, _ := command(t, 0, append(strings.Fields(name), "--help")...)
		if first, _, _ := strings.Cut(help, " "); help == "" || !strings.Contains(out, first) || !strings.HasPrefix(out, "Usage: tarn "+name) {
			t.Errorf("tarn %s --help prints no %q:\n%s", name, help, out)
		}
	}
}
