//! Looking into a journal: what is in it, record by record, and what opening it would do.
//!
//! This is for whoever wonders about a directory, so it reads the journal itself and not what a broker makes
//! of it. Everything here only reads.

mod records;
mod survey;
mod text;

pub use records::write_records;
pub use survey::Survey;
