//! E-books: the pages of the spine, one after another.

use super::archive::{Archive, resolve};
use super::writer::Writer;
use super::xml::Element;
use super::{ParseError, ParseLimits, Parsed, decode, html};

const FORMAT: &str = "EPUB";

pub(super) fn parse(bytes: &[u8], limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let mut archive = Archive::open(bytes, FORMAT, limits)?;
    let container = archive.required("META-INF/container.xml")?;
    let missing = || ParseError::Malformed { format: FORMAT, reason: "it names no package".to_owned() };
    let path = container
        .find("rootfile")
        .and_then(|root| root.attribute("full-path"))
        .ok_or_else(missing)?
        .to_owned();
    let package = archive.required(&path)?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let manifest = package.child("manifest");
    let href = |id: &str| {
        let item = manifest?.all("item").find(|item| item.attribute("id") == Some(id))?;
        Some(resolve(folder, &unescaped(item.attribute("href")?)))
    };
    let mut writer = Writer::new(limits);
    let spine = package.child("spine");
    for page in spine.into_iter().flat_map(|spine| spine.all("itemref")) {
        let Some(path) = page.attribute("idref").and_then(href) else { continue };
        let Some(bytes) = archive.bytes(&path)? else { continue };
        writer.append(html::parse(&decode::decode(&bytes)?, limits)?);
        if writer.is_full() {
            break;
        }
    }
    let mut parsed = writer.finish()?;
    let title = package.child("metadata").and_then(|metadata| metadata.child("title")).map(Element::text);
    parsed.title =
        title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty()).or(parsed.title);
    Ok(parsed)
}

/// `%20` and its like.
fn unescaped(href: &str) -> String {
    let mut bytes = Vec::with_capacity(href.len());
    let mut rest = href.split('#').next().unwrap_or_default().as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        match digits.filter(|_| byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};
    use zip::write::{SimpleFileOptions, ZipWriter};

    #[test]
    fn the_spine_gives_the_order_and_the_package_the_title() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let mut part = |name: &str, content: &str| {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        };
        part(
            "META-INF/container.xml",
            "<container><rootfiles><rootfile full-path=\"O/p.opf\"/></rootfiles></container>",
        );
        part(
            "O/p.opf",
            "<package><metadata><dc:title> Ducks </dc:title></metadata><manifest><item id=\"a\" href=\"one%201.xhtml\"/>\
             <item id=\"b\" href=\"../two.xhtml\"/></manifest><spine><itemref idref=\"b\"/><itemref idref=\"a\"/></spine></package>",
        );
        part("O/one 1.xhtml", "<html><body><h1>One</h1><p>first</p></body></html>");
        part("two.xhtml", "<html><body><p>before</p></body></html>");
        let bytes = zip.finish().unwrap().into_inner();
        let parsed = parse(&bytes, &ParseLimits::default()).unwrap();
        assert_eq!(
            (parsed.text.as_str(), parsed.title.as_deref()),
            ("before\n\n# One\n\nfirst", Some("Ducks"))
        );
        let last = parsed.blocks.last().unwrap();
        assert_eq!((&parsed.text[last.span.clone()], &*last.headings), ("first", &["One".to_owned()][..]));
    }
}
