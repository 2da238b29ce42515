//! Documents to text with structure, one module per format.
//!
//! Invariants of [`Parsed`]: blocks are in order, do not overlap and lie on character boundaries; the text holds
//! no U+0000, which PostgreSQL cannot store. Time is linear in the input. Overload: input or structure beyond
//! [`ParseLimits`] is an error that says so, never a partial document.

mod archive;
mod chart;
mod code;
mod csv;
mod decode;
mod docx;
mod eml;
mod epub;
mod html;
mod json;
mod looks;
mod markdown;
mod media_type;
mod odt;
mod pdf;
mod plain;
mod pptx;
mod wire;
mod writer;
mod xlsx;
mod xml;

use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

pub use media_type::{MediaType, UnsupportedMediaType};

/// What one document may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseLimits {
    /// Largest input, and largest text made of it.
    pub max_bytes: usize,
    /// Elements nested deeper are read as content of the deepest one allowed.
    pub max_depth: usize,
    /// Most elements, texts, cells, glyphs or blocks, whatever the format has.
    pub max_nodes: usize,
    /// All that a packed document unpacks to.
    pub max_unpacked: usize,
    pub max_pages: usize,
}

impl Default for ParseLimits {
    fn default() -> Self {
        Self {
            max_bytes: 32 << 20,
            max_depth: 256,
            max_nodes: 2_000_000,
            max_unpacked: 256 << 20,
            max_pages: 20_000,
        }
    }
}

/// A document's text and its structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    pub text: String,
    pub title: Option<String>,
    pub blocks: Vec<Block>,
    /// Where pages, slides or sheets begin, in the order of the text.
    pub marks: Vec<Mark>,
}

impl Parsed {
    /// The page, slide or sheet of a byte of the text, where the original has such.
    #[must_use]
    pub fn place_of(&self, at: usize) -> Option<&Place> {
        let after = self.marks.partition_point(|mark| mark.at <= at);
        self.marks.get(after.checked_sub(1)?).map(|mark| &mark.place)
    }
}

/// From here on the text stands at this place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Byte of [`Parsed::text`].
    pub at: usize,
    pub place: Place,
}

/// Where in the original a part of the text stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// From 1.
    Page(u32),
    /// From 1.
    Slide(u32),
    Sheet(String),
}

/// A block of the text: what the chunker keeps together where it can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Bytes of [`Parsed::text`].
    pub span: Range<usize>,
    pub kind: BlockKind,
    /// The headings in force, outermost first; a heading is in force for itself.
    pub headings: Arc<[String]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockKind {
    /// A heading of level 1 to 6.
    Heading(u8),
    Paragraph,
    List,
    Quote,
    Code,
    Table,
}

/// Why a document cannot be read. Safe to show to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("this is no text, in UTF-8 or any other encoding: invalid byte at offset {offset}")]
    NotUtf8 { offset: usize },
    #[error("the document or its text is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the document has more than {limit} elements")]
    TooComplex { limit: usize },
    #[error("the document is nested more than {limit} deep")]
    TooDeep { limit: usize },
    #[error("the document unpacks to more than {limit} bytes")]
    Expands { limit: usize },
    #[error("the document has more than {limit} pages")]
    TooManyPages { limit: usize },
    #[error("the document holds no text: scanned pages have to go through text recognition (OCR) first")]
    NoText,
    #[error("the document is encrypted; send it without a password")]
    Encrypted,
    /// The format's name, and what is wrong in words that quote nothing of the document.
    #[error("the document is not a readable {format}: {reason}")]
    Malformed { format: &'static str, reason: String },
    #[error("{error}; the bytes look like {looks}: send them under that type")]
    Mistaken { error: Box<Self>, looks: MediaType },
}

/// Reads a document of the given type.
pub fn parse(bytes: &[u8], media_type: MediaType, limits: &ParseLimits) -> Result<Parsed, ParseError> {
    parse_within(bytes, media_type, limits, 0)
}

/// The same for a document within so many others: an attachment.
fn parse_within(
    bytes: &[u8],
    media_type: MediaType,
    limits: &ParseLimits,
    nesting: u8,
) -> Result<Parsed, ParseError> {
    if bytes.len() > limits.max_bytes {
        return Err(ParseError::TooLarge { limit: limits.max_bytes });
    }
    if !media_type.is_harmful() && looks::is_binary(bytes) {
        return Err(looks::instead(ParseError::NotUtf8 { offset: 0 }, bytes, media_type));
    }
    match read(bytes, media_type, limits, nesting) {
        // Whoever works on with them needs memory for each.
        Ok(parsed) if parsed.blocks.len() > limits.max_nodes => {
            Err(ParseError::TooComplex { limit: limits.max_nodes })
        }
        parsed => parsed.map_err(|error| looks::instead(error, bytes, media_type)),
    }
}

fn read(
    bytes: &[u8],
    media_type: MediaType,
    limits: &ParseLimits,
    nesting: u8,
) -> Result<Parsed, ParseError> {
    match media_type {
        MediaType::Markdown => Ok(markdown::parse(&decode::decode(bytes)?)),
        MediaType::Plain => Ok(plain::parse(decode::decode(bytes)?.into_owned())),
        MediaType::Html => html::parse(&decode::decode(bytes)?, limits),
        MediaType::Csv => csv::parse(&decode::decode(bytes)?, limits),
        MediaType::Json => json::parse(&decode::decode(bytes)?, limits),
        MediaType::Ndjson => json::parse_lines(&decode::decode(bytes)?, limits),
        MediaType::Code(_) => Ok(code::parse(decode::decode(bytes)?.into_owned())),
        MediaType::Eml => eml::parse(bytes, limits, nesting),
        MediaType::Epub => epub::parse(bytes, limits),
        MediaType::Odt => odt::parse(bytes, limits),
        MediaType::Docx => docx::parse(bytes, limits),
        MediaType::Pdf => pdf::parse(bytes, limits),
        MediaType::Pptx => pptx::parse(bytes, limits),
        MediaType::Xlsx => xlsx::parse(bytes, limits),
    }
}

/// Longest heading kept in a path: longer ones are prose in a heading's clothes.
const MAX_HEADING_CHARS: usize = 200;
/// All paths of a document together. A hostile one has a million headings, each below five long ones; beyond this, a path
/// is the innermost heading alone.
const MAX_PATH_BYTES: usize = 32 << 20;

/// The headings in force while a document is read from top to bottom.
#[derive(Default)]
struct Outline {
    open: Vec<(u8, String)>,
    path: Option<Arc<[String]>>,
    path_bytes: usize,
}

impl Outline {
    fn enter(&mut self, level: u8, heading: &str) {
        self.open.retain(|&(open, _)| open < level);
        let words: Vec<&str> = heading.split_whitespace().collect();
        let heading: String = words.join(" ").chars().take(MAX_HEADING_CHARS).collect();
        if !heading.is_empty() {
            self.open.push((level, heading));
        }
        self.path = None;
    }

    fn path(&mut self) -> Arc<[String]> {
        if let Some(path) = &self.path {
            return Arc::clone(path);
        }
        let first = if self.path_bytes > MAX_PATH_BYTES { self.open.len().saturating_sub(1) } else { 0 };
        let path: Arc<[String]> = self.open.iter().skip(first).map(|(_, heading)| heading.clone()).collect();
        self.path_bytes += path.iter().map(|heading| size_of::<String>() + heading.len()).sum::<usize>();
        self.path = Some(Arc::clone(&path));
        path
    }

    fn level_one(&self) -> Option<&str> {
        self.open.first().filter(|(level, _)| *level == 1).map(|(_, heading)| heading.as_str())
    }
}

#[cfg(test)]
mod tests;
