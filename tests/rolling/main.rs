//! Replacing replicas behind a real HAProxy, the short drill: `make rolling` runs the long one.
//!
//! Two replicas of the binary on one PostgreSQL, strict clients who never try a request twice, and a
//! replica stopped and started again under load. One after the other: they load the machine.

use mcp_rag_chaos::rolling::{DELAY, Drill, Ground, Kind, Layer, Report};
use std::path::PathBuf;
use std::time::Duration;

fn drill(layer: Layer, delay: Duration) -> Report {
    let ground = Ground::prepare(PathBuf::from(env!("CARGO_BIN_EXE_mcp-rag")));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let drill = Drill { layer, delay, rounds: 1 };
    let report = runtime.expect("a runtime").block_on(ground.run(drill)).expect("a drill to its end");
    println!("{report:#?}");
    assert_eq!(report.stops.len(), 2, "each replica was replaced");
    for kind in Kind::ALL {
        assert!(report.tallies[&kind].requests > 0, "{} did nothing", kind.as_str());
    }
    report
}

#[track_caller]
fn nothing_is_lost(layer: Layer) {
    let report = drill(layer, DELAY);
    assert_eq!(report.failed(), 0, "{:#?}", report.tallies);
    for stop in report.stops {
        assert!((DELAY..Duration::from_secs(15)).contains(&stop), "{stop:?}");
    }
}

#[test]
fn replacing_replicas_behind_a_proxy_of_requests_loses_none() {
    nothing_is_lost(Layer::L7);
}

#[test]
fn replacing_replicas_behind_a_proxy_of_connections_loses_no_request() {
    nothing_is_lost(Layer::L4);
}

#[test]
fn without_the_drain_the_same_drill_loses_requests() {
    let report = drill(Layer::L4, Duration::ZERO);
    assert!(report.failed() > 0, "the drill could not fail: {:#?}", report.tallies);
}
