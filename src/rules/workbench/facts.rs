//! Every field of the schema and what it is in one message.
//!
//! Evidence goes in, a row a field comes out, in the order of the reference. Knows nothing of conditions.

use super::portrait::Portrait;
use crate::evidence::Evidence;
use crate::rules::schema::{FIELDS, Field};

/// A field and its value.
#[derive(Debug)]
pub struct Fact {
    /// Its row of the schema.
    pub field: &'static Field,
    /// What it is here.
    pub value: Portrait,
}

/// Reads every field.
pub fn facts(evidence: &Evidence<'_, '_>) -> Vec<Fact> {
    let read = |field: &'static Field| Fact {
        field,
        value: Portrait::of(&field.read(evidence), field.ty, &[]),
    };
    FIELDS.iter().map(read).collect()
}
