//! Numbers aligned to cache lines: a vector load that straddles two lines costs two.

use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use bytemuck::{Pod, Zeroable};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A growable, cache-line aligned array of `T`, whose size divides that of a line. Its length is that of whole lines.
#[derive(Clone)]
pub(crate) struct Buffer<T = f32>(Vec<Line>, PhantomData<T>);

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self(Vec::new(), PhantomData)
    }
}

impl<T: Pod> Buffer<T> {
    const PER_LINE: usize = size_of::<Line>() / size_of::<T>();

    pub(crate) fn zeroed(len: usize) -> Self {
        let mut buffer = Self::default();
        buffer.reserve(len);
        buffer
    }

    /// At least `len` numbers; what they hold is left over from earlier use.
    pub(crate) fn reserve(&mut self, len: usize) -> &mut [T] {
        if self.len() < len {
            self.0.resize(len.div_ceil(Self::PER_LINE), Line([0; 64]));
        }
        &mut self[..len]
    }
}

impl<T: Pod> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.0)
    }
}

impl<T: Pod> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}
