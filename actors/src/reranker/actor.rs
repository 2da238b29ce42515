use super::local::Local;
use super::remote::Remote;
use crate::remote::ModelError;
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve, Service};
use std::rc::Rc;

/// The reply has one score per text, in order.
pub(super) struct Rerank {
    pub(super) query: String,
    pub(super) texts: Vec<String>,
}

impl Request for Rerank {
    type Reply = Result<Vec<f32>, ModelError>;
}

pub(super) enum Reranker {
    Local(Rc<Local>),
    Remote(Remote),
}

impl Service for Reranker {}

impl Serve<Rerank> for Reranker {
    async fn serve(self: Rc<Self>, rerank: Rerank, deadline: Deadline) -> Result<Vec<f32>, ModelError> {
        match &*self {
            Self::Local(local) => local.rerank(rerank, deadline).await,
            Self::Remote(remote) => remote.rerank(rerank, deadline).await,
        }
    }
}
