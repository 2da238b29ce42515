//! Documents that are large and mean no harm: they are searchable at the end, and others go on meanwhile.

use crate::packed::XLSX;
use crate::scene::{Must, READER_MB, Scene, case};
use crate::{pdf, sheet};

/// By how much the server itself may grow in MiB.
const CEILING_MB: u64 = 1024;

#[test]
fn a_sheet_of_a_million_rows_and_a_pdf_of_ten_thousand_pages_are_searchable() {
    let scene = Scene::start(|builder| builder.set("ingest.parser_timeout_ms", 180_000));
    let peaks = scene.play(&[
        case("pages", "application/pdf", pdf::of_pages(10_000), Must::Ready("Page 9999 tells of")),
        case("rows", XLSX, sheet::of_rows(1_000_000), Must::Ready("| 1000000 | puffin 0 |")),
    ]);
    println!("{peaks:?} in KiB");
    assert!(peaks.server < CEILING_MB << 10, "the server grew by {} MiB", peaks.server >> 10);
    assert!(peaks.reader <= READER_MB << 10, "a reader had {} MiB", peaks.reader >> 10);
    let found = scene.server.search_in("docs", "9876 puffins", "lexical");
    assert_eq!(found[0], "pages", "{found:?}");
}
