//! The end of what supervises. In a process of its own: the fault strikes whichever tree of the process meets it first.
#![cfg(feature = "failpoints")]

use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::supervise::failpoint::{Plan, arm};
use mcp_rag_actors::supervise::{ChildSpec, Failure, Handle, Lifeline, Request, Serve, Service, Tree};
use std::rc::Rc;
use std::time::Duration;

struct Child;

impl Service for Child {}

struct Ask;

impl Request for Ask {
    type Reply = ();
}

impl Serve<Ask> for Child {
    async fn serve(self: Rc<Self>, _: Ask, _: Deadline) {}
}

#[actix_rt::test]
async fn the_end_of_what_supervises_is_a_failure_of_its_own() {
    let tree = Tree::default();
    let factory = |_: Lifeline| std::future::ready(Ok(Child));
    let handle: Handle<Child> = tree.start(ChildSpec::new("orphan", 8), factory).await.unwrap();
    arm("root::life", Plan::parse("kill:1").unwrap());
    let failure = tokio::time::timeout(Duration::from_secs(5), tree.failed()).await.unwrap();
    assert!(matches!(failure, Failure::Root(_)), "{failure}");
    let _ = handle.call(Ask, Deadline::within(Duration::from_secs(1))).await;
    tokio::time::timeout(Duration::from_secs(5), tree.stop(Duration::from_secs(1))).await.unwrap();
}
