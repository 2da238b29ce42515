//! The embedding of each word of the vocabulary: half of the model's weights.

use crate::{
    Precision,
    simd::bf16::{round, widen},
};

pub(crate) struct Words {
    table: Table,
    width: usize,
}

enum Table {
    Fp32(Vec<f32>),
    Bf16(Vec<u16>),
}

impl Words {
    pub(crate) fn new(table: Vec<f32>, width: usize, precision: Precision) -> Self {
        let table = match precision {
            Precision::Bf16 => Table::Bf16(table.into_iter().map(round).collect()),
            Precision::Auto | Precision::Fp32 => Table::Fp32(table),
        };
        Self { table, width }
    }

    /// `out = word + position`
    pub(crate) fn add(&self, id: u32, position: &[f32], out: &mut [f32]) {
        let range = id as usize * self.width..(id as usize + 1) * self.width;
        match &self.table {
            Table::Fp32(table) => sum(table[range].iter().copied(), position, out),
            Table::Bf16(table) => sum(table[range].iter().map(|value| widen(*value)), position, out),
        }
    }
}

fn sum(word: impl Iterator<Item = f32>, position: &[f32], out: &mut [f32]) {
    for ((out, word), position) in out.iter_mut().zip(word).zip(position) {
        *out = word + position;
    }
}
