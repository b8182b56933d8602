# Two commands for a newcomer: `make run` and `make test`. Both install what they lack; both want root (sudo is used if there is one).
GO   ?= go
BIN  := bin/slipway
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: fresh race-quick run dev build test test-deps deps lint race isolation generate schema fuzz bench conformance torture docs check

# Builds everything, launches one instance through the API, prints how to reach it, and keeps serving.
run: deps build
	$(SUDO) $(BIN) dev --demo

dev: deps build
	$(SUDO) $(BIN) dev

build:
	$(GO) build -o $(BIN) ./cmd/slipway

# Every test, those with real virtual machines too. test/ is a module of its own, so that the clients which only tests use
# are none of the product's dependencies; both run, and either fails. What is in test/ runs a slipway that it builds, which
# Go's cache of results knows nothing of: -count=1.
test: deps test-deps
	$(GO) vet ./...
	$(GO) vet -C test ./...
	@failed=0; \
	$(SUDO) env "PATH=$$PATH" $(GO) test -timeout 20m -p 1 ./... || failed=1; \
	$(SUDO) env "PATH=$$PATH" $(GO) test -C test -count=1 -timeout 20m -p 1 ./... || failed=1; \
	exit $$failed

# What a host needs to run instances, and why: see scripts/deps.
deps:
	@SUDO="$(SUDO)" scripts/deps host

# What the tests need besides: the clients that they drive.
test-deps:
	@SUDO="$(SUDO)" scripts/deps test
	@SUDO="$(SUDO)" scripts/deps image

# The tools' versions are pinned in tools/go.mod. The vulnerability database is not everywhere within reach; what govulncheck finds fails.
lint:
	gofmt -l . | (! grep .)
	$(GO) vet ./...
	$(GO) vet -C test ./...
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	$(GO) tool -C test -modfile=../tools/go.mod staticcheck ./...
	@said=$$($(GO) tool -modfile=tools/go.mod govulncheck ./... 2>&1); code=$$?; echo "$$said" | tail -40; \
	if [ $$code -ne 0 ] && echo "$$said" | grep -q "fetching vulnerabilities"; then echo "govulncheck: NOT CHECKED, its database cannot be reached from here"; else exit $$code; fi

# The race detector, where goroutines meet; CI runs the quick half.
race: race-quick
	$(GO) test -race ./internal/placement ./internal/hypervisor/fake ./internal/jail ./internal/dataplane ./internal/imagesource ./internal/controlplane ./internal/instances ./cmd/slipway .

race-quick:
	$(GO) test -race ./internal/store/... ./internal/action ./internal/iam ./internal/server ./internal/agent ./internal/reconcile ./internal/guard ./internal/thread ./internal/audit

# Every parameter and filter of every action with another account's ids of every kind: minutes. The test has a short form.
isolation:
	SLIPWAY_ISOLATION=all $(GO) test -v -count=1 -timeout 30m -run 'AreIsolated$$' ./internal/controlplane

# Writes internal/ec2wire, iamwire, stswire, ssmwire and docs/coverage.md anew from the schemas in tools/wiregen and the
# code; needs no network.
generate:
	cd tools && $(GO) run ./wiregen
	$(GO) test ./internal/instances -run CoverageDocument -update

# What is generated is what would be generated; what differs is left for a look. Another graphviz may draw the pictures
# otherwise: their test knows.
WRITTEN = { grep -rl '^// Code generated' --include=*.go internal; echo docs/coverage.md; } | sort | xargs sha256sum
fresh:
	@was=$$($(WRITTEN)); $(MAKE) generate && [ "$$was" = "$$($(WRITTEN))" ] || { echo "fresh: make generate writes other files than these"; exit 1; }
	$(GO) test . -run TestThePicturesAreFresh

# Takes the schemas anew out of npm's @aws-sdk/client-ec2, -iam, -sts and -ssm; needs node and npm.
SDK := 3.1169.0
schema:
	rm -rf .npm && mkdir .npm && cd .npm && echo "{}" >package.json && npm install --no-audit --no-fund \
		$(foreach s,ec2 iam sts ssm,@aws-sdk/client-$(s)@$(SDK))
	node tools/wiregen/extract.mjs .npm/node_modules ec2 tools/wiregen/actions.txt | gzip -9 -n > tools/wiregen/schema.json.gz
	node tools/wiregen/filters.mjs .npm/node_modules tools/wiregen/actions.txt > internal/filters/documented.tsv
	for s in iam sts ssm; do \
		node tools/wiregen/extract.mjs .npm/node_modules $$s tools/wiregen/$$s.txt | gzip -9 -n > tools/wiregen/$$s.json.gz; done
	rm -rf .npm

# Every decoder of bytes that we did not write, FUZZTIME each. What it finds stays in testdata/fuzz and is run by `make test`.
FUZZTIME ?= 20s
fuzz:
	@set -e; grep -rl '^func Fuzz' --include=*_test.go . | xargs -n1 dirname | sort -u | while read -r dir; do \
		for f in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' $$dir/*_test.go | cut -d' ' -f2); do \
			echo "$$dir $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$dir; \
		done; \
	done

bench: deps build
	$(SUDO) env "PATH=$$PATH" SLIPWAY_BENCH=1 $(GO) test -C test -v -count=1 -timeout 20m -run 'TestBench' ./e2e
	$(GO) test -run '^$$' -bench . ./internal/placement ./internal/ec2query ./internal/accounts ./internal/controlplane

# Kills server, etcd and machines with -9 for as long as TORTURE says, while callers use them, and holds what is left to what was acknowledged.
torture: deps
	$(SUDO) env "PATH=$$PATH" TORTURE=$${TORTURE:-30m} TORTURE_ONLY=$$TORTURE_ONLY TORTURE_SEED=$$TORTURE_SEED $(GO) test -C test -v -count=1 -timeout 0 -run 'TestTortureLong' ./torture

# Draws the pictures of docs/architecture.md anew; each says which text it was drawn from, so that a test sees when it is stale.
docs:
	@SUDO="$(SUDO)" scripts/deps docs
	@set -e; for f in docs/pictures/*.dot; do \
		{ dot -Tsvg $$f && echo "<!-- drawn from $$(sha256sum $$f) with $$(fc-match Helvetica) -->"; } > $${f%.dot}.svg; \
	done

# Clients as their packages have them against real virtual machines: too slow for every day. Writes docs/conformance.md.
conformance: deps test-deps build
	@SUDO="$(SUDO)" scripts/deps conformance
	$(SUDO) $(BIN) image build debian-12
	$(SUDO) env "PATH=$$PATH" SLIPWAY_CONFORMANCE=../../docs/conformance.md $(GO) test -C test -v -count=1 -timeout 70m ./conformance

check: lint test
