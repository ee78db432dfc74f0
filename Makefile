# Everything that a contributor runs. "make help" lists it.

LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# All packages of all modules in go.work.
PACKAGES = $$(go list -m -f '{{.Dir}}/...')

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: ## test every module; needs nothing but Go, and says what it leaves out without PostgreSQL
	@bash scripts/services.sh check
	CGO_ENABLED=0 go test $(PACKAGES)

.PHONY: services
services: ## install the servers that the drivers are tested against, if root; else say what to install
	bash scripts/services.sh

.PHONY: race
race: ## test every module with the race detector; needs a C compiler; SHORT=1 leaves out long tests against servers
	CGO_ENABLED=1 go test -race $(if $(SHORT),-short) $(PACKAGES)

.PHONY: soak
soak: ## long random runs of stores, client and simulation (an hour; ONCEWARD_SOAK_TIME=10m); ONCEWARD_SEED=n repeats one
	ONCEWARD_SOAK=1 CGO_ENABLED=1 go test -race -count=1 -timeout=2h -v ./store/... ./oncehttp ./faults ./examples/... ./cmd/onceward
	ONCEWARD_SOAK=1 CGO_ENABLED=0 go test -count=1 -timeout=2h -run '^TestMemory' -v ./store/pebblestore
	ONCEWARD_SOAK=1 CGO_ENABLED=0 go test -count=1 -timeout=0 -run '^TestSeeds$$' -v ./compat/simulation

.PHONY: simulate
simulate: ## a minute of the simulation's seeds; docs/simulation.md
	CI=true CGO_ENABLED=0 go test -count=1 -run '^TestSeeds$$' -v ./compat/simulation

.PHONY: check
check: fmt-check vet lint tidy-check generate-check ## what CI runs apart from the tests

.PHONY: fmt-check
fmt-check: ## fail if a file is not formatted
	@bad=$$(gofmt -l .); if [ -n "$$bad" ]; then echo "not formatted, run gofmt -w:"; echo "$$bad"; exit 1; fi

.PHONY: vet
vet: ## go vet, every module
	go vet $(PACKAGES)

.PHONY: lint
lint: ## golangci-lint, every module; .golangci.yml has the rules
	@root=$$(pwd); for dir in $$(go list -m -f '{{.Dir}}'); do \
		(cd "$$dir" && go run $(LINT) run --config "$$root/.golangci.yml" ./...) || exit 1; \
	done

.PHONY: tidy
tidy: ## go mod tidy, every module
	go run ./scripts/tidy

.PHONY: tidy-check
tidy-check: ## fail if "make tidy" would change something
	go run ./scripts/tidy -check

.PHONY: generate
generate: ## make the generated files again, every module
	go generate $(PACKAGES)

.PHONY: generate-check
generate-check: ## fail if "make generate" changes something
	@sum() { git ls-files -co --exclude-standard -z | xargs -0 cksum 2>/dev/null; }; \
	before=$$(sum); $(MAKE) --no-print-directory generate; \
	if [ "$$before" != "$$(sum)" ]; then echo "generated files were out of date; commit what make generate has changed"; exit 1; fi

.PHONY: mutants
mutants: ## break each guarantee on purpose; ONLY=regexp for some; PROVED=1 after "make test"
	go run ./scripts/mutants $(if $(PROVED),-proved) '$(ONLY)'

# DIR is a folder on the disk that is measured; default: where temporary files are.
BENCH = CGO_ENABLED=0 go run ./bench/cmd/bench $(if $(SHORT),-short) $(if $(WRITE),-write docs/performance.md)

.PHONY: bench
bench: ## measure, in turns beside what it is compared with; SHORT=1 only shows that it works, WRITE=1 puts the tables into docs/performance.md, DIR=folder for another disk
	$(BENCH)

.PHONY: bench-postgres
bench-postgres: ## measure the same transaction in a PostgreSQL of its own, beside itself without onceward
	$(BENCH) -part bench-postgres

.PHONY: bench-pebble
bench-pebble: ## measure the embedded store beside a bare log on the same disk
	$(BENCH) -part bench-pebble -dir '$(DIR)'

.PHONY: bench-redis
bench-redis: ## measure operations in a Redis of its own, beside the bare commands and the order that is written by hand
	$(BENCH) -part bench-redis

.PHONY: bench-proxy
bench-proxy: ## measure the sidecar beside a tuned reverse proxy, and nginx where it is installed
	$(BENCH) -part bench-proxy -dir '$(DIR)'

.PHONY: deb
deb: ## build the Debian package of this commit in dist/; GOARCH=arm64 for another machine; needs dpkg-deb
	env -u GOARCH go run ./scripts/deb $(if $(GOARCH),-arch $(GOARCH))

FUZZTIME ?= 2s

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (default 2s); ONLY=regexp for some
	@CGO_ENABLED=0 go run ./scripts/fuzz -time '$(FUZZTIME)' '$(ONLY)'

.PHONY: demo
demo: ## lose replies, with and without onceward
	go run ./cmd/onceward demo
