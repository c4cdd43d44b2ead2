//! Exchanges and bindings as bytes.

use super::codec::{Input, Mistake, put_name};
use super::values::{put_table, table};
use crate::protocol::types::FieldTable;
use crate::protocol::{Binding, DestinationType, ExchangeKind, Name};

/// The kinds of exchange, in the order of their numbers, from 0.
const KINDS: [ExchangeKind; 4] =
    [ExchangeKind::Direct, ExchangeKind::Fanout, ExchangeKind::Headers, ExchangeKind::Topic];

/// Adds what an exchange is like: its name, its kind, whether it is deleted automatically and internal, and its
/// arguments.
pub(super) fn put_exchange(
    out: &mut Vec<u8>,
    name: &Name,
    kind: ExchangeKind,
    flags: [bool; 2],
    arguments: &FieldTable,
) -> Result<(), Mistake> {
    put_name(out, name);
    let number = KINDS.iter().position(|known| *known == kind);
    out.push(number.ok_or("an exchange of a kind without a number")? as u8);
    out.extend(flags.map(u8::from));
    put_table(out, arguments, 0)
}

/// Reads what [`put_exchange`] wrote, behind the name.
pub(super) fn exchange_attributes(
    input: &mut Input<'_>,
) -> Result<(ExchangeKind, [bool; 2], FieldTable), Mistake> {
    let kind = KINDS.get(usize::from(input.byte()?));
    let kind = *kind.ok_or("an exchange of a kind that is not known")?;
    let flags = [input.flag()?, input.flag()?];
    Ok((kind, flags, table(input, 0)?))
}

/// Adds a record of a binding.
pub(super) fn put_binding(out: &mut Vec<u8>, record: u8, binding: &Binding) -> Result<(), Mistake> {
    out.push(record);
    put_name(out, &binding.source);
    out.push(u8::from(binding.destination_type == DestinationType::Exchange));
    put_name(out, &binding.destination);
    put_name(out, &binding.routing_key);
    put_table(out, &binding.arguments, 0)
}
