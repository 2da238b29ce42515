//! A file as frames: each with its length and its checksum, an empty one at the end. So a file that is cut off, or
//! damaged anywhere, is known to be, and no more than a frame of it is in memory at once.

use crate::codec::{Damaged, Reader, Writer};
use std::io::{self, Read, Write};

/// Bytes after which a frame is written.
const FULL: usize = 1 << 20;
/// No frame is larger: one of more bytes is damaged.
const LARGEST: usize = 1 << 30;

pub(crate) struct Frames<W> {
    into: W,
    frame: Writer,
}

impl<W: Write> Frames<W> {
    pub(crate) fn new(into: W) -> Self {
        Self { into, frame: Writer::default() }
    }

    /// One record; a frame holds several, none is in two.
    pub(crate) fn record(&mut self, write: impl FnOnce(&mut Writer)) -> io::Result<()> {
        write(&mut self.frame);
        if self.frame.0.len() >= FULL { self.write() } else { Ok(()) }
    }

    pub(crate) fn end(mut self) -> io::Result<W> {
        if !self.frame.0.is_empty() {
            self.write()?;
        }
        self.write()?;
        Ok(self.into)
    }

    fn write(&mut self) -> io::Result<()> {
        let length = u32::try_from(self.frame.0.len()).ok().filter(|length| *length as usize <= LARGEST);
        let length = length.ok_or_else(|| io::Error::other("a document is too large for a snapshot"))?;
        self.into.write_all(&length.to_le_bytes())?;
        self.into.write_all(&crc32fast::hash(&self.frame.0).to_le_bytes())?;
        self.into.write_all(&self.frame.0)?;
        self.frame.0.clear();
        Ok(())
    }
}

/// What [`Frames`] wrote.
pub(crate) struct Source<R> {
    from: R,
    frame: Vec<u8>,
    read: usize,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, frame: Vec::new(), read: 0 }
    }

    /// The next record.
    pub(crate) fn record<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Damaged>,
    ) -> io::Result<T> {
        if self.read == self.frame.len() && !self.next()? {
            return Err(damaged());
        }
        let mut reader = Reader(self.frame.get(self.read..).unwrap_or_default());
        let record = read(&mut reader).map_err(|Damaged| damaged())?;
        self.read = self.frame.len() - reader.0.len();
        Ok(record)
    }

    pub(crate) fn end(mut self) -> io::Result<()> {
        if self.read == self.frame.len() && !self.next()? { Ok(()) } else { Err(damaged()) }
    }

    /// False at the end.
    fn next(&mut self) -> io::Result<bool> {
        let mut head = [0; 8];
        self.from.read_exact(&mut head)?;
        let [a, b, c, d, checksum @ ..] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > LARGEST {
            return Err(damaged());
        }
        self.read = 0;
        self.frame.clear();
        // As much as there is, whatever the length claims.
        self.from.by_ref().take(length as u64).read_to_end(&mut self.frame)?;
        if self.frame.len() != length || crc32fast::hash(&self.frame) != u32::from_le_bytes(checksum) {
            return Err(damaged());
        }
        Ok(length > 0)
    }
}

pub(crate) fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the snapshot is damaged: delete it, and the index is built anew",
    )
}
