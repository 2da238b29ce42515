//! Each hostile file with what must come of it.

use crate::mail::{self, EML};
use crate::packed::{self, DOCX, EPUB, ODT, PPTX, XLSX, docx, paragraph};
use crate::scene::{Case, JSON, Must, case};
use crate::{pdf, sheet, text};
use Must::{End, Fail, Ready};

const PDF: &str = "application/pdf";
const HTML: &str = "text/html";
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";
const PLAIN: &str = "text/plain";
const MARKDOWN: &str = "text/markdown";

const MALFORMED: Must = Fail(&["is not a readable"]);
/// The limits inside a parser, or the kernel's.
const TOO_MUCH: Must = Fail(&["more than", "larger than", "longer than", "out of memory"]);

/// Each format cut in the middle, with bytes overwritten, empty, and of nothing but noise.
pub(crate) fn damaged() -> Vec<Case> {
    let whole: Vec<(&str, &'static str, Vec<u8>)> = vec![
        ("pdf", PDF, pdf::small()),
        ("docx", DOCX, docx(&paragraph("The puffin."))),
        ("pptx", PPTX, packed::pptx(&[packed::shape("The puffin.")], &[])),
        ("xlsx", XLSX, sheet::of_rows(10)),
        ("odt", ODT, packed::odt("<text:p>The puffin.</text:p>")),
        ("epub", EPUB, packed::epub(&[("a.xhtml", "<p>The puffin.</p>")], [0])),
        ("eml", EML, mail::with("a.csv", CSV, b"bird,legs\npuffin,2\n")),
    ];
    let mut cases = Vec::new();
    for (format, media_type, bytes) in whole {
        let part = |share: usize| bytes[..bytes.len() * share / 8].to_vec();
        for share in [1, 4, 7] {
            cases.push(case(format!("{format}, {share} eighths"), media_type, part(share), End));
        }
        let mut struck = bytes.clone();
        struck.iter_mut().step_by(7).for_each(|byte| *byte ^= 0x55);
        cases.push(case(format!("{format}, struck"), media_type, struck, End));
        cases.push(case(
            format!("{format}, noise"),
            media_type,
            text::noise(20_000),
            // Noise may hold a colon, and so a head.
            if media_type == EML { End } else { MALFORMED },
        ));
        let doubled = [bytes.clone(), bytes.clone()].concat();
        cases.push(case(format!("{format}, twice"), media_type, doubled, End));
    }
    for media_type in [PDF, DOCX, PPTX, XLSX, ODT, EPUB, EML, HTML, JSON, NDJSON, CSV, PLAIN, MARKDOWN] {
        cases.push(case(format!("empty {media_type}"), media_type, "", End));
    }
    cases
}

pub(crate) fn encrypted() -> Vec<Case> {
    let locked = ["EncryptionInfo", "EncryptedPackage"];
    let manifest = "<manifest><file-entry><encryption-data/></file-entry></manifest>";
    vec![
        case("RC4 PDF", PDF, pdf::encrypted(false), Fail(&["encrypted"])),
        case("AES PDF", PDF, pdf::encrypted(true), Fail(&["encrypted"])),
        case("locked docx", DOCX, packed::ole(&locked), Fail(&["encrypted"])),
        case("locked xlsx", XLSX, packed::ole(&locked), Fail(&["encrypted"])),
        case("old doc", DOCX, packed::ole(&["WordDocument"]), Fail(&["before 2007"])),
        case("old xls", XLSX, packed::ole(&["Workbook"]), Fail(&["before 2007"])),
        case(
            "locked odt",
            ODT,
            packed::zip([("META-INF/manifest.xml", manifest), ("content.xml", "\x01\x02scrambled")]),
            Fail(&["encrypted"]),
        ),
    ]
}

/// Small files that become large.
pub(crate) fn bombs() -> Vec<Case> {
    let blanks = " ".repeat(300 << 20);
    let words = "word ".repeat(40 << 20);
    let inner = (0..6).fold(docx(&paragraph("x")), |inner, n| packed::zip([(format!("{n}.zip"), inner)]));
    let laughs: String = (1..10).fold("<!ENTITY l0 \"ha\">".to_owned(), |dtd, n| {
        dtd + &format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))
    });
    let laughs =
        format!("<!DOCTYPE d [{laughs}]><document><body><p><r><t>&l9;</t></r></p></body></document>");
    let outside = "<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><document><body><p><r><t>read &x;</t></r></p></body></document>";
    let page = format!("<p>{}</p>", "word ".repeat(200_000));
    let cells = "<table:table-cell table:number-columns-repeated=\"1000000000\"><text:p>x</text:p></table:table-cell>";
    let wide =
        format!("<table:table><table:table-row>{}</table:table-row></table:table>", cells.repeat(50_000));
    let span = "<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val=\"1000000000\"/></w:tcPr><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc></w:tr></w:tbl>";
    vec![
        case("blanks", DOCX, docx(&paragraph(&blanks)), TOO_MUCH),
        case("200 MB of words", DOCX, docx(&paragraph(&words)), TOO_MUCH),
        case("200 MB of text in an odt", ODT, packed::odt(&format!("<text:p>{words}</text:p>")), TOO_MUCH),
        case("zip within zip", DOCX, inner, Fail(&["missing"])),
        case("declared sizes", DOCX, packed::declaring(docx(&paragraph("words")), 0xFFFF_FFF0), End),
        case("no declared sizes", DOCX, packed::declaring(docx(&paragraph("words")), 0), End),
        case("billion laughs", DOCX, packed::zip([("word/document.xml", laughs)]), End),
        case("external entity", DOCX, packed::zip([("word/document.xml", outside)]), Ready("read")),
        case("runs", DOCX, docx(&"<w:p><w:r/></w:p>".repeat(700_000)), TOO_MUCH),
        case("wide cells", ODT, packed::odt(&wide), End),
        case("wide span", DOCX, docx(span), End),
        case(
            "one page a thousand times",
            EPUB,
            packed::epub(&[("a.xhtml", &page)], std::iter::repeat_n(0, 1000)),
            TOO_MUCH,
        ),
        case("entries", DOCX, packed::zip((0..30_000).map(|n| (format!("{n}"), ""))), TOO_MUCH),
        case("one string a million times", XLSX, sheet::of_one_string(1000, 200_000), TOO_MUCH),
        case("two edges", XLSX, sheet::of_two_edges(), End),
        case("far corner", XLSX, corner(), Ready("far")),
        case("merged all over", XLSX, merged(), End),
        case("content of 2 GB", PDF, pdf::flate_bomb(2 << 30), Fail(&["memory", "text"])),
        case("content of 200 MB", PDF, pdf::flate_bomb(200 << 20), Fail(&["memory", "text", "longer"])),
    ]
}

fn corner() -> Vec<u8> {
    let rows = "<row r=\"1\"><c r=\"A1\" t=\"str\"><v>near</v></c></row>\
                <row r=\"1048576\"><c r=\"XFD1048576\" t=\"str\"><v>far</v></c><c r=\"ZZZZ9\"><v>1</v></c></row>\
                <row r=\"4294967295\"><c t=\"s\"><v>99999999</v></c><c><v>NaN</v></c><c><v>1e999</v></c></row>";
    sheet::workbook(rows, "", &[])
}

fn merged() -> Vec<u8> {
    let all = "<mergeCell ref=\"A1:XFD1048576\"/>".repeat(1000);
    let rows = "<row r=\"1\"><c r=\"A1\" t=\"str\"><v>all</v></c></row>";
    sheet::workbook(rows, &format!("<mergeCells>{all}</mergeCells>"), &[])
}

/// Structure that leads in circles, or down without end.
pub(crate) fn loops_and_depths() -> Vec<Case> {
    let deep = 100_000;
    let style = "<w:styles><w:style w:styleId=\"a\"><w:basedOn w:val=\"b\"/></w:style><w:style w:styleId=\"b\"><w:basedOn w:val=\"a\"/></w:style></w:styles>";
    let styled = "<w:document><w:body><w:p><w:pPr><w:pStyle w:val=\"a\"/></w:pPr><w:r><w:t>styled</w:t></w:r></w:p></w:body></w:document>";
    let relations =
        "<Relationships><Relationship Id=\"r\" Type=\"x/styles\" Target=\"styles.xml\"/></Relationships>";
    let parts = [
        ("word/document.xml", styled),
        ("word/styles.xml", style),
        ("word/_rels/document.xml.rels", relations),
    ];
    let slides: Vec<String> = (0..3).map(|n| packed::shape(&format!("slide {n}"))).collect();
    let round = [(1, "../slides/slide1.xml"), (2, "../../../../../etc/passwd"), (3, "../presentation.xml")];
    vec![
        case("page loop", PDF, pdf::page_loop(), End),
        case("deep page tree", PDF, pdf::deep_tree(deep), End),
        case("object loop", PDF, pdf::object_loop(), End),
        case("drawing loop", PDF, pdf::drawing_loop(), End),
        case("lying table", PDF, pdf::lying_table(), End),
        case("deep objects", PDF, pdf::deep_objects(deep), End),
        case("states", PDF, pdf::drawn([b"q ".repeat(2_000_000)]).finish(), Fail(&["text", "more than"])),
        case("glyphs", PDF, glyphs(), End),
        case("deep HTML", HTML, format!("{}bottom", "<div>".repeat(deep)), Ready("bottom")),
        case("deep tables", HTML, format!("{}bottom", "<table><tr><td>".repeat(deep)), Ready("bottom")),
        case("deep lists", HTML, format!("{}bottom", "<ul><li>".repeat(deep)), Ready("bottom")),
        case("deep JSON", JSON, "[".repeat(deep), MALFORMED),
        case("deep whole JSON", JSON, format!("{}1{}", "[".repeat(deep), "]".repeat(deep)), MALFORMED),
        case(
            "deep objects in JSON",
            JSON,
            format!("{}1{}", "{\"a\":".repeat(deep), "}".repeat(deep)),
            MALFORMED,
        ),
        case("deep NDJSON", NDJSON, format!("{{\"a\":1}}\n{}\n", "[".repeat(deep)), MALFORMED),
        case("deep quotes", MARKDOWN, format!("{}bottom", "> ".repeat(deep)), Ready("bottom")),
        case("deep emphasis", MARKDOWN, format!("{}bottom", "*a **b ".repeat(deep)), Ready("bottom")),
        case("deep docx", DOCX, docx(&"<w:sdt>".repeat(deep)), Fail(&["nested"])),
        case("deep tables in docx", DOCX, docx(&"<w:tbl><w:tr><w:tc>".repeat(deep)), Fail(&["nested"])),
        case("deep shapes", PPTX, packed::pptx(&["<p:grpSp>".repeat(deep)], &[]), Fail(&["nested"])),
        case("deep odt", ODT, packed::odt(&"<text:section>".repeat(deep)), Fail(&["nested"])),
        case("style loop", DOCX, packed::zip(parts), Ready("styled")),
        case("slide loop", PPTX, packed::pptx(&slides, &round), Ready("slide 2")),
        case(
            "spine loop",
            EPUB,
            packed::epub(&[("b.xhtml", "<p>loop</p>"), ("a.xhtml", "<p>end</p>")], [0, 1, 0, 1]),
            End,
        ),
        case("parts 1,000 deep", EML, mail::nested(1000), End),
        case("forwarded 1,000 times", EML, mail::forwarded(1000), Ready("level 0")),
        case("long head", EML, mail::head(100_000, 60), Ready("The body.")),
        case("long line in a head", EML, mail::head(1, 8 << 20), Ready("The body.")),
        case(
            "hostile attachment",
            EML,
            mail::with("a.docx", DOCX, &docx(&"<w:sdt>".repeat(deep))),
            Ready("See the attachment."),
        ),
        case("attached PDF", EML, mail::with("a.pdf", PDF, &pdf::small()), Ready("built of granite")),
    ]
}

fn glyphs() -> Vec<u8> {
    let many = pdf::line(700, &"x".repeat(1000)).repeat(2100);
    pdf::drawn([many.into_bytes()]).finish()
}

/// Bytes under another type than theirs.
pub(crate) fn mistaken() -> Vec<Case> {
    let (pdf, word) = (pdf::small(), docx(&paragraph("words")));
    let png = [b"\x89PNG\r\n\x1a\n".as_slice(), &text::noise(5000)].concat();
    let program = [b"\x7fELF\x02\x01\x01\0".as_slice(), &text::noise(5000)].concat();
    vec![
        case("PDF as docx", DOCX, pdf.clone(), Fail(&["application/pdf"])),
        case("PDF as text", PLAIN, [pdf.clone(), text::noise(3000)].concat(), Fail(&["application/pdf"])),
        case("docx as PDF", PDF, word.clone(), Fail(&[DOCX])),
        case("docx as text", PLAIN, word.clone(), Fail(&[DOCX])),
        case("docx as xlsx", XLSX, word.clone(), Fail(&["missing"])),
        case("docx as pptx", PPTX, word.clone(), Fail(&["missing"])),
        case("docx as e-book", EPUB, word.clone(), Fail(&["missing"])),
        case("docx as odt", ODT, word, Fail(&["missing"])),
        case("picture as PDF", PDF, png.clone(), MALFORMED),
        case("picture as docx", DOCX, png.clone(), MALFORMED),
        case("picture as text", PLAIN, png, Fail(&["no text"])),
        case("program as text", PLAIN, program, Fail(&["no text"])),
        case("HTML as JSON", JSON, "<p>words</p>", MALFORMED),
        case("HTML as PDF", PDF, "<p>words</p>", MALFORMED),
        case("text as mail", EML, "no head, just words", End),
    ]
}

/// Text of all kinds.
pub(crate) fn texts() -> Vec<Case> {
    let zalgo = format!("a{} end", "\u{301}\u{323}".repeat(200_000));
    let family = "👩\u{200D}👩\u{200D}👧\u{200D}👦".repeat(50_000);
    let csv = format!("name,note\nduck,\"{}\"\n", "quack ".repeat(500_000));
    let columns = format!("{}\n{}\n", "a,".repeat(200_000), "1,".repeat(200_000));
    vec![
        case("NUL in text", PLAIN, "before\0after", Ready("before after")),
        case("only NUL", PLAIN, vec![0; 100_000], End),
        case("NUL in HTML", HTML, "<p>before\0after &#0; end", Ready("end")),
        case("NUL in JSON", JSON, r#"{"a": "before\u0000after"}"#, Ready("before after")),
        case("NUL in CSV", CSV, "a,b\n1\0,2\n", Ready("2")),
        case("NUL in docx", DOCX, docx(&paragraph("before&#0;after")), Ready("before")),
        case("NUL in a mail", EML, "Subject: a\0b\r\n\r\nbefore\0after\r\n", Ready("after")),
        case(
            "invalid UTF-8",
            PLAIN,
            [&b"ab"[..], &[0xFF, 1, 2, 0xFE, 3], b"cd"].concat(),
            Fail(&["no text"]),
        ),
        case("overlong UTF-8", PLAIN, [&b"slash: "[..], &[0xC0, 0xAF], b" end"].concat(), End),
        case("surrogates in UTF-8", PLAIN, [&b"half: "[..], &[0xED, 0xA0, 0x80], b" end"].concat(), End),
        case("lone surrogate in JSON", JSON, r#"{"a": "\ud800"}"#, MALFORMED),
        case(
            "lone surrogate in UTF-16",
            PLAIN,
            [&[0xFF, 0xFE, 0x00, 0xD8][..], b"h\0i\0"].concat(),
            Ready("hi"),
        ),
        case("odd UTF-16", PLAIN, [text::utf_16("words", true), vec![0x41]].concat(), Ready("words")),
        case("UTF-8 with a mark", PLAIN, "\u{FEFF}marked", Ready("marked")),
        case("only a mark", PLAIN, "\u{FEFF}", End),
        case("little UTF-16", MARKDOWN, text::utf_16("# Title\n\nwords", true), Ready("# Title")),
        case("big UTF-16", CSV, text::utf_16("a,b\n1,2\n", false), Ready("| a | b |")),
        case("Hebrew", PLAIN, text::HEBREW, Ready("גרניט")),
        case("Arabic", MARKDOWN, text::ARABIC, Ready("الجرانيت")),
        case("Chinese", PLAIN, text::CHINESE.repeat(20_000), Ready("花岗岩")),
        case("Japanese", HTML, format!("<p>{}</p>", text::JAPANESE), Ready("花崗岩")),
        case(
            "both directions",
            PLAIN,
            format!("\u{202E}{} granite {}\u{202C}", text::HEBREW, text::ARABIC),
            Ready("granite"),
        ),
        case(
            "zero-width",
            PLAIN,
            format!("in\u{200B}visi\u{FEFF}ble {}", "\u{200B}".repeat(100_000)),
            Ready("visi"),
        ),
        case("only zero-width", PLAIN, "\u{200B}\u{200D}\u{2060}".repeat(50_000), End),
        case("combining marks", PLAIN, zalgo, Ready("end")),
        case("families", PLAIN, family, Ready("👩")),
        case("one long word", PLAIN, "x".repeat(4 << 20), Ready("xxx")),
        case("one long line", MARKDOWN, "word ".repeat(800_000), Ready("word")),
        case("one giant field", CSV, csv, Ready("duck")),
        case("open quote", CSV, format!("a,b\n1,\"{}", "open, ".repeat(100_000)), Ready("open")),
        case("columns", CSV, columns, End),
        case(
            "wide header, many rows",
            CSV,
            format!("{}\n{}", "h,".repeat(50_000), "x\n".repeat(100_000)),
            End,
        ),
        case(
            "attributes",
            HTML,
            format!("<p {}>text", (0..100_000).map(|n| format!("a{n}=1 ")).collect::<String>()),
            Ready("text"),
        ),
        case("elements", HTML, "<p>a".repeat(2_200_000), TOO_MUCH),
        case("empty arrays", JSON, format!("[{}[]]", "[],".repeat(3_000_000)), End),
        case("headings", MARKDOWN, headings(), Ready("deepest")),
        case("headings in docx", DOCX, docx_headings(), End),
    ]
}

/// Six headings as long as they may be, over as many paragraphs as there is room for: each knows all six.
fn headings() -> String {
    let heads: String =
        (1..=6).map(|level| format!("{} {}\n\n", "#".repeat(level), "灯".repeat(200))).collect();
    format!("{heads}deepest\n\n{}", "x\n\n".repeat(400_000))
}

fn docx_headings() -> Vec<u8> {
    let head = |level: usize| {
        format!(
            "<w:p><w:pPr><w:pStyle w:val=\"Heading{level}\"/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>",
            "灯".repeat(200)
        )
    };
    let heads: String = (1..=6).map(head).collect();
    docx(&format!("{heads}{}", paragraph("x").repeat(150_000)))
}
