//! Where a search is answered: in memory, where copies of all its collections are new enough; else by PostgreSQL. While that
//! is away copies answer whatever their age, and the response says so.

use super::queries::Asking;
use super::{Degradation, SearchQuery};
use crate::error::Error;
use crate::rag::catalog::Selection;
use crate::rag::consistency::needed;
use crate::rag::{Caller, Rag};
use mcp_rag_actors::index::{Effort, HotError, Needs, Readiness, Ready, Words};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{Found, Mode, SearchChunks, Sight, Source, StoreHandle};

/// Who answered.
pub(super) enum Answered {
    Store(Source),
    /// With what is wrong, if anything: why the store could not.
    Copies(Option<Degradation>),
}

/// Copies of all collections that are searched.
pub(super) struct Copies {
    ready: Ready,
    effort: Effort,
    sight: Sight,
    /// Why PostgreSQL is not asked at all.
    away: Option<Degradation>,
    /// They are as new as the list of collections, or newer.
    fresh: bool,
    /// They hold every write that the caller must see.
    seeing: bool,
}

/// The ways of one search.
pub(super) struct Way<'a> {
    pub(super) copies: Option<&'a Copies>,
    pub(super) store: &'a StoreHandle,
    pub(super) deadline: Deadline,
}

impl Rag {
    /// Copies of the collections, in the space that is searched.
    ///
    /// # Errors
    /// PostgreSQL is away, and nothing that is here has seen what must be seen.
    pub(super) async fn copies(
        &self,
        query: &SearchQuery,
        mode: Mode,
        selection: &Selection,
        caller: &Caller,
    ) -> Result<Option<Copies>, Error> {
        let seeing = &query.options.seeing;
        let of = selection.collections.iter();
        let collections: Vec<_> = of
            .map(|one| (one.id, needed(seeing, one.id).map_or(one.epoch, |epoch| epoch.max(one.epoch))))
            .collect();
        let told: Vec<_> =
            collections.iter().map(|(id, _)| (*id, needed(seeing, *id).unwrap_or(0))).collect();
        let space = selection.space.as_ref().filter(|_| mode != Mode::Lexical).map(|space| space.id);
        let needs = Needs { tenant: caller.tenant, collections, space, wait: selection.stale.is_none() };
        let (ready, fresh) = match self.index.ready(&needs).await {
            Readiness::Ready(ready) => (Some(ready), true),
            Readiness::Behind(ready) => (Some(ready), false),
            Readiness::Absent => (None, false),
        };
        let settings = &self.settings().search;
        let copies = ready.map(|ready| Copies {
            effort: settings
                .ef_search
                .map_or(Effort::Recall(settings.recall as f32), |ef| Effort::Candidates(ef.into())),
            sight: selection.sight.clone(),
            away: selection.stale.as_ref().map(|stale| Degradation::hot(&stale.reason, ready.age())),
            fresh,
            seeing: ready.reached(&told),
            ready,
        });
        match &selection.outlived {
            Some(error) if copies.as_ref().is_none_or(|copies| !copies.seeing) => Err(error.clone()),
            Some(_) | None => Ok(copies),
        }
    }
}

impl Copies {
    /// The lexical leg of a hybrid search that will be answered here.
    pub(super) fn words(&self, search: &SearchChunks) -> Option<Words> {
        self.are_asked().then(|| self.ready.words(search, &self.sight))
    }

    fn are_asked(&self) -> bool {
        self.fresh || (self.away.is_some() && self.seeing)
    }

    fn search(&self, search: &SearchChunks, words: Option<&Words>) -> Result<Found, HotError> {
        self.ready.search(search, &self.sight, self.effort, words)
    }
}

impl Way<'_> {
    pub(super) async fn find(&self, asking: Asking) -> Result<(Found, Answered), Error> {
        let Asking { search, words, .. } = asking;
        let Some(copies) = self.copies else { return self.ask(search).await };
        if copies.are_asked() {
            match copies.search(&search, words.as_ref()) {
                Ok(found) => return Ok((found, Answered::Copies(copies.away.clone()))),
                Err(error) => tracing::error!(%error, "a copy cannot be searched"),
            }
        }
        let standby = copies.seeing.then(|| search.clone());
        match (self.ask(search).await, standby) {
            // Found out only now.
            (Err(error), Some(search)) if error.is_temporary() => {
                let found = copies.search(&search, None).map_err(|_| error.clone())?;
                let away = Degradation::hot(error.code.as_str(), copies.ready.age());
                Ok((found, Answered::Copies(Some(away))))
            }
            (answer, _) => answer,
        }
    }

    async fn ask(&self, search: SearchChunks) -> Result<(Found, Answered), Error> {
        let (found, source) = self.store.call_traced::<SearchChunks, Found>(search, self.deadline).await?;
        Ok((found, Answered::Store(source)))
    }
}

impl Answered {
    /// Of several the worst: one stale part makes the whole stale.
    pub(super) fn worse(self, other: Self) -> Self {
        let is_stale = |one: &Self| match one {
            Self::Store(source) => *source == Source::Standin,
            Self::Copies(away) => away.is_some(),
        };
        if is_stale(&self) { self } else { other }
    }
}
