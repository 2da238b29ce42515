//! One random operation after another, and what must hold of each answer.

use crate::dice::Dice;
use crate::support::Reply;
use crate::support::calls::segment;
use crate::surfaces::{KINDS, question};
use crate::world::{COLLECTIONS, Caller, Document, PRINCIPALS, World};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The same names in every tenant, few enough to meet.
const NAMES: usize = 12;

pub(crate) struct Walk {
    pub(crate) world: World,
    dice: Dice,
    made: u64,
    /// How often what happened.
    seen: BTreeMap<&'static str, u64>,
}

impl Walk {
    pub(crate) fn new(world: World, dice: Dice) -> Self {
        Self { world, dice, made: 0, seen: BTreeMap::new() }
    }

    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_insert(0) += 1;
    }

    /// What makes the walk worth anything has happened often.
    pub(crate) fn report(&self) {
        println!("{:?}", self.seen);
        for what in ["written", "refused to write", "deleted", "shown", "hidden", "counted"] {
            assert!(self.seen.get(what).is_some_and(|times| *times >= 20), "{what}: {:?}", self.seen);
        }
    }

    pub(crate) fn step(&mut self) {
        let caller = self.dice.of(&self.world.callers).clone();
        match self.dice.below(10) {
            0 | 1 => self.write(&caller),
            2 if self.dice.once_in(2) => self.delete(&caller),
            2 => self.count_documents(&caller),
            _ => self.ask(&caller),
        }
    }

    fn name(&mut self) -> String {
        format!("paper {}/{}", self.dice.below(NAMES), "a?b")
    }

    fn acl(&mut self) -> Vec<String> {
        if self.dice.once_in(3) {
            return Vec::new();
        }
        let mut acl = vec![(*self.dice.of(&PRINCIPALS)).to_owned()];
        if self.dice.once_in(3) {
            acl.push((*self.dice.of(&PRINCIPALS)).to_owned());
        }
        acl
    }

    fn write(&mut self, caller: &Caller) {
        let (collection, external_id, acl) = (*self.dice.of(&COLLECTIONS), self.name(), self.acl());
        self.made += 1;
        let word = |dice: &mut Dice, kind: &str, n: u64| format!("{kind}{n}x{:012x}", dice.next() >> 16);
        let (probe, secret) =
            (word(&mut self.dice, "probe", self.made), word(&mut self.dice, "hush", self.made));
        let key = (caller.tenant, collection, external_id.clone());
        let before = self.world.documents.get(&key).cloned();
        // Sometimes nothing but the acl is new.
        let (probe, secret) = match &before {
            Some(before) if caller.sees(before) && self.dice.once_in(3) => {
                (before.probe.clone(), before.secret.clone())
            }
            _ => (probe, secret),
        };
        let body = json!({
            "title": format!("Of {secret}"), "uri": format!("https://example.com/{secret}"), "acl": acl,
            "attributes": {"probe": probe, "note": secret},
            "text": format!("The {probe} is about whales. Its answer is {secret}."),
        });
        let path = format!("/v1/collections/{collection}/documents/{}?wait=true", segment(&external_id));
        let reply = self.world.call(caller, Method::PUT, &path, Some(&body));
        let may = caller.writes
            && caller.sees_collection(collection)
            && caller.is_named_by(&acl)
            && before.as_ref().is_none_or(|before| caller.sees(before));
        if !may {
            assert!([403, 404].contains(&reply.status), "{} wrote {key:?}: {}", caller.name, reply.text());
            // What the writer has sent itself may come back; nothing else.
            self.world.look_through(caller, "a refused write", &reply);
            return self.count("refused to write");
        }
        assert!([200, 201].contains(&reply.status), "{}: {}", caller.name, reply.text());
        if let Some(before) = before.filter(|before| before.secret != secret) {
            self.world.gone.push(before.secret);
        }
        let tenant = caller.tenant;
        let document = Document { tenant, collection, external_id, acl, probe, secret };
        self.world.documents.insert(key, document);
        self.world.look_through(caller, "a write", &reply);
        self.count("written");
    }

    fn delete(&mut self, caller: &Caller) {
        // Anyone's, by a name that most often exists in the caller's tenant too.
        let known: Vec<_> = self.world.documents.keys().cloned().collect();
        if known.is_empty() {
            return;
        }
        let (_, collection, external_id) = self.dice.of(&known).clone();
        let key = (caller.tenant, collection, external_id.clone());
        let path = format!("/v1/collections/{collection}/documents/{}", segment(&external_id));
        let reply = self.world.call(caller, Method::DELETE, &path, None);
        self.world.look_through(caller, "a delete", &reply);
        let seen = self.world.documents.get(&key).is_some_and(|document| caller.sees(document));
        if caller.writes && seen {
            reply.ok(200);
            let gone = self.world.documents.remove(&key).expect("it was there");
            self.world.gone.push(gone.secret);
            self.count("deleted");
        } else {
            assert!([403, 404].contains(&reply.status), "{}: {}", caller.name, reply.text());
        }
    }

    /// Counts are of what the caller sees, wherever they are told.
    fn count_documents(&mut self, caller: &Caller) {
        let reply = self.world.call(caller, Method::GET, "/v1/collections", None);
        self.world.look_through(caller, "collections", &reply);
        for collection in reply.ok(200)["data"].as_array().expect("collections") {
            let name = collection["name"].as_str().expect("a name");
            let seen = self.world.documents.values();
            let seen = seen.filter(|one| one.collection == name && caller.sees(one)).count();
            assert_eq!(collection["documents"], json!(seen), "{} counts {name}: {collection}", caller.name);
        }
        self.count("counted");
    }

    fn ask(&mut self, caller: &Caller) {
        // Half of the time one of the caller's own tenant.
        let own = self.dice.once_in(2);
        let among: Vec<_> = self
            .world
            .documents
            .values()
            .filter(|one| !own || one.tenant == caller.tenant)
            .cloned()
            .collect();
        if among.is_empty() {
            return;
        }
        let document = self.dice.of(&among).clone();
        let (kind, other) = (self.dice.below(KINDS), self.dice.below(60) + 1);
        let asked = question(kind, caller, &document, other);
        let reply = match (asked.mcp, &asked.body) {
            (Some(method), Some(params)) => self.world.mcp(caller, method, params),
            (_, body) => self.world.call(caller, asked.method, &asked.path, body.as_ref()),
        };
        self.world.look_through(caller, &asked.path, &reply);
        let shown = reply.text().contains(&document.secret);
        if asked.shows && caller.sees(&document) {
            assert!(
                shown,
                "{} asks {} and is not shown {document:?}: {}",
                caller.name,
                asked.path,
                reply.text()
            );
        }
        self.hits(caller, &reply);
        self.count(if shown { "shown" } else { "hidden" });
    }

    /// Every hit of a search is a document of the caller's own, as it is now.
    fn hits(&mut self, caller: &Caller, reply: &Reply) {
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        for hit in body["results"].as_array().into_iter().flatten() {
            let Some(collection) = COLLECTIONS.into_iter().find(|name| hit["collection"] == *name) else {
                continue;
            };
            let name = hit["external_id"].as_str().unwrap_or_default().to_owned();
            let document = self.world.documents.get(&(caller.tenant, collection, name));
            assert!(document.is_some_and(|one| caller.sees(one)), "{}: {hit}", caller.name);
        }
    }
}
