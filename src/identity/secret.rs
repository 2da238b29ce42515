use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What every key begins with, so that people and scanners of leaked secrets know it.
const MARK: &str = "mrag_";
const PREFIX: usize = 12;
/// 32 bytes in base64.
const REST: usize = 43;

/// A new API key: `mrag_<prefix>_<secret>`. The prefix names it, the secret is 256 bits of chance.
pub struct Secret {
    pub prefix: String,
    text: SecretString,
}

#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoChance;

impl Secret {
    /// # Errors
    /// When the system has no randomness to give, which should never be.
    pub fn new() -> Result<Self, NoChance> {
        let (mut name, mut secret) = ([0_u8; PREFIX], [0_u8; 32]);
        let chance = SystemRandom::new();
        chance.fill(&mut name).and_then(|()| chance.fill(&mut secret)).map_err(|_| NoChance)?;
        // 32 letters: each has five bits of chance.
        let letter = |byte: u8| char::from(b"abcdefghijkmnpqrstuvwxyz23456789"[usize::from(byte & 31)]);
        let prefix: String = name.into_iter().map(letter).collect();
        let text = format!("{MARK}{prefix}_{}", URL_SAFE_NO_PAD.encode(secret));
        Ok(Self { prefix, text: text.into() })
    }

    /// The whole key, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash(self.expose().as_bytes())
    }
}

/// No salt and no work factor: nobody can guess 256 bits, however fast each guess is.
pub(super) fn hash(presented: &[u8]) -> [u8; 32] {
    Sha256::digest(presented).into()
}

/// The prefix of what looks like a key; nothing else is ever looked up.
pub(super) fn prefix(presented: &[u8]) -> Option<&str> {
    let rest = std::str::from_utf8(presented).ok()?.strip_prefix(MARK)?;
    let (prefix, secret) = rest.split_once('_')?;
    let plain = prefix.len() == PREFIX
        && secret.len() == REST
        && prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    plain.then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_are_all_different_and_known_by_their_form() {
        let mut seen = HashSet::new();
        for _ in 0..200 {
            let key = Secret::new().expect("chance");
            assert_eq!(prefix(key.expose().as_bytes()), Some(key.prefix.as_str()), "{}", key.prefix);
            assert!(seen.insert(key.prefix.clone()) && seen.insert(key.expose().to_owned()));
            for wrong in [
                key.expose().to_uppercase(),
                format!("{}x", key.expose()),
                key.expose().replace("mrag_", "mrag-"),
                key.expose()[..20].to_owned(),
                String::new(),
            ] {
                assert_eq!(prefix(wrong.as_bytes()), None, "{wrong}");
            }
        }
    }

    #[test]
    fn fuzz_keys() {
        let key = Secret::new().expect("chance");
        crate::fuzz::fuzz(&[key.expose().as_bytes(), b"mrag__", b"mrag_a_b"], |bytes| {
            if let Some(prefix) = prefix(bytes) {
                assert_eq!(prefix.len(), PREFIX);
            }
        });
    }
}
