//go:build (amd64 || arm64) && (linux || darwin || windows || freebsd)

package main

import (
	"bytes"
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/seed-49005b45/tarn/data/table"
)

// TestTableFiles makes a model of one table as a text, a Parquet file and a table of a database: its weights and its answers are the same.
func TestTableFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	flats(t, dir, "flats.csv", 60)
	tab, err := table.Load("flats.csv", table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	type flat struct {
		ID    string   `parquet:"id"`
		Size  *float64 `parquet:"size,optional"`
		City  string   `parquet:"city"`
		Lift  string   `parquet:"lift"`
		Price *float64 `parquet:"price,optional"`
		Sold  string   `parquet:"sold"`
	}
	number := func(name string, row int) *float64 {
		if c := tab.Column(name); !c.Missing(row) {
			return &c.Numbers[row]
		}
		return nil
	}
	db, err := sql.Open("sqlite", "flats.db")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE other (a); CREATE TABLE flats (id TEXT, size REAL, city TEXT, lift TEXT, price REAL, sold TEXT)`); err != nil {
		t.Fatal(err)
	}
	var rows []flat
	for i := range tab.Rows() {
		f := flat{tab.Column("id").Text(i), number("size", i), tab.Column("city").Text(i), tab.Column("lift").Text(i), number("price", i), tab.Column("sold").Text(i)}
		rows = append(rows, f)
		if _, err := db.Exec(`INSERT INTO flats VALUES (?, ?, ?, ?, ?, ?)`, f.ID, f.Size, f.City, f.Lift, f.Price, f.Sold); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := parquet.WriteFile("flats.parquet", rows); err != nil {
		t.Fatal(err)
	}
	command(t, 0, quickFit("flats.csv", "sold", "--out", "text.tarn")...)
	want, _ := command(t, 0, "predict", "text.tarn", "flats.csv", "--proba")
	for _, file := range []string{"flats.parquet", "flats.db#flats"} {
		command(t, 0, quickFit(file, "sold", "--force")...) // writes flats.tarn
		if got, _ := command(t, 0, "predict", "flats.tarn", file, "--proba"); got != want {
			t.Errorf("%s: the model of it answers otherwise than that of the text", file)
		}
		if got, _ := command(t, 0, "predict", "text.tarn", file, "--proba", "--keep", "city"); strings.Count(got, "\n") != 61 {
			t.Errorf("%s: the model of the text answers %q", file, got)
		}
		if out, _ := command(t, 0, "evaluate", "text.tarn", file, "--json"); !bytes.Contains([]byte(out), []byte(`"rows": 60`)) {
			t.Errorf("%s: evaluate says %s", file, out)
		}
		if _, words := command(t, 1, quickFit(file, "sold", "--force", "--sep", ";")...); !strings.Contains(words, "have no effect on it") {
			t.Errorf("%s: --sep: %s", file, words)
		}
	}
	type listed struct {
		flat
		Tags []string `parquet:"tags"`
	}
	var lists []listed
	for _, f := range rows {
		lists = append(lists, listed{f, []string{"a", "b"}})
	}
	if err := parquet.WriteFile("lists.parquet", lists); err != nil {
		t.Fatal(err)
	}
	if _, words := command(t, 1, quickFit("lists.parquet", "sold")...); !strings.Contains(words, `column "tags" holds lists`) {
		t.Errorf("lists: %s", words)
	}
	command(t, 0, quickFit("lists.parquet", "sold", "--drop", "tags")...)
	if got, _ := command(t, 0, "predict", "lists.tarn", "lists.parquet", "--proba"); got != want {
		t.Error("the model of a file without its column of lists answers otherwise than that of the text")
	}
	for file, want := range map[string]string{"flats.db": "say which one: flats, other; as in flats.db#TABLE", "flats.db#rooms": `there is no table "rooms"`, "flats.parquet#a": "has no tables within", "absent.db#a": "no such file"} {
		if _, words := command(t, 1, quickFit(file, "sold", "--force")...); !strings.Contains(words, want) {
			t.Errorf("%s: %s, want %q", file, words, want)
		}
	}
	if _, err := os.Stat("absent.db"); err == nil {
		t.Error("a database was made")
	}
}
