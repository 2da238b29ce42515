//! Lists: an item a line, nested lists indented.

use super::line::Line;
use super::render::Renderer;
use super::tag::Tag;
use super::tree::NodeId;
use crate::parse::BlockKind;

/// Lists are indented this deep at most, so that indentation cannot outgrow the text.
const MAX_INDENT: usize = 8;

impl Renderer<'_> {
    pub(super) fn list(&mut self, id: NodeId) {
        let mut lines = String::new();
        self.items(id, 0, &mut lines);
        self.push(BlockKind::List, lines.trim_end());
    }

    fn items(&self, list: NodeId, depth: usize, lines: &mut String) {
        let ordered = self.tree.node(list).tag == Tag::OrderedList;
        let mut number = self.tree.node(list).number;
        for child in self.tree.children(list).filter(|&child| !self.skips(child)) {
            match self.tree.node(child).tag {
                Tag::List | Tag::OrderedList | Tag::DescriptionList => {
                    self.items(child, depth + 1, lines);
                }
                // `<dl><div><dt>` and other wrappers.
                Tag::Block => self.items(child, depth, lines),
                tag => {
                    let mark = match tag {
                        Tag::Item if ordered => format!("{number}. "),
                        Tag::Term => String::new(),
                        _ => "- ".to_owned(),
                    };
                    number = number.saturating_add(u32::from(tag == Tag::Item));
                    self.item(child, depth + usize::from(tag == Tag::Description), &mark, lines);
                }
            }
        }
    }

    /// One item: its text on one line, then the lists inside it.
    fn item(&self, item: NodeId, depth: usize, mark: &str, lines: &mut String) {
        let mut line = Line::default();
        let mut nested = Vec::new();
        match &self.tree.node(item).text {
            Some(text) => line.words(text),
            None => self.item_text(item, &mut line, &mut nested),
        }
        let words = line.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !words.is_empty() {
            for _ in 0..depth.min(MAX_INDENT) {
                lines.push_str("    ");
            }
            lines.push_str(mark);
            lines.push_str(&words);
            lines.push('\n');
        }
        for list in nested {
            self.items(list, depth + 1, lines);
        }
    }

    fn item_text(&self, id: NodeId, line: &mut Line, nested: &mut Vec<NodeId>) {
        for child in self.tree.children(id).filter(|&child| !self.skips(child)) {
            let node = self.tree.node(child);
            if let Some(text) = &node.text {
                line.words(text);
                continue;
            }
            match node.tag {
                Tag::List | Tag::OrderedList | Tag::DescriptionList => nested.push(child),
                Tag::Code => {
                    let code = self.flat(child);
                    line.code(&code);
                }
                tag => {
                    let apart = tag.is_block() || tag == Tag::Break;
                    if apart {
                        line.space();
                    }
                    self.item_text(child, line, nested);
                    if apart {
                        line.space();
                    }
                }
            }
        }
    }
}
