// Package table reads tables as people have them, and makes features of them that a network can learn from.
//
//	t, err := table.Load("houses.csv", table.Options{})       // separator, decimal sign, header and marks of missing values are found out
//	schema, err := table.Infer(t, table.Hints{Target: "price"}) // what kind of thing each column is, and why
//	encoder, err := table.Fit(schema, t, train)               // means, levels and scales of the rows to learn from
//	features, err := encoder.Encode(t)                        // numbers and codes, by the names of the columns
//
// A Table holds columns of numbers or of words. A Schema says what each column means; it can be written as JSON, edited and read again. An Encoder
// remembers what it has learned from the training part alone, travels with the model, and finds its columns by name in any later table.
//
// Parquet files and SQLite databases have readers of their own in packages parquet and sqlite.
package table
