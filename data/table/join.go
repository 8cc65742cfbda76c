package table

import (
	"fmt"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file puts tables together.

// Join returns the rows of all tables, one table after the other. They have the same columns, in any order; a column is of numbers in all of them or of words in all.
func Join(tables ...*Table) (*Table, error) {
	if len(tables) == 1 {
		return tables[0], nil
	}
	out := &Table{}
	if len(tables) == 0 {
		return out, nil
	}
	rows := 0
	for _, t := range tables {
		rows += t.Rows()
	}
	out.Dialect = tables[0].Dialect
	for _, first := range tables[0].Columns {
		c := &Column{Name: first.Name}
		code := map[string]int32{}
		if first.Numbers != nil {
			c.Numbers = make([]float64, 0, rows)
		} else {
			c.Codes = make([]int32, 0, rows)
		}
		for _, t := range tables {
			part := t.Column(c.Name)
			if part == nil || (part.Numbers != nil) != (c.Numbers != nil) || len(t.Columns) != len(tables[0].Columns) {
				return nil, fmt.Errorf("table: Join: the tables differ in column %s", list.Quote(c.Name))
			}
			if c.Numbers != nil {
				c.Numbers = append(c.Numbers, part.Numbers...)
				continue
			}
			to := make([]int32, len(part.Levels))
			for k, w := range part.Levels {
				at, known := code[w]
				if !known {
					at = int32(len(c.Levels))
					code[w] = at
					c.Levels = append(c.Levels, w)
				}
				to[k] = at
			}
			for _, k := range part.Codes {
				if k >= 0 {
					k = to[k]
				}
				c.Codes = append(c.Codes, k)
			}
		}
		out.Columns = append(out.Columns, c)
	}
	return out, nil
}
