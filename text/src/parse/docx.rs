//! Word documents: paragraphs with their styles, lists with their numbers, tables, text boxes, equations and charts.
//!
//! Left out, as by a reader of the text: page headers and footers, comments, deleted passages, pictures.

mod inline;
mod math;
mod numbering;
mod styles;
mod table;

use super::archive::{Archive, Relation};
use super::chart;
use super::writer::{Writer, table as markdown_table};
use super::xml::Element;
use super::{BlockKind, ParseError, ParseLimits, Parsed};
use inline::Inline;
use numbering::Numbering;
use std::collections::HashMap;
use styles::{Role, Styles};

const FORMAT: &str = "Word document";

pub(super) fn parse(bytes: &[u8], limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let mut archive = Archive::open(bytes, FORMAT, limits)?;
    let main = main_part(&mut archive)?;
    let document = archive.required(&main)?;
    let relations = archive.relations(&main)?;
    let mut part = |kind: &str| -> Result<Option<Element>, ParseError> {
        let Some(relation) = relations.iter().find(|relation| relation.kind == kind) else { return Ok(None) };
        archive.xml(&relation.target)
    };
    let styles = Styles::read(part("styles")?.as_ref());
    let numbering = Numbering::read(part("numbering")?.as_ref());
    let charts = charts(&mut archive, &relations)?;
    let mut reader = Reader {
        writer: Writer::new(limits),
        styles,
        numbering,
        charts,
        list: Vec::new(),
        code: Vec::new(),
        limits,
    };
    if let Some(body) = document.child("body") {
        reader.blocks(body);
    }
    reader.end_list();
    reader.end_code();
    reader.writer.finish()
}

fn main_part(archive: &mut Archive<'_>) -> Result<String, ParseError> {
    let relations = archive.relations("")?;
    let main = relations.into_iter().find(|relation| relation.kind == "officeDocument");
    Ok(main.map_or_else(|| "word/document.xml".to_owned(), |relation| relation.target))
}

/// Each chart's data as text, by the id of its relation.
fn charts(
    archive: &mut Archive<'_>,
    relations: &[Relation],
) -> Result<HashMap<String, Vec<String>>, ParseError> {
    let mut charts = HashMap::new();
    for relation in relations.iter().filter(|relation| relation.kind == "chart") {
        if let Some(tree) = archive.xml(&relation.target)? {
            charts.insert(relation.id.clone(), chart::blocks(&tree));
        }
    }
    Ok(charts)
}

struct Reader<'a> {
    writer: Writer,
    styles: Styles,
    numbering: Numbering,
    charts: HashMap<String, Vec<String>>,
    /// Items of the list under way.
    list: Vec<String>,
    /// Lines of the code under way.
    code: Vec<String>,
    limits: &'a ParseLimits,
}

impl Reader<'_> {
    /// The blocks of a body, a text box or a content control.
    fn blocks(&mut self, parent: &Element) {
        for element in parent.elements() {
            if self.writer.is_full() {
                return;
            }
            match element.name.as_str() {
                "p" => self.paragraph(element),
                "tbl" => {
                    self.end_list();
                    self.end_code();
                    let rows = table::rows(element, &mut self.numbering, &self.styles, self.limits);
                    self.writer.block(BlockKind::Table, &markdown_table(rows));
                }
                "sdt" => element.all("sdtContent").for_each(|content| self.blocks(content)),
                "ins" | "moveTo" | "customXml" | "smartTag" => self.blocks(element),
                _ => {}
            }
        }
    }

    fn paragraph(&mut self, element: &Element) {
        let properties = element.child("pPr");
        let style = self.styles.of(properties);
        let inline = Inline::read(element);
        let text = inline.text.trim();
        let number = style.number.filter(|_| !text.is_empty());
        let marker = number.and_then(|(list, level)| self.numbering.next(&list, level));
        match style.role {
            _ if text.is_empty() => {}
            Role::Heading(level) => {
                self.end_list();
                self.end_code();
                let label =
                    marker.filter(|marker| !marker.is_bullet()).map(|marker| format!("{} ", marker.label));
                self.writer.heading(level, &format!("{}{text}", label.unwrap_or_default()));
            }
            Role::Code => self.code_line(inline.text.trim_end()),
            Role::Text if inline.is_monospaced && text.contains(['{', '}', ';', '=', '(', ')', '<', '>']) => {
                self.code_line(inline.text.trim_end());
            }
            Role::Text => {
                self.end_code();
                if let Some(marker) = marker {
                    self.list.push(marker.item(text));
                } else if let Some(level) = style.bullet {
                    self.list.push(format!("{}- {text}", "    ".repeat(level)));
                } else {
                    self.end_list();
                    self.writer.block(BlockKind::Paragraph, text);
                }
            }
        }
        self.floating(&inline);
    }

    /// What a paragraph anchors: text boxes and charts.
    fn floating(&mut self, inline: &Inline<'_>) {
        for content in &inline.boxes {
            self.end_list();
            self.end_code();
            self.blocks(content);
        }
        for id in &inline.charts {
            self.end_list();
            self.end_code();
            chart::write(self.charts.remove(id).unwrap_or_default(), &mut self.writer);
        }
    }

    fn code_line(&mut self, line: &str) {
        self.end_list();
        self.code.push(line.to_owned());
    }

    fn end_list(&mut self) {
        let list = std::mem::take(&mut self.list);
        self.writer.block(BlockKind::List, &list.join("\n"));
    }

    fn end_code(&mut self) {
        let code = std::mem::take(&mut self.code);
        self.writer.code(&code.join("\n"));
    }
}

#[cfg(test)]
mod tests;
