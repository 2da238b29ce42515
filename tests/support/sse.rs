//! Server-sent events, as they come.

use reqwest::blocking::Response;
use serde_json::Value;
use std::io::{BufRead, BufReader};

#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) name: String,
    /// Empty when it has none.
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// The events of a stream until it ends; comments are left out.
pub(crate) fn events(response: Response) -> impl Iterator<Item = Event> {
    assert_eq!(response.status(), 200);
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    assert!(kind.is_some_and(|kind| kind.starts_with("text/event-stream")), "{kind:?}");
    let mut lines = BufReader::new(response).lines();
    std::iter::from_fn(move || {
        let (mut name, mut id) = (String::new(), String::new());
        for line in lines.by_ref() {
            let line = line.expect("the stream goes on");
            if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut name);
            } else if let Some(given) = line.strip_prefix("id: ") {
                given.clone_into(&mut id);
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(data).expect("an event's data is JSON");
                return Some(Event { name, id, data });
            }
        }
        None
    })
}
