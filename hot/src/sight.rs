//! Which documents a caller may see (docs/adr/0026-document-acls.md).

/// Whom documents' acls must name to be seen; those that name nobody are everyone's. Every search, count and look-up
/// takes one: there is no way to ask for more than it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight<'a> {
    /// What is everyone's alone.
    Public,
    /// And what names one of these.
    Named(&'a [&'a str]),
    All,
}
