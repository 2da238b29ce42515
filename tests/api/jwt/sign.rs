//! Whoever signs tokens, rightly or not.

use super::rsa;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) const ISSUER: &str = "https://login.example.com";

pub(super) enum Pair {
    Secret(Vec<u8>),
    Rsa(Box<ring::rsa::KeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

pub(super) struct Signer {
    pub(super) kid: String,
    pub(super) pair: Pair,
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// Of somebody of the tenant `default` who may search, for five minutes; with changes, of which null takes away.
pub(super) fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": "rag", "sub": "alice", "tenant": "default", "scope": "openid search",
        "iat": now(), "exp": now() + 300,
    });
    let all = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            all.remove(name)
        } else {
            all.insert(name.clone(), value.clone())
        };
    }
    claims
}

impl Signer {
    pub(super) fn secret(secret: &str) -> Self {
        Self { kid: String::new(), pair: Pair::Secret(secret.as_bytes().to_vec()) }
    }

    pub(super) fn rsa(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: Pair::Rsa(Box::new(rsa::generate())) }
    }

    pub(super) fn p256(kid: &str) -> Self {
        let (kind, chance) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &chance).expect("chance");
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &chance).expect("a key");
        Self { kid: kid.to_owned(), pair: Pair::P256(pair) }
    }

    pub(super) fn ed25519(kid: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("chance");
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key");
        Self { kid: kid.to_owned(), pair: Pair::Ed25519(pair) }
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Secret(_) => "HS256",
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
        }
    }

    /// As an issuer publishes it.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Secret(secret) => json!({"kty": "oct", "k": encode(secret)}),
            Pair::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": encode(public.n), "e": encode(public.e)})
            }
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = self.kid.clone().into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// A good token but for these changes of its claims.
    pub(super) fn token(&self, changes: &Value) -> String {
        let mut header = json!({"alg": self.algorithm(), "typ": "JWT"});
        if !self.kid.is_empty() {
            header["kid"] = self.kid.clone().into();
        }
        self.sign(&header, &claims(changes))
    }

    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let chance = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Secret(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes()).as_ref().to_vec()
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &chance, text.as_bytes(), &mut signature).expect("signed");
                signature
            }
            Pair::P256(pair) => pair.sign(&chance, text.as_bytes()).expect("signed").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", encode(signature))
    }
}
