//! The shared strings of a workbook, read as a stream: a sheet of a million rows has as many.

use super::FORMAT;
use crate::parse::xml::referred;
use crate::parse::{ParseError, ParseLimits, decode};
use quick_xml::Reader;
use quick_xml::events::Event;

/// Each string's runs of text, without the readings above East Asian words.
pub(super) fn read(bytes: &[u8], limits: &ParseLimits) -> Result<Vec<String>, ParseError> {
    let source = decode::decode(bytes)?;
    let mut reader = Reader::from_str(&source);
    let mut strings: Vec<String> = Vec::new();
    let mut own = String::new();
    let (mut in_text, mut in_reading) = (false, false);
    loop {
        let event = reader.read_event();
        let event =
            event.map_err(|error| ParseError::Malformed { format: FORMAT, reason: error.to_string() })?;
        match event {
            Event::Start(start) => match start.local_name().as_ref() {
                "si" => own.clear(),
                "t" => in_text = true,
                "rPh" => in_reading = true,
                _ => {}
            },
            Event::Empty(start) if start.local_name().as_ref() == "si" => strings.push(String::new()),
            Event::Text(words) if in_text && !in_reading => own.push_str(&words.xml10_content()),
            Event::CData(words) if in_text && !in_reading => own.push_str(&words.xml10_content()),
            Event::GeneralRef(reference) if in_text && !in_reading => own.push_str(&referred(&reference)),
            Event::End(end) => match end.local_name().as_ref() {
                "si" => strings.push(own.as_str().to_owned()),
                "t" => in_text = false,
                "rPh" => in_reading = false,
                _ => {}
            },
            Event::Eof => return Ok(strings),
            _ => {}
        }
        if strings.len() > limits.max_nodes {
            return Err(ParseError::TooComplex { limit: limits.max_nodes });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_joined_and_readings_are_left_out() {
        let part = "<sst><si><t>a &amp; b</t></si><si/><si><r><t>du</t></r><r><t xml:space=\"preserve\">ck </t></r>\
                    <rPh><t>reading</t></rPh></si></sst>";
        assert_eq!(read(part.as_bytes(), &ParseLimits::default()).unwrap(), ["a & b", "", "duck "]);
        let few = ParseLimits { max_nodes: 2, ..ParseLimits::default() };
        assert_eq!(read(part.as_bytes(), &few), Err(ParseError::TooComplex { limit: 2 }));
    }
}
