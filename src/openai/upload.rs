//! A file as `multipart/form-data` brings it.

use crate::error::{Code, Error};
use actix_multipart::{Field, Multipart, MultipartError};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use mcp_rag_text::parse::MediaType;
use std::path::Path;
use std::time::Duration;

const MAX_FIELD: usize = 1024;
const MAX_FILENAME: usize = 255;
/// What has no type that is known.
const BINARY: &str = "application/octet-stream";
const PURPOSES: [&str; 6] = ["assistants", "batch", "evals", "fine-tune", "user_data", "vision"];
const SECONDS: std::ops::RangeInclusive<u64> = 3600..=2_592_000;

#[derive(Debug)]
pub(super) struct Upload {
    pub(super) filename: String,
    pub(super) purpose: String,
    pub(super) media_type: String,
    pub(super) expires_after: Option<Duration>,
    pub(super) content: Bytes,
}

fn broken(error: &MultipartError) -> Error {
    Error::new(Code::InvalidRequest, error.to_string())
}

async fn whole(field: &mut Field, most: usize, too_long: impl Fn() -> Error) -> Result<Bytes, Error> {
    let mut content = BytesMut::new();
    while let Some(piece) = field.next().await {
        let piece = piece.map_err(|error| broken(&error))?;
        if content.len() + piece.len() > most {
            return Err(too_long());
        }
        content.extend_from_slice(&piece);
    }
    Ok(content.freeze())
}

/// The form's fields, in whichever order they come.
#[derive(Default)]
struct Form {
    file: Option<(String, Option<String>, Bytes)>,
    purpose: Option<String>,
    anchor: Option<String>,
    seconds: Option<String>,
}

/// Reads a form with one file of at most `most` bytes.
pub(super) async fn read(mut multipart: Multipart, most: usize) -> Result<Upload, Error> {
    let mut form = Form::default();
    while let Some(field) = multipart.next().await {
        let mut field = field.map_err(|error| broken(&error))?;
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            let filename = field.content_disposition().and_then(|header| header.get_filename());
            let filename = filename.unwrap_or_default().to_owned();
            let declared = field.content_type().map(ToString::to_string);
            let too_long = || {
                let message = format!("a file holds at most {most} bytes (ingest.max_document_bytes)");
                Error::new(Code::PayloadTooLarge, message).about("file")
            };
            form.file = Some((filename, declared, whole(&mut field, most, too_long).await?));
            continue;
        }
        let slot = match name.as_str() {
            "purpose" => &mut form.purpose,
            "expires_after[anchor]" => &mut form.anchor,
            "expires_after[seconds]" => &mut form.seconds,
            _ => {
                let message = "the form has `file`, `purpose` and `expires_after`";
                let name = name.chars().take(64).collect::<String>();
                return Err(Error::new(Code::UnknownField, message).about(name));
            }
        };
        let too_long = || Error::invalid("purpose", "a field of the form is too long");
        let text = whole(&mut field, MAX_FIELD, too_long).await?;
        *slot = Some(String::from_utf8_lossy(&text).trim().to_owned());
    }
    form.finish()
}

impl Form {
    fn finish(self) -> Result<Upload, Error> {
        let (filename, declared, content) =
            self.file.ok_or_else(|| Error::invalid("file", "`file` is required"))?;
        if filename.is_empty() || filename.len() > MAX_FILENAME || filename.chars().any(char::is_control) {
            let message = format!("`file` needs a name of 1 to {MAX_FILENAME} bytes");
            return Err(Error::invalid("file", message));
        }
        let purpose = self.purpose.filter(|purpose| PURPOSES.contains(&purpose.as_str()));
        let purpose = purpose.ok_or_else(|| {
            Error::invalid("purpose", format!("`purpose` is required: one of {}", PURPOSES.join(", ")))
        })?;
        let expires_after = match (self.anchor.as_deref(), self.seconds) {
            (None, None) => None,
            (Some("created_at"), Some(seconds)) => {
                let seconds = seconds.parse().ok().filter(|seconds| SECONDS.contains(seconds));
                let wrong = || {
                    let message = "`expires_after.seconds` is between 3600 and 2592000";
                    Error::invalid("expires_after.seconds", message)
                };
                Some(Duration::from_secs(seconds.ok_or_else(wrong)?))
            }
            (_, _) => {
                let message = "`expires_after` has the anchor `created_at` and `seconds`";
                return Err(Error::invalid("expires_after", message));
            }
        };
        let media_type = media_type(&filename, declared.as_deref(), &content);
        Ok(Upload { filename, purpose, media_type, expires_after, content })
    }
}

/// A known ending says most, clients guess types badly; what has neither may still be text.
fn media_type(filename: &str, declared: Option<&str>, content: &[u8]) -> String {
    let declared = declared.unwrap_or(BINARY);
    if let Ok(known) = MediaType::from_path(Path::new(filename)) {
        return known.as_str().to_owned();
    }
    if let Ok(known) = declared.parse::<MediaType>() {
        return known.as_str().to_owned();
    }
    let essence = declared.split(';').next().unwrap_or(BINARY).trim();
    let is_text = std::str::from_utf8(content).is_ok_and(|text| !text.contains('\0'));
    if is_text && (essence == BINARY || essence.starts_with("text/")) {
        return MediaType::Plain.as_str().to_owned();
    }
    essence.chars().take(MAX_FILENAME).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_type_is_known_by_its_name_its_declaration_or_its_bytes() {
        for (filename, declared, content, expected) in [
            ("a.md", Some("application/octet-stream"), &b"x"[..], "text/markdown"),
            ("a.md", None, b"x", "text/markdown"),
            ("README", Some("text/markdown; charset=utf-8"), b"x", "text/markdown"),
            ("README", None, b"plain words", "text/plain"),
            ("README", Some("text/unknown"), b"plain words", "text/plain"),
            ("blob", None, b"\xff\xfe\x00", "application/octet-stream"),
            ("a.png", Some("image/png"), b"plain words", "image/png"),
        ] {
            assert_eq!(media_type(filename, declared, content), expected, "{filename} {declared:?}");
        }
    }
}
