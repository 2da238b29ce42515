//! Tables as text: comma-separated values, and their relatives with semicolons, tabs and bars.

use super::writer::{Writer, table};
use super::{BlockKind, ParseError, ParseLimits, Parsed};

/// Rows under one repetition of the header, so that each part of a long table says what its columns are.
const ROWS: usize = 40;
/// Lines that the delimiter is told from.
const LOOKED_AT: usize = 20;

pub(super) fn parse(source: &str, limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(source))
        .has_headers(false)
        .flexible(true)
        .from_reader(source.as_bytes());
    let mut writer = Writer::new(limits);
    let mut header: Option<Vec<String>> = None;
    let mut rows: Vec<Vec<String>> = Vec::new();
    for record in reader.records() {
        let malformed =
            |error: csv::Error| ParseError::Malformed { format: "CSV", reason: error.to_string() };
        let row: Vec<String> = record.map_err(malformed)?.iter().map(|cell| cell.trim().to_owned()).collect();
        if header.is_none() {
            header = Some(row);
            continue;
        }
        rows.push(row);
        if rows.len() == ROWS {
            write(&mut writer, header.as_ref(), &mut rows);
        }
        if writer.is_full() {
            break;
        }
    }
    if !rows.is_empty() || writer.is_empty() {
        write(&mut writer, header.as_ref(), &mut rows);
    }
    writer.finish()
}

fn write(writer: &mut Writer, header: Option<&Vec<String>>, rows: &mut Vec<Vec<String>>) {
    writer.block(BlockKind::Table, &table(header.into_iter().chain(rows.iter())));
    rows.clear();
}

/// The one that parts the first lines into the same number of columns, the more the better.
fn delimiter(source: &str) -> u8 {
    let lines: Vec<&str> = source.lines().filter(|line| !line.trim().is_empty()).take(LOOKED_AT).collect();
    let score = |delimiter: u8| {
        let counts: Vec<usize> =
            lines.iter().map(|line| line.bytes().filter(|byte| *byte == delimiter).count()).collect();
        let first = counts.first().copied().unwrap_or(0);
        let alike = counts.iter().filter(|count| **count == first).count();
        if first == 0 { 0 } else { alike * 1000 + first.min(999) }
    };
    [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(|delimiter| score(*delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_told_from_the_lines_and_long_tables_repeat_their_header() {
        let read = |source: &str| parse(source, &ParseLimits::default()).unwrap();
        assert_eq!(read("a;b\n1,5;\"x; y\"\n").text, "| a | b |\n| - | - |\n| 1,5 | x; y |");
        assert_eq!(read("a\tb\n1\t2\n").text, "| a | b |\n| - | - |\n| 1 | 2 |");
        let rows: String = (0..100).map(|n| format!("{n},duck\n")).collect();
        let long = read(&format!("number,bird\n{rows}"));
        assert_eq!(long.blocks.len(), 3);
        assert_eq!(long.text.matches("| number | bird |").count(), 3);
        assert_eq!(read("").text, "");
    }
}
