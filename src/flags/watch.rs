//! Tells of flags that were turned.

use super::{Flag, Switches};
use crate::audit::Event;
use crate::identity::{DEFAULT_TENANT, Identity};
use crate::rag::Rag;
use std::time::Duration;

/// How soon a change is told of; it takes effect at once.
const LOOK: Duration = Duration::from_millis(500);

/// For as long as it is polled.
pub(crate) async fn watch(rag: &Rag) {
    let mut known: Option<Switches> = None;
    loop {
        let now = rag.flags.in_general(&rag.settings().flags);
        for flag in Flag::ALL {
            let on = now.is_on(flag);
            match known {
                Some(known) if known.is_on(flag) == on => {}
                Some(_) => tell(rag, flag, on),
                None => show(flag, on),
            }
        }
        known = Some(now);
        tokio::time::sleep(LOOK).await;
    }
}

fn show(flag: Flag, on: bool) {
    metrics::gauge!("mcp_rag_flags", "flag" => flag.as_str()).set(f64::from(u8::from(on)));
}

fn tell(rag: &Rag, flag: Flag, on: bool) {
    show(flag, on);
    tracing::warn!(flag = flag.as_str(), on, "a flag was turned");
    let target = format!("{} {}", flag.as_str(), if on { "on" } else { "off" });
    let event = Event { action: "turn of a flag".to_owned(), target, status: 200, ..Event::default() };
    rag.audit.note(Some(&*Identity::server(DEFAULT_TENANT)), event);
}
