//! Many documents in one request: one bad one never costs the good ones.

use super::body;
use super::documents::accept::{NewDocument, media_type};
use crate::error::{Code, Error};
use crate::rag::ingest::{Incoming, Rejected};
use actix_multipart::Multipart;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use mcp_rag_text::parse::MediaType;
use serde_json::json;
use std::path::Path;

pub(super) fn ndjson(bytes: &[u8], max_document: usize) -> (Vec<Incoming>, Vec<Rejected>) {
    let (mut documents, mut rejected) = (Vec::new(), Vec::new());
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match one_line(line, max_document) {
            Ok(document) => documents.push(Incoming { line: at + 1, ..document }),
            Err(error) => rejected.push(Rejected { line: at + 1, error: error.to_string() }),
        }
    }
    (documents, rejected)
}

/// The same of an export, whose first and last line are about the others.
pub(super) fn exported(bytes: &[u8], max_document: usize) -> (Vec<Incoming>, Vec<Rejected>) {
    let (documents, mut rejected) = ndjson(bytes, max_document);
    if !rejected.is_empty() {
        let mut lines = bytes.split(|byte| *byte == b'\n').enumerate();
        // In the order of the lines: each is looked up behind the one before.
        rejected
            .retain(|one| !lines.find(|(at, _)| at + 1 == one.line).is_some_and(|(_, line)| is_frame(line)));
    }
    (documents, rejected)
}

fn is_frame(line: &[u8]) -> bool {
    let frame: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(line).ok();
    frame.is_some_and(|frame| {
        frame.len() == 1 && (frame.contains_key("export") || frame.contains_key("complete"))
    })
}

fn one_line(line: &[u8], max_document: usize) -> Result<Incoming, Error> {
    let mut new: NewDocument = body::parse(line)?;
    let external_id = new.external_id.take();
    let external_id = external_id.ok_or_else(|| Error::invalid("external_id", "`external_id` is missing"))?;
    let incoming = new.into_incoming(external_id)?;
    incoming.check(max_document)?;
    Ok(incoming)
}

/// Each file is a document; its name is the external id.
pub(super) async fn multipart(
    mut multipart: Multipart,
    max_document: usize,
    max_total: usize,
) -> Result<(Vec<Incoming>, Vec<Rejected>), Error> {
    let (mut documents, mut rejected, mut total) = (Vec::new(), Vec::new(), 0);
    let broken = |error: actix_multipart::MultipartError| Error::new(Code::InvalidRequest, error.to_string());
    let mut place = 0;
    while let Some(field) = multipart.next().await {
        let mut field = field.map_err(broken)?;
        place += 1;
        let name = field.content_disposition().and_then(|header| header.get_filename().map(str::to_owned));
        let declared = field.content_type().map(ToString::to_string);
        let mut content = BytesMut::new();
        while let Some(piece) = field.next().await {
            let piece = piece.map_err(broken)?;
            total += piece.len();
            if total > max_total {
                return Err(Error::new(
                    Code::PayloadTooLarge,
                    format!("the files hold more than {max_total} bytes together"),
                ));
            }
            // An oversized file is read to its end so that the files behind it are still seen.
            if content.len() <= max_document {
                content.extend_from_slice(&piece);
            }
        }
        match one_file(name, declared, content.freeze(), max_document) {
            Ok(document) => documents.push(Incoming { line: place, ..document }),
            Err(error) => rejected.push(Rejected { line: place, error: error.to_string() }),
        }
    }
    Ok((documents, rejected))
}

fn one_file(
    name: Option<String>,
    declared: Option<String>,
    content: Bytes,
    max_document: usize,
) -> Result<Incoming, Error> {
    let external_id = name.ok_or_else(|| Error::invalid("filename", "the part has no file name"))?;
    // Clients guess types badly (`application/octet-stream`); a known ending says more.
    let by_ending = MediaType::from_path(Path::new(&external_id));
    let media_type = match (by_ending, declared) {
        (Ok(known), _) => known,
        (Err(_), Some(declared)) => media_type(&declared)?,
        (Err(error), None) => return Err(Error::new(Code::UnsupportedMediaType, error.to_string())),
    };
    let incoming = Incoming {
        line: 1,
        external_id,
        title: String::new(),
        uri: String::new(),
        media_type,
        attributes: json!({}),
        acl: Vec::new(),
        expires_at: None,
        vectors: None,
        content,
    };
    incoming.check(max_document)?;
    Ok(incoming)
}
