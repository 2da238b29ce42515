//! Words in a snapshot.

use super::terms::{Term, Terms};
use super::{COUNT_BITS, Lexical, terms_of};
use crate::codec::{Damaged, Reader, Writer};
use crate::frames::{Frames, Source, damaged};
use std::io::{self, Read, Write};

impl Lexical {
    pub(crate) fn save<W: Write>(&self, frames: &mut Frames<W>) -> io::Result<()> {
        frames.record(|head| {
            head.signed(self.chunks);
            head.signed(self.length);
            head.number(self.lengths.len() as u64);
            head.number(self.terms.all().len() as u64);
        })?;
        for (slot, own) in (0..).zip(&self.own) {
            frames.record(|writer| {
                writer.number(self.lengths.of(slot).into());
                writer.bytes(own);
            })?;
        }
        self.terms.all().iter().try_for_each(|term| frames.record(|writer| write(term, writer)))
    }

    pub(crate) fn load<R: Read>(source: &mut Source<R>, slots: usize) -> io::Result<Self> {
        let (chunks, length, own, count) = source.record(|head| {
            Ok((head.signed()?, head.signed()?, head.small::<u32>()?, head.small::<u32>()?))
        })?;
        if own as usize > slots {
            return Err(damaged());
        }
        let mut lexical = Self { chunks, length, ..Self::default() };
        for slot in 0..own {
            let (length, own) = source.record(|reader| Ok((reader.small()?, Box::from(reader.bytes()?))))?;
            lexical.lengths.set(slot, length);
            lexical.own.push(own);
        }
        let mut terms = Vec::new();
        for _ in 0..count {
            let term = source.record(read)?;
            if term.postings.last().is_some_and(|last| last >> COUNT_BITS >= own) {
                return Err(damaged());
            }
            terms.push(term);
        }
        lexical.terms = Terms::of(terms);
        let known = |own: &[u8]| terms_of(own).all(|term| term < count);
        if lexical.own.iter().all(|own| known(own)) { Ok(lexical) } else { Err(damaged()) }
    }
}

fn write(term: &Term, writer: &mut Writer) {
    writer.signed(term.base);
    writer.number(term.frequency.into());
    term.shortest.iter().for_each(|shortest| writer.number((*shortest).into()));
    writer.number(term.most.into());
    writer.number(term.postings.len() as u64);
    let mut last = 0;
    for posting in &term.postings {
        writer.number((posting - last).into());
        last = *posting;
    }
}

fn read(reader: &mut Reader<'_>) -> Result<Term, Damaged> {
    let mut term = Term { base: reader.signed()?, frequency: reader.small()?, ..Term::default() };
    for shortest in &mut term.shortest {
        *shortest = reader.small()?;
    }
    term.most = reader.small()?;
    let (mut last, count) = (0_u32, reader.small::<usize>()?);
    // No more than there can be, whatever the number says; and no room to spare, since most of the memory is here.
    term.postings.reserve_exact(count.min(reader.0.len()));
    for _ in 0..count {
        last = last.checked_add(reader.small()?).ok_or(Damaged)?;
        term.postings.push(last);
    }
    Ok(term)
}
