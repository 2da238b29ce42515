//! Rows of equal width by slot, in pages that are never moved and cost memory only once they are written to.
#![expect(unsafe_code, reason = "typed views of anonymous memory maps")]

use super::kernel::Line;
use memmap2::MmapMut;
use std::io;
use std::marker::PhantomData;
use std::sync::atomic::AtomicU32;

/// Rows of a page: of 384 dimensions, 3 MB of codes, 12 MB of halves, 2 MB of links.
pub(super) const PAGE: usize = 1 << 14;

/// What may be looked at as bytes and be all zeros.
///
/// # Safety
/// Every pattern of bits is a value, none of its bytes is padding, and it is aligned to a page at most.
pub(super) unsafe trait Plain {}
// SAFETY: as the trait wants.
unsafe impl Plain for Line {}
// SAFETY: as the trait wants.
unsafe impl Plain for u16 {}
// SAFETY: as the trait wants; they have the layout of a `u32`.
unsafe impl Plain for AtomicU32 {}

/// Rows, by slot. All are zero at first.
#[derive(Debug)]
pub(super) struct Rows<T> {
    width: usize,
    pages: Vec<Page<T>>,
}

impl<T: Plain> Rows<T> {
    pub(super) fn new(width: usize) -> Self {
        Self { width, pages: Vec::new() }
    }

    /// Makes room for so many rows.
    pub(super) fn reserve(&mut self, rows: usize) -> io::Result<()> {
        while self.pages.len() * PAGE < rows {
            self.pages.push(Page::new(PAGE * self.width)?);
            // A first page may stay nearly empty, so it gets memory in small pieces, until there is a second.
            if self.pages.len() > 1 {
                self.pages.iter().rev().take(2).for_each(Page::use_large);
            }
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn row(&self, slot: u32) -> &[T] {
        let (page, at) = (slot as usize / PAGE, slot as usize % PAGE * self.width);
        &self.pages[page].all()[at..at + self.width]
    }

    pub(super) fn row_mut(&mut self, slot: u32) -> &mut [T] {
        let (page, at) = (slot as usize / PAGE, slot as usize % PAGE * self.width);
        &mut self.pages[page].all_mut()[at..at + self.width]
    }

    /// The first rows, as the bytes of each page. Nobody may write to them meanwhile.
    pub(super) fn bytes(&self, rows: usize) -> impl Iterator<Item = &[u8]> {
        let pages = self.pages.iter().take(rows.div_ceil(PAGE)).enumerate();
        pages.map(move |(at, page)| &page.map[..self.bytes_in(at, rows)])
    }

    /// Those of the first rows that are on a page, as bytes.
    pub(super) fn page_bytes_mut(&mut self, page: usize, rows: usize) -> &mut [u8] {
        let bytes = self.bytes_in(page, rows);
        &mut self.pages[page].map[..bytes]
    }

    fn bytes_in(&self, page: usize, rows: usize) -> usize {
        rows.saturating_sub(page * PAGE).min(PAGE) * self.width * size_of::<T>()
    }
}

#[derive(Debug)]
struct Page<T> {
    map: MmapMut,
    of: PhantomData<T>,
}

impl<T: Plain> Page<T> {
    fn new(count: usize) -> io::Result<Self> {
        Ok(Self { map: MmapMut::map_anon(count * size_of::<T>())?, of: PhantomData })
    }

    /// A walk touches memory all over: with small pages of the system it would mostly wait for their addresses. Where there
    /// are no large ones it is only slower.
    fn use_large(&self) {
        #[cfg(target_os = "linux")]
        let _ = self.map.advise(memmap2::Advice::HugePage);
    }

    #[inline(always)]
    fn all(&self) -> &[T] {
        // SAFETY: a map is aligned to a page, its bytes are initialised, and `Plain` lets them be any.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.map.len() / size_of::<T>()) }
    }

    fn all_mut(&mut self) -> &mut [T] {
        let count = self.map.len() / size_of::<T>();
        // SAFETY: as above, and borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().cast(), count) }
    }
}
