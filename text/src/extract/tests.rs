use proptest::prelude::*;

use super::*;

fn ask<'a>(question: &str, passages: &[Passage<'a>]) -> Option<Vec<&'a str>> {
    let question = Question::new(question, Language::English, |_| 1.0);
    let chosen = choose(&candidates(&question, passages), passages, None, &Policy::default())?;
    Some(chosen.into_iter().map(|selected| &passages[selected.passage].text[selected.span]).collect())
}

fn passage(text: &str) -> Passage<'_> {
    Passage { text, context: "Operations\nDatabase", score: 1.0 }
}

#[test]
fn the_sentence_that_holds_the_question_comes_first() {
    let passages = [passage(
        "# Passwords\nBackups run nightly. To rotate the database password, replace the secret file. Logs are JSON.",
    )];
    let answer = ask("How do I rotate the database password?", &passages).unwrap();
    assert_eq!(answer[0], "To rotate the database password, replace the secret file.");
}

#[test]
fn titles_and_headings_support_the_sentences_under_them() {
    let passages = [passage("It listens on a Unix socket.")];
    assert!(ask("database socket", &passages).is_some());
}

#[test]
fn a_heading_inside_the_passage_supports_all_sentences_under_it() {
    let passages =
        [passage("# Sistine Chapel\n\nIt is in Rome. Many visit. It was painted by Michelangelo.\n\n```\n")];
    let answer = ask("Who painted the Sistine Chapel?", &passages).unwrap();
    assert_eq!(answer[0], "It was painted by Michelangelo.");
}

#[test]
fn questions_about_something_else_are_not_answered() {
    let passages = [passage("Backups run nightly. Logs are JSON.")];
    assert_eq!(ask("Who painted the ceiling of the Sistine Chapel?", &passages), None);
    assert_eq!(ask("what is the", &passages), None);
    assert_eq!(ask("backups", &[]), None);
}

#[test]
fn overlapping_chunks_do_not_say_the_same_twice() {
    let passages = [passage("The port is 8080."), passage("The port is 8080.")];
    assert_eq!(ask("Which port?", &passages).unwrap(), ["The port is 8080."]);
}

#[test]
fn a_sentence_that_affirms_does_not_answer_a_question_that_denies() {
    let text = "Visitors may enter the garden on Sundays. Dogs may not enter the garden on Sundays.";
    let answer = ask("Who may not enter the garden on Sundays?", &[passage(text)]).unwrap();
    assert_eq!(answer[0], "Dogs may not enter the garden on Sundays.");
    let passages = [passage("The port is open to ships.")];
    let question = Question::new("Which ships is the port not open to?", Language::English, |_| 1.0);
    let strict = Policy { min_support: 0.8, ..Policy::default() };
    assert_eq!(choose(&candidates(&question, &passages), &passages, None, &strict), None);
}

proptest! {
    #[test]
    fn quotes_are_bytes_of_their_passages_and_few(texts in prop::collection::vec("(\\PC|\n|[.?! ]|word ){0,80}", 0..6), question in "\\PC{0,40}",
        cosine in prop::option::of(any::<f32>())) {
        let passages: Vec<Passage<'_>> = texts.iter().map(|text| passage(text)).collect();
        let question = Question::new(&question, Language::English, |_| 1.0);
        let candidates = candidates(&question, &passages);
        prop_assert!(candidates.iter().all(|c| c.own <= c.support + 1e-5 && c.support <= 1.0 + 1e-5));
        let cosines = cosine.map(|cosine| vec![cosine; candidates.len()]);
        let policy = Policy::default();
        for selected in choose(&candidates, &passages, cosines.as_deref(), &policy).unwrap_or_default() {
            let quote = passages[selected.passage].text.get(selected.span);
            prop_assert!(quote.is_some_and(|quote| !quote.is_empty() && quote.len() <= policy.max_bytes));
        }
    }
}
