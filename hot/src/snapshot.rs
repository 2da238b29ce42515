//! A collection's documents and words on disk, so that a start takes seconds. What is read back is as it was, or an error.

use crate::collection::Held;
use crate::documents::Documents;
use crate::frames::{Frames, Source, damaged};
use crate::lexical::Lexical;
use std::io::{self, Read, Write};

/// Of this form; another is not read.
const MAGIC: &[u8; 8] = b"mcp-hot\x01";

impl Held {
    /// How many vectors are kept beside it is written down, so that another's are not taken for its own.
    pub(crate) fn save<W: Write>(&self, collection: i64, vectors: usize, mut into: W) -> io::Result<W> {
        into.write_all(MAGIC)?;
        let mut frames = Frames::new(into);
        frames.record(|head| {
            head.signed(collection);
            head.number(vectors as u64);
        })?;
        self.documents.save(&mut frames)?;
        self.lexical.save(&mut frames)?;
        frames.end()
    }

    /// With the number of vectors that belong to it.
    pub(crate) fn load(collection: i64, mut from: impl Read) -> io::Result<(Self, usize)> {
        let mut magic = [0; MAGIC.len()];
        from.read_exact(&mut magic)?;
        let mut source = Source::new(from);
        if &magic != MAGIC {
            return Err(damaged());
        }
        let (of, vectors) = source.record(|head| Ok((head.signed()?, head.small()?)))?;
        if of != collection {
            return Err(damaged());
        }
        let documents = Documents::load(&mut source)?;
        let lexical = Lexical::load(&mut source, documents.slots())?;
        source.end()?;
        let mut held = Self { documents, lexical, ..Self::default() };
        for record in held.documents.iter() {
            held.attributes.insert(&record.about(), &record.slots);
        }
        Ok((held, vectors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{About, Change, Chunk, Document};
    use crate::collection::Collection;

    fn collection() -> Collection {
        let collection = Collection::new(7, None);
        for id in 0..40 {
            let chunk = |ordinal: i32| Chunk {
                id: id * 10 + i64::from(ordinal),
                ordinal,
                text: format!("chunk {ordinal} of {id}"),
                keys: (1..=id % 9 + 1).map(|term| (term << 6) | 1).collect(),
                length: 10,
                ..Chunk::default()
            };
            let about = About {
                id,
                external_id: format!("{id}"),
                attributes: format!(r#"{{"n":{id}}}"#),
                acl: (0..id % 3).map(|name| name.to_string()).collect(),
                expires_at: (id % 5 == 0).then_some(id),
                ..About::default()
            };
            let document = Document { about, chunks: (0..(id % 4) as i32).map(chunk).collect() };
            collection.apply(&Change::Put(Box::new(document))).expect("put");
        }
        (0..40).step_by(7).for_each(|id| collection.apply(&Change::Delete(id)).expect("deleted"));
        collection
    }

    fn documents(collection: &Collection) -> Vec<Document> {
        let mut all = Vec::new();
        collection.each(|document| all.push(document)).expect("readable");
        all.sort_by_key(|document| document.about.id);
        all
    }

    #[test]
    fn what_was_saved_is_loaded_and_can_be_changed_as_before() {
        let before = collection();
        let bytes = before.held.read().save(7, 0, Vec::new()).expect("saved");
        let after = Collection::new(7, None);
        *after.held.write() = Held::load(7, bytes.as_slice()).expect("loaded").0;
        assert_eq!(documents(&after), documents(&before));
        assert_eq!(after.totals(), before.totals());
        for collection in [&before, &after] {
            let mut document = documents(collection).pop().expect("one");
            document.about.title = "new".to_owned();
            collection.apply(&Change::Put(Box::new(document))).expect("put");
            (1..20).for_each(|id| collection.apply(&Change::Delete(id)).expect("deleted"));
        }
        assert_eq!(documents(&after), documents(&before));
        assert_eq!(after.idf(&[64, 128, 640]), before.idf(&[64, 128, 640]));
    }

    #[test]
    fn a_snapshot_that_is_cut_or_changed_anywhere_or_of_another_collection_is_not_read() {
        let bytes = collection().held.read().save(7, 0, Vec::new()).expect("saved");
        assert!(Held::load(8, bytes.as_slice()).is_err());
        for at in 0..bytes.len() {
            assert!(Held::load(7, &bytes[..at]).is_err(), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(Held::load(7, changed.as_slice()).is_err(), "changed at {at}");
        }
    }
}
