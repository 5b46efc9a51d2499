//! What `tests/readers/targets.rs` says of this reader, of whatever libFuzzer finds.

#![no_main]

#[path = "../../tests/readers/targets.rs"]
#[allow(dead_code, reason = "each program asks one of them")]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::html(data));
