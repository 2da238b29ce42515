//! What came of the calls: a row per class, the goals, and the run's course as a picture.

use super::drive::{Call, Outcome};
use super::plan::{Class, Plan};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// The goals of the whole: 95 and 99 of a hundred requests within so many milliseconds, errors below.
const P95_MS: f64 = 500.0;
const P99_MS: f64 = 1000.0;
const ERRORS: f64 = 0.001;
/// Points of the picture.
const SLICES: usize = 120;

#[derive(Debug, Default)]
struct Row {
    millis: Vec<f64>,
    cached: usize,
    degraded: usize,
    failed: usize,
}

impl Row {
    fn add(&mut self, call: &Call) {
        self.millis.push(f64::from(call.millis));
        match call.outcome {
            Outcome::Whole => {}
            Outcome::Cached => self.cached += 1,
            Outcome::Degraded => self.degraded += 1,
            Outcome::Failed(_) => self.failed += 1,
        }
    }

    fn at(&self, share: f64) -> f64 {
        let place = (self.millis.len() as f64 * share).ceil() as usize;
        self.millis.get(place.saturating_sub(1)).copied().unwrap_or_default()
    }

    fn json(&self) -> Value {
        json!({
            "requests": self.millis.len(), "cached": self.cached, "degraded": self.degraded, "failed": self.failed,
            "p50_ms": self.at(0.5), "p95_ms": self.at(0.95), "p99_ms": self.at(0.99), "max_ms": self.at(1.0),
        })
    }
}

pub(super) struct Report {
    rate: u32,
    seconds: f64,
    rows: Vec<(&'static str, Row)>,
    all: Row,
    statuses: BTreeMap<u16, usize>,
    /// Of each slice of time: median, p95 and p99.
    course: Vec<[f64; 3]>,
    peak_mb: f64,
}

impl Report {
    /// Only what was due after the warm-up counts.
    pub(super) fn new(plan: &Plan, calls: &[Call], warm_up: f64, seconds: f64, rate: u32) -> Self {
        let mut rows: Vec<(Class, Row)> = Class::MIX.map(|(class, _)| (class, Row::default())).into();
        let mut slices: Vec<Row> = (0..SLICES).map(|_| Row::default()).collect();
        let mut all = Row::default();
        let mut statuses = BTreeMap::new();
        for call in calls {
            let Some((due, class)) = plan.due(call.request) else { continue };
            if due < warm_up {
                continue;
            }
            if let Some((_, row)) = rows.iter_mut().find(|(one, _)| *one == class) {
                row.add(call);
            }
            all.add(call);
            let slice = ((due - warm_up) / seconds * SLICES as f64) as usize;
            slices[slice.min(SLICES - 1)].add(call);
            if let Outcome::Failed(status) = call.outcome {
                *statuses.entry(status).or_insert(0) += 1;
            }
        }
        let sort = |row: &mut Row| row.millis.sort_by(f64::total_cmp);
        rows.iter_mut().for_each(|(_, row)| sort(row));
        slices.iter_mut().for_each(sort);
        sort(&mut all);
        Self {
            rate,
            seconds,
            rows: rows.into_iter().map(|(class, row)| (class.label(), row)).collect(),
            all,
            statuses,
            course: slices.iter().map(|row| [row.at(0.5), row.at(0.95), row.at(0.99)]).collect(),
            peak_mb: super::peak_mb(),
        }
    }

    fn errors(&self) -> f64 {
        self.all.failed as f64 / self.all.millis.len().max(1) as f64
    }

    fn holds(&self) -> bool {
        self.all.at(0.95) < P95_MS && self.all.at(0.99) < P99_MS && self.errors() < ERRORS
    }

    pub(super) fn json(&self) -> Value {
        let classes: serde_json::Map<String, Value> =
            self.rows.iter().map(|(name, row)| ((*name).to_owned(), row.json())).collect();
        json!({
            "rate": self.rate, "seconds": self.seconds, "all": self.all.json(), "classes": classes,
            "failed_by_status": self.statuses, "error_share": self.errors(), "holds": self.holds(),
            "peak_memory_mb": self.peak_mb,
        })
    }

    /// The percentiles of each slice of time, one line each.
    pub(super) fn svg(&self) -> String {
        const WIDTH: f64 = 900.0;
        const HEIGHT: f64 = 260.0;
        const LEFT: f64 = 60.0;
        const TOP: f64 = 40.0;
        let most = self.course.iter().map(|slice| slice[2]).fold(1.0, f64::max) * 1.1;
        let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
        let (width, height) = (right + 20.0, bottom + 40.0);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
             font-size=\"12\"><rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\
             <path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#999\"/>\
             <text x=\"{}\" y=\"{TOP}\" text-anchor=\"end\">{most:.0} ms</text>\
             <text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\
             <text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{:.0} s at {} requests/s</text>",
            LEFT - 6.0,
            LEFT - 6.0,
            bottom + 18.0,
            self.seconds,
            self.rate
        );
        for (at, (name, colour)) in
            [("p50", "#1a7f37"), ("p95", "#1f6feb"), ("p99", "#cf222e")].into_iter().enumerate()
        {
            let x = LEFT + at as f64 * 60.0;
            let _ = write!(
                svg,
                "<text x=\"{x}\" y=\"{}\" fill=\"{colour}\">{name}</text><polyline fill=\"none\" stroke=\"{colour}\" \
                 stroke-width=\"1.5\" points=\"",
                TOP - 12.0
            );
            for (slice, values) in self.course.iter().enumerate() {
                let x = LEFT + slice as f64 / (SLICES - 1) as f64 * WIDTH;
                let _ = write!(svg, "{x:.1},{:.1} ", bottom - values[at] / most * HEIGHT);
            }
            svg.push_str("\"/>");
        }
        svg.push_str("</svg>");
        svg
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.all.millis.len() as f64 / self.seconds;
        writeln!(
            f,
            "{} requests/s for {:.0} s, arriving at random; {done:.0}/s were done",
            self.rate, self.seconds
        )?;
        writeln!(
            f,
            "{:18} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>7}",
            "", "requests", "p50 ms", "p95 ms", "p99 ms", "max ms", "cached", "degraded", "failed"
        )?;
        for (name, row) in self.rows.iter().map(|(name, row)| (*name, row)).chain([("all", &self.all)]) {
            writeln!(
                f,
                "{name:18} {:>9} {:>8.2} {:>8.2} {:>8.2} {:>8.1} {:>7.0}% {:>9} {:>7}",
                row.millis.len(),
                row.at(0.5),
                row.at(0.95),
                row.at(0.99),
                row.at(1.0),
                row.cached as f64 / row.millis.len().max(1) as f64 * 100.0,
                row.degraded,
                row.failed
            )?;
        }
        for (status, count) in &self.statuses {
            let what = if *status == 0 { "no answer".to_owned() } else { format!("status {status}") };
            writeln!(f, "  {what}: {count}")?;
        }
        let verdict = if self.holds() { "holds" } else { "MISSED" };
        write!(
            f,
            "p95 < {P95_MS:.0} ms, p99 < {P99_MS:.0} ms, errors < {:.1} %: {verdict} (errors {:.3} %); peak memory of server and load {:.0} MB",
            ERRORS * 100.0,
            self.errors() * 100.0,
            self.peak_mb
        )
    }
}
