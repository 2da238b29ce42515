//! Presentations: each slide's title, text, tables, charts and comments, in the order of the show.

use super::archive::{Archive, Relation};
use super::chart;
use super::writer::{Writer, table as markdown_table};
use super::xml::Element;
use super::{BlockKind, ParseError, ParseLimits, Parsed, Place};
use std::collections::HashMap;

const FORMAT: &str = "PowerPoint presentation";
const MAX_SPAN: usize = 64;

pub(super) fn parse(bytes: &[u8], limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let mut archive = Archive::open(bytes, FORMAT, limits)?;
    let main = archive.relations("")?.into_iter().find(|relation| relation.kind == "officeDocument");
    let main = main.map_or_else(|| "ppt/presentation.xml".to_owned(), |relation| relation.target);
    let presentation = archive.required(&main)?;
    let relations = archive.relations(&main)?;
    let target = |id: &str| relations.iter().find(|relation| relation.id == id).map(|one| one.target.clone());
    let authors = authors(&mut archive, &relations)?;
    let mut writer = Writer::new(limits);
    let slides = presentation.child("sldIdLst");
    // Two attributes are called `id`; the one with letters is the relation's.
    let ids = slides.into_iter().flat_map(|list| list.all("sldId")).filter_map(|slide| slide.relation());
    for (number, part) in (1..).zip(ids.filter_map(target)) {
        let Some(slide) = archive.xml(&part)? else { continue };
        writer.place(Place::Slide(number));
        let relations = archive.relations(&part)?;
        let mut charts = HashMap::new();
        for relation in relations.iter().filter(|relation| relation.kind == "chart") {
            if let Some(tree) = archive.xml(&relation.target)? {
                charts.insert(relation.id.clone(), chart::blocks(&tree));
            }
        }
        let mut reader = Slide { writer: &mut writer, charts };
        slide.find("spTree").into_iter().for_each(|shapes| reader.shapes(shapes));
        comments(&mut archive, &relations, &authors, &mut writer)?;
        if writer.is_full() {
            break;
        }
    }
    writer.finish()
}

/// Who comments, by id: the name, and the initials.
fn authors(archive: &mut Archive<'_>, relations: &[Relation]) -> Result<HashMap<String, String>, ParseError> {
    let mut authors = HashMap::new();
    for relation in
        relations.iter().filter(|relation| matches!(relation.kind.as_str(), "commentAuthors" | "authors"))
    {
        for author in archive.xml(&relation.target)?.iter().flat_map(Element::elements) {
            let (Some(id), Some(name)) = (author.attribute("id"), author.attribute("name")) else { continue };
            let initials = author.attribute("initials").map(|initials| format!(" ({initials})"));
            authors.insert(id.to_owned(), format!("{name}{}", initials.unwrap_or_default()));
        }
    }
    Ok(authors)
}

fn comments(
    archive: &mut Archive<'_>,
    relations: &[Relation],
    authors: &HashMap<String, String>,
    writer: &mut Writer,
) -> Result<(), ParseError> {
    for relation in relations.iter().filter(|relation| relation.kind == "comments") {
        let Some(list) = archive.xml(&relation.target)? else { continue };
        for comment in list.all("cm") {
            let author = comment.attribute("authorId").and_then(|id| authors.get(id));
            let time = comment.attribute("dt").or_else(|| comment.attribute("created"));
            let text = comment.child("text").or_else(|| comment.child("txBody")).map(Element::text);
            let (Some(author), Some(text)) = (author, text) else { continue };
            let time = time.map(|time| format!(", time: {time}")).unwrap_or_default();
            writer.block(BlockKind::Paragraph, &format!("[author: {author}{time}]: {}", text.trim()));
        }
    }
    Ok(())
}

struct Slide<'a> {
    writer: &'a mut Writer,
    charts: HashMap<String, Vec<String>>,
}

impl Slide<'_> {
    fn shapes(&mut self, parent: &Element) {
        for shape in parent.elements() {
            match shape.name.as_str() {
                "sp" | "cxnSp" => self.shape(shape),
                "grpSp" => self.shapes(shape),
                "graphicFrame" => self.frame(shape),
                "AlternateContent" => {
                    let chosen = shape.child("Choice").or_else(|| shape.child("Fallback"));
                    chosen.into_iter().for_each(|chosen| self.shapes(chosen));
                }
                _ => {}
            }
        }
    }

    fn shape(&mut self, shape: &Element) {
        let Some(body) = shape.child("txBody") else { return };
        let kind = shape.child("nvSpPr").and_then(|shape| shape.find("ph"));
        let kind = kind.map(|placeholder| placeholder.attribute("type").unwrap_or("body"));
        match kind {
            Some("title" | "ctrTitle") => {
                let words: Vec<String> = body.all("p").map(words).collect();
                self.writer.heading(1, &words.join(" "));
            }
            // What every slide repeats.
            Some("dt" | "ftr" | "sldNum" | "hdr") => {}
            kind => self.paragraphs(body, matches!(kind, Some("body" | "obj"))),
        }
    }

    /// Paragraphs, and runs of bulleted or numbered ones as lists. A body's paragraphs have bullets unless they say
    /// otherwise.
    fn paragraphs(&mut self, body: &Element, bulleted: bool) {
        let mut list: Vec<String> = Vec::new();
        let mut numbers: Vec<u32> = Vec::new();
        for paragraph in body.all("p") {
            let text = words(paragraph);
            let properties = paragraph.child("pPr");
            let has = |name: &str| properties.is_some_and(|properties| properties.child(name).is_some());
            let level = properties.and_then(|properties| properties.attribute("lvl"));
            let level = level.and_then(|level| level.parse::<usize>().ok()).unwrap_or(0).min(8);
            if text.is_empty() {
                continue;
            }
            let numbered = has("buAutoNum");
            if !numbered && (has("buNone") || !(bulleted || has("buChar") || has("buBlip"))) {
                self.end_list(&mut list);
                numbers.clear();
                self.writer.block(BlockKind::Paragraph, &text);
                continue;
            }
            numbers.resize(level + 1, 0);
            let indent = "    ".repeat(level);
            if numbered {
                let number = numbers.last_mut().map_or(1, |number| {
                    *number += 1;
                    *number
                });
                list.push(format!("{indent}{number}. {text}"));
            } else {
                list.push(format!("{indent}- {text}"));
            }
        }
        self.end_list(&mut list);
    }

    fn end_list(&mut self, list: &mut Vec<String>) {
        self.writer.block(BlockKind::List, &std::mem::take(list).join("\n"));
    }

    fn frame(&mut self, frame: &Element) {
        if let Some(table) = frame.find("tbl") {
            self.writer.block(BlockKind::Table, &markdown_table(rows(table)));
        }
        let id = frame.find("chart").and_then(Element::relation);
        chart::write(id.and_then(|id| self.charts.remove(id)).unwrap_or_default(), self.writer);
    }
}

/// Rows of cells, a merged cell's text in each place it covers.
fn rows(table: &Element) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in table.all("tr") {
        let mut written: Vec<String> = Vec::new();
        for cell in row.all("tc") {
            let goes_on = |name: &str| matches!(cell.attribute(name), Some("1" | "true"));
            let text = if goes_on("hMerge") {
                written.last().cloned().unwrap_or_default()
            } else if goes_on("vMerge") {
                rows.last().and_then(|above| above.get(written.len())).cloned().unwrap_or_default()
            } else {
                let body = cell.child("txBody");
                let parts: Vec<String> = body.into_iter().flat_map(|body| body.all("p")).map(words).collect();
                parts.join(" ").trim().to_owned()
            };
            if written.len() < MAX_SPAN * MAX_SPAN {
                written.push(text);
            }
        }
        rows.push(written);
    }
    rows
}

/// A paragraph's runs, fields and line breaks.
fn words(paragraph: &Element) -> String {
    let mut text = String::new();
    for child in paragraph.elements() {
        match child.name.as_str() {
            "r" | "fld" => text.push_str(&child.child("t").map(Element::text).unwrap_or_default()),
            "br" => text.push('\n'),
            _ => {}
        }
    }
    text.trim().to_owned()
}
