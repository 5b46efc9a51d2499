//! Values as people and programs look at them, within limits.
//!
//! A value and its type go in; out comes a tree of records and lists that says of each part whether it
//! is known, absent or unknown and why. Knows nothing of lines or terminals.

use crate::rules::lists::List;
use crate::rules::schema;
use crate::rules::value::{Base, Items, Kind, Record, Type, Value, Why};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// The longest text, in characters.
pub const TEXT_CHARACTERS_MAX: usize = 64 << 10;
/// The most items of a list.
pub const ITEMS_MAX: usize = 1_000;
/// Records within records.
const DEPTH_MAX: usize = 4;

/// A value, looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Portrait {
    /// The message has no such thing.
    Absent,
    /// It could not be found out.
    Unknown(Why),
    /// True or false.
    Bool(bool),
    /// A whole number, or a size in bytes.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A string.
    Text {
        /// At most [`TEXT_CHARACTERS_MAX`] of it.
        text: String,
        /// How long it is, in characters.
        characters: usize,
    },
    /// What has a short text of its own: an address, a domain, a time, bounds.
    Word(String),
    /// A span of time, in milliseconds.
    Duration(i64),
    /// Several named things.
    Record {
        /// What a person would know it by.
        name: String,
        /// Its members, in the order of the reference.
        members: Vec<(&'static str, Portrait)>,
    },
    /// A row of a table.
    Row(Vec<(String, Portrait)>),
    /// A list.
    List {
        /// At most [`ITEMS_MAX`] of them.
        items: Vec<Portrait>,
        /// How many more there are.
        more: usize,
        /// Set when there may be more than anybody saw.
        cut: Option<Why>,
    },
}

impl Portrait {
    /// Of a value of this type; `lists` are those that the expression refers to.
    pub fn of(value: &Value<'_>, ty: Type, lists: &[Arc<List>]) -> Self {
        Self::at(value, ty, lists, 0)
    }

    fn at(value: &Value<'_>, ty: Type, lists: &[Arc<List>], depth: usize) -> Self {
        match value {
            Value::Absent => Self::Absent,
            Value::Unknown(why) => Self::Unknown(*why),
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::Int(*number),
            Value::Float(number) => Self::Float(*number),
            Value::Text(text) => Self::text(text),
            Value::Duration(millis) => Self::Duration(*millis),
            Value::Between(..) | Value::Time(_) | Value::Address(_) | Value::Domain(_) | Value::Ip(_) => {
                Self::Word(value.to_string())
            }
            Value::List(list) => Self::list(list, ty.base(), lists, depth),
            Value::Record(Record::Row(row)) => Self::row(row, ty, lists, depth),
            Value::Record(record) => Self::Record {
                name: match (record, ty.base()) {
                    (Record::Link(link), Base::Record(Kind::Shown)) => link.shown.clone(),
                    (record, _) => record.to_string(),
                },
                members: match depth < DEPTH_MAX {
                    true => members(value, ty.base(), lists, depth),
                    false => Vec::new(),
                },
            },
        }
    }

    fn text(text: &str) -> Self {
        Self::Text {
            text: text.chars().take(TEXT_CHARACTERS_MAX).collect(),
            characters: text.chars().count(),
        }
    }

    fn list(list: &Items<'_>, item: Base, lists: &[Arc<List>], depth: usize) -> Self {
        let shown = list.items.iter().take(ITEMS_MAX);
        Self::List {
            items: shown
                .map(|value| Self::at(value, Type::One(item), lists, depth))
                .collect(),
            more: list.items.len().saturating_sub(ITEMS_MAX),
            cut: list.cut,
        }
    }

    fn row(row: &[Value<'_>], ty: Type, lists: &[Arc<List>], depth: usize) -> Self {
        let list = match ty.base() {
            Base::Row(place) => lists.get(place),
            _ => None,
        };
        let columns = list.map_or(&[][..], |list| list.columns());
        let cells = columns.iter().zip(row);
        Self::Row(
            cells
                .map(|((name, ty), cell)| (name.clone(), Self::at(cell, *ty, lists, depth + 1)))
                .collect(),
        )
    }

    /// The text of what fits into a list on one line; `None` of what is made of parts.
    pub fn scalar(&self) -> Option<String> {
        match self {
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Int(number) => Some(number.to_string()),
            Self::Float(number) => Some(number.to_string()),
            Self::Text { text, .. } | Self::Word(text) => Some(text.clone()),
            Self::Duration(millis) => Some(Value::Duration(*millis).to_string()),
            Self::Absent => Some("absent".to_owned()),
            Self::Unknown(_) | Self::Record { .. } | Self::Row(_) | Self::List { .. } => None,
        }
    }

    /// Whether it is neither absent nor unknown.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Absent | Self::Unknown(_))
    }
}

fn members(value: &Value<'_>, base: Base, lists: &[Arc<List>], depth: usize) -> Vec<(&'static str, Portrait)> {
    let fields = schema::members(base).iter();
    fields
        .map(|field| {
            let member = field.read_member(value);
            (field.key(), Portrait::at(&member, field.ty, lists, depth + 1))
        })
        .collect()
}

/// Absent is null, unknown says why, and a list says what it leaves out.
impl Serialize for Portrait {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_none(),
            Self::Unknown(why) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("unknown", why.cause)?;
                map.serialize_entry("check", why.check)?;
                map.end()
            }
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text { text, .. } | Self::Word(text) => serializer.serialize_str(text),
            Self::Duration(millis) => serializer.collect_str(&Value::Duration(*millis)),
            Self::Record { members, .. } => serializer.collect_map(members.iter().map(|(key, value)| (key, value))),
            Self::Row(cells) => serializer.collect_map(cells.iter().map(|(key, value)| (key, value))),
            Self::List {
                items,
                more: 0,
                cut: None,
            } => serializer.collect_seq(items),
            Self::List { items, more, cut } => {
                let mut seq = serializer.serialize_seq(None)?;
                items.iter().try_for_each(|item| seq.serialize_element(item))?;
                seq.serialize_element(&Rest {
                    more: *more,
                    unknown: cut.map(|why| why.cause),
                })?;
                seq.end()
            }
        }
    }
}

/// Stands at the end of a list that isn't whole.
#[derive(Serialize)]
struct Rest {
    more: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'static str>,
}

/// Why a fact is unknown, a sentence for people.
pub fn reason(why: Why) -> String {
    let Why { check, cause } = why;
    match cause {
        "not-gathered" => format!("{check} isn't gathered in this version"),
        "not-kept" => format!("{check} isn't kept with a message in a file"),
        "no-client" => format!("{check}: nobody said who the client is"),
        "stated" => format!("{check} is stated to be unknown"),
        "limit" => format!("{check} was cut short by a limit"),
        "budget" => "it took more steps than a condition may".to_owned(),
        other => format!("{check}: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Type = Type::One(Base::Text);

    #[test]
    fn texts_and_lists_are_limited_and_say_so() {
        for (length, kept) in [
            (TEXT_CHARACTERS_MAX - 1, TEXT_CHARACTERS_MAX - 1),
            (TEXT_CHARACTERS_MAX, TEXT_CHARACTERS_MAX),
            (TEXT_CHARACTERS_MAX + 1, TEXT_CHARACTERS_MAX),
        ] {
            let text = "é".repeat(length);
            let Portrait::Text { text, characters } = Portrait::of(&Value::text(&text), TEXT, &[]) else {
                panic!("no text");
            };
            assert_eq!((text.chars().count(), characters), (kept, length));
        }
        for (length, json) in [(ITEMS_MAX, "true]"), (ITEMS_MAX + 1, r#"true,{"more":1}]"#)] {
            let list = Value::list((0..length).map(|_| Value::Bool(true)));
            let portrait = Portrait::of(&list, Type::Many(Base::Bool), &[]);
            assert!(serde_json::to_string(&portrait).unwrap().ends_with(json));
        }
    }

    #[test]
    fn absent_and_unknown_differ_in_json() {
        let why = Why {
            check: "auth.spf",
            cause: "timeout",
        };
        let json = |value: &Value<'_>| serde_json::to_string(&Portrait::of(value, TEXT, &[])).unwrap();
        assert_eq!(json(&Value::Absent), "null");
        assert_eq!(
            json(&Value::Unknown(why)),
            r#"{"unknown":"timeout","check":"auth.spf"}"#
        );
        assert_eq!(json(&Value::text("a")), r#""a""#);
    }
}
