//! A token's form: RFC 7515's compact serialization, and what of its header matters.

use super::refusal::Refusal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Of a whole token.
pub(super) const MAX_BYTES: usize = 8 * 1024;

/// Whether it looks like a token: three parts in base64, two of them not empty. Any other credential is none.
pub(in crate::identity) fn is_one(presented: &[u8]) -> bool {
    let mut parts = presented.split(|byte| *byte == b'.');
    let full = |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty());
    full(parts.next())
        && full(parts.next())
        && parts.next().is_some()
        && parts.next().is_none()
        && presented.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// What a header says of the signature. Where it says to find keys (`jku`, `jwk`, `x5u`) is never looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
}

/// A token taken apart; nothing of it is known to be true.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) header: Header,
    /// What the signature is over.
    pub(super) text: &'a [u8],
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(presented: &'a [u8]) -> Result<Self, Refusal> {
        let malformed = Refusal::Malformed("the credential is no JSON Web Token");
        if presented.len() > MAX_BYTES {
            return Err(Refusal::Malformed("the token is longer than 8 KiB"));
        }
        let text = std::str::from_utf8(presented).map_err(|_| malformed)?;
        let (signed, signature) = text.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed)?;
        // What must be understood is not (RFC 7515, section 4.1.11).
        if header.crit.is_some() {
            return Err(malformed);
        }
        // A token that says it is for something else, such as `logout+jwt`, is no access token.
        let kind = header.typ.as_deref().map(str::to_ascii_lowercase);
        let kind = kind.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        if kind.is_some_and(|kind| !matches!(kind, "jwt" | "at+jwt")) {
            return Err(Refusal::Malformed("the token is of a type that is not accepted here"));
        }
        Ok(Self { header, text: signed.as_bytes(), payload: decode(payload)?, signature: decode(signature)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_parts_are_a_token_and_nothing_else_is() {
        for one in ["a.b.c", "a.b.", "eyJ-_0.e30.AA"] {
            assert!(is_one(one.as_bytes()), "{one}");
        }
        for other in ["", "a", "a.b", "a.b.c.d", ".b.c", "a..c", "a.b.c=", "a b.c.d", "mrag_x_y", "é.b.c"] {
            assert!(!is_one(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn headers_with_conditions_or_for_another_use_are_refused() {
        let token = |header: &str| format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header));
        for good in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256","typ":"JWT","jku":"https://evil.example"}"#,
            r#"{"alg":"x","typ":"application/at+jwt","kid":"1"}"#,
        ] {
            assert!(Token::parse(token(good).as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            "{}",
            "[]",
            r#"{"alg":7}"#,
            r#"{"alg":"HS256","alg":"none"}"#,
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            r#"{"alg":"HS256","typ":"logout+jwt"}"#,
        ] {
            assert!(Token::parse(token(bad).as_bytes()).is_err(), "{bad}");
        }
        assert!(Token::parse("a".repeat(MAX_BYTES + 1).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (is_one(&bytes), Token::parse(&bytes).is_ok());
        }
    }
}
