//! Snapshots of vectors, whole and broken.

use mcp_rag_hot::dense::{Dense, Effort, Scratch, SnapshotError};
use proptest::prelude::*;
use std::sync::LazyLock;

const DIMENSIONS: usize = 48;

fn vector(n: u32) -> Vec<f32> {
    let mut state = u64::from(n) + 1;
    let mut next = || {
        state =
            (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(0x9e37_79b9_7f4a_7c15);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..DIMENSIONS).map(|_| next()).collect()
}

fn dense(count: u32) -> Dense {
    let dense = Dense::new(DIMENSIONS);
    let vectors: Vec<Vec<f32>> = (0..count).map(vector).collect();
    let all: Vec<(u32, &[f32])> = (0_u32..).zip(vectors.iter().map(Vec::as_slice)).collect();
    dense.insert_all(&all, 2).expect("inserted");
    dense
}

fn saved(dense: &Dense) -> Vec<u8> {
    let mut file = Vec::new();
    dense.save(&mut file).expect("saved");
    file
}

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dense = dense(500);
    assert!(dense.remove(17));
    saved(&dense)
});

#[test]
fn what_is_loaded_finds_what_was_found_before_and_goes_on() {
    // More than a page of rows.
    let before = dense(20_000);
    before.remove_all(&[5, 6, 19_999], 1);
    let file = saved(&before);
    let mut rest: &[u8] = &[file.as_slice(), b"what follows"].concat();
    let after = Dense::load(&mut rest).unwrap();
    assert_eq!(rest, b"what follows");
    assert_eq!((after.len(), after.dimensions()), (19_997, DIMENSIONS));
    assert_eq!(saved(&after), file);
    let mut scratch = Scratch::default();
    for n in 0..50 {
        let query = vector(n + 30_000);
        let found = |dense: &Dense, scratch: &mut Scratch| {
            dense.search(&query, 10, Effort::Candidates(50), None, scratch).unwrap()
        };
        assert_eq!(found(&before, &mut scratch), found(&after, &mut scratch));
    }
    after.insert(5, &vector(5)).unwrap();
    assert_eq!(after.search(&vector(5), 1, Effort::Candidates(50), None, &mut scratch).unwrap()[0].slot, 5);
}

#[test]
fn an_empty_one_is_loaded_as_such() {
    let empty = Dense::load(&mut saved(&Dense::new(3)).as_slice()).unwrap();
    assert_eq!((empty.len(), empty.dimensions()), (0, 3));
    empty.insert(0, &[1.0, 2.0, 3.0]).unwrap();
}

#[test]
fn a_file_of_another_kind_or_version_is_foreign() {
    for file in [&b""[..], b"PK\x03\x04 and whatever else is in there", &[0; 100]] {
        assert!(matches!(Dense::load(&mut &*file), Err(SnapshotError::Foreign)));
    }
    let mut later = FILE.clone();
    later[12 + 8] += 1;
    let sum = crc32fast::hash(&later[12..12 + 28]);
    later[8..12].copy_from_slice(&sum.to_le_bytes());
    assert!(matches!(Dense::load(&mut later.as_slice()), Err(SnapshotError::Foreign)));
}

proptest! {
    #[test]
    fn a_file_that_was_changed_anywhere_is_refused(at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut file = FILE.clone();
        file[at.index(FILE.len())] ^= 1 << bit;
        prop_assert!(Dense::load(&mut file.as_slice()).is_err());
    }

    #[test]
    fn a_file_that_was_cut_off_anywhere_is_refused(at in any::<prop::sample::Index>()) {
        prop_assert!(Dense::load(&mut &FILE[..at.index(FILE.len())]).is_err());
    }

    #[test]
    fn a_file_with_right_sums_and_wrong_numbers_is_refused_or_works(
        at in any::<prop::sample::Index>(), bytes in any::<[u8; 4]>(),
    ) {
        let mut file = FILE.clone();
        // The sections: their lengths and sums, to be made right again.
        let (mut sections, mut start) = (Vec::new(), 0);
        while start < file.len() {
            let length = u64::from_le_bytes(file[start..start + 8].try_into().unwrap()) as usize;
            sections.push(start + 12..start + 12 + length);
            start += 12 + length;
        }
        let at = at.index(file.len() - 4);
        let Some(section) = sections.into_iter().find(|section| section.contains(&at) && at + 4 <= section.end) else {
            return Ok(());
        };
        file[at..at + 4].copy_from_slice(&bytes);
        let sum = crc32fast::hash(&file[section.clone()]);
        file[section.start - 4..section.start].copy_from_slice(&sum.to_le_bytes());
        if let Ok(dense) = Dense::load(&mut file.as_slice()) {
            let mut scratch = Scratch::default();
            if dense.dimensions() == DIMENSIONS {
                let hits = dense.search(&vector(3), 10, Effort::Candidates(20), None, &mut scratch).unwrap();
                prop_assert_eq!(hits.len(), 10.min(dense.len()));
                dense.remove_all(&[1, 2, 3], 1);
                dense.insert(1, &vector(1)).unwrap();
            }
        }
    }
}
