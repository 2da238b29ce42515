use super::{Api, Reply};
use super::{builder, question, server};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_model_that_fails_before_its_first_word_gives_way_to_the_extractive_engine() {
    let api = Api::start();
    let settings = builder(&api).set("generator.timeout_ms", 700).set("generator.first_token_ms", 700);
    let mut server = server(settings);
    // A 429 says when to come back, and opens the circuit until then: chat/breaker.rs.
    let failures = [Reply::Status(500), Reply::Hang, Reply::cut(&[]), Reply::silence(&[])];
    for failure in failures {
        api.next(failure.clone());
        api.next(failure.clone());
        let began = Instant::now();
        let answer = server.post("/v1/answers", &question(&json!({}))).ok(200);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(3), "{failure:?}: {took:?}");
        check_fallback(&answer);
        println!("{failure:?}: answered extractively after {took:?}");
        let forbidden = server.post("/v1/answers", &question(&json!({"degrade": "forbid"})));
        assert_eq!(forbidden.error(503, "degraded")["param"], "degrade");
        // Failures of one kind in a row, then a good answer: too few for the circuit to open.
        api.next(Reply::whole(&["The brown fox jumps over the lazy dog [1]."]));
        let answer = server.post("/v1/answers", &question(&json!({}))).ok(200);
        assert_eq!((&answer["model"], &answer["degraded"]), (&json!("tiny-chat"), &json!([])), "{failure:?}");
    }
    drop(api); // from here on its port refuses connections
    check_fallback(&server.post("/v1/answers", &question(&json!({}))).ok(200));
    server.post("/v1/answers", &question(&json!({"degrade": "forbid"}))).error(503, "degraded");
    server.stop();
}

fn check_fallback(answer: &serde_json::Value) {
    assert_eq!(answer["model"], "extractive", "{answer}");
    let degraded = answer["degraded"].as_array().expect("degraded");
    assert_eq!(degraded.len(), 1, "{answer}");
    assert_eq!(
        (&degraded[0]["stage"], &degraded[0]["fallback"]),
        (&json!("generator"), &json!("extractive"))
    );
    assert!(degraded[0]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{answer}");
    assert!(answer["answer"].as_str().expect("text").contains("lazy dog"), "{answer}");
    assert_eq!(
        (&answer["abstained"], answer["citations"].as_array().map(Vec::len)),
        (&json!(false), Some(1))
    );
}
