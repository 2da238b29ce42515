//! Faults on purpose are compiled in only when asked for.
use crate::support::Server;

#[cfg(not(feature = "failpoints"))]
#[test]
fn a_build_for_use_has_no_failpoints() {
    let mut server = Server::start();
    let url = format!("{}/failpoints/store::job", server.admin_url());
    let answer = reqwest::blocking::Client::new().put(url).body("panic:1").send().expect("an answer");
    assert_eq!(answer.status().as_u16(), 404);
    server.stop();
    let program = std::fs::read(env!("CARGO_BIN_EXE_mcp-rag")).expect("the program");
    let armed = b"failpoint armed";
    assert!(
        !program.windows(armed.len()).any(|bytes| bytes == armed),
        "the program can be broken on purpose"
    );
}

#[cfg(feature = "failpoints")]
#[test]
fn every_actor_of_a_running_server_can_be_broken_and_comes_back() {
    use serde_json::Value;
    let mut server = Server::builder().allow_panics().start();
    let http = reqwest::blocking::Client::new();
    let system = |server: &Server| server.get("/v1/system").ok(200);
    let actors = system(&server)["actors"].as_array().expect("actors").clone();
    for name in actors.iter().filter_map(|actor| actor["name"].as_str()) {
        for fault in ["panic:1", "crash:1", "stop:1", "kill:1", "error:1"] {
            let url = format!("{}/failpoints/{name}::life", server.admin_url());
            let answer = http.put(url).body(fault).send().expect("an answer");
            assert_eq!(answer.status().as_u16(), 200, "{name} {fault}");
        }
        // Arming replaces: the last one surely strikes.
        crate::support::eventually("it was replaced and runs", || {
            system(&server)["actors"].as_array().is_some_and(|all| {
                all.iter().any(|actor| {
                    actor["name"] == name
                        && actor["state"] == "running"
                        && actor["restarts"].as_u64().is_some_and(|restarts| restarts >= 1)
                })
            })
        });
    }
    let url = format!("{}/failpoints", server.admin_url());
    let points: Value = http.get(url).send().and_then(reqwest::blocking::Response::json).expect("JSON");
    assert_eq!(points["failpoints"].as_array().map(Vec::len), Some(actors.len()));
    server.stop();
}

#[cfg(feature = "failpoints")]
fn arm(server: &Server, point: &str, plan: &'static str) {
    let url = format!("{}/failpoints/{point}", server.admin_url());
    let answer = reqwest::blocking::Client::new().put(url).body(plan).send().expect("an answer");
    assert_eq!(answer.status().as_u16(), 200, "{point} {plan}");
}

#[cfg(feature = "failpoints")]
#[test]
fn an_actor_that_cannot_be_kept_alive_ends_the_server_with_status_70() {
    let mut server = Server::builder().allow_panics().set("supervision.intensity", 3).start();
    arm(&server, "generator::life", "panic");
    assert_eq!(server.ended(), Some(70), "{}", server.log());
}

#[cfg(feature = "failpoints")]
#[test]
fn the_end_of_what_supervises_ends_the_server_with_status_71() {
    let mut server = Server::start();
    arm(&server, "root::life", "kill:1");
    assert_eq!(server.ended(), Some(71), "{}", server.log());
}

#[cfg(feature = "failpoints")]
#[test]
fn a_wedged_store_is_replaced_and_the_searches_that_met_it_are_answered() {
    let mut server = Server::builder().set("supervision.wedge_ms", 500).start();
    server.create("notes");
    arm(&server, "store::job", "wedge:4000:1");
    let began = std::time::Instant::now();
    server.get("/v1/collections/notes").ok(200);
    assert!(began.elapsed() < std::time::Duration::from_secs(3), "{:?}", began.elapsed());
    let system = server.get("/v1/system").ok(200);
    let actors = system["actors"].as_array().expect("actors");
    let store = actors.iter().find(|actor| actor["name"] == "store").expect("the store");
    assert_eq!(store["restarts_by_cause"]["wedge"], 1, "{store}");
    server.stop();
}
