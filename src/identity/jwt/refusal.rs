use crate::error::{Code, Error};
use mcp_rag_actors::jwks::JwksError;

/// Why a token lets nobody in. Says what kind of thing is wrong, and repeats nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token at all, or a claim that is not what it should be.
    Malformed(&'static str),
    Algorithm,
    UnknownKey,
    Signature,
    Expired,
    NotYet,
    TooLong,
    Issuer,
    Audience,
    Tenant,
}

impl Refusal {
    fn message(self) -> &'static str {
        match self {
            Self::Malformed(what) => what,
            Self::Algorithm => "the token is signed in a way that is not accepted here",
            Self::UnknownKey => "the token is signed with a key that is not known",
            Self::Signature => "the token's signature is wrong",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
            Self::TooLong => {
                "the token is valid for longer than is accepted here, or does not say since when"
            }
            Self::Issuer => "the token is of another issuer",
            Self::Audience => "the token is for another audience",
            Self::Tenant => "the token's tenant does not exist here",
        }
    }

    /// As the metric names it.
    fn label(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::NotYet => "not_yet_valid",
            Self::TooLong => "lifetime",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Tenant => "tenant",
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        count(refusal.label());
        Self::new(Code::InvalidToken, refusal.message())
    }
}

/// Of a signature by an issuer's key.
pub(super) fn unverified(error: JwksError) -> Error {
    match error {
        JwksError::Unknown => Refusal::UnknownKey.into(),
        JwksError::Signature => Refusal::Signature.into(),
        JwksError::Away => {
            count("unavailable");
            Error::new(Code::Unavailable, "credentials cannot be checked now: try again shortly")
        }
        JwksError::Overloaded => {
            count("overloaded");
            Error::new(Code::Overloaded, "too much is under way: try again shortly")
        }
    }
}

pub(super) fn count(outcome: &'static str) {
    metrics::counter!("mcp_rag_tokens_total", "outcome" => outcome).increment(1);
}
