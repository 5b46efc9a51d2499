//! The schema: one row a field, with its name, type, cost, meaning and getter.
//!
//! The reference, suggestions and the type checker all read these tables. A field that this
//! version doesn't gather has its row all the same, so that the language is stable: it is
//! unknown. Knows nothing of expressions.

mod fields;
mod members;
pub mod words;

use super::value::{Base, Kind, Type, Value, Why};
use crate::evidence::{Evidence, Fact};

pub use fields::FIELDS;
pub use members::{ADDRESS, DOMAIN, RECORDS};

/// How a fact comes to be known; dearer ones later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Envelope and parse.
    Free,
    /// Text must be rendered.
    Text,
    /// DNS or another service must be asked.
    Lookup,
    /// Attachments must be opened.
    Opened,
    /// The store must be asked.
    Store,
}

impl Cost {
    /// The word in the reference.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Text => "text",
            Self::Lookup => "lookup",
            Self::Opened => "opened",
            Self::Store => "store",
        }
    }
}

/// A row of the schema.
#[derive(Debug)]
pub struct Field {
    /// As rules write it; a member's is prefixed with the word for what it belongs to.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// What it costs.
    pub cost: Cost,
    /// What it is, a line for people.
    pub doc: &'static str,
    /// Whether live mail has it in this version.
    pub gathered: bool,
    /// Roughly what it costs to find out, in what a comparison costs; what others ask for too anyway counts as nothing.
    pub(super) weight: u32,
    get: Getter,
}

/// How a field is read.
#[derive(Debug, Clone, Copy)]
enum Getter {
    /// Not in this version.
    Nothing,
    /// From the whole evidence.
    Evidence(for<'e, 'm> fn(&'e Evidence<'e, 'm>) -> Value<'e>),
    /// From what it is a member of.
    Member(for<'e> fn(&Value<'e>) -> Value<'e>),
}

/// The cause of facts that this version doesn't gather.
pub const NOT_GATHERED: &str = "not-gathered";
/// The cause of envelope and client facts of archived mail.
pub const NOT_KEPT: &str = "not-kept";

impl Field {
    /// The last word of its name.
    pub fn key(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// Its value in a message, for a row of [`FIELDS`].
    pub(super) fn read<'e>(&self, evidence: &'e Evidence<'_, '_>) -> Value<'e> {
        match self.get {
            Getter::Evidence(get) => self.named(get(evidence)),
            Getter::Nothing | Getter::Member(_) => self.not_gathered(),
        }
    }

    /// Its value in a record, domain or address.
    pub(super) fn read_member<'e>(&self, base: &Value<'e>) -> Value<'e> {
        match (base, self.get) {
            (Value::Absent, _) => Value::Absent,
            (Value::Unknown(why), _) => Value::Unknown(*why),
            (_, Getter::Member(get)) => self.named(get(base)),
            (_, Getter::Nothing | Getter::Evidence(_)) => self.not_gathered(),
        }
    }

    /// Getters leave the name of an unknown fact to its row.
    fn named<'e>(&self, value: Value<'e>) -> Value<'e> {
        match value {
            Value::Unknown(Why { check: "", cause }) => self.unknown(cause),
            value => value,
        }
    }

    fn not_gathered<'e>(&self) -> Value<'e> {
        self.unknown(NOT_GATHERED)
    }

    fn unknown<'e>(&self, cause: &'static str) -> Value<'e> {
        Value::Unknown(Why {
            check: self.name,
            cause,
        })
    }
}

/// The place of a field in [`FIELDS`].
pub fn field(name: &str) -> Option<usize> {
    FIELDS.iter().position(|field| field.name == name)
}

/// Whether a name is that of a group of fields, such as `message`.
pub fn is_group(name: &str) -> bool {
    FIELDS
        .iter()
        .any(|field| field.name.split_once('.').is_some_and(|(group, _)| group == name))
}

/// The members of one thing of this type.
pub(super) fn members(base: Base) -> &'static [Field] {
    match base {
        Base::Record(kind) => record(kind),
        Base::Domain => DOMAIN,
        Base::Address => ADDRESS,
        _ => &[],
    }
}

fn record(kind: Kind) -> &'static [Field] {
    RECORDS
        .iter()
        .find(|(found, _)| *found == kind)
        .map_or(&[], |(_, fields)| fields)
}

const fn field_row(
    name: &'static str,
    ty: Type,
    cost: Cost,
    doc: &'static str,
    get: for<'e, 'm> fn(&'e Evidence<'e, 'm>) -> Value<'e>,
) -> Field {
    Field {
        name,
        ty,
        cost,
        doc,
        gathered: true,
        weight: 1,
        get: Getter::Evidence(get),
    }
}

/// A fact that live mail lacks in this version, though a rule test may state it.
const fn stated(row: Field) -> Field {
    Field { gathered: false, ..row }
}

/// A fact for which the text, or names and domains, are looked through: other conditions are asked before.
const fn sought(weight: u32, row: Field) -> Field {
    Field { weight, ..row }
}

/// What looking through names and domains weighs.
const A_FEW_NAMES: u32 = 40;
/// What looking through the text weighs.
const A_TEXT: u32 = 400;

const fn member(name: &'static str, ty: Type, doc: &'static str, get: for<'e> fn(&Value<'e>) -> Value<'e>) -> Field {
    Field {
        name,
        ty,
        cost: Cost::Free,
        doc,
        gathered: true,
        weight: 1,
        get: Getter::Member(get),
    }
}

const fn later(name: &'static str, ty: Type, cost: Cost, doc: &'static str) -> Field {
    Field {
        name,
        ty,
        cost,
        doc,
        gathered: false,
        weight: 1,
        get: Getter::Nothing,
    }
}

/// An unknown value whose row names it.
fn unknown<'e>(cause: &'static str) -> Value<'e> {
    Value::Unknown(Why { check: "", cause })
}

fn fact<'e, T>(fact: &'e Fact<T>, value: impl FnOnce(&'e T) -> Value<'e>) -> Value<'e> {
    match fact {
        Fact::Known(known) => value(known),
        Fact::Absent => Value::Absent,
        Fact::Unknown(cause) => unknown(cause),
    }
}

const BOOL: Type = Type::One(Base::Bool);
const INT: Type = Type::One(Base::Int);
const TEXT: Type = Type::One(Base::Text);
const SIZE: Type = Type::One(Base::Size);
const TIME: Type = Type::One(Base::Time);
const ONE_DOMAIN: Type = Type::One(Base::Domain);
const TEXTS: Type = Type::Many(Base::Text);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn every_field() -> impl Iterator<Item = &'static Field> {
        let records = RECORDS.iter().flat_map(|(_, fields)| fields.iter());
        FIELDS.iter().chain(records).chain(DOMAIN).chain(ADDRESS)
    }

    #[test]
    fn names_are_unique_and_described() {
        let mut seen = HashSet::new();
        for field in every_field() {
            assert!(seen.insert(field.name), "{} stands twice", field.name);
            assert!(!field.doc.is_empty() && !field.doc.ends_with('.'), "{}", field.name);
        }
    }

    #[test]
    fn no_field_is_also_a_group() {
        for field in FIELDS {
            assert!(!is_group(field.name), "{}", field.name);
        }
    }

    #[test]
    fn every_record_type_has_members() {
        for field in every_field() {
            if let Base::Record(kind) = field.ty.base() {
                assert!(!record(kind).is_empty(), "{}", field.name);
            }
        }
    }
}
