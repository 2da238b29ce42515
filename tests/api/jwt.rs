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

use crate::support::{Builder, Reply, Server};
use issuer::Issuer;
use reqwest::Method;
use serde_json::Value;
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

fn send(server: &Server, method: Method, path: &str, token: &str, body: Option<&Value>) -> Reply {
    let client = reqwest::blocking::Client::builder().no_proxy().build().expect("a client");
    let request = client.request(method, format!("{}{path}", server.url())).bearer_auth(token);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    Reply::read(request.send().expect("an answer"))
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
