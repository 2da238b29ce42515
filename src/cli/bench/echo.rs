//! A service that does nothing: what a call costs by itself.

use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::supervise::{Handle, Request, Serve, Service, StartError, Tree};
use std::rc::Rc;

pub(super) struct Echo;

impl Service for Echo {}

#[derive(Debug)]
pub(super) struct Ping;

impl Request for Ping {
    type Reply = ();
}

impl Serve<Ping> for Echo {
    async fn serve(self: Rc<Self>, _: Ping, _: Deadline) {}
}

pub(super) async fn start(tree: &Tree) -> Result<Handle<Echo>, StartError> {
    tree.start(tree.spec("echo", 1024), |_| std::future::ready(Ok(Echo))).await
}
