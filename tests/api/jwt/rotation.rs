use super::issuer::Issuer;
use super::sign::Signer;
use super::{builder, list, refused, with};
use crate::support::eventually;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const OLD: &str = "the old shared secret of at least 32 bytes";
const COOLDOWN: Duration = Duration::from_millis(200);
const NEW: &str = "the new shared secret of at least 32 bytes";

#[test]
fn keys_are_rotated_under_load_without_one_refused_request() {
    let signers: Vec<Signer> = (0..4).map(|n| Signer::p256(&n.to_string())).collect();
    let issuer = Issuer::start(&[&signers[0]]);
    let server = with(&issuer).set("auth.jwt.jwks_cooldown_ms", COOLDOWN.as_millis()).start();
    list(&server, &signers[0].token(&json!({}))).ok(200);
    let (current, stop, answered) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicUsize::new(0));
    let failures: Vec<String> = std::thread::scope(|scope| {
        let client = || {
            scope.spawn(|| {
                let mut failures = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let signer = &signers[current.load(Ordering::SeqCst)];
                    let reply = list(&server, &signer.token(&json!({})));
                    if reply.status != 200 {
                        failures.push(format!("{}: {}", signer.kid, reply.text()));
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                failures
            })
        };
        let clients: Vec<_> = (0..4).map(|_| client()).collect();
        for next in 1..signers.len() {
            let (goal, due) = (answered.load(Ordering::SeqCst) + 60, Instant::now() + COOLDOWN);
            let more = || answered.load(Ordering::SeqCst) >= goal && Instant::now() >= due;
            eventually("requests are answered, and the cooldown is over", more);
            // Published in the same moment in which it is first used; the one before is still in use.
            let seen = issuer.fetches();
            issuer.publish(&[&signers[next - 1], &signers[next]]);
            current.store(next, Ordering::SeqCst);
            eventually("the new key is fetched", || issuer.fetches() > seen);
        }
        let goal = answered.load(Ordering::SeqCst) + 60;
        eventually("requests are answered", || answered.load(Ordering::SeqCst) >= goal);
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|one| one.join().expect("no panic")).collect()
    });
    assert!(failures.is_empty(), "{} failed: {:?}", failures.len(), failures.first());
    // A key that is published no more lets nobody in, remembered or not.
    refused(&server, &signers[0].token(&json!({})), "not known");
}

#[test]
fn keys_are_fetched_in_the_background_before_their_time_is_up() {
    let (one, two) = (Signer::ed25519("1"), Signer::ed25519("2"));
    let issuer = Issuer::start(&[&one]);
    issuer.publish_for(&[&one], 1);
    let server = with(&issuer).start();
    let remembered = one.token(&json!({}));
    list(&server, &remembered).ok(200);
    issuer.publish_for(&[&two], 3600);
    eventually("the old key ends by itself", || list(&server, &remembered).status == 401);
    let seen = issuer.fetches();
    list(&server, &two.token(&json!({}))).ok(200);
    assert_eq!(issuer.fetches(), seen, "nobody waited for it");
}

#[test]
fn a_replaced_secret_is_accepted_for_the_overlap_and_tokens_of_both_work_meanwhile() {
    let home = tempfile::tempdir().expect("a directory");
    let secrets = home.path().join("secrets");
    std::fs::create_dir(&secrets).expect("a folder");
    let write = |secret: &str| {
        std::fs::write(secrets.join(".new"), secret).expect("written");
        std::fs::rename(secrets.join(".new"), secrets.join("auth__jwt__secret")).expect("replaced");
    };
    write(OLD);
    let mut server = builder().set("reload.interval_ms", 100).set("auth.overlap_ms", 3000).start_in(home);
    let (old, new) = (Signer::secret(OLD).token(&json!({})), Signer::secret(NEW).token(&json!({})));
    list(&server, &old).ok(200);
    refused(&server, &new, "signature is wrong");
    write(NEW);
    eventually("the new one is taken over", || list(&server, &new).status == 200);
    list(&server, &old).ok(200);
    eventually("the old one ends", || list(&server, &old).status == 401);
    list(&server, &new).ok(200);
    // A mount that vanishes for a moment changes nothing.
    std::fs::remove_file(secrets.join("auth__jwt__secret")).expect("it was there");
    server.log().await_line(0, |line| line.message().contains("not reloaded"));
    list(&server, &new).ok(200);
    server.stop();
    assert!(!server.log().contains("shared secret"));
}
