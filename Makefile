# Targets are a line or two each; logic is in Go. `make help` lists them.

GO       ?= go
CACHE    ?= .cache
TOOLS     = $(GO) tool -modfile=.ci/tools.mod
VERSION  ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
LDFLAGS   = -s -w -X hubcap/cmd/internal/cli.version=$(VERSION)
SANDBOX   = $(CURDIR)/bin/sandbox
HELM      = $(CURDIR)/bin/helm
PROM      = $(CURDIR)/bin/prometheus
K8S       = v1.36.3
SBFLAGS   = -s -w -X k8s.io/component-base/version.gitVersion=$(K8S) -X k8s.io/component-base/version.gitMajor=1 \
            -X k8s.io/component-base/version.gitMinor=36 -X k8s.io/component-base/version.gitTreeState=clean \
            -X k8s.io/client-go/pkg/version.gitVersion=$(K8S)

export CGO_ENABLED ?= 0

# What tests say goes through a filter that notes those that were skipped, for the
# end of "make test".
SHELL        = /bin/bash
.SHELLFLAGS  = -o pipefail -c
SKIPS        = $(CURDIR)/$(CACHE)/skipped
NOTED        = 2>&1 | awk -v skips=$(SKIPS) -f .ci/skips.awk

# The test with a real JupyterHub runs where there is one; CI installs it and says 1.
HUBCAP_REALHUB ?= $(if $(shell command -v jupyterhub),1,)

.PHONY: matrix help build sandbox prometheus helmpeer test demo check race unit e2e realhub fuzz bench golden lint tidy install clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

build: ## build bin/hubcap
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/hubcap ./cmd/hubcap

sandbox: ## build bin/sandbox: a real Kubernetes control plane and the GKE emulator
	cd testdata/sandbox && $(GO) build -trimpath -ldflags '$(SBFLAGS)' -o $(SANDBOX) .

prometheus: ## build bin/prometheus, for the sandbox: no discovery but files and HTTP
	cd testdata/prometheus && $(GO) build -trimpath -tags remove_all_sd -ldflags '-s -w' -o $(PROM) github.com/prometheus/prometheus/cmd/prometheus

demo: build sandbox ## plan, apply, break, roll back and detect drift on the sandbox
	$(GO) run -trimpath ./testdata/demo

replay-culler-flood: build sandbox prometheus helmpeer ## the incident of 2018-04-18, all at once and with hubcap, side by side
	$(GO) run -trimpath ./testdata/replay culler-flood

replay-launch-day: build sandbox prometheus helmpeer ## the incident of 2018-02-20, all at once and with hubcap, side by side
	$(GO) run -trimpath ./testdata/replay launch-day

test: ## all tests; at the end, which were skipped and why
	@mkdir -p $(CACHE) && rm -f $(SKIPS)
	@$(MAKE) --no-print-directory lint unit e2e realhub
	@.ci/skipped $(SKIPS)

check: lint race ## what to run before a commit: formatting, vet, staticcheck, arrows, budgets, unit tests with -race

unit: ## unit tests, with every point of the crash matrices
	@mkdir -p $(CACHE)
	HUBCAP_MATRIX=1 $(GO) test -v -trimpath -shuffle=on ./... $(NOTED)

race: ## unit tests under the race detector
	CGO_ENABLED=1 $(GO) test -race -shuffle=on ./...

helmpeer: ## build bin/helm, which the charts' rendering is compared with
	cd testdata/helmpeer && $(GO) build -trimpath -ldflags '-s -w' -o $(HELM) helm.sh/helm/v3/cmd/helm

e2e: build sandbox prometheus helmpeer ## tests on the sandbox, and beside Helm
	@mkdir -p $(CACHE)
	cd testdata/sandbox && $(GO) test -v -trimpath ./... 2>&1 | awk -v skips=$(SKIPS) -f $(CURDIR)/.ci/skips.awk
	HUBCAP_HELM=$(HELM) HUBCAP_SANDBOX=$(SANDBOX) HUBCAP_BIN=$(CURDIR)/bin/hubcap $(GO) test -v -trimpath -tags e2e -count=1 -timeout 60m -p 1 ./engine/chart ./providers/... ./modules ./testdata/sandboxtest ./testdata/e2e $(NOTED)

realhub: ## the rendered configuration in a real JupyterHub (installed by .ci/install-jupyterhub)
	@mkdir -p $(CACHE)
	HUBCAP_REALHUB=$(HUBCAP_REALHUB) $(GO) test -v -trimpath -count=1 -timeout 15m -run RealHub ./modules/... $(NOTED)

matrix: ## the crash and fault matrices, with their counts
	HUBCAP_MATRIX=1 $(GO) test -trimpath -count=1 -v -run 'TestCrash|TestFaults|TestTruncated|TestTampered' ./engine | grep -E '^(---|ok|FAIL)|survived|points'

FUZZ = schema:FuzzLoad schema:FuzzFormat engine/chart:FuzzDecode engine/expand:FuzzBuildPodName engine/plan:FuzzDecode providers/kube:FuzzTreeSet providers/kube:FuzzDecodeRelease

fuzz: ## 30 s for each fuzz target
	$(foreach f,$(FUZZ),$(GO) test -trimpath -run '^$$' -fuzz '^$(lastword $(subst :, ,$(f)))$$' -fuzztime 30s ./$(firstword $(subst :, ,$(f))) &&) true

bench: build sandbox helmpeer ## ratios against floors and peers
	HUBCAP_HELM=$(HELM) HUBCAP_SANDBOX=$(SANDBOX) HUBCAP_BIN=$(CURDIR)/bin/hubcap $(GO) test -trimpath -tags e2e -run '^$$' -bench . -benchtime 3x -p 1 ./... ./testdata/e2e

golden: ## rewrite expected output
	$(GO) test -trimpath ./schema ./cmd/... ./engine/... -update

lint: ## formatting, vet, staticcheck
	@test -z "$$(gofmt -l cmd engine providers schema modules docs testdata)" || { gofmt -l cmd engine providers schema modules docs testdata; exit 1; }
	$(GO) vet -trimpath -tags e2e ./... ./testdata/demo ./testdata/replay ./testdata/sandboxtest ./testdata/e2e
	$(TOOLS) staticcheck -checks all -tags e2e ./... ./testdata/demo ./testdata/replay ./testdata/sandboxtest ./testdata/e2e
	cd testdata/sandbox && $(GO) vet -trimpath ./...

tidy: ## tidy the modules (-e: a test dependency of a dependency is not to be had)
	$(GO) mod tidy -e
	cd testdata/sandbox && $(GO) mod tidy -e

install: build ## install hubcap into GOBIN
	$(GO) install -trimpath -ldflags '$(LDFLAGS)' ./cmd/hubcap

clean: ## remove what was built
	rm -rf bin $(CACHE)
