//! Whether what an outcome shows is really there: the text at the offset is what is said.
//!
//! A snippet and the evidence in, a complaint out. Knows nothing of conditions.

use super::value::member_of;
use crate::evidence::Evidence;
use crate::rules::Snippet;
use crate::rules::evaluate::SNIPPET_CHARACTERS_MAX;
use crate::rules::schema::{self, FIELDS};
use crate::rules::value::Value;

/// What is wrong with a snippet. Only one with an offset says where it stands.
pub(super) fn complaint(snippet: &Snippet, evidence: &Evidence<'_, '_>) -> Option<String> {
    if snippet.text.chars().count() > SNIPPET_CHARACTERS_MAX {
        return Some(format!("{snippet:?} is too long"));
    }
    // What stands in the house's own lists is no evidence of the message.
    let offset = snippet.offset.filter(|_| !snippet.field.starts_with('$'))?;
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let stands = |value: &Value<'_>| {
        let text = value.as_text().unwrap_or_default();
        let rest = text.get(offset..);
        rest.is_some_and(|rest| rest.chars().map(plain).collect::<String>().starts_with(&snippet.text))
    };
    let candidates = named(&snippet.field, evidence);
    (!candidates.iter().any(stands)).then(|| format!("{snippet:?} doesn't stand there"))
}

/// Every value that a label may stand for.
fn named<'e>(label: &str, evidence: &'e Evidence<'e, '_>) -> Vec<Value<'e>> {
    if let Some(name) = label.strip_prefix("header.") {
        let name = name.split('.').next().unwrap_or_default();
        let fields = evidence.message.fields().iter();
        let same = fields.filter(|field| field.name.eq_ignore_ascii_case(name));
        return same
            .flat_map(|field| [Value::text(&field.decoded), Value::text(&field.raw)])
            .collect();
    }
    let words: Vec<&str> = label.split('.').collect();
    let lengths = (1..=words.len()).rev();
    let mut fields = lengths.filter_map(|length| Some((length, schema::field(&words[..length].join("."))?)));
    let Some((length, place)) = fields.next() else {
        return Vec::new();
    };
    let mut values = vec![FIELDS[place].read(evidence)];
    for word in &words[length..] {
        values = values.into_iter().flat_map(|value| stepped(value, word)).collect();
    }
    values.into_iter().flat_map(flat).collect()
}

/// A member of a value, or of each item of a list.
fn stepped<'e>(value: Value<'e>, word: &str) -> Vec<Value<'e>> {
    match (flat(value), word) {
        (many, "first") => many,
        (many, _) => many.into_iter().map(|value| member_of(value, word)).collect(),
    }
}

fn flat(value: Value<'_>) -> Vec<Value<'_>> {
    match value {
        Value::List(list) => list.items.to_vec(),
        value => vec![value],
    }
}
