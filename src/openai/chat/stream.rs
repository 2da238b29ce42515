//! A completion in pieces: words and citations as they come, then the end, or an error that clients raise.

use super::view::{Extra, Head};
use crate::error::{Code, Error};
use crate::http::State;
use crate::http::admission::Place;
use crate::http::error::body;
use crate::rag::Caller;
use crate::rag::answer::{Answer, AnswerQuery, Event};
use actix_web::web::{Bytes, Data};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

/// `data: …`, without a name: clients of OpenAI read nothing else.
fn data(value: &impl Serialize) -> Bytes {
    let json = serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned());
    Bytes::from(format!("data: {json}\n\n"))
}

pub(super) struct Stream {
    pub(super) state: Data<State>,
    pub(super) head: Head,
    pub(super) with_usage: bool,
    pub(super) out: mpsc::Sender<Bytes>,
    /// Told once whether there is anything to stream.
    pub(super) begun: Option<oneshot::Sender<Result<(), Error>>>,
}

impl Stream {
    /// Ends when the answer is complete or nobody listens any more.
    pub(super) async fn run(mut self, query: AnswerQuery, caller: Caller, _place: Place) {
        let (events, happened) = mpsc::channel(32);
        let state = self.state.clone();
        let closed = self.out.clone();
        let answered = {
            // The answer drops its end of the channel when it is complete, which ends the forwarding.
            let answering = async {
                tokio::join!(state.rag.answer(query, &caller, Some(events)), self.forward(happened)).0
            };
            tokio::select! {
                answered = answering => answered,
                // A model may be silent for long: its connection must not outlive the client's.
                () = closed.closed() => return,
                () = state.drain.last_end() => {
                    Err(Error::new(Code::Unavailable, "this server is shutting down: ask again"))
                }
            }
        };
        match answered {
            Ok(answer) => self.end(answer).await,
            Err(error) => self.fail(error).await,
        }
    }

    async fn forward(&mut self, mut happened: mpsc::Receiver<Event>) {
        let mut said = String::new();
        while let Some(event) = happened.recv().await {
            let delta = match event {
                Event::Search(_) => {
                    if let Some(begun) = self.begun.take() {
                        let _ = begun.send(Ok(())); // a client that left is noticed below
                    }
                    json!({"role": "assistant", "content": ""})
                }
                Event::Delta(text) => {
                    said.push_str(&text);
                    json!({"content": text})
                }
                Event::Citation(citation) => {
                    json!({"annotations": [self.head.annotation(&citation, &said)]})
                }
            };
            if !self.send(&self.chunk(&delta, None)).await {
                return; // with nobody left to read, the answer ends too
            }
        }
    }

    /// With `include_usage` every chunk has the field, and the last one the numbers.
    fn chunk(&self, delta: &Value, finish_reason: Option<&'static str>) -> Value {
        let mut chunk = self.head.chunk(delta, finish_reason);
        if self.with_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    async fn send(&self, value: &Value) -> bool {
        self.out.send(data(value)).await.is_ok()
    }

    async fn end(self, answer: Answer) {
        let usage = json!(self.head.usage(&self.state, &answer));
        let mut last = self.chunk(&json!({}), Some("stop"));
        last["mcp_rag"] = json!(Extra::of(answer));
        if !self.send(&last).await {
            return;
        }
        if self.with_usage {
            let mut chunk = self.head.chunk_of(&json!([]));
            chunk["usage"] = usage;
            if !self.send(&chunk).await {
                return;
            }
        }
        let _ = self.out.send(Bytes::from_static(b"data: [DONE]\n\n")).await; // the client may have left
    }

    async fn fail(mut self, error: Error) {
        match self.begun.take() {
            Some(begun) => drop(begun.send(Err(error))),
            None => drop(self.send(&body(&error)).await),
        }
    }
}
