//! What a cell shows: shared strings, and numbers that are dates by their format.

use crate::parse::xml::Element;

/// Days from 1899-12-30 to 1970-01-01, and to 1904-01-01.
const EPOCH: i64 = 25_569;
const FROM_1904: f64 = 1462.0;
/// Ids of built-in formats that show dates or times.
const DATES: [std::ops::RangeInclusive<u32>; 4] = [14..=22, 27..=36, 45..=47, 50..=58];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Number,
    Percent,
    Date,
}

pub(super) struct Values {
    strings: Vec<String>,
    /// By the number of a cell's style.
    styles: Vec<Shows>,
    from_1904: bool,
}

impl Values {
    pub(super) fn new(workbook: &Element, strings: Vec<String>, styles: Option<&Element>) -> Self {
        let properties = workbook.child("workbookPr").and_then(|properties| properties.attribute("date1904"));
        Self {
            strings,
            styles: styles.map(shown).unwrap_or_default(),
            from_1904: matches!(properties, Some("1" | "true")),
        }
    }

    /// The text of a cell of this type and style, from its stored value.
    pub(super) fn text(&self, kind: &str, style: usize, value: &str) -> String {
        match kind {
            "s" => value
                .trim()
                .parse::<usize>()
                .ok()
                .and_then(|at| self.strings.get(at))
                .cloned()
                .unwrap_or_default(),
            "b" => if value.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned(),
            "str" | "inlineStr" | "e" | "d" => value.to_owned(),
            _ => match value.trim().parse::<f64>() {
                Ok(number) => self.number(number, style),
                Err(_) => value.trim().to_owned(),
            },
        }
    }

    fn number(&self, number: f64, style: usize) -> String {
        match self.styles.get(style) {
            Some(Shows::Date) => {
                let days = if self.from_1904 { number + FROM_1904 } else { number };
                date(days).unwrap_or_else(|| plain(number))
            }
            Some(Shows::Percent) => format!("{}%", plain((number * 1e10).round() / 1e8)),
            Some(Shows::Number) | None => plain(number),
        }
    }
}

/// As it was typed: the sum of 0.1 and 0.2 is stored with seventeen digits.
fn plain(number: f64) -> String {
    let rounded = format!("{number:.14e}").parse().unwrap_or(number);
    format!("{rounded}")
}

/// `2026-11-24`, with the time where there is one; a time alone below one day.
fn date(days: f64) -> Option<String> {
    if !(0.0..2_958_466.0).contains(&days) {
        return None;
    }
    let seconds = ((days - days.floor()) * 86_400.0).round() as i64;
    let (whole, seconds) = (days.floor() as i64 + seconds / 86_400, seconds % 86_400);
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if whole == 0 {
        return Some(time);
    }
    let (year, month, day) = civil(whole - EPOCH);
    let day = format!("{year:04}-{month:02}-{day:02}");
    Some(if seconds == 0 { day } else { format!("{day} {time}") })
}

/// The calendar's day from days since 1970-01-01 (Howard Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) =
        (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn shown(styles: &Element) -> Vec<Shows> {
    let custom: Vec<(u32, Shows)> = styles
        .child("numFmts")
        .into_iter()
        .flat_map(|formats| formats.all("numFmt"))
        .filter_map(|format| {
            Some((format.attribute("numFmtId")?.parse().ok()?, of_code(format.attribute("formatCode")?)))
        })
        .collect();
    let cells = styles.child("cellXfs");
    let shown = |cell: &Element| {
        let id = cell.attribute("numFmtId").and_then(|id| id.parse().ok()).unwrap_or(0);
        let known = custom.iter().find(|(own, _)| *own == id).map(|(_, shows)| *shows);
        known.unwrap_or_else(|| match id {
            9 | 10 => Shows::Percent,
            id if DATES.iter().any(|range| range.contains(&id)) => Shows::Date,
            _ => Shows::Number,
        })
    };
    cells.into_iter().flat_map(|cells| cells.all("xf")).map(shown).collect()
}

/// A format's letters outside quotes and brackets say what it shows.
fn of_code(code: &str) -> Shows {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    let mut shows = Shows::Number;
    for c in code.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' | '_' | '*' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' => bracketed = true,
            ']' => bracketed = false,
            _ if bracketed => {}
            '%' => shows = Shows::Percent,
            'y' | 'Y' | 'd' | 'D' | 'h' | 'H' => return Shows::Date,
            'm' | 'M' | 's' | 'S' if shows == Shows::Number => shows = Shows::Date,
            _ => {}
        }
    }
    shows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_dates_read_as_they_were_typed() {
        assert_eq!(
            (plain(0.1 + 0.2), plain(4.0), plain(-1.5e20)),
            ("0.3".to_owned(), "4".to_owned(), "-150000000000000000000".to_owned())
        );
        assert_eq!(date(46_350.0).as_deref(), Some("2026-11-24"));
        assert_eq!(date(46_350.75).as_deref(), Some("2026-11-24 18:00:00"));
        assert_eq!((date(0.5).as_deref(), date(-1.0), date(f64::NAN)), (Some("12:00:00"), None, None));
        assert_eq!(
            (of_code("yyyy\\-mm\\-dd"), of_code("0.0%"), of_code("[Red]#,##0 \"days\"")),
            (Shows::Date, Shows::Percent, Shows::Number)
        );
    }
}
