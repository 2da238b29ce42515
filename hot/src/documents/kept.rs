//! Documents in a snapshot.

use super::Documents;
use super::body::{Block, Body};
use super::record::Record;
use crate::change::About;
use crate::codec::{Damaged, Reader, Writer};
use crate::frames::{Frames, Source, damaged};
use std::io::{self, Read, Write};
use std::sync::Arc;

impl Documents {
    pub(crate) fn save<W: Write>(&self, frames: &mut Frames<W>) -> io::Result<()> {
        frames.record(|head| {
            head.number(self.slots() as u64);
            head.number(self.len() as u64);
            head.bytes(&self.dictionary);
        })?;
        for record in self.iter() {
            let chunks = record.slots.iter().map(|slot| self.chunks()[*slot as usize]);
            frames.record(|writer| write(record, chunks, writer))?;
        }
        Ok(())
    }

    pub(crate) fn load<R: Read>(source: &mut Source<R>) -> io::Result<Self> {
        let (slots, count, dictionary) = source
            .record(|head| Ok((head.small::<u32>()?, head.small::<usize>()?, Arc::from(head.bytes()?))))?;
        let mut documents = Self { dictionary, ..Self::default() };
        documents.make_room(slots as usize);
        for _ in 0..count {
            let (record, chunks) = source.record(read)?;
            let ascending = record.slots.is_sorted() && record.slots.iter().all(|slot| *slot < slots);
            if !ascending || record.slots.len() != chunks.len() || documents.get(record.id).is_some() {
                return Err(damaged());
            }
            documents.name(&record.slots, &chunks);
            documents.show(record);
        }
        let free: Vec<u32> = (0..slots).filter(|slot| !documents.visible().contains(*slot)).collect();
        documents.release(&free);
        Ok(documents)
    }
}

fn write(record: &Record, chunks: impl Iterator<Item = i64>, writer: &mut Writer) {
    let about = record.about();
    writer.signed(about.id);
    writer.signed(about.version.into());
    for text in [&about.external_id, &about.title, &about.uri, &about.media_type, &about.attributes] {
        writer.text(text);
    }
    writer.number(about.acl.len() as u64);
    about.acl.iter().for_each(|name| writer.text(name));
    writer.signed(about.created_at);
    writer.signed(about.updated_at);
    writer.number(about.expires_at.is_some().into());
    writer.signed(about.expires_at.unwrap_or_default());
    writer.number(record.slots.len() as u64);
    for (slot, chunk) in record.slots.iter().zip(chunks) {
        writer.number((*slot).into());
        writer.signed(chunk);
    }
    writer.number(record.body.0.len() as u64);
    for block in &record.body.0 {
        writer.number(block.first.into());
        writer.number(block.length.into());
        writer.number(block.shared.into());
        writer.bytes(&block.bytes);
    }
}

fn read(reader: &mut Reader<'_>) -> Result<(Record, Vec<i64>), Damaged> {
    let mut about = About {
        id: reader.signed()?,
        version: i32::try_from(reader.signed()?).map_err(|_| Damaged)?,
        external_id: reader.text()?.to_owned(),
        title: reader.text()?.to_owned(),
        uri: reader.text()?.to_owned(),
        media_type: reader.text()?.to_owned(),
        attributes: reader.text()?.to_owned(),
        ..About::default()
    };
    for _ in 0..reader.number()? {
        about.acl.push(reader.text()?.to_owned());
    }
    about.created_at = reader.signed()?;
    about.updated_at = reader.signed()?;
    let expires = reader.number()? > 0;
    about.expires_at = Some(reader.signed()?).filter(|_| expires);
    let (mut slots, mut chunks) = (Vec::new(), Vec::new());
    for _ in 0..reader.number()? {
        slots.push(reader.small()?);
        chunks.push(reader.signed()?);
    }
    let mut blocks = Vec::new();
    for _ in 0..reader.number()? {
        let (first, length, shared) = (reader.small()?, reader.small()?, reader.number()? > 0);
        blocks.push(Block { first, length, shared, bytes: reader.bytes()?.into() });
    }
    Ok((Record::new(&about, slots.into(), Body(blocks.into())), chunks))
}
