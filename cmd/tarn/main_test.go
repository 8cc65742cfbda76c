package main

// The tests run the command as a user does, with small networks, and look at what it prints, its exit codes and files.

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/interop/npy"
)

// asCommand names the environment variable that makes the test binary the command itself.
const asCommand = "TARN_TEST_AS_COMMAND"

// command runs the command and returns what it printed.
func command(t *testing.T, wantCode int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code := run(context.Background(), args, &out, &err)
	count(args, code)
	if code != wantCode {
		t.Errorf("tarn %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, wantCode, out.String(), err.String())
	}
	return out.String(), err.String()
}

// small are the flags of a very short training.
var small = []string{"train", "mnist", "--examples", "3000", "--hidden", "24", "--epochs", "3", "--batch", "60"}

// with returns a copy of small with more flags.
func with(flags ...string) []string { return append(append([]string{}, small...), flags...) }

func TestHelp(t *testing.T) {
	for args, want := range map[string]string{
		"":                    "Tarn trains neural networks.",
		"--help":              "inspect",
		"--version":           "kernels of level",
		"train mnist --help":  "--optimizer",
		"train linreg --help": "--steps",
		"predict --help":      "PNG",
		"help":                "inspect",
		"help train mnist":    "--optimizer",
	} {
		if out, _ := command(t, 0, strings.Fields(args)...); !strings.Contains(out, want) {
			t.Errorf("tarn %s prints no %q:\n%s", args, want, out)
		}
	}
}

func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	os.WriteFile(text, []byte("hello, world"), 0o600)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"frob", 2, "frob"},
		{"train", 2, "mnist"},
		{"train mnist --frob", 2, "--frob"},
		{"train mnist --epochs 0", 2, "--epochs is 0"},
		{"train mnist --epochs two", 2, "--epochs"},
		{"train mnist --batch=-3", 2, "--batch is -3"},
		{"train mnist --batch 0", 2, "--batch is 0"},
		{"train mnist --lr nan", 2, "--lr is NaN"},
		{"train mnist --lr=-1", 2, "--lr is -1"},
		{"train mnist --lr inf", 2, "--lr is +Inf"},
		{"train mnist --optimizer foo", 2, "there are: sgd, momentum, nesterov, adagrad"},
		{"train mnist --hidden 512,x", 2, "512,512"},
		{"train mnist --hidden 512,0", 2, "width 0"},
		{"train mnist --hidden 99999999", 2, "width 99999999"},
		{"train mnist --hidden 1" + strings.Repeat(",1", 32), 2, "33 hidden layers"},
		{"train mnist --examples 55001", 2, "--examples is 55001"},
		{"train mnist --threads=-1", 2, "--threads is -1"},
		{"train mnist --seed=-1", 2, "--seed"},
		{"train mnist --out a --resume b", 2, "exclude each other"},
		{"train mnist --resume b --lr 1", 2, "--lr cannot be set with --resume"},
		{"train mnist --resume " + dir, 1, "not the directory of a run"},
		{"train mnist --out " + text + "/run", 1, text},
		{"train linreg --steps 0", 2, "--steps is 0"},
		{"train linreg --lr 0", 2, "--lr is 0"},
		{"train linreg --lr 1000", 1, "smaller --lr"},
		{"eval", 2, "run"},
		{"train mnist --resume " + text, 1, "it is a file"},
		{"train mnist --zero --out " + filepath.Join(dir, "zero"), 1, "--zero splits updates among ranks, and there are none"},
		{"eval " + dir, 1, "not the directory of a run"},
		{"eval " + text, 1, "it is a file"},
		{"eval " + text + ".none", 1, "it does not exist"},
		{"doctor " + text, 1, "has no watch.jsonl"},
		{"runs " + text + ".none", 1, "there is no folder"},
		{"bench frob", 2, "tarn: bench: there is no workload"},
		{"bench linreg --profile " + dir, 2, "--profile: "},
		{"board --export " + filepath.Join(dir, "none", "a.html"), 2, "--export: "},
		{"predict " + dir, 2, "file"},
		{"predict " + dir + " " + text, 1, "not the directory of a run"},
		{"inspect", 2, "file"},
		{"inspect " + dir, 1, "neither weights.safetensors nor checkpoint.safetensors"},
		{"inspect " + text, 1, "not a safetensors file"},
		{"predict " + text + " " + text, 1, "name a model that tarn fit has written"},
		{"inspect " + text + ".none", 1, text + ".none"},
	} {
		out, err := command(t, c.code, strings.Fields(c.args)...)
		if !strings.HasPrefix(err, "tarn: ") || !strings.Contains(err, c.want) {
			t.Errorf("tarn %s: prints %q, want %q", c.args, err, c.want)
		}
		if c.code == 2 && out != "" {
			t.Errorf("tarn %s: prints %q on the standard output", c.args, out)
		}
	}
	if runtime.GOOS == "linux" && os.Getuid() != 0 {
		os.Chmod(dir, 0o500)
		command(t, 1, "train", "mnist", "--out", filepath.Join(dir, "run"))
	}
}

var lastLine = regexp.MustCompile(`(?m)^test accuracy (0\.\d{4})\n\z`)

// accuracy returns the number in the last line.
func accuracy(t *testing.T, out string) float64 {
	t.Helper()
	m := lastLine.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("the last line is not the test accuracy:\n%s", out)
	}
	a, _ := strconv.ParseFloat(m[1], 64)
	return a
}

// TestMNIST trains, then evaluates, predicts with and inspects the run.
func TestMNIST(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	out, _ := command(t, 0, with("--out", dir)...)
	a := accuracy(t, out)
	if a < 0.8 {
		t.Errorf("accuracy %v", a)
	}
	for _, want := range []string{"network 784-24-10 with 19090 weights", "3000 examples to train on", "epoch 3/3  loss "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, name := range []string{"config.json", "log.jsonl", "curve.png", samplesFile, "checkpoint.safetensors", "weights.safetensors"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	command(t, 1, with("--out", dir)...) // there is a run already

	out, _ = command(t, 0, "eval", dir)
	if got := accuracy(t, out); got != a {
		t.Errorf("eval finds the accuracy %v, training %v", got, a)
	}
	if !strings.Contains(out, "digit  read as") {
		t.Errorf("no table of confusions:\n%s", out)
	}
	for _, path := range []string{dir, filepath.Join(dir, "weights.safetensors")} {
		out, _ = command(t, 0, "inspect", path)
		for _, want := range []string{`"layers.0.weight"`, "[24 784]", "4 tensors, 19090 elements, 76360 bytes"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	}
	testPredict(t, dir)
	testPictures(t, dir)

	// The defaults make a folder of their own, and quiet prints one line.
	t.Chdir(t.TempDir())
	os.Mkdir("runs", 0o700)
	os.Mkdir("runs/mnist-1", 0o700)
	out, _ = command(t, 0, with("--quiet", "--threads", "1")...)
	if got := accuracy(t, out); got != a || strings.Count(out, "\n") != 1 {
		t.Errorf("with --quiet and one thread: %q, want the accuracy %v alone", out, a)
	}
	if _, err := os.Stat("runs/mnist-2/weights.safetensors"); err != nil {
		t.Error(err)
	}
}

// testPredict reads the first test digits from all kinds of files.
func testPredict(t *testing.T, dir string) {
	_, test, err := loadMNIST()
	if err != nil {
		t.Fatal(err)
	}
	images, _ := test.Tensor("image")
	labels, _ := test.Tensor("label")
	const n = 40
	files := t.TempDir()
	file := func(name string, a data.Array) string {
		path := filepath.Join(files, name)
		if err := npy.Save(path, a); err != nil {
			t.Fatal(err)
		}
		return path
	}
	floats := images.F32()[:n*pixels]
	var whole []uint8
	var wide []int64
	for _, x := range floats {
		whole = append(whole, uint8(math.Round(float64(x)*255)))
		wide = append(wide, int64(math.Round(float64(x)*255)))
	}
	idx := filepath.Join(files, "x.idx")
	os.WriteFile(idx, append([]byte{0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 28, 0, 0, 0, 28}, whole...), 0o600)
	predictions := func(path string) (digits []int) {
		t.Helper()
		out, _ := command(t, 0, "predict", dir, path)
		for line := range strings.Lines(out) {
			var digit int
			var p float64
			if k, err := fmt.Sscanf(line, "%d probability %f", &digit, &p); k != 2 || p < 0.1 || p > 1 {
				t.Fatalf("line %q: %v", line, err)
			}
			digits = append(digits, digit)
		}
		return digits
	}
	want := predictions(idx)
	right := 0
	for i, d := range want {
		if float64(d) == labels.Float(i) {
			right++
		}
	}
	if len(want) != n || right < n*3/4 {
		t.Errorf("%d of %d digits are right", right, len(want))
	}
	for _, path := range []string{
		file("floats.npy", data.Array{Shape: []int{n, 28, 28}, Data: floats}),
		file("flat.npy", data.Array{Shape: []int{n, 784}, Data: whole}),
		file("channel.npy", data.Array{Shape: []int{n, 28, 28, 1}, Data: wide}),
	} {
		if got := predictions(path); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if got := predictions(file("one.npy", data.Array{Shape: []int{28, 28}, Data: floats[:pixels]})); len(got) != 1 || got[0] != want[0] {
		t.Errorf("one digit: %v, want %d", got, want[0])
	}
	same := 0
	for i := range n {
		x := floats[i*pixels : (i+1)*pixels]
		if got := predictions(picture(t, files, x, 1, 0)); got[0] != want[i] {
			t.Errorf("digit %d as a PNG of 28 by 28: %v, want %d", i, got, want[i])
		}
		if predictions(picture(t, files, x, 5, 60))[0] == want[i] {
			same++
		}
	}
	if same < n*9/10 {
		t.Errorf("only %d of %d enlarged digits, black on white, are read as the originals are", same, n)
	}

	int8s := filepath.Join(files, "int8.idx")
	os.WriteFile(int8s, append([]byte{0, 0, 9, 2, 0, 0, 0, 28, 0, 0, 0, 28}, make([]byte, pixels)...), 0o600)
	for path, part := range map[string]string{
		filepath.Join(dir, "config.json"):                                         "neither IDX nor npy nor PNG",
		filepath.Join(dir, "none"):                                                "none",
		file("shape.npy", data.Array{Shape: []int{3, 3}, Data: make([]uint8, 9)}): "want images of 28 by 28",
		file("none.npy", data.Array{Shape: []int{0, 28, 28}, Data: []uint8{}}):    "want images of 28 by 28",
		file("range.npy", data.Array{Shape: []int{784}, Data: bright(2)}):         "element 0 is 2",
		file("nan.npy", data.Array{Shape: []int{784}, Data: bright(math.NaN())}):  "element 0 is NaN",
		picture(t, files, make([]float32, pixels), 2, 0):                          "the picture is empty",
		int8s: "want bytes",
		file("int.npy", data.Array{Shape: []int{784}, Data: append(wide[:783], -1)}): "element 783 is -1",
	} {
		if _, err := command(t, 1, "predict", dir, path); !strings.Contains(err, part) {
			t.Errorf("%s: %q, want %q", path, err, part)
		}
	}
}

func bright(x float64) []float64 {
	d := make([]float64, pixels)
	d[0] = x
	return d
}

// picture writes a digit as a PNG, enlarged, black on white with a margin; at scale 1 as it is.
func picture(t *testing.T, dir string, x []float32, scale, margin int) string {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 28*scale+margin, 28*scale+margin/2))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for row := range 28 * scale {
		for column := range 28 * scale {
			v := uint8(math.Round(float64(x[row/scale*28+column/scale]) * 255))
			if scale > 1 {
				v = 255 - v
			}
			img.SetGray(column+margin/3, row+margin/4, color.Gray{v})
		}
	}
	f, err := os.CreateTemp(dir, "*.png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// TestCtrlC interrupts a training after its first epoch and resumes it.
func TestCtrlC(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGINT to send")
	}
	whole, broken := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "broken")
	command(t, 0, with("--out", whole, "--epochs", "20")...)
	for try := 1; ; try++ {
		c := exec.Command(os.Args[0], with("--out", broken, "--epochs", "20")...)
		c.Env = append(os.Environ(), asCommand+"=1")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "epoch 1/20") {
				c.Process.Signal(os.Interrupt)
				break
			}
		}
		io.Copy(io.Discard, out)
		c.Wait()
		code := c.ProcessState.ExitCode()
		if code == 130 && strings.Contains(stderr.String(), "resume with: tarn train mnist --resume "+broken) {
			break
		}
		if code != 0 || try == 20 {
			t.Fatalf("exit code %d: %s", code, stderr.String())
		}
		os.RemoveAll(broken) // the training ended before this process had time to interrupt it
	}
	if _, err := os.Stat(filepath.Join(broken, "weights.safetensors")); err == nil {
		t.Error("there are final weights after an interruption")
	}
	if out, _ := command(t, 0, "eval", broken); !strings.Contains(out, "weights of checkpoint.safetensors") {
		t.Errorf("eval of an interrupted run:\n%s", out)
	}
	command(t, 0, "train", "mnist", "--resume", broken)
	a, _ := os.ReadFile(filepath.Join(whole, "weights.safetensors"))
	b, err := os.ReadFile(filepath.Join(broken, "weights.safetensors"))
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("the interrupted run ended with other weights, %v", err)
	}
	if out, _ := command(t, 0, "train", "mnist", "--resume", broken); !strings.Contains(out, "the run has finished: a larger --epochs") {
		t.Errorf("a finished run:\n%s", out)
	}
	more, _ := command(t, 0, "train", "mnist", "--resume", broken, "--epochs", "21")
	if !strings.Contains(more, "epoch 21/21") || strings.Contains(more, "epoch 20/") {
		t.Errorf("one epoch more:\n%s", more)
	}
}

// TestLinreg reads what the example prints and compares it with what it should be.
func TestLinreg(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: takes thousands of steps")
	}
	out, _ := command(t, 0, "train", "linreg")
	var theta, b, loss, theta2, b2, best float64
	var steps int
	for line := range strings.Lines(out) {
		fmt.Sscanf(line, "least squares in closed form: theta %f, b %f, loss %f", &theta, &b, &loss)
		fmt.Sscanf(line, "descent reaches it to 1e-6 after %d steps: theta %f, b %f", &steps, &theta2, &b2)
		fmt.Sscanf(line, "the optimum: theta %f, loss %f", new(float64), &best)
	}
	// The truth is 2 and 1 plus the mean of the noise, 0.5; the noise's variance is 1/12.
	if math.Abs(theta-2) > 0.4 || math.Abs(b-1.5) > 0.25 || math.Abs(loss-1.0/12) > 0.03 {
		t.Errorf("least squares returns theta %v, b %v, loss %v", theta, b, loss)
	}
	if steps < 5000 || steps > 30000 || math.Abs(theta-theta2) > 2e-6 || math.Abs(b-b2) > 2e-6 {
		t.Errorf("descent comes to theta %v, b %v after %d steps; want %v and %v", theta2, b2, steps, theta, b)
	}
	if best < 3*loss {
		t.Errorf("the loss without a bias is %v, with one %v", best, loss)
	}
	for _, want := range []string{"step      1  loss ", "step   1000  loss ", "  b "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out, _ := command(t, 0, "train", "linreg", "--lr", "1e-9", "--steps", "10"); !strings.Contains(out, "not yet the optimum") {
		t.Errorf("with a tiny rate:\n%s", out)
	}
}

// TestLeastSquares compares with a line worked out by hand.
func TestLeastSquares(t *testing.T) {
	f := leastSquares([]float64{0, 1, 2}, []float64{1, 3, 4})
	want := lineFit{slopeOnly: 11.0 / 5, lossOnly: (1 + 0.64 + 0.16) / 3, slope: 1.5, intercept: 7.0 / 6, loss: 1.0 / 18}
	for i, pair := range [][2]float64{{f.slopeOnly, want.slopeOnly}, {f.lossOnly, want.lossOnly}, {f.slope, want.slope}, {f.intercept, want.intercept}, {f.loss, want.loss}} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 {
			t.Errorf("number %d is %v, want %v", i, pair[0], pair[1])
		}
	}
}
