//! The parsers beside what is expected of them, and beside another converter's output:
//! `fidelity DIRECTORY [--files] [--against DIRECTORY]`, where `DIRECTORY/<format>/<file>.expected.md` is what
//! `DIRECTORY/<format>/<file>` should give, and the other converter's output of it is `<format>/<file>.md`.

use mcp_rag_text::fidelity::{Fidelity, compare};
use mcp_rag_text::parse::{MediaType, ParseLimits, parse};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

struct Row {
    name: String,
    ours: Result<Fidelity, String>,
    other: Option<Fidelity>,
}

fn main() -> ExitCode {
    let mut directory = None;
    let (mut files, mut against) = (false, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--files" => files = true,
            "--against" => against = arguments.next().map(PathBuf::from),
            _ => directory = Some(PathBuf::from(argument)),
        }
    }
    let Some(directory) = directory else {
        println!("usage: fidelity DIRECTORY [--files] [--against DIRECTORY]");
        return ExitCode::FAILURE;
    };
    println!("| format | files | ordered F1 | counted F1 | other: ordered | counted | verdict |");
    println!("|---|---|---|---|---|---|---|");
    let mut all_ahead = true;
    for format in subdirectories(&directory) {
        let rows = compare_all(&format, against.as_deref());
        if rows.is_empty() {
            continue;
        }
        let mean = |score: &dyn Fn(&Row) -> f64| rows.iter().map(score).sum::<f64>() / rows.len() as f64;
        let ours = |pick: fn(&Fidelity) -> f64| mean(&move |row| row.ours.as_ref().map_or(0.0, pick));
        let other = |pick: fn(&Fidelity) -> f64| mean(&move |row| row.other.as_ref().map_or(0.0, pick));
        let name = format.file_name().unwrap_or_default().to_string_lossy();
        let (ordered, theirs) = (ours(|one| one.ordered), other(|one| one.ordered));
        let verdict = if against.is_none() {
            ""
        } else if ordered > theirs {
            "ahead"
        } else {
            "behind"
        };
        all_ahead &= verdict != "behind";
        println!(
            "| {name} | {} | {ordered:.3} | {:.3} | {theirs:.3} | {:.3} | {verdict} |",
            rows.len(),
            ours(|one| one.counted),
            other(|one| one.counted)
        );
        for row in rows.iter().filter(|_| files) {
            let ours = match &row.ours {
                Ok(one) => format!("{:.3} | {:.3}", one.ordered, one.counted),
                Err(error) => format!("– | {error}"),
            };
            let other =
                row.other.map_or(" | ".to_owned(), |one| format!("{:.3} | {:.3}", one.ordered, one.counted));
            println!("| · {} | | {ours} | {other} | |", row.name);
        }
    }
    if all_ahead { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn subdirectories(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn compare_all(format: &Path, against: Option<&Path>) -> Vec<Row> {
    let entries = std::fs::read_dir(format).into_iter().flatten().flatten();
    let mut rows: Vec<Row> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?.strip_suffix(".expected.md")?.to_owned();
            let expected = std::fs::read_to_string(entry.path()).ok()?;
            let ours = convert(&format.join(&name)).map(|text| compare(&text, &expected));
            let other = against.and_then(|directory| {
                let path = directory.join(format.file_name()?).join(format!("{name}.md"));
                Some(compare(&std::fs::read_to_string(path).unwrap_or_default(), &expected))
            });
            Some(Row { name, ours, other })
        })
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn convert(path: &Path) -> Result<String, String> {
    let media_type = MediaType::from_path(path).map_err(|error| error.to_string())?;
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    parse(&bytes, media_type, &ParseLimits::default())
        .map(|parsed| parsed.text)
        .map_err(|error| error.to_string())
}
