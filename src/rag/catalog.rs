use super::consistency::{Seen, needed};
use super::models::{Models, complain};
use super::search::Degradation;
use crate::error::{Code, Error};
use crate::flags::Switches;
use mcp_rag_actors::index::IndexHandle;
use mcp_rag_actors::store::{
    Collection, CollectionId, HiddenCounts, ListCollections, ListSpaces, Sight, Source, Space, SpaceId,
    StoreError, StoreHandle, TenantId,
};
use moka::future::Cache;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Caller;

/// How long a search waits for a fresh list when it could do with the one seen last.
const PATIENCE: Duration = Duration::from_secs(1);
const MAX_TENANTS: u64 = 10_000;
/// Tenants without a model that are remembered; one is enough to say that something is wrong.
const MOST_UNSERVED: usize = 1_000;

type Lists = Cache<(TenantId, u64), Listed>;
/// Of each tenant one list, with the generation it is of.
type Last = Cache<TenantId, (u64, Listed)>;

#[derive(Clone)]
struct Listed {
    collections: Arc<Vec<Collection>>,
    spaces: Arc<Vec<Arc<Space>>>,
    source: Source,
}

/// The tenant's collections, remembered for a moment so that a cached search needs no database.
///
/// A write by this process forgets them at once; one by another replica is seen within the
/// time to live, and a collection it made at once: an unknown name is looked for in a fresh list. The list seen last is kept beyond it, for searches while the database is away.
#[derive(Clone)]
pub struct Catalog {
    store: StoreHandle,
    models: Models,
    /// Told of each write.
    index: IndexHandle,
    /// Tenants whose active space no model of ours serves, and that space.
    unserved: Arc<Mutex<HashMap<TenantId, SpaceId>>>,
    known: Lists,
    last: Last,
    /// Part of the key: a load that began before a write ends under a key that nobody asks for any
    /// more, so it cannot bring back what the write made stale.
    generation: Arc<AtomicU64>,
}

/// The collections a search is about.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) collections: Vec<Collection>,
    /// The one that is searched; none before anything was published.
    pub(super) space: Option<Arc<Space>>,
    /// Chunks in all of the tenant's collections, selected or not.
    pub(super) all_chunks: i64,
    /// What is to be seen of their documents: of one's own eyes no more than matters for these.
    pub(super) sight: Sight,
    /// What may be used for it.
    pub(super) switches: Switches,
    /// Why this may not be the present list.
    pub(super) stale: Option<Degradation>,
    /// It is older than what the caller must see, or than a write of ours: only a copy may answer, or this is the answer.
    pub(super) outlived: Option<Error>,
}

impl Catalog {
    pub(super) fn new(store: StoreHandle, models: Models, index: IndexHandle, ttl: Duration) -> Self {
        Self {
            store,
            models,
            index,
            unserved: Arc::default(),
            known: Cache::builder().max_capacity(MAX_TENANTS).time_to_live(ttl).build(),
            last: Cache::new(MAX_TENANTS),
            generation: Arc::default(),
        }
    }

    /// Those that exist as far as the caller is concerned.
    pub async fn all(&self, caller: &Caller) -> Result<Arc<Vec<Collection>>, Error> {
        let all = self.listed(caller).await?.collections;
        if caller.identity.collections.is_none() {
            return Ok(all);
        }
        Ok(Arc::new(seen(&all, caller).cloned().collect()))
    }

    /// The same with the counts of what the caller may see in them.
    pub async fn counted(&self, caller: &Caller, mut all: Vec<Collection>) -> Result<Vec<Collection>, Error> {
        let sight = caller.identity.sight();
        let restricted = all.iter().filter(|one| one.restricted).map(|one| one.id).collect::<Vec<_>>();
        if sight == Sight::All || restricted.is_empty() {
            return Ok(all);
        }
        let count = HiddenCounts { tenant: caller.tenant, collections: restricted };
        let hidden = self.store.seeing(sight).call(count, caller.deadline).await?;
        for collection in &mut all {
            if let Some(hidden) = hidden.get(&collection.id) {
                // The list may be a moment older than the count.
                collection.documents = (collection.documents - hidden.documents).max(0);
                collection.chunks = (collection.chunks - hidden.chunks).max(0);
            }
        }
        Ok(all)
    }

    /// Their ids, where the caller is limited to some.
    pub async fn limits(&self, caller: &Caller) -> Result<Option<Vec<CollectionId>>, Error> {
        if caller.identity.collections.is_none() {
            return Ok(None);
        }
        Ok(Some(self.all(caller).await?.iter().map(|collection| collection.id).collect()))
    }

    /// The tenant's embedding spaces, oldest first.
    pub async fn spaces(&self, caller: &Caller) -> Result<Arc<Vec<Arc<Space>>>, Error> {
        Ok(self.listed(caller).await?.spaces)
    }

    fn unserved(&self) -> MutexGuard<'_, HashMap<TenantId, SpaceId>> {
        self.unserved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that is searched; none before anything was published.
    pub async fn active(&self, caller: &Caller) -> Result<Option<Arc<Space>>, Error> {
        Ok(self.spaces(caller).await?.iter().find(|space| space.is_active()).cloned())
    }

    /// Whether a tenant seen lately is searched by a model that this process does not have.
    pub fn is_unserved(&self) -> bool {
        !self.unserved().is_empty()
    }

    /// Says so once for each space that none of our models serves.
    fn check(&self, tenant: TenantId, spaces: &[Arc<Space>]) {
        let active = spaces.iter().find(|space| space.is_active());
        match active.filter(|space| self.models.of(&space.spec).is_none()) {
            None => drop(self.unserved().remove(&tenant)),
            Some(space) => {
                let mut unserved = self.unserved();
                if unserved.len() < MOST_UNSERVED && unserved.insert(tenant, space.id) != Some(space.id) {
                    complain(&tenant, &space.spec.model, space.spec.dimensions);
                }
            }
        }
    }

    async fn listed(&self, caller: &Caller) -> Result<Listed, Error> {
        let key = self.key(caller);
        let load = async {
            let list = ListCollections { tenant: caller.tenant };
            let spaces = ListSpaces { tenant: caller.tenant };
            let ((all, source), (spaces, of_spaces)) = tokio::try_join!(
                self.store.call_traced(list, caller.deadline),
                self.store.call_traced(spaces, caller.deadline)
            )?;
            self.check(caller.tenant, &spaces);
            let source = if of_spaces == Source::Standin { of_spaces } else { source };
            let listed = Listed { collections: Arc::new(all), spaces: Arc::new(spaces), source };
            self.last.insert(caller.tenant, (key.1, listed.clone())).await;
            Ok(listed)
        };
        // Concurrent callers share one query.
        let shared = self.known.try_get_with(key, load).await;
        shared.map_err(|error| StoreError::clone(&error).into())
    }

    pub async fn get(&self, caller: &Caller, name: &str) -> Result<Collection, Error> {
        let of_name =
            |all: &[Collection]| seen(all, caller).find(|collection| collection.name == name).cloned();
        let listed = self.until(caller, |listed| of_name(&listed.collections).is_some()).await?;
        of_name(&listed.collections).ok_or_else(|| Error::not_found("collection"))
    }

    pub async fn by_id(&self, caller: &Caller, id: CollectionId) -> Result<Collection, Error> {
        let of_id = |all: &[Collection]| seen(all, caller).find(|collection| collection.id == id).cloned();
        let listed = self.until(caller, |listed| of_id(&listed.collections).is_some()).await?;
        of_id(&listed.collections).ok_or_else(|| Error::not_found("vector store"))
    }

    /// The remembered list, or where that does not do the present one: another replica may have written since.
    async fn until(&self, caller: &Caller, does: impl Fn(&Listed) -> bool) -> Result<Listed, Error> {
        let mut listed = self.listed(caller).await?;
        // The first may be one that somebody asked for before we were called; the second cannot.
        for _ in 0..2 {
            if does(&listed) {
                break;
            }
            self.known.invalidate(&self.key(caller)).await;
            listed = self.listed(caller).await?;
        }
        Ok(listed)
    }

    fn key(&self, caller: &Caller) -> (TenantId, u64) {
        (caller.tenant, self.generation.load(Ordering::Acquire))
    }

    /// Whether searches can go on with what was seen last.
    pub fn remembers(&self) -> bool {
        self.last.iter().next().is_some()
    }

    /// The named collections, or all of them; as they were seen last while the database is away.
    pub(super) async fn select(
        &self,
        caller: &Caller,
        names: Option<&[String]>,
        seeing: &[Seen],
        switches: Switches,
    ) -> Result<Selection, Error> {
        let last = self.last.get(&caller.tenant).await;
        // One from before a write of ours could show what is gone: what the cache has of then is not to be shown.
        let outlived = last.as_ref().is_some_and(|(of, _)| *of != self.key(caller).1);
        let last = last.filter(|_| !outlived || self.index.holds_any()).map(|(_, listed)| listed);
        let mut unseen = None;
        let patience = if last.is_some() { caller.deadline.capped(PATIENCE) } else { caller.deadline };
        let patient = Caller { deadline: patience, ..caller.clone() };
        let away = |reason, fallback| Some(Degradation::new("database", reason, fallback));
        let is_old = |listed: &Listed| {
            let old = |one: &Collection| needed(seeing, one.id).is_some_and(|epoch| one.epoch < epoch);
            listed.collections.iter().any(old)
        };
        let lacks = |listed: &Listed| {
            let found = named(&listed.collections, names, caller);
            is_old(listed) || found.is_err_and(|error| error.code == Code::NotFound)
        };
        let does = |listed: &Listed| listed.source == Source::Standin || !lacks(listed);
        let (listed, stale) = match (self.until(&patient, does).await, last) {
            (Ok(listed), _) if listed.source == Source::Standin => {
                let behind =
                    || Error::new(Code::Unavailable, "the replica has not yet seen what must be seen");
                unseen = is_old(&listed).then(behind);
                (listed, away(Code::Unavailable.as_str(), "replica"))
            }
            (Ok(listed), _) => (listed, None),
            (Err(error), Some(last)) if error.is_temporary() => {
                let stale = away(error.code.as_str(), "cache");
                unseen = Some(error);
                (last, stale)
            }
            (Err(error), _) => return Err(error),
        };
        let outlived = unseen.filter(|_| outlived || is_old(&listed));
        let collections = named(&listed.collections, names, caller)?;
        let all_chunks = listed.collections.iter().map(|collection| collection.chunks).sum();
        let active = || listed.spaces.iter().find(|space| space.is_active());
        let next = switches.next_space.then(|| self.next(&listed.spaces)).flatten();
        let space = next.or_else(active).cloned();
        let restricted = collections.iter().any(|collection| collection.restricted);
        let sight = if restricted { caller.identity.sight() } else { Sight::Public };
        Ok(Selection { collections, space, all_chunks, sight, switches, stale, outlived })
    }

    /// The space built for `[embedder.next]`, while nothing is missing in it.
    fn next<'a>(&self, spaces: &'a [Arc<Space>]) -> Option<&'a Arc<Space>> {
        let wanted = self.models.next.as_ref()?;
        spaces.iter().find(|space| space.spec == *wanted && space.is_complete())
    }

    /// Called after every write that changes what a search can return.
    pub fn forget(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.index.stir();
    }
}

fn seen<'a>(all: &'a [Collection], caller: &Caller) -> impl Iterator<Item = &'a Collection> {
    all.iter().filter(|collection| caller.identity.sees_collection(&collection.name))
}

fn named(all: &[Collection], names: Option<&[String]>, caller: &Caller) -> Result<Vec<Collection>, Error> {
    let Some(names) = names else { return Ok(seen(all, caller).cloned().collect()) };
    if names.is_empty() {
        return Err(Error::invalid(
            "collections",
            "name at least one collection, or leave `collections` out",
        ));
    }
    let mut chosen: Vec<Collection> = Vec::with_capacity(names.len());
    for name in names {
        let found = seen(all, caller).find(|collection| collection.name == *name).ok_or_else(|| {
            Error::new(Code::NotFound, "unknown collection: GET /v1/collections lists them")
                .about("collections")
        })?;
        if chosen.iter().all(|collection| collection.id != found.id) {
            chosen.push(found.clone());
        }
    }
    Ok(chosen)
}
