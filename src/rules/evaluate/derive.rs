//! What is computed of a single value: case, skeleton, length, domains, parameters.

use super::Run;
use crate::mail::Domain;
use crate::rules::compile::node::Derivation;
use crate::rules::schema;
use crate::rules::text::{folded, skeleton};
use crate::rules::value::{Record, Value, Why};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The most domains or addresses that are read out of one text.
const NAMED_MAX: usize = 1_000;
/// Shorter addresses occur by chance.
const RECIPIENT_BYTES_MIN: usize = 6;

impl<'e> Run<'_, 'e, '_> {
    pub(super) fn derive(&mut self, base: Value<'e>, how: &'e Derivation) -> Value<'e> {
        let base = match base {
            Value::Absent | Value::Unknown(_) | Value::Between(..) => return base,
            known => known,
        };
        match (how, &base) {
            (Derivation::First, Value::List(list)) => match (list.items.first(), list.cut) {
                (Some(first), _) => first.clone(),
                (None, Some(why)) => Value::Unknown(why),
                (None, None) => Value::Absent,
            },
            (Derivation::Length, Value::List(list)) => {
                let length = i64::try_from(list.items.len()).unwrap_or(i64::MAX);
                match list.cut {
                    Some(why) => Value::Between(length, i64::MAX, Some(why)),
                    None => Value::Int(length),
                }
            }
            (Derivation::Param(name), Value::Record(Record::Url(url))) => {
                Value::Text(Cow::Owned(parameter(&url.query, name)))
            }
            (Derivation::NamesRecipient, Value::Record(Record::Url(url))) => self.names_recipient(&url.url),
            // Look-alikes stand outside ASCII, so that nearly every text is its own skeleton.
            (Derivation::Skeleton, Value::Text(text)) if text.is_ascii() => base,
            _ => self.derive_of_text(&base, how),
        }
    }

    fn derive_of_text(&mut self, base: &Value<'e>, how: &Derivation) -> Value<'e> {
        let Some(text) = base.as_text() else {
            return Value::Absent;
        };
        if !self.pay_for(&text) {
            return Value::Absent;
        }
        match how {
            Derivation::Lower => Value::Text(Cow::Owned(folded(&text).into_owned())),
            Derivation::Skeleton => Value::Text(Cow::Owned(skeleton(&text).into_owned())),
            Derivation::Length => Value::number(text.chars().count()),
            Derivation::Domains => limited(domains(&text).map(|domain| Value::Domain(Cow::Owned(domain)))),
            Derivation::Addresses => limited(addresses(&text).map(|address| Value::Address(Cow::Owned(address)))),
            Derivation::First | Derivation::Param(_) | Derivation::NamesRecipient => Value::Absent,
        }
    }

    /// Whether a URL holds the address of somebody whom the envelope names.
    fn names_recipient(&mut self, url: &str) -> Value<'e> {
        let recipients = schema::field("envelope.to").map_or(Value::Absent, |place| self.scope.field(place));
        let list = match recipients {
            Value::List(list) => list,
            other => return other,
        };
        if !self.pay(list.items.len()) || !self.pay_for(url) {
            return Value::Absent;
        }
        let decoded = percent_decode_str(url).decode_utf8_lossy().to_ascii_lowercase();
        let is_named = |recipient: &Value<'_>| {
            let address = recipient.as_text().unwrap_or_default().to_ascii_lowercase();
            address.len() >= RECIPIENT_BYTES_MIN && decoded.contains(&address)
        };
        Value::Bool(list.items.iter().any(is_named))
    }
}

/// A list that says so when there were more.
fn limited<'e>(values: impl Iterator<Item = Value<'e>>) -> Value<'e> {
    let mut items: Vec<Value<'e>> = values.take(NAMED_MAX + 1).collect();
    let is_cut = items.len() > NAMED_MAX;
    items.truncate(NAMED_MAX);
    Value::List(crate::rules::value::Items {
        items: items.into(),
        cut: is_cut.then_some(Why {
            check: "body.text",
            cause: "limit",
        }),
    })
}

/// The first parameter of this name, decoded; empty without one.
pub(in crate::rules) fn parameter(query: &str, name: &str) -> String {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(key, _)| decode(key) == name)
        .map_or_else(String::new, |(_, value)| decode(value))
}

/// Words of a text that are host names under a suffix that exists, or one reserved for examples
/// (RFC 2606).
pub(in crate::rules) fn domains(text: &str) -> impl Iterator<Item = Domain> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-')));
    words.filter_map(|word| {
        let word = word.trim_matches(['.', '-']);
        let domain = Domain::parse(word).filter(|_| word.contains('.'))?;
        let tld = domain.as_str().rsplit('.').next().unwrap_or("");
        let exists = domain.has_known_suffix() || matches!(tld, "example" | "test" | "invalid");
        exists.then_some(domain)
    })
}

/// Words of a text that are mail addresses.
pub(in crate::rules) fn addresses(text: &str) -> impl Iterator<Item = String> {
    let is_border = |c: char| c.is_whitespace() || c.is_control() || "<>()[]{},;:\"'|\\".contains(c);
    text.split(is_border).filter_map(|word| {
        let word = word.trim_matches('.');
        let (local, domain) = word.rsplit_once('@')?;
        let is_whole = !local.is_empty() && !local.contains('@') && domain.contains('.');
        (is_whole && Domain::parse(domain).is_some()).then(|| word.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_and_addresses_are_read_out_of_text() {
        let found: Vec<String> = domains("See (www.Bank.example), a.b@mail.example.org. The end.Then 3.5 e.g. x")
            .map(|domain| domain.to_string())
            .collect();
        assert_eq!(found, ["www.bank.example", "mail.example.org"]);
        let found: Vec<String> = addresses("Jane <jane@Example.org>, mailto:bob@x.test. a@b @c.example").collect();
        assert_eq!(found, ["jane@Example.org", "bob@x.test"]);
    }

    #[test]
    fn parameters_are_decoded() {
        for (query, expected) in [
            ("a=1&u=x%40y.example&u=z", "x@y.example"),
            ("u=a+b", "a b"),
            ("u", ""),
            ("U=1", ""),
            ("%75=1", "1"),
        ] {
            assert_eq!(parameter(query, "u"), expected, "{query}");
        }
    }

    #[test]
    fn what_is_read_out_is_limited() {
        for (named, kept, cut) in [
            (NAMED_MAX - 1, NAMED_MAX - 1, false),
            (NAMED_MAX, NAMED_MAX, false),
            (NAMED_MAX + 1, NAMED_MAX, true),
        ] {
            let Value::List(list) = limited((0..named).map(|_| Value::Bool(true))) else {
                panic!("no list");
            };
            assert_eq!((list.items.len(), list.cut.is_some()), (kept, cut));
        }
    }
}
