//! Bytes to text that PostgreSQL can store.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

use super::ParseError;

/// Of these in a thousand characters, bytes are no text in any encoding.
const MOST_CONTROLS: usize = 5;

/// Decodes UTF-8, UTF-16 that says so with a byte order mark, or else the encoding that the bytes look like, without the
/// mark. U+0000 becomes a space, so that what it separated stays separate and spans stay true to the source.
///
/// # Errors
/// [`ParseError::NotUtf8`] for bytes that are no text.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ParseError> {
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) if encoding != UTF_8 => {
            let (text, _) = encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default());
            text
        }
        found => {
            let mark = found.map_or(0, |(_, length)| length);
            let body = bytes.get(mark..).unwrap_or_default();
            match str::from_utf8(body) {
                Ok(text) => Cow::Borrowed(text),
                Err(error) => {
                    let offset = mark + error.valid_up_to();
                    guess(body).ok_or(ParseError::NotUtf8 { offset })?
                }
            }
        }
    };
    Ok(if text.contains('\0') { Cow::Owned(text.replace('\0', " ")) } else { text })
}

/// The text in an older encoding, if it is text: what it looks like decides, as in browsers.
fn guess(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let (text, broken) = detector.guess(None, Utf8Detection::Deny).decode_without_bom_handling(bytes);
    let controls =
        text.chars().filter(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}')).count();
    (!broken && controls * 1000 <= text.chars().count() * MOST_CONTROLS).then_some(text)
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
    fn bytes_that_are_no_text_are_reported_with_their_offset_in_the_input() {
        assert_eq!(decode(b"ab\xFF\x01\x02"), Err(ParseError::NotUtf8 { offset: 2 }));
        assert_eq!(decode(b"\xEF\xBB\xBFab\xFF\x01"), Err(ParseError::NotUtf8 { offset: 5 }));
    }

    #[test]
    fn older_encodings_are_known_by_their_looks() {
        assert_eq!(
            decode(b"Der Fluss f\xFChrt \xFCber die M\xFChle zur\xFCck.").unwrap(),
            "Der Fluss führt über die Mühle zurück."
        );
        let (japanese, _, _) =
            encoding_rs::SHIFT_JIS.encode("鴨は水に浮かぶ鳥です。灯台の番人が餌をやります。");
        assert_eq!(decode(&japanese).unwrap(), "鴨は水に浮かぶ鳥です。灯台の番人が餌をやります。");
        let (russian, _, _) = encoding_rs::WINDOWS_1251.encode("Утка плавает по реке и ныряет за рыбой.");
        assert_eq!(decode(&russian).unwrap(), "Утка плавает по реке и ныряет за рыбой.");
    }

    #[test]
    fn nul_characters_never_reach_the_database() {
        assert_eq!(decode(b"a\0b").unwrap(), "a b");
    }
}
