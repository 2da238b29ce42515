//! Documents given out again with all that was given, and their vectors, page by page.

use super::Store;
use super::error::StoreError;
use super::ids::{CollectionId, DocumentId, TenantId};
use super::read::Sees;
use super::space::Space;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use pgvector::HalfVector;
use serde_json::Value;
use std::rc::Rc;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// The documents behind one, in id order: as many as fit into `most_bytes`, and at least one while there are any.
#[derive(Debug, Clone)]
pub struct ExportDocuments {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub after: DocumentId,
    /// With the vectors of this space.
    pub vectors: Option<Arc<Space>>,
    pub most: i64,
    pub most_bytes: i64,
}

/// A document's version accepted last, as of one moment.
#[derive(Debug)]
pub struct Exported {
    pub id: DocumentId,
    pub external_id: String,
    /// As it was sent: empty where the document's own is in force.
    pub title: String,
    pub uri: String,
    pub media_type: String,
    pub attributes: Value,
    pub acl: Vec<String>,
    pub expires_at: Option<OffsetDateTime>,
    pub raw: Vec<u8>,
    /// Of its published chunks in their order: the hash of what was embedded, and the vector's halves, little-endian.
    pub vectors: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Request for ExportDocuments {
    type Reply = Result<Vec<Exported>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// Lengths are known without reading what they are of.
const EXPORT: &str = "
WITH page AS (
    SELECT d.*, sum(octet_length(v.raw)::bigint + d.chunks * $7::bigint) OVER place AS bytes,
           row_number() OVER place AS place
    FROM (SELECT * FROM documents WHERE tenant_id = $1 AND collection_id = $2 AND document_id > $3
          AND (expires_at IS NULL OR expires_at > now()) ORDER BY document_id LIMIT $4) d
    JOIN document_versions v USING (tenant_id, document_id, version)
    WINDOW place AS (ORDER BY d.document_id))
SELECT p.document_id, p.external_id, v.title, v.uri, v.media_type, v.attributes, v.acl, p.expires_at, v.raw,
       k.hashes, k.vectors
FROM page p JOIN document_versions v USING (tenant_id, document_id, version)
LEFT JOIN LATERAL (
    SELECT array_agg(c.content_hash ORDER BY c.ordinal) AS hashes, array_agg(coalesce(e.embedding, e.full_embedding::halfvec) ORDER BY c.ordinal) AS vectors
    FROM chunks c JOIN embeddings e USING (tenant_id, chunk_id)
    WHERE c.tenant_id = $1 AND c.document_id = p.document_id AND e.space_id = $6) k ON $7 > 0
WHERE p.bytes <= $5::bigint OR p.place = 1 ORDER BY p.document_id";

impl Serve<ExportDocuments> for Store {
    async fn serve(
        self: Rc<Self>,
        export: ExportDocuments,
        deadline: Deadline,
    ) -> Result<Vec<Exported>, StoreError> {
        let space = export.vectors.as_ref().map_or(0, |space| space.id.0);
        // What a chunk's vector takes up, in base64, with its hash.
        let each = export.vectors.as_ref().map_or(0, |space| i64::from(space.spec.dimensions) * 3 + 128);
        let parameters: [&(dyn ToSql + Sync); 7] = [
            &export.tenant.0,
            &export.collection.0,
            &export.after.0,
            &export.most,
            &export.most_bytes,
            &space,
            &each,
        ];
        let rows = self.read(export.tenant, Sees::Newest, EXPORT, &parameters, deadline).await?;
        Ok(rows.iter().map(read).collect())
    }
}

fn read(row: &Row) -> Exported {
    let hashes: Vec<Vec<u8>> = row.get::<_, Option<_>>(9).unwrap_or_default();
    let vectors: Vec<HalfVector> = row.get::<_, Option<_>>(10).unwrap_or_default();
    let bytes = |vector: HalfVector| {
        let mut bytes = Vec::new();
        for half in vector.to_vec() {
            bytes.extend_from_slice(&half.to_le_bytes());
        }
        bytes
    };
    Exported {
        id: DocumentId(row.get(0)),
        external_id: row.get(1),
        title: row.get(2),
        uri: row.get(3),
        media_type: row.get(4),
        attributes: row.get(5),
        acl: row.get(6),
        expires_at: row.get(7),
        raw: row.get(8),
        vectors: hashes.into_iter().zip(vectors.into_iter().map(bytes)).collect(),
    }
}
