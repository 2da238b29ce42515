//! Small valid files of every format, damaged at random: whatever comes, a parser ends soon, with a document that keeps
//! its invariants or with an error, on a stack as small as that of the thread it runs on.

mod seeds;

use mcp_rag_text::parse::{MediaType, ParseLimits, parse};
use proptest::prelude::*;
use std::sync::mpsc;
use std::time::Duration;

const STACK: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

/// What is put into a file where it hurts.
const WORDS: [&str; 24] = [
    "<",
    ">",
    "</w:p>",
    "<w:tbl>",
    "<!--",
    "<![CDATA[",
    "&#0;",
    "&x;",
    "\"",
    "\0",
    "\u{FEFF}",
    "[",
    "{",
    "]]",
    "<<",
    ">>",
    "0 R",
    "endobj",
    "stream\n",
    "4294967295",
    "-1",
    "1e999",
    "\r\n\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
];

/// One act of damage; places and lengths are shares of the file, in 65,536ths.
#[derive(Debug, Clone)]
enum Damage {
    Flip(u16, u8),
    Cut(u16, u16),
    Double(u16, u16),
    Put(u16, usize),
}

impl Damage {
    fn act(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let at = |share: u16| usize::from(share) * length / 65_536;
        let range = |from: u16, share: u16| {
            at(from)..(at(from) + usize::from(share) * length / 1_048_576 + 1).min(length)
        };
        match *self {
            Self::Flip(place, bits) => {
                if let Some(byte) = bytes.get_mut(at(place)) {
                    *byte ^= bits;
                }
            }
            Self::Cut(from, share) if length > 0 => drop(bytes.drain(range(from, share))),
            Self::Double(from, share) if length > 0 => {
                let part = bytes[range(from, share)].repeat(8);
                bytes.splice(at(from)..at(from), part);
            }
            Self::Put(place, word) => drop(bytes.splice(at(place)..at(place), WORDS[word].bytes())),
            Self::Cut(..) | Self::Double(..) => {}
        }
    }
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        (any::<u16>(), 1..=u8::MAX).prop_map(|(place, bits)| Damage::Flip(place, bits)),
        (any::<u16>(), any::<u16>()).prop_map(|(from, share)| Damage::Cut(from, share)),
        (any::<u16>(), any::<u16>()).prop_map(|(from, share)| Damage::Double(from, share)),
        (any::<u16>(), 0..WORDS.len()).prop_map(|(place, word)| Damage::Put(place, word)),
    ];
    prop::collection::vec(one, 1..8)
}

/// Parses on a small stack, within a time; panics as the parser does.
fn survives(bytes: Vec<u8>, media_type: MediaType) {
    let (done, end) = mpsc::channel();
    let work = move || {
        if let Ok(parsed) = parse(&bytes, media_type, &ParseLimits::default()) {
            assert!(!parsed.text.contains('\0'));
            let mut last = 0;
            for block in &parsed.blocks {
                assert!(
                    block.span.start >= last && parsed.text.get(block.span.clone()).is_some(),
                    "{:?}",
                    block.span
                );
                last = block.span.end;
            }
            assert!(parsed.marks.is_sorted_by_key(|mark| mark.at));
        }
        let _ = done.send(());
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread");
    match end.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{media_type} is read without end"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().expect("the parser panicked"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_damage_to_a_file_of_any_format_harms_its_parser(acts in damage()) {
        for (media_type, mut bytes) in seeds::files() {
            acts.iter().for_each(|act| act.act(&mut bytes));
            survives(bytes, media_type);
        }
    }

    #[test]
    fn no_damage_within_a_packed_file_harms_its_parser(acts in damage(), which in any::<prop::sample::Index>()) {
        for (media_type, mut parts) in seeds::packed() {
            let at = which.index(parts.len());
            let mut bytes = std::mem::take(&mut parts[at].1);
            acts.iter().for_each(|act| act.act(&mut bytes));
            parts[at].1 = bytes;
            survives(seeds::zip(&parts), media_type);
        }
    }
}

#[test]
fn the_files_that_are_damaged_are_whole() {
    for (media_type, bytes) in seeds::files() {
        let parsed = parse(&bytes, media_type, &ParseLimits::default());
        assert!(parsed.is_ok_and(|parsed| parsed.text.contains("puffin")), "{media_type}");
    }
}
