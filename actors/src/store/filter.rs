//! The SQL of filters ([`sql`]), which reads `document_attributes` (`migrations/V10__filters.sql`): a row per value. Their one
//! internal form, and what it means in memory, is in `hot/src/filter.rs`.

mod leaf;
mod sql;
mod value;

pub use mcp_rag_hot::filter::{Comparison, Field, Filter, Scalar, Test, parse_time};
pub(super) use sql::{Scope, leaves, matching, narrowed};
