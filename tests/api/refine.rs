//! What a search does with its results when asked to: collapse, group, spread, fade, page.

use crate::support::{Server, ids};
use serde_json::{Value, json};
use std::collections::HashSet;

const NOTICE: &str = "The harbour master closes the northern gate of the harbour every evening at nine, and opens it again \
    in the morning at six unless there is fog or a storm warning.";

fn harbour() -> Server {
    let server = Server::start();
    server.create("harbour");
    server.ingest_json(
        "harbour",
        &[
            json!({"external_id": "notice", "text": NOTICE, "attributes": {"day": "2020-01-01"}}),
            json!({"external_id": "copy", "text": NOTICE.replace("evening at nine", "evening at ten"), "attributes": {"day": "2026-11-01"}}),
            json!({"external_id": "shout", "text": NOTICE.to_uppercase()}),
            json!({"external_id": "crane", "text": "The harbour has two cranes, which lift forty tons each."}),
            json!({"external_id": "fish", "text": "Fish is sold at the harbour gate on Saturdays."}),
        ],
    );
    server
}

#[test]
fn near_duplicates_become_one_result_that_says_how_many_it_stands_for() {
    let server = harbour();
    let query = json!({"query": "when does the harbour gate close", "top_k": 5});
    let all = server.search(&query);
    assert_eq!(ids(&all).len(), 5);
    assert!(all["results"][0].get("duplicates").is_none(), "{all}");
    let mut collapsed = query.clone();
    collapsed["collapse"] = json!(true);
    let found = server.search(&collapsed);
    let seen = ids(&found);
    assert_eq!(seen.len(), 3, "{found}");
    let notices: Vec<&Value> = found["results"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["text"].as_str().is_some_and(|text| text.to_lowercase().contains("master")))
        .collect();
    assert_eq!((notices.len(), &notices[0]["duplicates"]), (1, &json!(2)));
    assert_eq!(seen[0], ids(&all)[0], "the best of them stays");
}

#[test]
fn one_result_of_each_document_when_grouped() {
    let server = Server::start();
    server.create_with(&json!({"name": "docs", "chunking": {"max_tokens": 32, "overlap_tokens": 0}}));
    let long = |word: &str| {
        (0..12)
            .map(|n| format!("The {word} number {n} stands on the hill by the river. "))
            .collect::<String>()
    };
    server.ingest("docs", &[("tower", &long("tower")), ("mill", &long("mill"))]);
    let body = json!({"query": "tower on the hill", "top_k": 2});
    assert_eq!(ids(&server.search(&body)), ["tower", "tower"]);
    let mut grouped = body.clone();
    grouped["group_by"] = json!("document");
    let found = server.search(&grouped);
    assert_eq!(ids(&found), ["tower", "mill"]);
    assert!(found["results"][0]["same_document"].as_u64() > Some(0), "{found}");
    assert_eq!(found["next_cursor"], Value::Null, "both documents were given");
    let answer = server
        .post("/v1/answers", &json!({"question": "Which tower stands on the hill?", "group_by": "document"}));
    assert_eq!(answer.ok(200)["abstained"], false);
}

#[test]
fn diversity_brings_something_else_forward() {
    let server = harbour();
    let ask = |diversity: f64| {
        ids(&server.search(
            &json!({"query": "harbour gate closes in the evening", "top_k": 3, "diversity": diversity}),
        ))
    };
    let notices: HashSet<&str> = HashSet::from(["notice", "copy", "shout"]);
    let plain = ask(0.0);
    assert!(plain[..2].iter().all(|id| notices.contains(id.as_str())), "{plain:?}");
    let spread = ask(0.6);
    assert_eq!(spread[0], plain[0], "the best comes first");
    assert!(!notices.contains(spread[1].as_str()), "{spread:?}");
}

#[test]
fn recency_lifts_what_is_newer_by_its_last_change_or_by_an_attribute() {
    let server = harbour();
    let by_day = json!({"query": NOTICE, "top_k": 2, "recency": {"half_life_days": 90, "weight": 0.6, "field": "day"}});
    assert_eq!(ids(&server.search(&by_day))[0], "copy");
    let plain = server.search(&json!({"query": NOTICE, "top_k": 2}));
    assert_ne!(ids(&plain)[0], "copy");
    // All were changed a moment ago: their age changes nothing.
    let by_change = json!({"query": NOTICE, "top_k": 5, "recency": {"half_life_days": 1, "weight": 0.5}});
    let found = server.search(&by_change);
    assert_eq!(ids(&found)[..2], ids(&plain)[..2]);
    assert!(found["results"][0]["score"].as_f64() <= Some(1.000_01));
    let stale = "UPDATE documents SET updated_at = now() - interval '400 days' WHERE external_id <> 'fish'";
    server.sql_of_tenant(1, stale);
    // Another collection's epoch would do as well: the same search is in the cache.
    let body = json!({"query": NOTICE, "top_k": 4, "recency": {"half_life_days": 1, "weight": 0.9}});
    assert_eq!(ids(&server.search(&body))[0], "fish");
}

/// Every page until there is none.
fn pages(server: &Server, body: &Value) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut body = body.clone();
    loop {
        let page = server.search(&body);
        let next = page["next_cursor"].clone();
        pages.push(page);
        if next.is_null() {
            return pages;
        }
        assert!(pages.len() < 100, "the pages never end");
        body["cursor"] = next;
    }
}

fn many() -> Server {
    let server = Server::start();
    server.create("many");
    let documents: Vec<Value> = (0..90)
        .map(|n| json!({"external_id": format!("d{n}"), "text": format!("River {n} carries sand, silt {} and water to the sea {}.", "fast ".repeat(n % 7), n * 31 % 17)}))
        .collect();
    server.ingest_json("many", &documents);
    server
}

#[test]
fn pages_follow_each_other_without_a_repeat_until_all_was_given() {
    let server = many();
    for (mode, extra) in [
        ("hybrid", json!({})),
        ("dense", json!({"top_k": 25})),
        ("lexical", json!({})),
        ("hybrid", json!({"diversity": 0.4})),
        ("hybrid", json!({"collapse": true, "group_by": "document", "recency": {"half_life_days": 5}})),
        ("hybrid", json!({"query": ["sand of the river", "fast water"]})),
    ] {
        let mut body = json!({"query": "river sand", "mode": mode, "top_k": 10});
        for (key, value) in extra.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let pages = pages(&server, &body);
        let seen: Vec<String> = pages.iter().flat_map(ids).collect();
        let distinct: HashSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{body}: a result came twice");
        let stood_for: u64 = pages
            .iter()
            .flat_map(|page| page["results"].as_array().into_iter().flatten())
            .map(|one| one["duplicates"].as_u64().unwrap_or(0))
            .sum();
        if body["collapse"] == true {
            // What a later page finds to be nearly the same as something given is not told any more.
            assert!(
                (60..=90).contains(&(seen.len() as u64 + stood_for)),
                "{body}: {} {stood_for}",
                seen.len()
            );
        } else {
            assert_eq!(seen.len(), 90, "{body}");
        }
        if mode != "hybrid" {
            let whole = ids(&server.search(&json!({"query": "river sand", "mode": mode, "top_k": 100})));
            assert_eq!(seen, whole, "{body}: the pages are the whole in its order");
        }
    }
}

#[test]
fn a_budget_of_tokens_is_gone_through_page_by_page_and_overlaps_are_said_once() {
    let server = Server::start();
    server.create_with(&json!({"name": "book", "chunking": {"max_tokens": 48, "overlap_tokens": 20}}));
    let text: String =
        (0..60).map(|n| format!("Sentence {n} of the long tale tells of ship number {n}. ")).collect();
    server.put_document("book", "tale", &json!({ "text": text })).ok(201);
    let content = server.content("book", "tale");
    let body = json!({"query": "the tale of the ships", "top_k": 50, "max_tokens": 120});
    let pages = pages(&server, &body);
    assert!(pages.len() > 3, "{}", pages.len());
    let mut said: Vec<(u64, u64)> = Vec::new();
    for page in &pages {
        let results = page["results"].as_array().expect("results");
        let tokens: u64 = results.iter().filter_map(|one| one["tokens"].as_u64()).sum();
        assert!(tokens <= 120 || results.len() == 1, "{page}");
        for one in results {
            let at = |name: &str| one["span"][name].as_u64().expect("an offset");
            let (start, end) = (at("start"), at("end"));
            let range = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
            assert_eq!(&content[range], one["text"].as_str().expect("text").as_bytes());
            assert!(
                said.iter().all(|(from, to)| end <= *from || *to <= start),
                "{start}..{end} was said before"
            );
            said.push((start, end));
        }
    }
    let spoken: u64 = said.iter().map(|(start, end)| end - start).sum();
    assert!(spoken as f64 > content.len() as f64 * 0.95, "{spoken} of {} bytes", content.len());
    // Without a budget chunks stay as they were cut.
    let whole = server.search(&json!({"query": "the tale of the ships", "top_k": 50}));
    let bytes: usize = whole["results"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| one["text"].as_str().unwrap().len())
        .sum();
    assert!(bytes > content.len(), "{bytes}");
}

#[test]
fn a_cursor_of_another_search_or_of_a_changed_collection_is_refused_with_the_remedy() {
    let server = many();
    let body = json!({"query": "river", "top_k": 3});
    let cursor = server.search(&body)["next_cursor"].clone();
    let with = |change: Value| {
        let mut body = body.clone();
        body["cursor"] = cursor.clone();
        for (key, value) in change.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        server.post("/v1/search", &body)
    };
    // How much is wanted may change from page to page.
    assert_eq!(ids(&with(json!({"top_k": 7, "max_tokens": 900})).ok(200)).len(), 7);
    for change in [
        json!({"query": "sea"}),
        json!({"mode": "dense"}),
        json!({"collapse": true}),
        json!({"min_score": 0.1}),
    ] {
        let error = with(change.clone()).error(400, "invalid_request");
        assert_eq!(error["param"], "cursor", "{change}");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("another search")), "{error}");
    }
    for wrong in ["", "x", "AAAA", "a cursor of my own"] {
        let error = with(json!({ "cursor": wrong })).error(400, "invalid_request");
        assert_eq!(error["param"], "cursor", "{wrong}");
    }
    server.put_document("many", "new", &json!({"text": "A river of news."})).ok(201);
    let error = with(json!({})).error(400, "invalid_request");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("expired")), "{error}");
}

#[test]
fn several_queries_are_one_search_that_finds_what_each_of_them_finds() {
    let server = harbour();
    let found = server.search(&json!({"query": ["cranes lift tons", "fish on Saturdays"], "top_k": 2}));
    let mut both = ids(&found);
    both.sort();
    assert_eq!(both, ["crane", "fish"]);
    assert_eq!(found["queries"], json!(["cranes lift tons", "fish on Saturdays"]));
    assert!(found["results"][0]["score"].as_f64() <= Some(1.0));
    let one = server.search(&json!({"query": ["cranes lift tons", " cranes lift tons"]}));
    assert!(one.get("queries").is_none(), "{one}");
    assert_eq!(one["results"], server.search(&json!({"query": "cranes lift tons"}))["results"]);
    for mode in ["dense", "lexical"] {
        let found = server
            .search(&json!({"query": ["cranes lift tons", "fish on Saturdays"], "top_k": 2, "mode": mode}));
        let mut both = ids(&found);
        both.sort();
        assert_eq!(both, ["crane", "fish"], "{mode}");
    }
}

#[test]
fn wrong_options_are_refused_by_name() {
    let server = Server::start();
    server.create("docs");
    for (body, param) in [
        (json!({"query": []}), "query"),
        (json!({"query": ["a", ""]}), "query"),
        (json!({"query": ["a", 1]}), "query[1]"),
        (json!({"query": ["1", "2", "3", "4", "5", "6", "7", "8", "9"]}), "query"),
        (json!({"query": ["x", "y".repeat(40_000)]}), "query"),
        (json!({"query": "x", "diversity": 1.5}), "diversity"),
        (json!({"query": "x", "diversity": -0.1}), "diversity"),
        (json!({"query": "x", "group_by": "collection"}), "group_by"),
        (json!({"query": "x", "recency": {"half_life_days": 0}}), "recency"),
        (json!({"query": "x", "recency": {"half_life_days": 1, "weight": 2}}), "recency"),
        (json!({"query": "x", "recency": {"half_life_days": 1, "field": ""}}), "recency"),
        (json!({"query": ["x", "y"], "embedding": vec![1.0; 384]}), "embedding"),
        (json!({"mode": "dense", "embedding": vec![1.0; 384], "rewrite": true}), "embedding"),
    ] {
        let error = server.post("/v1/search", &body).error(400, "invalid_request");
        assert_eq!(error["param"], param, "{error}");
    }
    let unknown =
        server.post("/v1/search", &json!({"query": "x", "recency": {"half_life_days": 1, "halflife": 2}}));
    assert_eq!(unknown.error(400, "unknown_field")["param"], "halflife");
    server.post("/v1/answers", &json!({"question": "x", "min_support": 2})).error(400, "invalid_request");
    server.post("/v1/answers", &json!({"question": "x", "cursor": "x"})).error(400, "unknown_field");
}
