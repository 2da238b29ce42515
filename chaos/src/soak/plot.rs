//! The course of a soak as a picture: memory, threads and failures over time.

use super::watch::Moment;
use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 120.0;
const LEFT: f64 = 60.0;
const GAP: f64 = 44.0;

/// A panel's name, its colour, and what it shows.
type Panel = (&'static str, &'static str, fn(&Moment) -> f64);

pub(super) fn svg(moments: &[Moment]) -> String {
    let panels: [Panel; 4] = [
        ("memory, MB", "#1f6feb", |moment| moment.memory_mb),
        ("threads", "#8250df", |moment| moment.threads as f64),
        ("connections to PostgreSQL", "#1a7f37", |moment| moment.connections.unwrap_or(0) as f64),
        ("failed, % of requests", "#cf222e", |moment| {
            moment.failed as f64 / moment.sent.max(1) as f64 * 100.0
        }),
    ];
    let height = panels.len() as f64 * (HEIGHT + GAP) + GAP;
    let width = WIDTH + LEFT + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>"
    );
    let time = moments.last().map_or(1.0, |moment| moment.seconds).max(1.0);
    for (row, (name, colour, value)) in panels.iter().enumerate() {
        let top = GAP + row as f64 * (HEIGHT + GAP);
        let most = moments.iter().map(value).fold(1.0, f64::max) * 1.1;
        let bottom = top + HEIGHT;
        let _ = write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\">{name}</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{most:.0}</text>\
             <text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\
             <path d=\"M{LEFT} {top}V{bottom}H{}\" fill=\"none\" stroke=\"#999\"/><polyline fill=\"none\" \
             stroke=\"{colour}\" stroke-width=\"1.5\" points=\"",
            top - 6.0,
            LEFT - 6.0,
            top + 10.0,
            LEFT - 6.0,
            LEFT + WIDTH
        );
        for moment in moments {
            let x = LEFT + moment.seconds / time * WIDTH;
            let _ = write!(svg, "{x:.1},{:.1} ", bottom - value(moment) / most * HEIGHT);
        }
        svg.push_str("\"/>");
    }
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.0} minutes</text></svg>",
        LEFT + WIDTH,
        height - 10.0,
        time / 60.0
    );
    svg
}
