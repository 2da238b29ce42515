//! Lists: which number an item has.

use crate::parse::xml::Element;
use std::collections::HashMap;

const LEVELS: usize = 9;

/// What stands before an item.
pub(super) struct Marker {
    /// The number as Word shows it; empty for a bullet.
    pub(super) label: String,
    level: usize,
}

impl Marker {
    pub(super) fn is_bullet(&self) -> bool {
        self.label.is_empty()
    }

    /// The item as a line of Markdown. A number that Markdown does not know follows a bullet.
    pub(super) fn item(&self, text: &str) -> String {
        let indent = "    ".repeat(self.level);
        let simple = self.label.strip_suffix('.').is_some_and(|number| number.parse::<u32>().is_ok());
        let text = text.replace('\n', &format!("\n{indent}  "));
        match () {
            () if self.is_bullet() => format!("{indent}- {text}"),
            () if simple => format!("{indent}{} {text}", self.label),
            () => format!("{indent}- {} {text}", self.label),
        }
    }
}

#[derive(Default, Clone)]
struct Level {
    start: u32,
    format: String,
    text: String,
}

#[derive(Default)]
pub(super) struct Numbering {
    /// The levels of each abstract list.
    levels: HashMap<String, Vec<Level>>,
    /// Of each list: its abstract list, and where it starts anew.
    lists: HashMap<String, (String, HashMap<usize, u32>)>,
    /// The last number of each level. Lists of one abstract list go on counting.
    counters: HashMap<String, [u32; LEVELS]>,
    begun: std::collections::HashSet<String>,
}

impl Numbering {
    pub(super) fn read(part: Option<&Element>) -> Self {
        let mut numbering = Self::default();
        let Some(part) = part else { return numbering };
        for list in part.all("abstractNum") {
            let Some(id) = list.attribute("abstractNumId") else { continue };
            let mut levels = vec![Level::default(); LEVELS];
            for level in list.all("lvl") {
                let at = level.attribute("ilvl").and_then(|at| at.parse::<usize>().ok());
                if let Some(slot) = at.and_then(|at| levels.get_mut(at)) {
                    *slot = Level {
                        start: level.value("start").and_then(|start| start.parse().ok()).unwrap_or(1),
                        format: level.value("numFmt").unwrap_or("decimal").to_owned(),
                        text: level.value("lvlText").unwrap_or_default().to_owned(),
                    };
                }
            }
            numbering.levels.insert(id.to_owned(), levels);
        }
        for list in part.all("num") {
            let (Some(id), Some(of)) = (list.attribute("numId"), list.value("abstractNumId")) else {
                continue;
            };
            let starts = list.all("lvlOverride").filter_map(|level| {
                Some((level.attribute("ilvl")?.parse().ok()?, level.value("startOverride")?.parse().ok()?))
            });
            numbering.lists.insert(id.to_owned(), (of.to_owned(), starts.collect()));
        }
        numbering
    }

    /// Counts the next item of a list.
    pub(super) fn next(&mut self, list: &str, level: usize) -> Option<Marker> {
        let (of, starts) = self.lists.get(list)?;
        let levels = self.levels.get(of)?;
        let own = levels.get(level)?;
        let counters = self.counters.entry(of.clone()).or_default();
        if !starts.is_empty() && self.begun.insert(list.to_owned()) {
            for (level, start) in starts {
                if let Some(counter) = counters.get_mut(*level) {
                    *counter = start.saturating_sub(1);
                }
            }
        }
        for (at, counter) in counters.iter_mut().enumerate() {
            let start = levels.get(at).map_or(1, |level| level.start);
            match at.cmp(&level) {
                // An item without one above it counts from that one's start.
                std::cmp::Ordering::Less if *counter == 0 => *counter = start,
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal if *counter == 0 => *counter = start,
                std::cmp::Ordering::Equal => *counter = counter.saturating_add(1),
                std::cmp::Ordering::Greater => *counter = 0,
            }
        }
        if matches!(own.format.as_str(), "bullet" | "none" | "") {
            return Some(Marker { label: String::new(), level });
        }
        let mut label = own.text.clone();
        for at in 0..LEVELS {
            let mark = format!("%{}", at + 1);
            if let (true, Some(number), Some(of)) = (label.contains(&mark), counters.get(at), levels.get(at))
            {
                label = label.replace(&mark, &written(*number, &of.format));
            }
        }
        Some(Marker { label, level })
    }
}

fn written(number: u32, format: &str) -> String {
    let letters = || {
        let (at, times) = ((number.saturating_sub(1)) % 26, (number.saturating_sub(1)) / 26 + 1);
        let letter = char::from(b'a' + u8::try_from(at).unwrap_or(0));
        letter.to_string().repeat(times.min(10) as usize)
    };
    match format {
        "lowerLetter" => letters(),
        "upperLetter" => letters().to_uppercase(),
        "lowerRoman" => roman(number),
        "upperRoman" => roman(number).to_uppercase(),
        "decimalZero" => format!("{number:02}"),
        _ => number.to_string(),
    }
}

fn roman(mut number: u32) -> String {
    const NUMERALS: [(u32, &str); 13] = [
        (1000, "m"),
        (900, "cm"),
        (500, "d"),
        (400, "cd"),
        (100, "c"),
        (90, "xc"),
        (50, "l"),
        (40, "xl"),
        (10, "x"),
        (9, "ix"),
        (5, "v"),
        (4, "iv"),
        (1, "i"),
    ];
    if number > 3999 {
        return number.to_string();
    }
    let mut text = String::new();
    for (value, numeral) in NUMERALS {
        while number >= value {
            text.push_str(numeral);
            number -= value;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_word_writes_them() {
        assert_eq!(
            (written(4, "lowerRoman"), written(28, "upperLetter")),
            ("iv".to_owned(), "BB".to_owned())
        );
        assert_eq!(
            (written(1994, "upperRoman"), written(3, "ordinal")),
            ("MCMXCIV".to_owned(), "3".to_owned())
        );
    }
}
