//! Source code: the text byte for byte, its blocks the outermost items, each under its own name.

use super::{Block, BlockKind, Parsed};
use std::ops::Range;
use std::sync::Arc;

/// What comes before the name of an item in the common languages.
const KEYWORDS: [&str; 22] = [
    "fn",
    "def",
    "class",
    "struct",
    "enum",
    "trait",
    "impl",
    "interface",
    "function",
    "func",
    "module",
    "mod",
    "namespace",
    "type",
    "object",
    "package",
    "record",
    "protocol",
    "extension",
    "macro_rules!",
    "TABLE",
    "FUNCTION",
];
const MAX_NAME: usize = 80;

pub(super) fn parse(source: String) -> Parsed {
    let mut blocks: Vec<Block> = Vec::new();
    let mut name: Arc<[String]> = Arc::new([]);
    let mut open: Option<Range<usize>> = None;
    let mut after_blank = true;
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        let (start, end) = (at, at + line.trim_end().len());
        at += line.len();
        if line.trim().is_empty() {
            after_blank = true;
            continue;
        }
        let outermost = !line.starts_with([' ', '\t', '}', ')', ']']);
        if outermost && after_blank {
            blocks.extend(open.take().map(|span| block(span, &name)));
            name = Arc::new([]);
        }
        if outermost && name.is_empty() {
            name = named(line).into_iter().collect();
        }
        open = Some(open.map_or(start, |open| open.start)..end);
        after_blank = false;
    }
    blocks.extend(open.take().map(|span| block(span, &name)));
    Parsed { title: None, blocks, marks: Vec::new(), text: source }
}

fn block(span: Range<usize>, name: &Arc<[String]>) -> Block {
    Block { span, kind: BlockKind::Code, headings: Arc::clone(name) }
}

/// The item that a line begins.
fn named(line: &str) -> Option<String> {
    let mut words = line.split(|c: char| c.is_whitespace() || matches!(c, '(' | '{' | '<' | ':' | ';' | '='));
    words.by_ref().find(|word| KEYWORDS.contains(word))?;
    let name = words.find(|word| !word.is_empty())?;
    let is_name = name.chars().any(char::is_alphanumeric) && name.len() <= MAX_NAME;
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_items_are_blocks_under_their_names_and_the_text_is_the_source() {
        let source = "use std::io;\n\n/// Says it.\npub fn quack(times: u32) {\n    loop {\n\n    }\n}\n\nclass Duck(Bird):\n    def swim(self):\n        pass\n";
        let parsed = parse(source.to_owned());
        assert_eq!(parsed.text, source);
        let seen: Vec<(&str, &[String])> =
            parsed.blocks.iter().map(|block| (&source[block.span.clone()], &*block.headings)).collect();
        assert_eq!(seen.len(), 3);
        assert_eq!(seen[1].1, ["quack".to_owned()]);
        assert!(seen[1].0.starts_with("/// Says it.") && seen[1].0.ends_with("}\n}"), "{:?}", seen[1].0);
        assert_eq!(seen[2].1, ["Duck".to_owned()]);
    }
}
