//! Each kind of hostile document, with ordinary ones beside.

use crate::cases;
use crate::scene::{Case, READER_MB, Scene};

/// By how much the server itself may grow in MiB, whatever it is sent: `docs/CONFIGURATION.md` has the sum.
const CEILING_MB: u64 = 1024;

fn survive(cases: &[Case]) {
    let scene = Scene::start(|builder| builder);
    let peaks = scene.play(cases);
    println!("{peaks:?} in KiB");
    assert!(peaks.server < CEILING_MB << 10, "the server grew by {} MiB", peaks.server >> 10);
    assert!(peaks.reader <= READER_MB << 10, "a reader had {} MiB", peaks.reader >> 10);
}

#[test]
fn damaged_files_of_every_format_end_and_say_why() {
    survive(&cases::damaged());
}

#[test]
fn encrypted_files_and_files_of_older_formats_say_so() {
    survive(&cases::encrypted());
}

#[test]
fn bombs_cost_themselves_alone() {
    survive(&cases::bombs());
}

#[test]
fn loops_and_depths_without_end_are_read_to_an_end() {
    survive(&cases::loops_and_depths());
}

#[test]
fn files_under_a_wrong_type_fail_with_a_reason_that_helps() {
    survive(&cases::mistaken());
}

#[test]
fn text_in_any_script_and_encoding_is_read_or_refused() {
    survive(&cases::texts());
}
