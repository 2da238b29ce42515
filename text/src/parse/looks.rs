//! What bytes look like that were sent under another type.

use super::{MediaType, ParseError};

/// The parts by which packed formats are known. EPUB comes before OpenDocument, whose part any file may have.
const PARTS: [(&[u8], MediaType); 5] = [
    (b"word/document.xml", MediaType::Docx),
    (b"ppt/presentation.xml", MediaType::Pptx),
    (b"xl/workbook.xml", MediaType::Xlsx),
    (b"META-INF/container.xml", MediaType::Epub),
    (b"content.xml", MediaType::Odt),
];
/// A PDF's first bytes stand this near the start.
const HEAD: usize = 1024;
/// A zip file's list of parts stands at its end.
const TAIL: usize = 1 << 20;

/// The error, or one that says under which type the bytes may be read.
pub(super) fn instead(error: ParseError, bytes: &[u8], media_type: MediaType) -> ParseError {
    match like(bytes) {
        Some(looks) if looks != media_type && is_about_the_form(&error) => {
            ParseError::Mistaken { error: Box::new(error), looks }
        }
        _ => error,
    }
}

fn is_about_the_form(error: &ParseError) -> bool {
    matches!(error, ParseError::NotUtf8 { .. } | ParseError::Malformed { .. })
}

fn like(bytes: &[u8]) -> Option<MediaType> {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    if holds(head, b"%PDF-") {
        return Some(MediaType::Pdf);
    }
    if !bytes.starts_with(b"PK\x03\x04") {
        return None;
    }
    let tail = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
    PARTS.iter().find(|(part, _)| holds(tail, part)).map(|(_, media_type)| *media_type)
}

/// Whether it is a packed or binary document, though it may be made of nothing but characters: as text it would be
/// searchable, and say nothing.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    bytes.starts_with(b"%PDF-1.") && holds(bytes, b"endobj")
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
