module github.com/onceward/onceward/bench

go 1.26
