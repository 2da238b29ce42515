//! The store over a real PostgreSQL: what cannot be reached from outside the process.

mod rotation;
