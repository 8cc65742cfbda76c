package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
)

// onRanks runs a command on ranks in this process, and returns what rank 0 prints, what it complains about, and the exit code, which all must have.
func onRanks(t *testing.T, ranks int, change func(rank int, args []string) []string, args ...string) (out, complaints string, code int) {
	t.Helper()
	codes := make([]int, ranks)
	for r, err := range disttest.Run(ranks, disttest.Options{}, func(c dist.Comm) error {
		mine := args
		if change != nil {
			mine = change(c.Rank(), append([]string{}, args...))
		}
		var stdout, stderr bytes.Buffer
		var agreed bool
		codes[c.Rank()], agreed = runRank(context.Background(), c, mine, &stdout, &stderr)
		if c.Rank() == 0 {
			out, complaints = stdout.String(), stderr.String()
		} else if codes[c.Rank()] != 0 && !agreed {
			return fmt.Errorf("exit code %d on this rank alone: %s", codes[c.Rank()], stderr.String())
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("%v: rank %d of %d: %v", args, r, ranks, err)
		}
	}
	for r, c := range codes {
		if c != codes[0] {
			t.Errorf("%v: exit code %d on rank 0 and %d on rank %d: %s", args, codes[0], c, r, complaints)
		}
	}
	return out, complaints, codes[0]
}

// TestRanksWork predicts and evaluates on ranks: rank 0 prints what one process does.
func TestRanksWork(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: runs many commands on ranks")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	flats(t, dir, "flats.csv", 200)
	command(t, 0, quickFit("flats.csv", "price", "--out", "flats.tarn")...)
	head, rows, _ := strings.Cut(string(readAll(t, "flats.csv")), "\n")
	long := head + "\n" + strings.Repeat(rows, 100)
	writeAll(t, "long.csv", long)
	writeAll(t, "other.csv", strings.ReplaceAll(long, "\n", " \n"))
	writeAll(t, "broken.csv", head+"\n"+strings.Repeat(rows, 90)+strings.Replace(rows, ",", ",many,", 1))
	command(t, 0, "train", "mnist", "--examples", "300", "--epochs", "1", "--hidden", "8", "--out", "run", "--quiet")
	command(t, 0, "train", "mnist", "--examples", "300", "--epochs", "1", "--hidden", "8", "--seed", "2", "--out", "run2", "--quiet")
	images := make([]byte, 1203*28*28)
	for i := range images {
		images[i] = byte(i * i / 77)
	}
	writeAll(t, "digits.idx", string([]byte{0, 0, 8, 3, 0, 0, 1203 >> 8, 1203 & 255, 0, 0, 0, 28, 0, 0, 0, 28})+string(images))
	sales(t)
	command(t, 0, "fit", "sales.csv", "--target", "sales", "--time", "date", "--group", "shop", "--horizon", "3", "--epochs", "1", "--quiet")
	mail(t)
	command(t, 0, "fit", "mail.csv", "--target", "kind", "--text", "message", "--epochs", "1", "--quiet")
	squares(t, "photos")
	command(t, 0, "fit", "photos", "--epochs", "1", "--quiet")
	for _, args := range [][]string{
		{"evaluate", "flats.tarn", "long.csv"},
		{"evaluate", "flats.tarn", "flats.csv", "--json", "--by", "city"},
		{"evaluate", "flats.tarn", "flats.csv", "--fail-under", "r2=1"},
		{"evaluate", "flats.tarn", "broken.csv"},
		{"evaluate", "flats.tarn", "nothing.csv"},
		{"evaluate", "flats.tarn", "flats.csv", "--by", "nothing"},
		{"evaluate", "mail.tarn", "mail.csv"},
		{"evaluate", "photos.tarn", "photos"},
		{"evaluate", "sales.tarn", "sales.csv"},
		{"predict", "sales.tarn", "sales.csv", "--proba"},
		{"predict", "sales.tarn", "open.csv", "--keep", "date"},
		{"predict", "sales.tarn", "flats.csv"},
		{"predict", "flats.tarn", "long.csv"},
		{"predict", "flats.tarn", "long.csv", "--proba", "--keep", "id", "--format", "jsonl"},
		{"predict", "flats.tarn", "flats.csv", "--format", "tsv"},
		{"predict", "flats.tarn", "nothing.csv"},
		{"predict", "flats.tarn", "broken.csv"},
		{"predict", "run", "digits.idx"},
		{"predict", "run", "flats.csv"},
		{"eval", "run"},
		{"eval", "nothing"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), args, &stdout, &stderr)
		for _, ranks := range []int{1, 2, 4} {
			out, complaints, got := onRanks(t, ranks, nil, args...)
			if out != stdout.String() && code == 0 || got != code || complaints == "" && code != 0 {
				t.Errorf("%v: %d ranks print %d bytes with exit code %d, and one process %d with %d\n%s%s", args, ranks, len(out), got, stdout.Len(), code, complaints, stderr.String())
			}
		}
		if code == 0 && stdout.Len() == 0 {
			t.Errorf("%v prints nothing", args)
		}
	}

	if _, complaints, code := onRanks(t, 3, nil, "predict", "flats.tarn", "long.csv", "--out", "answers.csv"); code != 0 {
		t.Error(complaints)
	}
	one, _ := command(t, 0, "predict", "flats.tarn", "long.csv")
	if string(readAll(t, "answers.csv")) != one {
		t.Error("the file of three ranks is not what one process prints")
	}
	if left, _ := filepath.Glob("*.tmp*"); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
	if _, complaints, code := onRanks(t, 3, nil, "evaluate", "flats.tarn", "flats.csv", "--report", "rep"); code != 0 || strings.Count(complaints, "wrote rep/index.html") != 1 {
		t.Errorf("exit code %d: %s", code, complaints)
	}
	readAll(t, "rep/index.html")
	for _, test := range []struct {
		want   string
		change func(rank int, args []string) []string
		args   []string
	}{
		{"answers.csv is there already", nil, []string{"predict", "flats.tarn", "long.csv", "--out", "answers.csv"}},
		{"answers.csv is there already", nil, []string{"predict", "sales.tarn", "sales.csv", "--out", "answers.csv"}},
		{"the folder nowhere does not exist", nil, []string{"predict", "sales.tarn", "sales.csv", "--out", "nowhere/answers.csv"}},
		{"rep/index.html", nil, []string{"evaluate", "flats.tarn", "flats.csv", "--report", "rep"}},
		{"name a file that all ranks can read", nil, []string{"evaluate", "flats.tarn", "-"}},
		{"the rows of rank 1 are not those of rank 0", func(rank int, args []string) []string {
			if rank == 1 {
				args[2] = "long.csv"
			}
			return args
		}, []string{"evaluate", "flats.tarn", "flats.csv"}},
		{"the rows of rank 2 are not those of rank 0", func(rank int, args []string) []string {
			if rank == 2 {
				args[2] = "open.csv"
			}
			return args
		}, []string{"predict", "sales.tarn", "sales.csv"}},
		{"name a file that all ranks can read", nil, []string{"predict", "flats.tarn"}},
		{"start at most 2 ranks", nil, with("--shards", "2", "--out", "two")},
		{"resume it in one process", nil, []string{"train", "mnist", "--resume", "run"}},
		{"share their work", nil, []string{"inspect", "flats.tarn"}},
		{"the network of run on rank 1 differs", func(rank int, args []string) []string {
			if rank == 1 {
				args[1] = "run2"
			}
			return args
		}, []string{"predict", "run", "digits.idx"}},
		{"give all ranks the same data", func(rank int, args []string) []string {
			if rank == 1 {
				args[2] = "flats.csv"
			}
			return args
		}, []string{"predict", "flats.tarn", "long.csv"}},
		{"nothing.csv", func(rank int, args []string) []string {
			if rank == 1 {
				args[2] = "nothing.csv"
			}
			return args
		}, []string{"predict", "flats.tarn", "long.csv"}},
	} {
		_, complaints, code := onRanks(t, 3, test.change, test.args...)
		if code == 0 || !strings.Contains(complaints, test.want) {
			t.Errorf("%v: exit code %d, %q, want %q", test.args, code, complaints, test.want)
		}
	}
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func writeAll(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestScale predicts in one process and on ranks, whose network is measured.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: measures this machine twice")
	}
	t.Chdir(t.TempDir())
	out, _ := command(t, 0, "scale", "--latency", "30us", "--bandwidth", "1.1", "--plot", "speedup.png")
	for _, want := range []string{"gpt-small: 6 layers", "gpt-1.3b: 24 layers", "the network of --latency and --bandwidth: latency 30 us, bandwidth 1.1 GB/s", "  1024 ", "wrote speedup.png"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	readAll(t, "speedup.png")
	if out, complaints, code := onRanks(t, 2, nil, "scale", "--threads", "1"); code != 0 || !strings.Contains(out, "measured between rank 0 and rank 1: latency") {
		t.Errorf("exit code %d: %s%s", code, out, complaints)
	}
}
