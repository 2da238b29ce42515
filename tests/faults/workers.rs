//! Several workers on one queue: shared, taken over, taken up again, and told of.

use crate::support::{Server, binary, eventually};
use crate::tools::{check_statistics, document, lines, number, sql};
use mcp_rag_chaos::model::{DIMENSIONS, Endpoint, Model, Pace};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::process::{Child, Stdio};
use std::time::Duration;

/// `mcp-rag worker` on a server's database; killed at the end of the test.
struct Worker(Child);

impl Worker {
    fn start(server: &Server, sets: &[String]) -> Self {
        let mut command = binary(server.home());
        command.args(["worker", "--set", "admin.port=0", "--set", "ingest.lease_ms=1500"]);
        for set in sets {
            command.args(["--set", set]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("the binary runs"))
    }

    fn kill9(mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("it is killed");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn workers_in_processes_of_their_own_share_a_job_and_take_over_from_one_that_is_killed() {
    let server = Server::builder().set("ingest.worker", false).start();
    server.create("docs");
    let receipt = server.ndjson("docs", &lines((0..300).map(|n| document(n, 0)))).ok(202);
    let few = ["ingest.concurrency=4".to_owned()];
    let [first, second] = [Worker::start(&server, &few), Worker::start(&server, &few)];
    let owners = "SELECT count(DISTINCT lease_owner) FROM tasks WHERE lease_owner IS NOT NULL";
    eventually("both have some of it", || number(&server, owners) == 2);
    first.kill9();
    let job = server.await_job(receipt["job"].as_str().expect("a job"));
    assert_eq!((&job["status"], &job["progress"]["done"]), (&json!("succeeded"), &json!(300)), "{job}");
    assert_eq!(number(&server, "SELECT count(*) FROM tasks"), 0);
    check_statistics(&server);
    drop(second);
}

fn with_model(model: &Model) -> Vec<String> {
    vec![
        "embedder.kind=openai".to_owned(),
        format!("embedder.base_url={}", model.url()),
        "embedder.model=hashed-words".to_owned(),
        format!("embedder.dimensions={DIMENSIONS}"),
    ]
}

fn embedded(model: &Model) -> HashMap<String, usize> {
    let mut texts = HashMap::new();
    for asked in model.asked() {
        for text in asked.body["input"].as_array().expect("texts") {
            *texts.entry(text.as_str().expect("a text").to_owned()).or_default() += 1;
        }
    }
    texts
}

#[test]
fn a_worker_killed_within_a_long_document_costs_the_batch_it_was_at_and_no_more() {
    let model = Model::paced(Pace { embeddings: Duration::from_millis(300), ..Pace::default() });
    let mut builder = Server::builder().set("ingest.worker", false);
    for set in with_model(&model) {
        let (key, value) = set.split_once('=').expect("a pair");
        builder = builder.set(key, value);
    }
    let server = builder.start();
    server.create("docs");
    let paragraph =
        |n: usize| format!("## Part {n}\n\nThe lighthouse keeper wrote {n} in the log. ").repeat(6);
    let text: String = (0..1500).map(paragraph).collect();
    let path = Server::document_path("docs", "long");
    let job = server.put(&path, &json!({"text": text, "media_type": "text/markdown"})).ok(202)["job"].clone();
    let staged = "SELECT count(*) FROM staged_embeddings";
    let mut least = 0;
    for _ in 0..3 {
        let worker = Worker::start(&server, &with_model(&model));
        eventually("it gets on", || number(&server, staged) > least);
        least = number(&server, staged);
        worker.kill9();
    }
    let last = Worker::start(&server, &with_model(&model));
    let done = server.await_job(job.as_str().expect("a job"));
    assert_eq!((&done["status"], &done["attempts"]), (&json!("succeeded"), &json!(4)), "{done}");
    drop(last);
    let texts = embedded(&model);
    let (distinct, all) = (texts.len(), texts.values().sum::<usize>());
    let chunks = number(&server, "SELECT count(*) FROM chunks");
    assert!(distinct > 300 && chunks >= i64::try_from(distinct).expect("few"), "{distinct} of {chunks}");
    assert!(all - distinct <= 3 * 64, "{all} texts were embedded, {distinct} differ");
    println!(
        "{} requests, {distinct} texts, {} of them twice",
        model.requests(Endpoint::Embeddings),
        all - distinct
    );
    assert_eq!(number(&server, staged), 0, "nothing stays behind");
    check_statistics(&server);
}

#[test]
fn a_document_that_costs_every_worker_its_life_is_given_up_and_can_be_taken_up_again() {
    let server = Server::builder().set("ingest.worker", false).start();
    server.create("docs");
    let receipt = server.ndjson("docs", &lines((0..3).map(|n| document(n, 0)))).ok(202);
    let job = receipt["job"].as_str().expect("a job").to_owned();
    // As five workers that were lost would leave it.
    sql(
        &server,
        "UPDATE tasks SET attempts = 5 WHERE document_id = (SELECT min(document_id) FROM documents)",
    );
    let worker = Worker::start(&server, &[]);
    let done = server.await_job(&job);
    assert_eq!((&done["status"], &done["progress"]["failed"]), (&json!("succeeded"), &json!(1)), "{done}");
    let failed = server.get("/v1/collections/docs/documents?status=failed").ok(200);
    let reason = failed["data"][0]["error"].as_str().expect("a reason");
    assert!(reason.contains("5 workers were lost"), "{reason}");
    let again = server.post(&format!("/v1/jobs/{job}/retry"), &Value::Null).ok(202);
    assert_eq!(again["progress"]["failed"], 0, "{again}");
    let done = server.await_job(&job);
    assert_eq!((&done["status"], &done["error"]), (&json!("succeeded"), &Value::Null), "{done}");
    assert_eq!(server.get("/v1/collections/docs").ok(200)["documents"], 3);
    let refused = server.post(&format!("/v1/jobs/{job}/retry"), &Value::Null);
    assert_eq!(refused.status, 409, "nothing of it has failed any more");
    drop(worker);
}

/// What `claim_tasks` hands out, one at a time.
fn turns(server: &Server, claims: usize) -> Vec<(i64, i64)> {
    (0..claims)
        .filter_map(|_| {
            let claim = "SELECT tenant, task FROM claim_tasks('test', '1 minute', 1)";
            sql(server, claim).first().map(|row| (row.get(0), row.get(1)))
        })
        .collect()
}

fn fill(server: &Server, tenant: i64, class: i64, tasks: i64) {
    let job = format!(
        "WITH t AS (INSERT INTO tenants (name) OVERRIDING SYSTEM VALUE SELECT 'tenant-{tenant}' \
           WHERE NOT EXISTS (SELECT FROM tenants WHERE tenant_id = {tenant})), \
         c AS (INSERT INTO collections (tenant_id, name, language, max_tokens, overlap_tokens) \
               VALUES ({tenant}, 'queue-{class}', 'en', 256, 32) RETURNING collection_id) \
         INSERT INTO jobs (tenant_id, collection_id, kind, total, class) SELECT {tenant}, collection_id, 'ingest', 0, {class} FROM c"
    );
    sql(server, &job);
    let tasks = format!(
        "INSERT INTO tasks (tenant_id, job_id, kind, class) \
         SELECT tenant_id, max(job_id), 'webhook', {class} FROM jobs, generate_series(1, {tasks}) \
         WHERE tenant_id = {tenant} GROUP BY tenant_id, generate_series"
    );
    sql(server, &tasks);
}

#[test]
fn tenants_take_turns_and_what_somebody_waits_for_goes_before_bulk_without_starving_it() {
    let server = Server::builder().set("ingest.worker", false).start();
    sql(&server, "INSERT INTO tenants (name) VALUES ('second'), ('third')");
    fill(&server, 1, 1, 60);
    fill(&server, 2, 1, 4);
    fill(&server, 3, 1, 4);
    let order: Vec<i64> = turns(&server, 12).iter().map(|(tenant, _)| *tenant).collect();
    for tenant in [2, 3] {
        let served = order.iter().filter(|one| **one == tenant).count();
        assert_eq!(served, 4, "a tenant with a long queue holds nobody up: {order:?}");
    }
    fill(&server, 1, 0, 30);
    let classes: Vec<i64> = turns(&server, 16)
        .iter()
        .map(|(_, task)| number(&server, &format!("SELECT class::bigint FROM tasks WHERE task_id = {task}")))
        .collect();
    let bulk = classes.iter().filter(|class| **class == 1).count();
    assert_eq!(bulk, 4, "every fourth turn begins with bulk: {classes:?}");
}

#[test]
fn of_a_document_that_changes_only_the_changed_chunks_are_embedded_again() {
    let model = Model::start();
    let mut builder = Server::builder();
    for set in with_model(&model) {
        let (key, value) = set.split_once('=').expect("a pair");
        builder = builder.set(key, value);
    }
    let server = builder.start();
    server.create("docs");
    let text = |changed: Option<usize>| -> String {
        let part = |n: usize| {
            let word = if changed == Some(n) { "stormy" } else { "calm" };
            format!("## Day {n}\n\n")
                + &format!("The sea of day {n} was {word} and the ship sailed on. ").repeat(12)
        };
        (0..30).map(|n| part(n) + "\n\n").collect()
    };
    let put = |changed, extra: Value| {
        let mut body = json!({"text": text(changed), "media_type": "text/markdown", "title": "Log"});
        body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        let reply = server.put_document("docs", "log", &body);
        assert!([200, 201].contains(&reply.status), "{}", reply.text());
        reply.json()
    };
    let all = || embedded(&model).values().sum::<usize>();
    let first = put(None, json!({}));
    let chunks = first["document"]["chunks"].as_u64().expect("a number");
    assert!(chunks >= 15 && all() as u64 == chunks, "{chunks} chunks, {} texts", all());
    let before = all();
    put(Some(17), json!({}));
    assert!((1..=3).contains(&(all() - before)), "{} texts for one changed part", all() - before);
    let before = all();
    let later = "2100-01-01T00:00:00Z";
    put(Some(17), json!({"attributes": {"ship": "Rose"}}));
    put(Some(17), json!({"attributes": {"ship": "Rose"}, "expires_at": later}));
    put(Some(17), json!({"acl": ["crew"], "uri": "https://x/log"}));
    assert_eq!(all(), before, "metadata is not embedded");
    assert_eq!(number(&server, "SELECT count(*) FROM tasks"), 0);
    check_statistics(&server);
}
