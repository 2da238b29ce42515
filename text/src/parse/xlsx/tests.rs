use crate::parse::{MediaType, ParseError, ParseLimits, Place, parse};
use std::io::{Cursor, Write};
use zip::write::{SimpleFileOptions, ZipWriter};

fn workbook(sheet: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut part = |name: &str, content: &str| {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    };
    part(
        "xl/workbook.xml",
        r#"<workbook xmlns:r="r"><sheets><sheet name="Ducks" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
    );
    part(
        "xl/_rels/workbook.xml.rels",
        r#"<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
    );
    part(
        "xl/worksheets/sheet1.xml",
        &format!(
            "<worksheet><sheetData>{sheet}</sheetData><mergeCells><mergeCell ref=\"A6:B6\"/></mergeCells></worksheet>"
        ),
    );
    zip.finish().unwrap().into_inner()
}

fn cell(place: &str, value: &str) -> String {
    format!("<c r=\"{place}\" t=\"str\"><v>{value}</v></c>")
}

#[test]
fn cells_that_touch_are_one_table_and_what_stands_apart_is_another() {
    let sheet = format!(
        "<row r=\"1\">{}{}{}</row><row r=\"2\">{}<c r=\"B2\"><v>0.30000000000000004</v></c></row><row r=\"6\">{}</row>",
        cell("A1", "Year"),
        cell("B1", "Ducks"),
        cell("D1", "note"),
        cell("A2", "a &amp; b"),
        cell("A6", "wide"),
    );
    let parsed = parse(&workbook(&sheet), MediaType::Xlsx, &ParseLimits::default()).unwrap();
    assert_eq!(
        parsed.text,
        "## Ducks\n\n| Year | Ducks |\n| - | - |\n| a & b | 0.3 |\n\nnote\n\n| wide | wide |\n| - | - |"
    );
    assert_eq!(parsed.place_of(parsed.text.len() - 1), Some(&Place::Sheet("Ducks".to_owned())));
}

#[test]
fn a_long_sheet_is_read_and_one_beyond_the_limit_is_refused() {
    let rows: String = (1..=100_000)
        .map(|row| format!("<row r=\"{row}\">{}</row>", cell(&format!("A{row}"), "x")))
        .collect();
    let book = workbook(&rows);
    let parsed = parse(&book, MediaType::Xlsx, &ParseLimits::default()).unwrap();
    assert_eq!(parsed.text.lines().count(), 100_003);
    let few = ParseLimits { max_nodes: 1000, ..ParseLimits::default() };
    assert_eq!(parse(&book, MediaType::Xlsx, &few), Err(ParseError::TooComplex { limit: 1000 }));
}
