//! Tables: rows of cells, a merged cell's text in each place it covers, so that every row says all it has to say.

use super::inline::Inline;
use super::numbering::Numbering;
use super::styles::Styles;
use crate::parse::ParseLimits;
use crate::parse::xml::Element;

/// Columns one cell may claim.
const MAX_SPAN: usize = 64;

pub(super) fn rows(
    table: &Element,
    numbering: &mut Numbering,
    styles: &Styles,
    limits: &ParseLimits,
) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut cells = 0;
    for row in all_rows(table) {
        let mut written = Vec::new();
        let skipped = row.child("trPr").and_then(|properties| properties.value("gridBefore"));
        let skipped = skipped.and_then(|columns| columns.parse::<usize>().ok()).unwrap_or(0);
        written.resize(skipped.min(MAX_SPAN), String::new());
        for cell in in_controls(row, "tc") {
            let properties = cell.child("tcPr");
            let span = properties.and_then(|properties| properties.value("gridSpan"));
            let span = span.and_then(|span| span.parse::<usize>().ok()).unwrap_or(1).clamp(1, MAX_SPAN);
            let merge = properties.and_then(|properties| properties.child("vMerge"));
            let goes_on = merge.is_some_and(|merge| merge.attribute("val") != Some("restart"));
            let above = rows.last().and_then(|row| row.get(written.len()));
            let text = match above {
                Some(above) if goes_on => above.clone(),
                _ => text(cell, numbering, styles),
            };
            written.extend(std::iter::repeat_n(text, span));
        }
        cells += written.len();
        rows.push(written);
        if cells > limits.max_nodes {
            break;
        }
    }
    rows
}

/// Rows, also those within content controls and of insertions.
fn all_rows(table: &Element) -> Vec<&Element> {
    in_controls(table, "tr")
}

fn in_controls<'a>(parent: &'a Element, name: &str) -> Vec<&'a Element> {
    let mut found = Vec::new();
    for element in parent.elements() {
        match element.name.as_str() {
            own if own == name => found.push(element),
            "sdt" => found.extend(element.all("sdtContent").flat_map(|content| in_controls(content, name))),
            "customXml" | "ins" => found.extend(in_controls(element, name)),
            _ => {}
        }
    }
    found
}

/// A cell on one line: paragraphs, items and nested tables one after another.
fn text(cell: &Element, numbering: &mut Numbering, styles: &Styles) -> String {
    let mut parts = Vec::new();
    add(cell, numbering, styles, &mut parts);
    parts.join(" ")
}

fn add(parent: &Element, numbering: &mut Numbering, styles: &Styles, parts: &mut Vec<String>) {
    for element in parent.elements() {
        match element.name.as_str() {
            "p" => {
                let inline = Inline::read(element);
                let words = inline.text.split_whitespace().collect::<Vec<_>>().join(" ");
                let number = styles.of(element.child("pPr")).number.filter(|_| !words.is_empty());
                let marker = number.and_then(|(list, level)| numbering.next(&list, level));
                if !words.is_empty() {
                    parts.push(
                        marker.map_or(words.clone(), |marker| marker.item(&words).trim_start().to_owned()),
                    );
                }
                inline.boxes.iter().for_each(|content| add(content, numbering, styles, parts));
            }
            "tcPr" => {}
            _ => add(element, numbering, styles, parts),
        }
    }
}
