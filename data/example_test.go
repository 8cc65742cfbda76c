package data_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/seed-49005b45/tarn/data"
)

// A table is split, normalized by its training part and split into batches.
func Example() {
	const text = `length,width,kind
5.1,3.5,setosa
7.0,3.2,versicolor
6.3,3.3,virginica
4.9,3.0,setosa
6.4,3.2,versicolor
5.8,2.7,virginica
`
	table, err := data.CSV{Class: "kind"}.Read(strings.NewReader(text))
	if err != nil {
		panic(err)
	}
	train, valid, err := table.Set.Split(4, 1)
	if err != nil {
		panic(err)
	}
	moments, err := train.Moments("features", true)
	if err != nil {
		panic(err)
	}
	for _, set := range []**data.Set{&train, &valid} {
		if *set, err = (*set).Normalize("features", moments); err != nil {
			panic(err)
		}
	}
	for batch, err := range train.Batches(3, data.Options{Shuffle: true, Seed: 7}).All(context.Background()) {
		if err != nil {
			panic(err)
		}
		fmt.Println(batch.Position.Batch, batch.N, batch.Tensor("features").Shape(), batch.Tensor("label").Shape())
	}
	fmt.Println(table.Columns, table.Classes, valid.Len())
	// Output:
	// 0 3 [3 2] [3]
	// 1 1 [1 2] [1]
	// [length width] [setosa versicolor virginica] 2
}
