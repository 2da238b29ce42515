use super::{Behaviour, Endpoint, Model, Reply, embeddings};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PASSAGES: &str = "[1] Harbour\nThe harbour of Genoa opened in 1893. It is deep.\n\n\
                        [2] Fox\nThe brown fox jumps over the lazy dog. It is brown.\n\nQuestion: What does the fox jump over?";

async fn post(model: &Model, path: &str, body: &Value) -> reqwest::Result<(u16, String)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build()?;
    let response = client.post(format!("{}/{path}", model.url())).json(body).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

fn chat(stream: bool) -> Value {
    json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": PASSAGES}]})
}

#[tokio::test]
async fn a_healthy_chat_model_quotes_a_sentence_and_cites_it_streaming_or_not() {
    let model = Model::start();
    let (status, body) = post(&model, "chat/completions", &chat(false)).await.unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    let said = "The brown fox jumps over the lazy dog [2].";
    assert_eq!(body["choices"][0]["message"]["content"], said);
    let (_, body) = post(&model, "chat/completions", &chat(true)).await.unwrap();
    let events: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(events.last(), Some(&"[DONE]"));
    let deltas = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
    let text: String = deltas
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(text, said);
    assert_eq!((model.requests(Endpoint::Chat), model.asked().len()), (2, 2));
}

#[tokio::test]
async fn nothing_in_common_with_the_question_is_a_refusal() {
    let model = Model::start();
    let body = json!({"messages": [{"role": "user", "content": "[1] A\nThe harbour is deep and cold.\n\nQuestion: why?"}]});
    let (_, body) = post(&model, "chat/completions", &body).await.unwrap();
    assert!(body.contains("NO_ANSWER"), "{body}");
}

#[test]
fn embeddings_are_deterministic_unit_vectors_and_common_words_bring_them_closer() {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let embed = |text| embeddings::embed(text, 384);
    let (fox, same, harbour) = (embed("the brown fox"), embed("a brown fox"), embed("harbour of Genoa"));
    assert_eq!(fox, embed("the brown fox"));
    assert!((dot(&fox, &fox) - 1.0).abs() < 1e-5);
    assert!(dot(&fox, &same) > dot(&fox, &harbour) + 0.3);
    assert!((dot(&embed(""), &embed("")) - 1.0).abs() < 1e-5);
}

#[tokio::test]
async fn the_reranker_puts_the_document_with_most_common_words_first() {
    let model = Model::start();
    let body =
        json!({"query": "brown fox", "documents": ["a harbour", "the brown fox", "a fox"], "top_n": 2});
    let (_, body) = post(&model, "rerank", &body).await.unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["results"][0]["index"], &body["results"][1]["index"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn each_endpoint_misbehaves_as_told_and_recovers() {
    let model = Model::start();
    for (endpoint, path) in Endpoint::ALL.into_iter().zip(["chat/completions", "embeddings", "rerank"]) {
        let mut body = chat(true);
        body["input"] = json!(["the brown fox", "a dog"]);
        body["query"] = json!("fox");
        body["documents"] = json!(["fox", "dog"]);
        for status in [429, 500] {
            model.set(endpoint, Behaviour::Status(status));
            assert_eq!(post(&model, path, &body).await.unwrap().0, status);
        }
        model.set(endpoint, Behaviour::Garbage);
        let (status, garbage) = post(&model, path, &body).await.unwrap();
        assert!(status == 200 && serde_json::from_str::<Value>(&garbage).is_err());
        model.set(endpoint, Behaviour::Half);
        assert!(post(&model, path, &body).await.is_err(), "half a reply is an error");
        model.set(endpoint, Behaviour::Silent);
        let left = model.left();
        assert!(post(&model, path, &body).await.unwrap_err().is_timeout());
        while model.left() == left {
            tokio::time::sleep(Duration::from_millis(1)).await; // who gave up on silence is counted
        }
        model.set(endpoint, Behaviour::Slow(Duration::from_millis(200)));
        let began = Instant::now();
        assert_eq!(post(&model, path, &body).await.unwrap().0, 200);
        assert!(began.elapsed() >= Duration::from_millis(200));
        model.heal();
        assert_eq!(post(&model, path, &body).await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn a_script_goes_before_the_standing_behaviour() {
    let model = Model::start();
    model.next(Reply::whole(&["Hello ", "you"]));
    model.next(Reply::Status(401));
    let (_, body) = post(&model, "chat/completions", &chat(true)).await.unwrap();
    assert!(body.contains("Hello ") && body.contains("[DONE]"), "{body}");
    assert_eq!(post(&model, "chat/completions", &chat(true)).await.unwrap().0, 401);
    assert_eq!(post(&model, "chat/completions", &chat(true)).await.unwrap().0, 200);
}
