//! The reader of segments, on directories made of any bytes.
#![no_main]

use leveret_broker::testing::fuzz::segment_reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    segment_reader(bytes);
});
