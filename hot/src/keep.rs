//! A collection as whoever keeps it up to date uses it: what it holds, and its file.

use crate::collection::{Collection, Held};
use crate::documents::Record;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::io::{self, Read, Write};

impl Collection {
    /// Of each document its id, version, and when it was changed last and ends, as it was put.
    #[must_use]
    pub fn stamps(&self) -> HashMap<i64, (i32, i64, Option<i64>)> {
        let held = self.held.read();
        let stamp =
            |record: &Record| (record.id, (record.version(), record.updated_at(), record.expires_at()));
        held.documents.iter().map(stamp).collect()
    }

    /// Writes all of it. Changes wait until it is done, searches do not.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save<W: Write>(&self, into: W) -> io::Result<W> {
        let _alone = self.alone();
        if self.dense.is_some() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "vectors cannot be saved yet"));
        }
        self.held.read().save(self.id, 0, into)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or is of another collection.
    pub fn load(id: i64, dimensions: Option<usize>, from: impl Read) -> io::Result<Self> {
        if dimensions.is_some() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "vectors cannot be loaded yet"));
        }
        let collection = Self::new(id, dimensions);
        Ok(Self { held: RwLock::new(Held::load(id, from)?.0), ..collection })
    }
}
