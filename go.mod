module github.com/seed-49005b45/tarn

go 1.26
