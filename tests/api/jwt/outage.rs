use super::issuer::{Issuer, Mood};
use super::sign::Signer;
use super::{list, refused, with};
use crate::support::{Reply, Server, eventually};
use serde_json::json;
use std::time::{Duration, Instant};

fn breaker(server: &Server) -> String {
    let system = server.get("/v1/system").ok(200);
    let all = system["breakers"].as_array().expect("breakers");
    let jwks = all.iter().find(|one| one["name"] == "jwks").expect("its breaker");
    jwks["state"].as_str().expect("a state").to_owned()
}

#[test]
fn the_last_good_keys_are_kept_while_the_issuer_is_away_and_no_longer_than_they_may() {
    let (one, two) = (Signer::ed25519("1"), Signer::ed25519("2"));
    let issuer = Issuer::start(&[&one]);
    let server = with(&issuer)
        .set("auth.jwt.jwks_cooldown_ms", 200)
        .set("auth.jwt.jwks_max_age_ms", 400)
        .set("auth.jwt.jwks_stale_ms", 4000)
        .set("auth.jwt.jwks_timeout_ms", 500)
        .start();
    list(&server, &one.token(&json!({}))).ok(200);
    for mood in [
        Mood::Status(500),
        Mood::Garbage,
        Mood::Redirect(issuer.url.clone()),
        Mood::Silent(Duration::from_secs(1)),
        Mood::Endless,
    ] {
        issuer.be(mood.clone());
        let seen = issuer.fetches();
        eventually("it is asked and fails", || issuer.fetches() > seen);
        assert_eq!(list(&server, &one.token(&json!({}))).status, 200, "{mood:?}");
        issuer.publish(&[&one]);
        let start = issuer.fetches();
        eventually("it is asked again", || issuer.fetches() > start + 1);
    }
    issuer.be(Mood::Status(503));
    // A key that is not known may be a new one: nobody can say.
    eventually("it has failed", || list(&server, &two.token(&json!({}))).status == 503);
    let reply = list(&server, &two.token(&json!({})));
    assert!(!reply.header("retry-after").is_empty());
    reply.error(503, "unavailable");
    eventually("the circuit opens", || breaker(&server) == "open");
    let token = one.token(&json!({}));
    eventually("the keys are too old", || list(&server, &token).status == 503);
    list(&server, &one.token(&json!({}))).error(503, "unavailable");
    server.get("/v1/collections").ok(200); // the operator's token needs no issuer
    issuer.publish(&[&one, &two]);
    eventually("the issuer is back", || list(&server, &two.token(&json!({}))).status == 200);
    list(&server, &token).ok(200);
    eventually("the circuit closes", || breaker(&server) == "closed");
}

#[test]
fn a_server_starts_without_its_issuer_and_says_that_it_cannot_check() {
    let signer = Signer::ed25519("1");
    let issuer = Issuer::start(&[&signer]);
    issuer.be(Mood::Status(500));
    let server = with(&issuer).set("auth.jwt.jwks_cooldown_ms", 200).start();
    list(&server, &signer.token(&json!({}))).error(503, "unavailable");
    issuer.publish(&[&signer]);
    eventually("the keys are there", || list(&server, &signer.token(&json!({}))).status == 200);
}

#[test]
fn invented_keys_cause_no_more_fetches_than_the_cooldown_allows_and_hurt_nobody() {
    let signer = Signer::ed25519("1");
    let issuer = Issuer::start(&[&signer]);
    let server = with(&issuer).set("auth.jwt.jwks_cooldown_ms", 1000).start();
    list(&server, &signer.token(&json!({}))).ok(200);
    let (before, began) = (issuer.fetches(), Instant::now());
    let storm: Vec<Reply> = std::thread::scope(|scope| {
        let client = |client: usize| {
            let (server, good) = (&server, &signer);
            scope.spawn(move || {
                let ask = |n: usize| {
                    assert_eq!(list(server, &good.token(&json!({"n": n}))).status, 200);
                    list(server, &Signer::ed25519(&format!("{client}-{n}")).token(&json!({})))
                };
                (0..60).map(ask).collect::<Vec<_>>()
            })
        };
        let clients: Vec<_> = (0..8).map(client).collect();
        clients.into_iter().flat_map(|one| one.join().expect("no panic")).collect()
    });
    let took = began.elapsed();
    assert_eq!(storm.len(), 480);
    assert!(storm.iter().all(|reply| reply.status == 401));
    let fetches = issuer.fetches() - before;
    let bound = usize::try_from(took.as_millis() / 1000).expect("small") + 1;
    assert!((1..=bound).contains(&fetches), "{fetches} fetches in {took:?}, at most {bound}");
    refused(&server, &Signer::ed25519("x").token(&json!({})), "not known");
}
