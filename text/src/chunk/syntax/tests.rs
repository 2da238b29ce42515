use proptest::prelude::*;
use proptest::strategy::Strategy as _;

use super::super::tests::{Pieces, check_spans};
use super::super::{Strategy, chunk};
use super::*;
use crate::parse::{MediaType, ParseLimits, Parsed, parse};

fn read(source: &str) -> Parsed {
    parse(source.as_bytes(), MediaType::Code(None), &ParseLimits::default()).unwrap()
}

fn cut(parsed: &Parsed, language: SourceLanguage, apart: bool, max_tokens: usize) -> Vec<Chunk> {
    let limits = ChunkLimits { max_tokens, overlap_tokens: 0 };
    chunk(parsed, None, Strategy::Syntax { language, apart }, limits, &Pieces)
}

/// Each chunk's headings and text.
fn seen(source: &str, language: SourceLanguage, apart: bool, max_tokens: usize) -> Vec<(String, String)> {
    let parsed = read(source);
    let chunks = cut(&parsed, language, apart, max_tokens);
    check_spans(&parsed, &chunks, None, max_tokens);
    let one = |chunk: &Chunk| (chunk.headings.join(" > "), parsed.text[chunk.span.clone()].to_owned());
    chunks.iter().map(one).collect()
}

const RUST: &str = "use std::io;

/// A bird.
#[derive(Debug)]
pub struct Duck { age: u32, name: String, weight: f32, height: f32, colour: String }

impl Bird for Duck {
    /// Says it.
    fn quack(&self, times: u32) -> String {
        let mut said = String::new();
        for _ in 0..times { said.push_str(\"quack\"); }
        said
    }

    // Every bird does.
    fn swim(&mut self) {
        self.position += self.speed;
        self.position %= self.pond.length;
    }
}
";

#[test]
fn functions_are_chunks_with_their_comments_under_the_items_around_them() {
    let seen = seen(RUST, SourceLanguage::Rust, true, 96);
    let of = |what: &str| seen.iter().find(|(_, text)| text.contains(what)).unwrap();
    let (headings, quack) = of("quack(&self");
    assert_eq!(headings, "impl Bird for Duck", "{seen:#?}");
    assert!(quack.contains("/// Says it.") && quack.trim_end().ends_with('}'), "{quack}");
    let (headings, swim) = of("swim(&mut self");
    assert_eq!(headings, "impl Bird for Duck > fn swim");
    assert!(swim.starts_with("    // Every bird does.\n    fn swim"), "{swim}");
    let (headings, duck) = of("pub struct Duck");
    assert_eq!(headings, "struct Duck");
    assert!(duck.starts_with("/// A bird.\n#[derive(Debug)]\npub struct"), "{duck}");
}

#[test]
fn small_neighbours_share_a_chunk_unless_they_are_to_stand_apart() {
    let together = seen(RUST, SourceLanguage::Rust, false, 256);
    let apart = seen(RUST, SourceLanguage::Rust, true, 256);
    assert!(together.len() < apart.len(), "{} and {}", together.len(), apart.len());
}

#[test]
fn a_long_function_is_cut_between_statements_and_says_whose_they_are() {
    let statements: String = (0..60)
        .map(|number| format!("        self.total += compute(number_{number}, &self.table)\n"))
        .collect();
    let source = format!("class Sum(Base):\n    @cached\n    def run(self):\n{statements}");
    let seen = seen(&source, SourceLanguage::Python, true, 96);
    assert!(seen.len() > 5);
    for (headings, text) in &seen[1..] {
        assert_eq!(headings, "class Sum > def run");
        assert!(text.starts_with("        self.total") && text.ends_with(')'), "{text:?}");
    }
}

#[test]
fn each_language_names_its_items() {
    let body = "a = b + c; ".repeat(12);
    for (language, source, expected) in [
        (SourceLanguage::C, format!("int quack(int n) {{ {body} }}"), "quack"),
        (SourceLanguage::Cpp, format!("class Duck {{ void quack() {{ {body} }} }};"), "class Duck"),
        (SourceLanguage::Cpp, format!("template <class T> T quack(T n) {{ {body} }}"), "quack"),
        (SourceLanguage::Go, format!("package p\n\nfunc Quack() {{ {body} }}"), "func Quack"),
        (SourceLanguage::Java, format!("class Duck {{ void quack() {{ {body} }} }}"), "class Duck"),
        (SourceLanguage::JavaScript, format!("export const quack = () => {{ {body} }};"), "quack"),
        (SourceLanguage::JavaScript, format!("export function quack() {{ {body} }}"), "function quack"),
        (SourceLanguage::Python, format!("@once\ndef quack():\n    {body}"), "def quack"),
        (SourceLanguage::Rust, format!("impl<T> Duck<T> {{ fn quack() {{ {body} }} }}"), "impl<T> Duck<T>"),
        (SourceLanguage::Tsx, format!("class Duck {{ quack() {{ {body} return <b/>; }} }}"), "class Duck"),
        (
            SourceLanguage::TypeScript,
            format!("interface Duck {{ {} }}", "quack(): void; ".repeat(12)),
            "interface Duck",
        ),
    ] {
        let seen = seen(&source, language, true, 128);
        assert!(seen.iter().any(|(headings, _)| headings.starts_with(expected)), "{language:?}: {seen:#?}");
    }
}

#[test]
fn broken_source_and_prose_are_cut_all_the_same() {
    for &language in SourceLanguage::ALL {
        for source in [
            "",
            " \n ",
            "}}}} ((( fn",
            "It is no source code at all, is it? ".repeat(50).as_str(),
            "\u{feff}é字\0",
        ] {
            let _ = seen(source, language, true, 32);
        }
    }
}

#[test]
fn hostile_source_neither_overflows_the_stack_nor_takes_more_than_linear_time() {
    for &language in SourceLanguage::ALL {
        for piece in [
            "(",
            "{",
            "[",
            "if(a){",
            "a.b(",
            "x = ",
            "class A {",
            "\"",
            "/*",
            "<",
            "- ",
            "fn f() {",
            "def f():\n  ",
            "@",
            "#",
        ] {
            let parsed = read(&piece.repeat(20_000 / piece.len()));
            let started = std::time::Instant::now();
            let chunks = cut(&parsed, language, true, 254);
            assert!(started.elapsed().as_secs() < 20, "{language:?} {piece:?} took {:?}", started.elapsed());
            check_spans(&parsed, &chunks, None, 254);
        }
    }
}

fn source() -> impl proptest::strategy::Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z]{1,8}[ ({;,)}\n]",
        3 => prop::sample::select(vec![
            "fn f() {\n", "}\n", "class A:\n", "    def g(self):\n", "// note\n", "# note\n", "\n\n",
            "impl A for B {\n", "export const f = () => {", "template <T>\n", "/* long */", "\"text\"", "func (a B) c() {",
        ]).prop_map(str::to_owned),
        1 => "\\PC{1,12}",
        1 => "[a-zé字]{50,120}",
    ];
    prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn chunks_of_source_code_cover_it_within_their_bound(source in source(), max in 16usize..128, apart: bool) {
        let parsed = read(&source);
        for &language in SourceLanguage::ALL {
            let chunks = cut(&parsed, language, apart, max);
            check_spans(&parsed, &chunks, None, max);
            prop_assert_eq!(&chunks, &cut(&parsed, language, apart, max));
        }
    }
}
