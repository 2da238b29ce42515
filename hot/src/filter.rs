//! The one internal form of filters: conditions on a document's attributes and on its own fields.
//!
//! What they mean is written down twice: here in memory ([`crate::attributes`]) and, in the store, as SQL.

mod value;

pub use value::{Scalar, parse_time};

/// A condition on a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    And(Vec<Filter>),
    /// Nothing matches an empty one.
    Or(Vec<Filter>),
    /// A document that lacks the attribute matches too.
    Not(Box<Filter>),
    Attribute(String, Test),
    Field(Field, Test),
    /// One that the caller may see.
    Seen,
}

/// What is asked of one attribute or field. Values of different types never compare.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal to one of these.
    In(Vec<Scalar>),
    Range(Comparison, Scalar),
    /// An array that holds this.
    Contains(Scalar),
    /// There and not null; of a field: not empty.
    Exists,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Gt,
    Gte,
    Lt,
    Lte,
}

/// What a document has besides attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Title,
    ExternalId,
    Uri,
    MediaType,
    CreatedAt,
    UpdatedAt,
    /// A list; only [`Test::Contains`] and [`Test::Exists`] make sense.
    Acl,
}

impl Field {
    pub const ALL: [Self; 7] = [
        Self::Title,
        Self::ExternalId,
        Self::Uri,
        Self::MediaType,
        Self::CreatedAt,
        Self::UpdatedAt,
        Self::Acl,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::ExternalId => "external_id",
            Self::Uri => "uri",
            Self::MediaType => "media_type",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Acl => "acl",
        }
    }

    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(self, Self::CreatedAt | Self::UpdatedAt)
    }
}
