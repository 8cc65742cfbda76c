// Package sqlite reads tables from SQLite databases, which it never changes.
package sqlite

import "github.com/seed-49005b45/tarn/data/table"

// Options say what to read.
type Options struct {
	Table  string        // or view; "" means the only one that there is
	Query  string        // a SELECT instead of a table
	Drop   []string      // columns to leave out
	Schema *table.Schema // read the columns that this has, as it has them, and leave out others
}
