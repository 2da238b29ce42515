//! Charts of Office documents: their title, kind and data as text.

use super::BlockKind;
use super::writer::{Writer, table};
use super::xml::Element;

/// Points of a series that are kept.
const MAX_POINTS: usize = 1000;

/// The title, the kind, and a table of categories and series, as far as there are such.
pub(super) fn blocks(tree: &Element) -> Vec<String> {
    let mut blocks = Vec::new();
    let Some(chart) = tree.find("chart") else { return blocks };
    if let Some(title) = chart.child("title") {
        blocks.push(rich(title));
    }
    let Some(area) = chart.child("plotArea") else { return blocks };
    for plot in area.elements().filter(|element| element.name.ends_with("Chart")) {
        blocks.push(kind(plot));
        let series: Vec<&Element> = plot.all("ser").collect();
        let mut header = vec![String::new()];
        header.extend(series.iter().map(|one| one.child("tx").map(rich).unwrap_or_default()));
        let categories = series.iter().find_map(|one| one.child("cat").or_else(|| one.child("xVal")));
        let categories = categories.map(points).unwrap_or_default();
        let values: Vec<Vec<String>> = series
            .iter()
            .map(|one| one.child("val").or_else(|| one.child("yVal")).map(points).unwrap_or_default())
            .collect();
        let length = values.iter().map(Vec::len).chain([categories.len()]).max().unwrap_or(0);
        let at = |list: &[String], at: usize| list.get(at).cloned().unwrap_or_default();
        let mut rows = vec![header];
        rows.extend((0..length).map(|n| {
            let mut row = vec![at(&categories, n)];
            row.extend(values.iter().map(|one| at(one, n)));
            row
        }));
        blocks.push(table(rows));
    }
    blocks.retain(|block| !block.trim().is_empty());
    blocks
}

pub(super) fn write(blocks: Vec<String>, writer: &mut Writer) {
    for block in blocks {
        let kind = if block.starts_with('|') { BlockKind::Table } else { BlockKind::Paragraph };
        writer.block(kind, &block);
    }
}

fn kind(plot: &Element) -> String {
    let direction = plot.value("barDir");
    let name = match plot.name.as_str() {
        "barChart" | "bar3DChart" if direction == Some("bar") => "Bar chart",
        "barChart" | "bar3DChart" => "Bar chart",
        "lineChart" | "line3DChart" => "Line chart",
        "pieChart" | "pie3DChart" | "doughnutChart" | "ofPieChart" => "Pie chart",
        "scatterChart" | "bubbleChart" => "Scatter plot",
        "areaChart" | "area3DChart" => "Area chart",
        "radarChart" => "Radar chart",
        _ => "Chart",
    };
    name.to_owned()
}

/// Text of runs, or else the cached value of a reference.
fn rich(element: &Element) -> String {
    let mut words = Vec::new();
    collect(element, &mut words);
    words.join("").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn collect(element: &Element, words: &mut Vec<String>) {
    for child in element.elements() {
        match child.name.as_str() {
            "t" | "v" => words.push(child.text()),
            "p" => {
                collect(child, words);
                words.push(" ".to_owned());
            }
            "f" | "pPr" | "rPr" | "layout" => {}
            _ => collect(child, words),
        }
    }
}

/// The cached points of a series in their places.
fn points(element: &Element) -> Vec<String> {
    let mut points = Vec::new();
    let Some(cache) = ["strCache", "numCache", "strLit", "numLit"].iter().find_map(|name| element.find(name))
    else {
        return points;
    };
    for point in cache.all("pt") {
        let at: usize = point.attribute("idx").and_then(|at| at.parse().ok()).unwrap_or(usize::MAX);
        if at < MAX_POINTS {
            if points.len() <= at {
                points.resize(at + 1, String::new());
            }
            points[at] = point.child("v").map(Element::text).unwrap_or_default();
        }
    }
    points
}
