//! Search: resolve → cache → embed → one statement for both legs and their fusion → refine → pack.

mod collapse;
pub mod cursor;
mod diversity;
mod fuse;
mod hot;
mod key;
pub mod options;
mod overlap;
mod pack;
mod queries;
mod recency;
mod refine;
mod response;
#[cfg(test)]
mod testing;
mod vectors;

use super::catalog::Selection;
use super::rerank::in_order;
use super::{Caller, Rag, window};
use crate::error::{Code, Error};
use bytes::Bytes;
use cursor::{Cursor, MOST_GIVEN};
use futures_util::future;
use hot::{Answered, Way};
use key::Key;
use mcp_rag_actors::store::{Collection, Filter, Found, Mode, Plan, Sight, Source, TermKey};
use mcp_rag_actors::supervise::CallError;
use mcp_rag_actors::trace::TARGET;
use mcp_rag_text::analyze::analyze;
use mcp_rag_text::language::Language;
use options::Options;
use queries::Asking;
pub use response::{Degradation, Scores, SearchResponse, SearchResult, Span};
use response::{Timings, encode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tracing::{Instrument, info_span, instrument};
use vectors::Vectors;

/// Longest query, in bytes; only its first 256 tokens are embedded.
pub const MAX_QUERY_BYTES: usize = 32 * 1024;
/// Distinct terms of a query that the lexical leg looks up.
const MAX_TERMS: usize = 64;
/// Candidates per result when a second look chooses among them, and at least how many.
const CHOICE: u16 = 3;
const LEAST_CHOICE: u16 = 50;
/// Statements differ in their limit: few different ones, so that each is prepared once.
const STEP: u16 = 50;
/// What memory finds sooner is not cached: to keep it costs as much as to find it again, and a client that asks thousands
/// of them would push out what models and PostgreSQL were asked for.
const WORTH_KEEPING: Duration = Duration::from_micros(250);
/// A reranker reads every candidate.
const MOST_RERANKED: u16 = 100;

/// A valid search, whichever surface it came from.
#[derive(Debug, Clone)]
pub struct SearchQuery {
    pub text: Option<String>,
    /// Takes the place of the embedded text in the dense leg; of length one.
    pub embedding: Option<Vec<f32>>,
    pub collections: Option<Vec<String>>,
    pub top_k: u16,
    pub mode: Mode,
    pub filter: Option<Filter>,
    pub min_score: Option<f32>,
    /// Stop before the texts hold more of the embedder's tokens than this.
    pub max_tokens: Option<u32>,
    /// Rerank the fused order.
    pub rerank: bool,
    pub allow_degraded: bool,
    pub options: Options,
}

/// Where a search that the cache cannot answer gets its place from.
pub trait Room {
    /// Whether there would be one now.
    fn is_left(&self) -> bool;

    /// Takes it.
    ///
    /// # Errors
    /// There is none: `overloaded`.
    fn take(&self) -> Result<(), Error>;
}

/// Has its place already.
struct Admitted;

impl Room for Admitted {
    fn is_left(&self) -> bool {
        true
    }

    fn take(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A search that the cache has no answer to.
struct Sought<'a> {
    key: &'a Key,
    query: &'a SearchQuery,
    selection: &'a Selection,
    caller: &'a Caller,
    began: Instant,
}

pub(super) fn millis(since: Instant) -> f64 {
    in_millis(since.elapsed())
}

fn in_millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

impl Rag {
    /// For a caller that has been let in.
    pub async fn search(&self, query: SearchQuery, caller: &Caller) -> Result<SearchResponse, Error> {
        self.search_if(&Admitted, query, caller).await?.read()
    }

    /// Answers from the cache, or takes a place and searches; refused where there is none. Results from the cache are as
    /// they were kept: [`SearchResponse::json`] copies them.
    #[instrument(name = "search", target = TARGET, skip_all)]
    pub async fn search_if(
        &self,
        room: &impl Room,
        query: SearchQuery,
        caller: &Caller,
    ) -> Result<SearchResponse, Error> {
        let began = Instant::now();
        let switches = self.switches(caller.tenant);
        let (named, seeing) = (query.collections.as_deref(), &query.options.seeing);
        let selection = self.catalog.select(caller, named, seeing, switches).await?;
        self.check_dimensions(&query, &selection)?;
        let key = Key::of(&query, &selection, caller);
        if let Some(cursor) = &query.options.cursor {
            cursor.check(key.search, key.state)?;
        }
        let cacheable = switches.cache && selection.outlived.is_none();
        let quick = self.is_quick(&query, &selection, caller);
        // While there is no room for work, waiting for Redis is work too; and memory is sooner than Redis.
        let anywhere = room.is_left() && !quick;
        let cached = async { if cacheable { self.cached(&key.cache, anywhere).await } else { None } };
        let mut response = match cached.instrument(info_span!(target: TARGET, "cache")).await {
            Some(mut found) => {
                found.cached = true;
                found.timings = Timings { total_ms: millis(began), ..Timings::default() };
                // Right when it was found; what has changed since is out of sight.
                found.degraded.extend(selection.stale);
                found
            }
            None => {
                room.take()?;
                // What others found a moment ago may be older than what this caller must see.
                let sought = Sought { key: &key, query: &query, selection: &selection, caller, began };
                if !cacheable {
                    self.search_now(&sought).await?
                } else if quick {
                    self.search_here(&sought).await?
                } else {
                    self.search_once(&sought).await?
                }
            }
        };
        if let (false, Some(first)) = (query.allow_degraded, response.degraded.first()) {
            return Err(first.forbidden());
        }
        // Told, never forbidden: without the shared cache the result is the same.
        if switches.cache && self.cache.shared_is_away() {
            response.degraded.push(Degradation::new("cache", "circuit_open", "local"));
        }
        for stage in &response.degraded {
            metrics::counter!("mcp_rag_degraded_responses_total", "stage" => stage.stage.clone())
                .increment(1);
        }
        Ok(response)
    }

    /// Whether a search asks nobody but memory: it is done sooner than another's is waited for.
    fn is_quick(&self, query: &SearchQuery, selection: &Selection, caller: &Caller) -> bool {
        let embeds = query.embedding.is_none() && query.mode != Mode::Lexical;
        let asks = embeds || query.rerank || query.options.rewrite || query.options.refines();
        let space = selection.space.as_ref().filter(|_| query.mode != Mode::Lexical).map(|space| space.id);
        let collections = selection.collections.iter().map(|collection| (collection.id, collection.epoch));
        !asks && self.index.holds(caller.tenant, space, collections)
    }

    /// One that asks nobody: this process has the result afterwards, if it took its time.
    async fn search_here(&self, sought: &Sought<'_>) -> Result<SearchResponse, Error> {
        let mut response = self.search_now(sought).await?;
        if sought.began.elapsed() >= WORTH_KEEPING
            && let Some(entry) = whole(&mut response)
        {
            self.cache.put_here(sought.key.cache.clone(), entry).await;
        }
        Ok(response)
    }

    /// The cache has the result afterwards, if it is whole.
    async fn search_and_keep(&self, sought: &Sought<'_>) -> Result<SearchResponse, Error> {
        let mut response = self.search_now(sought).await?;
        if let Some(entry) = whole(&mut response) {
            self.cache.put(sought.key.cache.clone(), entry).await;
        }
        Ok(response)
    }

    /// Callers that ask the same at the same time share one search, so that an expired entry of the
    /// cache, or a database that is back, is not asked the same thing a hundred times.
    async fn search_once(&self, sought: &Sought<'_>) -> Result<SearchResponse, Error> {
        let (mine, found) = (AtomicBool::new(false), OnceLock::new());
        let fly = async {
            mine.store(true, Ordering::Relaxed);
            let mut response = self.search_and_keep(sought).await?;
            if response.kept.is_some() {
                // Whoever flies along reads what was kept.
                let _ = found.set(std::mem::take(&mut response.results));
            }
            Ok::<_, Error>(Arc::new(response))
        };
        let shared = self.flights.try_get_with(sought.key.cache.clone(), fly);
        let late = || Error::from(CallError::Timeout);
        match tokio::time::timeout_at(sought.caller.deadline.instant().into(), shared)
            .await
            .map_err(|_| late())?
        {
            Ok(response) => {
                let response = SearchResponse::clone(&response);
                Ok(match found.into_inner() {
                    Some(results) => SearchResponse { results, ..response },
                    None => response,
                })
            }
            // Whoever searched for us had less time than we have.
            Err(error) if error.code == Code::DeadlineExceeded && !mine.load(Ordering::Relaxed) => {
                self.search_now(sought).await
            }
            Err(error) => Err(Error::clone(&error)),
        }
    }

    /// A client's own vector must be of the space that is searched.
    fn check_dimensions(&self, query: &SearchQuery, selection: &Selection) -> Result<(), Error> {
        let Some(vector) = &query.embedding else { return Ok(()) };
        let of_space = selection.space.as_ref().and_then(|space| usize::try_from(space.spec.dimensions).ok());
        let dimensions = of_space.unwrap_or_else(|| self.embedder.dimensions());
        if vector.len() == dimensions {
            return Ok(());
        }
        let message =
            format!("`embedding` has {} numbers; the model's vectors have {dimensions}", vector.len());
        Err(Error::invalid("embedding", message))
    }

    async fn cached(&self, key: &str, anywhere: bool) -> Option<SearchResponse> {
        let found = if anywhere { self.cache.get(key).await } else { self.cache.get_here(key).await };
        response::decode(&found?)
    }

    async fn search_now(&self, sought: &Sought<'_>) -> Result<SearchResponse, Error> {
        let Sought { key, query, selection, caller, began } = *sought;
        let collections = selection.collections.as_slice();
        let mut degraded = Vec::new();
        let queries = self.queries(query, caller, &mut degraded).await;
        // Without a space nothing was ever embedded.
        let mode = if selection.space.is_some() { query.mode } else { Mode::Lexical };
        let (wanted, rerank) = self.candidates(depth(query), query, selection.switches, &mut degraded);
        let limit = window::reach(wanted, collections);
        let mut asking = self.asking(query, &queries, mode, selection, caller, limit);
        let vectors = self.vectors(query, &queries, mode, selection, caller.deadline);
        let here = async {
            let copies = self.copies(query, mode, selection, caller).await?;
            if let Some(copies) =
                copies.as_ref().filter(|_| mode == Mode::Hybrid && query.embedding.is_none())
            {
                // Whoever passes the texts on may have been woken on this very core: it goes first.
                std::thread::yield_now();
                asking.iter_mut().for_each(|asking| asking.words = copies.words(&asking.search));
            }
            Ok::<_, Error>(copies)
        };
        // What needs no vector is done while they are made.
        let (vectors, copies) = future::join(vectors, here).await;
        let mut copies = copies?;
        let Vectors { mode, vectors, failed, at: searched } = vectors;
        if let Some(failed) = failed {
            degraded.push(failed);
            copies = self.copies(query, mode, selection, caller).await?;
            asking.iter_mut().for_each(Asking::by_words_alone);
        }
        asking.iter_mut().zip(vectors).for_each(|(asking, vector)| asking.search.embedding = Some(vector));
        let embed_ms = in_millis(searched - began);
        let store = self.store.seeing(selection.sight.clone());
        let find = info_span!(target: TARGET, "find", mode = mode.as_str(), plan = tracing::field::Empty);
        let way = Way { copies: copies.as_ref(), store: &store, deadline: caller.deadline };
        let searching = self.find(asking, mode, &way).instrument(find.clone());
        let (Found { hits, plan, complete }, source) = searching.await?;
        find.record("plan", plan.map(Plan::as_str));
        match source {
            Answered::Store(Source::Standin) => {
                degraded.push(Degradation::new("database", "unavailable", "replica"));
            }
            Answered::Store(Source::Writer | Source::Replica) | Answered::Copies(None) => {}
            Answered::Copies(Some(away)) => degraded.push(away),
        }
        let page_end = usize::from(query.top_k) + query.options.cursor.as_ref().map_or(0, |c| c.given.len());
        let all_seen = hits.len() < usize::from(limit) && complete;
        let more = hits.len() >= usize::from(limit) && !(query.rerank && wanted >= MOST_RERANKED);
        let hits = window::collapse(hits, usize::from(wanted));
        let complete = hits.len() >= page_end || all_seen;
        let search_ms = millis(searched);
        let ranked = if rerank {
            let rerank = self.rerank(query, hits, &mut degraded, caller.deadline);
            rerank.instrument(info_span!(target: TARGET, "rerank")).await
        } else {
            in_order(hits)
        };
        let until = ranked.iter().filter_map(|ranked| ranked.hit.expires_at).min();
        let candidates = self.refine(ranked, query, selection, caller, &mut degraded).await;
        let page = pack::pack(candidates, query, collections, more);
        metrics::histogram!("mcp_rag_search_seconds", "mode" => mode.as_str())
            .record(began.elapsed().as_secs_f64());
        let (told, rewritten) = (queries.told(), queries.rewritten);
        let next = page.next.map(|given| Cursor { search: key.search, state: key.state, rewritten, given });
        Ok(SearchResponse {
            results: page.results,
            degraded,
            complete,
            truncated: page.truncated,
            next_cursor: next.map(|cursor| cursor.encode()),
            queries: told,
            timings: Timings { embed_ms, search_ms, total_ms: millis(began), plan },
            cached: false,
            kept: None,
            until,
        })
    }
}

/// What the cache keeps of a response that nothing was missing from.
fn whole(response: &mut SearchResponse) -> Option<Bytes> {
    response.degraded.is_empty().then(|| encode(response)).flatten()
}

/// The filter, and that a candidate may be seen where some may not be: a plan must know how many there are.
fn seen(filter: Option<&Filter>, selection: &Selection) -> Option<Filter> {
    let restricted = selection.collections.iter().any(|collection| collection.restricted);
    if !restricted || selection.sight == Sight::All {
        return filter.cloned();
    }
    Some(Filter::And(filter.cloned().into_iter().chain([Filter::Seen]).collect()))
}

/// How many results to fetch: `top_k` and no more where the statement's order is the answer's.
fn depth(query: &SearchQuery) -> u16 {
    let given = query.options.cursor.as_ref().map_or(0, |cursor| cursor.given.len().min(MOST_GIVEN));
    let wanted = query.top_k.saturating_add(u16::try_from(given).unwrap_or(u16::MAX));
    let chosen = if query.options.refines() {
        wanted.saturating_add(query.top_k * (CHOICE - 1)).max(LEAST_CHOICE)
    } else if given == 0 {
        return query.top_k;
    } else {
        wanted
    };
    let most = if query.rerank { MOST_RERANKED } else { u16::MAX };
    chosen.div_ceil(STEP).saturating_mul(STEP).min(most)
}

/// Each term of the query with its count, in each collection's own language.
pub(super) fn term_keys(text: &str, collections: &[Collection]) -> Vec<TermKey> {
    let mut keys = Vec::new();
    let mut analysed: Vec<(Language, Vec<(String, u32)>)> = Vec::new();
    for collection in collections {
        let language = Language::from_setting(&collection.language);
        if analysed.iter().all(|(known, _)| *known != language) {
            let mut counts: Vec<(String, u32)> = Vec::new();
            for term in analyze(text, language) {
                match counts.iter().position(|(known, _)| *known == term) {
                    Some(at) => counts[at].1 += 1,
                    None if counts.len() < MAX_TERMS => counts.push((term, 1)),
                    None => {}
                }
            }
            analysed.push((language, counts));
        }
        let counts = analysed.iter().find(|(known, _)| *known == language).map(|(_, counts)| counts);
        for (term, count) in counts.into_iter().flatten() {
            keys.push(TermKey::of(collection.id, term, *count));
        }
    }
    keys
}
