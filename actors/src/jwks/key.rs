//! Public keys as RFC 7517 writes them, and what they verify. A key is good for exactly one algorithm, which follows
//! from what it is and never from what a token says of itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use std::str::FromStr;

/// More keys than any issuer has at a time.
const MOST_KEYS: usize = 64;
/// Keys that one token is tried with, where it names none or a name is not unique.
const MOST_TRIED: usize = 4;
const MAX_KID: usize = 256;
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// How a token is signed with a key of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl FromStr for Algorithm {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|one| one.as_str() == name).ok_or(())
    }
}

/// A signature, what it is over, and what the token says of it.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    pub algorithm: Algorithm,
    pub kid: Option<&'a str>,
    pub text: &'a [u8],
    pub signature: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Bad,
    /// No key here could have made it: there may be a newer one.
    Unknown,
}

/// An issuer's keys at a time.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn verifies(&self, signed: &Signed<'_>) -> bool {
        let verified = match &self.material {
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                signed.text,
                signed.signature,
            ),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.text, signed.signature)
            }
            Material::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(signed.text, signed.signature)
            }
        };
        verified.is_ok()
    }
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

/// The members of RFC 7517 and 7518 that matter for verifying.
#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// Of a private key, or a symmetric one.
    d: Option<serde::de::IgnoredAny>,
}

impl KeySet {
    /// Keys of other kinds and for other uses are left out; a set without any is valid, and verifies nothing.
    ///
    /// # Errors
    /// What is wrong, without any of it.
    pub(super) fn parse(json: &[u8]) -> Result<Self, &'static str> {
        let raw: RawSet = serde_json::from_slice(json).map_err(|_| "the reply is no JSON Web Key Set")?;
        if raw.keys.len() > MOST_KEYS {
            return Err("a set of more than 64 keys");
        }
        let keys = raw.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok().and_then(read));
        Ok(Self(keys.collect()))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A token that names no key is tried with all that have none either or could be meant, a few at most.
    pub(super) fn verify(&self, signed: &Signed<'_>) -> Verdict {
        let meant = |key: &&Key| {
            key.algorithm() == signed.algorithm
                && signed.kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        };
        let mut candidates = self.0.iter().filter(meant).take(MOST_TRIED).peekable();
        if candidates.peek().is_none() {
            return Verdict::Unknown;
        }
        match (candidates.any(|key| key.verifies(signed)), signed.kid) {
            (true, _) => Verdict::Good,
            (false, Some(_)) => Verdict::Bad,
            // It may be signed with a key that is not known yet.
            (false, None) => Verdict::Unknown,
        }
    }
}

fn read(raw: RawKey) -> Option<Key> {
    let for_this = raw.usage.as_deref().is_none_or(|usage| usage == "sig")
        && raw.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
        && raw.kid.as_ref().is_none_or(|kid| kid.len() <= MAX_KID)
        && raw.d.is_none();
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    let material = match (raw.kty.as_str(), raw.crv.as_deref()) {
        ("RSA", _) => {
            let number =
                |text| bytes(text).map(|all| all.into_iter().skip_while(|byte| *byte == 0).collect());
            let (n, e): (Vec<u8>, Vec<u8>) = (number(&raw.n)?, number(&raw.e)?);
            (RSA_BYTES.contains(&n.len()) && e.len() <= 4).then_some(Material::Rsa { n, e })?
        }
        ("EC", Some("P-256")) => {
            let point = [vec![4], bytes(&raw.x)?, bytes(&raw.y)?].concat();
            (point.len() == 65).then_some(Material::P256(point))?
        }
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&raw.x).filter(|point| point.len() == 32)?),
        _ => return None,
    };
    let key = Key { kid: raw.kid, material };
    let named = raw.alg.as_deref().is_none_or(|alg| alg == key.algorithm().as_str());
    (for_this && named).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::{Value, json};

    fn pair() -> Ed25519KeyPair {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("chance");
        Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key")
    }

    fn public(pair: &Ed25519KeyPair, more: &Value) -> Value {
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        key.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        key
    }

    fn set(keys: &[Value]) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).expect("a set")
    }

    #[test]
    fn only_public_keys_for_signatures_of_a_known_kind_are_taken() {
        let pair = pair();
        for (more, taken) in [
            (json!({}), 1),
            (json!({"use": "sig", "alg": "EdDSA", "key_ops": ["verify"], "kid": "a", "x5c": ["…"]}), 1),
            (json!({"use": "enc"}), 0),
            (json!({"alg": "RS256"}), 0),
            (json!({"key_ops": ["encrypt"]}), 0),
            (json!({"d": "secret"}), 0),
            (json!({"crv": "X25519"}), 0),
            (json!({"kty": "oct", "k": "c2VjcmV0"}), 0),
            (json!({"x": "c2hvcnQ"}), 0),
            (json!({"kid": "k".repeat(257)}), 0),
            (json!({"kty": 7}), 0),
        ] {
            assert_eq!(set(&[public(&pair, &more)]).len(), taken, "{more}");
        }
        for wrong in ["", "[]", "{}", "{\"keys\":{}}", "<html>", "{\"keys\":[],"] {
            assert!(KeySet::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let many: Vec<Value> = (0..65).map(|_| public(&pair, &json!({}))).collect();
        assert!(KeySet::parse(json!({ "keys": many }).to_string().as_bytes()).is_err());
    }

    #[test]
    fn a_name_decides_which_key_is_tried_and_no_name_tries_a_few() {
        let (one, two) = (pair(), pair());
        let keys = set(&[public(&one, &json!({"kid": "1"})), public(&two, &json!({"kid": "2"}))]);
        let signature = two.sign(b"text");
        let ask = |kid, algorithm, text: &[u8]| {
            keys.verify(&Signed { algorithm, kid, text, signature: signature.as_ref() })
        };
        assert_eq!(ask(Some("2"), Algorithm::EdDsa, b"text"), Verdict::Good);
        assert_eq!(ask(Some("1"), Algorithm::EdDsa, b"text"), Verdict::Bad);
        assert_eq!(ask(Some("2"), Algorithm::EdDsa, b"other"), Verdict::Bad);
        assert_eq!(ask(Some("3"), Algorithm::EdDsa, b"text"), Verdict::Unknown);
        assert_eq!(ask(Some("2"), Algorithm::Es256, b"text"), Verdict::Unknown, "a key has one algorithm");
        assert_eq!(ask(None, Algorithm::EdDsa, b"text"), Verdict::Good);
        assert_eq!(ask(None, Algorithm::EdDsa, b"other"), Verdict::Unknown);
    }
}
