.DEFAULT_GOAL := help
GO ?= go
BIN := bin

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bot and lab into bin/
	$(GO) build -o $(BIN)/ ./cmd/bot ./cmd/lab

.PHONY: demo
demo: build ## Start a simulated cluster, AWS and Slack with the real bot, and print one URL
	$(BIN)/lab demo

.PHONY: test
test: packages ## Run everything: vet, unit, worlds, simulators, browser, and what a release is made with
	$(GO) vet ./...
	$(GO) test -ldflags=-w -race -timeout 20m ./...
	$(GO) -C e2e/render test -ldflags=-w ./...
	$(GO) test -ldflags=-w -timeout 20m ./internal/diagtest
	$(GO) test -ldflags=-w -timeout 20m -run 'TestCrash|TestRefused|TestThousandPending|TestFit|TestDay$$' ./handlers ./internal/casebook
	$(GO) test -ldflags=-w -timeout 20m -run 'EveryWorld|Enormous' ./internal/awsnet ./internal/kube ./internal/sim/kube ./internal/render/slack
	$(MAKE) check-release

# What it reads lies outside of its module, so that Go would take an old result for a new one: hence -count=1.
.PHONY: check-release
check-release: ## Check what a release is made with: Dockerfile, workflows, licences of what is linked
	cd deploy/check && $(GO) vet ./... && $(GO) test -count=1 -timeout 20m ./...

.PHONY: licences
licences: ## Write THIRD_PARTY_NOTICES and docs/licences.md
	cd deploy/check && $(GO) test -run TestLicences . -update

# The same flags as .goreleaser.yaml, so the same bytes as in a release where the checkout is that of its tag, clean.
GOARCH ?= $(shell $(GO) env GOARCH)
.PHONY: release-binary
release-binary: ## Build bot as a release does: GOARCH=arm64
	CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) $(GO) build -trimpath -buildvcs=true -ldflags="-s -w -buildid=" -o $(BIN)/linux-$(GOARCH)/bot ./cmd/bot
	@$(GO) version -m $(BIN)/linux-$(GOARCH)/bot | grep -q vcs.revision= || \
	  echo "$(BIN)/linux-$(GOARCH)/bot names no commit, so it is not what a release has: Go reads that from a clone alone, not from a worktree or an archive"

.PHONY: sbom
sbom: release-binary ## Write the parts list of that program as CycloneDX
	$(GO) run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -std -output $(BIN)/linux-$(GOARCH)/bot.cdx.json $(BIN)/linux-$(GOARCH)/bot

HELM ?= $(GO) run helm.sh/helm/v3/cmd/helm@v3.22.0
.PHONY: chart
chart: ## Package the chart: VERSION=0.1.0
	$(HELM) package deploy/helm/netdiag --version $(VERSION) --app-version $(VERSION) --destination $(BIN)/chart

.PHONY: push-chart
push-chart: ## Push the packaged chart to a registry: VERSION=0.1.0 CHARTS=oci://…
	$(HELM) push $(BIN)/chart/netdiag-$(VERSION).tgz $(CHARTS)

.PHONY: e2e
e2e: ## Run the tests that need a real control plane; the first time builds one, which takes a quarter of an hour
	NETDIAG_E2E=1 $(GO) test -count=1 -timeout 90m -parallel 4 ./e2e

.PHONY: e2e-report
e2e-report: ## Kill the programs after every single write on a real control plane, and measure them there: an hour; write those sections of docs/
	NETDIAG_E2E=1 NETDIAG_E2E_DOCS=$(CURDIR)/docs $(GO) test -count=1 -timeout 180m -parallel 4 -run 'TestKilled|TestAcknowledged' ./e2e

.PHONY: check
check: fmt lint test ## What a change must pass

.PHONY: fmt
fmt: ## Format
	gofmt -l -w cmd deploy diagnostics e2e handlers internal

LINT := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run
.PHONY: lint
lint: ## Lint (golangci-lint, built from its Go module)
	$(LINT)
	cd deploy/check && $(LINT)
	cd e2e/render && $(LINT)

.PHONY: generate
generate: ## Write what is generated: the catalogue of causes and fixes; the chart's roles, the read policy; settings, causes, permissions and metrics of docs/
	$(GO) generate ./diagnostics ./internal/permissions
	$(GO) run ./internal/guide docs

.PHONY: bench
bench: build weigh ## Score and time every world; write docs/accuracy.md and docs/performance.md
	$(BIN)/lab bench --accuracy docs/accuracy.md --performance docs/performance.md testdata/worlds

.PHONY: weigh
weigh: build ## Say how large the released programs are, and how fast they start; write that section of docs/performance.md
	$(MAKE) release-binary GOARCH=amd64
	$(MAKE) release-binary GOARCH=arm64
	$(BIN)/lab weigh --performance docs/performance.md $(BIN)/linux-amd64/bot $(BIN)/linux-arm64/bot

.PHONY: idle
idle: build ## Say what bot serve takes while nobody asks anything, and while it watches 5,000 nodes; write that section of docs/performance.md: ten minutes
	$(BIN)/lab idle --performance docs/performance.md $(BIN)/bot

.PHONY: reliability
reliability: ## Live through 30 simulated days of trouble with Slack, and crash at every step of a fix; write docs/reliability.md
	NETDIAG_RELIABILITY=$(CURDIR)/docs/reliability.md $(GO) test -count=1 -timeout 30m -run 'TestDay$$' ./handlers
	NETDIAG_RELIABILITY=$(CURDIR)/docs/reliability.md $(GO) test -count=1 -run 'TestCrashMatrix$$' ./internal/casebook

.PHONY: screenshots
screenshots: packages ## Take the screenshots of docs/ anew
	NETDIAG_SCREENSHOTS=$(CURDIR)/docs/images $(GO) test -count=1 -run 'TestDemo' ./cmd/lab

# Under the race detector a sample of the worlds, deaths and refusals is gone over; the commands after it go over every one.
# Without DWARF (-w) the fifty test programs are linked in two thirds of the time.
# Tests drive a real browser, run Slack's own bot framework, and compare with the unmodified aws and kubectl. On Debian, as root, what is missing is installed.
.PHONY: packages
packages: ## Install the Debian packages that the tests use, where they are missing
	@missing=; \
	[ -x /usr/bin/aws ] || missing="$$missing awscli"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	command -v npm >/dev/null || missing="$$missing npm"; \
	command -v shellcheck >/dev/null || missing="$$missing shellcheck"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	  else \
	    echo "missing:$$missing (Debian package names): tests that need them are skipped and say so, those of scripts fail"; \
	  fi; \
	fi
