//! Tables within a sheet: cells that touch belong together, and empty rows and columns part them.

use super::cells::Grid;
use super::{Writer, markdown_table};
use crate::parse::{BlockKind, ParseError, ParseLimits};

/// A table's place; the four sides are within it.
#[derive(Clone, Copy)]
struct Region {
    top: u32,
    left: u32,
    bottom: u32,
    right: u32,
}

impl Region {
    fn places(&self) -> usize {
        (self.bottom - self.top + 1) as usize * (self.right - self.left + 1) as usize
    }
}

/// Writes each region of a sheet, from the top and the left.
pub(super) fn write(mut grid: Grid, limits: &ParseLimits, writer: &mut Writer) -> Result<(), ParseError> {
    let mut regions = find(&grid);
    // The longest row and the longest column of a sheet, where they meet, are one table of seventeen thousand million.
    let limit = 4 * limits.max_nodes;
    if regions.iter().map(Region::places).sum::<usize>() > limit {
        return Err(ParseError::TooComplex { limit });
    }
    regions.sort_by_key(|region| (region.top, region.left));
    for region in regions {
        if writer.is_full() {
            break;
        }
        let rows: Vec<Vec<String>> =
            (region.top..=region.bottom).map(|row| take(&mut grid, row, region)).collect();
        let mut shown = rows.iter().flatten().filter(|cell| !cell.trim().is_empty());
        match (shown.next(), shown.next()) {
            (Some(only), None) => writer.block(BlockKind::Paragraph, only.trim()),
            (Some(_), Some(_)) => {
                let body = match label(&rows) {
                    Some(label) => {
                        writer.block(BlockKind::Paragraph, label);
                        rows.get(1..).unwrap_or_default()
                    }
                    None => &rows,
                };
                writer.block(BlockKind::Table, &markdown_table(body));
            }
            (None, _) => {} // within another region
        }
    }
    Ok(())
}

/// One cell merged over a table's whole width says what the table is about.
fn label(rows: &[Vec<String>]) -> Option<&str> {
    let first = rows.first().filter(|first| first.len() > 1 && rows.len() > 1)?;
    let label = first.first().filter(|label| !label.trim().is_empty())?;
    first.iter().all(|cell| cell == label).then_some(label.trim())
}

/// A row's cells within the region, which no other region shows again.
fn take(grid: &mut Grid, row: u32, region: Region) -> Vec<String> {
    let mut cells = vec![String::new(); (region.right - region.left + 1) as usize];
    for (column, text) in grid.get_mut(&row).into_iter().flatten() {
        if (region.left..=region.right).contains(column)
            && let Some(cell) = cells.get_mut((*column - region.left) as usize)
        {
            *cell = std::mem::take(text);
        }
    }
    cells
}

/// Components of cells that share a side, by union and find over their order.
fn find(grid: &Grid) -> Vec<Region> {
    let mut parents: Vec<usize> = Vec::new();
    let mut regions: Vec<Region> = Vec::new();
    let mut above: Option<(u32, Vec<(u32, usize)>)> = None;
    for (&row, cells) in grid {
        let mut here: Vec<(u32, usize)> = Vec::with_capacity(cells.len());
        for &(column, _) in cells {
            let left = here.last().filter(|(before, _)| before + 1 == column).map(|(_, id)| *id);
            let over = above.as_ref().filter(|(before, _)| before + 1 == row).and_then(|(_, cells)| {
                let at = cells.binary_search_by_key(&column, |(column, _)| *column).ok()?;
                cells.get(at).map(|(_, id)| *id)
            });
            let own = Region { top: row, left: column, bottom: row, right: column };
            let id = match (left, over) {
                (Some(left), Some(over)) => unite(&mut parents, &mut regions, left, over),
                (Some(one), None) | (None, Some(one)) => root(&mut parents, one),
                (None, None) => {
                    parents.push(parents.len());
                    regions.push(own);
                    parents.len() - 1
                }
            };
            if let Some(region) = regions.get_mut(id) {
                *region = around(*region, own);
            }
            here.push((column, id));
        }
        above = Some((row, here));
    }
    regions
        .iter()
        .enumerate()
        .filter(|(id, _)| parents.get(*id) == Some(id))
        .map(|(_, region)| *region)
        .collect()
}

fn around(a: Region, b: Region) -> Region {
    Region {
        top: a.top.min(b.top),
        left: a.left.min(b.left),
        bottom: a.bottom.max(b.bottom),
        right: a.right.max(b.right),
    }
}

fn root(parents: &mut [usize], mut id: usize) -> usize {
    while let Some(&parent) = parents.get(id).filter(|parent| **parent != id) {
        let grandparent = parents.get(parent).copied().unwrap_or(parent);
        if let Some(slot) = parents.get_mut(id) {
            *slot = grandparent;
        }
        id = grandparent;
    }
    id
}

fn unite(parents: &mut [usize], regions: &mut [Region], a: usize, b: usize) -> usize {
    let (a, b) = (root(parents, a), root(parents, b));
    let (keep, drop) = (a.min(b), a.max(b));
    if keep != drop
        && let (Some(slot), Some(&one), Some(&other)) =
            (parents.get_mut(drop), regions.get(keep), regions.get(drop))
    {
        *slot = keep;
        if let Some(region) = regions.get_mut(keep) {
            *region = around(one, other);
        }
    }
    keep
}
