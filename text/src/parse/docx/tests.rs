use crate::parse::{MediaType, ParseError, ParseLimits, Parsed, parse};
use std::io::{Cursor, Write};
use zip::write::{SimpleFileOptions, ZipWriter};

fn document(body: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut part = |name: &str, content: &str| {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    };
    part("word/document.xml", &format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>"));
    part(
        "word/_rels/document.xml.rels",
        r#"<Relationships><Relationship Id="r1" Type="x/styles" Target="styles.xml"/><Relationship Id="r2" Type="x/numbering" Target="/word/numbering.xml"/></Relationships>"#,
    );
    part(
        "word/styles.xml",
        r#"<w:styles><w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/></w:style><w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="Chapter"/><w:basedOn w:val="H1"/></w:style></w:styles>"#,
    );
    part(
        "word/numbering.xml",
        r#"<w:numbering><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum><w:num w:numId="5"><w:abstractNumId w:val="0"/></w:num></w:numbering>"#,
    );
    zip.finish().unwrap().into_inner()
}

fn read(body: &str) -> Parsed {
    parse(&document(body), MediaType::Docx, &ParseLimits::default()).unwrap()
}

fn item(level: u8, text: &str) -> String {
    format!(
        "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"{level}\"/><w:numId w:val=\"5\"/></w:numPr></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"
    )
}

#[test]
fn headings_come_from_styles_also_by_inheritance_and_lists_count_as_word_counts() {
    let body = format!(
        "<w:p><w:pPr><w:pStyle w:val=\"Mine\"/></w:pPr><w:r><w:t>Birds</w:t></w:r></w:p>{}{}{}",
        item(0, "Duck"),
        item(1, "Teal"),
        item(0, "Owl")
    );
    let parsed = read(&body);
    assert_eq!(parsed.text, "## Birds\n\n1. Duck\n    - 1.a) Teal\n2. Owl");
    assert_eq!(*parsed.blocks[1].headings, ["Birds".to_owned()]);
}

#[test]
fn insertions_are_read_and_deletions_are_not() {
    let body = "<w:p><w:r><w:t>Kept</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t xml:space=\"preserve\"> &amp; new</w:t></w:r></w:ins></w:p>";
    assert_eq!(read(body).text, "Kept & new");
}

#[test]
fn merged_cells_say_their_text_in_every_place_they_cover() {
    let cell = |properties: &str, text: &str| {
        format!("<w:tc><w:tcPr>{properties}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>")
    };
    let body = format!(
        "<w:tbl><w:tr>{}{}</w:tr><w:tr>{}{}{}</w:tr></w:tbl>",
        cell("<w:vMerge w:val=\"restart\"/>", "a"),
        cell("<w:gridSpan w:val=\"2\"/>", "b|c"),
        cell("<w:vMerge/>", ""),
        cell("", "d"),
        cell("", "e"),
    );
    assert_eq!(read(&body).text, "| a | b\\|c | b\\|c |\n| - | - | - |\n| a | d | e |");
}

#[test]
fn what_is_no_document_says_why() {
    let limits = ParseLimits::default();
    let read = |bytes: &[u8]| parse(bytes, MediaType::Docx, &limits).unwrap_err();
    assert!(matches!(read(b"hello"), ParseError::Malformed { .. }));
    let mut ole = vec![0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];
    assert!(read(&ole).to_string().contains("newer form"));
    ole.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(read(&ole), ParseError::Encrypted);
    let good = document("<w:p/>");
    assert!(matches!(read(&good[..good.len() / 2]), ParseError::Malformed { .. }));
    let deep = document(&"<w:sdt>".repeat(5000));
    assert!(matches!(read(&deep), ParseError::TooDeep { .. }));
}

#[test]
fn a_bomb_is_refused_before_it_has_unpacked() {
    let bomb = document(&format!("<w:p><w:r><w:t>{}</w:t></w:r></w:p>", " ".repeat(4_000_000)));
    assert!(bomb.len() < 100_000);
    let limits = ParseLimits { max_unpacked: 1_000_000, ..ParseLimits::default() };
    assert_eq!(parse(&bomb, MediaType::Docx, &limits), Err(ParseError::Expands { limit: 1_000_000 }));
}
