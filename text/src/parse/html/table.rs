//! Data tables as Markdown tables.

use super::tag::Tag;
use super::tree::{NodeId, Tree};
use crate::parse::writer;

/// Columns one cell may claim.
const MAX_SPAN: u32 = 64;

/// The caption, then the rows; a cell over several columns is followed by blank ones.
pub(super) fn markdown(tree: &Tree, table: NodeId, cell_text: impl Fn(NodeId) -> String) -> String {
    let mut rows = Vec::new();
    collect_rows(tree, table, &mut rows);
    let cells = |row: NodeId| {
        let cells =
            tree.children(row).filter(|&cell| matches!(tree.node(cell).tag, Tag::Cell | Tag::HeaderCell));
        cells.flat_map(|cell| {
            let blanks = tree.node(cell).number.clamp(1, MAX_SPAN) - 1;
            std::iter::once(cell_text(cell)).chain((0..blanks).map(|_| String::new()))
        })
    };
    let lines = writer::table(rows.into_iter().map(cells));
    let mut text = caption(tree, table, &cell_text);
    if !text.is_empty() && !lines.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(&lines);
    text
}

fn collect_rows(tree: &Tree, parent: NodeId, rows: &mut Vec<NodeId>) {
    for child in tree.children(parent) {
        match tree.node(child).tag {
            Tag::Row => rows.push(child),
            Tag::RowGroup | Tag::Block | Tag::Inline => collect_rows(tree, child, rows),
            _ => {}
        }
    }
}

/// Text of the table outside its rows: the caption, and what bad markup left between cells.
fn caption(tree: &Tree, table: NodeId, cell_text: &impl Fn(NodeId) -> String) -> String {
    let captions = tree.children(table).filter(|&child| tree.node(child).tag == Tag::Block);
    let texts: Vec<String> = captions.map(cell_text).filter(|text| !text.is_empty()).collect();
    texts.join(" ")
}
