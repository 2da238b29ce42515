//! A body that is hashed while somebody else reads it.

use crate::error::{Code, Error};
use crate::http::State;
use crate::http::body::{due, late};
use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// A request's body, shared by whoever reads it and whoever wants its hash; cheap to clone.
#[derive(Clone)]
pub(super) struct Hashed {
    reading: Rc<RefCell<Reading>>,
    due: Instant,
    limit: usize,
}

struct Reading {
    payload: Payload,
    digest: Sha256,
    read: usize,
    ended: bool,
}

impl Hashed {
    /// Takes the body out of a request, of which method, target and kind belong to the hash.
    pub(super) fn of(request: &mut ServiceRequest, state: &State) -> Self {
        let due = due(request.request());
        let payload = request.take_payload();
        let mut digest = Sha256::new();
        let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let method = request.method().as_str().as_bytes();
        let query = request.query_string().as_bytes();
        for part in [method, request.uri().path().as_bytes(), query, kind] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let limit = state.rag.settings().server.max_body_bytes;
        let reading = Reading { payload, digest, read: 0, ended: false };
        Self { reading: Rc::new(RefCell::new(reading)), due, limit }
    }

    /// The body for its handler.
    pub(super) fn payload(&self) -> Payload {
        Payload::Stream { payload: Box::pin(self.clone()) }
    }

    /// Reads what nobody has read; the hash of all.
    pub(super) async fn finish(&self) -> Result<Vec<u8>, Error> {
        let mut rest = self.clone();
        loop {
            let piece = tokio::time::timeout_at(self.due.into(), rest.next()).await.map_err(|_| late())?;
            match piece {
                None => return Ok(self.reading.borrow().digest.clone().finalize().to_vec()),
                Some(Ok(_)) if self.reading.borrow().read > self.limit => {
                    let message = format!("the body is larger than {} bytes", self.limit);
                    return Err(Error::new(Code::PayloadTooLarge, message));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) => {
                    return Err(Error::new(Code::InvalidRequest, "the body could not be read to its end"));
                }
            }
        }
    }
}

impl Stream for Hashed {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut reading = self.reading.borrow_mut();
        if reading.ended {
            return Poll::Ready(None);
        }
        let piece = ready!(Pin::new(&mut reading.payload).poll_next(context));
        match &piece {
            Some(Ok(bytes)) => {
                reading.read += bytes.len();
                reading.digest.update(bytes);
            }
            Some(Err(_)) => {}
            None => reading.ended = true,
        }
        Poll::Ready(piece)
    }
}
