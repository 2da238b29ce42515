//! The content of the tree as Markdown-like text with blocks.

use super::line::Line;
use super::table;
use super::tag::Tag;
use super::tree::{NodeId, Tree};
use crate::parse::writer::Writer;
use crate::parse::{BlockKind, ParseError, ParseLimits, Parsed};

/// What happens to `nav`, `header`, `footer` and `aside`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Furniture {
    Dropped,
    Kept,
}

pub(super) struct Renderer<'a> {
    pub(super) tree: &'a Tree,
    furniture: Furniture,
    writer: Writer,
    /// The line of text being collected.
    line: Line,
    quoted: bool,
    in_article: bool,
}

impl<'a> Renderer<'a> {
    pub(super) fn new(tree: &'a Tree, furniture: Furniture, limits: &ParseLimits) -> Self {
        let writer = Writer::new(limits);
        Self { tree, furniture, writer, line: Line::default(), quoted: false, in_article: false }
    }

    pub(super) fn finish(mut self) -> Result<Parsed, ParseError> {
        self.end_line();
        self.writer.finish()
    }

    /// Renders one node and what is in it.
    pub(super) fn blocks(&mut self, id: NodeId) {
        if self.writer.is_full() || self.skips(id) {
            return;
        }
        let tag = self.tree.node(id).tag;
        if !tag.is_block() {
            return self.inline(id);
        }
        self.end_line();
        match tag {
            Tag::Heading(level) => self.heading(id, level),
            Tag::List | Tag::OrderedList | Tag::DescriptionList => self.list(id),
            Tag::Preformatted => self.code(id),
            Tag::Table if !self.tree.node(id).lays_out() => {
                let rows = table::markdown(self.tree, id, |cell| self.flat(cell));
                self.push(BlockKind::Table, &rows);
            }
            Tag::Quote => {
                let outer = std::mem::replace(&mut self.quoted, true);
                self.children(id);
                self.quoted = outer;
            }
            Tag::Main | Tag::Article => {
                let outer = std::mem::replace(&mut self.in_article, true);
                self.children(id);
                self.in_article = outer;
            }
            _ => self.children(id),
        }
    }

    fn children(&mut self, id: NodeId) {
        let tree = self.tree;
        for child in tree.children(id) {
            self.blocks(child);
        }
        self.end_line();
    }

    pub(super) fn skips(&self, id: NodeId) -> bool {
        match self.tree.node(id).tag {
            Tag::Hidden | Tag::Title => true,
            Tag::Furniture => self.furniture == Furniture::Dropped,
            Tag::Header => self.furniture == Furniture::Dropped && !self.in_article,
            _ => false,
        }
    }

    /// Adds an inline node to the line; a block inside it (`<a><div>`) stands on its own.
    fn inline(&mut self, id: NodeId) {
        let node = self.tree.node(id);
        match (&node.text, node.tag) {
            (Some(text), Tag::Inline) => self.line.words(text),
            (Some(description), Tag::Image) => self.line.words(description),
            (_, Tag::Break) => self.line.end(),
            (_, Tag::Code) => {
                let code = self.flat(id);
                self.line.code(&code);
            }
            _ => {
                let tree = self.tree;
                for child in tree.children(id) {
                    self.blocks(child);
                }
            }
        }
    }

    fn heading(&mut self, id: NodeId, level: u8) {
        let words = self.flat(id);
        self.writer.heading(level, &words);
    }

    fn code(&mut self, id: NodeId) {
        let mut code = String::new();
        self.raw(id, &mut code);
        self.writer.code(&code);
    }

    fn raw(&self, id: NodeId, into: &mut String) {
        let node = self.tree.node(id);
        match (&node.text, node.tag) {
            (_, Tag::Break) => into.push('\n'),
            (Some(text), _) => into.push_str(text),
            _ => self
                .tree
                .children(id)
                .filter(|&child| !self.skips(child))
                .for_each(|child| self.raw(child, into)),
        }
    }

    /// Everything in a node as one line.
    pub(super) fn flat(&self, id: NodeId) -> String {
        let mut line = Line::default();
        self.flatten(id, &mut line);
        line.text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn flatten(&self, id: NodeId, line: &mut Line) {
        for child in self.tree.children(id).filter(|&child| !self.skips(child)) {
            let node = self.tree.node(child);
            if let Some(text) = &node.text {
                line.words(text);
                continue;
            }
            let apart = node.tag.is_block() || node.tag == Tag::Break;
            if apart {
                line.space();
            }
            if node.tag == Tag::Item {
                line.words("- ");
            }
            self.flatten(child, line);
            if apart {
                line.space();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let kind = if self.quoted { BlockKind::Quote } else { BlockKind::Paragraph };
        self.push(kind, line.text.trim());
    }

    pub(super) fn push(&mut self, kind: BlockKind, block: &str) {
        self.writer.block(kind, block);
    }
}
