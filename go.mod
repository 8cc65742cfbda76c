module github.com/seed-49005b45/tarn

go 1.26.0

require golang.org/x/sys v0.49.0
