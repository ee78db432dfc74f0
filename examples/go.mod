module github.com/onceward/onceward/examples

go 1.26

require github.com/onceward/onceward v0.1.0
