module github.com/onceward/onceward/examples

go 1.26
