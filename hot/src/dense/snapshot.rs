//! Saving to and loading from a stream.
//!
//! Sections, each with its length and its checksum before it: a head, the bitmap and the pivots, then the pages of codes, halves and
//! links. Numbers are little-endian. Everything is checked before it is believed, so that a file that was cut off, damaged or
//! made by another version is refused; nothing in it can make a search fail later.

use super::Dense;
use super::effort::Calibration;
use super::kernel::Isa;
use super::pages::{PAGE, Plain, Rows};
use super::vectors::Vectors;
use crate::Bitmap;
use std::io::{self, Read, Write};

const MAGIC: [u8; 8] = *b"mcpragDV";
/// Changed with the form of what follows, the quantiser and the number of links included.
const VERSION: u32 = 1;
const HEAD: usize = 28;
const MOST_DIMENSIONS: u32 = 1 << 16;
const MOST_ROWS: u64 = 1 << 31;

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("not a snapshot of vectors, or one of another version")]
    Foreign,
    #[error("the snapshot is damaged")]
    Damaged,
    #[error("the snapshot cannot be read or written")]
    Io(#[from] io::Error),
}

impl Dense {
    /// Writes all of it. Changes wait until it is done, searches do not.
    pub fn save(&self, to: &mut impl Write) -> Result<(), SnapshotError> {
        let _alone = self.writer.lock();
        self.bury(1);
        let here = self.vectors.read();
        let mut head = Vec::with_capacity(HEAD);
        head.extend(MAGIC);
        head.extend(VERSION.to_le_bytes());
        head.extend((self.dimensions as u32).to_le_bytes());
        head.extend((here.rows as u64).to_le_bytes());
        head.extend(self.calibration.factor().to_le_bytes());
        write(to, &head)?;
        write(to, &here.alive.words().iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>())?;
        write(to, &here.pivots.iter().flat_map(|slot| slot.to_le_bytes()).collect::<Vec<u8>>())?;
        here.codes.bytes(here.rows).try_for_each(|page| write(to, page))?;
        here.halves.bytes(here.rows).try_for_each(|page| write(to, page))?;
        here.links.rows.bytes(here.rows).try_for_each(|page| write(to, page))
    }

    /// Reads what [`save`](Self::save) wrote, and no further.
    pub fn load(from: &mut impl Read) -> Result<Self, SnapshotError> {
        let mut head = [0; HEAD];
        read_into(from, &mut head).map_err(|error| match error {
            SnapshotError::Damaged => SnapshotError::Foreign,
            other @ (SnapshotError::Foreign | SnapshotError::Io(_)) => other,
        })?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let dimensions = number(12);
        let rows = u64::from(number(16)) | u64::from(number(20)) << 32;
        let factor = f32::from_bits(number(24));
        if head[..8] != MAGIC || number(8) != VERSION {
            return Err(SnapshotError::Foreign);
        }
        if !(1..=MOST_DIMENSIONS).contains(&dimensions)
            || rows > MOST_ROWS
            || !(0.01..=100.0).contains(&factor)
        {
            return Err(SnapshotError::Damaged);
        }
        let rows = rows as usize;
        let mut vectors = Vectors::new(Isa::detect(), dimensions as usize);
        let words = read(from, rows.div_ceil(64) * 8)?;
        let pivots = read(from, rows * 4)?;
        read_rows(from, &mut vectors.codes, rows)?;
        read_rows(from, &mut vectors.halves, rows)?;
        read_rows(from, &mut vectors.links.rows, rows)?;
        vectors.rows = rows;
        vectors.alive =
            Bitmap::from_words(words.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect());
        let pivots: Vec<u32> = pivots.as_chunks().0.iter().map(|slot| u32::from_le_bytes(*slot)).collect();
        // A sum that is right does not make a stranger's file one of ours.
        let alive = |slot: u32| (slot as usize) < rows && vectors.alive.contains(slot);
        let sound = vectors.alive.iter().all(|slot| alive(slot) && vectors.links.of(slot).all(alive))
            && pivots.iter().all(|slot| alive(*slot))
            && pivots.is_empty() == vectors.alive.is_empty();
        if !sound {
            return Err(SnapshotError::Damaged);
        }
        pivots.into_iter().for_each(|slot| vectors.add_pivot(slot));
        Ok(Self::holding(vectors, Calibration::new(factor)))
    }
}

fn write(to: &mut impl Write, section: &[u8]) -> Result<(), SnapshotError> {
    to.write_all(&(section.len() as u64).to_le_bytes())?;
    to.write_all(&crc32fast::hash(section).to_le_bytes())?;
    Ok(to.write_all(section)?)
}

/// The length of a section that follows, and its checksum.
fn announced(from: &mut impl Read) -> Result<(u64, u32), SnapshotError> {
    let (mut length, mut sum) = ([0; 8], [0; 4]);
    fill(from, &mut length)?;
    fill(from, &mut sum)?;
    Ok((u64::from_le_bytes(length), u32::from_le_bytes(sum)))
}

fn read_into(from: &mut impl Read, to: &mut [u8]) -> Result<(), SnapshotError> {
    let (length, sum) = announced(from)?;
    if length != to.len() as u64 {
        return Err(SnapshotError::Damaged);
    }
    fill(from, to)?;
    if crc32fast::hash(to) == sum { Ok(()) } else { Err(SnapshotError::Damaged) }
}

/// A section of at most so many bytes. Memory is taken as they come, not as they are announced.
fn read(from: &mut impl Read, most: usize) -> Result<Vec<u8>, SnapshotError> {
    let (length, sum) = announced(from)?;
    let mut bytes = Vec::new();
    if length > most as u64 {
        return Err(SnapshotError::Damaged);
    }
    from.take(length).read_to_end(&mut bytes)?;
    let whole = bytes.len() as u64 == length && crc32fast::hash(&bytes) == sum;
    if whole { Ok(bytes) } else { Err(SnapshotError::Damaged) }
}

fn read_rows<T: Plain>(from: &mut impl Read, to: &mut Rows<T>, rows: usize) -> Result<(), SnapshotError> {
    for page in 0..rows.div_ceil(PAGE) {
        to.reserve(rows.min((page + 1) * PAGE))?;
        read_into(from, to.page_bytes_mut(page, rows))?;
    }
    Ok(())
}

/// An end that comes too early is damage, not a failure to read.
fn fill(from: &mut impl Read, to: &mut [u8]) -> Result<(), SnapshotError> {
    from.read_exact(to).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => SnapshotError::Damaged,
        _ => SnapshotError::Io(error),
    })
}
