//! PDF: glyphs with their places, put together again to words, lines, columns, tables and paragraphs.
//!
//! A PDF says where each glyph stands and not what belongs together. Pages are read by [`canvas`]; [`lines`] puts glyphs that
//! stand side by side together, [`layout`] finds tables and the order of reading, [`prose`] paragraphs and headings. What
//! every page repeats at its edges, and text that does not run like the page's, is left out.

mod canvas;
mod layout;
mod lines;
mod prose;

use super::writer::Writer;
use super::{ParseError, ParseLimits, Parsed, Place};
use canvas::Canvas;
use hayro_interpret::kurbo::Affine;
use hayro_interpret::{Context, InterpreterCache, InterpreterSettings, interpret_page};
use hayro_syntax::Pdf;
use hayro_syntax::{DecryptionError, LoadPdfError};
use lines::Line;

const FORMAT: &str = "PDF";

/// A page, taken apart.
struct Sheet {
    lines: Vec<Line>,
    height: f64,
}

pub(super) fn parse(bytes: &[u8], limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let pdf = Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => ParseError::Encrypted,
        LoadPdfError::Decryption(_) => malformed("its encryption is not supported"),
        LoadPdfError::Invalid => malformed("it is damaged beyond repair"),
    })?;
    let pages = pdf.pages();
    if pages.len() > limits.max_pages {
        return Err(ParseError::TooManyPages { limit: limits.max_pages });
    }
    let settings = InterpreterSettings::default();
    let cache = InterpreterCache::new();
    let mut sheets = Vec::new();
    let mut glyphs = 0;
    for page in pages.iter() {
        let (width, height) = page.render_dimensions();
        let mut canvas = Canvas::new(f64::from(width), f64::from(height), limits.max_nodes - glyphs);
        let bounds = canvas.bounds();
        let transform = Affine::new(page.initial_transform(true).as_coeffs());
        let mut context = Context::new(transform, bounds, &cache, pdf.xref(), settings.clone());
        interpret_page(page, &mut context, &mut canvas);
        glyphs += canvas.glyphs.len();
        if glyphs >= limits.max_nodes {
            return Err(ParseError::TooComplex { limit: limits.max_nodes });
        }
        sheets.push(Sheet { lines: lines::of(canvas.glyphs), height: f64::from(height) });
    }
    if sheets.iter().all(|sheet| sheet.lines.is_empty()) {
        return Err(ParseError::NoText);
    }
    prose::drop_furniture(&mut sheets);
    let body = prose::body_size(&sheets);
    let mut writer = Writer::new(limits);
    for (number, sheet) in (1..).zip(sheets) {
        writer.place(Place::Page(number));
        for region in layout::read(sheet.lines) {
            prose::write(region, body, &mut writer);
        }
        if writer.is_full() {
            break;
        }
    }
    writer.finish()
}

fn malformed(reason: &str) -> ParseError {
    ParseError::Malformed { format: FORMAT, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
