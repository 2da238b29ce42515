//! Bytes to text that PostgreSQL can store.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use super::ParseError;

/// Decodes UTF-8, or UTF-16 that says so with a byte order mark, without the mark. U+0000 becomes a space, so
/// that what it separated stays separate and spans stay true to the source.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ParseError> {
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) if encoding != UTF_8 => {
            let (text, _) = encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default());
            text
        }
        found => {
            let mark = found.map_or(0, |(_, length)| length);
            let body = bytes.get(mark..).unwrap_or_default();
            Cow::Borrowed(
                str::from_utf8(body)
                    .map_err(|error| ParseError::NotUtf8 { offset: mark + error.valid_up_to() })?,
            )
        }
    };
    Ok(if text.contains('\0') { Cow::Owned(text.replace('\0', " ")) } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks_go_and_utf_16_is_decoded() {
        assert_eq!(decode(b"\xEF\xBB\xBFhi").unwrap(), "hi");
        assert_eq!(decode(b"\xFF\xFEh\0i\0").unwrap(), "hi");
        assert_eq!(decode(b"\xFE\xFF\0h\0i").unwrap(), "hi");
    }

    #[test]
    fn invalid_bytes_are_reported_with_their_offset_in_the_input() {
        assert_eq!(decode(b"ab\xFFc"), Err(ParseError::NotUtf8 { offset: 2 }));
        assert_eq!(decode(b"\xEF\xBB\xBFab\xFFc"), Err(ParseError::NotUtf8 { offset: 5 }));
    }

    #[test]
    fn nul_characters_never_reach_the_database() {
        assert_eq!(decode(b"a\0b").unwrap(), "a b");
    }
}
