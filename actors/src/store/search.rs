//! The search statement: both legs, their fusion and the texts in one round trip.
//!
//! Fusion is the mean of the legs' min-max scaled scores over the union of their candidates, with
//! every candidate's true score in both legs (docs/adr/0004-hybrid-fusion.md).

mod plan;
mod selectivity;

pub use plan::Plan;
pub(super) use selectivity::Selectivities;

use super::Store;
use super::error::StoreError;
use super::filter::{Filter, Scope, matching, narrowed};
use super::ids::{ChunkId, CollectionId, DocumentId, TenantId};
use super::lexical::TermKey;
use super::read::Sees;
use super::space::Space;
use super::storage::Storage;
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use serde_json::Value;
use std::rc::Rc;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Hybrid,
    Dense,
    Lexical,
}

impl Mode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Dense => "dense",
            Self::Lexical => "lexical",
        }
    }
}

/// The best chunks of some collections, best first.
#[derive(Debug, Clone)]
pub struct SearchChunks {
    pub tenant: TenantId,
    pub collections: Vec<CollectionId>,
    pub mode: Mode,
    /// Needed but for the mode `Lexical`: a vector, and the space that it belongs to and is compared in.
    pub embedding: Option<(Vec<f32>, Arc<Space>)>,
    /// Candidates of a space of bits that are compared again, for each that is wanted.
    pub oversampling: u16,
    /// The query's terms in each collection; used but for the mode `Dense`.
    pub terms: Vec<TermKey>,
    pub filter: Option<Filter>,
    /// At least 1.
    pub limit: u16,
    /// What each leg contributes to the fusion.
    pub candidates: u16,
    /// How many candidates a scan of the HNSW index keeps; absent: as the session has it.
    pub ef: Option<u16>,
    /// Searchable documents and chunks of the collections, and chunks of all the tenant's.
    pub documents: i64,
    pub chunks: i64,
    pub all_chunks: i64,
}

/// What a search found, best first.
#[derive(Debug)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// How the nearest chunks were found; absent where only words were looked for.
    pub plan: Option<Plan>,
    /// Whether it is known that there is no further match.
    pub complete: bool,
}

#[derive(Debug, Clone)]
pub struct Hit {
    pub chunk: ChunkId,
    pub document: DocumentId,
    pub collection: CollectionId,
    pub external_id: String,
    pub title: String,
    pub uri: String,
    pub attributes: Value,
    pub text: String,
    pub headings: Vec<String>,
    /// The page, slide or sheet it begins on.
    pub place: Option<Value>,
    pub span: (i32, i32),
    /// The part of the span that was found, where the text is a window around it.
    pub matched: Option<(i32, i32)>,
    pub tokens: i32,
    pub score: f32,
    pub dense: Option<f32>,
    pub lexical: Option<f32>,
    /// Of its document.
    pub expires_at: Option<OffsetDateTime>,
}

impl SearchChunks {
    /// How many candidates a walk is to give where so many are wanted.
    fn coarse(&self, wanted: u16) -> u16 {
        match &self.embedding {
            Some((_, space)) if space.spec.storage == Storage::Bit => {
                wanted.saturating_mul(self.oversampling.max(1))
            }
            _ => wanted,
        }
    }
}

impl Request for SearchChunks {
    type Reply = Result<Found, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// A way to answer: which chunks the filter lets through is known, or asked of each candidate.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    plan: Plan,
    /// Documents that match each condition of the filter.
    counts: &'a [i64],
    /// How many times as many candidates give as many that match.
    spread: f64,
}

impl Way<'_> {
    /// How many chunks the lexical leg's first pass gives, of how many postings, before they are asked.
    fn first_pass(&self, chunks: i64) -> [i32; 2] {
        let times = |count: f64, most: f64| (count * self.spread).clamp(1.0, most) as i32;
        [times(1_000.0, 10_000.0), times(f64::from(postings(chunks)), 12_000.0)]
    }
}

/// How many postings a first pass over so many chunks reads, the most valuable first. Rare words decide, and a
/// larger collection has more postings of each; but they are what a lexical search costs. Fitted to a recall of .95 at
/// 100,000 chunks (docs/adr/0003-bm25-on-plain-postgresql.md).
fn postings(chunks: i64) -> i32 {
    (3_500.0 * (chunks.max(0) as f64 / 1e5).sqrt()).clamp(1_200.0, 12_000.0) as i32
}

impl Serve<SearchChunks> for Store {
    async fn serve(self: Rc<Self>, search: SearchChunks, deadline: Deadline) -> Result<Found, StoreError> {
        if search.collections.is_empty() {
            return Ok(Found { hits: Vec::new(), plan: None, complete: true });
        }
        let selected = match &search.filter {
            Some(filter) => Some(self.selected(&search, filter, deadline).await?),
            None => None,
        };
        let per_document = search.chunks as f64 / search.documents.max(1) as f64;
        let chunks = selected.as_ref().map(|selected| (selected.documents as f64 * per_document) as i64);
        let chunks = chunks.unwrap_or(search.chunks).min(search.chunks);
        let wanted = if search.mode == Mode::Hybrid { search.candidates } else { search.limit };
        let plan = plan::choose(chunks, search.all_chunks, wanted);
        let counts = selected.as_ref().map_or(&[][..], |selected| &selected.counts);
        let spread = search.chunks.max(1) as f64 / chunks.max(1) as f64;
        let way = Way { plan, counts, spread };
        let ef = (plan == Plan::Index && chunks < search.all_chunks)
            .then(|| {
                let ef = search.ef.unwrap_or(wanted);
                plan::width(chunks, search.all_chunks, search.coarse(wanted), ef)
            })
            .or(search.ef);
        let hits = self.find(&search, way, ef, deadline).await?;
        let dense = search.embedding.is_some();
        let full = hits.len() >= usize::from(search.limit);
        // A walk that came back short may have missed some: all are compared, so that the answer is full.
        let again = !full && plan == Plan::Index && (dense || search.filter.is_some());
        let (hits, plan) = if again {
            metrics::counter!("mcp_rag_search_repeats_total").increment(1);
            (self.find(&search, Way { plan: Plan::Exact, ..way }, None, deadline).await?, Plan::Exact)
        } else {
            (hits, plan)
        };
        let complete = full || plan == Plan::Exact || !dense;
        Ok(Found { hits, plan: dense.then_some(plan), complete })
    }
}

impl Store {
    async fn find(
        &self,
        search: &SearchChunks,
        way: Way<'_>,
        ef: Option<u16>,
        deadline: Deadline,
    ) -> Result<Vec<Hit>, StoreError> {
        let mut parameters: Vec<Box<dyn ToSql + Sync>> = Vec::new();
        let sql = statement(search, way, &mut parameters);
        let references: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(AsRef::as_ref).collect();
        let sees = Sees::Listed(&search.collections);
        let rows = self.read_with_ef(search.tenant, sees, ef, &sql, &references, deadline).await?;
        Ok(rows.iter().map(read).collect())
    }
}

/// The statement's text depends on shape only, never on values, so that it is prepared once each.
fn statement(search: &SearchChunks, way: Way<'_>, parameters: &mut Vec<Box<dyn ToSql + Sync>>) -> String {
    let mut bind = |value: Box<dyn ToSql + Sync>| {
        parameters.push(value);
        format!("${}", parameters.len())
    };
    let tenant = bind(Box::new(search.tenant.0));
    // A parameter that no part uses would have no type; the lexical leg's keys imply its collections.
    let scoped = search.embedding.is_some() || search.filter.is_some();
    let of = || search.collections.iter().map(|collection| collection.0).collect::<Vec<i64>>();
    let collections = if scoped { bind(Box::new(of())) } else { String::new() };
    let (limit, depth) = (search.limit, search.candidates);
    let scope = Scope { tenant: &tenant, collections: &collections };
    let exact = way.plan == Plan::Exact;
    // Listed where few match, else asked of each candidate.
    let allowed = search.filter.as_ref().filter(|_| exact).map(|filter| {
        let documents = matching(filter, way.counts, scope, &mut bind);
        format!("allowed AS MATERIALIZED ({documents}), ")
    });
    let asked = search.filter.as_ref().filter(|_| !exact);
    let filtered = allowed.is_some();
    let near = search.embedding.as_ref().map(|(vector, space)| {
        let placeholder = bind(space.spec.storage.parameter(vector));
        (space.id.0, space.spec.storage.expressions(&placeholder, space.spec.dimensions))
    });
    let dense = near.as_ref().map(|(space, near)| {
        let wanted = if search.mode == Mode::Dense { limit } else { depth };
        let among = if filtered {
            "e.document_id = ANY (ARRAY(SELECT document_id FROM allowed))".to_owned()
        } else {
            let asked = asked.map(|filter| narrowed(filter, "e.document_id", scope, &mut bind));
            let asked = asked.map_or_else(String::new, |condition| format!(" AND {condition}"));
            format!("e.collection_id = ANY ({collections}){asked}")
        };
        // Only a constant space can choose its partial index.
        let from =
            format!("FROM embeddings e WHERE e.tenant_id = {tenant} AND e.space_id = {space} AND {among}");
        let by_index = !exact;
        let exact = &near.exact;
        match &near.rerank {
            Some(rerank) if by_index => {
                let coarse = search.coarse(wanted);
                format!(
                    "dense AS MATERIALIZED (SELECT chunk_id, 1 - distance AS similarity FROM ( \
                         SELECT e.chunk_id, {rerank} AS distance {from} ORDER BY {} LIMIT {coarse}) candidates \
                     ORDER BY distance LIMIT {wanted}), ",
                    near.indexed
                )
            }
            _ => {
                let order = if by_index { &near.indexed } else { exact };
                format!(
                    "dense AS MATERIALIZED (SELECT e.chunk_id, 1 - ({order}) AS similarity {from} \
                     ORDER BY {order} LIMIT {wanted}), "
                )
            }
        }
    });
    let lexical = (search.mode != Mode::Dense).then(|| {
        let of = bind(Box::new(search.terms.iter().map(|term| term.collection).collect::<Vec<_>>()));
        let bases = bind(Box::new(search.terms.iter().map(|term| term.base).collect::<Vec<_>>()));
        let counts = bind(Box::new(search.terms.iter().map(|term| term.count).collect::<Vec<_>>()));
        let wanted = if search.mode == Mode::Lexical { limit } else { depth };
        let own = if dense.is_some() { "ARRAY(SELECT chunk_id FROM dense)" } else { "'{}'::bigint[]" };
        // A first pass over more than is wanted, since only the second one is exact.
        let first = wanted + wanted / 2 + 25;
        let source = if filtered {
            let likeliest = format!(
                "SELECT a.chunk_id FROM lexical_among({of}, {bases}, {counts}, {first}, \
                 ARRAY(SELECT document_id FROM allowed)) a"
            );
            format!("lexical_scores({of}, {bases}, {counts}, ARRAY({likeliest}) || {own})")
        } else if let Some(filter) = asked {
            let asked = narrowed(filter, "c.document_id", scope, &mut bind);
            let [most, budget] = way.first_pass(search.all_chunks).map(|count| bind(Box::new(count)));
            let likeliest = format!(
                "SELECT f.chunk_id FROM lexical_first({of}, {bases}, {counts}, {most}, {budget}) f \
                 WHERE (SELECT c.collection_id = ANY ({collections}) AND {asked} FROM chunks c \
                     WHERE c.tenant_id = {tenant} AND c.chunk_id = f.chunk_id) LIMIT {first}"
            );
            format!("lexical_scores({of}, {bases}, {counts}, ARRAY({likeliest}) || {own})")
        } else {
            let budget = bind(Box::new(postings(search.all_chunks)));
            format!("lexical_search({of}, {bases}, {counts}, {wanted}, {own}, {budget})")
        };
        format!(
            "lexical AS MATERIALIZED (SELECT chunk_id, score FROM {source} ORDER BY score DESC, chunk_id), "
        )
    });
    let best = match (&near, search.mode) {
        (Some((space, near)), Mode::Hybrid) => hybrid(&near.exact, &tenant, *space, limit, depth),
        (_, Mode::Dense) => {
            "best AS (SELECT chunk_id, similarity AS score, similarity, NULL::float8 AS bm25 FROM dense)"
                .to_owned()
        }
        (_, Mode::Lexical | Mode::Hybrid) => format!(
            "best AS (SELECT chunk_id, score, NULL::float8 AS similarity, score AS bm25 FROM lexical WHERE score > 0 \
             ORDER BY score DESC, chunk_id LIMIT {limit})"
        ),
    };
    format!(
        "WITH {}{}{}{best} \
         SELECT c.chunk_id, c.document_id, c.collection_id, d.external_id, d.title, d.uri, d.attributes, c.text, \
                c.headings, c.span_start, c.span_end, c.tokens, b.score::real, b.similarity::real, b.bm25::real, c.place, c.match_start, \
                c.match_end, d.expires_at \
         FROM best b JOIN chunks c ON c.tenant_id = {tenant} AND c.chunk_id = b.chunk_id \
         JOIN documents d ON d.tenant_id = c.tenant_id AND d.document_id = c.document_id \
              AND (d.expires_at IS NULL OR d.expires_at > now()) \
         ORDER BY b.score DESC, c.chunk_id",
        allowed.unwrap_or_default(),
        dense.unwrap_or_default(),
        lexical.unwrap_or_default(),
    )
}

/// Both legs' best candidates with both true scores, scaled and averaged. Where a leg scores all
/// candidates alike (one candidate, above all) there is nothing to scale: a match counts in full.
fn hybrid(distance: &str, tenant: &str, space: i64, limit: u16, depth: u16) -> String {
    format!(
        "both_legs AS MATERIALIZED ( \
             SELECT l.chunk_id, l.score AS bm25, coalesce(dense.similarity, ( \
                 SELECT 1 - ({distance}) FROM embeddings e \
                 WHERE e.tenant_id = {tenant} AND e.space_id = {space} AND e.chunk_id = l.chunk_id)) AS similarity \
             FROM (SELECT * FROM (SELECT * FROM lexical ORDER BY score DESC, chunk_id LIMIT {depth}) top \
                   UNION SELECT lexical.* FROM lexical JOIN dense USING (chunk_id)) l \
             LEFT JOIN dense USING (chunk_id)), \
         scaled AS ( \
             SELECT *, coalesce((bm25 - min(bm25) OVER w) / nullif(max(bm25) OVER w - min(bm25) OVER w, 0), \
                     CASE WHEN bm25 > 0 THEN 1 ELSE 0 END) AS scaled_bm25, \
                 coalesce((similarity - min(similarity) OVER w) \
                     / nullif(max(similarity) OVER w - min(similarity) OVER w, 0), \
                     CASE WHEN similarity > 0 THEN 1 ELSE 0 END) AS scaled_similarity \
             FROM both_legs WINDOW w AS ()), \
         best AS (SELECT chunk_id, (scaled_bm25 + scaled_similarity) / 2 AS score, similarity, bm25 FROM scaled \
             ORDER BY (scaled_bm25 + scaled_similarity) DESC, chunk_id LIMIT {limit})"
    )
}

fn read(row: &Row) -> Hit {
    let headings: Value = row.get(8);
    let headings =
        headings.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned));
    Hit {
        chunk: ChunkId(row.get(0)),
        document: DocumentId(row.get(1)),
        collection: CollectionId(row.get(2)),
        external_id: row.get(3),
        title: row.get(4),
        uri: row.get(5),
        attributes: row.get(6),
        text: row.get(7),
        headings: headings.collect(),
        span: (row.get(9), row.get(10)),
        tokens: row.get(11),
        score: row.get(12),
        dense: row.get(13),
        lexical: row.get(14),
        place: row.get(15),
        matched: row.get::<_, Option<i32>>(16).zip(row.get(17)),
        expires_at: row.get(18),
    }
}
