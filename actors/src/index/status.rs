//! What is in memory, for `GET /v1/system`.

use super::IndexHandle;
use crate::store::{CollectionId, SpaceId, TenantId};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct IndexStatus {
    pub budget_bytes: usize,
    /// Of all tenants.
    pub bytes: usize,
    pub copies: Vec<CopyStatus>,
}

#[derive(Debug, Clone, Serialize)]
pub struct CopyStatus {
    pub collection: CollectionId,
    pub space: Option<SpaceId>,
    pub epoch: i64,
    pub documents: usize,
    pub chunks: i64,
    pub bytes: usize,
    /// Since PostgreSQL last said that this is its state.
    pub age_ms: u64,
}

impl IndexHandle {
    /// With the copies of one tenant: what others have is not theirs to see.
    #[must_use]
    pub fn status(&self, tenant: TenantId) -> IndexStatus {
        let entries = self.shared.entries.load();
        let mut copies: Vec<CopyStatus> = entries
            .values()
            .filter(|entry| entry.key.0 == tenant)
            .map(|entry| {
                let (documents, chunks, _) = entry.collection.totals();
                CopyStatus {
                    collection: entry.key.1,
                    space: entry.space.as_ref().map(|space| space.id),
                    epoch: entry.epoch(),
                    documents,
                    chunks,
                    bytes: entry.bytes(),
                    age_ms: u64::try_from(entry.age().as_millis()).unwrap_or(u64::MAX),
                }
            })
            .collect();
        copies.sort_by_key(|copy| copy.collection);
        IndexStatus { budget_bytes: self.shared.settings.memory_bytes, bytes: self.shared.bytes(), copies }
    }
}
