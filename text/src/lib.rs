//! Text as pure functions: parsing, sentences, chunking, lexical analysis and extractive selection.
//!
//! Nothing here does I/O, holds state or knows a tenant. Every function is total: any bytes in, a value or a
//! typed error out, in time linear in the input (a `log` factor aside) and memory bounded by the stated limits.
//! Spans are byte ranges into [`parse::Parsed::text`] and always lie on character boundaries.

pub mod analyze;
pub mod chunk;
pub mod extract;
pub mod fidelity;
mod fold;
pub mod language;
pub mod parse;
mod scripts;
pub mod sentences;
mod source_language;
mod stopwords;
mod words;

pub use source_language::SourceLanguage;
