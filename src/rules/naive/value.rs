//! Naive values: fields are read anew each time, counts count everything.

use super::truth::missing;
use super::{Look, Told, Variable};
use crate::mail::Domain;
use crate::rules::compile::regex_of;
use crate::rules::evaluate::{Truth, read_addresses, read_domains, read_parameter};
use crate::rules::lists::{List, ListKind};
use crate::rules::schema::{self, ADDRESS, DOMAIN, FIELDS, RECORDS};
use crate::rules::syntax::tree::Arithmetic;
use crate::rules::syntax::{Expr, ExprKind};
use crate::rules::text::skeleton;
use crate::rules::value::{Items, Kind, Record, Value, Why};
use jiff::SignedDuration;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The most matches of a regex that are told apart, and domains or addresses read out of a text.
const COUNTED_MAX: usize = 1_000;
/// Shorter addresses occur by chance.
const RECIPIENT_BYTES_MIN: usize = 6;

/// Why a value can't be told, if it can't.
pub(super) fn whys_of(value: &Value<'_>) -> BTreeSet<Why> {
    match value {
        Value::Unknown(why) | Value::Between(_, _, Some(why)) => BTreeSet::from([*why]),
        _ => BTreeSet::new(),
    }
}

/// The least and the most that a number can be.
pub(super) fn interval(value: &Value<'_>) -> Option<(f64, f64)> {
    match value {
        Value::Int(number) | Value::Duration(number) => Some((*number as f64, *number as f64)),
        Value::Float(number) => Some((*number, *number)),
        Value::Between(least, most, _) => Some((*least as f64, *most as f64)),
        _ => None,
    }
}

/// Whether two known values are the same.
pub(super) fn equal(one: &Value<'_>, other: &Value<'_>) -> Truth {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => (one == other).into(),
        (Value::Time(one), Value::Time(other)) => (one == other).into(),
        (Value::Address(one), Value::Address(other)) => one.eq_ignore_ascii_case(other).into(),
        (Value::Ip(one), Value::Ip(other)) => (one.to_canonical() == other.to_canonical()).into(),
        _ => match (interval(one), interval(other)) {
            (Some((least, most)), Some((other_least, other_most))) => {
                if most < other_least || other_most < least {
                    Truth::False
                } else if least == most && other_least == other_most {
                    Truth::True
                } else {
                    Truth::Unknown
                }
            }
            _ => one
                .as_text()
                .zip(other.as_text())
                .is_some_and(|(one, other)| one == other)
                .into(),
        },
    }
}

/// What a condition is as a value: of several reasons the first in their order stands for all.
fn as_value<'e>(told: Told) -> Value<'e> {
    match told.truth {
        Truth::True => Value::Bool(true),
        Truth::False => Value::Bool(false),
        Truth::Unknown => told.whys.first().map_or(Value::Absent, |why| Value::Unknown(*why)),
    }
}

impl<'e> Look<'e, '_> {
    pub(super) fn value(&mut self, expr: &Expr) -> Value<'e> {
        match &expr.kind {
            ExprKind::Bool(truth) => Value::Bool(*truth),
            ExprKind::Int(number) | ExprKind::Size(number) => Value::Int(*number),
            ExprKind::Float(number) => Value::Float(*number),
            ExprKind::Text(text) => Value::Text(Cow::Owned(text.clone())),
            ExprKind::Duration(millis) => Value::Duration(*millis),
            ExprKind::Date(midnight) => Value::Time(*midnight),
            ExprKind::Name(name) => match self.variables.iter().rfind(|variable| variable.name == *name) {
                Some(variable) => variable.value.clone(),
                None => self.field(name),
            },
            ExprKind::List(name) => self.entries(self.list(name)),
            ExprKind::Values(values) => Value::list(values.iter().map(|value| self.value(value)).collect::<Vec<_>>()),
            ExprKind::Negate(inner) => match self.value(inner) {
                Value::Int(number) => Value::Int(-number),
                Value::Float(number) => Value::Float(-number),
                Value::Duration(millis) => Value::Duration(-millis),
                Value::Between(least, most, why) => Value::Between(-most, -least, why),
                other => other,
            },
            ExprKind::Arithmetic { operator, left, right } => {
                let (left, right) = (self.value(left), self.value(right));
                let whys = missing(&[&left]).whys.into_iter().chain(missing(&[&right]).whys).next();
                whys.map_or_else(|| computed(*operator, &left, &right), Value::Unknown)
            }
            ExprKind::Default { value, fallback } => match self.value(value) {
                Value::Absent | Value::Unknown(_) | Value::Between(..) => self.value(fallback),
                known => known,
            },
            ExprKind::Call { name, arguments, .. } if name.starts_with("header") => {
                self.header(&arguments[0], name == "header_raw")
            }
            ExprKind::Member { base, name, .. } => {
                let dotted = expr.dotted().filter(|dotted| {
                    let first = dotted.split('.').next().unwrap();
                    !self.variables.iter().any(|variable| variable.name == first)
                });
                match dotted.filter(|dotted| schema::field(dotted).is_some()) {
                    Some(dotted) => self.field(&dotted),
                    None => self.member(base, name),
                }
            }
            ExprKind::Method {
                base, name, arguments, ..
            } => self.method(expr, base, name, arguments),
            _ => as_value(self.truth(expr)),
        }
    }

    fn field(&self, name: &str) -> Value<'e> {
        let field = &FIELDS[schema::field(name).unwrap_or_else(|| panic!("no field {name}"))];
        let within = |group: &String| name == group || name.starts_with(&format!("{group}."));
        match self.withheld.iter().any(within) {
            true => Value::Unknown(Why {
                check: field.name,
                cause: "stated",
            }),
            false => field.read(self.evidence),
        }
    }

    fn header(&self, name: &Expr, raw: bool) -> Value<'e> {
        let ExprKind::Text(name) = &name.kind else {
            panic!("no name: {name}");
        };
        let fields = self.evidence.message.fields().iter();
        let named = fields.filter(|field| field.name.eq_ignore_ascii_case(name));
        Value::list(named.map(|field| Value::text(if raw { &field.raw } else { &field.decoded })))
    }

    fn entries(&self, list: &'e List) -> Value<'e> {
        if list.kind() == ListKind::Table {
            return Value::list(list.rows().iter().map(|row| Value::Record(Record::Row(row))));
        }
        let now = self.evidence.now;
        let current = list.entries().iter().filter(|(_, end)| end.is_none_or(|end| now < end));
        Value::list(current.map(|(text, _)| match list.kind() {
            ListKind::Domain => Value::Domain(Cow::Owned(Domain::parse(text).unwrap())),
            ListKind::Address => Value::address(text),
            _ => Value::text(text),
        }))
    }

    fn member(&mut self, base: &Expr, name: &str) -> Value<'e> {
        let value = self.value(base);
        if let Value::Record(Record::Row(row)) = &value {
            let columns = self.table(base).unwrap().columns();
            let column = columns.iter().position(|(column, _)| column == name).unwrap();
            return row[column].borrowed();
        }
        match (&value, name) {
            (Value::Record(Record::Url(url)), "names_recipient") => self.names_recipient(&url.url),
            _ => member_of(value, name),
        }
    }

    /// The table whose rows an expression walks over or stands for.
    fn table(&self, expr: &Expr) -> Option<&'e List> {
        match &expr.kind {
            ExprKind::List(name) => Some(self.list(name)).filter(|list| list.kind() == ListKind::Table),
            ExprKind::Member { base, .. } => self.table(base),
            ExprKind::Name(name) => {
                let variable = self.variables.iter().rfind(|variable| variable.name == *name);
                variable.and_then(|variable| variable.table)
            }
            _ => None,
        }
    }

    /// Does something with a lambda's name standing for an item of a list.
    pub(super) fn with<T>(
        &mut self,
        list: &Expr,
        name: &Expr,
        item: &Value<'e>,
        act: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.variables.push(Variable {
            name: name.to_string(),
            value: item.clone(),
            table: self.table(list),
        });
        let result = act(self);
        self.variables.pop();
        result
    }

    fn method(&mut self, expr: &Expr, base: &Expr, name: &str, arguments: &[Expr]) -> Value<'e> {
        match name {
            "count" if matches!(arguments[0].kind, ExprKind::Regex { .. }) => self.count_matches(base, &arguments[0]),
            "count" => self.count(base, arguments),
            "distinct" => self.distinct(base, arguments),
            "param" => match self.value(base) {
                Value::Record(Record::Url(url)) => {
                    let ExprKind::Text(name) = &arguments[0].kind else {
                        panic!("no name");
                    };
                    Value::Text(Cow::Owned(read_parameter(&url.query, name)))
                }
                other => other,
            },
            "lower" | "skeleton" | "domains" | "addresses" => {
                let base = self.value(base);
                let Some(text) = base.as_text() else { return base };
                match name {
                    "lower" => Value::Text(Cow::Owned(super::text::lower(&text))),
                    "skeleton" => Value::Text(Cow::Owned(skeleton(&text).into_owned())),
                    "domains" => listed(read_domains(&text).map(|domain| Value::Domain(Cow::Owned(domain)))),
                    _ => listed(read_addresses(&text).map(|address| Value::Address(Cow::Owned(address)))),
                }
            }
            _ => as_value(self.truth(expr)),
        }
    }

    fn count_matches(&mut self, base: &Expr, regex: &Expr) -> Value<'e> {
        let ExprKind::Regex { pattern, flags } = &regex.kind else {
            panic!("no regex: {regex}");
        };
        let subject = self.value(base);
        let Some(text) = subject.as_text() else { return subject };
        let count = regex_of(pattern, flags).find_iter(&*text).count();
        let why = Why {
            check: "rule",
            cause: "limit",
        };
        match count < COUNTED_MAX {
            true => Value::number(count),
            false => Value::Between(1_000, i64::MAX, Some(why)),
        }
    }

    fn count(&mut self, list: &Expr, arguments: &[Expr]) -> Value<'e> {
        let value = self.value(list);
        let Value::List(items) = &value else { return value };
        let each = |look: &mut Self| look.truth(&arguments[1]);
        let told: Vec<Told> = items
            .items
            .iter()
            .map(|item| self.with(list, &arguments[0], item, each))
            .collect();
        let count = |wanted: Truth| told.iter().filter(|told| told.truth == wanted).count();
        let (least, open) = (count(Truth::True), count(Truth::Unknown));
        let whys: BTreeSet<Why> = told.iter().flat_map(|told| told.whys.iter().copied()).collect();
        let why = items.cut.or(whys.first().copied());
        match (open, items.cut) {
            (0, None) => Value::number(least),
            (_, None) => Value::Between(least as i64, (least + open) as i64, why),
            (_, Some(_)) => Value::Between(least as i64, i64::MAX, why),
        }
    }

    fn distinct(&mut self, list: &Expr, arguments: &[Expr]) -> Value<'e> {
        let value = self.value(list);
        let Value::List(items) = &value else { return value };
        let mut cut = items.cut;
        let mut seen: Vec<Value<'e>> = Vec::new();
        for item in items.items.iter() {
            match self.with(list, &arguments[0], item, |look| look.value(&arguments[1])) {
                Value::Absent => {}
                Value::Unknown(why) => cut = cut.or(Some(why)),
                found if seen.iter().any(|known| equal(known, &found) == Truth::True) => {}
                found => seen.push(found),
            }
        }
        Value::List(Items {
            items: seen.into(),
            cut,
        })
    }

    fn names_recipient(&self, url: &str) -> Value<'e> {
        let recipients = self.field("envelope.to");
        let Value::List(list) = &recipients else {
            return recipients;
        };
        let decoded = percent_decode_str(url).decode_utf8_lossy().to_ascii_lowercase();
        let is_named = |recipient: &Value<'_>| {
            let address = recipient.as_text().unwrap_or_default().to_ascii_lowercase();
            address.len() >= RECIPIENT_BYTES_MIN && decoded.contains(&address)
        };
        Value::Bool(list.items.iter().any(is_named))
    }
}

/// A member of a known thing, found by what the thing is.
pub(super) fn member_of<'e>(value: Value<'e>, name: &str) -> Value<'e> {
    let kinds: &[Kind] = match (&value, name) {
        (Value::Absent | Value::Unknown(_), _) => return value,
        (Value::List(list), "length") => {
            let length = list.items.len() as i64;
            return match list.cut {
                Some(why) => Value::Between(length, i64::MAX, Some(why)),
                None => Value::Int(length),
            };
        }
        (Value::List(list), "first") => {
            let none = || list.cut.map_or(Value::Absent, Value::Unknown);
            return list.items.first().cloned().unwrap_or_else(none);
        }
        (Value::Text(text), "length") => return Value::number(text.chars().count()),
        (Value::Record(record), _) => match record {
            Record::Mailbox(_) => &[Kind::Mailbox],
            Record::Link(_) => &[Kind::Link, Kind::Shown],
            Record::Url(_) => &[Kind::Url],
            Record::Via(_) => &[Kind::Via],
            Record::Attachment(_) => &[Kind::Attachment],
            Record::Part(_) => &[Kind::Part],
            Record::Hop(_) => &[Kind::Hop],
            Record::Image(_) => &[Kind::Image],
            Record::Form(_) => &[Kind::Form],
            Record::Thread(_) => &[Kind::Thread],
            Record::History(_) => &[Kind::History],
            Record::BankDetails(_) => &[Kind::BankDetails],
            Record::Listing(_) => &[Kind::Listing],
            Record::Row(_) => &[],
        },
        _ => &[],
    };
    let records = RECORDS.iter().filter(|(kind, _)| kinds.contains(kind));
    let mut fields = records.flat_map(|(_, fields)| fields.iter()).chain(match &value {
        Value::Domain(_) => DOMAIN,
        Value::Address(_) => ADDRESS,
        _ => &[],
    });
    let field = fields.find(|field| field.key() == name);
    field
        .unwrap_or_else(|| panic!("{value} has no {name}"))
        .read_member(&value)
}

/// A list that says so when there were more.
fn listed<'e>(values: impl Iterator<Item = Value<'e>>) -> Value<'e> {
    let all: Vec<Value<'e>> = values.collect();
    let cut = (all.len() > COUNTED_MAX).then_some(Why {
        check: "body.text",
        cause: "limit",
    });
    Value::List(Items {
        items: all.into_iter().take(COUNTED_MAX).collect(),
        cut,
    })
}

fn computed<'e>(operator: Arithmetic, left: &Value<'e>, right: &Value<'e>) -> Value<'e> {
    let whole = |left: i64, right: i64| match operator {
        Arithmetic::Add => left.saturating_add(right),
        Arithmetic::Subtract => left.saturating_sub(right),
        Arithmetic::Multiply => left.saturating_mul(right),
    };
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Value::Text(Cow::Owned(format!("{left}{right}"))),
        (Value::Int(left), Value::Int(right)) => Value::Int(whole(*left, *right)),
        (Value::Duration(left), Value::Duration(right) | Value::Int(right))
        | (Value::Int(left), Value::Duration(right)) => Value::Duration(whole(*left, *right)),
        (Value::Time(left), Value::Time(right)) => Value::Duration(left.as_millisecond() - right.as_millisecond()),
        (Value::Time(time), Value::Duration(millis)) | (Value::Duration(millis), Value::Time(time)) => {
            let sign = if operator == Arithmetic::Subtract { -1 } else { 1 };
            let moved = time.checked_add(SignedDuration::from_millis(sign * *millis));
            Value::maybe(moved.ok(), Value::Time)
        }
        _ => match (left, right, interval(left), interval(right)) {
            // An uncertain count, for want of something absent.
            (Value::Between(..), ..) | (_, Value::Between(..), ..) => Value::Absent,
            (_, _, Some((left, _)), Some((right, _))) => Value::Float(match operator {
                Arithmetic::Add => left + right,
                Arithmetic::Subtract => left - right,
                Arithmetic::Multiply => left * right,
            }),
            _ => Value::Absent,
        },
    }
}
