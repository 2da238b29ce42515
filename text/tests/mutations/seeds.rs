//! A small valid file of each format.

use mcp_rag_text::parse::MediaType;
use std::io::{Cursor, Write};
use zip::write::{SimpleFileOptions, ZipWriter};

type Parts = Vec<(String, Vec<u8>)>;

pub(crate) fn files() -> Vec<(MediaType, Vec<u8>)> {
    let plain = [
        (
            MediaType::Markdown,
            "---\ntitle: x\n---\n# Birds\n\n- a puffin\n  - deep\n\n| a | b |\n|-|-|\n| 1 | 2 |\n\n```rs\nfn x() {}\n```\n\n> said [x](y)\n",
        ),
        (MediaType::Plain, "Birds\n=====\n\nA puffin.\n\n    code\n"),
        (
            MediaType::Html,
            "<html><head><title>Birds</title></head><body><main><h1>Birds</h1><p>A <b>puffin</b> &amp; <i>more</i><ul><li>one<ul><li>two</ul></ul><table><tr><th>a<td rowspan=2 colspan=3>b<tr><td>c</table><pre>x\ny</pre></main>",
        ),
        (MediaType::Csv, "bird,legs\npuffin,2\n\"a \"\"b\"\"\",3\n"),
        (MediaType::Json, r#"{"bird": "puffin", "parts": [{"legs": 2}, [1.5e3, null, true, "\u00e9"]]}"#),
        (MediaType::Ndjson, "{\"bird\": \"puffin\"}\n[1, 2]\n"),
        (
            MediaType::Eml,
            "From: Ann <a@example.org>\r\nTo: b@example.org\r\nSubject: =?utf-8?q?puffin?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=latin1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nA puffin=2E\r\n--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=\"a.csv\"\r\nContent-Transfer-Encoding: base64\r\n\r\nYSxiCjEsMgo=\r\n--b--\r\n",
        ),
    ];
    let mut files: Vec<_> = plain.map(|(media_type, text)| (media_type, text.as_bytes().to_vec())).into();
    files.push((MediaType::Pdf, pdf()));
    files.extend(packed().into_iter().map(|(media_type, parts)| (media_type, zip(&parts))));
    files
}

pub(crate) fn zip(parts: &Parts) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(name.as_str(), SimpleFileOptions::default()).expect("an entry");
        zip.write_all(content).expect("it is written");
    }
    zip.finish().expect("an archive").into_inner()
}

pub(crate) fn packed() -> Vec<(MediaType, Parts)> {
    let parts = |parts: &[(&str, &str)]| -> Parts {
        parts.iter().map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec())).collect()
    };
    vec![
        (
            MediaType::Docx,
            parts(&[
                (
                    "word/document.xml",
                    "<w:document><w:body><w:p><w:pPr><w:pStyle w:val=\"h\"/></w:pPr><w:r><w:t>Birds</w:t></w:r></w:p>\
                     <w:p><w:pPr><w:numPr><w:ilvl w:val=\"1\"/><w:numId w:val=\"1\"/></w:numPr></w:pPr><w:r><w:t>a puffin</w:t></w:r></w:p>\
                     <w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val=\"2\"/><w:vMerge w:val=\"restart\"/></w:tcPr><w:p><w:r><w:t>c</w:t></w:r></w:p></w:tc></w:tr>\
                     <w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc></w:tr></w:tbl>\
                     <m:oMath><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></w:body></w:document>",
                ),
                (
                    "word/styles.xml",
                    "<w:styles><w:style w:styleId=\"h\"><w:name w:val=\"heading 1\"/><w:basedOn w:val=\"g\"/></w:style></w:styles>",
                ),
                (
                    "word/numbering.xml",
                    "<w:numbering><w:abstractNum w:abstractNumId=\"0\"><w:lvl w:ilvl=\"1\"><w:start w:val=\"3\"/><w:numFmt w:val=\"lowerRoman\"/><w:lvlText w:val=\"%1.%2\"/></w:lvl></w:abstractNum>\
                     <w:num w:numId=\"1\"><w:abstractNumId w:val=\"0\"/></w:num></w:numbering>",
                ),
                (
                    "word/_rels/document.xml.rels",
                    "<Relationships><Relationship Id=\"a\" Type=\"x/styles\" Target=\"styles.xml\"/><Relationship Id=\"b\" Type=\"x/numbering\" Target=\"numbering.xml\"/></Relationships>",
                ),
            ]),
        ),
        (
            MediaType::Pptx,
            parts(&[
                (
                    "ppt/presentation.xml",
                    "<p:presentation><p:sldIdLst><p:sldId id=\"256\" r:id=\"rId1\"/></p:sldIdLst></p:presentation>",
                ),
                (
                    "ppt/_rels/presentation.xml.rels",
                    "<Relationships><Relationship Id=\"rId1\" Type=\"x/slide\" Target=\"slides/slide1.xml\"/></Relationships>",
                ),
                (
                    "ppt/slides/slide1.xml",
                    "<p:sld><p:cSld><p:spTree><p:sp><p:txBody><a:p><a:pPr lvl=\"2\"/><a:r><a:t>a puffin</a:t></a:r></a:p></p:txBody></p:sp>\
                     <p:graphicFrame><a:tbl><a:tr><a:tc gridSpan=\"2\"><a:txBody><a:p><a:r><a:t>c</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame></p:spTree></p:cSld></p:sld>",
                ),
            ]),
        ),
        (
            MediaType::Xlsx,
            parts(&[
                (
                    "xl/workbook.xml",
                    "<workbook><sheets><sheet name=\"Log\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>",
                ),
                (
                    "xl/_rels/workbook.xml.rels",
                    "<Relationships><Relationship Id=\"rId1\" Type=\"x/worksheet\" Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"rId2\" Type=\"x/sharedStrings\" Target=\"sharedStrings.xml\"/><Relationship Id=\"rId3\" Type=\"x/styles\" Target=\"styles.xml\"/></Relationships>",
                ),
                (
                    "xl/sharedStrings.xml",
                    "<sst><si><t>puffin</t></si><si><r><t>b</t></r><rPh><t>c</t></rPh></si></sst>",
                ),
                (
                    "xl/styles.xml",
                    "<styleSheet><numFmts><numFmt numFmtId=\"170\" formatCode=\"yyyy\"/></numFmts><cellXfs><xf numFmtId=\"170\"/></cellXfs></styleSheet>",
                ),
                (
                    "xl/worksheets/sheet1.xml",
                    "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" s=\"0\"><v>46350.5</v></c></row><row r=\"3\"><c r=\"C3\" t=\"inlineStr\"><is><t>x</t></is></c></row></sheetData><mergeCells><mergeCell ref=\"C3:D9\"/></mergeCells></worksheet>",
                ),
            ]),
        ),
        (
            MediaType::Odt,
            parts(&[(
                "content.xml",
                "<o:document><o:body><o:text><text:h text:outline-level=\"1\">Birds</text:h><text:p>a<text:s text:c=\"3\"/>puffin</text:p><text:list><text:list-item><text:p>x</text:p></text:list-item></text:list>\
                 <table:table><table:table-row><table:table-cell table:number-columns-repeated=\"3\"><text:p>d</text:p></table:table-cell></table:table-row></table:table></o:text></o:body></o:document>",
            )]),
        ),
        (
            MediaType::Epub,
            parts(&[
                (
                    "META-INF/container.xml",
                    "<container><rootfiles><rootfile full-path=\"O/p.opf\"/></rootfiles></container>",
                ),
                (
                    "O/p.opf",
                    "<package><metadata><dc:title>Birds</dc:title></metadata><manifest><item id=\"a\" href=\"a%20b.xhtml\"/></manifest><spine><itemref idref=\"a\"/></spine></package>",
                ),
                ("O/a b.xhtml", "<html><body><h1>Birds</h1><p>A puffin.</p></body></html>"),
            ]),
        ),
    ]
}

fn pdf() -> Vec<u8> {
    let content =
        "BT /F 10 Tf 50 700 Td (A puffin) Tj 0 -14 Td [(sw) -20 (ims)] TJ ET q 1 0 0 1 5 5 cm /X Do Q";
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> /XObject << /X 6 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
        "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 10 /Resources << >> >>\nstream\n0 0 m 9 9 l\nendstream".to_owned(),
    ];
    let mut file = "%PDF-1.7\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (at, object) in objects.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", file.len());
        file += &format!("{} 0 obj\n{object}\nendobj\n", at + 1);
    }
    let start = file.len();
    file += &format!(
        "{table}trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n",
        objects.len() + 1
    );
    file.into_bytes()
}
