//! Data tables as Markdown tables.

use super::tag::Tag;
use super::tree::{NodeId, Tree};
use crate::parse::writer;

/// Columns one cell may claim.
const MAX_SPAN: u32 = 64;
/// Rows one cell may claim.
const MAX_ROWS: u32 = 1000;
/// Bytes of a text that is said in each place its cell covers.
const MAX_REPEATED: usize = 200;

/// The caption, then the rows. A cell over several columns or rows says its text in each, so that every row says all it
/// has to say; a long text is said once, or a small page would make a huge table.
pub(super) fn markdown(tree: &Tree, table: NodeId, cell_text: impl Fn(NodeId) -> String) -> String {
    let mut rows = Vec::new();
    collect_rows(tree, table, &mut rows);
    let mut lines: Vec<Vec<String>> = Vec::new();
    // Of each column: in how many rows more the cell above goes on, and its text.
    let mut above: Vec<(u32, String)> = Vec::new();
    for row in rows {
        let mut line: Vec<String> = Vec::new();
        let cells =
            tree.children(row).filter(|&cell| matches!(tree.node(cell).tag, Tag::Cell | Tag::HeaderCell));
        for cell in cells {
            go_on(&mut above, &mut line);
            let (node, text) = (tree.node(cell), cell_text(cell));
            let again = if text.len() <= MAX_REPEATED { text.clone() } else { String::new() };
            for column in 0..node.number.clamp(1, MAX_SPAN) {
                let at = line.len();
                line.push(if column == 0 { text.clone() } else { again.clone() });
                if above.len() <= at {
                    above.resize(at + 1, (0, String::new()));
                }
                if let Some(slot) = above.get_mut(at) {
                    *slot = (node.rows.clamp(1, MAX_ROWS) - 1, again.clone());
                }
            }
        }
        go_on(&mut above, &mut line);
        lines.push(line);
    }
    let lines = writer::table(lines);
    let mut text = caption(tree, table, &cell_text);
    if !text.is_empty() && !lines.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(&lines);
    text
}

/// Cells from rows above that reach down to the next columns of this one.
fn go_on(above: &mut [(u32, String)], line: &mut Vec<String>) {
    while let Some((left, text)) = above.get_mut(line.len()).filter(|(left, _)| *left > 0) {
        *left -= 1;
        line.push(text.clone());
    }
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
