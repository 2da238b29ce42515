//! Three tenants with the same names for everything, their callers, and what there is of documents: the model that answers are held against.

use crate::support::{Reply, Server, binary};
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TOKEN: &str = "operator-token-for-tests";
pub(crate) const COLLECTIONS: [&str; 2] = ["docs", "notes"];
pub(crate) const PRINCIPALS: [&str; 3] = ["user:alice", "user:bob", "group:crew"];

/// Somebody with a key.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) tenant: usize,
    pub(crate) secret: String,
    pub(crate) principals: Vec<String>,
    pub(crate) writes: bool,
    pub(crate) only: Option<&'static str>,
    pub(crate) admin: bool,
}

impl Caller {
    pub(crate) fn sees_all(&self) -> bool {
        self.admin || self.principals.iter().any(|name| name == "*")
    }

    pub(crate) fn sees_collection(&self, name: &str) -> bool {
        self.only.is_none_or(|only| only == name)
    }

    pub(crate) fn sees(&self, document: &Document) -> bool {
        document.tenant == self.tenant
            && self.sees_collection(document.collection)
            && self.is_named_by(&document.acl)
    }

    pub(crate) fn is_named_by(&self, acl: &[String]) -> bool {
        acl.is_empty() || self.sees_all() || acl.iter().any(|name| self.principals.contains(name))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) tenant: usize,
    pub(crate) collection: &'static str,
    pub(crate) external_id: String,
    pub(crate) acl: Vec<String>,
    /// In its text, to be asked for by anyone.
    pub(crate) probe: String,
    /// In its text, title, attributes and uri, and in no request.
    pub(crate) secret: String,
}

pub(crate) struct World {
    pub(crate) server: Server,
    client: Client,
    pub(crate) callers: Vec<Caller>,
    /// Ids of the tenants in the database.
    pub(crate) tenants: Vec<i64>,
    /// By tenant, collection and name.
    pub(crate) documents: BTreeMap<(usize, &'static str, String), Document>,
    /// Secrets of documents that are replaced or gone are nobody's any more.
    pub(crate) gone: Vec<String>,
}

/// A name, scopes, principals, and the only collection.
type Kind = (&'static str, &'static [&'static str], &'static [&'static str], Option<&'static str>);

fn run(server: &Server, arguments: &[&str]) -> Value {
    let output = binary(server.home()).args(arguments).arg("--json").output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

impl World {
    pub(crate) fn start(redis: &str) -> Self {
        let server = Server::builder()
            .token(TOKEN)
            .env("MCP_RAG__REDIS__URL", redis)
            // Every collection is searched in memory as soon as it is searched at all.
            .set("index.memory_bytes", 1 << 28)
            .set("index.min_searches", 1)
            .start();
        let mut world = Self {
            client: Client::new(),
            callers: Vec::new(),
            tenants: vec![1],
            documents: BTreeMap::new(),
            gone: Vec::new(),
            server,
        };
        for name in ["acme", "zeta"] {
            let made = run(&world.server, &["tenants", "create", name]);
            let id = made["id"].as_str().and_then(|id| id.strip_prefix("ten_")).expect("an id");
            world.tenants.push(id.parse().expect("a number"));
        }
        for (tenant, name) in ["default", "acme", "zeta"].into_iter().enumerate() {
            world.people(tenant, name);
            for collection in COLLECTIONS {
                let admin = world.callers.iter().rfind(|one| one.admin).expect("an administrator").clone();
                world
                    .call(&admin, Method::POST, "/v1/collections", Some(&json!({"name": collection})))
                    .ok(201);
            }
        }
        world
    }

    /// A tenant's callers, by their scopes, principals and limits.
    fn people(&mut self, tenant: usize, of: &str) {
        let kinds: [Kind; 7] = [
            ("admin", &["admin"], &[], None),
            ("connector", &["search", "ingest"], &["*"], None),
            ("alice", &["search", "ingest"], &["user:alice", "group:crew"], None),
            ("bob", &["search", "ingest"], &["user:bob"], None),
            ("nobody", &["search"], &[], None),
            ("visitor", &["search"], &["user:alice"], Some("notes")),
            ("guest", &["search", "ingest"], &["user:bob"], Some("docs")),
        ];
        for (name, scopes, principals, only) in kinds {
            let mut arguments = vec!["keys", "create", name, "--tenant", of];
            scopes.iter().for_each(|scope| arguments.extend(["--scope", scope]));
            principals.iter().for_each(|principal| arguments.extend(["--principal", principal]));
            only.iter().for_each(|only| arguments.extend(["--collection", only]));
            let made = run(&self.server, &arguments);
            self.callers.push(Caller {
                name: format!("{of}/{name}"),
                tenant,
                secret: made["secret"].as_str().expect("a secret").to_owned(),
                principals: principals.iter().map(|name| (*name).to_owned()).collect(),
                writes: scopes.contains(&"ingest") || scopes.contains(&"admin"),
                only,
                admin: scopes.contains(&"admin"),
            });
        }
    }

    pub(crate) fn call(&self, caller: &Caller, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let request = self.client.request(method, format!("{}{path}", self.server.url()));
        let request = request.bearer_auth(&caller.secret);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        Reply::read(request.send().expect("an answer"))
    }

    pub(crate) fn mcp(&self, caller: &Caller, method: &str, params: &Value) -> Reply {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self.client.post(format!("{}/mcp", self.server.url())).bearer_auth(&caller.secret);
        let request = request
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .json(&body);
        Reply::read(request.send().expect("an answer"))
    }

    /// Fails where an answer holds what the caller may not see.
    #[track_caller]
    pub(crate) fn look_through(&self, caller: &Caller, what: &str, reply: &Reply) {
        let text = format!("{:?} {}", reply.headers, reply.text());
        assert!(reply.status < 500, "{} by {}: {text}", what, caller.name);
        for document in self.documents.values() {
            assert!(
                caller.sees(document) || !text.contains(&document.secret),
                "{what} shows {} a document that is not theirs: {document:?}\n{text}",
                caller.name
            );
        }
        for secret in &self.gone {
            assert!(!text.contains(secret), "{what} shows {} what is gone\n{text}", caller.name);
        }
    }
}
