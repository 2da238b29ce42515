use crate::support::{Server, binary};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

const CORPUS: [(&str, &str, &str); 5] = [
    ("1", "Glaciers", "Glaciers grind valleys out of the mountains."),
    ("2", "Volcanoes", "Volcanoes build islands out of lava."),
    ("3", "Rivers", "Rivers carry sand and silt down to the delta."),
    ("4", "Deserts", "Deserts get almost no rain in a year."),
    ("5", "Reefs", "Reefs are built by corals in warm water."),
];
const QUERIES: [(&str, &str, &str); 3] = [
    ("q1", "what do glaciers do to valleys", "1"),
    ("q2", "lava islands", "2"),
    ("q3", "who builds reefs in warm water", "5"),
];

fn dataset(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    let corpus = CORPUS.map(|(id, title, text)| json!({"_id": id, "title": title, "text": text}).to_string());
    let mut queries = QUERIES.map(|(id, text, _)| json!({"_id": id, "text": text}).to_string()).to_vec();
    queries.push(json!({"_id": "q4", "text": "a query without judgements"}).to_string());
    let judgements = QUERIES.map(|(id, _, document)| format!("{id}\t{document}\t1"));
    std::fs::write(folder.join("corpus.jsonl"), corpus.join("\n")).expect("a file");
    std::fs::write(folder.join("queries.jsonl"), queries.join("\n")).expect("a file");
    let judgements = format!("query-id\tcorpus-id\tscore\n{}\nq1\t4\t0\n", judgements.join("\n"));
    std::fs::write(folder.join("qrels.tsv"), judgements).expect("a file");
}

#[track_caller]
fn check(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON alone on the standard output");
    assert_eq!(report["dataset"], "earth");
    assert_eq!((&report["documents"], &report["queries"]), (&json!(5), &json!(3)), "judged queries only");
    let modes = report["modes"].as_object().expect("modes");
    assert_eq!(modes.len(), 3);
    for mode in ["hybrid", "dense", "lexical"] {
        for metric in ["ndcg@10", "recall@10", "recall@100", "mrr@10"] {
            let value = modes[mode][metric].as_f64().expect("a number");
            assert!((value - 1.0).abs() < 1e-9, "{mode} {metric} is {value} on a trivial set");
        }
    }
}

#[test]
fn an_evaluation_prints_the_documented_report_and_leaves_nothing_behind() {
    let server = Server::start();
    dataset(&server.home().join("earth"));
    server.create("mine");
    server.ingest("mine", &[("x", "Glaciers of my own.")]);
    let url = server.url();
    let run = |arguments: &[&str]| binary(server.home()).args(arguments).output().expect("it runs");
    check(&run(&["eval", "earth", "--json", "--server", &url]));
    let collections = server.get("/v1/collections").ok(200);
    assert_eq!(collections["data"].as_array().map(Vec::len), Some(1), "{collections}");
    let shown = run(&["eval", "earth", "--chunked", "--server", &url]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("nDCG@10") && shown.contains("hybrid") && shown.contains("1.0000"), "{shown}");
    // A set that breaks half-way leaves nothing behind either.
    std::fs::write(server.home().join("earth/corpus.jsonl"), "{\"_id\":\"\",\"text\":\"x\"}")
        .expect("a file");
    let broken = run(&["eval", "earth", "--json", "--server", &url]);
    assert_eq!(broken.status.code(), Some(1));
    assert_eq!(server.get("/v1/collections").ok(200)["data"].as_array().map(Vec::len), Some(1));
}

#[test]
fn an_evaluation_needs_no_server() {
    let home = tempfile::tempdir().expect("a directory");
    dataset(&home.path().join("earth"));
    check(&binary(home.path()).args(["eval", "earth", "--json"]).output().expect("it runs"));
}
