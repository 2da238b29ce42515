//! Writers of one collection that do everything a client can do to it, at once, and are killed in the middle.

use crate::dice::Dice;
use crate::support::Server;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Scope;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Few, so that writers meet.
const DOCUMENTS: usize = 24;
const SUBJECTS: [&str; 6] = ["whales", "lighthouses", "glaciers", "railways", "orchards", "volcanoes"];

/// What was done, for a test to know that something was.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) written: AtomicUsize,
    pub(crate) deleted: AtomicUsize,
    pub(crate) killed: AtomicUsize,
}

/// Tells the writers to end when it ends.
pub(crate) struct Over<'a>(pub(crate) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts `count` writers of the collection `docs`, which end when they are told to.
pub(crate) fn start<'s>(
    scope: &'s Scope<'s, '_>,
    server: &'s Server,
    count: u64,
    stop: &'s AtomicBool,
    done: &'s Done,
) {
    for seed in 0..count {
        scope.spawn(move || {
            let mut dice = Dice::new(seed);
            while !stop.load(Ordering::Relaxed) {
                one(server, &mut dice, done);
            }
        });
    }
}

fn text(dice: &mut Dice) -> String {
    let sentences = 1 + dice.below(12);
    let sentence = |dice: &mut Dice| {
        format!("The {} of the {} are {} years old.", dice.of(&SUBJECTS), dice.of(&SUBJECTS), dice.below(90))
    };
    (0..sentences).map(|_| sentence(dice)).collect::<Vec<_>>().join("\n\n")
}

/// One request; what it answers is its own business, and some have no time to be answered.
fn one(server: &Server, dice: &mut Dice, done: &Done) {
    let collection = format!("{}/v1/collections/docs", server.url());
    let document = format!("{collection}/documents/d{}", dice.below(DOCUMENTS));
    let killed = dice.once_in(6);
    let limit = if killed { Duration::from_millis(1 + dice.next() % 30) } else { Duration::from_secs(30) };
    let client = Client::builder().timeout(limit).no_proxy().build().expect("a client");
    let mut deletes = false;
    let request = match dice.below(10) {
        0 | 1 => {
            deletes = true;
            client.delete(&document)
        }
        2 => {
            deletes = true;
            let filter = json!({"filter": {"type": "eq", "key": "n", "value": dice.below(8)}});
            client.post(format!("{collection}/documents/delete")).json(&filter)
        }
        3 => client.put(format!("{document}?wait=true")).json(&lasting(dice, 1)),
        4 => client.put(format!("{document}?wait=true")).json(&lasting(dice, 3600)),
        // The same text with other metadata, where one writer meets itself; another text with a title else.
        5 | 6 => client.put(format!("{document}?wait=true")).json(&json!({
            "text": "The same text as ever.", "attributes": {"n": dice.below(8)},
        })),
        _ => client.put(format!("{document}?wait=true")).json(&json!({
            "text": text(dice), "title": dice.of(&SUBJECTS), "attributes": {"n": dice.below(8)},
        })),
    };
    match request.send() {
        Ok(reply) if reply.status().is_success() => {
            let count = if deletes { &done.deleted } else { &done.written };
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(_) => {}
        Err(_) => {
            done.killed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A document that ends by itself.
fn lasting(dice: &mut Dice, seconds: i64) -> Value {
    let end = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
    let end = end.format(&Rfc3339).expect("a time");
    json!({"text": text(dice), "expires_at": end, "attributes": {"n": dice.below(8)}})
}
