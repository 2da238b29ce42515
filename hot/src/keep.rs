//! A collection as whoever keeps it up to date uses it: what it holds, and its file.

use crate::collection::{Collection, Held};
use crate::dense::Dense;
use crate::documents::Record;
use crate::frames::damaged;
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
        let vectors = self.dense.as_ref().map_or(0, Dense::len);
        let mut into = self.held.read().save(self.id, vectors, into)?;
        if let Some(dense) = &self.dense {
            dense.save(&mut into).map_err(io::Error::other)?;
        }
        Ok(into)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or is of another collection or of vectors of another length.
    pub fn load(id: i64, dimensions: Option<usize>, mut from: impl Read) -> io::Result<Self> {
        let (held, vectors) = Held::load(id, &mut from)?;
        let dense = match dimensions {
            Some(_) => Some(Dense::load(&mut from).map_err(io::Error::other)?),
            None => None,
        };
        if let Some(dense) = &dense {
            let own = held.documents.visible().iter().filter(|slot| dense.contains(*slot)).count();
            // Each vector is a visible chunk's, and none is missing.
            if dimensions != Some(dense.dimensions()) || own != vectors || dense.len() != vectors {
                return Err(damaged());
            }
        }
        Ok(Self { dense, held: RwLock::new(held), ..Self::new(id, None) })
    }
}
