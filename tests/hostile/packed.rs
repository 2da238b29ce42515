//! Zip files and what is made of them: bombs, lies, and parts that are missing.

use std::io::{Cursor, Read, Write};
use zip::write::{SimpleFileOptions, ZipWriter};

pub(crate) const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
pub(crate) const PPTX: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
pub(crate) const ODT: &str = "application/vnd.oasis.opendocument.text";
pub(crate) const EPUB: &str = "application/epub+zip";

/// A zip file of these parts.
pub(crate) fn zip<N: AsRef<str>, B: AsRef<[u8]>>(parts: impl IntoIterator<Item = (N, B)>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(name.as_ref(), SimpleFileOptions::default()).expect("an entry");
        zip.write_all(content.as_ref()).expect("it is written");
    }
    zip.finish().expect("an archive").into_inner()
}

pub(crate) fn docx(body: &str) -> Vec<u8> {
    zip([("word/document.xml", format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>"))])
}

pub(crate) fn paragraph(text: &str) -> String {
    format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
}

pub(crate) fn odt(text: &str) -> Vec<u8> {
    let content = format!("<o:document><o:body><o:text>{text}</o:text></o:body></o:document>");
    zip([("content.xml", content)])
}

/// An e-book whose spine has these pages, each `(name, page)`, in this order.
pub(crate) fn epub(pages: &[(&str, &str)], spine: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let container =
        "<container><rootfiles><rootfile full-path=\"p.opf\"/></rootfiles></container>".to_owned();
    let items: String = pages
        .iter()
        .enumerate()
        .map(|(at, (name, _))| format!("<item id=\"i{at}\" href=\"{name}\"/>"))
        .collect();
    let spine: String = spine.into_iter().map(|at| format!("<itemref idref=\"i{at}\"/>")).collect();
    let package = format!("<package><manifest>{items}</manifest><spine>{spine}</spine></package>");
    let mut parts = vec![("META-INF/container.xml", container), ("p.opf", package)];
    parts.extend(pages.iter().map(|(name, page)| (*name, (*page).to_owned())));
    zip(parts)
}

/// A presentation of slides with these shapes; relations as `(slide, target)` are added to the slides' own.
pub(crate) fn pptx(slides: &[String], loops: &[(usize, &str)]) -> Vec<u8> {
    let ids: String =
        (1..=slides.len()).map(|n| format!("<p:sldId id=\"{}\" r:id=\"rId{n}\"/>", 255 + n)).collect();
    let relation = |n: usize, kind: &str, target: &str| {
        format!("<Relationship Id=\"rId{n}\" Type=\"http://x/{kind}\" Target=\"{target}\"/>")
    };
    let relations: String =
        (1..=slides.len()).map(|n| relation(n, "slide", &format!("slides/slide{n}.xml"))).collect();
    let mut parts = vec![
        (
            "ppt/presentation.xml".to_owned(),
            format!("<p:presentation><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"),
        ),
        ("ppt/_rels/presentation.xml.rels".to_owned(), format!("<Relationships>{relations}</Relationships>")),
    ];
    for (at, shapes) in slides.iter().enumerate() {
        let slide = format!("<p:sld><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>");
        parts.push((format!("ppt/slides/slide{}.xml", at + 1), slide));
    }
    for (slide, target) in loops {
        let relations = format!(
            "<Relationships>{}{}</Relationships>",
            relation(1, "slide", target),
            relation(2, "chart", target)
        );
        parts.push((format!("ppt/slides/_rels/slide{slide}.xml.rels"), relations));
    }
    zip(parts)
}

pub(crate) fn shape(text: &str) -> String {
    format!("<p:sp><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>")
}

/// Every size that the archive declares becomes this; its bytes stay.
pub(crate) fn declaring(mut archive: Vec<u8>, size: u32) -> Vec<u8> {
    for (signature, at) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
        let starts: Vec<usize> =
            (0..archive.len() - 4).filter(|&start| archive[start..].starts_with(signature)).collect();
        for start in starts {
            archive[start + at..start + at + 4].copy_from_slice(&size.to_le_bytes());
        }
    }
    archive
}

/// A compound file of the older Office, whose streams have these names.
pub(crate) fn ole(streams: &[&str]) -> Vec<u8> {
    let mut file = vec![0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];
    file.resize(512, 0xFF);
    for name in streams {
        let mut entry: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        entry.resize(128, 0);
        file.extend(entry);
    }
    file.resize(4096, 0);
    file
}

/// So many of one byte, in zlib's form.
pub(crate) fn zlib_of(byte: u8, count: u64) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("x", SimpleFileOptions::default()).expect("an entry");
    std::io::copy(&mut std::io::repeat(byte).take(count), &mut zip).expect("it is written");
    let bytes = zip.finish().expect("an archive").into_inner();
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).expect("an archive");
    let entry = archive.by_index(0).expect("an entry");
    let start = usize::try_from(entry.data_start().expect("a place")).expect("a place");
    let length = usize::try_from(entry.compressed_size()).expect("a size");
    let (n, v, m) = (u128::from(count), u128::from(byte), 65_521);
    let (a, b) = ((1 + n * v) % m, (n + v * (n * (n + 1) / 2)) % m);
    let sum = u32::try_from(b << 16 | a).expect("a checksum");
    [&[0x78, 0x9C], &bytes[start..start + length], &sum.to_be_bytes()].concat()
}
