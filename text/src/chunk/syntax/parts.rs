//! A syntax tree to the parts that chunks are packed from.
//!
//! A node that fits a chunk is one part; any other is cut at its children, and so on down: items, members, statements,
//! what stands inside them. Comments and attributes go with what follows, closing brackets with what came before.
//! The walk keeps its own stack, so that nesting costs memory and never the thread's stack; each node is seen once.

use std::ops::Range;
use std::sync::Arc;

use tree_sitter::{Node, Tree};

use super::grammar;

/// What is packed; parts are in order and hold every visible character.
#[derive(Debug)]
pub(super) struct Part {
    pub span: Range<usize>,
    /// The items it is in, outermost first, itself included.
    pub path: Arc<[String]>,
    /// How many nodes were cut to get at it.
    pub depth: usize,
    /// A whole function, class and the like.
    pub item: bool,
    /// Cut inside a word.
    pub cut: bool,
}

struct Mark {
    start: usize,
    path: Arc<[String]>,
    depth: usize,
    item: bool,
}

struct Walk<'a> {
    source: &'a str,
    fits: &'a dyn Fn(Range<usize>) -> bool,
    marks: Vec<Mark>,
    /// Where the remarks begin that wait for what they are about.
    remark: Option<usize>,
    /// The line on which the last node ended.
    last_row: usize,
}

pub(super) fn parts(tree: &Tree, source: &str, fits: &dyn Fn(Range<usize>) -> bool) -> Vec<Part> {
    let mut walk = Walk { source, fits, marks: Vec::new(), remark: None, last_row: usize::MAX };
    walk.all(tree);
    let starts: Vec<usize> = walk.marks.iter().map(|mark| mark.start).collect();
    let ends = starts.iter().copied().skip(1).chain([source.len()]);
    let spans: Vec<Range<usize>> = starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect();
    let parts = walk.marks.into_iter().zip(spans).filter_map(|(mark, span)| {
        let Mark { path, depth, item, .. } = mark;
        let span = visible(source, span)?;
        Some(Part { span, path, depth, item, cut: false })
    });
    parts.collect()
}

impl Walk<'_> {
    fn all(&mut self, tree: &Tree) {
        let mut cursor = tree.walk();
        let mut paths: Vec<Arc<[String]>> = vec![Arc::new([])];
        // The text before the first node is the first part's.
        self.marks.push(Mark { start: 0, path: Arc::new([]), depth: 0, item: false });
        if !cursor.goto_first_child() {
            return;
        }
        loop {
            let node = cursor.node();
            let above = paths.last().cloned().unwrap_or_else(|| Arc::new([]));
            if let Some(inside) = self.visit(&node, &above, paths.len())
                && cursor.goto_first_child()
            {
                paths.push(inside);
                continue;
            }
            self.last_row = node.end_position().row;
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() || paths.len() == 1 {
                    self.flush(&above, paths.len());
                    return;
                }
                paths.pop();
            }
        }
    }

    /// Marks a node's beginning; returns the path of what is inside where it has to be cut.
    fn visit(&mut self, node: &Node<'_>, above: &Arc<[String]>, depth: usize) -> Option<Arc<[String]>> {
        let span = node.byte_range();
        if span.is_empty() {
            return None;
        }
        if grammar::is_remark(node) && (self.fits)(span.clone()) {
            if node.start_position().row != self.last_row {
                self.remark.get_or_insert(span.start);
            }
            return None;
        }
        if !node.is_named() && (self.fits)(span.clone()) {
            self.flush(above, depth);
            return None;
        }
        let label = grammar::label(node, self.source);
        let item = label.is_some();
        let path = match label {
            // What is wrapped (exported, decorated) is told once.
            Some(label) if above.last() != Some(&label) => above.iter().cloned().chain([label]).collect(),
            Some(_) | None => Arc::clone(above),
        };
        if let Some(start) = self.remark
            && (self.fits)(span.clone())
            && !(self.fits)(start..span.end)
        {
            self.flush(&path, depth); // too long to go with it
        }
        let start = self.remark.take().unwrap_or(span.start);
        let whole = (self.fits)(start..span.end);
        self.mark(Mark { start, path: Arc::clone(&path), depth, item: item && whole });
        if whole { None } else { Some(path) }
    }

    /// Remarks that nothing follows stand for themselves.
    fn flush(&mut self, above: &Arc<[String]>, depth: usize) {
        if let Some(start) = self.remark.take() {
            self.mark(Mark { start, path: Arc::clone(above), depth, item: false });
        }
    }

    fn mark(&mut self, mark: Mark) {
        let mark = Mark { start: line_start(self.source, mark.start), ..mark };
        match self.marks.last_mut() {
            // A node that begins where the one around it does says more about the place.
            Some(last) if last.start >= mark.start => {
                last.path = mark.path;
                last.item |= mark.item;
            }
            _ => self.marks.push(mark),
        }
    }
}

/// With the indentation before it.
fn line_start(source: &str, at: usize) -> usize {
    let before = source.get(..at).unwrap_or_default();
    let line = before.trim_end_matches([' ', '\t']);
    if line.is_empty() || line.ends_with('\n') { line.len() } else { at }
}

/// Without blank lines around it; none where nothing is visible.
pub(super) fn visible(source: &str, span: Range<usize>) -> Option<Range<usize>> {
    let body = source.get(span.clone())?;
    let end = span.start + body.trim_end().len();
    let lead = body.len() - body.trim_start().len();
    // Keep the indentation of the first line that says something.
    let start = body.get(..lead)?.rfind('\n').map_or(0, |line| line + 1);
    (span.start + start < end).then_some(span.start + start..end)
}
