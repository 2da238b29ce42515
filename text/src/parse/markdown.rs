//! Markdown. The text stays the source, so that a citation's span is true to the file; front matter is not text.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Block, BlockKind, Outline, Parsed};

pub(super) fn parse(source: &str) -> Parsed {
    let (front_matter, text) = split_front_matter(source);
    let mut outline = Outline::default();
    let mut blocks = Vec::new();
    let mut first_heading = None;
    let mut depth = 0usize;
    let mut heading: Option<(u8, Range<usize>, String)> = None;
    let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
    for (event, span) in Parser::new_ext(text, options).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) if depth == 0 => {
                heading = Some((level as u8, span, String::new()));
                depth += 1;
            }
            Event::End(TagEnd::Heading(_)) if depth == 1 && heading.is_some() => {
                depth -= 1;
                if let Some((level, span, words)) = heading.take() {
                    outline.enter(level, &words);
                    if first_heading.is_none() {
                        first_heading = outline.level_one().map(str::to_owned);
                    }
                    blocks.push(Block {
                        span: trimmed(text, span),
                        kind: BlockKind::Heading(level),
                        headings: outline.path(),
                    });
                }
            }
            Event::Start(tag) => {
                if depth == 0 {
                    blocks.push(Block {
                        span: trimmed(text, span),
                        kind: kind(&tag),
                        headings: outline.path(),
                    });
                }
                depth += 1;
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(words) | Event::Code(words) => {
                if let Some((_, _, heading)) = &mut heading {
                    heading.push_str(&words);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some((_, _, heading)) = &mut heading {
                    heading.push(' ');
                }
            }
            _ => {}
        }
    }
    blocks.retain(|block| !block.span.is_empty());
    let title = front_matter.and_then(front_matter_title).or(first_heading);
    Parsed { text: text.to_owned(), title, blocks, marks: Vec::new() }
}

fn kind(tag: &Tag<'_>) -> BlockKind {
    match tag {
        Tag::Table(_) => BlockKind::Table,
        Tag::CodeBlock(_) => BlockKind::Code,
        Tag::List(_) => BlockKind::List,
        Tag::BlockQuote(_) => BlockKind::Quote,
        _ => BlockKind::Paragraph,
    }
}

/// Blocks end with their last visible character.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let length = text.get(span.clone()).map_or(0, |block| block.trim_end().len());
    span.start..span.start + length
}

/// YAML between `---` or TOML between `+++`, at the very start.
fn split_front_matter(source: &str) -> (Option<&str>, &str) {
    let fence = source.lines().next().map(str::trim_end).filter(|fence| matches!(*fence, "---" | "+++"));
    let (Some(fence), Some(opened)) = (fence, source.find('\n')) else {
        return (None, source);
    };
    let body = opened + 1;
    let mut at = body;
    for line in source[body..].split_inclusive('\n') {
        let end = line.trim_end();
        if end == fence || (fence == "---" && end == "...") {
            let front_matter = &source[body..at];
            // `---` is also a rule: front matter has keys.
            let keyed =
                front_matter.trim().is_empty() || front_matter.lines().any(|line| line.contains([':', '=']));
            return if keyed { (Some(front_matter), &source[at + line.len()..]) } else { (None, source) };
        }
        at += line.len();
    }
    (None, source)
}

fn front_matter_title(front_matter: &str) -> Option<String> {
    let value = front_matter.lines().find_map(|line| {
        let (key, value) = line.split_once([':', '='])?;
        (key.trim_end() == "title").then_some(value.trim())
    })?;
    let unquoted =
        ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value);
    (!unquoted.trim().is_empty()).then(|| unquoted.trim().to_owned())
}
