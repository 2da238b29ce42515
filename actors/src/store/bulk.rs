//! Chunks as rows for `COPY`: what publishing writes, for benchmarks that load a million of them into an empty
//! database. Pure; whoever runs the script is the owner of the tables and answers for the tenant.

use super::ids::{CollectionId, TenantId};
use super::lexical::Entry;
use super::publish::NewChunk;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;

/// Rows of some documents of one collection, with the document frequencies they add up to; of each chunk the first
/// vector, for a space of half precision.
#[derive(Debug)]
pub struct BulkRows {
    tenant: TenantId,
    collection: CollectionId,
    space: i64,
    documents: String,
    chunks: String,
    embeddings: String,
    lexical: String,
    frequencies: HashMap<i64, i64>,
    terms: i64,
}

/// Decimals of an embedding's numbers: more than a half-precision number holds.
const SCALE: f32 = 1e6;

impl BulkRows {
    #[must_use]
    pub fn new(tenant: TenantId, collection: CollectionId, space: i64) -> Self {
        Self {
            tenant,
            collection,
            space,
            documents: String::new(),
            chunks: String::new(),
            embeddings: String::new(),
            lexical: String::new(),
            frequencies: HashMap::new(),
            terms: 0,
        }
    }

    /// A document with its chunks; both numbered by the caller.
    pub fn add(&mut self, document: i64, title: &str, attributes: &Value, chunks: &[(i64, NewChunk)]) {
        let (tenant, collection, space) = (self.tenant.0, self.collection.0, self.space);
        let (title, attributes) = (escaped(title), escaped(&attributes.to_string()));
        let count = chunks.len();
        let _ = writeln!(
            self.documents,
            "{tenant}\t{document}\t{collection}\tdocument-{document}\t1\tready\t{title}\ttext/plain\t{attributes}\t{count}"
        );
        for (ordinal, (id, chunk)) in chunks.iter().enumerate() {
            let (start, end) = chunk.span;
            let _ = write!(
                self.chunks,
                "{tenant}\t{id}\t{collection}\t{document}\t{ordinal}\t{}\t{start}\t{end}\t{}\t{}\t\\\\x",
                escaped(&chunk.text),
                escaped(&json!(chunk.headings).to_string()),
                chunk.tokens
            );
            for byte in &chunk.content_hash {
                let _ = write!(self.chunks, "{byte:02x}");
            }
            self.chunks.push('\n');
            let _ = write!(self.embeddings, "{tenant}\t{space}\t{id}\t{collection}\t{document}\t");
            list(
                &mut self.embeddings,
                ['[', ']'],
                chunk.embeddings.first().into_iter().flatten(),
                |out, x| {
                    let _ = write!(out, "{}e-6", (x * SCALE).round() as i32);
                },
            );
            self.embeddings.push('\n');
            self.index(*id, chunk);
        }
    }

    fn index(&mut self, id: i64, chunk: &NewChunk) {
        let entry = Entry::new(self.collection, &chunk.terms, chunk.length);
        self.terms += i64::from(chunk.length);
        let out = &mut self.lexical;
        let _ = write!(out, "{}\t{id}\t{}\t{}\t", self.tenant.0, self.collection.0, entry.length);
        list(out, ['{', '}'], entry.keys.iter(), |out, key| out.push_str(&key.to_string()));
        out.push('\t');
        let impacts = entry.impacts.indices().iter().zip(entry.impacts.values());
        // Counted from one, as the type's text form does.
        list(out, ['{', '}'], impacts, |out, (at, value)| {
            let _ = write!(out, "{}:{value}", at + 1);
        });
        let _ = writeln!(out, "/{}", entry.impacts.dimensions());
        for key in entry.keys {
            *self.frequencies.entry(key).or_insert(0) += 1;
        }
    }

    /// `COPY` statements of all rows added since the last call, for psql; not of the frequencies.
    pub fn script(&mut self) -> String {
        let tables = [
            (
                "documents (tenant_id, document_id, collection_id, external_id, published_version, status, title, \
                 media_type, attributes, chunks)",
                &mut self.documents,
            ),
            (
                "chunks (tenant_id, chunk_id, collection_id, document_id, ordinal, text, span_start, span_end, \
                 headings, tokens, content_hash)",
                &mut self.chunks,
            ),
            (
                "embeddings (tenant_id, space_id, chunk_id, collection_id, document_id, embedding)",
                &mut self.embeddings,
            ),
            ("lexical_chunks (tenant_id, chunk_id, collection_id, length, keys, impacts)", &mut self.lexical),
        ];
        let mut script = String::with_capacity(tables.iter().map(|(_, rows)| rows.len() + 200).sum());
        for (table, rows) in tables {
            let _ = write!(script, "COPY {table} FROM stdin;\n{rows}\\.\n");
            rows.clear();
        }
        script
    }

    /// Adds another's frequencies to these.
    pub fn merge(&mut self, other: Self) {
        self.terms += other.terms;
        for (key, df) in other.frequencies {
            *self.frequencies.entry(key).or_insert(0) += df;
        }
    }

    /// What is left to write once all rows are there: frequencies, what filters read (else a trigger's work), the
    /// collection's counts, the sequences.
    #[must_use]
    pub fn ending(&self, documents: i64, chunks: i64) -> String {
        let (tenant, collection) = (self.tenant.0, self.collection.0);
        let mut script = "COPY lexical_terms (tenant_id, collection_id, key, df) FROM stdin;\n".to_owned();
        for (key, df) in &self.frequencies {
            let _ = writeln!(script, "{tenant}\t{collection}\t{key}\t{df}");
        }
        let _ = write!(
            script,
            "\\.\nINSERT INTO document_attributes (tenant_id, document_id, key, kind, place, collection_id, word, number) \
             SELECT d.tenant_id, d.document_id, r.key, r.kind, r.place, d.collection_id, r.word, r.number FROM documents d, \
             attribute_rows(d.attributes, d.title, d.external_id, d.uri, d.media_type, d.acl) r \
             WHERE d.tenant_id = {tenant} AND d.collection_id = {collection};\n\
             UPDATE collections SET documents = {documents}, chunks = {chunks}, terms = {}, epoch = epoch + 1 \
             WHERE tenant_id = {tenant} AND collection_id = {collection};\n\
             SELECT setval(pg_get_serial_sequence('documents', 'document_id'), {documents}), \
             setval(pg_get_serial_sequence('chunks', 'chunk_id'), {chunks});\n",
            self.terms
        );
        script
    }
}

fn list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut String, T),
) {
    out.push(open);
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(close);
}

/// As a field of `COPY`'s text format.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_one_line_in_each_table_whatever_its_text() {
        let mut rows = BulkRows::new(TenantId(1), CollectionId(2), 3);
        let chunk = NewChunk {
            text: "a\tb\\.\nc".to_owned(),
            span: (0, 7),
            matched: None,
            place: None,
            headings: vec!["x\"y".to_owned()],
            tokens: 3,
            content_hash: vec![0, 255],
            terms: vec![("fox".to_owned(), 2)],
            length: 2,
            reads: "fox".to_owned(),
            embeddings: vec![vec![0.25, -0.5]],
        };
        rows.add(5, "t\n", &json!({"k": 1}), &[(7, chunk)]);
        let script = rows.script();
        assert!(
            script.contains("\n1\t7\t2\t5\t0\ta\\tb\\\\.\\nc\t0\t7\t[\"x\\\\\"y\"]\t3\t\\\\x00ff\n"),
            "{script}"
        );
        assert!(script.contains("\n1\t3\t7\t2\t5\t[250000e-6,-500000e-6]\n"), "{script}");
        assert_eq!(script.lines().count(), 4 * 3);
        assert!(rows.script().lines().all(|line| line.starts_with("COPY") || line == "\\."));
        assert!(rows.ending(5, 7).contains("terms = 2"));
    }
}
