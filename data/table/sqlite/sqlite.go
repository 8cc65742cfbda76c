//go:build (amd64 || arm64) && (linux || darwin || windows || freebsd)

package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// Load reads a table, a view or the result of a query from the database at path. Values are numbers or words; a column with both is one of words.
func Load(ctx context.Context, path string, o Options) (*table.Table, error) {
	t, err := load(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %s: %w", file.Name(path), err)
	}
	return t, nil
}

func load(ctx context.Context, path string, o Options) (*table.Table, error) {
	f, _, err := file.Open(path) // so that a file that is not there is not made
	if err != nil {
		return nil, err
	}
	f.Close()
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.ToSlash(full), RawQuery: "mode=ro&_pragma=query_only(1)"}).String())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	query := o.Query
	if query == "" {
		name, err := choose(ctx, db, o.Table)
		if err != nil {
			return nil, err
		}
		query = `SELECT * FROM "` + strings.ReplaceAll(name, `"`, `""`) + `"`
	} else if o.Table != "" {
		return nil, fmt.Errorf("both a table and a query are given")
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for _, name := range o.Drop {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no column %s; there are %s", list.Quote(name), list.Names(names))
		}
	}
	builders := make([]table.Builder, len(names))
	values, places := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	for row := 0; rows.Next(); row++ {
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		for i, v := range values {
			b := &builders[i]
			switch v := v.(type) {
			case nil:
				b.Missing()
			case int64:
				b.Whole(v)
			case float64:
				b.Number(v)
			case bool:
				b.Word(fmt.Sprint(v))
			case string:
				b.Word(strings.TrimSpace(v))
			case []byte:
				if !slices.Contains(o.Drop, names[i]) {
					return nil, &table.CellError{Row: row, Column: names[i], Problem: "it holds bytes that are no text: leave the column out"}
				}
				b.Missing()
			case interface{ Format(layout string) string }: // columns declared as dates come as times
				b.Word(strings.TrimSuffix(v.Format("2006-01-02T15:04:05"), "T00:00:00"))
			default:
				return nil, &table.CellError{Row: row, Column: names[i], Problem: fmt.Sprintf("a value of type %T is not read", v)}
			}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	var columns []*table.Column
	for i, name := range names {
		if !slices.Contains(o.Drop, name) {
			columns = append(columns, builders[i].Column(name))
		}
	}
	t, err := table.New(columns...)
	if err != nil {
		return nil, err
	}
	t.Dialect.Encoding = "SQLite"
	if o.Schema != nil {
		return t.Conform(o.Schema)
	}
	return t, nil
}

// choose finds the table to read.
func choose(ctx context.Context, db *sql.DB, name string) (string, error) {
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return "", err
		}
		names = append(names, n)
	}
	switch {
	case rows.Err() != nil:
		return "", rows.Err()
	case len(names) == 0:
		return "", fmt.Errorf("the database has no tables")
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", fmt.Errorf("the database has %d tables, say which one: %s", len(names), list.Names(names))
	case !slices.Contains(names, name):
		return "", fmt.Errorf("there is no table %s; there are %s", list.Quote(name), list.Names(names))
	}
	return name, nil
}
