//! Lines as paragraphs, headings and items; and what is not part of the text at all.

use super::Sheet;
use super::layout::Region;
use super::lines::Line;
use crate::parse::BlockKind;
use crate::parse::writer::{Writer, table};
use std::collections::HashMap;

/// Share of a page at its edges where running heads and page numbers stand.
const EDGE: f64 = 0.1;

/// The size most characters have.
pub(super) fn body_size(sheets: &[Sheet]) -> f64 {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for line in sheets.iter().flat_map(|sheet| &sheet.lines) {
        *counts.entry((line.size * 4.0).round() as i64).or_default() += line.text.len();
    }
    let most = counts.into_iter().max_by_key(|(size, count)| (*count, -size));
    most.map_or(10.0, |(size, _)| size as f64 / 4.0)
}

/// Takes out what several pages have at their edges in the same words, numbers aside, and page numbers.
pub(super) fn drop_furniture(sheets: &mut [Sheet]) {
    let at_edge =
        |line: &Line, height: f64| line.bottom() < EDGE * height || line.top() > (1.0 - EDGE) * height;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for sheet in sheets.iter() {
        for line in sheet.lines.iter().filter(|line| at_edge(line, sheet.height)) {
            *seen.entry(without_numbers(&line.text)).or_default() += 1;
        }
    }
    for sheet in sheets.iter_mut() {
        let height = sheet.height;
        sheet.lines.retain(|line| {
            let words = without_numbers(&line.text);
            let number = words.chars().all(|c| c == '#' || !c.is_alphanumeric());
            let repeated = seen.get(&words).is_some_and(|times| *times >= 2);
            !(at_edge(line, height) && (repeated || number))
        });
    }
}

fn without_numbers(text: &str) -> String {
    let mut words = String::new();
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        match c {
            c if c.is_numeric() && words.ends_with('#') => {}
            c if c.is_numeric() => words.push('#'),
            c => words.push(c),
        }
    }
    words
}

pub(super) fn write(region: Region, body: f64, writer: &mut Writer) {
    match region {
        Region::Table(rows) => writer.block(BlockKind::Table, &table(rows)),
        Region::Prose(lines) => {
            if is_heading(&lines, body) {
                let words: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
                writer.heading(2, &words.join(" "));
                return;
            }
            let mut list = Vec::new();
            for paragraph in paragraphs(&lines) {
                let text = joined(paragraph);
                if let Some(item) = item(&text) {
                    list.push(item);
                    continue;
                }
                writer.block(BlockKind::List, &std::mem::take(&mut list).join("\n"));
                writer.block(BlockKind::Paragraph, &text);
            }
            writer.block(BlockKind::List, &list.join("\n"));
        }
    }
}

fn is_heading(lines: &[Line], body: f64) -> bool {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return false };
    let length: usize = lines.iter().map(|line| line.text.chars().count()).sum();
    let large = first.size >= 1.15 * body && lines.len() <= 4;
    let bold = lines.iter().all(|line| line.bold) && lines.len() <= 2 && first.size >= 0.95 * body;
    let ends = last.text.ends_with(['.', ',', ';', ':', '!']);
    (large || bold && !ends)
        && length <= 200
        && lines.iter().any(|line| line.text.chars().any(char::is_alphabetic))
}

/// Parted at wider leading, at indents, and at items.
fn paragraphs(lines: &[Line]) -> Vec<&[Line]> {
    let mut leadings: Vec<f64> =
        lines.windows(2).filter_map(|pair| Some(pair.get(1)?.baseline - pair.first()?.baseline)).collect();
    leadings.sort_by(f64::total_cmp);
    let usual = leadings.get(leadings.len() / 2).copied().unwrap_or(f64::INFINITY);
    let left = lines.iter().map(|line| line.left).fold(f64::INFINITY, f64::min);
    let right = lines.iter().map(|line| line.right).fold(f64::NEG_INFINITY, f64::max);
    let mut starts = vec![0];
    for (at, pair) in lines.windows(2).enumerate() {
        let [above, line] = pair else { continue };
        let wide = line.baseline - above.baseline > 1.3 * usual;
        let indented = line.left > left + 0.8 * line.size && above.left < left + 0.5 * line.size;
        let ended = above.right < right - 4.0 * above.size
            && above.text.ends_with(['.', '!', '?', ':', '”', '"', '。']);
        if wide
            || ended
            || indented && above.text.ends_with(['.', '!', '?', ':', '。'])
            || item(&line.text).is_some()
        {
            starts.push(at + 1);
        }
    }
    starts.push(lines.len());
    starts.windows(2).filter_map(|pair| lines.get(*pair.first()?..*pair.get(1)?)).collect()
}

fn joined(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let next = line.text.chars().next();
        let before = text.chars().next_back();
        let word = text.chars().rev().nth(1).is_some_and(char::is_alphabetic);
        match (before, next) {
            (Some('-' | '\u{2010}' | '\u{AD}'), Some(next)) if word && next.is_lowercase() => {
                text.pop();
            }
            (Some(before), Some(next)) if is_unspaced(before) && is_unspaced(next) => {}
            (Some(_), _) => text.push(' '),
            (None, _) => {}
        }
        text.push_str(&line.text);
    }
    text
}

/// Scripts that put no blanks between words.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3001}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{FF00}'..='\u{FFEF}')
}

fn item(text: &str) -> Option<String> {
    let (mark, rest) = text.split_once(' ')?;
    matches!(mark, "•" | "▪" | "◦" | "‣" | "●" | "○" | "■" | "–" | "-" | "∙" | "·" | "\u{F0B7}")
        .then(|| format!("- {}", rest.trim()))
}
