//! OpenDocument text: headings, paragraphs, lists and tables.

use super::archive::Archive;
use super::writer::{Writer, table};
use super::xml::{Element, Node};
use super::{BlockKind, ParseError, ParseLimits, Parsed};

const FORMAT: &str = "OpenDocument text";
/// Columns or blanks one element may claim.
const MAX_REPEATED: usize = 64;

pub(super) fn parse(bytes: &[u8], limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let mut archive = Archive::open(bytes, FORMAT, limits)?;
    if let Some(manifest) = archive.xml("META-INF/manifest.xml")?
        && manifest.find("encryption-data").is_some()
    {
        return Err(ParseError::Encrypted);
    }
    let content = archive.required("content.xml")?;
    let mut writer = Writer::new(limits);
    if let Some(text) = content.find("body").and_then(|body| body.child("text")) {
        blocks(text, &mut writer);
    }
    writer.finish()
}

fn blocks(parent: &Element, writer: &mut Writer) {
    for element in parent.elements() {
        if writer.is_full() {
            return;
        }
        match element.name.as_str() {
            "h" => {
                let level =
                    element.attribute("outline-level").and_then(|level| level.parse().ok()).unwrap_or(1);
                writer.heading(level, &words(element));
            }
            "p" => writer.block(BlockKind::Paragraph, words(element).trim()),
            "list" => {
                let mut items = Vec::new();
                list(element, 0, &mut items);
                writer.block(BlockKind::List, &items.join("\n"));
            }
            "table" => {
                let mut rows = Vec::new();
                collect_rows(element, &mut rows);
                writer.block(BlockKind::Table, &table(rows));
            }
            "section" | "text-box" | "frame" | "index-body" | "table-of-content" => blocks(element, writer),
            _ => {}
        }
    }
}

fn list(element: &Element, level: usize, items: &mut Vec<String>) {
    for item in element.elements().filter(|item| matches!(item.name.as_str(), "list-item" | "list-header")) {
        for part in item.elements() {
            match part.name.as_str() {
                "p" | "h" => {
                    let words = words(part);
                    if !words.trim().is_empty() {
                        items.push(format!("{}- {}", "    ".repeat(level), words.trim()));
                    }
                }
                "list" => list(part, (level + 1).min(8), items),
                _ => {}
            }
        }
    }
}

fn collect_rows(parent: &Element, rows: &mut Vec<Vec<String>>) {
    for element in parent.elements() {
        match element.name.as_str() {
            "table-row" => {
                let mut row: Vec<String> = Vec::new();
                for cell in element.elements() {
                    let times =
                        |name: &str| cell.attribute(name).and_then(|times| times.parse::<usize>().ok());
                    let text = match cell.name.as_str() {
                        "table-cell" => cell.all("p").map(words).collect::<Vec<_>>().join(" "),
                        "covered-table-cell" => row.last().cloned().unwrap_or_default(),
                        _ => continue,
                    };
                    let times = times("number-columns-repeated").unwrap_or(1).clamp(1, MAX_REPEATED);
                    row.extend(std::iter::repeat_n(text, times));
                }
                rows.push(row);
            }
            "table-header-rows" | "table-rows" | "table-row-group" => collect_rows(element, rows),
            _ => {}
        }
    }
}

fn words(element: &Element) -> String {
    let mut text = String::new();
    add(element, &mut text);
    text
}

fn add(element: &Element, text: &mut String) {
    for node in &element.children {
        match node {
            Node::Text(own) => text.push_str(own),
            Node::Element(child) => match child.name.as_str() {
                "s" => {
                    let blanks =
                        child.attribute("c").and_then(|count| count.parse::<usize>().ok()).unwrap_or(1);
                    text.extend(std::iter::repeat_n(' ', blanks.min(MAX_REPEATED)));
                }
                "tab" => text.push('\t'),
                "line-break" => text.push('\n'),
                "annotation" | "note" | "tracked-changes" => {}
                _ => add(child, text),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};
    use zip::write::{SimpleFileOptions, ZipWriter};

    #[test]
    fn headings_lists_tables_and_blanks_are_read() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("content.xml", SimpleFileOptions::default()).unwrap();
        let text = "<text:h text:outline-level=\"1\">Birds</text:h><text:p>a<text:s text:c=\"2\"/>b<text:tab/>c</text:p>\
            <text:list><text:list-item><text:p>x</text:p><text:list><text:list-item><text:p>y</text:p></text:list-item></text:list></text:list-item></text:list>\
            <table:table><table:table-row><table:table-cell table:number-columns-repeated=\"2\"><text:p>d</text:p></table:table-cell></table:table-row></table:table>";
        write!(zip, "<o:document><o:body><o:text>{text}</o:text></o:body></o:document>").unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        let parsed = parse(&bytes, &ParseLimits::default()).unwrap();
        assert_eq!(parsed.text, "# Birds\n\na  b\tc\n\n- x\n    - y\n\n| d | d |\n| - | - |");
        assert_eq!(parsed.title.as_deref(), Some("Birds"));
    }
}
