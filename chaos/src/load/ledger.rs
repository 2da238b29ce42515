//! Receipts of acknowledged writes, to be compared with what is there at the end.
//!
//! Each document is written again and again under one of [`PLACES`] ids, never by two requests at a
//! time. A write without an acknowledgement may have happened or not, and may happen later: any such
//! version is allowed, as is the last acknowledged one; a missing document or an older version is not.

use super::call::Target;
use super::corpus::WRITES;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PLACES: u32 = 300;
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct Entry {
    acknowledged: Option<u32>,
    unknown: HashSet<u32>,
    busy: bool,
    versions: u32,
}

#[derive(Debug, Default)]
pub struct Ledger {
    entries: Mutex<HashMap<u32, Entry>>,
}

/// A version on its way. Dropped without an acknowledgement it may have happened or not: an error says
/// nothing about that either.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    ledger: &'a Ledger,
    place: u32,
    version: u32,
    acknowledged: bool,
}

#[derive(Debug, Default, Clone, serde::Serialize)]
pub struct Receipts {
    pub acknowledged: usize,
    pub lost: Vec<String>,
}

impl Attempt<'_> {
    pub(super) fn id(&self) -> String {
        format!("w-{}", self.place)
    }

    pub(super) fn text(&self) -> String {
        text(self.place, self.version)
    }

    pub(super) fn acknowledge(&mut self) {
        self.acknowledged = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut entries = self.ledger.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(self.place).or_default();
        entry.busy = false;
        if self.acknowledged {
            entry.unknown.remove(&self.version);
            entry.acknowledged = Some(self.version);
        }
    }
}

fn text(place: u32, version: u32) -> String {
    format!("The register of place {place} holds the entry {version} and nothing else.")
}

impl Ledger {
    /// A place nobody writes to now.
    pub(super) fn begin(&self) -> Option<Attempt<'_>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..16 {
            let place = fastrand::u32(..PLACES);
            let entry = entries.entry(place).or_default();
            if !entry.busy {
                entry.busy = true;
                entry.versions += 1;
                entry.unknown.insert(entry.versions);
                let version = entry.versions;
                return Some(Attempt { ledger: self, place, version, acknowledged: false });
            }
        }
        None
    }

    /// Reads back everything that was acknowledged. To be called when nothing is written.
    pub async fn verify(&self, target: &Target) -> Receipts {
        let expected: Vec<(u32, u32, HashSet<u32>)> = {
            let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            let known = entries
                .iter()
                .filter_map(|(place, entry)| Some((*place, entry.acknowledged?, entry.unknown.clone())));
            known.collect()
        };
        let deadline = Instant::now() + PATIENCE;
        let mut receipts = Receipts { acknowledged: expected.len(), ..Receipts::default() };
        for (place, acknowledged, unknown) in expected {
            let allowed = |found: &str| {
                found == text(place, acknowledged)
                    || unknown.iter().any(|version| found == text(place, *version))
            };
            if let Err(found) = await_content(target, place, deadline, allowed).await {
                receipts.lost.push(format!("w-{place} version {acknowledged}: {found}"));
            }
        }
        receipts
    }
}

/// Until the document has an allowed content: what was only stored is published a little later.
async fn await_content(
    target: &Target,
    place: u32,
    deadline: Instant,
    allowed: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let path = format!("/v1/collections/{WRITES}/documents/w-{place}/content");
    loop {
        let found = match target.get(&path).await {
            Ok(answer) if answer.status == 200 && allowed(&answer.text) => return Ok(()),
            Ok(answer) => format!("{} {}", answer.status, answer.text),
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            return Err(found);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{Ledger, PLACES};

    #[test]
    fn a_place_is_never_written_by_two_at_a_time() {
        let ledger = Ledger::default();
        // Places are drawn by lot: so many draws leave none out.
        let draw = || std::iter::repeat_with(|| ledger.begin()).take(100_000).flatten();
        let mut attempts: Vec<_> = draw().collect();
        let mut places: Vec<_> = attempts.iter().map(|attempt| attempt.place).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!((places.len(), attempts.len()), (PLACES as usize, PLACES as usize));
        attempts[0].acknowledge();
        let place = attempts.remove(0).place;
        let again = draw().next();
        assert_eq!(again.map(|attempt| (attempt.place, attempt.version)), Some((place, 2)));
    }
}
