//! One document as it is kept.

use super::body::Body;
use crate::change::About;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: i64,
    version: i32,
    created_at: i64,
    updated_at: i64,
    expires_at: Option<i64>,
    /// External id, title, uri, media type and attributes, one after the other.
    texts: Box<str>,
    /// Where each but the last ends.
    ends: [u32; 4],
    acl: Box<[Box<str>]>,
    /// Of its chunks, ascending, in their order.
    pub(crate) slots: Box<[u32]>,
    pub(crate) body: Body,
}

impl Record {
    pub(crate) fn new(about: &About, slots: Box<[u32]>, body: Body) -> Self {
        let texts = [&about.external_id, &about.title, &about.uri, &about.media_type, &about.attributes];
        let mut all = String::with_capacity(texts.iter().map(|text| text.len()).sum());
        let mut ends = [0; 4];
        for (at, text) in texts.into_iter().enumerate() {
            all.push_str(text);
            if let Some(end) = ends.get_mut(at) {
                *end = u32::try_from(all.len()).unwrap_or(u32::MAX);
            }
        }
        Self {
            id: about.id,
            version: about.version,
            created_at: about.created_at,
            updated_at: about.updated_at,
            expires_at: about.expires_at,
            texts: all.into(),
            ends,
            acl: about.acl.iter().map(|name| name.as_str().into()).collect(),
            slots,
            body,
        }
    }

    pub(crate) fn about(&self) -> About {
        About {
            id: self.id,
            version: self.version,
            external_id: self.external_id().to_owned(),
            title: self.title().to_owned(),
            uri: self.uri().to_owned(),
            media_type: self.text(3).to_owned(),
            attributes: self.attributes().to_owned(),
            acl: self.acl.iter().map(|name| name.as_ref().to_owned()).collect(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            expires_at: self.expires_at,
        }
    }

    pub(crate) fn version(&self) -> i32 {
        self.version
    }

    pub(crate) fn external_id(&self) -> &str {
        self.text(0)
    }

    pub(crate) fn title(&self) -> &str {
        self.text(1)
    }

    pub(crate) fn uri(&self) -> &str {
        self.text(2)
    }

    pub(crate) fn attributes(&self) -> &str {
        self.text(4)
    }

    pub(crate) fn created_at(&self) -> i64 {
        self.created_at
    }

    pub(crate) fn updated_at(&self) -> i64 {
        self.updated_at
    }

    pub(crate) fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }

    fn text(&self, nth: usize) -> &str {
        let at = |end: Option<&u32>| end.map(|end| *end as usize);
        let start = nth.checked_sub(1).and_then(|before| at(self.ends.get(before))).unwrap_or(0);
        let end = at(self.ends.get(nth)).unwrap_or(self.texts.len());
        self.texts.get(start..end).unwrap_or_default()
    }

    /// Beside itself.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.texts.len()
            + self.acl.iter().map(|name| name.len() + size_of::<Box<str>>()).sum::<usize>()
            + size_of_val::<[u32]>(&self.slots)
            + self.body.memory_bytes()
    }
}
