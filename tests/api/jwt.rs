//! JSON Web Tokens as credentials, over a real server and a real issuer whose keys are made by the test.

mod accepted;
mod cost;
mod issuer;
mod outage;
mod refused;
mod resource;
mod rotation;
mod rsa;
mod sign;

use crate::support::calls::send;
use crate::support::{Builder, Reply, Server};
use issuer::Issuer;
use reqwest::Method;
use sign::ISSUER;

const TOKEN: &str = "operator-token-for-tests";

/// One that accepts tokens for `rag`; where its keys are is for the test to say.
fn builder() -> Builder {
    Server::builder().token(TOKEN).set("auth.jwt.issuer", ISSUER).set("auth.jwt.audience", "rag")
}

/// The same with an issuer, which is asked twice a second at most.
fn with(issuer: &Issuer) -> Builder {
    builder().set("auth.jwt.jwks_url", &issuer.url).set("auth.jwt.jwks_cooldown_ms", 500)
}

fn list(server: &Server, token: &str) -> Reply {
    send(server, Method::GET, "/v1/collections", token, None)
}

/// Refused as a token, for this reason.
#[track_caller]
fn refused(server: &Server, token: &str, reason: &str) {
    let reply = list(server, token);
    let challenge = reply.header("www-authenticate").to_owned();
    let error = reply.error(401, "invalid_token");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains(reason), "{message} is not about: {reason}");
    assert!(
        challenge.starts_with("Bearer error=\"invalid_token\"") && challenge.contains(message),
        "{challenge}"
    );
}
