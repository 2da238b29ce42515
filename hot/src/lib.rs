//! What a replica keeps in memory of a collection, so that it is searched without PostgreSQL.
//!
//! Pure data structures: nothing here knows of actors, HTTP or SQL, no thread outlives a call, and files are only
//! touched where a snapshot is saved or loaded. A chunk is addressed by its *slot*, a small number that whoever keeps the
//! chunks allots, and gives to another one only after the first was removed.
//!
//! - [`bitmap`]: sets of slots: what a filter lets through, what a caller may see.
//! - [`dense`]: nearest neighbours by cosine similarity.

pub mod bitmap;
pub mod dense;

pub use bitmap::Bitmap;
