# Everything a newcomer needs is `make run` and `make test`; both do their own set-up.
.PHONY: run test fuzz rolling disasters rotate-drill drills check lint fmt setup bench-embedder bench-scale bench-chroma documents clean-data chaos chaos-build soak kills verify-ops feed outage

run: setup ## set up, build, start on embedded defaults, ingest the project's docs, show a search and an answer, stay up
	cargo build --release --bin mcp-rag
	./scripts/run.sh target/release/mcp-rag

test: ## set up what tests need (a real PostgreSQL and Redis included) and run them all
	./scripts/setup.sh --test
	./scripts/setup-openai.sh
	./scripts/setup-mcp.sh
	./scripts/setup-contract.sh
	./scripts/setup-tls.sh
	./scripts/setup-console.sh
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --workspace; \
	else cargo test --workspace --no-fail-fast; fi

setup:
	./scripts/setup.sh

check: lint test ## everything .ci/run checks

lint:
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings

fmt:
	cargo fmt --all

verify-ops: ## every verifier of containers, manifests, Terraform, monitoring and scripts; ARGS="--only k8s", ARGS="--planted"
	./scripts/verify-ops.sh $(ARGS)

rolling: ## replace replicas behind HAProxy under load, with and without the drain; prints what was lost
	./scripts/setup.sh --test
	cargo build --release --bin mcp-rag
	cargo run --release -p mcp-rag-chaos --bin rolling

disasters: setup ## destroy a server with 1.1 GB of data three ways, restore it, print RTO and RPO; ARGS="--size-mb 50 …"
	cargo build --release --bin mcp-rag
	./scripts/dr-test.sh $(ARGS)

rotate-drill: setup ## rotate every secret of two servers under load; prints what their callers were refused
	cargo build --release --bin mcp-rag
	./tests/ops/rotate.sh $(ARGS)

drills: ## rolling deploy, canary, blue-green and the version before, behind Envoy under load; ARGS="--quick", ARGS="canary"
	./scripts/setup.sh --test
	./scripts/drills.sh $(ARGS)

bench-embedder: setup ## our embedder beside ONNX Runtime, one thread
	./scripts/bench-embedder.sh

SIZES ?= 10000,100000
bench-scale: setup ## search at SIZES (10000,100000) chunks beside pgbench, and how it grows; ARGS="--svg scale.svg --data-dir …"
	cargo build --release --bin mcp-rag
	target/release/mcp-rag bench scale --chunks $(SIZES) $(ARGS)

bench-chroma: setup ## vector search beside a Chroma server, without and with filters; ARGS="--corpus …"
	cargo build --release --bin mcp-rag
	./scripts/bench-chroma.sh target/release/mcp-rag $(ARGS)

documents: ## the parsers on the real documents in DOCUMENTS, beside markitdown
	./scripts/documents.sh $(DOCUMENTS) $(ARGS)

SECONDS ?= 60
fuzz: ## mutants of what clients and model servers send, SECONDS (60) for each target; the parsers with as many cases as PROPTEST_CASES
	FUZZ_SECONDS=$(SECONDS) cargo test -p mcp-rag -p mcp-rag-actors --lib fuzz_ -- --nocapture --test-threads=1
	cargo test -p mcp-rag-text --test mutations

clean-data: ## forget everything that was ingested
	rm -rf .local/data

chaos: chaos-build ## a table with one row per fault, under load; ARGS="--quick", ARGS="--only Redis": docs/FAULTS.md
	target/chaos/mcp-rag-chaos table $(ARGS)

soak: chaos-build ## faults at random for MINUTES (30); ARGS="--seed 7 --svg soak.svg"
	target/chaos/mcp-rag-chaos soak --minutes $(or $(MINUTES),30) $(ARGS)

kills: chaos-build ## kill -9 of workers KILLS times (1000) during one large ingest
	target/chaos/mcp-rag-chaos kills --kills $(or $(KILLS),1000) $(ARGS)

feed: ## writers, rollbacks, deletions and kills for MINUTES (10); then what is in memory must be what PostgreSQL has
	./scripts/setup.sh --test
	FEED_SECONDS=$$(( $(or $(MINUTES),10) * 60 )) cargo test -p mcp-rag --features failpoints --test index -- storm --nocapture

outage: ## PostgreSQL away for MINUTES (10) under load; prints latencies with it and without
	./scripts/setup.sh --test
	OUTAGE_SECONDS=$$(( $(or $(MINUTES),10) * 60 )) cargo test --test index -- outage --nocapture

chaos-build:
	./scripts/setup.sh --test
	cargo build --profile chaos --bin mcp-rag --features failpoints
	cargo build --profile chaos -p mcp-rag-chaos
