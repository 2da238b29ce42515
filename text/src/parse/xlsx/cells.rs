//! The cells of a sheet, read as a stream: a sheet may have a million rows.

use super::FORMAT;
use super::values::Values;
use crate::parse::xml::referred;
use crate::parse::{ParseError, ParseLimits, decode};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use std::collections::BTreeMap;

/// Excel's own limits.
const MAX_ROW: u32 = 1 << 20;
const MAX_COLUMN: u32 = 1 << 14;
/// Places that merged cells may fill, all together.
const MAX_FILLED: usize = 100_000;

/// Rows from the top, each with its cells from the left; only those that show something.
pub(super) type Grid = BTreeMap<u32, Vec<(u32, String)>>;

/// A cell under way.
#[derive(Default)]
struct Cell {
    row: u32,
    column: u32,
    kind: String,
    style: usize,
    value: String,
}

pub(super) fn read(bytes: &[u8], values: &Values, limits: &ParseLimits) -> Result<Grid, ParseError> {
    let source = decode::decode(bytes)?;
    let mut reader = Reader::from_str(&source);
    let mut grid = Grid::new();
    let mut merged = Vec::new();
    let (mut row, mut column) = (0, 0);
    let mut cell: Option<Cell> = None;
    let mut in_value = false;
    let (mut cells, mut text) = (0, 0);
    loop {
        let event = reader.read_event();
        let event =
            event.map_err(|error| ParseError::Malformed { format: FORMAT, reason: error.to_string() })?;
        match event {
            Event::Start(start) => match start.local_name().as_ref() {
                "row" => {
                    let given = attribute(&start, "r").and_then(|row| row.parse::<u32>().ok());
                    row = given.map_or(row + 1, |row| row).clamp(1, MAX_ROW);
                    column = 0;
                }
                "c" => {
                    let at = attribute(&start, "r").and_then(|place| address(&place));
                    column = at.map_or(column + 1, |(_, column)| column);
                    let kind = attribute(&start, "t").unwrap_or_default();
                    let style = attribute(&start, "s").and_then(|style| style.parse().ok()).unwrap_or(0);
                    cell = Some(Cell { row, column, kind, style, value: String::new() });
                }
                "v" | "t" => in_value = true,
                _ => {}
            },
            Event::Empty(start) if start.local_name().as_ref() == "mergeCell" => {
                merged.extend(attribute(&start, "ref").and_then(|range| area(&range)));
            }
            Event::Text(words) if in_value => {
                if let Some(cell) = &mut cell {
                    cell.value.push_str(&words.xml10_content());
                }
            }
            Event::GeneralRef(reference) if in_value => {
                if let Some(cell) = &mut cell {
                    cell.value.push_str(&referred(&reference));
                }
            }
            Event::End(end) => match end.local_name().as_ref() {
                "v" | "t" => in_value = false,
                "c" => {
                    let Some(done) = cell.take() else { continue };
                    let shown = values.text(&done.kind, done.style, &done.value);
                    if shown.trim().is_empty() {
                        continue;
                    }
                    cells += 1;
                    text += shown.len();
                    if cells > limits.max_nodes {
                        return Err(ParseError::TooComplex { limit: limits.max_nodes });
                    }
                    if text > limits.max_bytes {
                        return Err(ParseError::TooLarge { limit: limits.max_bytes });
                    }
                    grid.entry(done.row).or_default().push((done.column, shown));
                }
                "sheetData" => cell = None,
                _ => {}
            },
            Event::Eof => break,
            _ => {}
        }
    }
    for cells in grid.values_mut() {
        cells.sort_by_key(|(column, _)| *column);
        cells.dedup_by_key(|(column, _)| *column);
    }
    fill(&mut grid, &merged);
    Ok(grid)
}

/// A merged cell's text in each place it covers.
fn fill(grid: &mut Grid, merged: &[[u32; 4]]) {
    let mut filled = 0;
    for &[top, left, bottom, right] in merged {
        let cells = grid.get(&top).and_then(|row| {
            let at = row.binary_search_by_key(&left, |(column, _)| *column).ok()?;
            row.get(at).map(|(_, text)| text.clone())
        });
        let Some(text) = cells else { continue };
        for row in top..=bottom {
            let cells = grid.entry(row).or_default();
            for column in left..=right {
                filled += 1;
                if filled > MAX_FILLED {
                    return;
                }
                if let Err(at) = cells.binary_search_by_key(&column, |(column, _)| *column) {
                    cells.insert(at, (column, text.clone()));
                }
            }
        }
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = start.attributes().with_checks(false).flatten().find(|one| one.key.as_ref() == name)?;
    found.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
}

/// `B3` as (3, 2).
fn address(text: &str) -> Option<(u32, u32)> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (letters, digits) = text.split_at(letters);
    let add = |column: u32, letter: u8| {
        Some(column.checked_mul(26)? + u32::from(letter.to_ascii_uppercase() - b'A') + 1)
    };
    let column = letters.bytes().try_fold(0, add)?;
    let row = digits.parse().ok()?;
    ((1..=MAX_COLUMN).contains(&column) && (1..=MAX_ROW).contains(&row)).then_some((row, column))
}

/// `A1:B3` as top, left, bottom, right.
fn area(range: &str) -> Option<[u32; 4]> {
    let (from, to) = range.split_once(':')?;
    let ((top, left), (bottom, right)) = (address(from)?, address(to)?);
    (top <= bottom && left <= right).then_some([top, left, bottom, right])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_within_the_sheet() {
        assert_eq!(
            (address("B3"), address("AA10"), address("XFD1048576")),
            (Some((3, 2)), Some((10, 27)), Some((1 << 20, 1 << 14)))
        );
        for wrong in ["", "3", "B", "B0", "XFE1", "ZZZZZZZZZZ1", "B-3", "é1"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
