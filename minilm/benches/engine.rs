//! Speed of the engine on one thread: one query, a batch of 32 queries, 256-token chunks.
//!
//! `cargo bench -p mcp-rag-minilm` prints a table, in bf16 where this CPU has it; `-- --fp32` in fp32. `-- --json` prints one line for scripts/bench_embedder.py instead:
//! the workloads, their embeddings and the median times, so that another engine can be measured on the same texts.
//! The model is looked for as the tests do: `MCP_RAG_TEST_MODEL`, then `.local/model` of the workspace.

use std::{
    error::Error,
    hint::black_box,
    path::PathBuf,
    time::{Duration, Instant},
};

use mcp_rag_minilm::{Encoding, Model, Precision, Scratch};

/// How long each workload is repeated.
const TIME: Duration = Duration::from_millis(1_500);

struct Workload {
    name: &'static str,
    texts: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let asked = |argument: &str| std::env::args().any(|given| given == argument);
    let json = asked("--json");
    if !json && !asked("--bench") {
        // `cargo test --all-targets` starts benchmarks too; only `cargo bench` passes --bench.
        println!("nothing measured: run cargo bench");
        return Ok(());
    }
    let directory = std::env::var_os("MCP_RAG_TEST_MODEL")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.local/model"), PathBuf::from);
    let precision = if asked("--fp32") { Precision::Fp32 } else { Precision::Auto };
    let model = Model::load(&directory, precision)?;
    if !json {
        println!(
            "{:<10} {:>7} {:>12} {:>12} {:>14}",
            "workload", "tokens", "median ms", "texts/s", "tokens/s"
        );
    }
    let mut report = Vec::new();
    for workload in workloads() {
        let batch: Vec<Encoding> = workload.texts.iter().map(|text| model.tokenizer().encode(text)).collect();
        let tokens: usize = batch.iter().map(Encoding::len).sum();
        let mut scratch = Scratch::default();
        let seconds = median(|| drop(black_box(model.embed(&mut scratch, black_box(&batch)))));
        let tokenise =
            median(|| workload.texts.iter().for_each(|text| drop(black_box(model.tokenizer().encode(text)))));
        if json {
            report.push(serde_json::json!({
                "name": workload.name,
                "texts": workload.texts,
                "ids": batch.iter().map(Encoding::ids).collect::<Vec<_>>(),
                "embeddings": model.embed(&mut scratch, &batch),
                "seconds": seconds,
                "tokenise_seconds": tokenise,
            }));
        } else {
            let per_second = |count: usize| count as f64 / seconds;
            println!(
                "{:<10} {tokens:>7} {:>12.3} {:>12.1} {:>14.0}",
                workload.name,
                seconds * 1e3,
                per_second(batch.len()),
                per_second(tokens)
            );
        }
    }
    if json {
        let report = serde_json::json!({ "kernel": model.kernel(), "workloads": report });
        println!("{report}");
    } else {
        println!("kernel: {}", model.kernel());
    }
    Ok(())
}

/// The median of the times a closure takes, warmed up and repeated for [`TIME`].
fn median(mut run: impl FnMut()) -> f64 {
    (0..3).for_each(|_| run());
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < TIME {
        let start = Instant::now();
        run();
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn workloads() -> Vec<Workload> {
    // Subjects and questions cross to queries of 9 to 20 tokens, 14 on average.
    let subjects = [
        "the database password",
        "a stuck ingest job",
        "vector index memory",
        "the reciprocal rank fusion of two result lists",
        "expired access tokens",
        "row level security policies for many tenants",
        "the embedding model",
        "backups",
    ];
    let questions =
        ["how do I rotate or replace", "what happens when the server restarts during", "why is it slow:"];
    let queries = subjects.iter().cycle().zip(questions.iter().cycle()).take(32);
    let queries = queries.map(|(subject, question)| format!("{question} {subject}")).collect();
    let sentence = "Each chunk keeps its heading path, byte span and content hash, so that a citation can be verified \
                    against the stored document before the answer is sent; unsupported claims are removed and counted. ";
    let chunks = (0..8).map(|chunk| format!("Section {chunk}. {}", sentence.repeat(12))).collect();
    vec![
        Workload {
            name: "query",
            texts: vec!["how do I rotate the database password without any downtime today".into()],
        },
        Workload { name: "queries", texts: queries },
        Workload { name: "chunks", texts: chunks },
    ]
}
