use crate::error::{Code, Error};
use actix_web::HttpRequest;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const UNIT: usize = 1024;

/// The memory that bodies of documents may take up together: many large uploads at once are refused
/// rather than collected.
#[derive(Debug, Clone)]
pub struct Uploads(Arc<Semaphore>);

impl Uploads {
    pub fn new(max_bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(max_bytes / UNIT)))
    }

    /// Room for this request's body, held until the permit is dropped. A body that does not say its
    /// length may turn out to be as long as it is allowed to be.
    pub(crate) fn reserve(&self, request: &HttpRequest, limit: usize) -> Result<OwnedSemaphorePermit, Error> {
        let announced =
            request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = announced.unwrap_or(limit).min(limit);
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(units).map_err(|_| {
            Error::new(
                Code::Overloaded,
                "too many uploads are under way: try again shortly, or send smaller parts",
            )
        })
    }
}
