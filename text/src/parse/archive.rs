//! The parts of a zip file, unpacked within limits: what OOXML, ODF and EPUB files are.

use super::xml::{self, Element};
use super::{ParseError, ParseLimits, decode};
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// More entries than any document has.
const MAX_ENTRIES: usize = 20_000;
/// What starts the older binary formats of Office, and encrypted files of the newer.
const OLE: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];

pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    format: &'static str,
    limits: &'a ParseLimits,
    /// Bytes that may still be unpacked, all entries together.
    left: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn open(
        bytes: &'a [u8],
        format: &'static str,
        limits: &'a ParseLimits,
    ) -> Result<Self, ParseError> {
        if bytes.starts_with(OLE) {
            return Err(ole(bytes, format));
        }
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| malformed(format, &error))?;
        if zip.len() > MAX_ENTRIES {
            return Err(ParseError::TooComplex { limit: MAX_ENTRIES });
        }
        Ok(Self { zip, format, limits, left: limits.max_unpacked as u64 })
    }

    /// An entry's bytes; none when there is no such entry.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, ParseError> {
        let format = self.format;
        let mut entry = match self.zip.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(malformed(format, &error)),
        };
        let mut bytes = Vec::new();
        // What the entry says of its size is not believed.
        let read = (&mut entry).take(self.left + 1).read_to_end(&mut bytes);
        read.map_err(|error| ParseError::Malformed { format, reason: error.to_string() })?;
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or(ParseError::Expands { limit: self.limits.max_unpacked })?;
        Ok(Some(bytes))
    }

    /// An entry's XML as a tree; none when there is no such entry.
    pub(super) fn xml(&mut self, name: &str) -> Result<Option<Element>, ParseError> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        let source = decode::decode(&bytes)?;
        xml::read(&source, self.format, self.limits).map(Some)
    }

    /// An entry that the format cannot do without.
    pub(super) fn required(&mut self, name: &str) -> Result<Element, ParseError> {
        let format = self.format;
        let missing = || ParseError::Malformed { format, reason: format!("the part {name} is missing") };
        self.xml(name)?.ok_or_else(missing)
    }

    /// Where the relations of a part lead: the kind's last word, the id, and the target as an entry's name.
    pub(super) fn relations(&mut self, part: &str) -> Result<Vec<Relation>, ParseError> {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let name = if folder.is_empty() {
            format!("_rels/{file}.rels")
        } else {
            format!("{folder}/_rels/{file}.rels")
        };
        let Some(tree) = self.xml(&name)? else { return Ok(Vec::new()) };
        let relation = |element: &Element| {
            let target = element.attribute("Target")?;
            let external = element.attribute("TargetMode") == Some("External");
            Some(Relation {
                id: element.attribute("Id")?.to_owned(),
                kind: element.attribute("Type")?.rsplit('/').next()?.to_owned(),
                target: if external { target.to_owned() } else { resolve(folder, target) },
            })
        };
        Ok(tree.elements().filter_map(relation).collect())
    }
}

pub(super) struct Relation {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) target: String,
}

/// A target relative to a folder, without `..`.
pub(super) fn resolve(folder: &str, target: &str) -> String {
    let mut steps: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.retain(|step| !step.is_empty());
    steps.join("/")
}

fn malformed(format: &'static str, error: &ZipError) -> ParseError {
    match error {
        ZipError::UnsupportedArchive(reason) if *reason == ZipError::PASSWORD_REQUIRED => {
            ParseError::Encrypted
        }
        error => ParseError::Malformed { format, reason: error.to_string() },
    }
}

/// Encrypted files of the newer formats name the stream that holds them, in UTF-16.
fn ole(bytes: &[u8], format: &'static str) -> ParseError {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if bytes.windows(name.len()).any(|window| window == name) {
        return ParseError::Encrypted;
    }
    let reason = "it has the binary form of Office before 2007: save it in the newer form".to_owned();
    ParseError::Malformed { format, reason }
}
