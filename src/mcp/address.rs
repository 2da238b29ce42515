//! How documents are named here: an id, as `search` gives it, and a resource's URI. Both hold the collection and the
//! external id, percent-encoded, so that a name stays good when a document changes.

use crate::error::Error;
use std::fmt::Write;
use std::ops::Range;

pub(super) const SCHEME: &str = "mcp-rag://documents/";
/// RFC 6570.
pub(super) const TEMPLATE: &str = "mcp-rag://documents/{collection}/{external_id}";

/// `collection/external_id`, and of an id the bytes of the parsed text that were found: `…#120-480`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) collection: String,
    pub(super) external_id: String,
    pub(super) span: Option<Range<usize>>,
}

impl Address {
    pub(super) fn of(collection: &str, external_id: &str) -> Self {
        Self { collection: collection.to_owned(), external_id: external_id.to_owned(), span: None }
    }

    pub(super) fn id(&self) -> String {
        let mut id = format!("{}/{}", encoded(&self.collection), encoded(&self.external_id));
        if let Some(span) = &self.span {
            let _ = write!(id, "#{}-{}", span.start, span.end);
        }
        id
    }

    pub(super) fn uri(&self) -> String {
        format!("{SCHEME}{}/{}", encoded(&self.collection), encoded(&self.external_id))
    }

    /// An id or a URI. A slash in an external id need not be encoded.
    ///
    /// # Errors
    /// Not found: nothing has such a name.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let name = text.strip_prefix(SCHEME).unwrap_or(text);
        let (name, span) = match name.split_once('#') {
            Some((name, span)) => (name, Some(span)),
            None => (name, None),
        };
        let parsed = || {
            let (collection, external_id) = name.split_once('/')?;
            let span = match span {
                Some(span) => {
                    let (start, end) = span.split_once('-')?;
                    Some(start.parse().ok()?..end.parse().ok()?)
                }
                None => None,
            };
            let (collection, external_id) = (decoded(collection)?, decoded(external_id)?);
            let named = !external_id.is_empty() && !external_id.contains('\0');
            named.then_some(Self { collection, external_id, span })
        };
        parsed().ok_or_else(|| Error::not_found("document"))
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.contains('+'))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_reads_back_what_it_was_made_of(collection in "[a-z0-9._-]{1,20}", external_id in "\\PC{1,40}", span in any::<Option<(u32, u32)>>()) {
            let span = span.map(|(start, end)| start as usize..end as usize);
            let address = Address { collection, external_id, span };
            prop_assert_eq!(Address::parse(&address.id()).ok(), Some(address.clone()));
            let whole = Address { span: None, ..address };
            prop_assert_eq!(Address::parse(&whole.uri()).ok(), Some(whole));
        }

        #[test]
        fn whatever_else_comes_is_not_found_and_nothing_worse(text in "\\PC{0,40}") {
            let _ = Address::parse(&text);
        }
    }

    #[test]
    fn slashes_of_an_external_id_may_stay_as_they_are() {
        let address = Address::parse("notes/a/b.md").expect("a name");
        assert_eq!((&*address.collection, &*address.external_id), ("notes", "a/b.md"));
        for wrong in [
            "",
            "notes",
            "notes/",
            "notes/%zz",
            "notes/%+1",
            "notes/%00",
            "notes/a#1",
            "notes/a#b-c",
            "notes/%ff",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
