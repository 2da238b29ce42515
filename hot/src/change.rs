//! What the index is fed with: documents as they are after a change.

/// A change of one collection.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A document in place of whatever there was of it.
    Put(Box<Document>),
    /// What else a document has changed; its chunks stay. Nothing, where it is not there.
    Amend(Box<About>),
    Delete(i64),
}

/// A document that a search can find.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub about: About,
    /// In the order of their ordinals.
    pub chunks: Vec<Chunk>,
}

/// All of a document but its chunks. Times are microseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    pub id: i64,
    /// The one that is published.
    pub version: i32,
    pub external_id: String,
    pub title: String,
    pub uri: String,
    pub media_type: String,
    /// A JSON object, as PostgreSQL writes it.
    pub attributes: String,
    /// Whom it is for; empty: everyone.
    pub acl: Vec<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub expires_at: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chunk {
    pub id: i64,
    pub ordinal: i32,
    pub text: String,
    pub headings: Vec<String>,
    /// The page, slide or sheet it begins on, as JSON.
    pub place: Option<String>,
    /// Bytes of the document's parsed text.
    pub span: (i32, i32),
    /// The part of the span that was embedded and indexed, where the text is a window around it.
    pub matched: Option<(i32, i32)>,
    pub tokens: i32,
    /// Hashes of the terms with their counts in the low six bits, as `lexical_chunks` has them.
    pub keys: Vec<i64>,
    /// In terms.
    pub length: i32,
    /// None where the space that is searched has none of it.
    pub vector: Option<Vec<f32>>,
}
