use super::situate::MOST_TOKENS;
use mcp_rag_actors::embedder::Tokenizer;
use mcp_rag_actors::store::{ChunkContext, ChunkStrategy, Chunking, Collection, NewChunk, WaitingDocument};
use mcp_rag_text::analyze::term_counts;
use mcp_rag_text::chunk::{ChunkLimits, Strategy, TokenSpans, chunk, first_words};
use mcp_rag_text::language::Language;
use mcp_rag_text::parse::{MediaType, ParseLimits, Parsed, parse};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// A document's chunks, ready but for their embeddings.
pub(super) struct Prepared {
    /// The parsed text where it differs from the raw bytes.
    pub(super) text: Option<String>,
    /// The title in force: the client's, else the document's own.
    pub(super) title: String,
    pub(super) chunks: Vec<NewChunk>,
    /// What the embedder reads, one per chunk.
    pub(super) embedded: Vec<String>,
    /// What spans point into, where a chat model is to be shown some of it.
    pub(super) parsed: String,
    language: Language,
    /// What may be added to each chunk, in the embedder's tokens.
    room: usize,
}

impl Prepared {
    /// Adds to what is embedded and indexed of a chunk, and to nothing else of it.
    pub(super) fn situate(&mut self, at: usize, context: &str, tokenizer: &Tokenizer) {
        let (Some(chunk), Some(reads)) = (self.chunks.get_mut(at), self.embedded.get_mut(at)) else { return };
        let context = first_words(context, self.room, &Tokens(tokenizer));
        if context.is_empty() {
            return;
        }
        *reads = format!("{context}\n{reads}");
        let terms = term_counts(reads, self.language);
        (chunk.terms, chunk.length) = (terms.terms, terms.length);
        chunk.content_hash = Sha256::digest(reads.as_bytes()).to_vec();
    }
}

struct Tokens<'a>(&'a Tokenizer);

impl TokenSpans for Tokens<'_> {
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        self.0.offsets(text)
    }
}

/// Reads a document here, where its format can do no harm.
pub(super) fn read(document: &WaitingDocument) -> Result<Parsed, String> {
    let media_type: MediaType = document.media_type.parse().map_err(|error| format!("{error}"))?;
    parse(&document.raw, media_type, &ParseLimits::default()).map_err(|error| error.to_string())
}

/// What a process apart made of a document.
pub(super) fn read_reply(reply: &[u8]) -> Result<Parsed, String> {
    serde_json::from_slice::<Result<Parsed, String>>(reply).map_err(|error| error.to_string())?
}

/// Chunks and analyses; pure, CPU-bound, linear in the document. An error is for the client to read.
pub(super) fn prepare(
    document: &WaitingDocument,
    parsed: Parsed,
    collection: &Collection,
    chunking: Chunking,
    tokenizer: &Tokenizer,
) -> Result<Prepared, String> {
    let media_type: MediaType = document.media_type.parse().map_err(|error| format!("{error}"))?;
    let own = parsed.title.as_deref().unwrap_or_default();
    let title = if document.title.is_empty() { own } else { &document.title }.to_owned();
    // The embedder adds two special tokens of its own. A collection may ask for chunks longer than the embedder
    // reads: their end is found by the lexical leg only.
    let max_tokens = (chunking.max_tokens as usize).saturating_sub(2);
    let room = match chunking.context {
        ChunkContext::None => 0,
        ChunkContext::Llm => (max_tokens / 4).min(MOST_TOKENS),
    };
    let limits =
        ChunkLimits { max_tokens: max_tokens - room, overlap_tokens: chunking.overlap_tokens as usize };
    let language = Language::from_setting(&collection.language);
    let in_force = Some(title.as_str()).filter(|title| !title.is_empty());
    let mut chunks = Vec::new();
    let mut embedded = Vec::new();
    for piece in chunk(&parsed, in_force, strategy(chunking, media_type), limits, &Tokens(tokenizer)) {
        let reads = piece.embedded_text(&parsed.text);
        let terms = term_counts(&reads, language);
        let found = (to_i32(piece.span.start)?, to_i32(piece.span.end)?);
        let matched = piece.window.is_some().then_some(found);
        let (span, tokens) =
            piece.window.map_or((piece.span.clone(), piece.tokens), |window| (window.span, window.tokens));
        chunks.push(NewChunk {
            text: parsed.text[span.clone()].to_owned(),
            span: (to_i32(span.start)?, to_i32(span.end)?),
            matched,
            place: parsed.place_of(piece.span.start).map(|place| serde_json::json!(place)),
            headings: piece.headings.to_vec(),
            tokens: to_i32(tokens)?,
            content_hash: Sha256::digest(&reads).to_vec(),
            terms: terms.terms,
            length: terms.length,
            reads: String::new(),
            embeddings: Vec::new(),
        });
        embedded.push(reads);
    }
    let differs = media_type.is_harmful() || parsed.text.as_bytes() != document.raw;
    let shown = if room > 0 { parsed.text.clone() } else { String::new() };
    let text = differs.then_some(parsed.text);
    Ok(Prepared { text, title, chunks, embedded, parsed: shown, language, room })
}

/// What the embedder will read of a document: the benchmark of ingest gives it the same alone.
pub fn embedded_texts(
    document: &WaitingDocument,
    collection: &Collection,
    tokenizer: &Tokenizer,
) -> Result<Vec<String>, String> {
    prepare(document, read(document)?, collection, collection.chunking, tokenizer)
        .map(|prepared| prepared.embedded)
}

/// Source code has its syntax for a structure, whichever of the two is asked for.
fn strategy(chunking: Chunking, media_type: MediaType) -> Strategy {
    match (chunking.strategy, media_type) {
        (ChunkStrategy::Structure, MediaType::Code(Some(language))) => {
            Strategy::Syntax { language, apart: false }
        }
        (ChunkStrategy::Code, MediaType::Code(Some(language))) => Strategy::Syntax { language, apart: true },
        (ChunkStrategy::Structure | ChunkStrategy::Code, _) => Strategy::Structure,
        (ChunkStrategy::Tokens, _) => Strategy::Tokens,
        (ChunkStrategy::SentenceWindow, _) => {
            Strategy::SentenceWindow { sentences: chunking.window_sentences as usize }
        }
    }
}

fn to_i32(number: usize) -> Result<i32, String> {
    i32::try_from(number).map_err(|_| "the document is too large".to_owned())
}
