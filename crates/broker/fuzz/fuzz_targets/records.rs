//! The codec of records, from any bytes.
#![no_main]

use leveret_broker::testing::fuzz::record_codec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    record_codec(bytes);
});
