use crate::rpc::{call, notes, refusal, result};
use serde_json::{Value, json};

#[test]
fn search_keeps_the_contract_that_hosts_rely_on_and_more_arguments_are_optional() {
    let server = notes();
    let tools = result(&server, "tools/list", Value::Null);
    let tools = tools["tools"].as_array().expect("tools").clone();
    for name in ["search", "fetch"] {
        let tool = tools.iter().find(|tool| tool["name"] == name).expect("there");
        let [required] = tool["inputSchema"]["required"].as_array().expect("a list").as_slice() else {
            panic!("one argument is required: {tool}");
        };
        assert_eq!(required, if name == "search" { "query" } else { "id" });
        let hints = &tool["annotations"];
        assert_eq!((&hints["readOnlyHint"], &hints["idempotentHint"]), (&json!(true), &json!(true)));
        assert_eq!((&hints["openWorldHint"], &hints["destructiveHint"]), (&json!(false), &json!(false)));
    }
    let found = call(&server, "search", json!({"query": "what jumps over the dog"}));
    let first = &found["results"][0];
    assert_eq!((&first["title"], &first["url"]), (&json!("Fox"), &json!("https://example.com/fox")));
    assert_eq!(first["source"]["external_id"], "fox");
    for result in found["results"].as_array().expect("results") {
        for field in ["id", "title", "url", "text"] {
            assert!(result[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {result}");
        }
        let document = call(&server, "fetch", json!({"id": result["id"]}));
        assert_eq!((&document["id"], &document["url"]), (&result["id"], &result["url"]));
        assert!(document["text"].as_str().expect("text").contains(result["text"].as_str().expect("text")));
    }
    let filtered = json!({"query": "animal", "filters": {"type": "eq", "key": "lang", "value": "en"}, "collections": ["notes"]});
    let found = call(&server, "search", filtered);
    assert_eq!(found["results"].as_array().map(Vec::len), Some(1));
}

#[test]
fn results_stay_within_their_tokens_and_go_on_with_a_cursor_until_all_was_given_once() {
    let server = notes();
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut arguments = json!({"query": "the", "max_tokens": 1});
        if !cursor.is_null() {
            arguments["cursor"] = cursor;
        }
        let page = call(&server, "search", arguments);
        let results = page["results"].as_array().expect("results");
        assert!(results.len() <= 1, "one token holds no second passage");
        seen.extend(results.iter().map(|result| result["source"]["external_id"].clone()));
        assert!(page["truncated"] == false || page["cursor"].is_string(), "{page}");
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    seen.sort_by_key(Value::to_string);
    assert_eq!(seen, ["bees", "dir/a tide.md", "fox"]);
}

#[test]
fn a_mistake_in_the_arguments_is_told_to_the_model_with_the_name_of_the_field() {
    let server = notes();
    for (arguments, code, param) in [
        (json!({}), "invalid_request", json!("query")),
        (json!({"query": "x", "topk": 1}), "unknown_field", json!("topk")),
        (json!({"query": "x", "top_k": 0}), "invalid_request", json!("top_k")),
        (json!({"query": "x", "top_k": "many"}), "invalid_request", json!("top_k")),
        (json!({"query": "x", "cursor": "?"}), "invalid_request", json!("cursor")),
        (json!({"query": "x", "collections": ["nowhere"]}), "not_found", json!("collections")),
    ] {
        let error = refusal(&server, "search", arguments.clone());
        assert_eq!((&error["code"], &error["param"]), (&json!(code), &param), "{arguments}: {error}");
    }
}

#[test]
fn an_answer_cites_quotes_of_its_documents_or_abstains() {
    let server = notes();
    let answer = call(&server, "ask", json!({"question": "What does the quick brown fox jump over?"}));
    let cited = &answer["citations"][0];
    assert_eq!(
        (&answer["abstained"], &cited["url"]),
        (&json!(false), &json!("https://example.com/fox")),
        "{answer}"
    );
    assert!(
        "The quick brown fox jumps over the lazy dog.".contains(cited["quote"].as_str().expect("a quote"))
    );
    let document = call(&server, "fetch", json!({"id": cited["id"]}));
    assert!(document["text"].as_str().expect("text").contains(cited["quote"].as_str().expect("a quote")));
    let answer = call(&server, "ask", json!({"question": "Who won the election in Peru in 1990?"}));
    assert_eq!((&answer["abstained"], &answer["citations"]), (&json!(true), &json!([])), "{answer}");
}
