//go:build (amd64 || arm64) && (linux || darwin || windows || freebsd)

package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/data/table/sqlite"
)

func database(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a b?.db")
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("?", "%3f", " ", "%20").Replace(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

const flats = `CREATE TABLE flats (city TEXT, size REAL, rooms INTEGER, built DATE, note BLOB, mixed)`

func TestLoad(t *testing.T) {
	path := database(t, flats, `INSERT INTO flats VALUES ('Bonn', 50.5, 2, '2024-05-31', NULL, 1), (NULL, NULL, 3, '1999-01-01', NULL, 'x')`, `CREATE VIEW rooms AS SELECT rooms FROM flats`)
	ctx := context.Background()
	got, err := sqlite.Load(ctx, path, sqlite.Options{Table: "flats"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"city": "Bonn|", "size": "50.5|", "rooms": "2|3", "built": "2024-05-31|1999-01-01", "note": "|", "mixed": "1|x"} {
		if c := got.Column(name); c.Text(0)+"|"+c.Text(1) != want {
			t.Errorf("%s is %s|%s, want %s", name, c.Text(0), c.Text(1), want)
		}
	}
	if q, err := sqlite.Load(ctx, path, sqlite.Options{Query: "SELECT size*2 AS twice FROM flats WHERE size > 0"}); err != nil || q.Rows() != 1 || q.Column("twice").Numbers[0] != 101 {
		t.Errorf("query: %v", err)
	}
	schema := &table.Schema{Columns: []table.Description{{Name: "rooms", Kind: table.Category, Role: table.Feature}}}
	if q, err := sqlite.Load(ctx, path, sqlite.Options{Table: "rooms", Schema: schema}); err != nil || q.Column("rooms").Text(1) != "3" || q.Column("rooms").Numbers != nil {
		t.Errorf("by the schema: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	two := database(t, flats, `CREATE TABLE other (a)`, `INSERT INTO flats VALUES ('x', 1, 1, '2024-01-01', x'ff', 1)`)
	text := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	absent := filepath.Join(t.TempDir(), "absent.db")
	for _, c := range []struct {
		name, path string
		o          sqlite.Options
		want       string
	}{
		{"two tables", two, sqlite.Options{}, "the database has 2 tables, say which one: flats, other"},
		{"no such table", two, sqlite.Options{Table: "flat"}, `there is no table "flat"`},
		{"bytes", two, sqlite.Options{Table: "flats"}, `column "note": it holds bytes`},
		{"writing", two, sqlite.Options{Query: "DELETE FROM flats RETURNING city"}, "readonly"},
		{"both", two, sqlite.Options{Query: "SELECT 1", Table: "flats"}, "both a table and a query"},
		{"no database", text, sqlite.Options{}, "not a database"},
		{"absent", absent, sqlite.Options{}, "no such file"},
	} {
		if _, err := sqlite.Load(ctx, c.path, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := os.Stat(absent); err == nil {
		t.Error("a file was made")
	}
}
