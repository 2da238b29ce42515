//! The sizes as a picture: throughput, latency and recall over the number of chunks.

use super::report::{DENSE, NEAREST, Report, Size, TYPICAL};
use std::fmt::Write as _;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;

/// A line's name, its colour, and its value at a size.
type Line = (&'static str, &'static str, fn(&Size) -> Option<f64>);

fn qps(size: &Size, name: &str) -> Option<f64> {
    size.cell(name, TYPICAL).map(|cell| cell.result.qps)
}

fn p50(size: &Size, name: &str) -> Option<f64> {
    size.cell(name, 1).map(|cell| cell.result.p50_ms)
}

const THROUGHPUT: &[Line] = &[
    ("pgbench", "#57606a", |size| qps(size, NEAREST)),
    ("dense", "#1f6feb", |size| qps(size, DENSE)),
    ("lexical", "#1a7f37", |size| qps(size, "lexical")),
    ("hybrid", "#8250df", |size| qps(size, "hybrid, vector given")),
];
const LATENCY: &[Line] = &[
    ("pgbench", "#57606a", |size| p50(size, NEAREST)),
    ("dense", "#1f6feb", |size| p50(size, DENSE)),
    ("lexical", "#1a7f37", |size| p50(size, "lexical")),
    ("hybrid", "#8250df", |size| p50(size, "hybrid, vector given")),
];
const RECALL: &[Line] = &[
    ("dense", "#1f6feb", |size| Some(size.recall[0])),
    ("lexical", "#1a7f37", |size| Some(size.recall[1])),
    ("hybrid", "#8250df", |size| Some(size.recall[2])),
];

pub(super) fn svg(report: &Report) -> String {
    let width = 3.0 * (LEFT + WIDTH) + 20.0;
    let height = TOP + HEIGHT + 60.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>"
    );
    let panels = [
        ("searches a second, 4 clients", THROUGHPUT, 0.0),
        ("p50 of one client, ms", LATENCY, 0.0),
        ("recall@10", RECALL, 0.5),
    ];
    for (at, (title, lines, low)) in panels.into_iter().enumerate() {
        panel(&mut svg, &report.sizes, LEFT + at as f64 * (LEFT + WIDTH), title, lines, low);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, sizes: &[Size], left: f64, title: &str, lines: &[Line], low: f64) {
    let values = sizes.iter().flat_map(|size| lines.iter().filter_map(|(.., value)| value(size)));
    let most = if low > 0.0 { 1.0 } else { values.fold(f64::MIN_POSITIVE, f64::max) * 1.05 };
    let decade = |size: &Size| f64::from(size.chunks).log10();
    let (first, last) = (sizes.first().map_or(0.0, decade), sizes.last().map_or(1.0, decade));
    let x = |size: &Size| left + (decade(size) - first) / (last - first).max(1.0) * (WIDTH - 60.0);
    let bottom = TOP + HEIGHT;
    let y = |value: f64| bottom - (value - low).max(0.0) / (most - low) * HEIGHT;
    let shown = if most < 10.0 { format!("{most:.2}") } else { format!("{most:.0}") };
    let _ = write!(
        svg,
        "<text x=\"{left}\" y=\"{}\">{title}</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{shown}</text>\
         <text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">{low}</text>\
         <path d=\"M{left} {TOP}V{bottom}H{}\" fill=\"none\" stroke=\"#999\"/>",
        TOP - 12.0,
        left - 6.0,
        TOP + 10.0,
        left - 6.0,
        left + WIDTH - 60.0
    );
    for size in sizes {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x(size),
            bottom + 18.0,
            size.chunks
        );
    }
    for (name, colour, value) in lines {
        let points: Vec<(f64, f64)> =
            sizes.iter().filter_map(|size| Some((x(size), y(value(size)?)))).collect();
        let _ = write!(svg, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"");
        for (x, y) in &points {
            let _ = write!(svg, "{x:.1},{y:.1} ");
        }
        svg.push_str("\"/>");
        if let Some((x, y)) = points.last() {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>",
                x + 4.0,
                y + 4.0
            );
        }
    }
}
