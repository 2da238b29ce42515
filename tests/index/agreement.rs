//! In memory the same is found as in PostgreSQL, in the same order, with the same scores.

use crate::support::Server;
use crate::world::{World, documents, plan, warm};
use serde_json::{Value, json};

/// What a result is, but for its score.
fn same(found: &Value) -> Vec<Value> {
    let strip = |result: &Value| {
        let mut result = result.clone();
        let fields = result.as_object_mut().expect("an object");
        fields.remove("score");
        fields.remove("scores");
        result
    };
    found["results"].as_array().expect("results").iter().map(strip).collect()
}

fn scores(found: &Value) -> Vec<f64> {
    let results = found["results"].as_array().expect("results").iter();
    let all = results.flat_map(|one| [&one["score"], &one["scores"]["dense"], &one["scores"]["lexical"]]);
    all.map(|score| score.as_f64().unwrap_or(-1.0)).collect()
}

fn compare(hot: &Server, cold: &Server, asked: &Value) {
    let (here, there) = (hot.search(asked), cold.search(asked));
    assert_eq!(plan(&here), Some("hot"), "{asked} {here}");
    assert_ne!(plan(&there), Some("hot"));
    assert_eq!(here["degraded"], json!([]));
    // What is scaled to 0…1 among few candidates differs by more than the similarities themselves.
    let near = |n: usize, a: &f64, b: &f64| {
        (a - b).abs() < if n.is_multiple_of(3) { 5e-4 } else { 2e-5 } * b.abs().max(1.0)
    };
    let (ours, theirs) = (scores(&here), scores(&there));
    let pairs = ours.iter().zip(&theirs).enumerate();
    let alike = ours.len() == theirs.len() && pairs.into_iter().all(|(n, (a, b))| near(n, a, b));
    assert!(alike, "{asked}\n{ours:?}\n{theirs:?}");
    // What scores alike to the last bits may change places.
    let by_id = |found: &Value| {
        let mut all = same(found);
        all.sort_by_key(|one| one["chunk_id"].as_str().map(str::to_owned));
        all
    };
    let distinct = theirs.chunks(3).map(|score| score[0]).collect::<Vec<_>>();
    if distinct.windows(2).all(|pair| pair[0] - pair[1] > 1e-3) {
        assert_eq!(same(&here), same(&there), "{asked}");
    } else if distinct.len() < 40 {
        let cut = distinct.last().copied().unwrap_or_default();
        if distinct.iter().filter(|score| (**score - cut).abs() < 1e-3).count() == 1 {
            assert_eq!(by_id(&here), by_id(&there), "{asked}");
        }
    }
    assert_eq!(here["complete"], there["complete"], "{asked}");
}

#[test]
fn searches_in_memory_find_what_postgresql_finds_with_the_same_scores() {
    let World { hot, cold, cluster } = World::start();
    for name in ["one", "two"] {
        cold.create(name);
    }
    cold.ingest_json("one", &documents(120));
    cold.ingest_json("two", &documents(40));
    warm(&hot, &["one", "two"]);
    let filters = [
        Value::Null,
        json!({"type": "eq", "key": "kind", "value": "whales"}),
        json!({"type": "and", "filters": [{"type": "gte", "key": "n", "value": 30}, {"type": "lt", "key": "n", "value": 90}]}),
        json!({"type": "ne", "key": "kind", "value": "violins"}),
        json!({"type": "contains", "key": "tags", "value": "harbours"}),
        json!({"type": "gte", "key": "day", "value": "2026-01-20"}),
        json!({"type": "eq", "key": "n", "value": 77}),
        json!({"type": "eq", "key": "kind", "value": "nothing has this"}),
    ];
    let questions =
        ["how old are the whales", "sleeping near lighthouses", "number 77 about glaciers and railways"];
    for filter in &filters {
        for question in questions {
            for mode in ["hybrid", "dense", "lexical"] {
                for collections in [json!(["one"]), json!(["two", "one"])] {
                    let mut asked =
                        json!({"query": question, "mode": mode, "top_k": 20, "collections": collections});
                    if !filter.is_null() {
                        asked["filters"] = filter.clone();
                    }
                    compare(&hot, &cold, &asked);
                }
            }
        }
    }
    drop((hot, cold, cluster));
}
