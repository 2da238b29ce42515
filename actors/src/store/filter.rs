//! The one internal form of filters: conditions on a document's attributes and on its own fields.
//!
//! Its SQL ([`sql`]) reads `document_attributes` (`migrations/V10__filters.sql`), which holds a row per value.

mod leaf;
mod sql;
mod value;

pub(super) use sql::{Scope, leaves, matching, narrowed};
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
    /// One that the call may see: row-level security answers.
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

impl Comparison {
    fn operator(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Lt => "<",
            Self::Lte => "<=",
        }
    }

    /// What holds of rounded values whenever this holds of the values themselves.
    fn loosened(self) -> Self {
        match self {
            Self::Gt | Self::Gte => Self::Gte,
            Self::Lt | Self::Lte => Self::Lte,
        }
    }
}
