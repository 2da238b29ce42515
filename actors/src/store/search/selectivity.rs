//! How many documents a filter matches: counted through the indexes, up to a bound, and remembered for a
//! moment. Only the choice of a plan rests on it, never what is found.

use super::super::Store;
use super::super::error::StoreError;
use super::super::filter::{Filter, Scope, leaves, matching};
use super::super::read::Sees;
use super::super::sight;
use super::SearchChunks;
use crate::resilience::Deadline;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio_postgres::types::ToSql;

const REMEMBERED: Duration = Duration::from_secs(60);
const MOST_REMEMBERED: usize = 4_096;
/// Conditions that are counted one by one; the others are taken to match much.
const MOST_LEAVES: usize = 16;
/// A count ends here, or at a fifth of the documents where these are more, and never beyond the last.
const COUNTED: (i64, i64) = (20_000, 100_000);

/// What is known of a filter.
#[derive(Debug)]
pub(in super::super) struct Selected {
    /// Matching documents; at the bound, at least so many.
    pub(super) documents: i64,
    /// The same of each of its conditions that an index answers.
    pub(super) counts: Vec<i64>,
}

/// By a hash of tenant, sight, collections and filter.
type Known = HashMap<[u8; 32], (Instant, Rc<Selected>)>;

#[derive(Default)]
pub(in super::super) struct Selectivities(RefCell<Known>);

impl Selectivities {
    fn get(&self, key: &[u8; 32]) -> Option<Rc<Selected>> {
        let known = self.0.borrow();
        known.get(key).filter(|(at, _)| at.elapsed() < REMEMBERED).map(|(_, selected)| Rc::clone(selected))
    }

    fn put(&self, key: [u8; 32], selected: &Rc<Selected>) {
        let mut known = self.0.borrow_mut();
        if known.len() >= MOST_REMEMBERED {
            known.retain(|_, (at, _)| at.elapsed() < REMEMBERED);
        }
        if known.len() >= MOST_REMEMBERED {
            known.clear();
        }
        known.insert(key, (Instant::now(), Rc::clone(selected)));
    }
}

impl Store {
    /// What the filter matches among the searched collections.
    pub(super) async fn selected(
        &self,
        search: &SearchChunks,
        filter: &Filter,
        deadline: Deadline,
    ) -> Result<Rc<Selected>, StoreError> {
        let about = format!("{:?} {:?} {:?} {filter:?}", search.tenant, sight::current(), search.collections);
        let key = Sha256::digest(about).into();
        if let Some(known) = self.selectivities.get(&key) {
            return Ok(known);
        }
        let bound = (search.documents / 5).clamp(COUNTED.0, COUNTED.1);
        // Counted is what an index can give: of a negation, what it leaves out.
        let (counted, negated) = match filter {
            Filter::Not(inner) => (inner.as_ref(), true),
            other => (other, false),
        };
        let single = |scope: Scope<'_>, bind: &mut dyn FnMut(Box<dyn ToSql + Sync>) -> String| {
            let mut all = leaves(counted, scope, bind);
            all.truncate(MOST_LEAVES);
            all
        };
        let counts = match counted {
            Filter::And(_) | Filter::Or(_) => self.count(search, bound, single, deadline).await?,
            Filter::Not(_) | Filter::Attribute(..) | Filter::Field(..) | Filter::Seen => Vec::new(),
        };
        let whole = |scope: Scope<'_>, bind: &mut dyn FnMut(Box<dyn ToSql + Sync>) -> String| {
            vec![matching(counted, &counts, scope, bind)]
        };
        let found = self.count(search, bound, whole, deadline).await?.first().copied().unwrap_or(0);
        let documents = if negated { (search.documents - found).max(0) } else { found };
        // Within a negation nothing is read from an index.
        let counts = if negated { Vec::new() } else { counts };
        let selected = Rc::new(Selected { documents, counts });
        self.selectivities.put(key, &selected);
        Ok(selected)
    }

    /// How many documents each of the queries finds, up to a bound, in one statement.
    async fn count(
        &self,
        search: &SearchChunks,
        bound: i64,
        queries: impl FnOnce(Scope<'_>, &mut dyn FnMut(Box<dyn ToSql + Sync>) -> String) -> Vec<String>,
        deadline: Deadline,
    ) -> Result<Vec<i64>, StoreError> {
        let of: Vec<i64> = search.collections.iter().map(|collection| collection.0).collect();
        let mut parameters: Vec<Box<dyn ToSql + Sync>> =
            vec![Box::new(search.tenant.0), Box::new(of), Box::new(bound)];
        let mut bind = |value| {
            parameters.push(value);
            format!("${}", parameters.len())
        };
        let queries = queries(Scope { tenant: "$1::bigint", collections: "$2::bigint[]" }, &mut bind);
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let counts: Vec<String> = queries
            .iter()
            .map(|query| format!("(SELECT count(*) FROM (SELECT FROM ({query}) q LIMIT $3) counted)"))
            .collect();
        // The condition keeps parameters that no query uses from having no type.
        let sql =
            format!("SELECT {} WHERE $1::bigint IS NOT NULL AND $2::bigint[] IS NOT NULL", counts.join(", "));
        let references: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(AsRef::as_ref).collect();
        let sees = Sees::Listed(&search.collections);
        let rows = self.read(search.tenant, sees, &sql, &references, deadline).await?;
        Ok(rows.first().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).unwrap_or_default())
    }
}
