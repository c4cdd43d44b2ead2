//! AMQP's types.

use std::borrow::Borrow;
use std::fmt::{Debug, Display};
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::lapin;
use crate::pins::{aliases, constants, enums, functions, imports, named, records, traits};

aliases! {
    ALIASES;
    lapin::types::Boolean = bool;
    lapin::types::ChannelId = lapin::types::Identifier;
    lapin::types::ChunkSize = lapin::types::LongUInt;
    lapin::types::ConsumerCount = lapin::types::LongUInt;
    lapin::types::DeliveryTag = lapin::types::LongLongUInt;
    lapin::types::Double = f64;
    lapin::types::Float = f32;
    lapin::types::FrameSize = lapin::types::LongUInt;
    lapin::types::Heartbeat = lapin::types::ShortUInt;
    lapin::types::Identifier = lapin::types::ShortUInt;
    lapin::types::LongInt = i32;
    lapin::types::LongLongInt = i64;
    lapin::types::LongLongUInt = u64;
    lapin::types::LongUInt = u32;
    lapin::types::MessageCount = lapin::types::LongUInt;
    lapin::types::PayloadSize = lapin::types::LongLongUInt;
    lapin::types::ReplyCode = lapin::types::ShortUInt;
    lapin::types::ShortInt = i16;
    lapin::types::ShortShortInt = i8;
    lapin::types::ShortShortUInt = u8;
    lapin::types::ShortUInt = u16;
    lapin::types::Timestamp = lapin::types::LongLongUInt;
    lapin::types::Void = ();
}

imports! {
    IMPORTS;
    lapin::types;
    lapin::types::flags;
    lapin::types::generation;
    lapin::types::parsing;
    lapin::types::parsing::traits;
    lapin::types::flags::AMQPFlags;
    lapin::types::parsing::ParserError;
    lapin::types::parsing::ParserErrors;
    lapin::types::parsing::ParserResult;
    lapin::types::ByteArray;
    lapin::types::FieldArray;
    lapin::types::FieldTable;
    lapin::types::LongString;
    lapin::types::ShortString;
    lapin::types::ShortStringError;
    lapin::types;
    lapin::types::generation::BackToTheBuffer;
    lapin::types::generation::GenError;
    lapin::types::generation::GenResult;
    lapin::types::generation::SerializeFn;
    lapin::types::parsing::traits::Compare;
    lapin::types::parsing::traits::CompareResult;
    lapin::types::parsing::traits::Input;
    lapin::types::parsing::traits::Needed;
    lapin::types::parsing::traits::ParsableInput;
    lapin::types::generation::gen_boolean;
    lapin::types::generation::gen_byte_array;
    lapin::types::generation::gen_decimal_value;
    lapin::types::generation::gen_double;
    lapin::types::generation::gen_field_array;
    lapin::types::generation::gen_field_table;
    lapin::types::generation::gen_flags;
    lapin::types::generation::gen_float;
    lapin::types::generation::gen_id;
    lapin::types::generation::gen_long_int;
    lapin::types::generation::gen_long_long_int;
    lapin::types::generation::gen_long_long_uint;
    lapin::types::generation::gen_long_string;
    lapin::types::generation::gen_long_uint;
    lapin::types::generation::gen_raw_value;
    lapin::types::generation::gen_short_int;
    lapin::types::generation::gen_short_short_int;
    lapin::types::generation::gen_short_short_uint;
    lapin::types::generation::gen_short_string;
    lapin::types::generation::gen_short_uint;
    lapin::types::generation::gen_timestamp;
    lapin::types::generation::gen_type;
    lapin::types::generation::gen_value;
    lapin::types::generation::gen_with_len;
}

enums! {
    ENUMS;
    lapin::types::AMQPType { Boolean, ByteArray, DecimalValue, Double, FieldArray, FieldTable, Float, LongInt, LongLongInt, LongLongUInt, LongString, LongUInt, ShortInt, ShortShortInt, ShortShortUInt, ShortString, ShortUInt, Timestamp, Void }
    lapin::types::AMQPValue { Boolean(lapin::types::Boolean), ByteArray(lapin::types::ByteArray), DecimalValue(lapin::types::DecimalValue), Double(lapin::types::Double), FieldArray(lapin::types::FieldArray), FieldTable(lapin::types::FieldTable), Float(lapin::types::Float), LongInt(lapin::types::LongInt), LongLongInt(lapin::types::LongLongInt), LongString(lapin::types::LongString), LongUInt(lapin::types::LongUInt), ShortInt(lapin::types::ShortInt), ShortShortInt(lapin::types::ShortShortInt), ShortShortUInt(lapin::types::ShortShortUInt), ShortString(lapin::types::ShortString), ShortUInt(lapin::types::ShortUInt), Timestamp(lapin::types::Timestamp), Void }
}

records! {
    RECORDS;
    lapin::types::DecimalValue { scale: lapin::types::ShortShortUInt, value: lapin::types::LongUInt }
}

functions! {
    FUNCTIONS;
    lapin::types::flags::AMQPFlags::add_flag: fn(&mut lapin::types::flags::AMQPFlags, String, lapin::types::Boolean);
    lapin::types::flags::AMQPFlags::get_bytes: fn(&lapin::types::flags::AMQPFlags) -> Vec<u8>;
    lapin::types::flags::AMQPFlags::get_flag: fn(&lapin::types::flags::AMQPFlags, &str) -> Option<lapin::types::Boolean>;
    lapin::types::AMQPType::from_id: fn(char) -> Option<lapin::types::AMQPType>;
    lapin::types::AMQPType::get_id: fn(lapin::types::AMQPType) -> char;
    lapin::types::AMQPValue::as_array: fn(&lapin::types::AMQPValue) -> Option<&lapin::types::FieldArray>;
    lapin::types::AMQPValue::as_bool: fn(&lapin::types::AMQPValue) -> Option<lapin::types::Boolean>;
    lapin::types::AMQPValue::as_byte_array: fn(&lapin::types::AMQPValue) -> Option<&lapin::types::ByteArray>;
    lapin::types::AMQPValue::as_decimal_value: fn(&lapin::types::AMQPValue) -> Option<lapin::types::DecimalValue>;
    lapin::types::AMQPValue::as_double: fn(&lapin::types::AMQPValue) -> Option<lapin::types::Double>;
    lapin::types::AMQPValue::as_field_table: fn(&lapin::types::AMQPValue) -> Option<&lapin::types::FieldTable>;
    lapin::types::AMQPValue::as_float: fn(&lapin::types::AMQPValue) -> Option<lapin::types::Float>;
    lapin::types::AMQPValue::as_long_int: fn(&lapin::types::AMQPValue) -> Option<lapin::types::LongInt>;
    lapin::types::AMQPValue::as_long_long_int: fn(&lapin::types::AMQPValue) -> Option<lapin::types::LongLongInt>;
    lapin::types::AMQPValue::as_long_string: fn(&lapin::types::AMQPValue) -> Option<&lapin::types::LongString>;
    lapin::types::AMQPValue::as_long_uint: fn(&lapin::types::AMQPValue) -> Option<lapin::types::LongUInt>;
    lapin::types::AMQPValue::as_short_int: fn(&lapin::types::AMQPValue) -> Option<lapin::types::ShortInt>;
    lapin::types::AMQPValue::as_short_short_int: fn(&lapin::types::AMQPValue) -> Option<lapin::types::ShortShortInt>;
    lapin::types::AMQPValue::as_short_short_uint: fn(&lapin::types::AMQPValue) -> Option<lapin::types::ShortShortUInt>;
    lapin::types::AMQPValue::as_short_string: fn(&lapin::types::AMQPValue) -> Option<&lapin::types::ShortString>;
    lapin::types::AMQPValue::as_short_uint: fn(&lapin::types::AMQPValue) -> Option<lapin::types::ShortUInt>;
    lapin::types::AMQPValue::as_timestamp: fn(&lapin::types::AMQPValue) -> Option<lapin::types::Timestamp>;
    lapin::types::AMQPValue::as_void: fn(&lapin::types::AMQPValue) -> Option<()>;
    lapin::types::AMQPValue::get_type: fn(&lapin::types::AMQPValue) -> lapin::types::AMQPType;
    lapin::types::AMQPValue::try_from: fn(&serde_json::Value, lapin::types::AMQPType) -> Option<lapin::types::AMQPValue>;
    lapin::types::ByteArray::as_slice: fn(&lapin::types::ByteArray) -> &[u8];
    lapin::types::ByteArray::is_empty: fn(&lapin::types::ByteArray) -> bool;
    lapin::types::ByteArray::len: fn(&lapin::types::ByteArray) -> usize;
    lapin::types::FieldArray::as_slice: fn(&lapin::types::FieldArray) -> &[lapin::types::AMQPValue];
    lapin::types::FieldArray::push: fn(&mut lapin::types::FieldArray, lapin::types::AMQPValue);
    lapin::types::FieldTable::contains_key: fn(&lapin::types::FieldTable, &str) -> bool;
    lapin::types::FieldTable::inner: fn(&lapin::types::FieldTable) -> &std::collections::BTreeMap<lapin::types::ShortString, lapin::types::AMQPValue>;
    lapin::types::FieldTable::insert: fn(&mut lapin::types::FieldTable, lapin::types::ShortString, lapin::types::AMQPValue) -> &mut lapin::types::FieldTable;
    lapin::types::LongString::as_bytes: fn(&lapin::types::LongString) -> &[u8];
    lapin::types::LongString::is_empty: fn(&lapin::types::LongString) -> bool;
    lapin::types::LongString::len: fn(&lapin::types::LongString) -> usize;
    lapin::types::ShortString::as_str: fn(&lapin::types::ShortString) -> &str;
}

traits! {
    TRAITS;
    lapin::types::flags::AMQPFlags: Clone, PartialEq, Default, Debug, Serialize, DeserializeOwned;
    lapin::types::parsing::ParserErrors: Clone, PartialEq, std::error::Error, Debug, Display;
    lapin::types::AMQPType: Clone, Eq, PartialEq, Debug, Display, Copy, Serialize, DeserializeOwned;
    lapin::types::AMQPValue: Clone, PartialEq, From<lapin::types::ByteArray>, From<lapin::types::DecimalValue>, From<lapin::types::FieldArray>, From<lapin::types::FieldTable>, From<lapin::types::LongString>, From<lapin::types::ShortString>, From<bool>, From<f32>, From<f64>, From<i16>, From<i32>, From<i64>, From<i8>, From<u16>, From<u32>, From<u64>, From<u8>, Debug, Serialize, DeserializeOwned;
    lapin::types::ByteArray: Clone, Eq, PartialEq, From<&'static [u8]>, From<Vec<u8>>, Default, Debug, Hash, Serialize, DeserializeOwned;
    lapin::types::DecimalValue: Clone, Eq, PartialEq, Debug, Hash, Copy, Serialize, DeserializeOwned;
    lapin::types::FieldArray: Clone, PartialEq, From<Vec<lapin::types::AMQPValue>>, Default, Debug, Serialize, DeserializeOwned;
    lapin::types::FieldTable: Clone, PartialEq, From<std::collections::BTreeMap<lapin::types::ShortString, lapin::types::AMQPValue>>, Default, Debug, Serialize, DeserializeOwned;
    lapin::types::LongString: Clone, Eq, Ord, PartialEq, PartialOrd, Default, Debug, Display, Hash, Serialize, DeserializeOwned;
    lapin::types::ShortString: Borrow<str>, Clone, Eq, Ord, PartialEq, PartialOrd, From<&'static str>, From<String>, Default, Debug, Display, Hash, Serialize, DeserializeOwned;
    lapin::types::ShortStringError: Clone, Eq, PartialEq, std::error::Error, Debug, Display;
    String: From<lapin::types::ShortString>;
}

named! {
    NAMED;
    "lapin::types::ShortString::try_new" = |text| lapin::types::ShortString::try_new(text)
        => fn(&str) -> Result<lapin::types::ShortString, lapin::types::ShortStringError>;
    "lapin::types::ShortString::try_new" = |text| lapin::types::ShortString::try_new(text)
        => fn(String) -> Result<lapin::types::ShortString, lapin::types::ShortStringError>;
    "lapin::types::flags::AMQPFlags::from_bytes" = |names, bytes| lapin::types::flags::AMQPFlags::from_bytes(names, bytes)
        => fn(&[&str], &'static [u8]) -> lapin::types::flags::AMQPFlags;
    "lapin::types::LongString: From<B: Into<Vec<u8>>>" = |bytes| bytes.into() => fn(&[u8]) -> lapin::types::LongString;
    "lapin::types::LongString: From<B: Into<Vec<u8>>>" = |text| text.into() => fn(String) -> lapin::types::LongString;
    "&lapin::types::FieldTable: IntoIterator" = |table| Box::new(table.into_iter())
        => fn(&lapin::types::FieldTable) -> Box<dyn Iterator<Item = (&lapin::types::ShortString, &lapin::types::AMQPValue)> + '_>;
}

constants! {
    CONSTANTS;
    lapin::types::MAX_SHORT_STRING_LENGTH: usize = 255;
}

pub(crate) const NAMES: &[&[&str]] =
    &[ALIASES, IMPORTS, ENUMS, RECORDS, FUNCTIONS, TRAITS, NAMED, CONSTANTS];
