module github.com/onceward/onceward/compat

go 1.26

require (
	github.com/google/uuid v1.6.0
	github.com/onceward/onceward v0.1.0
	go.jetify.com/typeid v1.3.0
)

require github.com/gofrs/uuid/v5 v5.2.0 // indirect
