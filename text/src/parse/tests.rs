use proptest::prelude::*;

use super::*;

/// What any text is a document of.
const TEXTS: [MediaType; 3] = [MediaType::Markdown, MediaType::Plain, MediaType::Html];

fn read(source: &str, media_type: MediaType) -> Parsed {
    parse(source.as_bytes(), media_type, &ParseLimits::default()).unwrap()
}

fn outline(parsed: &Parsed) -> Vec<(BlockKind, &str, String)> {
    parsed
        .blocks
        .iter()
        .map(|block| (block.kind, &parsed.text[block.span.clone()], block.headings.join(" > ")))
        .collect()
}

#[test]
fn markdown_blocks_are_the_source_with_the_headings_in_force() {
    let parsed = read(
        "# Guide\n\nHello *you*.\n\n## Keys\n\n- one\n- two\n\n```sh\nls\n```\n\n# Other\nEnd\n",
        MediaType::Markdown,
    );
    assert_eq!(
        outline(&parsed),
        [
            (BlockKind::Heading(1), "# Guide", "Guide".into()),
            (BlockKind::Paragraph, "Hello *you*.", "Guide".into()),
            (BlockKind::Heading(2), "## Keys", "Guide > Keys".into()),
            (BlockKind::List, "- one\n- two", "Guide > Keys".into()),
            (BlockKind::Code, "```sh\nls\n```", "Guide > Keys".into()),
            (BlockKind::Heading(1), "# Other", "Other".into()),
            (BlockKind::Paragraph, "End", "Other".into()),
        ]
    );
    assert_eq!(parsed.title.as_deref(), Some("Guide"));
}

#[test]
fn front_matter_gives_the_title_and_is_not_text() {
    let parsed = read("---\ntitle: \"Release notes\"\ntags: [a]\n---\n# Heading\n", MediaType::Markdown);
    assert_eq!((parsed.title.as_deref(), parsed.text.as_str()), (Some("Release notes"), "# Heading\n"));
    let toml = read("+++\ntitle = 'T'\n+++\nBody", MediaType::Markdown);
    assert_eq!((toml.title.as_deref(), toml.text.as_str()), (Some("T"), "Body"));
}

#[test]
fn a_rule_at_the_start_is_not_front_matter() {
    assert_eq!(read("---\nJust text\n---\nmore", MediaType::Markdown).text, "---\nJust text\n---\nmore");
}

#[test]
fn plain_text_has_paragraphs_and_underlined_headings() {
    let parsed = read("Title\n=====\n\nOne\ntwo\n\nPart\n----\nThree\n", MediaType::Plain);
    assert_eq!(
        outline(&parsed),
        [
            (BlockKind::Heading(1), "Title\n=====", "Title".into()),
            (BlockKind::Paragraph, "One\ntwo", "Title".into()),
            (BlockKind::Heading(2), "Part\n----", "Title > Part".into()),
            (BlockKind::Paragraph, "Three", "Title > Part".into()),
        ]
    );
}

#[test]
fn html_reads_as_a_page_without_its_furniture() {
    let parsed = read(
        "<html><head><title>The &amp; page</title><style>p{}</style></head><body><nav>Home</nav><header>Logo</header>\
         <main><header><h1>Cats</h1></header><p>A <a href='/x'>small</a>\n <b>cat</b>&nbsp;purrs.<script>x()</script>\
         <ul><li>one<li>two<ul><li>deep</ul></ul><pre>a\n  b</pre>\
         <table><tr><th>K<th>V<tr><td>x|y<td>1</table><blockquote>Said</blockquote></main><footer>(c)</footer>",
        MediaType::Html,
    );
    assert_eq!(parsed.title.as_deref(), Some("The & page"));
    assert_eq!(
        parsed.text,
        "# Cats\n\nA small cat purrs.\n\n- one\n- two\n    - deep\n\n```\na\n  b\n```\n\n| K | V |\n| - | - |\n| x\\|y | 1 |\n\n> Said"
    );
}

#[test]
fn an_article_is_preferred_unless_it_is_a_small_part_of_the_page() {
    let long = "word ".repeat(50);
    let page = |article: &str, rest: &str| {
        read(&format!("<article>{article}</article><div>{rest}</div>"), MediaType::Html).text
    };
    assert!(!page(&long, "advert").contains("advert"));
    assert!(page("teaser", &long).contains("word"));
}

#[test]
fn a_page_of_furniture_only_still_has_its_text() {
    assert_eq!(read("<header><p>Hello</p></header>", MediaType::Html).text, "Hello");
}

#[test]
fn elements_hidden_inline_do_not_swallow_the_rest() {
    assert_eq!(
        read("<p><span hidden>no</span> yes <div role=navigation>no</div>more", MediaType::Html).text,
        "yes\n\nmore"
    );
}

#[test]
fn nul_is_gone_from_every_type() {
    for media_type in TEXTS {
        let parsed = read("a\0b &#0; c\0", media_type);
        assert!(!parsed.text.contains('\0'), "{media_type}");
    }
}

#[test]
fn documents_beyond_a_limit_are_refused_whole() {
    let small = ParseLimits { max_bytes: 10, ..ParseLimits::default() };
    assert_eq!(parse(b"01234567890", MediaType::Plain, &small), Err(ParseError::TooLarge { limit: 10 }));
    let few = ParseLimits { max_nodes: 3, ..ParseLimits::default() };
    assert_eq!(parse(b"<p>a<p>b<p>c", MediaType::Html, &few), Err(ParseError::TooComplex { limit: 3 }));
}

/// Ten times the input must not take much more than ten times as long.
#[test]
fn hostile_structure_is_read_in_linear_time() {
    let shapes: &[(&str, &str, MediaType)] = &[
        ("<div>", "", MediaType::Html),
        ("<p>", "", MediaType::Html),
        ("<table><tr><td>", "", MediaType::Html),
        ("<ul><li>x", "", MediaType::Html),
        ("<b><p>", "</b>", MediaType::Html),
        ("<blockquote>", "x", MediaType::Html),
        ("<td colspan=1000>", "", MediaType::Html),
        ("</p></div>", "", MediaType::Html),
        ("<", "", MediaType::Html),
        ("&amp", "", MediaType::Html),
        ("<!--", "", MediaType::Html),
        ("> ", "x", MediaType::Markdown),
        ("- ", "x", MediaType::Markdown),
        ("[", "]", MediaType::Markdown),
        ("![", "](", MediaType::Markdown),
        ("*a **", "", MediaType::Markdown),
        ("`a``", "", MediaType::Markdown),
        ("<a ", "", MediaType::Markdown),
        ("| a ", "\n|-|\n", MediaType::Markdown),
        ("# a\n", "", MediaType::Markdown),
        ("[a]: b\n", "", MediaType::Markdown),
        ("a\n=\n", "", MediaType::Plain),
        ("[a](<", "", MediaType::Markdown),
        ("&", ";", MediaType::Markdown),
        ("~~a", "", MediaType::Markdown),
        ("\\", "", MediaType::Markdown),
        ("<!--", "", MediaType::Markdown),
        ("<?", "", MediaType::Markdown),
        ("<![CDATA[", "", MediaType::Markdown),
        ("[x][", "", MediaType::Markdown),
        ("a**b", "c* ", MediaType::Markdown),
    ];
    for (open, close, media_type) in shapes {
        let took = |bytes: usize| {
            let count = bytes / (open.len() + close.len());
            let source = format!("{}{}", open.repeat(count), close.repeat(count));
            let started = std::time::Instant::now();
            let parsed = read(&source, *media_type);
            assert!(parsed.text.len() < 64 * source.len().max(64), "{open:?} grew");
            started.elapsed()
        };
        let elapsed = took(500_000);
        assert!(elapsed.as_secs() < 5, "{open:?} took {elapsed:?}");
    }
}

#[test]
fn a_tag_with_a_hundred_thousand_attributes_is_read() {
    let attributes: String = (0..100_000).map(|number| format!("a{number}=1 ")).collect();
    assert_eq!(read(&format!("<p {attributes}>text"), MediaType::Html).text, "text");
}

fn check(parsed: &Parsed) {
    assert!(!parsed.text.contains('\0'));
    let mut end = 0;
    for block in &parsed.blocks {
        assert!(block.span.start >= end && block.span.start < block.span.end, "{:?} after {end}", block.span);
        assert!(parsed.text.get(block.span.clone()).is_some());
        end = block.span.end;
    }
}

proptest! {
    #[test]
    fn any_text_parses_into_ordered_blocks(source in "\\PC{0,200}") {
        for media_type in TEXTS {
            check(&read(&source, media_type));
        }
    }

    #[test]
    fn any_markup_parses_into_ordered_blocks(pieces in prop::collection::vec(prop::sample::select(vec![
        "# ", "\n", "\n\n", "- ", "> ", "```", "| a ", "|-|", "  ", "[x](", ")", "*", "`", "<div>", "</div>", "---", "+++", "title: x", "===",
        "<p>", "<table>", "<tr>", "<td>", "</table>", "<li>", "<ul>", "</ul>", "<h1>", "</h1>", "<main>", "<article>", "<script>", "</script>",
        "<pre>", "</pre>", "<b>", "</b>", "<br>", "é", "字", "word ", "\r\n", "\t", "&#0;", "<title>", "</title>", "1. ", "<dl>", "<dt>", "<dd>",
        "<nav>", "</nav>", "<span hidden>", "</span>", "<header>", "<blockquote>", "</blockquote>",
    ]), 0..60)) {
        let source = pieces.concat();
        for media_type in TEXTS {
            check(&read(&source, media_type));
        }
    }

    #[test]
    fn any_bytes_are_text_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for &media_type in MediaType::ALL {
            if let Ok(parsed) = parse(&bytes, media_type, &ParseLimits::default()) {
                check(&parsed);
            }
        }
    }
}
