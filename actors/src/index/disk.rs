//! Copies on disk: written now and then and at the end, loaded at the start, brought to the present by the feed.
//!
//! A file begins with what it is of and where the feed goes on, on one line, with a checksum; what follows checks itself. One
//! that is damaged, of another form, of another space or from before what the feed remembers is removed, and the
//! copy is made anew when it is searched.

use super::build::{dimensions, is_same, make_room};
use super::entry::Entry;
use super::follow::{Copy, Ended, FollowError, catch_up};
use super::{Key, Shared};
use crate::resilience::Deadline;
use crate::store::{Changes, CollectionId, Head, Position, ReadChanges, SpaceId, StoreHandle, TenantId};
use mcp_rag_hot::Collection;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// Of this form; another is not read.
const FORM: &str = "mcp-rag-copy-1";
const ENDING: &str = "copy";
/// Longest first line.
const MOST_HEADER: u64 = 4_096;
const LOOK: Duration = Duration::from_secs(10);
/// Writing takes at most this share of the time: meanwhile the copy takes in no changes.
const SHARE: u32 = 20;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    tenant: i64,
    collection: i64,
    space: Option<(SpaceId, Option<OffsetDateTime>)>,
    history: String,
    snapshot: String,
    epoch: i64,
}

impl Header {
    fn of(entry: &Entry) -> Self {
        // Before anything is written: what is taken in meanwhile is taken in once more after the next start.
        let position = entry.state().position.clone();
        Self {
            tenant: entry.key.0.0,
            collection: entry.key.1.0,
            space: entry.space.as_ref().map(|space| (space.id, space.activated_at)),
            history: position.history,
            snapshot: position.snapshot,
            epoch: entry.epoch(),
        }
    }

    fn key(&self) -> Key {
        (TenantId(self.tenant), CollectionId(self.collection))
    }

    fn line(&self) -> io::Result<String> {
        let json = serde_json::to_string(self)?;
        Ok(format!("{FORM} {} {json}\n", checksum(&json)))
    }

    fn parse(line: &str) -> Option<Self> {
        let (form, rest) = line.trim_end().split_once(' ')?;
        let (sum, json) = rest.split_once(' ')?;
        (form == FORM && sum == checksum(json)).then(|| serde_json::from_str(json).ok())?
    }
}

fn checksum(json: &str) -> String {
    Sha256::digest(json).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn path(folder: &Path, (tenant, collection): Key) -> PathBuf {
    folder.join(format!("{tenant}-{collection}.{ENDING}"))
}

/// Those that have changed since they were written, if it is time.
pub(super) fn due(shared: &Shared) -> Vec<Arc<Entry>> {
    let interval = Duration::from_millis(shared.settings.snapshot_interval_ms);
    if interval.is_zero() {
        return Vec::new();
    }
    let is_due = |entry: &&Arc<Entry>| {
        let state = entry.state();
        let pause = interval.max(state.saving * SHARE);
        state.saved.is_none_or(|(epoch, at)| epoch != entry.epoch() && at.elapsed() >= pause)
    };
    shared.entries.load().values().filter(is_due).cloned().collect()
}

/// While nobody changes it: `changing` is held by whoever does.
pub(super) async fn save(shared: &Arc<Shared>, entry: &Arc<Entry>) {
    let _alone = entry.alone.lock().await;
    let (began, epoch) = (Instant::now(), entry.epoch());
    let (folder, saved) = (shared.folder.clone(), Arc::clone(entry));
    let written = tokio::task::spawn_blocking(move || write(&folder, &saved)).await;
    let mut state = entry.state();
    state.saved = Some((epoch, Instant::now()));
    state.saving = began.elapsed();
    drop(state);
    match written {
        Ok(Ok(bytes)) => {
            let seconds = began.elapsed().as_secs_f64();
            tracing::debug!(tenant = %entry.key.0, collection = %entry.key.1, epoch, bytes, seconds, "a copy was written to disk");
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, folder = %shared.folder.display(), "a copy cannot be written to disk");
        }
        Err(error) => tracing::error!(%error, "a copy cannot be written to disk"),
    }
}

fn write(folder: &Path, entry: &Entry) -> io::Result<u64> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let target = path(folder, entry.key);
    let draft = target.with_extension("draft");
    let written = write_draft(&draft, entry).and_then(|bytes| fs::rename(&draft, &target).map(|()| bytes));
    if written.is_err() {
        // What there is of it takes room for nothing.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_draft(draft: &Path, entry: &Entry) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    let mut into = BufWriter::with_capacity(1 << 20, file);
    into.write_all(Header::of(entry).line()?.as_bytes())?;
    let into = entry.collection.save(into)?;
    let file = into.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

pub(super) fn remove(shared: &Shared, key: Key) {
    // None there is as good.
    let _ = fs::remove_file(path(&shared.folder, key));
}

/// All that were written, the newest first, as far as they fit. Damaged ones are removed.
pub(super) async fn load_all(shared: &Arc<Shared>, store: &StoreHandle) {
    let mut files: Vec<PathBuf> = fs::read_dir(&shared.folder)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    files.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
    files.sort_by_key(|path| std::cmp::Reverse(path.metadata().and_then(|of| of.modified()).ok()));
    for file in files {
        let began = Instant::now();
        let outcome = match load(shared, store, &file).await {
            Ok(entry) => {
                let (key, seconds) = (entry.key, began.elapsed().as_secs_f64());
                tracing::info!(tenant = %key.0, collection = %key.1, bytes = entry.bytes(), seconds, "a copy was loaded from disk");
                shared.insert(key, &Arc::new(entry));
                "loaded"
            }
            // It may do for the next start.
            Err(LoadError::Follow(FollowError::Store(error))) => {
                tracing::info!(%error, "a copy on disk cannot be brought up to date");
                "away"
            }
            Err(error) => {
                tracing::info!(%error, file = %file.display(), "a copy on disk is not used, and removed");
                let _ = fs::remove_file(&file);
                "refused"
            }
        };
        metrics::counter!("mcp_rag_index_loads_total", "outcome" => outcome).increment(1);
    }
}

#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it is of another form")]
    Form,
    #[error(transparent)]
    Follow(#[from] FollowError),
}

impl From<Ended> for LoadError {
    fn from(ended: Ended) -> Self {
        Self::Follow(ended.into())
    }
}

async fn load(shared: &Arc<Shared>, store: &StoreHandle, file: &Path) -> Result<Entry, LoadError> {
    let mut from = BufReader::with_capacity(1 << 20, File::open(file)?);
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut line = String::new();
    io::Read::take(&mut from, MOST_HEADER).read_line(&mut line)?;
    let header = Header::parse(&line).ok_or(LoadError::Form)?;
    let key = header.key();
    let read = ReadChanges { tenant: key.0, collection: key.1, since: None, after: None };
    let head: Head = match store.call(read, Deadline::within(LOOK)).await.map_err(FollowError::from)? {
        Changes::Since { head, .. } => head,
        Changes::Gone | Changes::Lost | Changes::Part { .. } => return Err(Ended::Gone.into()),
    };
    if head.space.as_ref().map(|space| (space.id, space.activated_at)) != header.space {
        return Err(Ended::Space.into());
    }
    // About what it takes in memory; nobody gives way to what nobody has asked for yet.
    make_room(shared, size, 0.0)?;
    let of = dimensions(head.space.as_ref());
    let reading = tokio::task::spawn_blocking(move || Collection::load(key.1.0, of, from));
    let collection = Arc::new(reading.await.map_err(io::Error::other)??);
    let copy = Copy { key, collection: &collection, space: head.space.as_ref(), threads: shared.threads() };
    let position = Position { history: header.history, snapshot: header.snapshot };
    let (head, _) = catch_up(store, &copy, position).await?;
    debug_assert!(is_same(head.space.as_ref(), copy.space), "checked by the feed");
    let entry = Entry::new(key, collection, head, Some(header.epoch));
    make_room(shared, entry.bytes(), 0.0)?;
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_one_that_was_changed_does_not() {
        let header = Header {
            tenant: 1,
            collection: 7,
            space: Some((SpaceId(3), Some(OffsetDateTime::UNIX_EPOCH))),
            history: "7/00000001".to_owned(),
            snapshot: "10:20:10,14".to_owned(),
            epoch: 42,
        };
        let line = header.line().expect("a line");
        assert_eq!(Header::parse(&line), Some(header));
        for at in 0..line.len() - 1 {
            let mut changed = line.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(
                String::from_utf8(changed).ok().and_then(|line| Header::parse(&line)),
                None,
                "at {at}"
            );
        }
    }
}
