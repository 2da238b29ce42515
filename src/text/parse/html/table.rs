//! Data tables as Markdown tables.

use super::tag::Tag;
use super::tree::{NodeId, Tree};

/// Columns one cell may claim.
const MAX_SPAN: u32 = 64;

/// The table's rows as lines, a rule under the first. Rows are as long as they are written: filling them up to
/// the longest would let a small document make a huge table.
pub(super) fn markdown(tree: &Tree, table: NodeId, cell_text: impl Fn(NodeId) -> String) -> String {
    let mut lines = String::new();
    let mut rows = Vec::new();
    collect_rows(tree, table, &mut rows);
    for row in rows {
        let mut columns = 0;
        let first = lines.is_empty();
        let start = lines.len();
        let mut blank = true;
        for cell in tree.children(row) {
            let node = tree.node(cell);
            if !matches!(node.tag, Tag::Cell | Tag::HeaderCell) {
                continue;
            }
            let text = cell_text(cell).replace('|', "\\|");
            blank &= text.is_empty();
            lines.push_str("| ");
            lines.push_str(&text);
            lines.push(' ');
            let span = node.number.clamp(1, MAX_SPAN);
            (1..span).for_each(|_| lines.push_str("| "));
            columns += span as usize;
        }
        if blank {
            lines.truncate(start);
            continue;
        }
        lines.push_str("|\n");
        if first {
            (0..columns).for_each(|_| lines.push_str("| - "));
            lines.push_str("|\n");
        }
    }
    let mut text = caption(tree, table, &cell_text);
    if !text.is_empty() && !lines.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(lines.trim_end());
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
