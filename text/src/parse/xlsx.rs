//! Workbooks: each visible sheet under its name, with the tables that stand apart in it, its charts and comments.

mod cells;
mod regions;
mod strings;
mod values;

use super::archive::{Archive, Relation};
use super::chart;
use super::writer::{Writer, table as markdown_table};
use super::xml::Element;
use super::{BlockKind, ParseError, ParseLimits, Parsed, Place};
use std::collections::{HashMap, HashSet};
use values::Values;

const FORMAT: &str = "Excel workbook";

pub(super) fn parse(bytes: &[u8], limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let mut archive = Archive::open(bytes, FORMAT, limits)?;
    let main = archive.relations("")?.into_iter().find(|relation| relation.kind == "officeDocument");
    let main = main.map_or_else(|| "xl/workbook.xml".to_owned(), |relation| relation.target);
    let workbook = archive.required(&main)?;
    let relations = archive.relations(&main)?;
    let mut part = |kind: &str| -> Result<Option<Element>, ParseError> {
        let Some(relation) = relations.iter().find(|relation| relation.kind == kind) else { return Ok(None) };
        archive.xml(&relation.target)
    };
    let (styles, people) = (part("styles")?, people(part("person")?.as_ref()));
    let strings = relations.iter().find(|relation| relation.kind == "sharedStrings");
    let strings = strings.map(|relation| archive.bytes(&relation.target)).transpose()?.flatten();
    let strings = strings.map(|bytes| strings::read(&bytes, limits)).transpose()?.unwrap_or_default();
    let values = Values::new(&workbook, strings, styles.as_ref());
    let mut writer = Writer::new(limits);
    let sheets = workbook.child("sheets");
    for sheet in sheets.into_iter().flat_map(|sheets| sheets.all("sheet")) {
        if matches!(sheet.attribute("state"), Some("hidden" | "veryHidden")) {
            continue;
        }
        let name = sheet.attribute("name").unwrap_or_default();
        let id = sheet.relation();
        let relation = relations.iter().find(|relation| Some(relation.id.as_str()) == id);
        let Some(relation) = relation else { continue };
        let Some(bytes) = archive.bytes(&relation.target)? else { continue };
        writer.place(Place::Sheet(name.to_owned()));
        writer.heading(2, name);
        if relation.kind != "chartsheet" {
            let grid = cells::read(&bytes, &values, limits)?;
            regions::write(grid, limits, &mut writer)?;
        }
        let relations = archive.relations(&relation.target)?;
        charts(&mut archive, &relations, &mut writer)?;
        comments(&mut archive, &relations, &people, &mut writer)?;
        if writer.is_full() {
            break;
        }
    }
    writer.finish()
}

fn people(part: Option<&Element>) -> HashMap<String, String> {
    let people = part.into_iter().flat_map(|part| part.all("person"));
    let named = people
        .filter_map(|one| Some((one.attribute("id")?.to_owned(), one.attribute("displayName")?.to_owned())));
    named.collect()
}

fn charts(archive: &mut Archive<'_>, relations: &[Relation], writer: &mut Writer) -> Result<(), ParseError> {
    for drawing in relations.iter().filter(|relation| relation.kind == "drawing") {
        for relation in archive.relations(&drawing.target)?.iter().filter(|relation| relation.kind == "chart")
        {
            let blocks = archive.xml(&relation.target)?.as_ref().map(chart::blocks);
            chart::write(blocks.unwrap_or_default(), writer);
        }
    }
    Ok(())
}

/// Notes, and the threads that newer versions keep beside a note that only says so.
fn comments(
    archive: &mut Archive<'_>,
    relations: &[Relation],
    people: &HashMap<String, String>,
    writer: &mut Writer,
) -> Result<(), ParseError> {
    let mut threads = Vec::new();
    for relation in relations.iter().filter(|relation| relation.kind == "threadedComment") {
        threads.extend(archive.xml(&relation.target)?);
    }
    let threaded: Vec<&Element> = threads.iter().flat_map(|list| list.all("threadedComment")).collect();
    let places: HashSet<&str> = threaded.iter().filter_map(|comment| comment.attribute("ref")).collect();
    for relation in relations.iter().filter(|relation| relation.kind == "comments") {
        let Some(list) = archive.xml(&relation.target)? else { continue };
        let authors: Vec<String> =
            list.child("authors").into_iter().flat_map(|all| all.all("author")).map(Element::text).collect();
        for comment in list.child("commentList").into_iter().flat_map(|all| all.all("comment")) {
            if comment.attribute("ref").is_some_and(|place| places.contains(place)) {
                continue;
            }
            let author = comment.attribute("authorId").and_then(|id| authors.get(id.parse::<usize>().ok()?));
            let text = comment.child("text").map(Element::text).unwrap_or_default();
            let author = author.map(String::as_str).unwrap_or_default();
            writer.block(BlockKind::Paragraph, &format!("[author: {author}]: {}", text.trim()));
        }
    }
    for comment in threaded {
        let author = comment.attribute("personId").and_then(|id| people.get(id));
        let author = author.map(String::as_str).unwrap_or_default();
        let time = comment.attribute("dT").map(|time| format!(", time: {time}")).unwrap_or_default();
        let text = comment.child("text").map(Element::text).unwrap_or_default();
        writer.block(BlockKind::Paragraph, &format!("[author: {author}{time}]: {}", text.trim()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
