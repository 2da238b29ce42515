//! Which queries one search asks, and their results together.

use super::fuse::{self, List};
use super::hot::{Answered, Way};
use super::{Degradation, Error, SearchQuery, seen, term_keys};
use crate::rag::catalog::Selection;
use crate::rag::{Caller, Rag};
use futures_util::{StreamExt, TryStreamExt, stream};
use mcp_rag_actors::index::Words;
use mcp_rag_actors::store::{Found, Mode, SearchChunks, Source};
use mcp_rag_actors::trace::TARGET;
use std::time::Duration;
use tracing::{Instrument, info_span};

/// What a rewritten query counts for beside one that was given.
const REWRITTEN: f32 = 0.5;
/// Statements of one search on their way at once; more would only wait for the same connections.
const AT_ONCE: usize = 3;

/// A query and what it counts for.
pub(super) struct Asked {
    pub(super) text: Option<String>,
    pub(super) weight: f32,
}

/// One of the searches that a search is made of.
pub(super) struct Asking {
    pub(super) search: SearchChunks,
    pub(super) weight: f32,
    /// Its lexical leg, if that was found before its vector.
    pub(super) words: Option<Words>,
}

impl Asking {
    /// Its vector will not come.
    pub(super) fn by_words_alone(&mut self) {
        self.search.mode = Mode::Lexical;
        self.words = None;
    }
}

/// The queries of one search, its own first.
pub(super) struct Queries {
    pub(super) asked: Vec<Asked>,
    /// Those that the chat model added.
    pub(super) rewritten: Vec<String>,
}

impl Queries {
    /// For the response: nothing to tell where there is but the caller's one.
    pub(super) fn told(&self) -> Vec<String> {
        if self.asked.len() < 2 {
            return Vec::new();
        }
        self.asked.iter().filter_map(|one| one.text.clone()).collect()
    }
}

impl Rag {
    /// The given queries, and those that the chat model adds to the first within its time.
    pub(super) async fn queries(
        &self,
        query: &SearchQuery,
        caller: &Caller,
        degraded: &mut Vec<Degradation>,
    ) -> Queries {
        let given = std::iter::once(&query.text).cloned().chain(query.options.also.iter().cloned().map(Some));
        let mut asked: Vec<Asked> = given.map(|text| Asked { text, weight: 1.0 }).collect();
        let rewritten = match (&query.options.cursor, &query.text) {
            // As on the first page, or the pages would not be of one search.
            (Some(cursor), _) => cursor.rewritten.clone(),
            (None, Some(_))
                if query.options.rewrite
                    && let Some(withheld) = self.withheld(caller).await =>
            {
                degraded.push(withheld.degradation("original_query"));
                Vec::new()
            }
            (None, Some(text)) if query.options.rewrite => {
                let most = Duration::from_millis(self.settings().search.rewrite_timeout_ms);
                // Half of what is left stays for the search without it.
                let within = caller.deadline.capped(most.min(caller.deadline.remaining() / 2));
                let meter = self.quotas.spending.meter(&caller.identity, text.len());
                let rewriting = self.generator.rewrite(text.clone(), within);
                match rewriting.instrument(info_span!(target: TARGET, "rewrite")).await {
                    Ok((rewritten, usage)) => {
                        meter.wrote(rewritten.iter().map(String::len).sum());
                        meter.ended(&Ok::<_, Error>(usage));
                        rewritten
                    }
                    Err(error) => {
                        meter.ended(&Err(&error));
                        tracing::debug!(%error, "the query was not rewritten");
                        degraded.push(Degradation::new("generator", error.reason(), "original_query"));
                        Vec::new()
                    }
                }
            }
            (None, _) => Vec::new(),
        };
        asked.extend(rewritten.iter().map(|text| Asked { text: Some(text.clone()), weight: REWRITTEN }));
        Queries { asked, rewritten }
    }

    /// The searches for `limit` chunks, one for each query; without their vectors.
    pub(super) fn asking(
        &self,
        query: &SearchQuery,
        queries: &Queries,
        mode: Mode,
        selection: &Selection,
        caller: &Caller,
        limit: u16,
    ) -> Vec<Asking> {
        let collections = selection.collections.as_slice();
        let settings = &self.settings().search;
        let filter = seen(query.filter.as_ref(), selection);
        let one = |asked: &Asked| {
            let search = SearchChunks {
                tenant: caller.tenant,
                collections: collections.iter().map(|collection| collection.id).collect(),
                mode,
                embedding: None,
                terms: asked.text.as_deref().map(|text| term_keys(text, collections)).unwrap_or_default(),
                filter: filter.clone(),
                limit,
                oversampling: settings.oversampling,
                candidates: settings.candidates.max(limit),
                ef: Some(self.ef(mode, limit, selection.all_chunks)),
                documents: collections.iter().map(|collection| collection.documents).sum(),
                chunks: collections.iter().map(|collection| collection.chunks).sum(),
                all_chunks: selection.all_chunks,
            };
            Asking { search, weight: asked.weight, words: None }
        };
        queries.asked.iter().map(one).collect()
    }

    /// What the searches find together; most often it is one.
    pub(super) async fn find(
        &self,
        mut searches: Vec<Asking>,
        mode: Mode,
        way: &Way<'_>,
    ) -> Result<(Found, Answered), Error> {
        if searches.len() < 2 {
            let Some(asking) = searches.pop() else {
                let nothing = Found { hits: Vec::new(), plan: None, complete: true };
                return Ok((nothing, Answered::Store(Source::Writer)));
            };
            return way.find(asking).await;
        }
        let limit = searches.iter().map(|one| usize::from(one.search.limit)).max().unwrap_or_default();
        let one = |asking: Asking| async move {
            let weight = asking.weight;
            let (found, answered) = way.find(asking).await?;
            Ok::<_, Error>((found, weight, answered))
        };
        let found: Vec<(Found, f32, Answered)> =
            stream::iter(searches).map(one).buffered(AT_ONCE).try_collect().await?;
        let (plan, complete) = (found[0].0.plan, found.iter().all(|(found, ..)| found.complete));
        let mut answered = Answered::Store(Source::Writer);
        let mut lists = Vec::with_capacity(found.len());
        for (found, weight, by) in found {
            answered = answered.worse(by);
            lists.push(List { hits: found.hits, weight });
        }
        let mut hits = fuse::fuse(lists, mode);
        hits.truncate(limit);
        Ok((Found { hits, plan, complete }, answered))
    }
}
