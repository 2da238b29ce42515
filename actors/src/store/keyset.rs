//! Pages of what has ascending ids: from either end, behind one id or before another.

use serde::{Deserialize, Serialize};

/// Which page; `after` and `before` are places in the order asked for.
#[derive(Debug, Clone, Copy)]
pub struct Keyset {
    pub after: Option<i64>,
    /// Without `after`, the page ends right before it.
    pub before: Option<i64>,
    pub descending: bool,
    pub limit: u16,
}

/// A page, and whether there is more in the direction in which it was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listed<T> {
    pub items: Vec<T>,
    pub has_more: bool,
}

impl Keyset {
    /// Read from its end towards the beginning, because only its end is known.
    fn is_backward(self) -> bool {
        self.before.is_some() && self.after.is_none()
    }

    /// The end of a statement over `id`: conditions, order and limit, with three parameters from `$first` on.
    pub(super) fn clause(self, id: &str, first: usize) -> String {
        let (follows, precedes) = if self.descending { ("<", ">") } else { (">", "<") };
        let order = if self.descending == self.is_backward() { "ASC" } else { "DESC" };
        format!(
            "AND (${first}::bigint IS NULL OR {id} {follows} ${first}) \
             AND (${}::bigint IS NULL OR {id} {precedes} ${}) ORDER BY {id} {order} LIMIT ${}",
            first + 1,
            first + 1,
            first + 2
        )
    }

    /// The third parameter: one row more than the page holds says whether there is more.
    pub(super) fn rows(self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page in the order asked for.
    pub(super) fn page<T>(self, mut items: Vec<T>) -> Listed<T> {
        let has_more = items.len() > usize::from(self.limit);
        items.truncate(usize::from(self.limit));
        if self.is_backward() {
            items.reverse();
        }
        Listed { items, has_more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a statement over the ids 1 to 9 would give.
    fn read(keyset: Keyset) -> (Vec<i64>, bool) {
        let ahead = |id: i64, place: i64| if keyset.descending { id < place } else { id > place };
        let mut ids: Vec<i64> = (1..10)
            .filter(|id| keyset.after.is_none_or(|after| ahead(*id, after)))
            .filter(|id| keyset.before.is_none_or(|before| ahead(before, *id)))
            .collect();
        if keyset.clause("id", 2).contains("ORDER BY id DESC") {
            ids.reverse();
        }
        ids.truncate(usize::try_from(keyset.rows()).expect("small"));
        let listed = keyset.page(ids);
        (listed.items, listed.has_more)
    }

    #[test]
    fn a_page_before_an_id_holds_what_comes_right_before_it() {
        let page = |after, before, descending| read(Keyset { after, before, descending, limit: 3 });
        assert_eq!(page(None, None, false), (vec![1, 2, 3], true));
        assert_eq!(page(Some(6), None, false), (vec![7, 8, 9], false));
        assert_eq!(page(None, Some(6), false), (vec![3, 4, 5], true));
        assert_eq!(page(None, Some(3), false), (vec![1, 2], false));
        assert_eq!(page(None, None, true), (vec![9, 8, 7], true));
        assert_eq!(page(Some(7), None, true), (vec![6, 5, 4], true));
        assert_eq!(page(None, Some(6), true), (vec![9, 8, 7], false));
        assert_eq!(page(None, Some(4), true), (vec![7, 6, 5], true));
        assert_eq!(page(Some(2), Some(5), false), (vec![3, 4], false));
    }
}
