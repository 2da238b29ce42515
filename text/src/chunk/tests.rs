use proptest::prelude::*;
use proptest::strategy::Strategy as _;

use super::Strategy;
use super::*;
use crate::parse::{MediaType, ParseLimits, parse};

/// A tokenizer in the manner of WordPiece: words, punctuation marks and ideographs, words cut every five characters.
pub(super) struct Pieces;

impl TokenSpans for Pieces {
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut word: Option<(Range<usize>, usize)> = None;
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            let ideograph = ('\u{4E00}'..='\u{9FFF}').contains(&c);
            word = match word {
                Some((span, count)) if c.is_alphanumeric() && !ideograph && count < 5 => {
                    Some((span.start..end, count + 1))
                }
                open => {
                    spans.extend(open.map(|(span, _)| span));
                    if c.is_alphanumeric() && !ideograph {
                        Some((at..end, 1))
                    } else {
                        if !c.is_whitespace() {
                            spans.push(at..end);
                        }
                        None
                    }
                }
            };
        }
        spans.extend(word.map(|(span, _)| span));
        spans
    }
}

fn markdown(source: &str) -> Parsed {
    parse(source.as_bytes(), MediaType::Markdown, &ParseLimits::default()).unwrap()
}

fn cut(parsed: &Parsed, title: Option<&str>, max_tokens: usize, overlap_tokens: usize) -> Vec<Chunk> {
    cut_by(Strategy::Structure, parsed, title, max_tokens, overlap_tokens)
}

fn cut_by(
    strategy: Strategy,
    parsed: &Parsed,
    title: Option<&str>,
    max_tokens: usize,
    overlap_tokens: usize,
) -> Vec<Chunk> {
    chunk(parsed, title, strategy, ChunkLimits { max_tokens, overlap_tokens }, &Pieces)
}

const STRATEGIES: [Strategy; 3] =
    [Strategy::Structure, Strategy::Tokens, Strategy::SentenceWindow { sentences: 3 }];

fn texts<'a>(parsed: &'a Parsed, chunks: &[Chunk]) -> Vec<&'a str> {
    chunks.iter().map(|chunk| &parsed.text[chunk.span.clone()]).collect()
}

fn words(count: usize) -> String {
    (0..count).map(|number| format!("w{number} ")).collect::<String>().trim_end().to_owned()
}

#[test]
fn a_title_and_a_paragraph_embed_as_title_then_text() {
    let parsed = markdown("The body of the document.");
    let chunks = cut(&parsed, Some("A title"), 64, 8);
    assert_eq!(chunks.len(), 1);
    assert_eq!(chunks[0].embedded_text(&parsed.text), "A title\nThe body of the document.");
}

#[test]
fn a_heading_that_shows_the_title_is_not_said_twice() {
    let parsed = markdown("# Guide\n\nText.");
    let chunks = cut(&parsed, Some("Guide"), 64, 8);
    assert_eq!(chunks[0].embedded_text(&parsed.text), "# Guide\n\nText.");
}

#[test]
fn sections_of_some_size_are_chunks_with_their_heading_path() {
    let body = words(20);
    let parsed = markdown(&format!("# G\n\n{body}\n\n## A\n\n{body}\n\n## B\n\n{body}\n"));
    let chunks = cut(&parsed, Some("T"), 64, 8);
    let paths: Vec<String> = chunks.iter().map(|chunk| chunk.headings.join("/")).collect();
    assert_eq!(paths, ["G", "G/A", "G/B"]);
    assert_eq!(&*chunks[2].context, "T\nG");
}

#[test]
fn tiny_sections_are_put_together() {
    let source: String = (0..40).map(|number| format!("## Section {number}\n\nOne line.\n\n")).collect();
    let parsed = markdown(&format!("# All\n\n{source}"));
    let chunks = cut(&parsed, None, 128, 16);
    assert!(chunks.len() < 12, "{}", chunks.len());
    assert!(chunks.iter().all(|chunk| chunk.headings.first().is_some_and(|top| top == "All")));
}

#[test]
fn a_long_section_is_cut_at_sentences_and_overlaps() {
    let sentences: String = (0..60).map(|number| format!("This is sentence number {number}. ")).collect();
    let parsed = markdown(&format!("# Long\n\n{sentences}"));
    let chunks = cut(&parsed, None, 64, 16);
    let texts = texts(&parsed, &chunks);
    assert!(texts.len() > 3);
    assert!(texts.iter().all(|text| text.ends_with('.')), "{texts:?}");
    assert!(texts.iter().skip(1).all(|text| text.starts_with("This is")), "{texts:?}");
    assert!(chunks.windows(2).all(|pair| pair[1].span.start < pair[0].span.end));
    assert!(chunks.iter().skip(1).all(|chunk| &*chunk.context == "Long"));
}

#[test]
fn code_and_tables_are_cut_at_line_ends() {
    let lines: String = (0..60).map(|number| format!("    call(argument_{number});\n")).collect();
    let parsed = markdown(&format!("```rust\n{lines}```\n"));
    for text in texts(&parsed, &cut(&parsed, None, 64, 16)) {
        assert!(text.ends_with(';') || text.ends_with("```"), "{text:?}");
    }
}

#[test]
fn a_heading_never_ends_a_chunk() {
    let source: String =
        (0..10).map(|number| format!("## H{number}\n\n{}\n\n", words(15 + number))).collect();
    let parsed = markdown(&source);
    for text in texts(&parsed, &cut(&parsed, None, 32, 4)) {
        assert!(!text.lines().last().unwrap().starts_with('#'), "{text:?}");
    }
}

#[test]
fn an_endless_word_is_cut_between_characters() {
    let parsed = markdown(&"x".repeat(10_000));
    let chunks = cut(&parsed, None, 32, 4);
    check(&parsed, &chunks, None, 32);
    assert!(chunks.len() < 200);
}

#[test]
fn an_empty_document_has_no_chunks() {
    assert!(cut(&markdown(" \n\n "), Some("T"), 64, 8).is_empty());
}

#[test]
fn megabytes_are_chunked_in_linear_time() {
    for piece in [
        "word ",
        "Sentence here. ",
        "# h\n\nx\n\n",
        "- item\n",
        "字",
        "x",
        "    code\n",
        "| a | b |\n",
        "# h\n",
        "ก",
        "\u{301}",
    ] {
        let parsed = markdown(&piece.repeat(1_000_000 / piece.len()));
        for strategy in STRATEGIES {
            let started = std::time::Instant::now();
            let chunks = cut_by(strategy, &parsed, Some("T"), 254, 32);
            assert!(started.elapsed().as_secs() < 10, "{piece:?} took {:?}", started.elapsed());
            check_spans(&parsed, &chunks, Some("T"), 254);
        }
    }
}

#[test]
fn token_windows_are_full_and_repeat_the_end_of_the_one_before_whatever_the_structure() {
    let source: String =
        (0..30).map(|number| format!("## H{number}\n\nalpha beta gamma delta.\n\n")).collect();
    let parsed = markdown(&source);
    let chunks = cut_by(Strategy::Tokens, &parsed, Some("T"), 64, 16);
    let (last, full) = chunks.split_last().unwrap();
    assert!(
        full.iter().all(|chunk| chunk.tokens > 48 && chunk.headings.is_empty() && &*chunk.context == "T")
    );
    for pair in chunks.windows(2) {
        let repeated = &parsed.text[pair[1].span.start..pair[0].span.end];
        assert!((8..=16).contains(&Pieces.spans(repeated).len()), "{repeated:?}");
    }
    assert_eq!(last.span.end, parsed.text.trim_end().len());
}

#[test]
fn a_sentence_is_found_by_itself_and_returned_with_those_around_it_in_its_section() {
    let section = |name: &str| {
        let sentences: String =
            (0..9).map(|number| format!("The {name} sentence of number {number} stands here. ")).collect();
        format!("## {name}\n\n{sentences}\n\n")
    };
    let parsed = markdown(&format!("{}{}", section("red"), section("blue")));
    let chunks = cut_by(Strategy::SentenceWindow { sentences: 2 }, &parsed, None, 128, 0);
    assert_eq!(chunks.len(), 18);
    let seen = |at: usize| {
        let Chunk { span, window, .. } = &chunks[at];
        (&parsed.text[span.clone()], &parsed.text[window.as_ref().unwrap().span.clone()])
    };
    let (matched, window) = seen(4);
    assert_eq!(matched, "The red sentence of number 4 stands here.");
    assert!(
        window.starts_with("The red sentence of number 2") && window.ends_with("number 6 stands here."),
        "{window}"
    );
    let (matched, window) = seen(9);
    assert!(
        matched.starts_with("## blue\n\nThe blue sentence of number 0"),
        "a heading goes with what it heads"
    );
    assert!(!window.contains("red"), "{window}");
    assert_eq!(&*chunks[12].headings, ["blue".to_owned()]);
}

#[test]
fn text_without_spaces_is_cut_between_words_as_far_as_the_script_tells() {
    for (text, never) in [
        (
            "ข้อมูลของเรามีความสำคัญมากที่สุดในโลกนี้และเราเก็บรักษาไว้อย่างดีเสมอ".repeat(20),
            "\u{0E30}\u{0E31}\u{0E32}\u{0E33}\u{0E34}\u{0E35}\u{0E48}\u{0E49}",
        ),
        ("データベースのパスワードを変更する必要があります".repeat(20), "ー"),
    ] {
        let parsed = parse(text.as_bytes(), MediaType::Plain, &ParseLimits::default()).unwrap();
        for strategy in STRATEGIES {
            for chunk in cut_by(strategy, &parsed, None, 32, 8) {
                let first = parsed.text[chunk.span].chars().next().unwrap();
                assert!(!never.contains(first), "{strategy:?}: starts with {first:?}");
            }
        }
    }
}

/// All that holds of chunks, whichever way they were cut.
pub(super) fn check(parsed: &Parsed, chunks: &[Chunk], title: Option<&str>, max_tokens: usize) {
    check_spans(parsed, chunks, title, max_tokens);
    for chunk in chunks {
        for block in &parsed.blocks {
            if block.span.start < chunk.span.end && block.span.end > chunk.span.start {
                assert!(block.headings.starts_with(&chunk.headings), "the path holds for all of the chunk");
            }
        }
    }
}

pub(super) fn check_spans(parsed: &Parsed, chunks: &[Chunk], title: Option<&str>, max_tokens: usize) {
    let mut covered = 0;
    let mut start = 0;
    for chunk in chunks {
        let text = parsed.text.get(chunk.span.clone()).expect("a chunk lies on character boundaries");
        assert!(!text.trim().is_empty());
        assert!(chunk.span.start >= start, "in order");
        assert!(chunk.span.end > covered, "every chunk adds text");
        assert!(
            chunk.span.start <= covered || parsed.text[covered..chunk.span.start].trim().is_empty(),
            "nothing is skipped"
        );
        assert_eq!(chunk.tokens, Pieces.spans(text).len());
        let embedded = Pieces.spans(&chunk.embedded_text(&parsed.text)).len();
        assert!(embedded <= max_tokens, "{embedded} of {max_tokens} tokens (title {title:?})");
        if let Some(window) = &chunk.window {
            assert!(window.span.start <= chunk.span.start && chunk.span.end <= window.span.end);
            assert!(parsed.text.get(window.span.clone()).is_some(), "on character boundaries");
            assert!(window.tokens <= max_tokens || window.span == chunk.span);
        }
        (start, covered) = (chunk.span.start, covered.max(chunk.span.end));
    }
    assert!(parsed.text[covered..].trim().is_empty(), "nothing is left over");
}

fn source() -> impl proptest::strategy::Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z]{1,12} ",
        2 => "[A-Z][a-z]{1,9}( [a-z]{1,8}){2,12}\\. ",
        1 => prop::sample::select(vec!["\n\n", "\n", "# One\n\n", "## Two\n\n", "### Three\n", "- item\n", "> said\n", "```\n", "| a | b |\n|-|-|\n", "* * *\n", "[x]: y\n"])
            .prop_map(str::to_owned),
        1 => "\\PC{1,20}",
        1 => "[a-zé字。]{50,200}",
    ];
    prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn chunks_cover_the_text_within_their_bound(source in source(), title in prop::option::of("[a-zA-Z ]{0,60}"), max in 16usize..128, overlap in 0usize..64) {
        for media_type in [MediaType::Markdown, MediaType::Plain, MediaType::Html] {
            let parsed = parse(source.as_bytes(), media_type, &ParseLimits::default()).unwrap();
            for strategy in STRATEGIES {
                let chunks = cut_by(strategy, &parsed, title.as_deref(), max, overlap);
                check(&parsed, &chunks, title.as_deref(), max);
                prop_assert_eq!(&chunks, &cut_by(strategy, &parsed, title.as_deref(), max, overlap));
            }
        }
    }
}
