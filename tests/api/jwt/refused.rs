use super::issuer::Issuer;
use super::sign::{Pair, Signer, claims, encode, now};
use super::{builder, list, refused, with};
use crate::support::Server;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

const SECRET: &str = "a shared secret of at least thirty-two bytes";

#[test]
fn times_issuer_and_audience_are_checked_within_the_leeway() {
    let signer = Signer::ed25519("1");
    let issuer = Issuer::start(&[&signer]);
    let server =
        with(&issuer).set("auth.jwt.leeway_ms", 10_000).set("auth.jwt.max_lifetime_ms", 600_000).start();
    for good in [
        json!({"exp": now() - 5}),
        json!({"nbf": now() + 5}),
        json!({"iat": now() + 5}),
        json!({"aud": ["other", "rag"]}),
    ] {
        assert_eq!(list(&server, &signer.token(&good)).status, 200, "{good}");
    }
    for (bad, reason) in [
        (json!({"exp": now() - 11}), "expired"),
        (json!({"exp": null}), "`exp` is missing"),
        (json!({"nbf": now() + 60}), "not valid yet"),
        (json!({"iat": now() + 60}), "not valid yet"),
        (json!({"exp": now() + 700}), "longer than is accepted"),
        (json!({"iat": null}), "since when"),
        (json!({"iss": "https://evil.example.com"}), "another issuer"),
        (json!({"iss": null}), "another issuer"),
        (json!({"aud": "other"}), "another audience"),
        (json!({"aud": null}), "another audience"),
        (json!({"sub": null}), "`sub`"),
        (json!({"tenant": null}), "names no tenant"),
        (json!({"groups": vec!["g"; 300]}), "groups"),
        (json!({"collections": ["a"], "scope": "admin"}), "collections"),
        (json!({"more": "m".repeat(9000)}), "8 KiB"),
    ] {
        refused(&server, &signer.token(&bad), reason);
    }
    // It ends while it is remembered.
    let short = signer.token(&json!({"exp": now() - 8}));
    list(&server, &short).ok(200);
    crate::support::eventually("it has expired", || list(&server, &short).status == 401);
    refused(&server, &short, "expired");
}

#[test]
fn no_token_chooses_how_it_is_verified() {
    let (rsa, other) = (Signer::rsa("r"), Signer::rsa("r"));
    let p256 = Signer::p256("e");
    let issuer = Issuer::start(&[&rsa, &p256]);
    let server = with(&issuer).env("MCP_RAG__AUTH__JWT__SECRET", SECRET).start();
    let claims = claims(&json!({}));
    let unsigned = |alg: &str| {
        let header = json!({"alg": alg, "kid": "r"});
        format!("{}.{}.", encode(header.to_string()), encode(claims.to_string()))
    };
    for alg in ["none", "None", "NONE", "", "HS384", "RS512", "PS256", "hs256"] {
        refused(&server, &unsigned(alg), "not accepted");
    }
    refused(&server, &unsigned("RS256"), "signature is wrong");
    refused(&server, &unsigned("HS256"), "signature is wrong");
    // The public key, in the forms in which libraries held it, as the secret of an HMAC.
    let jwk = rsa.jwk();
    let n = jwk["n"].as_str().expect("a modulus");
    for secret in
        [jwk.to_string().into_bytes(), n.as_bytes().to_vec(), STANDARD.encode(n).into_bytes(), vec![]]
    {
        let forger = Signer { kid: "r".to_owned(), pair: Pair::Secret(secret) };
        refused(&server, &forger.token(&json!({})), "signature is wrong");
        refused(&server, &forger.sign(&json!({"alg": "RS256", "kid": "r"}), &claims), "signature is wrong");
    }
    // Another key under the same name; a key of another kind; a key that the token brings along.
    refused(&server, &other.token(&json!({})), "signature is wrong");
    refused(&server, &rsa.sign(&json!({"alg": "ES256", "kid": "e"}), &claims), "signature is wrong");
    refused(&server, &rsa.sign(&json!({"alg": "ES256", "kid": "r"}), &claims), "not known");
    let own = json!({"alg": "RS256", "kid": "r", "jwk": other.jwk(), "jku": issuer.url, "x5u": issuer.url});
    refused(&server, &other.sign(&own, &claims), "signature is wrong");
    refused(
        &server,
        &rsa.sign(&json!({"alg": "RS256", "kid": "r", "crit": ["exp"]}), &claims),
        "no JSON Web Token",
    );
    refused(&server, &rsa.sign(&json!({"alg": "RS256", "kid": "r", "typ": "logout+jwt"}), &claims), "type");
    list(&server, &rsa.token(&json!({}))).ok(200);

    let narrow =
        with(&issuer).env("MCP_RAG__AUTH__JWT__SECRET", SECRET).set("auth.jwt.algorithms", "ES256").start();
    list(&narrow, &p256.token(&json!({}))).ok(200);
    refused(&narrow, &rsa.token(&json!({})), "not accepted");
    refused(&narrow, &Signer::secret(SECRET).token(&json!({})), "not accepted");
}

#[test]
fn a_token_that_is_changed_anywhere_lets_nobody_in() {
    let signers = [Signer::p256("e"), Signer::ed25519("d"), Signer::secret(SECRET)];
    let issuer = Issuer::start(&[&signers[0], &signers[1]]);
    let server = with(&issuer).env("MCP_RAG__AUTH__JWT__SECRET", SECRET).start();
    let tokens = signers.each_ref().map(|signer| signer.token(&json!({})));
    for token in &tokens {
        list(&server, token).ok(200);
    }
    let change = (0..tokens.len(), any::<proptest::sample::Index>(), "[A-Za-z0-9_-]{1,3}");
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&change, |(which, at, with)| {
        let token = &tokens[which];
        let at = at.index(token.len());
        let end = (at + with.len()).min(token.len());
        let changed = format!("{}{with}{}", &token[..at], &token[end..]);
        // The last character of a part has bits that mean nothing; base64 must refuse others than zeros.
        prop_assume!(changed != *token);
        prop_assert_eq!(list(&server, &changed).status, 401, "{}", changed);
        Ok(())
    });
    outcome.expect("every change is refused");
    for token in &tokens {
        for cut in [1, token.len() / 2, token.len() - 1] {
            assert_eq!(list(&server, &token[..cut]).status, 401);
        }
    }
}

#[test]
fn settings_that_would_accept_more_than_they_seem_to_are_refused() {
    let base = || Server::builder().set("auth.jwt.issuer", super::ISSUER);
    let refused = |builder: crate::support::Builder, named: &str| {
        let (code, said) = builder.start_refused();
        assert_eq!(code, Some(78), "{named}: {said}");
        assert!(said.contains(named), "{said}");
    };
    refused(base().set("auth.jwt.secret", SECRET), "auth.jwt.audience");
    refused(base().set("auth.jwt.audience", "rag"), "auth.jwt.issuer needs a key");
    refused(Server::builder().set("auth.jwt.secret", SECRET), "auth.jwt.issuer");
    let full = || builder().set("auth.jwt.secret", SECRET);
    refused(builder().set("auth.jwt.secret", "short"), "auth.jwt.secret");
    refused(full().set("auth.jwt.algorithms", "RS256"), "auth.jwt.algorithms");
    refused(full().set("auth.jwt.algorithms", "none"), "auth.jwt.algorithms");
    refused(full().set("auth.jwt.leeway_ms", 300_001), "auth.jwt.leeway_ms");
    refused(full().set("auth.jwt.jwks_url", "https://user@login.example.com/"), "auth.jwt.jwks_url");
    let http = full().set("auth.jwt.jwks_url", "http://login.example.com/");
    refused(http.env("MCP_RAG_ENV", "production"), "auth.jwt.jwks_url");
    refused(builder().set("auth.jwt.audience", "rag").env("MCP_RAG_ENV", "production"), "auth.jwt.issuer");
}
