//! The chunks of a document as they are kept: what only a result needs, compressed in blocks. A block holds
//! neighbours, so what they share (overlaps, windows around sentences, headings) takes no room twice; what documents share, the
//! collection's dictionary has, its first texts.

use crate::change::Chunk;
use crate::codec::{Damaged, Reader, Writer};

/// Bytes of a block before it is compressed, unless one chunk has more. Reading one result reads one block.
const BLOCK: usize = 1024;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Body(pub(super) Box<[Block]>);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The first chunk's place in the document.
    pub(super) first: u32,
    /// Bytes before they were compressed.
    pub(super) length: u32,
    /// Whether it was compressed with the collection's dictionary.
    pub(super) shared: bool,
    pub(super) bytes: Box<[u8]>,
}

/// What is kept of a chunk beside its vector and its words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    pub(crate) ordinal: i32,
    pub(crate) text: String,
    pub(crate) headings: Vec<String>,
    pub(crate) place: Option<String>,
    pub(crate) span: (i32, i32),
    pub(crate) matched: Option<(i32, i32)>,
    pub(crate) tokens: i32,
}

impl Body {
    pub(crate) fn of(chunks: &[Chunk], dictionary: &[u8]) -> Self {
        let mut blocks = Vec::new();
        let (mut block, mut first) = (Writer::default(), 0);
        for (at, chunk) in (0_u32..).zip(chunks) {
            let mut one = Writer::default();
            write(chunk, &mut one);
            if !block.0.is_empty() && block.0.len() + one.0.len() > BLOCK {
                blocks.push(Block::of(first, &block.0, dictionary));
                block.0.clear();
                first = at;
            }
            block.bytes(&one.0);
        }
        if !block.0.is_empty() {
            blocks.push(Block::of(first, &block.0, dictionary));
        }
        Self(blocks.into())
    }

    /// The chunk at this place of the document.
    pub(crate) fn text(&self, nth: u32, dictionary: &[u8], scratch: &mut Vec<u8>) -> Result<Text, Damaged> {
        let at = self.0.partition_point(|block| block.first <= nth).checked_sub(1).ok_or(Damaged)?;
        let block = &self.0[at];
        let mut reader = Reader(block.open(dictionary, scratch)?);
        for _ in block.first..nth {
            reader.bytes()?;
        }
        read(&mut Reader(reader.bytes()?))
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.iter().map(|block| size_of::<Block>() + block.bytes.len()).sum()
    }
}

impl Block {
    fn of(first: u32, bytes: &[u8], dictionary: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let compressed = lz4_flex::block::compress_with_dict(bytes, dictionary);
        let bytes = if compressed.len() < bytes.len() { compressed } else { bytes.to_vec() };
        Self { first, length, shared: !dictionary.is_empty(), bytes: bytes.into() }
    }

    fn open<'a>(&'a self, dictionary: &[u8], scratch: &'a mut Vec<u8>) -> Result<&'a [u8], Damaged> {
        let length = self.length as usize;
        if self.bytes.len() == length {
            return Ok(&self.bytes);
        }
        scratch.resize(length, 0);
        let dictionary = if self.shared { dictionary } else { &[] };
        let read = lz4_flex::block::decompress_into_with_dict(&self.bytes, scratch, dictionary);
        let read = read.map_err(|_| Damaged)?;
        scratch.get(..read).filter(|all| all.len() == length).ok_or(Damaged)
    }
}

fn write(chunk: &Chunk, writer: &mut Writer) {
    writer.signed(chunk.ordinal.into());
    writer.text(&chunk.text);
    writer.number(chunk.headings.len() as u64);
    chunk.headings.iter().for_each(|heading| writer.text(heading));
    writer.text(chunk.place.as_deref().unwrap_or_default());
    let windows = [Some(chunk.span), chunk.matched];
    writer.number(windows.iter().flatten().count() as u64);
    for (start, end) in windows.into_iter().flatten() {
        writer.signed(start.into());
        writer.signed(i64::from(end) - i64::from(start));
    }
    writer.signed(chunk.tokens.into());
}

fn read(reader: &mut Reader<'_>) -> Result<Text, Damaged> {
    let int = |reader: &mut Reader<'_>| i32::try_from(reader.signed()?).map_err(|_| Damaged);
    let window = |reader: &mut Reader<'_>| {
        let (start, length) = (reader.signed()?, reader.signed()?);
        let end = start.checked_add(length).ok_or(Damaged)?;
        Ok((i32::try_from(start).map_err(|_| Damaged)?, i32::try_from(end).map_err(|_| Damaged)?))
    };
    let ordinal = int(reader)?;
    let text = reader.text()?.to_owned();
    let headings = reader.number()?;
    let headings = (0..headings).map(|_| reader.text().map(str::to_owned)).collect::<Result<_, _>>()?;
    let place = Some(reader.text()?).filter(|place| !place.is_empty()).map(str::to_owned);
    let windows = reader.number()?;
    let span = window(reader)?;
    let matched = if windows > 1 { Some(window(reader)?) } else { None };
    Ok(Text { ordinal, text, headings, place, span, matched, tokens: int(reader)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunk() -> impl Strategy<Value = Chunk> {
        let window = || (any::<i32>(), any::<i32>());
        let text =
            prop_oneof![".{0,40}", (".{1,4}", 0_usize..4000).prop_map(|(text, times)| text.repeat(times))];
        let parts = (any::<i32>(), text, prop::collection::vec(".{0,9}", 0..3), prop::option::of(".{1,9}"));
        (parts, window(), prop::option::of(window()), any::<i32>()).prop_map(
            |((ordinal, text, headings, place), span, matched, tokens)| Chunk {
                ordinal,
                text,
                headings,
                place,
                span,
                matched,
                tokens,
                ..Chunk::default()
            },
        )
    }

    proptest! {
        #[test]
        fn every_chunk_is_read_as_it_was_whichever_block_holds_it(
            chunks in prop::collection::vec(chunk(), 0..20),
            dictionary in prop::sample::select(vec!["", "the quick brown fox jumps over the lazy dog"]),
        ) {
            let dictionary = dictionary.as_bytes();
            let body = Body::of(&chunks, dictionary);
            let mut scratch = Vec::new();
            for (nth, chunk) in (0_u32..).zip(&chunks) {
                let text = body.text(nth, dictionary, &mut scratch).expect("readable");
                let again = Chunk {
                    ordinal: text.ordinal, text: text.text, headings: text.headings, place: text.place, span: text.span,
                    matched: text.matched, tokens: text.tokens, ..Chunk::default()
                };
                prop_assert_eq!(&again, chunk);
            }
        }
    }
}
