//! JSON Web Tokens: somebody else says who calls, and signs it (docs/adr/0020-jwt.md).
//!
//! * Each step asks less of what it trusts: form, algorithm, signature, and only then claims.
//! * HS256 is for `auth.jwt.secret`, the other algorithms for the issuer's public keys: a key is good for one
//!   algorithm, so that none can be taken for another's.
//! * What was verified is remembered, by hash: for [`REMEMBERED`], never past the token's end, and not once the keys
//!   have changed or the secret is good no longer.
//! * Bounds: a token of 8 KiB; [`MOST_BYTES`] of identities remembered; what waits for keys and tenants is bounded there.
//!
//! Nothing of a token is logged.

mod claims;
mod refusal;
mod tenants;
mod token;

pub(super) use token::is_one;

use super::{Credential, Identity};
use crate::config::{JwtSettings, Settings};
use crate::error::Error;
use crate::rag::Rag;
use claims::Claims;
use mcp_rag_actors::jwks::{Algorithm, JwksHandle, Signed};
use mcp_rag_actors::resilience::Deadline;
use moka::future::Cache;
use refusal::{Refusal, count, unverified};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tenants::Tenants;
use token::Token;

const REMEMBERED: Duration = Duration::from_secs(60);
const MOST_BYTES: u64 = 16 << 20;
/// For a key that is not known yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which of the surfaces a token is presented to: it may have been issued for one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// REST, and what clients of OpenAI call.
    Api,
    /// The protected resource of the OAuth metadata.
    Mcp,
}

/// What a good token says, for as long as it is.
#[derive(Clone)]
struct Verified {
    identity: Arc<Identity>,
    audience: Arc<[String]>,
    until: f64,
    proof: Proof,
}

/// What verified a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// The issuer's keys of a generation.
    Keys(u64),
    /// A secret, by its hash.
    Secret([u8; 32]),
}

pub(super) struct Tokens {
    rag: Arc<Rag>,
    tenants: Tenants,
    verified: Cache<[u8; 32], Verified>,
}

impl Tokens {
    pub(super) fn new(rag: Arc<Rag>) -> Self {
        let weight = |_: &[u8; 32], one: &Verified| one.identity.weight();
        let verified =
            Cache::builder().max_capacity(MOST_BYTES).weigher(weight).time_to_live(REMEMBERED).build();
        Self { tenants: Tenants::new(rag.store.clone()), verified, rag }
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// [`Code::InvalidToken`](crate::error::Code::InvalidToken) with what is wrong with it in general; `Unavailable`
    /// or `Overloaded` where that cannot be known now.
    pub(super) async fn identify(
        &self,
        presented: &[u8],
        door: Door,
        settings: &Settings,
    ) -> Result<Arc<Identity>, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        if presented.len() > token::MAX_BYTES {
            return Err(Token::parse(presented).err().unwrap_or(Refusal::Algorithm).into());
        }
        let hash: [u8; 32] = Sha256::digest(presented).into();
        let known = self.verified.get(&hash).await;
        let known = known.filter(|known| now < known.until && self.holds(known.proof));
        let verified = match known {
            Some(known) => known,
            None => self.verify(presented, hash, settings, now).await?,
        };
        if !admits(door, &verified.audience, settings) {
            return Err(Refusal::Audience.into());
        }
        count("accepted");
        Ok(verified.identity)
    }

    async fn verify(
        &self,
        presented: &[u8],
        hash: [u8; 32],
        settings: &Settings,
        now: f64,
    ) -> Result<Verified, Error> {
        let token = Token::parse(presented)?;
        let proof = self.check_signature(&token, &settings.auth.jwt).await?;
        let claims = Claims::check(&token.payload, &settings.auth.jwt, now)?;
        if ![Door::Api, Door::Mcp].into_iter().any(|door| admits(door, &claims.audience, settings)) {
            return Err(Refusal::Audience.into());
        }
        let stale = Duration::from_millis(settings.auth.key_stale_ms);
        let tenant = self.tenants.find(&claims.tenant, stale).await?.ok_or(Refusal::Tenant)?;
        let identity = Identity {
            tenant,
            credential: Credential::Jwt { subject: claims.subject },
            scopes: claims.scopes,
            collections: claims.collections,
            principals: claims.principals,
        };
        let verified = Verified {
            identity: Arc::new(identity),
            audience: claims.audience.into(),
            until: claims.until,
            proof,
        };
        self.verified.insert(hash, verified.clone()).await;
        Ok(verified)
    }

    /// Whether what verified a token before would do so again.
    fn holds(&self, proof: Proof) -> bool {
        match proof {
            Proof::Keys(generation) => {
                self.rag.jwks.as_ref().and_then(JwksHandle::generation) == Some(generation)
            }
            Proof::Secret(hash) => {
                let same = |secret: &SecretString| (digest(secret) == hash).then_some(());
                self.rag.running.find_token_secret(Instant::now(), same).is_some()
            }
        }
    }

    async fn check_signature(&self, token: &Token<'_>, settings: &JwtSettings) -> Result<Proof, Error> {
        let name = token.header.alg.as_str();
        if !settings.allows(name) {
            return Err(Refusal::Algorithm.into());
        }
        if let Ok(algorithm) = name.parse::<Algorithm>() {
            let jwks = self.rag.jwks.as_ref().ok_or(Refusal::Algorithm)?;
            let kid = token.header.kid.as_deref();
            let signed = Signed { algorithm, kid, text: token.text, signature: &token.signature };
            let verified = jwks.verify(&signed, Deadline::within(PATIENCE)).await;
            return verified.map(Proof::Keys).map_err(unverified);
        }
        if settings.secret.is_none() {
            return Err(Refusal::Algorithm.into());
        }
        let proof = self.rag.running.find_token_secret(Instant::now(), |secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
            let good = hmac::verify(&key, token.text, &token.signature).is_ok();
            good.then(|| Proof::Secret(digest(secret)))
        });
        proof.ok_or_else(|| Refusal::Signature.into())
    }
}

fn digest(secret: &SecretString) -> [u8; 32] {
    Sha256::digest(secret.expose_secret()).into()
}

/// A token for the resource of the OAuth metadata is good there and nowhere else.
fn admits(door: Door, audience: &[String], settings: &Settings) -> bool {
    let named = |ours: &str| audience.iter().any(|one| one == ours);
    settings.auth.jwt.audience.iter().any(|ours| named(ours))
        || door == Door::Mcp && settings.mcp.resource().is_some_and(|ours| named(&ours))
}
