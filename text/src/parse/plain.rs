//! Plain text: paragraphs between blank lines, and headings underlined as in reStructuredText.

use std::ops::Range;

use super::{Block, BlockKind, Outline, Parsed};

/// Underlined lines longer than this are not headings.
const MAX_HEADING_BYTES: usize = 200;

pub(super) fn parse(text: String) -> Parsed {
    let (blocks, title) = read(&text);
    Parsed { text, title, blocks, marks: Vec::new() }
}

fn read(text: &str) -> (Vec<Block>, Option<String>) {
    let mut reader =
        Reader { text, outline: Outline::default(), underlines: Vec::new(), blocks: Vec::new(), title: None };
    let mut paragraph: Option<Range<usize>> = None;
    let mut lines = lines(text).peekable();
    while let Some(line) = lines.next() {
        if text[line.clone()].trim().is_empty() {
            reader.paragraph(paragraph.take());
            continue;
        }
        let starts_block = paragraph.is_none();
        if starts_block
            && let Some(under) = lines.peek().cloned()
            && let Some(mark) = underline(&text[line.clone()], &text[under.clone()])
        {
            lines.next();
            reader.heading(mark, line.start..under.end, &text[line]);
            continue;
        }
        paragraph = Some(paragraph.map_or(line.start, |open| open.start)..line.end);
    }
    reader.paragraph(paragraph);
    (reader.blocks, reader.title)
}

struct Reader<'a> {
    text: &'a str,
    outline: Outline,
    /// Underlining characters in order of appearance: their order is their level.
    underlines: Vec<char>,
    blocks: Vec<Block>,
    title: Option<String>,
}

impl Reader<'_> {
    fn paragraph(&mut self, span: Option<Range<usize>>) {
        let Some(span) = span else { return };
        let kind = if self.text[span.clone()].lines().all(|line| line.starts_with(['\t', ' '])) {
            BlockKind::Code
        } else {
            BlockKind::Paragraph
        };
        self.blocks.push(Block { span, kind, headings: self.outline.path() });
    }

    fn heading(&mut self, mark: char, span: Range<usize>, heading: &str) {
        let known = self.underlines.iter().position(|&known| known == mark);
        let depth = known.unwrap_or_else(|| {
            self.underlines.push(mark);
            self.underlines.len() - 1
        });
        let level = u8::try_from(depth + 1).unwrap_or(6).min(6);
        self.outline.enter(level, heading);
        if self.title.is_none() {
            self.title = self.outline.level_one().map(str::to_owned);
        }
        self.blocks.push(Block { span, kind: BlockKind::Heading(level), headings: self.outline.path() });
    }
}

/// The underlining character, when `under` underlines `line`.
fn underline(line: &str, under: &str) -> Option<char> {
    let (line, under) = (line.trim_end(), under.trim_end());
    let mark = under.chars().next().filter(|mark| "=-~^\"'*+#".contains(*mark))?;
    let fits = under.len() >= 3 && under.len() >= line.chars().count() && line.len() <= MAX_HEADING_BYTES;
    let worded = line.chars().any(char::is_alphanumeric) && !line.starts_with(char::is_whitespace);
    (fits && worded && under.chars().all(|c| c == mark)).then_some(mark)
}

/// The lines of `text` without their ends.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some(start..start + line.trim_end_matches(['\n', '\r']).len())
    })
}
