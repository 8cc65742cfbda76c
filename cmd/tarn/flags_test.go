package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The tests give every flag of every command values that make no sense: each is refused with a message that names the flag, the value and
// what it should be, the exit code for a wrong command line, and nothing is written. The flags come from the grammar, so a new one is tested
// or reported as missing.

// complete are the arguments with which each command would run.
var complete = map[string][]string{
	"train mnist": nil, "train gpt": nil, "train linreg": nil, "runs": {"run"}, "doctor": {"run"}, "check": {"mnist"}, "eval": {"run"}, "predict": {"run", "digit.png"}, "generate": {"run"}, "inspect": {"file"}, "bench": {"linreg"},
	"minimize": {"x^2", "--start", "x=1"}, "grad": {"x^2", "--at", "x=1"}, "fitcurve": {"data.csv", "a*x", "--start", "a=1"}, "lr": nil, "sharpness": {"run"}, "landscape": {"run"}, "race": nil, "board": {"run"}, "scale": nil,
	"fit": {"data.csv", "--target", "y"}, "evaluate": {"m.tarn", "data.csv"}, "serve": {"m.tarn"}, "search": {"data.csv", "--target", "y"},
	"export": {"m.tarn", "--to", "onnx"}, "import": {"m.onnx"},
}

// nonsense are values that no flag of a kind takes.
var nonsense = map[reflect.Kind][]string{
	reflect.Int:     {"", " ", "x", "-1", "-9223372036854775808", "999999999999", "9223372036854775808", "1e3", "1.5", "0x10", "1_0", "+-1", "NaN", "Inf", "١", "1 2", "\x1b[31m"},
	reflect.Uint64:  {"", " ", "x", "-1", "18446744073709551616", "1e3", "1.5", "0x10", "1_0", "NaN", "\x1b[31m"},
	reflect.Float64: {"", " ", "x", "-1", "-1e-300", "1e999", "1e-999", "NaN", "-nan", "Inf", "-inf", "infinity", "0x1p-2", "0x10", "1_0", "1,5", "1e", "1 2", "\x1b[31m"},
	reflect.Bool:    {"", "maybe", "2"},
}

// nonsensical are more values, by command and flag or by flag; every flag that is text has some.
var nonsensical = map[string][]string{
	"sort": {""}, "where": {"", "x", "=1", "x=", "<", "epochs<", "x=1,", "\x1b[31m"},
	"plot": {"", "picture", "picture.jpg", "none/picture.png", ".png/x.png", "here.png"}, "out": {""}, "resume": {""}, "text": {""}, "profile": {""}, "peers": {""}, "prompt": {""},
	"optimizer": {"", "foo", "ADAM", "adam ", "\x1b[31m"}, "optimizers": {"", "foo", "adam,adam", "adam,,sgd", "all,adam"}, "hidden": {"x", "0", "-1", "1.5", "0x10", "99999", "1,,2", "9223372036854775808", "\x1b[31m"},
	"method": {"", "foo", "gd,gd", "gd,", "GD"}, "bounds": {"", "x", "x=", "x=1", "x=a:b", "x=1:0", "x=nan:1", "x=0x1:2", "x=inf:", "y=0:1", "x=0:1,x=0:1", "x=0:1:2", "\x1b[31m"},
	"start": {"", "x", "=1", "x=", "x=a", "x=nan", "x=inf", "x=1e999", "x=0x10", "x=1_0", "x=[1", "x=[]", "x=[1]2", "x=1,x=2", "x=1,y=2", "y=1", "x=1 2", "x=1,,", "\x1b[31m"},
	"dim":   {"", "x", "x=0", "x=-1", "x=1.5", "x=1e30", "x=nan", "y=2", "x=[2]", "x=2,x=2"}, "response": {"", "(", "y y", "\x1b[31m"},
	"fitcurve start": {"", "a", "a=", "a=nan", "a=0x10", "a=1,a=1"}, "temperature": {"-0.1"}, "lr": {"0"}, "rate": {"0"}, "tolerance": {"0"}, "from": {"0"}, "to": {"0", "1e-6"}, "dropout": {"1", "2"},
	"at":     {"", "x", "=1", "x=", "x=a", "x=nan", "x=inf", "x=0x10", "x=1_0", "x=[1", "x=1,x=2", "x=1,y=2", "y=1", "\x1b[31m"},
	"epochs": {"0"}, "batch": {"0"}, "examples": {"0"}, "threads": {"0", "1025"}, "layers": {"0"}, "heads": {"0", "3"}, "width": {"0", "130"}, "context": {"0"}, "length": {"0"}, "steps": {"0"}, "limit": {"0"},
	"iterations": {"0"}, "seeds": {"0"}, "path-steps": {"0"}, "top": {"0"}, "products": {"0"}, "samples": {"0"}, "checkpoints": {"0", "101"}, "span": {"0", "1e7"},
	"points": {"0", "1", "502"}, "through": {"", "a", "a,", ",b", "a,b,c", "\x1b[31m"},
	"target": {""}, "report": {""}, "by": {"", "a,,b", "a,a", ","}, "task": {"sort", "Classify", "\x1b[31m"}, "type": {"", "x", "x=", "=id", "x=foo", "x=numeric,", "x=id,x=id", "\x1b[31m"}, "drop": {"", "a,,b", "a,a"},
	"valid": {"1", "2"}, "members": {"0", "65"}, "decay": {"0", "1001"}, "trials": {"0", "1000001"}, "space": {""}, "cv": {"1", "101"}, "repeats": {"0", "101"}, "test": {""}, "split-by": {"", "foo", "time", "time:", "group:", "order:x", "\x1b[31m"}, "weights": {""}, "threshold": {"", "0", "1", "2", "x", "nan", "cost", "cost:1", "cost:0:1", "cost:1:x", "\x1b[31m"},
	"family": {"", "foo", "Both"}, "sep": {"", "ab", "\"", "ü"}, "decimal": {"", ";", "x"}, "na": {"", "a,,b"}, "time": {"", "x", "5", "-1s", "\x1b[31m"}, "fit schema": {""}, "keep": {"", "a,,b", "a,a"}, "format": {"", "foo", "CSV"},
	"fail-under": {"", "x", "auc", "auc=", "auc=x", "auc=nan", "foo=1", "auc=0.5,"}, "model": {""}, "addr": {"", "8080", "localhost"}, "unix": {""}, "wait": {"", "x", "2", "-1ms", "2m"}, "timeout": {"", "x", "0s", "-1s", "25h"}, "max-body": {"0"}, "max-queue": {"0"},
	"latency": {"", "x", "1", "-1us", "2m"}, "bandwidth": {"1000001"}, "export to": {"", "foo", "ONNX"}, "opset": {"0", "16", "22"},
	"group": {""}, "labels": {""}, "network": {"", "\x1b[31m"}, "horizon": {"0", "10001"},
	"token-file": {""}, "cert": {"", "x"}, "key": {"", "x"}, "log": {"", "foo", "JSON"},
	"listen": {"", "7007", "0.0.0.0:7007", ":7007"}, "token": {""}, "export": {""}, "race seed": {"18446744073709551615"},
	"engine": {"", "foo", "cpu:2", "CPU", "\x1b[31m"},
	"level":  {"", "foo", "AVX2", "\x1b[31m"}, "precision": {"", "foo", "BF16", "bf16 ", "f64", "\x1b[31m"},
}

// TestNonsense gives each flag each value.
func TestNonsense(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("here.png", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("data.csv", []byte("x,y\n1,2\n2,4\n3,6.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(new(commandLine), kong.Name("tarn"), kong.Vars{"optimizers": ""})
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, leaf := range parser.Model.Leaves(true) {
		name := strings.TrimPrefix(leaf.FullPath(), "tarn ")
		args, known := complete[name]
		if !known {
			t.Errorf("no arguments for tarn %s", name)
		}
		for _, flag := range leaf.Flags {
			kind := flag.Target.Type()
			if kind.Kind() == reflect.Pointer {
				kind = kind.Elem()
			}
			values := append(append(append([]string{}, nonsense[kind.Kind()]...), nonsensical[flag.Name]...), nonsensical[name+" "+flag.Name]...)
			if name == "fitcurve" && flag.Name == "start" {
				values = nonsensical["fitcurve start"]
			}
			if len(values) == 0 {
				t.Errorf("no values for --%s of tarn %s, which is %v", flag.Name, name, kind)
			}
			for _, value := range values {
				tried++
				line := strings.Fields(name)
				for i := 0; i < len(args); i++ { // without the flag itself
					if args[i] == "--"+flag.Name {
						i++
						continue
					}
					line = append(line, args[i])
				}
				refuse(t, append(line, "--"+flag.Name+"="+value), flag.Name, value)
			}
		}
		for i := range args { // an empty argument
			if strings.HasPrefix(args[i], "--") {
				break
			}
			line := append(strings.Fields(name), args...)
			line[len(strings.Fields(name))+i] = ""
			refuse(t, line, "", "")
		}
	}
	if tried < 500 {
		t.Errorf("only %d values were tried", tried)
	}
	files, err := filepath.Glob("*")
	if err != nil || strings.Join(files, " ") != "data.csv here.png" {
		t.Errorf("the commands that were refused have written files: %v, %v", files, err)
	}
}

// refuse runs a command line that is wrong because of a flag's value.
func refuse(t *testing.T, line []string, flag, value string) {
	t.Helper()
	out, message := command(t, exitUsage, line...)
	// The message has the value, or the part of it that is wrong, or what the command has read.
	named := strings.Contains(message, "--"+flag+" is ")
	for _, part := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" ,=:[]", r) || r < ' ' }) {
		named = named || strings.Contains(strings.ToLower(message), strings.ToLower(part))
	}
	named = named || strings.Trim(value, " ,=[]") == "" || strings.HasPrefix(value, "\x1b")
	if out != "" || !strings.HasPrefix(message, "tarn: ") || !strings.Contains(message, flag) || strings.Contains(message, "\x1b") || len(message) > 1500 ||
		!named {
		t.Errorf("tarn %q: prints %q%q", line, out, message)
	}
}

// TestWithoutEffect refuses flags that nothing would come of.
func TestWithoutEffect(t *testing.T) {
	minimize := []string{"minimize", "x^2", "--start", "x=1"}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--top-k has no effect with --temperature 0", []string{"generate", "run", "--temperature", "0", "--top-k", "3"}},
		{"--seed has no effect with --temperature 0", []string{"generate", "run", "--temperature", "0", "--seed", "3"}},
		{"--rate has no effect without --method adam", append(minimize, "--rate", "0.1")},
		{"--rate has no effect without --method adam", append(minimize, "--rate", "0.1", "--method", "gd,newton")},
		{"--seed has no effect without --method multistart or basinhopping", append(minimize, "--seed", "2", "--method", "bfgs")},
		{"the method gd does not keep bounds", append(minimize, "--bounds", "x=0:1", "--method", "gd")},
		{"--plot draws functions of two numbers", append(minimize, "--plot", "a.png")},
		{"--steps has no effect with --probes 0", []string{"sharpness", "run", "--probes", "0", "--steps", "9"}},
		{"which --probes 0 skips", []string{"sharpness", "run", "--probes", "0", "--plot", "a.png"}},
		{"--seed has no effect with --path or --through", []string{"landscape", "run", "--path", "--seed", "2"}},
		{"--span has no effect with --path or --through", []string{"landscape", "run", "--through", "a,b", "--span", "2"}},
		{"--products has no effect with --skip-curvature", []string{"landscape", "run", "--skip-curvature", "--products", "9"}},
		{"--through and --path can't be used together", []string{"landscape", "run", "--through", "a,b", "--path"}},
		{"--out has no effect without --peers", []string{"bench", "linreg", "--out", "x"}},
		{"--threads has no effect with --list", []string{"bench", "--list", "--threads", "2"}},
		{"--level has no effect with --list", []string{"bench", "--list", "--level", "go"}},
		{"leave out linreg", []string{"bench", "--list", "linreg"}},
		{"--json and --list can't be used together", []string{"bench", "--list", "--json"}},
		{"--watch-histograms has no effect with --watch 0", []string{"train", "mnist", "--watch", "0", "--watch-histograms"}},
		{"--watch-histograms has no effect with --watch 0", []string{"train", "gpt", "--watch-histograms", "--watch=0"}},
		{"--network has no effect without a folder of pictures, --horizon or --text", []string{"fit", "data.csv", "--target", "y", "--network", "gru"}},
		{"--labels has no effect without a folder of pictures", []string{"fit", "data.csv", "--target", "y", "--labels", "l.csv"}},
		{"--group has no effect without --horizon", []string{"fit", "data.csv", "--target", "y", "--group", "x"}},
		{"--cv has no effect on series", []string{"fit", "data.csv", "--target", "y", "--horizon", "2", "--cv", "5"}},
		{"--hidden has no effect on texts", []string{"fit", "data.csv", "--target", "y", "--text", "x", "--hidden", "5"}},
		{"--by has no effect without --report", []string{"fit", "data.csv", "--target", "y", "--by", "x"}},
		{"--hidden has no effect with --family linear", []string{"fit", "data.csv", "--target", "y", "--family", "linear", "--hidden", "8"}},
		{"--out and --report have no effect", []string{"fit", "data.csv", "--target", "y", "--dry-run", "--out", "x"}},
		{"--type and --drop have no effect", []string{"fit", "data.csv", "--target", "y", "--schema", "s.json", "--drop", "x"}},
		{"--valid and --cv exclude each other", []string{"fit", "data.csv", "--target", "y", "--valid", "0.2", "--cv", "5"}},
		{"--limit has no effect on tables", []string{"predict", "m.tarn", "data.csv", "--limit", "5"}},
		{"--proba has no effect on digits", []string{"predict", ".", "digit.png", "--proba"}},
		{"expected a file of images", []string{"predict", "."}},
		{"--json has no effect without --model", []string{"check", "mnist", "--json"}},
		{"--hidden has no effect with --model", []string{"check", "new.csv", "--model", "m.tarn", "--hidden", "5"}},
		{"set --model", []string{"check", "new.csv"}},
		{"can't be used together", []string{"inspect", "m.tarn", "--schema", "--card"}},
		{"--addr and --unix exclude each other", []string{"serve", "m.tarn", "--addr", "localhost:0", "--unix", "s"}},
		{"--cert and --key go together", []string{"serve", "m.tarn", "--cert", "c.pem"}},
		{"two models are called", []string{"serve", "m.tarn", "m.tarn"}},
		{"--layers has no effect on mnist", []string{"check", "mnist", "--layers", "2"}},
		{"--hidden has no effect on gpt", []string{"check", "gpt", "--hidden", "8"}},
		{"exclude each other", []string{"train", "gpt", "--out", "a", "--resume", "b"}},
		{"--restart needs the folder of a run", []string{"train", "mnist", "--restart"}},
		{"--hidden cannot be set with --resume", []string{"train", "mnist", "--resume", "run", "--hidden", "8"}},
		{"--dropout cannot be set with --resume", []string{"train", "gpt", "--resume", "run", "--dropout", "0"}},
		{"the length of x is 2, and 3 values are given", []string{"grad", "sum(x)", "--at", "x=[1,2,3]", "--dim", "x=2"}},
	} {
		t.Chdir(t.TempDir())
		out, message := command(t, exitUsage, c.args...)
		if out != "" || !strings.Contains(message, c.want) {
			t.Errorf("tarn %q: prints %q%q, want %q", c.args, out, message, c.want)
		}
		if files, err := filepath.Glob("*"); err != nil || len(files) > 0 {
			t.Errorf("tarn %q: has written %v", c.args, files)
		}
	}
	for _, args := range [][]string{
		append(minimize, "--rate", "0.1", "--method", "adam,gd", "--quiet"), append(minimize, "--seed", "2", "--method", "basinhopping", "--quiet"),
		{"bench", "--list"}, {"train", "linreg", "--steps", "010", "--seed", "007"}, {"grad", "x^2", "--at", "x=1.e0"},
	} {
		if _, message := command(t, 0, args...); message != "" {
			t.Errorf("tarn %q: prints %q", args, message)
		}
	}
	// The last one of a flag counts, and the help says so.
	first, _ := command(t, 0, "train", "linreg", "--steps", "5", "--lr", "0.1")
	if out, _ := command(t, 0, "train", "linreg", "--steps", "6", "--lr", "0.1", "--steps", "5"); out != first {
		t.Errorf("of two flags the last one does not count:\n%s", out)
	}
	if out, _ := command(t, 0, "--help"); !strings.Contains(strings.Join(strings.Fields(out), " "), "the last one counts") {
		t.Errorf("the help: %s", out)
	}
}
