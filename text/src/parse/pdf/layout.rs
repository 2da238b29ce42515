//! Which lines belong together, and in which order a reader takes them: tables row by row, columns one after another.

use super::lines::{Line, order};

/// In points: a strip without text that parts columns.
const GUTTER: f64 = 8.0;
/// Characters of a table's usual cell; a column of prose has more in a line.
const CELL: usize = 24;

pub(super) enum Region {
    /// Lines of one column that follow each other closely.
    Prose(Vec<Line>),
    /// Rows of cells.
    Table(Vec<Vec<String>>),
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Frame {
    fn of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Self {
        let nothing = Self {
            left: f64::INFINITY,
            right: f64::NEG_INFINITY,
            top: f64::INFINITY,
            bottom: f64::NEG_INFINITY,
        };
        lines.into_iter().fold(nothing, |frame, line| Self {
            left: frame.left.min(line.left),
            right: frame.right.max(line.right),
            top: frame.top.min(line.top()),
            bottom: frame.bottom.max(line.bottom()),
        })
    }
}

struct Block {
    frame: Frame,
    region: Region,
}

pub(super) fn read(lines: Vec<Line>) -> Vec<Region> {
    let (tables, rest) = tables(lines);
    let mut blocks = tables;
    blocks.extend(paragraphs(rest));
    ordered(blocks).into_iter().map(|block| block.region).collect()
}

/// Lines of one baseline.
fn rows(mut lines: Vec<Line>) -> Vec<Vec<Line>> {
    lines.sort_by(|a, b| order(a.baseline, b.baseline));
    let mut rows: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        match rows.last_mut() {
            Some(row)
                if row
                    .first()
                    .is_some_and(|first| (first.baseline - line.baseline).abs() <= 0.35 * line.size) =>
            {
                row.push(line);
            }
            _ => rows.push(vec![line]),
        }
    }
    rows.iter_mut().for_each(|row| row.sort_by(|a, b| order(a.left, b.left)));
    rows
}

/// Takes out tables: rows one below another whose parts are short and stand in columns.
fn tables(lines: Vec<Line>) -> (Vec<Block>, Vec<Line>) {
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    let mut open: Vec<Vec<Line>> = Vec::new();
    let mut close = |open: &mut Vec<Vec<Line>>, rest: &mut Vec<Line>| {
        let rows = std::mem::take(open);
        if is_table(&rows) {
            found.push(table(&rows));
        } else {
            rest.extend(rows.into_iter().flatten());
        }
    };
    for row in rows(lines) {
        let lengths: Vec<usize> = row.iter().map(|cell| cell.text.chars().count()).collect();
        let short = lengths.iter().filter(|length| **length <= CELL).count();
        let tabular = row.len() >= 3 && short * 2 >= row.len() || row.len() == 2 && short == 2;
        let near = open.last().is_none_or(|above| {
            let (above, here) = (Frame::of(above), Frame::of(&row));
            let height = row.first().map_or(10.0, |line| line.size);
            here.top - above.bottom <= 1.8 * height && here.left < above.right && above.left < here.right
        });
        if !(tabular && near) {
            close(&mut open, &mut rest);
        }
        if tabular {
            open.push(row);
        } else {
            rest.extend(row);
        }
    }
    close(&mut open, &mut rest);
    (found, rest)
}

fn is_table(rows: &[Vec<Line>]) -> bool {
    let cells: usize = rows.iter().map(Vec::len).sum();
    rows.len() >= 3 || rows.len() == 2 && cells >= 6
}

fn table(rows: &[Vec<Line>]) -> Block {
    let mut columns: Vec<(f64, f64)> = Vec::new();
    let mut spans: Vec<(f64, f64)> = rows.iter().flatten().map(|cell| (cell.left, cell.right)).collect();
    spans.sort_by(|a, b| order(a.0, b.0));
    // A cell over several columns must not join them: columns are those of the rows with the most cells.
    let most = rows.iter().map(Vec::len).max().unwrap_or(0);
    for row in rows.iter().filter(|row| row.len() == most) {
        for (at, cell) in row.iter().enumerate() {
            match columns.get_mut(at) {
                Some(column) => *column = (column.0.min(cell.left), column.1.max(cell.right)),
                None => columns.push((cell.left, cell.right)),
            }
        }
    }
    let written = |row: &Vec<Line>| {
        let mut cells = vec![String::new(); columns.len()];
        for line in row {
            let middle = f64::midpoint(line.left, line.right);
            let distance = |column: &(f64, f64)| (column.0 - middle).max(middle - column.1).max(0.0);
            let nearest = columns.iter().enumerate().min_by(|a, b| order(distance(a.1), distance(b.1)));
            if let Some(cell) = nearest.and_then(|(at, _)| cells.get_mut(at)) {
                if !cell.is_empty() {
                    cell.push(' ');
                }
                cell.push_str(&line.text);
            }
        }
        cells
    };
    Block {
        frame: Frame::of(rows.iter().flatten()),
        region: Region::Table(rows.iter().map(written).collect()),
    }
}

/// Lines one below another, of one size and one column.
fn paragraphs(mut lines: Vec<Line>) -> Vec<Block> {
    lines.sort_by(|a, b| order(a.baseline, b.baseline).then(order(a.left, b.left)));
    let mut open: Vec<Vec<Line>> = Vec::new();
    let mut done: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        let fits = |group: &Vec<Line>| {
            let Some(last) = group.last() else { return false };
            let em = last.size.max(line.size);
            let leading = line.baseline - last.baseline;
            let overlap = last.right.min(line.right) - last.left.max(line.left);
            let similar = (last.size - line.size).abs() <= 0.15 * em;
            leading <= 1.9 * em && overlap > 0.0 && similar && (leading > 0.3 * em)
        };
        let nearest = open.iter().rposition(fits);
        match nearest.and_then(|at| open.get_mut(at)) {
            Some(group) => group.push(line),
            None => open.push(vec![line]),
        }
        // What is far above takes no more lines.
        if open.len() > 64 {
            done.extend(open.drain(..16));
        }
    }
    done.extend(open);
    let block = |lines: Vec<Line>| Block { frame: Frame::of(&lines), region: Region::Prose(lines) };
    done.into_iter().map(block).collect()
}

/// Recursive cuts: columns first, where a gutter runs through all blocks; else bands from the top, of which neighbours
/// with a common gutter stay together.
fn ordered(blocks: Vec<Block>) -> Vec<Block> {
    if blocks.len() < 2 {
        return blocks;
    }
    if let Some(at) = gutter(&blocks) {
        let (left, right): (Vec<Block>, Vec<Block>) =
            blocks.into_iter().partition(|block| f64::midpoint(block.frame.left, block.frame.right) < at);
        let mut all = ordered(left);
        all.extend(ordered(right));
        return all;
    }
    let mut bands = bands(blocks);
    if bands.len() == 1 {
        let mut only = bands.pop().unwrap_or_default();
        only.sort_by(|a, b| order(a.frame.top, b.frame.top).then(order(a.frame.left, b.frame.left)));
        return only;
    }
    let mut all = Vec::new();
    let mut group: Vec<Block> = Vec::new();
    for band in bands {
        if !group.is_empty() && !share_gutter(&group, &band) {
            all.extend(ordered(std::mem::take(&mut group)));
        }
        group.extend(band);
    }
    all.extend(ordered(group));
    all
}

fn share_gutter(group: &[Block], band: &[Block]) -> bool {
    gutter_of(group.iter().chain(band).map(|block| block.frame)).is_some()
}

fn gutter(blocks: &[Block]) -> Option<f64> {
    gutter_of(blocks.iter().map(|block| block.frame))
}

/// The middle of the widest strip that no frame enters.
fn gutter_of(frames: impl Iterator<Item = Frame>) -> Option<f64> {
    let mut spans: Vec<(f64, f64)> = frames.map(|frame| (frame.left, frame.right)).collect();
    spans.sort_by(|a, b| order(a.0, b.0));
    let mut reach = spans.first()?.1;
    let mut best: Option<(f64, f64)> = None;
    for (left, right) in spans {
        let gap = left - reach;
        if gap >= GUTTER && best.is_none_or(|(widest, _)| gap > widest) {
            best = Some((gap, f64::midpoint(left, reach)));
        }
        reach = reach.max(right);
    }
    best.map(|(_, at)| at)
}

/// Blocks between lines that cross no block, from the top.
fn bands(mut blocks: Vec<Block>) -> Vec<Vec<Block>> {
    blocks.sort_by(|a, b| order(a.frame.top, b.frame.top));
    let mut bands: Vec<Vec<Block>> = Vec::new();
    let mut reach = f64::NEG_INFINITY;
    for block in blocks {
        let bottom = block.frame.bottom;
        match bands.last_mut() {
            Some(band) if block.frame.top < reach => band.push(block),
            _ => bands.push(vec![block]),
        }
        reach = reach.max(bottom);
    }
    bands
}
