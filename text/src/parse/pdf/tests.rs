use crate::parse::{MediaType, ParseError, ParseLimits, Parsed, Place, parse};

/// A document with one content stream per page, in Helvetica.
fn document(pages: &[&str]) -> Vec<u8> {
    let kids: Vec<String> = (0..pages.len()).map(|n| format!("{} 0 R", 4 + 2 * n)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    for (n, content) in pages.iter().enumerate() {
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {} 0 R /Resources << /Font << /F 3 0 R >> >> >>",
            5 + 2 * n
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    let mut file = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", n + 1));
    }
    let start = file.len();
    file.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    places.iter().for_each(|place| file.push_str(&format!("{place:010} 00000 n \n")));
    file.push_str(&format!(
        "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n",
        objects.len() + 1
    ));
    file.into_bytes()
}

fn at(x: u32, y: u32, size: u32, text: &str) -> String {
    format!("BT /F {size} Tf 1 0 0 1 {x} {y} Tm ({text}) Tj ET\n")
}

fn read(pages: &[&str]) -> Parsed {
    parse(&document(pages), MediaType::Pdf, &ParseLimits::default()).unwrap()
}

#[test]
fn lines_become_paragraphs_without_hyphens_and_large_ones_headings() {
    let page = [
        at(50, 700, 20, "Water birds"),
        at(50, 660, 10, "Ducks are birds that live on water and have web-"),
        at(50, 648, 10, "bed feet, with which they swim."),
        at(50, 610, 10, "Geese are larger."),
    ];
    assert_eq!(
        read(&[&page.concat()]).text,
        "## Water birds\n\nDucks are birds that live on water and have webbed feet, with which they swim.\n\nGeese are larger."
    );
}

#[test]
fn columns_are_read_one_after_another_below_a_heading_over_both() {
    let mut page = at(200, 740, 18, "Over both");
    for n in 0..4 {
        page += &at(50, 700 - 12 * n, 10, &format!("left column with a line of prose {n}"));
        page += &at(320, 700 - 12 * n, 10, &format!("right column with a line of prose {n}"));
    }
    let text = read(&[&page]).text;
    let (left, right) =
        (text.find("left column with a line of prose 3"), text.find("right column with a line of prose 0"));
    assert!(text.starts_with("## Over both") && left < right, "{text}");
}

#[test]
fn short_parts_in_rows_are_a_table() {
    let mut page = String::new();
    for (row, cells) in [["Bird", "Legs", "Eggs"], ["Duck", "2", "12"], ["Owl", "2", "4"]].iter().enumerate()
    {
        for (column, cell) in cells.iter().enumerate() {
            page += &at(50 + 100 * column as u32, 700 - 14 * row as u32, 10, cell);
        }
    }
    assert_eq!(
        read(&[&page]).text,
        "| Bird | Legs | Eggs |\n| - | - | - |\n| Duck | 2 | 12 |\n| Owl | 2 | 4 |"
    );
}

#[test]
fn what_pages_repeat_at_their_edges_is_left_out_and_pages_are_known() {
    let page = |n: u32| {
        [
            at(50, 780, 8, "The Journal of Ducks"),
            at(50, 500, 10, &format!("Words of page {n}.")),
            at(300, 20, 8, &n.to_string()),
        ]
        .concat()
    };
    let parsed = read(&[&page(1), &page(2)]);
    assert_eq!(parsed.text, "Words of page 1.\n\nWords of page 2.");
    assert_eq!(parsed.place_of(parsed.text.len() - 1), Some(&Place::Page(2)));
}

#[test]
fn a_page_without_text_says_that_there_is_none() {
    let error = parse(&document(&["0 0 100 100 re f"]), MediaType::Pdf, &ParseLimits::default()).unwrap_err();
    assert_eq!(error, ParseError::NoText);
    assert!(matches!(
        parse(b"%PDF-1.7 and then nothing", MediaType::Pdf, &ParseLimits::default()),
        Err(ParseError::Malformed { .. })
    ));
}

#[test]
fn more_pages_or_glyphs_than_allowed_are_refused() {
    let file = document(&[&at(50, 700, 10, "words"), ""]);
    let pages = ParseLimits { max_pages: 1, ..ParseLimits::default() };
    assert_eq!(parse(&file, MediaType::Pdf, &pages), Err(ParseError::TooManyPages { limit: 1 }));
    let glyphs = ParseLimits { max_nodes: 3, ..ParseLimits::default() };
    assert_eq!(parse(&file, MediaType::Pdf, &glyphs), Err(ParseError::TooComplex { limit: 3 }));
}
