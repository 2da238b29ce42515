//! What a page draws, as far as it is text.

use hayro_interpret::font::{Glyph as Shape, GlyphRun};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect};
use hayro_interpret::{BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, SoftMask};

/// Glyph space has a thousand units to the em.
const EM: f64 = 1000.0;
/// Of a glyph whose font does not say.
const USUAL_ADVANCE: f64 = 500.0;

/// A glyph in points from the page's upper left corner.
#[derive(Debug, Clone)]
pub(super) struct Glyph {
    pub(super) text: String,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) baseline: f64,
    pub(super) size: f64,
    pub(super) bold: bool,
}

pub(super) struct Canvas {
    pub(super) glyphs: Vec<Glyph>,
    width: f64,
    height: f64,
    /// Glyphs that may still come.
    room: usize,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64, room: usize) -> Self {
        Self { glyphs: Vec::new(), width, height, room }
    }

    pub(super) fn bounds(&self) -> Rect {
        Rect::new(0.0, 0.0, self.width, self.height)
    }

    fn add(&mut self, shape: &Shape<'_>, transform: Affine) {
        let text = match shape.as_unicode() {
            Some(BfString::Char(c)) => c.to_string(),
            Some(BfString::String(text)) => text,
            None => return,
        };
        let text: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let (advance, bold) = match shape {
            Shape::Outline(outline) => {
                let data = outline.font_data();
                let heavy = data.as_ref().and_then(|data| data.weight).is_some_and(|weight| weight >= 600);
                let named =
                    data.and_then(|data| data.postscript_name).is_some_and(|name| name.contains("Bold"));
                (outline.advance_width(), heavy || named)
            }
            Shape::Type3(glyph) => (glyph.advance_width(), false),
        };
        let advance = advance.map_or(USUAL_ADVANCE, f64::from);
        let (from, to) = (transform * Point::ZERO, transform * Point::new(advance, 0.0));
        let up = transform * Point::new(0.0, EM);
        let size = (up - from).hypot();
        // Text that runs upwards, or stands outside the page, is not what the page says.
        let level = (to.y - from.y).abs() <= 0.1 * (to.x - from.x).abs() + 1e-6 && to.x >= from.x;
        let on_page = (0.0..=self.width).contains(&from.x) && (0.0..=self.height).contains(&from.y);
        if !level || !on_page || text.is_empty() || !(0.5..2000.0).contains(&size) {
            return;
        }
        self.glyphs.push(Glyph { text, left: from.x, right: to.x, baseline: from.y, size, bold });
    }
}

impl Device<'_> for Canvas {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, props: DrawProps<'_>, _: &DrawMode) {
        for glyph in run.glyphs() {
            if self.glyphs.len() >= self.room {
                return;
            }
            self.add(glyph, props.transform * glyph.transform());
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
