//! One limit over three servers that share a Redis, and what is left of it while that is away.

use crate::support::{Server, eventually};
use crate::{TOKEN, counter, key};
use mcp_rag_chaos::postgres::Cluster;
use mcp_rag_chaos::redis::Redis;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A request's end, and whether it was admitted.
type Sample = (Instant, bool);

struct Three {
    servers: Vec<Server>,
    redis: Redis,
    _database: Cluster,
}

impl Three {
    fn start(sets: &[(&str, &str)]) -> Self {
        let (database, redis) = (Cluster::start(), Redis::start());
        database.run("postgres", "CREATE DATABASE rag");
        let start = |_| {
            let builder = Server::builder()
                .token(TOKEN)
                .env("MCP_RAG__DATABASE__URL", database.url("rag"))
                .env("MCP_RAG__REDIS__URL", redis.url())
                .set("server.workers", 1);
            sets.iter().fold(builder, |builder, (key, value)| builder.set(key, value)).start()
        };
        Self { servers: (0..3).map(start).collect(), redis, _database: database }
    }

    /// Asks all servers as fast as they answer until `work` is over, by every secret in turn; the ends of its own.
    fn flood<T>(&self, secrets: &[&str], work: impl FnOnce() -> T) -> (Vec<Vec<Sample>>, T) {
        let (over, samples) = (AtomicBool::new(false), Mutex::new(vec![Vec::new(); secrets.len()]));
        let body = json!({"query": "anything", "mode": "lexical"});
        let done = std::thread::scope(|scope| {
            for thread in 0..6 {
                let (over, samples, body) = (&over, &samples, &body);
                let url = format!("{}/v1/search", self.servers[thread % 3].url());
                scope.spawn(move || {
                    let client = reqwest::blocking::Client::new();
                    let mut own: Vec<(usize, Sample)> = Vec::new();
                    let mut turn = thread;
                    while !over.load(Ordering::Relaxed) {
                        turn += 1;
                        let at = turn % secrets.len();
                        let request = client.post(&url).bearer_auth(secrets[at]).json(body);
                        let status = request.send().expect("an answer").status().as_u16();
                        assert!([200, 429].contains(&status), "{status}");
                        own.push((at, (Instant::now(), status == 200)));
                    }
                    let mut samples = samples.lock().expect("not poisoned");
                    own.into_iter().for_each(|(at, sample)| samples[at].push(sample));
                });
            }
            let done = work();
            over.store(true, Ordering::Relaxed);
            done
        });
        (samples.into_inner().expect("not poisoned"), done)
    }

    fn decided(&self, level: &str) -> u64 {
        let admitted = |server| {
            let line = "mcp_rag_quota_requests_total{budget=\"search\",level=";
            counter(server, &format!("{line}\"{level}\",outcome=\"admitted\"}} "))
        };
        self.servers.iter().map(admitted).sum()
    }
}

fn within(samples: &[Sample], from: Instant, until: Instant) -> (usize, usize) {
    let inside = || samples.iter().filter(|(at, _)| (from..=until).contains(at));
    (inside().filter(|(_, admitted)| *admitted).count(), inside().count())
}

const LIMIT: Duration = Duration::from_secs(8);

#[test]
fn three_servers_admit_the_limit_and_no_more_under_a_twentyfold_overload() {
    // What is measured is the arithmetic: a busy machine must not be mistaken for a Redis that is away.
    let three = Three::start(&[("redis.timeout_ms", "5000")]);
    let [rate, burst] = [10, 20];
    let limits = json!({"search_per_second": rate, "search_burst": burst});
    let (_, secret) = key(&three.servers[0], &limits);
    let began = Instant::now();
    let (samples, ()) = three.flood(&[&secret], || std::thread::sleep(LIMIT));
    let last = samples[0].iter().map(|(at, _)| *at).max().expect("answers");
    let (admitted, offered) = within(&samples[0], began, last);
    let allowed = f64::from(burst) + f64::from(rate) * (last - began).as_secs_f64();
    println!(
        "{admitted} of {offered} admitted, {allowed:.1} allowed, {:.1} times as many",
        offered as f64 / allowed
    );
    assert!(offered as f64 > 20.0 * allowed, "not enough of an overload: {offered} of {allowed}");
    assert!((admitted as f64 / allowed - 1.0).abs() < 0.05, "{admitted} of {allowed}");
    assert_eq!(three.decided("shared"), admitted as u64);
    assert_eq!(three.decided("fallback"), 0);
}

#[test]
fn without_redis_every_server_holds_its_part_and_the_whole_again_when_it_is_back() {
    let mut three = Three::start(&[("quotas.replicas", "3"), ("redis.timeout_ms", "500")]);
    let [rate, burst] = [15, 15];
    let limits = json!({"search_per_second": rate, "search_burst": burst});
    let (_, busy) = key(&three.servers[0], &limits);
    let pause = Duration::from_secs(4);
    three.flood(&[&busy], || std::thread::sleep(Duration::from_secs(2)));
    assert!(three.decided("shared") > 0);

    three.redis.kill9();
    let began = Instant::now();
    let (samples, ()) = three.flood(&[&busy], || std::thread::sleep(pause));
    let last = samples[0].iter().map(|(at, _)| *at).max().expect("answers");
    let (admitted, offered) = within(&samples[0], began, last);
    let allowed = f64::from(burst) + f64::from(rate) * (last - began).as_secs_f64();
    println!("away: {admitted} of {offered} admitted, {allowed:.1} allowed");
    assert!(admitted as f64 <= allowed * 1.05, "the limit does not hold: {admitted} of {allowed}");
    assert!(admitted as f64 >= allowed * 0.6, "a Redis that is away closes nothing: {admitted} of {allowed}");
    assert!(three.decided("fallback") > 0);

    three.redis.restart();
    let before = three.decided("shared");
    eventually("Redis decides again", || {
        three.flood(&[&busy], || std::thread::sleep(Duration::from_millis(500)));
        three.decided("shared") > before
    });
}

#[test]
fn what_one_key_asks_for_costs_no_other_key_anything() {
    let three = Three::start(&[("redis.timeout_ms", "5000")]);
    let limits: Value = json!({"search_per_second": 5, "search_burst": 5});
    let (_, busy) = key(&three.servers[0], &limits);
    let (_, calm) = key(&three.servers[1], &limits);
    let body = json!({"query": "anything", "mode": "lexical"});
    let (samples, calm) = three.flood(&[&busy], || {
        let client = reqwest::blocking::Client::new();
        let ask = |n: usize| {
            let url = format!("{}/v1/search", three.servers[n % 3].url());
            std::thread::sleep(Duration::from_millis(300));
            client.post(url).bearer_auth(&calm).json(&body).send().expect("an answer").status().as_u16()
        };
        (0..12).map(ask).collect::<Vec<_>>()
    });
    assert_eq!(calm, [200; 12], "a third of its limit");
    assert!(samples[0].iter().any(|(_, admitted)| !admitted), "the other one was over its limit");
}
