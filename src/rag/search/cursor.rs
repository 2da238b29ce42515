//! Where the next page of a search goes on: which chunks were given, of which search, of which state.
//!
//! The cursor is all there is to remember, so any replica can go on with it. It names what was given rather
//! than a position: however the search is carried out, nothing is given twice. It is no secret and no
//! permission, since the next page is searched under its caller's own rights; its checksum finds accidents.

use super::Error;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_rag_actors::generator::{LONGEST_REWRITE, MOST_REWRITES};
use sha2::{Digest, Sha256};

/// Results that one search gives over all its pages.
pub(super) const MOST_GIVEN: usize = 500;
/// Longest cursor, as text.
const MAX_TEXT: usize = 16 * 1024;
const VERSION: u8 = 1;
const CHECKSUM: usize = 4;

/// A digest of what must not change between pages.
pub(super) type Mark = [u8; 8];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The query and who asks.
    pub(super) search: Mark,
    /// The collections and their epochs.
    pub(super) state: Mark,
    /// What the chat model made of the query on the first page.
    pub(super) rewritten: Vec<String>,
    /// Ids of chunks, ascending.
    pub(super) given: Vec<i64>,
}

impl Cursor {
    pub fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.search);
        bytes.extend(self.state);
        put(&mut bytes, self.rewritten.len() as u64);
        for text in &self.rewritten {
            put(&mut bytes, text.len() as u64);
            bytes.extend(text.as_bytes());
        }
        put(&mut bytes, self.given.len() as u64);
        let mut before = 0;
        for id in &self.given {
            put(&mut bytes, id.wrapping_sub(before).cast_unsigned());
            before = *id;
        }
        let sum = Sha256::digest(&bytes);
        bytes.extend(&sum[..CHECKSUM]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// # Errors
    /// A 400 for whatever [`Cursor::encode`] has not made.
    pub fn decode(text: &str) -> Result<Self, Error> {
        read(text).ok_or_else(|| {
            Error::invalid("cursor", "`cursor` is not one that a search gave: pass `next_cursor` as it came")
        })
    }

    /// # Errors
    /// A 400 when it is of another search, or what it goes on in has changed.
    pub(super) fn check(&self, search: Mark, state: Mark) -> Result<(), Error> {
        if self.search != search {
            let message = "`cursor` belongs to another search: repeat all fields but `top_k` and `max_tokens` as they were";
            return Err(Error::invalid("cursor", message));
        }
        if self.state != state {
            let message = "`cursor` has expired because a collection has changed: search again without it";
            return Err(Error::invalid("cursor", message));
        }
        Ok(())
    }
}

fn read(text: &str) -> Option<Cursor> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
    if Sha256::digest(body)[..CHECKSUM] != *sum {
        return None;
    }
    let (version, rest) = body.split_first()?;
    if *version != VERSION {
        return None;
    }
    let (search, rest) = rest.split_first_chunk::<8>()?;
    let (state, mut rest) = rest.split_first_chunk::<8>()?;
    let texts = usize::try_from(take(&mut rest)?).ok().filter(|count| *count <= MOST_REWRITES)?;
    let mut rewritten = Vec::with_capacity(texts);
    for _ in 0..texts {
        let length = usize::try_from(take(&mut rest)?).ok().filter(|length| *length <= LONGEST_REWRITE)?;
        let (text, after) = rest.split_at_checked(length)?;
        rewritten.push(std::str::from_utf8(text).ok()?.to_owned());
        rest = after;
    }
    let count = usize::try_from(take(&mut rest)?).ok().filter(|count| *count <= MOST_GIVEN)?;
    let mut given = Vec::with_capacity(count);
    let mut before = 0_i64;
    for _ in 0..count {
        before = before.wrapping_add(take(&mut rest)?.cast_signed());
        given.push(before);
    }
    rest.is_empty().then_some(Cursor { search: *search, state: *state, rewritten, given })
}

/// Seven bits a byte, the lowest first.
fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(place * 7)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_page_of_ten_costs_few_bytes() {
        let given = (0..10).map(|n| 1_000_000 + n * 37).collect();
        let cursor = Cursor { search: [1; 8], state: [2; 8], rewritten: vec![], given };
        assert!(cursor.encode().len() <= 60, "{}", cursor.encode());
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back_what_it_was_made_of(
            search in any::<[u8; 8]>(), state in any::<[u8; 8]>(),
            rewritten in prop::collection::vec("\\PC{0,60}", 0..=MOST_REWRITES),
            mut given in prop::collection::vec(0..i64::MAX, 0..50),
        ) {
            given.sort_unstable();
            let cursor = Cursor { search, state, rewritten, given };
            prop_assert_eq!(Cursor::decode(&cursor.encode()).ok(), Some(cursor));
        }

        #[test]
        fn whatever_else_a_client_sends_is_refused(text in "[A-Za-z0-9_-]{0,80}", at in 0..60_usize) {
            prop_assert!(Cursor::decode(&text).is_err());
            let good = Cursor { search: [7; 8], state: [8; 8], rewritten: vec![], given: vec![3, 5, 900] }.encode();
            let mut bad = good.clone().into_bytes();
            let at = at % bad.len();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            prop_assert!(Cursor::decode(&String::from_utf8_lossy(&bad)).is_err());
        }
    }

    #[test]
    fn fuzz_cursors() {
        let rewritten = vec!["a fox".to_owned(), "b".to_owned()];
        let good = Cursor { search: [7; 8], state: [8; 8], rewritten, given: vec![3, 5, 900] }.encode();
        crate::fuzz::fuzz(&[good.as_bytes(), b"", b"AAAA"], |bytes| {
            let _ = Cursor::decode(&String::from_utf8_lossy(bytes));
        });
    }
}
