use crate::rpc::{LEGACY, MODERN, error, fill, notes, result};
use crate::support::Server;
use serde_json::{Value, json};

#[test]
fn every_document_is_a_resource_listed_page_by_page_and_read_by_its_uri() {
    let server = Server::start();
    server.create("a-empty");
    fill(&server);
    server.create("z");
    let many: Vec<(String, String)> = (0..60).map(|n| (format!("n{n}"), format!("Number {n}."))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    server.ingest("z", &many);
    let (mut seen, mut pages, mut params) = (Vec::new(), 0, Value::Null);
    loop {
        let page = result(&server, "resources/list", params);
        let resources = page["resources"].as_array().expect("resources");
        assert!(resources.len() <= 50);
        seen.extend(resources.iter().map(|one| one["uri"].as_str().expect("a URI").to_owned()));
        pages += 1;
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        params = json!({ "cursor": cursor });
    }
    assert_eq!((seen.len(), pages), (63, 2));
    assert_eq!(seen[1], "mcp-rag://documents/notes/dir%2Fa%20tide.md", "in a fixed order");
    seen.dedup();
    assert_eq!(seen.len(), 63);
    let read = result(&server, "resources/read", json!({"uri": seen[1]}));
    let [content] = read["contents"].as_array().expect("contents").as_slice() else { panic!("{read}") };
    assert_eq!(content["text"], "The harbour records the tides twice a day.");
    assert_eq!((&content["uri"], &content["mimeType"]), (&json!(seen[1]), &json!("text/plain")));
    assert_eq!(content["_meta"]["mcp-rag/source"]["external_id"], "dir/a tide.md");
    assert_eq!(content["_meta"]["mcp-rag/untrusted"], true);
}

#[test]
fn a_resource_larger_than_an_answer_says_where_it_goes_on() {
    let server = Server::start();
    server.create("books");
    // Long words are cheap to embed.
    let book: String = (0..600).map(|n| format!("{n}ü{}\n", "x".repeat(4000))).collect();
    server.ingest("books", &[("book", &book)]);
    let (mut read, mut uri) = (String::new(), "mcp-rag://documents/books/book".to_owned());
    loop {
        let answer = result(&server, "resources/read", json!({ "uri": uri }));
        let content = &answer["contents"][0];
        let text = content["text"].as_str().expect("text");
        assert!(text.len() <= 1024 * 1024);
        read.push_str(text);
        match content["_meta"]["mcp-rag/next"].as_str() {
            Some(next) => next.clone_into(&mut uri),
            None => break,
        }
    }
    assert!(book.len() > 2 * 1024 * 1024 && read == book);
}

#[test]
fn a_resource_that_is_not_there_is_an_error_of_its_era() {
    let server = notes();
    for uri in [
        "mcp-rag://documents/notes/none",
        "mcp-rag://documents/nowhere/fox",
        "mcp-rag://documents/",
        "file:///etc/passwd",
    ] {
        let old = error(&server, LEGACY, "resources/read", json!({ "uri": uri }));
        assert_eq!((&old["code"], &old["data"]["code"]), (&json!(-32002), &json!("not_found")), "{uri}");
        let new = error(&server, MODERN, "resources/read", json!({ "uri": uri }));
        assert_eq!((&new["code"], &new["data"]["uri"]), (&json!(-32602), &json!(uri)));
    }
    let old = error(&server, LEGACY, "resources/list", json!({"cursor": "x"}));
    assert_eq!((&old["code"], &old["data"]["param"]), (&json!(-32602), &json!("cursor")));
}

#[test]
fn names_are_completed_while_they_are_typed() {
    let server = notes();
    server.create("novels");
    let complete = |reference: Value, name: &str, value: &str, collection: Option<&str>| {
        let mut params = json!({"ref": reference, "argument": {"name": name, "value": value}});
        if let Some(collection) = collection {
            params["context"] = json!({"arguments": {"collection": collection}});
        }
        result(&server, "completion/complete", params)["completion"]["values"].clone()
    };
    let template =
        || json!({"type": "ref/resource", "uri": "mcp-rag://documents/{collection}/{external_id}"});
    let prompt = |name: &str| json!({"type": "ref/prompt", "name": name});
    assert_eq!(complete(template(), "collection", "NO", None), json!(["notes", "novels"]));
    assert_eq!(complete(template(), "external_id", "b", Some("notes")), json!(["bees"]));
    assert_eq!(
        complete(template(), "external_id", "", Some("notes")),
        json!(["bees", "dir/a tide.md", "fox"])
    );
    assert_eq!(
        complete(template(), "external_id", "f%", Some("notes")),
        json!([]),
        "no pattern, a beginning"
    );
    assert_eq!(complete(template(), "external_id", "b", Some("nowhere")), json!([]));
    assert_eq!(complete(prompt("summarize_document"), "external_id", "fo", Some("notes")), json!(["fox"]));
    assert_eq!(complete(prompt("answer_from_documents"), "collection", "nov", None), json!(["novels"]));
    for params in [
        json!({"ref": prompt("none"), "argument": {"name": "collection", "value": ""}}),
        json!({"ref": template(), "argument": {"name": "none", "value": ""}}),
    ] {
        assert_eq!(error(&server, LEGACY, "completion/complete", params)["code"], -32602);
    }
}

#[test]
fn prompts_say_how_to_work_with_documents() {
    let server = notes();
    let listed = result(&server, "prompts/list", Value::Null);
    let names: Vec<&Value> =
        listed["prompts"].as_array().expect("prompts").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["answer_from_documents", "summarize_document"]);
    let get = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
    let prompt = result(
        &server,
        "prompts/get",
        get("answer_from_documents", json!({"question": "Why?", "collection": "notes"})),
    );
    let text = prompt["messages"][0]["content"]["text"].as_str().expect("text");
    assert!(text.contains("Why?") && text.contains(r#"["notes"]"#) && text.contains("search"), "{text}");
    let prompt = result(
        &server,
        "prompts/get",
        get("summarize_document", json!({"collection": "notes", "external_id": "fox"})),
    );
    let resource = &prompt["messages"][1]["content"]["resource"];
    assert_eq!(resource["text"], "The quick brown fox jumps over the lazy dog.");
    for (name, arguments, code) in [
        ("none", json!({}), -32602),
        ("answer_from_documents", json!({}), -32602),
        ("summarize_document", json!({"collection": "notes", "external_id": "none"}), -32002),
    ] {
        assert_eq!(error(&server, LEGACY, "prompts/get", get(name, arguments))["code"], code, "{name}");
    }
}
