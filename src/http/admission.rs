//! How many requests are worked on at once, and which are turned away first.
//!
//! * Each class of requests has lanes of its own, so that answers that wait for a chat model, or streams
//!   that stay for an hour, take no search's place; writes may fill only a share of the searches' lane.
//! * A place is taken once the body has been read: a client that dribbles one holds nothing. While there
//!   is no room a request is refused at its head; its connection stays usable if its body is small and
//!   there, as a search's is.
//! * What the cache answers takes no place: a search asks for one only when there is something to find. While
//!   there is none, what this process has cached is still given; Redis is not asked.
//! * Overload: refused at once with 503 `overloaded` and a jittered `Retry-After`; nothing waits here.
//! * Probes, documentation, metrics and `/v1/system` are never refused.
//! * Cancel safety: a place is freed when its request is dropped, or its stream.

mod class;

pub(crate) use class::Class;

use super::auth::TIMEOUT;
use super::{ApiError, State};
use crate::config::ServerSettings;
use crate::error::{Code, Error};
use crate::rag::search::Room;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use mcp_rag_actors::resilience::{CallOutcome, Limiter, LimiterSettings, Token};
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The part of the searches' lane that writes may fill.
const WRITES: f64 = 0.5;

const TELL_EVERY: Duration = Duration::from_secs(10);

/// A body that is read to its end although its request is refused, and for how long at most.
const SMALL: u64 = 64 * 1024;
const MOMENT: Duration = Duration::from_millis(20);

/// The lanes; cheap to clone, shared by all HTTP threads.
#[derive(Debug, Clone)]
pub struct Admission(Arc<Lanes>);

#[derive(Debug)]
struct Lanes {
    /// Searches, reads and writes: work for this machine, so its limit follows their latency.
    work: Limiter,
    /// Answers; their time may be a chat model's.
    answers: Limiter,
    streams: Limiter,
    shed: [AtomicU64; 5],
    /// When the log last heard that requests are turned away.
    told: Mutex<Option<Instant>>,
}

/// A lane's state, for people.
#[derive(Debug, Serialize)]
pub(super) struct LaneStatus {
    lane: &'static str,
    in_flight: usize,
    limit: usize,
}

impl Admission {
    #[must_use]
    pub fn new(settings: &ServerSettings) -> Self {
        let adaptive = |max: usize| {
            let min = (max / 4).max(1);
            Limiter::new(LimiterSettings { initial: max, min, max, ..LimiterSettings::default() })
        };
        let fixed = |max: usize| {
            Limiter::new(LimiterSettings { initial: max, min: max, max, ..LimiterSettings::default() })
        };
        Self(Arc::new(Lanes {
            work: adaptive(settings.max_in_flight),
            answers: fixed(settings.max_answers),
            streams: fixed(settings.max_streams),
            shed: Default::default(),
            told: Mutex::default(),
        }))
    }

    fn lane(&self, class: Class) -> (&Limiter, f64) {
        match class {
            Class::Search | Class::Interactive => (&self.0.work, 1.0),
            Class::Write => (&self.0.work, WRITES),
            Class::Answer => (&self.0.answers, 1.0),
            Class::Stream => (&self.0.streams, 1.0),
        }
    }

    fn has_room(&self, class: Class) -> bool {
        let (lane, share) = self.lane(class);
        lane.in_flight() < ((lane.limit() as f64 * share) as usize).max(1)
    }

    fn refusal(&self, class: Class) -> Error {
        self.0.shed[class as usize].fetch_add(1, Ordering::Relaxed);
        metrics::counter!("mcp_rag_http_shed_total", "priority" => class.as_str()).increment(1);
        self.tell();
        Error::new(Code::Overloaded, "too much is under way: try again shortly")
    }

    /// A place for what only the body of a request has told: until it is dropped.
    pub(crate) fn place(&self, class: Class) -> Result<Place, Error> {
        let (lane, share) = self.lane(class);
        let token = lane.try_acquire_share(share).ok_or_else(|| self.refusal(class))?;
        Ok(Place(Some(token)))
    }

    /// One line now and then: a line for each refusal would cost more than refusing.
    fn tell(&self) {
        let Ok(mut told) = self.0.told.try_lock() else { return };
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            drop(told);
            tracing::warn!(admission = %self.status(), "requests are turned away: too much is under way");
        }
    }

    pub(super) fn status(&self) -> serde_json::Value {
        let lane = |lane, limiter: &Limiter| LaneStatus {
            lane,
            in_flight: limiter.in_flight(),
            limit: limiter.limit(),
        };
        let Lanes { work, answers, streams, shed, .. } = &*self.0;
        let shed = Class::ALL.map(|class| (class.as_str(), shed[class as usize].load(Ordering::Relaxed)));
        serde_json::json!({
            "lanes": [lane("work", work), lane("answers", answers), lane("streams", streams)],
            "shed": shed.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        })
    }

    /// Brings the gauges up to date.
    pub(super) fn measure(&self) {
        let Lanes { work, answers, streams, .. } = &*self.0;
        for (lane, limiter) in [("work", work), ("answers", answers), ("streams", streams)] {
            let gauge = |value: usize| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
            metrics::gauge!("mcp_rag_http_in_flight", "lane" => lane).set(gauge(limiter.in_flight()));
            metrics::gauge!("mcp_rag_http_limit", "lane" => lane).set(gauge(limiter.limit()));
        }
    }
}

/// A request's claim to a place. Handlers get it as an argument; without admission, as on the admin
/// port, it grants everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticket(Option<Rc<Claim>>);

#[derive(Debug)]
struct Claim {
    admission: Admission,
    class: Class,
    place: RefCell<Option<Token>>,
    /// Whether the time this took says how busy the machine is.
    telling: Cell<bool>,
}

/// A place that outlives its request.
#[derive(Debug)]
#[must_use]
pub(crate) struct Place(#[expect(dead_code, reason = "held, and freed when dropped")] Option<Token>);

impl Ticket {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    /// Takes the place of what needs one whatever its body says; called once the body has been read.
    pub(super) fn body_is_read(&self) -> Result<(), Error> {
        match &self.0 {
            Some(claim) if claim.class == Class::Search => Ok(()),
            _ => self.enter(),
        }
    }

    /// Takes the place, unless it is held already.
    pub(crate) fn enter(&self) -> Result<(), Error> {
        let Some(claim) = &self.0 else { return Ok(()) };
        let mut place = claim.place.borrow_mut();
        if place.is_none() {
            let (lane, share) = claim.admission.lane(claim.class);
            let token = lane.try_acquire_share(share);
            *place = Some(token.ok_or_else(|| claim.admission.refusal(claim.class))?);
        }
        Ok(())
    }

    /// What this request takes says how busy the machine is: a search that was not cached.
    pub(crate) fn tells(&self) {
        if let Some(claim) = &self.0 {
            claim.telling.set(true);
        }
    }

    /// The place, for what goes on after the response has begun.
    pub(crate) fn keep(&self) -> Place {
        Place(self.0.as_ref().and_then(|claim| claim.place.borrow_mut().take()))
    }

    /// Changes the place for one among the streams: waiting is no work. None when those are full.
    pub(super) fn wait(&self) -> Option<Place> {
        let Some(claim) = &self.0 else { return Some(Place(None)) };
        let waiting = claim.admission.0.streams.try_acquire()?;
        drop(claim.place.borrow_mut().take());
        Some(Place(Some(waiting)))
    }

    fn leave(&self, response: &ServiceResponse<impl MessageBody>) {
        let Some(claim) = &self.0 else { return };
        let Some(token) = claim.place.borrow_mut().take() else { return };
        let error = response.response().error().and_then(|error| error.as_error::<ApiError>());
        // A client's own haste must not take places from the others.
        let hasty = response.request().headers().contains_key(TIMEOUT);
        token.finish(match error.map(|error| error.0.code) {
            Some(Code::DeadlineExceeded) if hasty => CallOutcome::Ignored,
            Some(Code::Overloaded | Code::DeadlineExceeded) => CallOutcome::Dropped,
            None if claim.telling.get() && response.status() == StatusCode::OK => CallOutcome::Done,
            _ => CallOutcome::Ignored,
        });
    }
}

impl Room for Ticket {
    fn is_left(&self) -> bool {
        self.0.as_ref().is_none_or(|claim| claim.admission.has_room(claim.class))
    }

    fn take(&self) -> Result<(), Error> {
        self.enter()
    }
}

impl FromRequest for Ticket {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// Turns away what there is no room for, before its body is read.
pub(super) async fn admit(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let admission = request.app_data::<Data<State>>().map(|state| state.admission.clone());
    let class = Class::of(request.method(), request.path());
    let (Some(admission), Some(class)) = (admission, class) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let claim = Claim { class, place: RefCell::default(), telling: Cell::new(false), admission };
    let admission = claim.admission.clone();
    let ticket = Ticket(Some(Rc::new(claim)));
    let room = if has_body(&request) {
        // The place itself is taken by whoever reads the body, or knows that there is work.
        if class == Class::Search || admission.has_room(class) {
            Ok(())
        } else {
            Err(admission.refusal(class))
        }
    } else {
        ticket.enter()
    };
    if let Err(refused) = room {
        discard_body(&mut request).await;
        return Ok(request.error_response(ApiError(refused)).map_into_boxed_body());
    }
    request.extensions_mut().insert(ticket.clone());
    let response = next.call(request).await?;
    ticket.leave(&response);
    Ok(response.map_into_boxed_body())
}

fn has_body(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0")
}

/// actix closes a connection whose request has not been read to its end, and a new connection costs
/// both sides more than a small body that has come with its head.
pub(super) async fn discard_body(request: &mut ServiceRequest) {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|bytes: u64| (1..=SMALL).contains(&bytes)) {
        let mut payload = request.take_payload();
        let all = async { while payload.next().await.is_some_and(|piece| piece.is_ok()) {} };
        let _ = tokio::time::timeout(MOMENT, all).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(admission: &Admission, class: Class) -> Ticket {
        let admission = admission.clone();
        let claim = Claim { admission, class, place: RefCell::default(), telling: Cell::new(false) };
        Ticket(Some(Rc::new(claim)))
    }

    #[test]
    fn writes_are_turned_away_first_and_no_class_takes_anothers_places() {
        let limiter =
            |max| Limiter::new(LimiterSettings { initial: max, min: max, max, ..LimiterSettings::default() });
        let lanes = Lanes {
            work: limiter(4),
            answers: limiter(1),
            streams: limiter(2),
            shed: Default::default(),
            told: Mutex::default(),
        };
        let admission = Admission(Arc::new(lanes));
        let take = |class| {
            let ticket = ticket(&admission, class);
            ticket.enter().map(|()| ticket)
        };
        let writes: Vec<Ticket> = (0..4).filter_map(|_| take(Class::Write).ok()).collect();
        assert_eq!(writes.len(), 2, "half of the lane is for writes");
        let searches: Vec<Ticket> = (0..4).filter_map(|_| take(Class::Interactive).ok()).collect();
        assert_eq!(searches.len(), 2, "the rest is for searches");
        assert!(!admission.has_room(Class::Interactive));
        let answer = take(Class::Answer).expect("a lane of its own");
        assert!(take(Class::Answer).is_err());
        // Waiting for a job is no work: the place is free for others meanwhile.
        let waiting = writes[0].wait().expect("room among the streams");
        assert!(admission.has_room(Class::Interactive));
        assert!(searches[0].enter().is_ok(), "a place that is held is not taken twice");
        let streaming = answer.keep();
        drop(answer);
        assert!(take(Class::Answer).is_err(), "a stream goes on after its request");
        drop((streaming, waiting, writes, searches));
        assert!(take(Class::Answer).is_ok());
        let in_flight: usize = [&admission.0.work, &admission.0.answers, &admission.0.streams]
            .map(Limiter::in_flight)
            .iter()
            .sum();
        assert_eq!(in_flight, 0, "nothing is left behind");
    }
}
