//! Replicas behind a proxy that lets them take turns: nothing of a conversation belongs to one of them.

use crate::clients::{CLIENTS, check, talk};
use crate::rpc::fill;
use crate::support::Server;
use mcp_rag_chaos::postgres::Cluster;
use mcp_rag_chaos::rolling::{Haproxy, Layer};

#[test]
fn the_clients_that_people_use_work_with_two_replicas_whose_turn_changes_with_every_request() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE DATABASE rag");
    let start = || Server::builder().env("MCP_RAG__DATABASE__URL", cluster.socket_url("rag")).start();
    let replicas = [start(), start()];
    fill(&replicas[0]);
    let proxy = Haproxy::start(Layer::L7, &replicas.each_ref().map(Server::port)).expect("HAProxy starts");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for replica in 0..replicas.len() {
        runtime.block_on(proxy.await_up(replica)).expect("the replica is used");
    }
    let url = format!("http://127.0.0.1:{}/mcp", proxy.port);
    for (client, version) in CLIENTS {
        let told = talk(client, &["http", &url]);
        check(&told);
        assert_eq!(told["version"].as_str(), version, "{client}");
    }
    for (n, replica) in replicas.iter().enumerate() {
        let calls = replica.admin("/metrics").text();
        let counted = calls.lines().filter(|line| line.starts_with("mcp_rag_mcp_tool_calls_total")).count();
        assert!(counted >= 2, "replica {n} has had its turns:\n{calls}");
    }
}
