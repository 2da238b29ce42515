//! What answers are worth: whether they hold the expected words, whether their citations come from where the answer
//! is, and whether the right questions are left unanswered.

use super::report::{Run, Scores};
use crate::cli::beir::Question;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What is measured of each question; most of it of one kind of question only.
///
/// * `score`: 1 when an answerable question's answer holds an expected one, or an unanswerable one is refused.
/// * `contains`, `exact`, `f1`: the answer's text beside the expected ones, normalised as SQuAD does it.
/// * `citation`: the share of citations whose document is judged relevant.
/// * `refused_answerable`, `refused_unanswerable`: false refusals, and the recall of abstention.
pub(super) const METRICS: [&str; 7] =
    ["score", "contains", "exact", "f1", "citation", "refused_answerable", "refused_unanswerable"];

pub(super) fn score(question: &Question, relevant: Option<&HashMap<String, f64>>, answer: &Value) -> Scores {
    let refused = answer["abstained"].as_bool().unwrap_or(false);
    let share = |holds: bool| Some(if holds { 1.0 } else { 0.0 });
    let mut scores: Scores = METRICS.iter().map(|metric| ((*metric).to_owned(), None)).collect();
    let mut set = |metric: &str, value: Option<f64>| {
        scores.insert(metric.to_owned(), value);
    };
    let Some(expected) = &question.answers else {
        set("score", share(refused));
        set("refused_unanswerable", share(refused));
        return scores;
    };
    set("refused_answerable", share(refused));
    let text = if refused { Vec::new() } else { normalised(answer["answer"].as_str().unwrap_or_default()) };
    let expected: Vec<Vec<String>> = expected.iter().map(|text| normalised(text)).collect();
    let best = |of: &dyn Fn(&Vec<String>) -> f64| expected.iter().map(of).fold(0.0, f64::max);
    let holds = |wanted: &Vec<String>| {
        !wanted.is_empty() && text.windows(wanted.len()).any(|window| window == wanted.as_slice())
    };
    let contains = expected.iter().any(holds);
    set("score", share(contains));
    set("contains", share(contains));
    set("exact", share(!refused && expected.contains(&text)));
    set("f1", Some(best(&|wanted| f1(&text, wanted))));
    if let (Some(relevant), Some(citations)) = (relevant, answer["citations"].as_array())
        && !citations.is_empty()
    {
        let right = |one: &&Value| one["external_id"].as_str().is_some_and(|id| relevant.contains_key(id));
        set("citation", Some(citations.iter().filter(right).count() as f64 / citations.len() as f64));
    }
    scores
}

/// Of all refusals, those of unanswerable questions.
pub(super) fn precision(run: &Run) -> Option<f64> {
    let right: f64 = run.values("refused_unanswerable").iter().sum();
    let wrong: f64 = run.values("refused_answerable").iter().sum();
    (right + wrong > 0.0).then(|| right / (right + wrong))
}

/// Words in lower case without articles and punctuation, as SQuAD's own script compares them; and without the
/// marks of citations.
fn normalised(text: &str) -> Vec<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let digits = rest[open + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let end = open + 1 + digits;
        plain.push_str(&rest[..open]);
        rest = if digits > 0 && rest[end..].starts_with(']') { &rest[end + 1..] } else { &rest[open + 1..] };
    }
    plain.push_str(rest);
    let cleaned: String =
        plain.to_lowercase().chars().filter(|c| c.is_alphanumeric() || c.is_whitespace()).collect();
    let articles = HashSet::from(["a", "an", "the"]);
    cleaned.split_whitespace().filter(|word| !articles.contains(word)).map(str::to_owned).collect()
}

fn f1(answer: &[String], expected: &[String]) -> f64 {
    let mut left: BTreeMap<&String, usize> = BTreeMap::new();
    for word in expected {
        *left.entry(word).or_default() += 1;
    }
    let mut common = 0_usize;
    for word in answer {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    if common == 0 {
        return 0.0;
    }
    let (precision, recall) = (common as f64 / answer.len() as f64, common as f64 / expected.len() as f64);
    2.0 * precision * recall / (precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn question(answers: Option<&[&str]>) -> Question {
        let answers = answers.map(|all| all.iter().map(|text| (*text).to_owned()).collect());
        Question { id: "q".to_owned(), text: "?".to_owned(), answers }
    }

    fn of(scores: &Scores, metric: &str) -> Option<f64> {
        scores[metric]
    }

    #[test]
    fn an_answer_is_held_against_the_expected_ones_as_squad_does_it() {
        let relevant = HashMap::from([("d1".to_owned(), 1.0)]);
        let answer = json!({"answer": "The Duke was William the Conqueror. [1]", "abstained": false,
            "citations": [{"external_id": "d1"}, {"external_id": "d2"}]});
        let scores = score(&question(Some(&["Rollo", "William the Conqueror"])), Some(&relevant), &answer);
        assert_eq!(
            (of(&scores, "score"), of(&scores, "contains"), of(&scores, "exact")),
            (Some(1.0), Some(1.0), Some(0.0))
        );
        // Two of four words of the answer, both of the two expected.
        assert!((of(&scores, "f1").unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((of(&scores, "citation"), of(&scores, "refused_unanswerable")), (Some(0.5), None));
        let exact = score(
            &question(Some(&["the conqueror"])),
            None,
            &json!({"answer": "Conqueror", "abstained": false}),
        );
        assert_eq!(of(&exact, "exact"), Some(1.0));
        let part = score(&question(Some(&["art"])), None, &json!({"answer": "a party", "abstained": false}));
        assert_eq!(of(&part, "contains"), Some(0.0), "words, not letters");
    }

    #[test]
    fn refusals_are_right_or_wrong_by_the_question() {
        let refusal = json!({"answer": "The documents do not answer this question.", "abstained": true, "citations": []});
        let wrong = score(&question(Some(&["documents"])), None, &refusal);
        assert_eq!((of(&wrong, "score"), of(&wrong, "refused_answerable")), (Some(0.0), Some(1.0)));
        let right = score(&question(None), None, &refusal);
        assert_eq!(
            (of(&right, "score"), of(&right, "refused_unanswerable"), of(&right, "f1")),
            (Some(1.0), Some(1.0), None)
        );
        let run = Run {
            queries: BTreeMap::from([("a".to_owned(), wrong), ("b".to_owned(), right)]),
            ..Run::default()
        };
        assert_eq!(precision(&run), Some(0.5));
    }
}
