//! [`Parsed`] as it is handed from one process to another. Blocks under the same headings share them, here as in memory:
//! written out for each block, a document's headings could be a thousand times as long as the document.

use super::{Block, BlockKind, Mark, Parsed};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    text: Cow<'a, str>,
    title: Cow<'a, Option<String>>,
    marks: Cow<'a, [Mark]>,
    /// Headings in force, each once in a row.
    paths: Vec<Arc<[String]>>,
    /// Start, end, kind, and which of the paths.
    blocks: Vec<(usize, usize, BlockKind, usize)>,
}

impl Serialize for Parsed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut paths: Vec<Arc<[String]>> = Vec::new();
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            if paths
                .last()
                .is_none_or(|last| !Arc::ptr_eq(last, &block.headings) && **last != *block.headings)
            {
                paths.push(Arc::clone(&block.headings));
            }
            blocks.push((block.span.start, block.span.end, block.kind, paths.len() - 1));
        }
        let wire = Wire {
            text: Cow::Borrowed(&self.text),
            title: Cow::Borrowed(&self.title),
            marks: Cow::Borrowed(&self.marks),
            paths,
            blocks,
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { text, title, marks, paths, blocks } = Wire::deserialize(deserializer)?;
        let nothing: Arc<[String]> = Arc::new([]);
        let block = |(start, end, kind, path): (usize, usize, BlockKind, usize)| Block {
            span: start..end,
            kind,
            headings: paths.get(path).unwrap_or(&nothing).clone(),
        };
        let blocks = blocks.into_iter().map(block).collect();
        Ok(Self { text: text.into_owned(), title: title.into_owned(), blocks, marks: marks.into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{MediaType, ParseLimits, parse};

    #[test]
    fn a_document_arrives_as_it_was_sent_and_its_headings_are_sent_once() {
        let heading = "A heading of some length over all that follows";
        let source = format!("# {heading}\n\n{}\n\n## Next\n\nend", "word\n\n".repeat(1000));
        let parsed = parse(source.as_bytes(), MediaType::Markdown, &ParseLimits::default()).unwrap();
        let sent = serde_json::to_string(&parsed).unwrap();
        assert_eq!(serde_json::from_str::<Parsed>(&sent).unwrap(), parsed);
        assert!(sent.matches(heading).count() < 6, "{}", sent.len());
    }
}
