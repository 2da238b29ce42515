//! Tokens to tree: which elements are open, and which ends HTML lets a page leave out.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{StartTag, Token, Tokenizer};

use super::tag::Tag;
use super::tree::{NodeId, ROOT, Tree};
use crate::parse::{ParseError, ParseLimits};

/// Reads a page.
pub(super) fn read(source: &str, limits: &ParseLimits) -> Result<Tree, ParseError> {
    let mut emitter = DefaultEmitter::default();
    // Without it, `<script>` would be read as markup.
    emitter.naively_switch_states(true);
    let mut builder = Builder { tree: Tree::new(), open: vec![(ROOT, Tag::Block)], overflow: 0, limits };
    for token in Tokenizer::new_with_emitter(source, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => builder.start(&tag)?,
            Token::EndTag(tag) => builder.end(Tag::of(&tag.name)),
            Token::String(text) => builder.text(&text)?,
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    let mut tree = builder.tree;
    tree.weigh();
    Ok(tree)
}

struct Builder<'a> {
    tree: Tree,
    /// Open elements, outermost first, with what their names say: a `<div role="main">` is [`Tag::Main`] in the
    /// tree and still ended by `</div>`.
    open: Vec<(NodeId, Tag)>,
    /// Elements open beyond the depth limit; they are not in the tree.
    overflow: usize,
    limits: &'a ParseLimits,
}

impl Builder<'_> {
    fn start(&mut self, element: &StartTag<()>) -> Result<(), ParseError> {
        let hidden = element.attributes.contains_key(b"hidden".as_slice())
            || value(element, b"aria-hidden") == Some(b"true");
        let tag = Tag::of(&element.name);
        let role = match (tag, value(element, b"role")) {
            (tag, _) if hidden && !tag.is_void() => Tag::Hidden,
            (Tag::Block | Tag::List, Some(b"navigation" | b"contentinfo" | b"complementary")) => {
                Tag::Furniture
            }
            (Tag::Block, Some(b"main")) => Tag::Main,
            (tag, _) => tag,
        };
        if tag == Tag::Void {
            return Ok(());
        }
        self.imply_ends(tag);
        if matches!(tag, Tag::Heading(_) | Tag::Table) {
            self.mark_nesting();
        }
        if tag == Tag::HeaderCell {
            self.mark_headed();
        }
        let image = (tag == Tag::Image)
            .then(|| value(element, b"alt").map(|alt| String::from_utf8_lossy(alt).into_owned()))
            .flatten();
        if self.open.len() > self.limits.max_depth {
            self.overflow += usize::from(!tag.is_void() && !element.self_closing);
            return Ok(());
        }
        let id = self.append(role)?;
        self.tree.node_mut(id).text = image.map(String::into_boxed_str);
        let number = match tag {
            Tag::OrderedList => value(element, b"start"),
            Tag::Cell | Tag::HeaderCell => value(element, b"colspan"),
            _ => None,
        };
        if let Some(number) = number.and_then(|number| str::from_utf8(number).ok()?.trim().parse().ok()) {
            self.tree.node_mut(id).number = number;
        }
        if matches!(tag, Tag::Cell | Tag::HeaderCell)
            && let Some(rows) =
                value(element, b"rowspan").and_then(|rows| str::from_utf8(rows).ok()?.trim().parse().ok())
        {
            self.tree.node_mut(id).rows = rows;
        }
        if !tag.is_void() {
            self.open.push((id, tag));
        }
        Ok(())
    }

    /// Ends what the start of `tag` implies to be over.
    fn imply_ends(&mut self, tag: Tag) {
        if tag.is_block() {
            // A block ends a paragraph, and a heading ends a heading left open.
            let top = self.open.last().map(|&(_, tag)| tag);
            if matches!((tag, top), (Tag::Heading(_), Some(Tag::Heading(_)))) {
                self.open.pop();
            }
            self.close(|open| open == Tag::Paragraph, super::tag::Tag::is_block);
        }
        self.close(|open| tag.ends(open), |open| open.contains(tag));
    }

    /// Closes up to the innermost open element that is `wanted`, unless a `barrier` is met first.
    fn close(&mut self, wanted: impl Fn(Tag) -> bool, barrier: impl Fn(Tag) -> bool) {
        for depth in (1..self.open.len()).rev() {
            let (_, tag) = self.open[depth];
            if wanted(tag) {
                self.open.truncate(depth);
                return;
            }
            if barrier(tag) {
                return;
            }
        }
    }

    fn mark_nesting(&mut self) {
        for &(id, tag) in self.open.iter().rev() {
            if tag == Tag::Table && std::mem::replace(&mut self.tree.node_mut(id).nests, true) {
                // So do the tables around it.
                return;
            }
        }
    }

    fn mark_headed(&mut self) {
        if let Some(&(id, _)) = self.open.iter().rev().find(|(_, tag)| *tag == Tag::Table) {
            self.tree.node_mut(id).headed = true;
        }
    }

    fn end(&mut self, tag: Tag) {
        if tag.is_void() {
            return;
        }
        if self.overflow > 0 {
            self.overflow -= 1;
            return;
        }
        match tag {
            Tag::Table => self.close(|open| open == tag, |_| false),
            Tag::Cell | Tag::HeaderCell | Tag::Row | Tag::RowGroup => {
                self.close(|open| open == tag, |open| open == Tag::Table);
            }
            // `</b>` after `<b><p>` does not end the paragraph.
            Tag::Inline | Tag::Code => self.close(|open| open == tag, Tag::is_block),
            Tag::Heading(_) => self.close(|open| matches!(open, Tag::Heading(_)), in_cell),
            _ => self.close(|open| open == tag, in_cell),
        }
    }

    fn text(&mut self, text: &[u8]) -> Result<(), ParseError> {
        let parent = self.parent();
        let text = String::from_utf8_lossy(text);
        match self.tree.node(parent).tag {
            Tag::Hidden => Ok(()),
            Tag::Title => {
                // A drawing's `<title>` is its label, not the page's.
                let drawn = self.open.iter().any(|&(id, _)| self.tree.node(id).tag == Tag::Hidden);
                if !drawn {
                    self.tree.add_title(&text);
                }
                Ok(())
            }
            _ => {
                // NUL as a character reference; the bytes had none left.
                let text = text.replace('\0', " ");
                let id = self.append(Tag::Inline)?;
                self.tree.node_mut(id).text = Some(text.into_boxed_str());
                Ok(())
            }
        }
    }

    fn parent(&self) -> NodeId {
        self.open.last().map_or(ROOT, |&(id, _)| id)
    }

    fn append(&mut self, tag: Tag) -> Result<NodeId, ParseError> {
        let limit = self.limits.max_nodes;
        self.tree.append(self.parent(), tag, limit).ok_or(ParseError::TooComplex { limit })
    }
}

/// No end tag reaches out of the table cell it stands in.
fn in_cell(open: Tag) -> bool {
    matches!(open, Tag::Table | Tag::Cell | Tag::HeaderCell)
}

fn value<'a>(element: &'a StartTag<()>, name: &[u8]) -> Option<&'a [u8]> {
    element.attributes.get(name).map(|value| value.value.as_slice())
}
