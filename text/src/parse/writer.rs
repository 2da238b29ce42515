//! A document's text as it is written from top to bottom: Markdown-like, with its blocks and places.

use super::{Block, BlockKind, Mark, Outline, ParseError, ParseLimits, Parsed, Place};

/// Blocks are parted by an empty line. Once full it takes no more, and [`Writer::finish`] says so.
pub(super) struct Writer {
    text: String,
    blocks: Vec<Block>,
    marks: Vec<Mark>,
    /// Where the next block stands, until it is written: an empty page leaves no mark.
    place: Option<Place>,
    outline: Outline,
    title: Option<String>,
    max_bytes: usize,
}

impl Writer {
    pub(super) fn new(limits: &ParseLimits) -> Self {
        Self {
            text: String::new(),
            blocks: Vec::new(),
            marks: Vec::new(),
            place: None,
            outline: Outline::default(),
            title: None,
            max_bytes: limits.max_bytes,
        }
    }

    /// Whether the text outgrew its limit: whoever reads on reads for nothing.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() > self.max_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Another document's text, as it goes on.
    pub(super) fn append(&mut self, other: Parsed) {
        if other.text.is_empty() || self.is_full() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        let start = self.text.len();
        self.text.push_str(&other.text);
        self.title = self.title.take().or(other.title);
        let moved = |block: Block| Block { span: block.span.start + start..block.span.end + start, ..block };
        self.blocks.extend(other.blocks.into_iter().map(moved));
        self.marks.extend(other.marks.into_iter().map(|mark| Mark { at: mark.at + start, ..mark }));
    }

    /// What follows stands on this page, slide or sheet.
    pub(super) fn place(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// A heading of level 1 to 6; the document's first one of level 1 is its title.
    pub(super) fn heading(&mut self, level: u8, words: &str) {
        let level = level.clamp(1, 6);
        let blank = |c: char| c.is_whitespace() || c == '\0';
        let words = words.split(blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        if words.is_empty() {
            return;
        }
        self.outline.enter(level, &words);
        if self.title.is_none() {
            self.title = self.outline.level_one().map(str::to_owned);
        }
        self.block(BlockKind::Heading(level), &format!("{} {words}", "#".repeat(usize::from(level))));
    }

    pub(super) fn code(&mut self, code: &str) {
        let code = code.trim_matches(['\n', '\r']).trim_end();
        if !code.is_empty() {
            self.block(BlockKind::Code, &format!("```\n{code}\n```"));
        }
    }

    /// A block as it is to be read; a quote is marked as one.
    pub(super) fn block(&mut self, kind: BlockKind, block: &str) {
        if block.is_empty() || self.is_full() {
            return;
        }
        // What was packed or encoded may bring it, and PostgreSQL cannot store it.
        let block = if block.contains('\0') { &*block.replace('\0', " ") } else { block };
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        let start = self.text.len();
        if let Some(place) = self.place.take() {
            self.marks.push(Mark { at: start, place });
        }
        if kind == BlockKind::Quote {
            self.text.push_str("> ");
            self.text.push_str(&block.replace('\n', "\n> "));
        } else {
            self.text.push_str(block);
        }
        self.blocks.push(Block { span: start..self.text.len(), kind, headings: self.outline.path() });
    }

    /// # Errors
    /// [`ParseError::TooLarge`] when the text outgrew its limit.
    pub(super) fn finish(self) -> Result<Parsed, ParseError> {
        if self.is_full() {
            return Err(ParseError::TooLarge { limit: self.max_bytes });
        }
        Ok(Parsed { text: self.text, title: self.title, blocks: self.blocks, marks: self.marks })
    }
}

/// Rows of cells as a Markdown table, a rule under the first; rows of nothing but blanks are left out. Rows are as
/// long as they are given: filling them up to the longest would let a small document make a huge table.
pub(super) fn table<R, C>(rows: R) -> String
where
    R: IntoIterator<Item = C>,
    C: IntoIterator<Item: AsRef<str>>,
{
    let mut lines = String::new();
    for row in rows {
        let start = lines.len();
        let (mut columns, mut blank) = (0, true);
        for cell in row {
            let cell = cell.as_ref().trim();
            blank &= cell.is_empty();
            columns += 1;
            lines.push_str("| ");
            for (at, line) in cell.lines().enumerate() {
                if at > 0 {
                    lines.push(' ');
                }
                lines.push_str(&line.replace('|', "\\|"));
            }
            lines.push(' ');
        }
        if blank {
            lines.truncate(start);
            continue;
        }
        lines.push_str("|\n");
        if start == 0 {
            (0..columns).for_each(|_| lines.push_str("| - "));
            lines.push_str("|\n");
        }
    }
    lines.truncate(lines.trim_end().len());
    lines
}
