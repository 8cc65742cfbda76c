package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/data/table/parquet"
	"github.com/seed-49005b45/tarn/data/table/sqlite"
	"github.com/seed-49005b45/tarn/internal/file"
)

// This file reads tables that are no texts: Parquet files, and SQLite databases, of which FILE#TABLE names a table.

// otherTable reads the file at path if it is a Parquet file or a database.
func otherTable(path string, o table.Options) (t *table.Table, found bool, err error) {
	path, name, named := strings.Cut(path, "#")
	f, _, err := file.Open(path)
	if err != nil {
		return nil, false, nil // who reads texts says what is wrong
	}
	head := make([]byte, 16)
	n, _ := io.ReadFull(f, head)
	f.Close()
	isParquet, isSQLite := strings.HasPrefix(string(head[:n]), "PAR1"), strings.HasPrefix(string(head[:n]), "SQLite format 3")
	switch {
	case !isParquet && !isSQLite:
		return nil, false, nil
	case o.Comma != "" || o.Decimal != "" || o.Thousands != "" || o.Header != table.Guess:
		return nil, true, fmt.Errorf("%s is no text: --sep, --decimal and --no-header have no effect on it", file.Name(path))
	case o.Missing != nil:
		return nil, true, fmt.Errorf("%s is no text, and has missing values of its own: marks of missing values (--na, now or when the model was made) are for texts", file.Name(path))
	case isParquet && named:
		return nil, true, fmt.Errorf("%s is a Parquet file, which has no tables within: leave #%s out", file.Name(path), name)
	case isParquet:
		t, err = parquet.Load(path, parquet.Options{Drop: o.Drop, Schema: o.Schema})
	default:
		t, err = sqlite.Load(context.Background(), path, sqlite.Options{Table: name, Drop: o.Drop, Schema: o.Schema})
		if err != nil && !named && strings.Contains(err.Error(), "say which one") {
			err = fmt.Errorf("%w; as in %s#TABLE", err, file.Name(path))
		}
	}
	if err != nil {
		return nil, true, err
	}
	for _, c := range t.Columns {
		if slices.Contains(o.Words, c.Name) {
			t = t.With(c.AsWords())
		}
	}
	if t.Rows() == 0 {
		return nil, true, errors.New(file.Name(path) + " has no rows")
	}
	return t, true, nil
}
