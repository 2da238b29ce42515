//! Whether an answer is true, and whether it says what it lacks.

use super::corpus::{Corpus, Fact};
use super::tally::Outcome;
use serde_json::Value;

/// The known document must be among the results, every result's text must be the document's own, and a
/// response that hides a missing leg is wrong.
pub(super) fn search(body: &Value, corpus: &Corpus, fact: &Fact) -> Outcome {
    let Some(results) = body["results"].as_array() else { return wrong("a search without results") };
    if !results.iter().any(|result| result["external_id"] == fact.external_id.as_str()) {
        return wrong(&format!("a search does not find the known document; degraded: {}", body["degraded"]));
    }
    for result in results {
        let known = result["external_id"].as_str().and_then(|id| corpus.get(id));
        if known.map(|fact| fact.text.as_str()) != result["text"].as_str() {
            return wrong("a result's text is not the document's");
        }
    }
    let outcome = degradation(body);
    let dense = results.iter().any(|result| result["scores"]["dense"].is_number());
    if outcome == Outcome::Good && !dense {
        return wrong("a hybrid search without dense scores says nothing of it");
    }
    outcome
}

/// Every citation must be the document's bytes, and one must be of the known document.
pub(super) fn answer(body: &Value, corpus: &Corpus, fact: &Fact) -> Outcome {
    let Some(citations) = body["citations"].as_array() else { return wrong("an answer without citations") };
    for citation in citations {
        if !verifies(citation, body, corpus) {
            return wrong(&format!("a citation that does not verify: {citation}"));
        }
    }
    let outcome = degradation(body);
    let abstained = body["abstained"] == true;
    if abstained != citations.is_empty() {
        return wrong("citations and abstention contradict each other");
    }
    // Without a stage an answer may be poorer, as long as it says so.
    let known = citations.iter().any(|citation| citation["external_id"] == fact.external_id.as_str());
    if outcome == Outcome::Good && !known {
        return wrong("a whole answer does not cite the known document");
    }
    outcome
}

fn verifies(citation: &Value, body: &Value, corpus: &Corpus) -> bool {
    let at = |value: &Value| value.as_u64().and_then(|at| usize::try_from(at).ok());
    let range = |one: &Value, other: &Value| Some(at(one)?..at(other)?);
    let document = citation["external_id"].as_str().and_then(|id| corpus.get(id));
    let span = range(&citation["span"]["start"], &citation["span"]["end"]);
    let claim = range(&citation["start"], &citation["end"]);
    let (Some(document), Some(span), Some(claim)) = (document, span, claim) else { return false };
    let quoted = document.text.get(span).is_some_and(|bytes| Some(bytes) == citation["quote"].as_str());
    let said = body["answer"].as_str().and_then(|answer| answer.get(claim));
    quoted && said.is_some_and(|said| !said.is_empty())
}

fn degradation(body: &Value) -> Outcome {
    let Some(degraded) = body["degraded"].as_array() else { return wrong("a response without `degraded`") };
    let named = |stage: &Value| {
        ["stage", "reason", "fallback"]
            .iter()
            .all(|key| stage[key].as_str().is_some_and(|text| !text.is_empty()))
    };
    if degraded.is_empty() {
        Outcome::Good
    } else if degraded.iter().all(named) {
        Outcome::Degraded
    } else {
        wrong("a degradation without stage, reason and fallback")
    }
}

fn wrong(why: &str) -> Outcome {
    Outcome::Wrong(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{answer, search};
    use crate::load::corpus::Corpus;
    use crate::load::tally::Outcome;
    use serde_json::{Value, json};

    fn result(corpus: &Corpus, n: usize, dense: &Value) -> Value {
        json!({"external_id": corpus.facts[n].external_id, "text": corpus.facts[n].text, "scores": {"dense": dense}})
    }

    #[test]
    fn a_search_is_right_only_with_the_known_document_its_own_text_and_all_its_legs() {
        let corpus = Corpus::new(5);
        let fact = &corpus.facts[2];
        let body = |result: Value, degraded: Value| json!({"results": [result], "degraded": degraded});
        let whole = result(&corpus, 2, &json!(0.5));
        assert_eq!(search(&body(whole.clone(), json!([])), &corpus, fact), Outcome::Good);
        let away = json!([{"stage": "embedder", "reason": "failed", "fallback": "lexical"}]);
        assert_eq!(search(&body(result(&corpus, 2, &Value::Null), away), &corpus, fact), Outcome::Degraded);
        let wrong = [
            body(result(&corpus, 1, &json!(0.5)), json!([])),
            body(result(&corpus, 2, &Value::Null), json!([])),
            body(whole.clone(), json!([{"stage": "embedder"}])),
            json!({"results": [whole]}),
            json!({"degraded": []}),
        ];
        for body in wrong {
            assert!(matches!(search(&body, &corpus, fact), Outcome::Wrong(_)), "{body}");
        }
        let mut changed = result(&corpus, 2, &json!(0.5));
        changed["text"] = json!("something else");
        assert!(matches!(search(&body(changed, json!([])), &corpus, fact), Outcome::Wrong(_)));
    }

    #[test]
    fn an_answer_is_right_only_when_its_citations_are_the_documents_bytes() {
        let corpus = Corpus::new(5);
        let fact = &corpus.facts[0];
        let quote = &fact.text[..20];
        let citation = json!({"external_id": fact.external_id, "quote": quote, "span": {"start": 0, "end": 20}, "start": 0, "end": 5});
        let body = json!({"answer": "Hello.", "citations": [citation], "abstained": false, "degraded": []});
        assert_eq!(answer(&body, &corpus, fact), Outcome::Good);
        assert!(matches!(answer(&body, &corpus, &corpus.facts[1]), Outcome::Wrong(_)), "of another document");
        for (pointer, value) in [
            ("/citations/0/span/end", json!(21)),
            ("/citations/0/end", json!(500)),
            ("/abstained", json!(true)),
        ] {
            let mut body = body.clone();
            *body.pointer_mut(pointer).unwrap() = value;
            assert!(matches!(answer(&body, &corpus, fact), Outcome::Wrong(_)), "{pointer}");
        }
        let mut poorer = body.clone();
        poorer["degraded"] = json!([{"stage": "generator", "reason": "failed", "fallback": "extractive"}]);
        poorer["citations"] = json!([]);
        poorer["abstained"] = json!(true);
        assert_eq!(answer(&poorer, &corpus, fact), Outcome::Degraded);
    }
}
