//! What a replica keeps in memory of a collection, so that it is searched without PostgreSQL.
//!
//! Pure data structures: nothing here knows of actors, HTTP or SQL, no thread outlives a call, and files are only
//! touched where a snapshot is saved or loaded. A chunk is addressed by its *slot*, a small number that whoever keeps the
//! chunks allots, and gives to another one only after the first was removed.
//!
//! - [`bitmap`]: sets of slots: what a filter lets through, what a caller may see.
//! - [`dense`]: nearest neighbours by cosine similarity.
//! - [`change`]: what a collection is fed with; [`collection`] applies it, one document at a time and each at once.
//! - [`filter`]: conditions on documents; [`sight`]: who sees which.
//! - [`search()`]: both legs, their fusion, and the texts of the best.

mod attributes;
pub mod bitmap;
pub mod change;
mod codec;
pub mod collection;
pub mod dense;
mod documents;
pub mod filter;
mod frames;
mod keep;
mod lexical;
pub mod search;
pub mod sight;
mod snapshot;

pub use bitmap::Bitmap;
pub use change::{About, Change, Chunk, Document};
pub use collection::{Collection, Counts, HotError};
pub use search::{Hit, Mode, Scratch, Search, Term, Words, search, words};
pub use sight::Sight;
