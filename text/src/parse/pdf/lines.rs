//! Glyphs that stand side by side, as lines of text in reading order.

use super::canvas::Glyph;
use std::cmp::Ordering;

/// In ems: a gap that parts words, and gaps that part what does not belong together. Glyphs drawn one after another belong
/// together more than others.
const SPACE: f64 = 0.17;
const APART: f64 = 0.9;
const FAR_APART: f64 = 2.2;
/// In ems: how far sub- and superscripts stand off their line.
const RAISED: f64 = 0.45;

/// Part of a line without a wide gap: a column's line, or a table's cell.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) baseline: f64,
    /// The height of most of it, in points.
    pub(super) size: f64,
    pub(super) bold: bool,
}

impl Line {
    pub(super) fn top(&self) -> f64 {
        self.baseline - 0.75 * self.size
    }

    pub(super) fn bottom(&self) -> f64 {
        self.baseline + 0.25 * self.size
    }
}

/// Glyphs on one baseline, drawn one after another.
struct Run {
    glyphs: Vec<(usize, Glyph)>,
    left: f64,
    right: f64,
    baseline: f64,
    size: f64,
}

pub(super) fn of(glyphs: Vec<Glyph>) -> Vec<Line> {
    let mut lines: Vec<Line> = rows(runs(glyphs)).into_iter().flat_map(split).collect();
    lines.retain(|line| !line.text.trim().is_empty());
    lines
}

fn runs(glyphs: Vec<Glyph>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (drawn, glyph) in glyphs.into_iter().enumerate() {
        let fits = |run: &Run| {
            let em = run.size.max(glyph.size);
            let onward = glyph.left - run.right;
            let backward = run.left - glyph.right;
            (run.baseline - glyph.baseline).abs() <= 0.1 * em
                && (run.size - glyph.size).abs() <= 0.2 * em
                && ((-em..=FAR_APART * em).contains(&onward) || (-em..=FAR_APART * em).contains(&backward))
        };
        match runs.last_mut() {
            Some(run) if fits(run) => {
                run.left = run.left.min(glyph.left);
                run.right = run.right.max(glyph.right);
                run.glyphs.push((drawn, glyph));
            }
            _ => runs.push(Run {
                left: glyph.left,
                right: glyph.right,
                baseline: glyph.baseline,
                size: glyph.size,
                glyphs: vec![(drawn, glyph)],
            }),
        }
    }
    runs
}

/// Runs whose baselines are near enough to be one line's, from the top.
fn rows(mut runs: Vec<Run>) -> Vec<Vec<Run>> {
    runs.sort_by(|a, b| order(b.size, a.size));
    let mut rows: Vec<(f64, f64, Vec<Run>)> = Vec::new();
    // Larger runs first: what is small and near is raised or lowered.
    let mut by_place: std::collections::BTreeMap<i64, Vec<usize>> = std::collections::BTreeMap::new();
    for run in runs {
        let slot = (run.baseline / 4.0).floor() as i64;
        let reach = (run.size.max(40.0) / 4.0).ceil() as i64;
        let near = by_place.range(slot - reach..=slot + reach).flat_map(|(_, rows)| rows.iter().copied());
        let fitting = near.filter_map(|at| {
            let (baseline, size, _) = rows.get(at)?;
            let off = (baseline - run.baseline).abs();
            (off <= RAISED * size.max(run.size) && off <= RAISED * 40.0).then_some((at, off))
        });
        match fitting.min_by(|a, b| order(a.1, b.1)) {
            Some((at, _)) => {
                if let Some((_, _, row)) = rows.get_mut(at) {
                    row.push(run);
                }
            }
            None => {
                by_place.entry(slot).or_default().push(rows.len());
                rows.push((run.baseline, run.size, vec![run]));
            }
        }
    }
    rows.sort_by(|a, b| order(a.0, b.0));
    rows.into_iter().map(|(_, _, row)| row).collect()
}

/// A row's glyphs from the left, parted at wide gaps.
fn split(row: Vec<Run>) -> Vec<Line> {
    let mut glyphs: Vec<(usize, Glyph)> = row.into_iter().flat_map(|run| run.glyphs).collect();
    glyphs.sort_by(|a, b| order(a.1.left, b.1.left));
    let mut parts: Vec<Vec<(usize, Glyph)>> = Vec::new();
    let mut reach = f64::NEG_INFINITY;
    for (drawn, glyph) in glyphs {
        // Blanks stretch over gaps that part columns.
        let blank = glyph.text.trim().is_empty();
        let joins = parts.last().and_then(|part| part.last()).is_some_and(|(before, last)| {
            let em = last.size.max(glyph.size);
            let gap = glyph.left - reach;
            gap <= APART * em || (gap <= FAR_APART * em && drawn.abs_diff(*before) <= 3)
        });
        if !blank || joins {
            reach = if joins { reach.max(glyph.right) } else { glyph.right };
        }
        match parts.last_mut() {
            Some(part) if joins => part.push((drawn, glyph)),
            _ if blank => {}
            _ => parts.push(vec![(drawn, glyph)]),
        }
    }
    parts.iter().filter_map(|part| line(part)).collect()
}

fn line(glyphs: &[(usize, Glyph)]) -> Option<Line> {
    let seen = || glyphs.iter().filter(|(_, glyph)| !glyph.text.trim().is_empty());
    let (_, first) = seen().next()?;
    let mut sizes: Vec<f64> = seen().map(|(_, glyph)| glyph.size).collect();
    sizes.sort_by(|a, b| order(*a, *b));
    let size = sizes.get(sizes.len() / 2).copied()?;
    let bold = seen().filter(|(_, glyph)| glyph.bold).count() * 2 > sizes.len();
    let main = seen().find(|(_, glyph)| glyph.size >= 0.9 * size).map_or(first, |(_, glyph)| glyph);
    Some(Line {
        left: first.left,
        right: seen().map(|(_, glyph)| glyph.right).fold(first.right, f64::max),
        baseline: main.baseline,
        size,
        bold,
        text: text(glyphs),
    })
}

fn text(glyphs: &[(usize, Glyph)]) -> String {
    let mut pieces: Vec<&str> = Vec::new();
    let mut reach: Option<f64> = None;
    for (_, glyph) in glyphs {
        let blank = glyph.text.trim().is_empty();
        let gap = reach.map_or(0.0, |reach| glyph.left - reach);
        if blank || gap > SPACE * glyph.size {
            pieces.push(" ");
        }
        if !blank {
            pieces.push(&glyph.text);
            reach = Some(reach.map_or(glyph.right, |reach| reach.max(glyph.right)));
        }
    }
    if pieces.iter().filter(|piece| is_right_to_left(piece)).count() * 2
        > pieces.iter().filter(|piece| **piece != " ").count()
    {
        pieces = logical(&pieces);
    }
    let joined = pieces.concat();
    joined.split_whitespace().collect::<Vec<_>>().join(" ").chars().map(unpresented).collect()
}

fn is_right_to_left(piece: &str) -> bool {
    piece
        .chars()
        .any(|c| matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}'))
}

fn is_left_to_right(piece: &str) -> bool {
    !is_right_to_left(piece) && piece.chars().any(char::is_alphanumeric)
}

/// From the order of places to that of reading: from the right, but numbers and words of other scripts from the left.
fn logical<'a>(pieces: &[&'a str]) -> Vec<&'a str> {
    let mut read = Vec::with_capacity(pieces.len());
    let mut end = pieces.len();
    while end > 0 {
        let at = end - 1;
        if !pieces.get(at).is_some_and(|piece| is_left_to_right(piece)) {
            read.extend(pieces.get(at));
            end = at;
            continue;
        }
        // Back to the first of the run; what stands between two of its pieces belongs to it.
        let mut start = at;
        for before in (0..at).rev() {
            match pieces.get(before) {
                Some(piece) if is_left_to_right(piece) => start = before,
                Some(piece) if is_right_to_left(piece) => break,
                _ => {}
            }
        }
        read.extend(pieces.get(start..end).unwrap_or_default());
        end = start;
    }
    read
}

/// Ligatures and shaped letters are forms of letters.
fn unpresented(c: char) -> char {
    match c {
        '\u{A0}' | '\u{2002}'..='\u{200A}' | '\u{3000}' => ' ',
        _ => c,
    }
}

pub(super) fn order(a: f64, b: f64) -> Ordering {
    a.total_cmp(&b)
}
