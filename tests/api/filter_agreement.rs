//! Filters mean the same in SQL as in a few lines that read the grammar: random documents, random filters, both
//! read from the indexes and asked of each document.

use crate::support::{Server, ids};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

const DOCUMENTS: usize = 60;
const FILTERS: u32 = 250;
const KEYS: [&str; 7] = ["k", "n", "tags", "title", "a.b", "sp ace \"'\\", "é$"];
/// Strings that are times, in milliseconds since 1970.
const TIMES: [(&str, i64); 5] = [
    ("2026-01-01", 1_767_225_600_000),
    ("2026-01-01T00:00:00Z", 1_767_225_600_000),
    ("2026-01-01T01:30:00.250+01:00", 1_767_227_400_250),
    ("2026-06-30t12:00:00z", 1_782_820_800_000),
    ("1969-12-31T23:59:59.5Z", -500),
];

fn text() -> impl Strategy<Value = String> {
    let long = |end: &str| format!("{}{end}", "ö".repeat(255));
    let plain = ["", "a", "b", "A", "é", "a\"b", "true", "1", "%", "\\", "2026", "2026-02-30", "Ω"];
    let mut all: Vec<String> = plain.map(str::to_owned).to_vec();
    all.extend(["a", "aa", "ab", "b"].map(long));
    all.extend(TIMES.map(|(text, _)| text.to_owned()));
    prop::sample::select(all)
}

fn scalar() -> impl Strategy<Value = Value> {
    let numbers = vec![
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(0.1),
        json!(1e300),
        json!(2026),
        json!(9_007_199_254_740_991_u64),
        json!(9_007_199_254_740_992_u64),
        json!(9_007_199_254_740_993_u64),
        json!(-9_007_199_254_740_993_i64),
        json!(u64::MAX),
    ];
    prop_oneof![4 => text().prop_map(Value::from), 3 => prop::sample::select(numbers), 1 => any::<bool>().prop_map(Value::from)]
}

fn attribute() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => scalar(),
        1 => Just(Value::Null),
        2 => prop::collection::vec(prop_oneof![5 => scalar(), 1 => Just(Value::Null), 1 => Just(json!(["a"]))], 0..4).prop_map(Value::from),
        1 => scalar().prop_map(|inner| json!({ "k": inner })),
    ]
}

fn attributes() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(prop::sample::select(KEYS.as_slice()), attribute(), 0..6)
        .prop_map(|map| json!(map))
}

fn filter() -> impl Strategy<Value = Value> {
    let key = || prop::sample::select(KEYS.as_slice());
    let compared = prop::sample::select(["eq", "ne", "gt", "gte", "lt", "lte", "contains"].as_slice());
    let leaf = prop_oneof![
        6 => (compared, key(), scalar()).prop_map(|(kind, key, value)| json!({"type": kind, "key": key, "value": value})),
        2 => (prop::sample::select(["in", "nin"].as_slice()), key(), prop::collection::vec(scalar(), 0..5))
            .prop_map(|(kind, key, value)| json!({"type": kind, "key": key, "value": value})),
        1 => (key(), any::<bool>()).prop_map(|(key, value)| json!({"type": "exists", "key": key, "value": value})),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        (prop::sample::select(["and", "or"].as_slice()), prop::collection::vec(inner, 1..4))
            .prop_map(|(kind, filters)| json!({"type": kind, "filters": filters}))
    })
}

fn time(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    TIMES.iter().find(|(known, _)| *known == text).map(|(_, at)| *at)
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Number(x), Value::Number(y)) => match (x.as_i128(), y.as_i128()) {
            (Some(x), Some(y)) => Some(x.cmp(&y)),
            _ => x.as_f64()?.partial_cmp(&y.as_f64()?),
        },
        _ => None,
    }
}

/// With the times that strings may be.
fn compare_with(attribute: &Value, asked: &Value) -> Option<Ordering> {
    match time(asked) {
        Some(asked) => Some(time(attribute)?.cmp(&asked)),
        None => compare(attribute, asked),
    }
}

/// The grammar's meaning.
fn matches(filter: &Value, attributes: &Map<String, Value>) -> bool {
    let parts = || filter["filters"].as_array().expect("a list").iter();
    let there = filter["key"].as_str().and_then(|key| attributes.get(key)).filter(|value| !value.is_null());
    let asked = &filter["value"];
    let ordered =
        |wanted: fn(Ordering) -> bool| there.and_then(|value| compare_with(value, asked)).is_some_and(wanted);
    let among = || {
        asked
            .as_array()
            .into_iter()
            .flatten()
            .any(|one| there.is_some_and(|value| compare_with(value, one) == Some(Ordering::Equal)))
    };
    match filter["type"].as_str().expect("a type") {
        "and" => parts().all(|part| matches(part, attributes)),
        "or" => parts().any(|part| matches(part, attributes)),
        "eq" => ordered(Ordering::is_eq),
        "ne" => !ordered(Ordering::is_eq),
        "gt" => ordered(Ordering::is_gt),
        "gte" => ordered(Ordering::is_ge),
        "lt" => ordered(Ordering::is_lt),
        "lte" => ordered(Ordering::is_le),
        "in" => among(),
        "nin" => !among(),
        "contains" => there
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().any(|one| compare(one, asked) == Some(Ordering::Equal))),
        "exists" => there.is_some() == asked.as_bool().expect("a boolean"),
        other => panic!("no such type: {other}"),
    }
}

#[test]
fn any_filter_selects_the_documents_that_the_grammar_says() {
    let server = Server::start();
    server.create("docs");
    let mut runner = TestRunner::new_with_rng(
        Config { cases: FILTERS, max_shrink_iters: 200, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let many = prop::collection::vec(attributes(), DOCUMENTS);
    let documents = many.new_tree(&mut runner).expect("documents").current();
    let document = |(n, attributes): (usize, &Value)| json!({"external_id": format!("{n}"), "text": "A parcel.", "attributes": attributes});
    server.ingest_json("docs", &documents.iter().enumerate().map(document).collect::<Vec<_>>());
    let found = |filters: &Value| {
        let body = json!({"query": "parcel", "mode": "lexical", "top_k": 100, "filters": filters});
        let mut found: Vec<usize> =
            ids(&server.search(&body)).iter().map(|id| id.parse().expect("a number")).collect();
        found.sort_unstable();
        found
    };
    let outcome = runner.run(&filter(), |filters| {
        let right: Vec<usize> =
            (0..DOCUMENTS).filter(|n| matches(&filters, documents[*n].as_object().expect("an object"))).collect();
        prop_assert_eq!(&found(&filters), &right, "from the indexes: {}", filters);
        // Beside what never holds and no index answers, each document is asked.
        let asked = json!({"type": "or", "filters": [filters, {"type": "exists", "key": "$created_at", "value": false}]});
        prop_assert_eq!(&found(&asked), &right, "of each document: {}", asked);
        Ok(())
    });
    outcome.unwrap_or_else(|failed| panic!("{failed}"));
}
