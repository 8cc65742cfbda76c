package main

// The tests make a model of a small table and ask it in all ways, as a user does.

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/fit"
)

// flats writes a table of flats that is easy to learn from.
func flats(t *testing.T, dir, name string, rows int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("id,size,city,lift,price,sold\n")
	for i := range rows {
		area := 20 + float64(i*37%100)
		city, lift := []string{"Bonn", "Köln", "Ulm"}[i*7%3], i*11%4 == 0
		price := 3*area + map[string]float64{"Bonn": 40, "Köln": 90, "Ulm": 0}[city]
		fmt.Fprintf(&b, "flat-%04d,%v,%s,%v,%.1f,%s\n", i, area, city, lift, price+float64(i%7), map[bool]string{true: "yes", false: "no"}[area > 70 != (i%9 == 0)])
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// quickFit are flags of a training that takes no time.
func quickFit(path, target string, flags ...string) []string {
	return append([]string{"fit", path, "--target", target, "--epochs", "2", "--cv", "2", "--quiet"}, flags...)
}

// records reads CSV.
func records(t *testing.T, text string) [][]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return all
}

// input makes a text the standard input.
func input(t *testing.T, text string) {
	old := standardInput
	standardInput = strings.NewReader(text)
	t.Cleanup(func() { standardInput = old })
}

// TestFit goes from a file to answers, for classes and quantities.
func TestFit(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	flats(t, dir, "flats.csv", 120)
	out, words := command(t, 0, "fit", "flats.csv", "--target", "sold", "--epochs", "2", "--cv", "2", "--report", "rep", "--by", "city,size,lift", "--drop", "price", "--threshold", "f1")
	for _, want := range []string{"flats.csv: 120 rows, 6 columns, commas, UTF-8", "target sold: classification of 2: no ", "left out", "split: 120 rows in 2 folds", "fold 2/2", "baseline", "AUC", "mean of the folds", "most important: size", "wrote flats.tarn (", "next: tarn predict flats.tarn"} {
		if !strings.Contains(words, want) {
			t.Errorf("fit says no %q:\n%s", want, words)
		}
	}
	if out != "" {
		t.Errorf("fit prints %q", out)
	}
	for _, name := range []string{"index.html", "report.json", "MODEL.md", "confusion.png", "roc.png", "precision-recall.png", "calibration.png", "importance.png", "learning.png"} {
		if info, err := os.Stat(filepath.Join("rep", name)); err != nil || info.Size() < 500 {
			t.Errorf("the report has no %s: %v", name, err)
		}
	}
	// Nothing is overwritten unless one says so.
	if _, message := command(t, 1, quickFit("flats.csv", "sold")...); !strings.Contains(message, "flats.tarn is there already") {
		t.Errorf("a second fit: %s", message)
	}
	if _, message := command(t, 1, quickFit("flats.csv", "sold", "--out", "other.tarn", "--report", "rep")...); !strings.Contains(message, "index.html is there already") {
		t.Errorf("a second report: %s", message)
	}

	text, _ := os.ReadFile("flats.csv")
	plain, _ := command(t, 0, "predict", "flats.tarn", "flats.csv")
	all := records(t, plain)
	if len(all) != 121 || fmt.Sprint(all[0]) != "[prediction]" {
		t.Errorf("predict prints %d lines, the first %v", len(all), all[0])
	}
	input(t, string(text))
	if piped, _ := command(t, 0, "predict", "flats.tarn"); piped != plain {
		t.Error("the standard input is answered otherwise than the file")
	}
	more, _ := command(t, 0, "predict", "flats.tarn", "flats.csv", "--proba", "--keep", "id,size,price", "--explain", "--format", "tsv")
	head, _, _ := strings.Cut(more, "\n")
	if head != "id\tsize\tprice\tprediction\tp_no\tp_yes\tshare_size\tshare_city\tshare_lift" || !strings.Contains(more, "\nflat-0003\t") {
		t.Errorf("predict --proba --keep --explain: %q", head)
	}
	command(t, 0, "predict", "flats.tarn", "flats.csv", "--format", "jsonl", "--proba", "--keep", "id", "--out", "answers.jsonl")
	answers, _ := os.ReadFile("answers.jsonl")
	for i, line := range strings.Split(strings.TrimSpace(string(answers)), "\n") {
		var a struct {
			ID, Prediction string
			No             float64 `json:"p_no"`
			Yes            float64 `json:"p_yes"`
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil || a.ID != fmt.Sprintf("flat-%04d", i) || a.Prediction != all[i+1][0] || a.No+a.Yes < 0.999 || a.No+a.Yes > 1.001 {
			t.Fatalf("line %d: %s (%v)", i+1, line, err)
		}
	}
	if _, message := command(t, 1, "predict", "flats.tarn", "flats.csv", "--out", "answers.jsonl"); !strings.Contains(message, "--force") {
		t.Errorf("predict over a file: %s", message)
	}
	// Rows as JSON lines, with a word that was never seen.
	input(t, `{"size": 30, "city": "Rome", "lift": true, "more": 1}`+"\n"+`{"size": 100, "city": null, "lift": false}`)
	out, words = command(t, 0, "predict", "flats.tarn", "-")
	if len(records(t, out)) != 3 || !strings.Contains(words, `note: city "Rome" was not seen in training: 1 row`+"\n") {
		t.Errorf("JSON lines: %s%s", out, words)
	}
	input(t, "size,city,lift\n1,Bonn,true\n2,Rome,false\n")
	if _, message := command(t, 1, "predict", "flats.tarn", "--strict"); !strings.Contains(message, `standard input: line 3: city "Rome" was not seen`) {
		t.Errorf("--strict: %s", message)
	}
	for rows, want := range map[string]string{
		"size,lift\n1,true\n":                  "the model reads size, city, lift: rename",
		"size,city,lift\n1,Ulm,no\nx,Ulm,no\n": `line 3:1: column "size": "x"`,
		"size,city,lift\n":                     "no rows",
		"":                                     "empty",
	} {
		input(t, rows)
		if _, message := command(t, 1, "predict", "flats.tarn"); !strings.Contains(message, want) {
			t.Errorf("%q: %s, want %q", rows, message, want)
		}
	}
	input(t, "size,city,lift\n1,Ulm,no\n")
	if _, message := command(t, 1, "evaluate", "flats.tarn", "-"); !strings.Contains(message, "evaluate compares the answers with the values of this column") {
		t.Errorf("evaluate without a target: %s", message)
	}

	// A quantity.
	command(t, 0, quickFit("flats.csv", "price", "--out", "price.tarn", "--report", "rep2", "--repeats", "2", "--drop", "sold")...)
	if _, err := os.Stat("rep2/residuals.png"); err != nil {
		t.Error(err)
	}
	out, _ = command(t, 0, "predict", "price.tarn", "flats.csv", "--proba")
	all = records(t, out)
	if fmt.Sprint(all[0]) != "[prediction low high]" {
		t.Errorf("a quantity: %v", all[0])
	}
	for _, r := range all[1:] {
		v, _ := strconv.ParseFloat(r[0], 64)
		low, _ := strconv.ParseFloat(r[1], 64)
		high, _ := strconv.ParseFloat(r[2], 64)
		if !(low < v && v < high) {
			t.Fatalf("bounds %v", r)
		}
	}
}

// TestFitAgain makes the same model twice, of the standard input too, and of a schema that was printed.
func TestFitAgain(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	flats(t, dir, "flats.csv", 60)
	text, _ := os.ReadFile("flats.csv")
	command(t, 0, quickFit("flats.csv", "price", "--out", "a.tarn")...)
	command(t, 0, quickFit("flats.csv", "price", "--out=b.tarn", "--report", "rep")...)
	a, _ := os.ReadFile("a.tarn")
	b, _ := os.ReadFile("b.tarn")
	if len(a) == 0 || string(a) != string(b) {
		t.Error("two models of one table differ")
	}
	input(t, string(text))
	out, _ := command(t, 0, quickFit("-", "price", "--out", "-")...)
	if !strings.Contains(out, "linear.weight") {
		t.Error("no model on the standard output")
	}
	schema, words := command(t, 0, "fit", "flats.csv", "--target", "price", "--dry-run", "--json")
	if !strings.Contains(words, "split: 60 rows") || exists("flats.tarn") {
		t.Errorf("a dry run: %s", words)
	}
	os.WriteFile("schema.json", []byte(strings.Replace(schema, `"kind": "bool"`, `"kind": "category"`, 1)), 0o600)
	command(t, 0, quickFit("flats.csv", "price", "--out", "c.tarn", "--schema", "schema.json")...)
	m, err := fit.Load("c.tarn")
	if err != nil {
		t.Fatal(err)
	}
	if kind := m.Schema().Column("lift").Kind; kind != "category" {
		t.Errorf("with an edited schema lift is a %s", kind)
	}
	if want := "tarn fit flats.csv --target price --epochs 2 --cv 2 --schema schema.json"; m.About.Command != want {
		t.Errorf("the command is %q, want %q", m.About.Command, want)
	}
	about, _ := command(t, 0, "fit", "flats.csv", "--target", "price", "--out", "d.tarn", "--epochs", "2", "--json", "--test", "flats.csv", "--type", "lift=category", "--weights", "size", "--valid", "0.25")
	var known struct{ Tested, Metrics map[string]float64 }
	if err := json.Unmarshal([]byte(about), &known); err != nil || known.Tested["R2"] == 0 || known.Metrics["R2"] == 0 {
		t.Errorf("--json and --test: %v, %+v", err, known)
	}
}

// TestFitMarks reads later tables with the marks of missing values that the first one had, and words that are numbers as words.
func TestFitMarks(t *testing.T) {
	t.Chdir(t.TempDir())
	var b strings.Builder
	b.WriteString("zip,size,price\n")
	for i := range 80 {
		size := strconv.Itoa(20 + i*37%60)
		if i%5 == 0 {
			size = "-999"
		}
		fmt.Fprintf(&b, "%s,%s,%d\n", []string{"007", "7", "A7", "x"}[i%4], size, 50+i*37%60+100*(i%2))
	}
	os.WriteFile("old.csv", []byte(b.String()), 0o600)
	command(t, 0, quickFit("old.csv", "price", "--na=-999,none", "--out", "m.tarn")...)
	one := func(rows string) string {
		input(t, rows)
		out, words := command(t, 0, "predict", "m.tarn")
		return out + words
	}
	want := one("zip,size\n007,\n")
	for _, rows := range []string{"zip,size\n007,-999\n", "zip,size\n007,none\n", `{"zip": "007", "size": null}`, `{"zip": "007", "size": -999}`, `{"zip": "007", "size": "none"}`} {
		if got := one(rows); got != want {
			t.Errorf("%q is answered %q, want %q", rows, got, want)
		}
	}
	if one("zip,size\n007,-998\n") == want {
		t.Error("a number is taken for a missing value")
	}
	input(t, "zip,size,price\n007,-999,60\n7,30,80\n")
	if out, _ := command(t, 0, "evaluate", "m.tarn", "-"); !strings.Contains(out, "2 rows with price") {
		t.Errorf("evaluate: %s", out)
	}
	input(t, "zip,size,price\n007,-999,60\n7,30,80\n")
	if out, _ := command(t, 0, "check", "-", "--model", "m.tarn"); strings.Contains(out, "never seen") || !strings.Contains(out, "50 %") {
		t.Errorf("check: %s", out)
	}
}

// TestFitRefuses shows what is said about tables of which nothing can be made.
func TestFitRefuses(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	flats(t, dir, "flats.csv", 40)
	os.WriteFile("broken.csv", []byte("a,b\n1,2\n1,2,3\n"), 0o600)
	os.WriteFile("schema.json", []byte("{"), 0o600)
	for _, c := range []struct {
		code int
		args []string
		want string
	}{
		{2, []string{"fit", "flats.csv"}, "--target"},
		{1, []string{"fit", "flats.csv", "--target", "prize"}, `"prize": there is no such column; there are id, size`},
		{1, []string{"fit", "none.csv", "--target", "x"}, "none.csv"},
		{1, []string{"fit", ".", "--target", "x"}, "has no folders with pictures"},
		{1, []string{"fit", "broken.csv", "--target", "a"}, "line 3"},
		{1, []string{"fit", "flats.csv", "--target", "price", "--schema", "schema.json"}, "schema.json"},
		{1, []string{"fit", "flats.csv", "--target", "price", "--out", "none/m.tarn"}, "create it first"},
		{1, []string{"fit", "flats.csv", "--target", "price", "--out", strings.Repeat("m", 240) + ".tarn"}, "mmm.tarn: "},
		{1, []string{"fit", "flats.csv", "--target", "price", "--force", "--out", "."}, "is a folder: name a file"},
		{1, []string{"fit", "flats.csv", "--target", "price", "--force", "--report", "flats.csv/report"}, "flats.csv"},
		{1, []string{"fit", "flats.csv", "--target", "price", "--weights", "city"}, "neither balanced nor a column of numbers"},
		{1, []string{"fit", "flats.csv", "--target", "price", "--split-by", "time:city"}, "neither dates nor numbers"},
		{1, []string{"fit", "flats.csv", "--target", "price", "--threshold", "f1"}, "a threshold is for two classes"},
		{1, []string{"fit", "flats.csv", "--target", "price", "--test", "broken.csv"}, "--test"},
		{2, []string{"fit", "flats.csv", "--target", "price", "--report", "r", "--by", "none"}, "there is no column"},
		{1, []string{"predict", "flats.csv", "flats.csv"}, "safetensors"},
		{1, []string{"evaluate", "none.tarn", "flats.csv"}, "none.tarn"},
		{1, []string{"check", "flats.csv", "--model", "flats.csv"}, "safetensors"},
	} {
		if _, message := command(t, c.code, c.args...); !strings.Contains(message, c.want) {
			t.Errorf("tarn %q: %q, want %q", c.args, message, c.want)
		}
	}
	if files, _ := filepath.Glob("*.tarn"); files != nil {
		t.Errorf("files are left: %v", files)
	}
}

// TestEvaluate measures, by slices, as JSON and with bounds.
func TestEvaluate(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	flats(t, dir, "flats.csv", 120)
	flats(t, dir, "later.csv", 200)
	command(t, 0, quickFit("flats.csv", "sold", "--drop", "price", "--out", "m.tarn")...)
	out, _ := command(t, 0, "evaluate", "m.tarn", "later.csv", "--by", "city,price", "--fail-under", "accuracy=0.6,log-loss=3", "--report", "rep")
	for _, want := range []string{"200 rows with sold", "baseline", "taken for", "recall", "Köln"} {
		if !strings.Contains(out, want) {
			t.Errorf("evaluate prints no %q:\n%s", want, out)
		}
	}
	if !exists("rep/index.html") {
		t.Error("there is no report")
	}
	out, _ = command(t, 0, "evaluate", "m.tarn", "later.csv", "--json", "--by", "lift")
	var r struct {
		Evaluation struct{ Rows int }
		ROC        []struct{ X []float64 }
		Slices     []struct{ Slices []struct{ Rows int } }
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Evaluation.Rows != 200 || len(r.ROC) != 1 || len(r.Slices) != 1 || r.Slices[0].Slices[0].Rows+r.Slices[0].Slices[1].Rows != 200 {
		t.Errorf("as JSON: %v, %+v", err, r)
	}
	for bound, want := range map[string]string{"accuracy=0.999": "accuracy is 0.", "log_loss=0.001": "above 0.001", "rmse=1": "rmse is not known"} {
		if _, message := command(t, 1, "evaluate", "m.tarn", "later.csv", "--fail-under", bound); !strings.Contains(message, want) {
			t.Errorf("--fail-under %s: %s", bound, message)
		}
	}
	input(t, "size,city,lift,sold\n1,Ulm,true,maybe\n")
	if _, message := command(t, 1, "evaluate", "m.tarn", "-"); !strings.Contains(message, `standard input: fit: Evaluate: line 2: "maybe" is not one of the classes no, yes`) {
		t.Errorf("an unknown class: %s", message)
	}
	command(t, 1, "evaluate", "m.tarn", "later.csv", "--by", "none")
}

// TestDrift compares tables with a model: one like that of the training, and one that is not.
func TestDrift(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	path := flats(t, dir, "flats.csv", 300)
	command(t, 0, quickFit(path, "price", "--out", "m.tarn")...)
	text, _ := os.ReadFile(path)
	out, _ := command(t, 0, "check", path, "--model", "m.tarn")
	if !strings.Contains(out, "the values lie as they did in training") {
		t.Errorf("the same table: %s", out)
	}
	moved := strings.ReplaceAll(string(text), "Bonn", "Rome")
	input(t, moved)
	out, _ = command(t, 0, "check", "-", "--model", "m.tarn")
	if !strings.Contains(out, "moved far") || !strings.Contains(out, "city: 100 rows with values never seen in training, such as Rome") {
		t.Errorf("a city by another name: %s", out)
	}
	broken := strings.Replace(strings.Replace(string(text), "size", "Size", 1), ",lift", ",elevator", 1)
	input(t, broken)
	out, message := command(t, 1, "check", "-", "--model", "m.tarn")
	if !strings.Contains(out, `size: it is not there; is it called "Size" now?`) || !strings.Contains(out, "leaves out: Size, elevator") || !strings.Contains(message, "cannot read 2 of its") {
		t.Errorf("other names: %s%s", out, message)
	}
	input(t, moved)
	out, _ = command(t, 0, "check", "-", "--model", "m.tarn", "--json")
	var r struct {
		Rows    int
		Columns []struct {
			Column, Verdict string
			PSI             float64
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Rows != 300 || r.Columns[1].Column != "city" || r.Columns[1].Verdict != "moved far" || r.Columns[1].PSI < 1 {
		t.Errorf("as JSON: %v %+v", err, r)
	}
}

// TestInspectModel tells of a model, in all forms.
func TestInspectModel(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	command(t, 0, quickFit(flats(t, dir, "flats.csv", 60), "sold", "--out", "m.tarn")...)
	for flags, wants := range map[string][]string{
		"":         {"m.tarn: a model of sold", "made by tarn fit ", "size", "baseline"},
		"--schema": {`"role": "target"`},
		"--card":   {"# A model of sold", "## Limits", "| column | kind |"},
		"--json":   {`"about"`, `"temperature"`},
	} {
		out, _ := command(t, 0, append([]string{"inspect", "m.tarn"}, strings.Fields(flags)...)...)
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("inspect %s prints no %q:\n%s", flags, want, out)
			}
		}
	}
}

// TestSearch looks for settings, goes on with more trials, and makes the best model again by the command that is printed.
func TestSearch(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	flats(t, dir, "flats.csv", 40)
	os.WriteFile("space.json", []byte(`{"families": ["both", "mlp"], "widths": [8], "layers": [1], "members": [1, 2], "rate": [0.001, 0.01]}`), 0o600)
	line := func(flags ...string) []string {
		return append([]string{"search", "flats.csv", "--target", "price", "--cv", "2", "--drop", "sold", "--space", "space.json"}, flags...)
	}
	out, words := command(t, 0, line("--trials", "4")...)
	if !strings.HasPrefix(out, "tarn fit flats.csv --target price --cv 2 --drop sold") || strings.Count(out, "\n") != 1 || !strings.Contains(words, "the usual ones") || !strings.Contains(words, "wrote flats.tarn and flats.trials.jsonl") {
		t.Errorf("search prints %s%s", out, words)
	}
	if _, message := command(t, 1, line("--trials", "5")...); !strings.Contains(message, "--resume goes on") {
		t.Errorf("a search over another: %s", message)
	}
	out, words = command(t, 0, line("--trials", "6", "--resume", "--json", "--time", "10m")...)
	var r struct {
		Best    struct{ Loss float64 }
		Trials  []struct{ Trial int }
		Command string
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Trials[len(r.Trials)-1].Trial > 5 || strings.Count(words, "(done before)") < 4 {
		t.Errorf("--resume --json: %v\n%s%s", err, out, words)
	}
	best, err := fit.Load("flats.tarn")
	if err != nil {
		t.Fatal(err)
	}
	if best.About.Metrics["RMSE"] != r.Best.Loss || best.About.Command != r.Command {
		t.Errorf("the model has the RMSE %v and the command %s, and the search %v and %s", best.About.Metrics["RMSE"], best.About.Command, r.Best.Loss, r.Command)
	}
	command(t, 0, append(strings.Fields(r.Command)[1:], "--quiet", "--out", "again.tarn")...)
	a, _ := os.ReadFile("flats.tarn")
	b, _ := os.ReadFile("again.tarn")
	if string(a) != string(b) {
		t.Error("the command makes another model")
	}
	os.WriteFile("bad.json", []byte(`{"width": [1]}`), 0o600)
	for _, c := range []struct {
		code int
		args []string
		want string
	}{
		{1, []string{"search", "flats.csv", "--target", "price", "--out", "x.tarn", "--space", "bad.json"}, "width"},
		{1, []string{"search", "flats.csv", "--target", "prize", "--out", "x.tarn"}, "no such column"},
		{1, []string{"search", "flats.csv", "--target", "price", "--out", "x.tarn", "--resume"}, "no file of trials"},
		{1, []string{"search", "flats.csv", "--target", "price", "--out", "x.tarn", "--time", "1ns"}, "the time was up"},
		{2, []string{"search", "-", "--target", "price"}, "it must be a file"},
		{2, []string{"search", "flats.csv", "--target", "price", "--resume", "--force"}, "exclude each other"},
	} {
		if _, message := command(t, c.code, c.args...); !strings.Contains(message, c.want) {
			t.Errorf("tarn %q: %q, want %q", c.args, message, c.want)
		}
	}
}
