//! What `/metrics` tells of the database, looked at by the clock and not by the scrape: one statement every
//! [`EVERY`], however often and by how many it is asked for. What could not be read is `NaN`, which no alert and no
//! graph takes for a value, and never the last one that was seen.

use crate::rag::Rag;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{DatabaseState, QueueState, Totals, Waiting};
use nix::sys::statvfs::statvfs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(15);
/// Sizes change slowly, and asking for them costs more: with every fourth look at the queue.
const SIZES_EVERY: u32 = 4;
const WITHIN: Duration = Duration::from_secs(5);

/// There from the first scrape, and not known yet.
pub(super) fn begin(rag: &Rag) {
    queue(None);
    totals(None);
    disk(&rag.settings().data_dir);
}

pub(super) async fn sample(rag: Arc<Rag>) {
    let mut look = 0_u32;
    loop {
        let seen = rag.store.call(QueueState, Deadline::within(WITHIN)).await.ok();
        queue(seen.as_deref());
        if look.is_multiple_of(SIZES_EVERY) {
            totals(rag.store.call(DatabaseState, Deadline::within(WITHIN)).await.ok());
            disk(&rag.settings().data_dir);
        }
        look = look.wrapping_add(1);
        tokio::time::sleep(EVERY).await;
    }
}

/// Empty classes are told as empty: an absent series would look like a sampler that is gone.
fn queue(seen: Option<&[Waiting]>) {
    for (class, interactive) in [("interactive", true), ("bulk", false)] {
        let mut oldest = if seen.is_some() { 0.0 } else { f64::NAN };
        for state in ["due", "put_off", "leased"] {
            let tasks = seen.map_or(f64::NAN, |seen| {
                let here = seen.iter().find(|one| one.interactive == interactive && one.state == state);
                oldest = here.map_or(oldest, |here| here.oldest.max(oldest));
                here.map_or(0.0, |here| here.tasks as f64)
            });
            metrics::gauge!("mcp_rag_queue_tasks", "class" => class, "state" => state).set(tasks);
        }
        metrics::gauge!("mcp_rag_queue_oldest_task_seconds", "class" => class).set(oldest);
    }
}

fn totals(seen: Option<Totals>) {
    let value = |of: fn(&Totals) -> i64| seen.as_ref().map_or(f64::NAN, |seen| of(seen) as f64);
    metrics::gauge!("mcp_rag_failed_documents").set(value(|seen| seen.failed_documents));
    metrics::gauge!("mcp_rag_chunks").set(value(|seen| seen.chunks));
    metrics::gauge!("mcp_rag_largest_tenant_chunks").set(value(|seen| seen.largest_tenant_chunks));
    metrics::gauge!("mcp_rag_vectors").set(value(|seen| seen.vectors));
    metrics::gauge!("mcp_rag_vector_index_bytes").set(value(|seen| seen.vector_index_bytes));
    metrics::gauge!("mcp_rag_database_bytes").set(value(|seen| seen.bytes));
    metrics::gauge!("mcp_rag_database_cache_bytes").set(value(|seen| seen.cache_bytes));
    metrics::gauge!("mcp_rag_database_connections").set(value(|seen| seen.connections));
    metrics::gauge!("mcp_rag_database_max_connections").set(value(|seen| seen.most_connections));
    let archived = seen.and_then(|seen| seen.wal_archived_at).unwrap_or(f64::NAN);
    metrics::gauge!("mcp_rag_wal_archived_timestamp_seconds").set(archived);
}

/// Where the managed PostgreSQL keeps everything; of no account with an external one.
fn disk(data_dir: &Path) {
    let (available, size) = statvfs(data_dir).map_or((f64::NAN, f64::NAN), |seen| {
        let fragment = seen.fragment_size() as f64;
        (fragment * seen.blocks_available() as f64, fragment * seen.blocks() as f64)
    });
    metrics::gauge!("mcp_rag_data_dir_available_bytes").set(available);
    metrics::gauge!("mcp_rag_data_dir_size_bytes").set(size);
}
