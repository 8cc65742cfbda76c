module github.com/seed-49005b45/tarn/minimize/internal/mgh/peers

go 1.26.0

require (
	github.com/seed-49005b45/tarn v0.0.0
	gonum.org/v1/gonum v0.17.0
)

require golang.org/x/tools v0.30.0 // indirect

replace github.com/seed-49005b45/tarn => ../../../..
