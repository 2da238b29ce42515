//! HTML to readable, Markdown-like text: the content a reader came for, without scripts and page furniture.
//!
//! A WHATWG tokenizer feeds a flat tree of bounded depth and size ([`tree`]); [`render`] walks the part of it
//! that holds the content. Nothing recurses deeper than [`super::ParseLimits::max_depth`].

mod builder;
mod line;
mod lists;
mod render;
mod table;
mod tag;
mod tree;

use super::{ParseError, ParseLimits, Parsed};
use render::{Furniture, Renderer};
use tree::Tree;

pub(super) fn parse(source: &str, limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let tree = builder::read(source, limits)?;
    let mut parsed = render(&tree, Furniture::Dropped, limits)?;
    if parsed.blocks.is_empty() {
        // A page built of nothing but `<header>` and `<aside>` still says something.
        parsed = render(&tree, Furniture::Kept, limits)?;
    }
    let title = tree.title().split_whitespace().collect::<Vec<_>>().join(" ");
    if !title.is_empty() {
        parsed.title = Some(title);
    }
    Ok(parsed)
}

fn render(tree: &Tree, furniture: Furniture, limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let mut renderer = Renderer::new(tree, furniture, limits);
    for root in tree.content() {
        renderer.blocks(root);
    }
    renderer.finish()
}
