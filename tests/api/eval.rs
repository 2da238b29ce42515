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

#[test]
fn two_reports_are_compared_and_a_significant_loss_ends_with_its_own_status() {
    let server = Server::start();
    let home = server.home();
    let set = home.join("graded");
    std::fs::create_dir_all(set.join("qrels")).expect("a folder");
    let words = ["amber", "birch", "cedar", "delta", "ember", "flint", "grove", "heron", "islet", "junco"];
    let corpus: Vec<String> = words
        .iter()
        .map(|word| {
            json!({"_id": word, "text": format!("The {word} is named in this text alone.")}).to_string()
        })
        .collect();
    let queries: Vec<String> = words
        .iter()
        .map(|word| json!({"_id": format!("q-{word}"), "text": format!("where is {word}")}).to_string())
        .collect();
    let graded: Vec<String> = words.iter().map(|word| format!("q-{word}\t{word}\t2")).collect();
    std::fs::write(set.join("corpus.jsonl"), corpus.join("\n")).expect("a file");
    std::fs::write(set.join("queries.jsonl"), queries.join("\n")).expect("a file");
    std::fs::write(set.join("qrels/dev.tsv"), format!("query-id\tcorpus-id\tscore\n{}", graded.join("\n")))
        .expect("a file");
    let url = server.url();
    let run =
        |arguments: &[&str]| binary(home).args(arguments).args(["--server", &url]).output().expect("it runs");

    let report =
        run(&["eval", "graded", "--split", "dev", "--modes", "lexical", "--output", "good.json", "--json"]);
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stderr));
    let report: Value = serde_json::from_slice(&report.stdout).expect("JSON");
    assert_eq!(report["modes"].as_object().map(serde_json::Map::len), Some(1), "{report}");
    assert_eq!(report["modes"]["lexical"]["ci95"]["ndcg@10"], json!([1.0, 1.0]));
    let written: Value =
        serde_json::from_slice(&std::fs::read(home.join("good.json")).expect("the file")).expect("JSON");
    assert_eq!(written["per_query"]["lexical"]["q-amber"]["ndcg@10"], json!(1.0));
    assert_eq!(written["per_query"]["lexical"].as_object().map(serde_json::Map::len), Some(10));

    // The same again is no loss; a version that finds nothing is one.
    let same = run(&["eval", "graded", "--split", "dev", "--modes", "lexical", "--baseline", "good.json"]);
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));
    let mut bad = written.clone();
    for scores in bad["per_query"]["lexical"].as_object_mut().expect("scores").values_mut() {
        scores["ndcg@10"] = json!(0.2);
    }
    std::fs::write(home.join("bad.json"), bad.to_string()).expect("a file");
    let lost = run(&["eval", "--compare", "good.json", "bad.json"]);
    assert_eq!(lost.status.code(), Some(3), "{}", String::from_utf8_lossy(&lost.stdout));
    assert!(String::from_utf8_lossy(&lost.stdout).contains("significant loss"));
    let gain = run(&["eval", "--compare", "bad.json", "good.json", "--json"]);
    let told: Value = serde_json::from_slice(&gain.stdout).expect("JSON");
    assert_eq!((gain.status.code(), &told["passed"]), (Some(0), &json!(true)));
    let tolerated = run(&["eval", "--compare", "good.json", "bad.json", "--tolerance", "0.9"]);
    assert_eq!(tolerated.status.code(), Some(0));

    // One field varied: a run for each value.
    let varied = run(&[
        "eval",
        "graded",
        "--split",
        "dev",
        "--modes",
        "hybrid",
        "--vary",
        "diversity=0,1",
        "--limit",
        "4",
        "--json",
    ]);
    let varied: Value = serde_json::from_slice(&varied.stdout).expect("JSON");
    assert_eq!(varied["queries"], 4);
    assert!(varied["modes"]["hybrid diversity=0"]["ndcg@10"].is_number(), "{varied}");
    assert!(varied["modes"]["hybrid diversity=1"]["recall@100"].is_number(), "{varied}");
    let wrong = run(&["eval", "graded", "--split", "dev", "--vary", "divresity=1"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("divresity"));
    assert_eq!(server.get("/v1/collections").ok(200)["data"], json!([]));
}

#[test]
fn answers_are_measured_with_their_citations_and_refusals() {
    let server = Server::start();
    let set = server.home().join("quiz");
    std::fs::create_dir_all(&set).expect("a folder");
    let corpus = [
        json!({"_id": "tower", "text": "The tower of Pellworm was built by Jens Hansen in 1907."}),
        json!({"_id": "ferry", "text": "The ferry to the island leaves at noon on Sundays."}),
    ];
    let queries = [
        json!({"_id": "a", "text": "Who built the tower of Pellworm?", "metadata": {"answers": ["Jens Hansen"]}}),
        json!({"_id": "b", "text": "When does the ferry to the island leave?", "answers": ["noon", "at noon"]}),
        json!({"_id": "c", "text": "A query without an expected answer"}),
    ];
    let unanswerable = [json!({"_id": "u", "text": "What is the airspeed velocity of an unladen swallow?"})];
    let lines = |all: &[Value]| all.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    std::fs::write(set.join("corpus.jsonl"), lines(&corpus)).expect("a file");
    std::fs::write(set.join("queries.jsonl"), lines(&queries)).expect("a file");
    std::fs::write(set.join("queries_unanswerable.jsonl"), lines(&unanswerable)).expect("a file");
    std::fs::write(set.join("qrels.tsv"), "a\ttower\t1\nb\tferry\t1\n").expect("a file");
    let output = binary(server.home())
        .args([
            "eval",
            "quiz",
            "--answers",
            "--vary",
            "min_support=0.1,1",
            "--json",
            "--server",
            &server.url(),
        ])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["queries"], &report["documents"]), (&json!(3), &json!(2)));
    let easy = &report["modes"]["hybrid min_support=0.1"];
    for (metric, expected) in [("contains", 1.0), ("citation", 1.0), ("refused_answerable", 0.0)] {
        assert_eq!(easy[metric], json!(expected), "{metric}: {report}");
    }
    let strict = &report["modes"]["hybrid min_support=1"];
    for metric in ["refused_answerable", "refused_unanswerable"] {
        assert_eq!(strict[metric], json!(1.0), "{metric}: {report}");
    }
    assert_eq!(strict["abstention_precision"].as_f64().map(|p| (p * 3.0).round()), Some(1.0), "{report}");
}
