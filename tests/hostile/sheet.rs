//! Workbooks: a sheet given as XML, with the parts around it.

use crate::packed::zip;

/// One sheet, `rows` being its `sheetData`, `after` what follows it.
pub(crate) fn workbook(rows: &str, after: &str, strings: &[String]) -> Vec<u8> {
    let strings: String = strings.iter().map(|one| format!("<si><t>{one}</t></si>")).collect();
    zip([
        (
            "xl/workbook.xml",
            "<workbook xmlns:r=\"r\"><sheets><sheet name=\"Log\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>".to_owned(),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships><Relationship Id=\"rId1\" Type=\"http://x/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
             <Relationship Id=\"rId2\" Type=\"http://x/sharedStrings\" Target=\"sharedStrings.xml\"/></Relationships>"
                .to_owned(),
        ),
        ("xl/sharedStrings.xml", format!("<sst>{strings}</sst>")),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet><dimension ref=\"A1:XFD1048576\"/><sheetData>{rows}</sheetData>{after}</worksheet>"),
        ),
    ])
}

/// A row of a number and a shared string.
fn row(row: usize, string: usize) -> String {
    format!(
        "<row r=\"{row}\"><c r=\"A{row}\"><v>{row}</v></c><c r=\"B{row}\" t=\"s\"><v>{string}</v></c></row>"
    )
}

pub(crate) fn of_rows(rows: usize) -> Vec<u8> {
    let strings: Vec<String> = (0..1000).map(|n| format!("puffin {n}")).collect();
    let rows: String = (1..=rows).map(|n| row(n, n % 1000)).collect();
    workbook(&rows, "", &strings)
}

/// One string of many words, shown by each of so many cells.
pub(crate) fn of_one_string(words: usize, cells: usize) -> Vec<u8> {
    let rows: String = (1..=cells).map(|n| row(n, 0)).collect();
    workbook(&rows, "", &["word ".repeat(words)])
}

/// The longest row and the longest column a sheet can have: the table around both has seventeen thousand million cells.
pub(crate) fn of_two_edges() -> Vec<u8> {
    let first: String = (0..16_384).map(|_| "<c><v>1</v></c>").collect();
    let others: String = (2..=300_000).map(|n| format!("<row r=\"{n}\"><c><v>2</v></c></row>")).collect();
    workbook(&format!("<row r=\"1\">{first}</row>{others}"), "", &[])
}
