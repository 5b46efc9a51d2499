//! Nodes that are values: fields, members, constants, arithmetic, counts.

use super::compare::float;
use super::tally::Tally;
use super::{OVER_BUDGET, Run, TOO_LARGE, Truth};
use crate::mail::Domain;
use crate::mail::message::Field;
use crate::rules::compile::node::Node;
use crate::rules::lists::{List, ListKind};
use crate::rules::syntax::tree::{Arithmetic, Quantity};
use crate::rules::value::{Items, Record, Value, Why};
use jiff::SignedDuration;
use std::borrow::Cow;
use std::collections::HashSet;

/// The reason while the budget is spent; the whole outcome then says so.
const SPENT: Why = OVER_BUDGET;

/// The most matches of a regex that are counted: finding all of them can take quadratic time.
const MATCHES_MAX: usize = 1_000;

impl<'e> Run<'_, 'e, '_> {
    /// What a node comes to.
    pub(super) fn value(&mut self, node: &'e Node) -> Value<'e> {
        if !self.pay(1) {
            return Value::Unknown(SPENT);
        }
        match node {
            Node::Constant(value) => value.clone(),
            Node::Field(place) => self.scope.field(*place),
            Node::Variable(slot) => self.variables.get(*slot).cloned().unwrap_or(Value::Absent),
            Node::Header { name, raw } => self.header(name, *raw),
            Node::Member { base, field } => match base.as_ref() {
                Node::Variable(slot) => self
                    .variables
                    .get(*slot)
                    .map_or(Value::Absent, |base| field.read_member(base)),
                base => field.read_member(&self.value(base)),
            },
            Node::Column { base, column } => match self.value(base) {
                Value::Record(Record::Row(row)) => row.get(*column).map_or(Value::Absent, Value::borrowed),
                other => other,
            },
            Node::Entries(list) => self.entries(list),
            Node::Values(values) => Value::list(values.iter().map(|value| self.value(value)).collect::<Vec<_>>()),
            Node::Derived { base, how } => {
                let base = self.value(base);
                self.derive(base, how)
            }
            Node::Negate(inner) => negated(self.value(inner)),
            Node::Arithmetic { operator, left, right } => {
                let (left, right) = (self.value(left), self.value(right));
                self.arithmetic(*operator, left, right)
            }
            Node::Default { value, fallback } => match self.value(value) {
                Value::Absent | Value::Unknown(_) | Value::Between(..) => self.value(fallback),
                known => known,
            },
            Node::CountMatches { subject, pattern } => match self.value(subject) {
                Value::Unknown(why) => Value::Unknown(why),
                value => match value.as_text() {
                    Some(text) if self.pay_for(&text) => {
                        let count = || pattern.count(&text, MATCHES_MAX);
                        let count = self.scope.run_pattern(&pattern.source, text.len(), count);
                        count.map_or(Value::Unknown(TOO_LARGE), counted)
                    }
                    Some(_) => Value::Unknown(SPENT),
                    None => Value::Absent,
                },
            },
            Node::CountWhere { list, condition } => self.count_where(list, condition),
            Node::Distinct { list, value } => self.distinct(list, value),
            _ => self.truth_value(node),
        }
    }

    /// Pays for reading a text from end to end.
    pub(super) fn pay_for(&mut self, text: &str) -> bool {
        self.pay_for_bytes(text.len())
    }

    /// Pays for reading so many bytes.
    pub(super) fn pay_for_bytes(&mut self, bytes: usize) -> bool {
        const BYTES_PER_STEP: usize = 16;
        self.pay(1 + bytes / BYTES_PER_STEP)
    }

    /// A condition as a value: absent where only absence keeps it from being told.
    fn truth_value(&mut self, node: &'e Node) -> Value<'e> {
        let (truth, why) = self.apart(|run| run.truth(node));
        match truth {
            Truth::True => Value::Bool(true),
            Truth::False => Value::Bool(false),
            Truth::Unknown => why.map_or(Value::Absent, Value::Unknown),
        }
    }

    /// Does something apart from the reasons gathered so far, and gives the reason that it found. Of several
    /// the first in their order stands for all, so that it doesn't hang on what was asked first.
    fn apart<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> (T, Option<Why>) {
        let before = std::mem::take(&mut self.unknown);
        let result = act(self);
        let found = std::mem::replace(&mut self.unknown, before);
        (result, found.into_iter().min())
    }

    fn header(&mut self, name: &'e str, raw: bool) -> Value<'e> {
        let message = self.scope.evidence.message;
        if !self.pay(message.fields().len() / 8) {
            return Value::Unknown(SPENT);
        }
        Value::list(message.header(name).map(|field| header_text(field, raw)))
    }

    fn entries(&mut self, list: &'e List) -> Value<'e> {
        if !self.pay(list.len()) {
            return Value::Unknown(SPENT);
        }
        if list.kind() == ListKind::Table {
            return Value::list(list.rows().iter().map(|row| Value::Record(Record::Row(row))));
        }
        let now = self.scope.evidence.now;
        let current = list
            .entries()
            .iter()
            .filter(|(_, expiry)| expiry.is_none_or(|expiry| now < expiry));
        Value::list(current.map(|(text, _)| match list.kind() {
            ListKind::Domain => Value::maybe(Domain::parse(text), |domain| Value::Domain(Cow::Owned(domain))),
            ListKind::Address => Value::address(text),
            _ => Value::text(text),
        }))
    }

    /// Counts what surely holds and what may: `>= 3` is told by three trues, whatever the rest.
    fn count_where(&mut self, list: &'e Node, condition: &'e Node) -> Value<'e> {
        let list = match self.value(list) {
            Value::List(list) => list,
            other => return other,
        };
        let shown = self.snippets.len();
        let (tally, why) = self.apart(|run| {
            let mut tally = Tally::new(Quantity::All);
            for (place, item) in list.items.iter().enumerate() {
                tally.add(run.with((place, item), |run| run.truth(condition)));
                if run.steps_left.is_none() {
                    break;
                }
            }
            tally
        });
        if self.steps_left.is_none() {
            return Value::Unknown(SPENT);
        }
        self.snippets.truncate(shown);
        let why = list.cut.or(why);
        match tally.bounds(list.cut.is_some()) {
            (least, most) if least == most => Value::Int(least),
            (least, most) => Value::Between(least, most, why),
        }
    }

    /// The different values, absent ones left out; an unknown one leaves the list open.
    fn distinct(&mut self, list: &'e Node, value: &'e Node) -> Value<'e> {
        let list = match self.value(list) {
            Value::List(list) => list,
            other => return other,
        };
        let mut seen = HashSet::new();
        let mut items = Vec::new();
        let mut cut = list.cut;
        for (place, item) in list.items.iter().enumerate() {
            match self.with((place, item), |run| run.value(value)) {
                Value::Absent => {}
                Value::Unknown(why) => cut = cut.or(Some(why)),
                found => {
                    let key = match &found {
                        Value::Address(address) => address.to_ascii_lowercase(),
                        other => other.as_text().map_or_else(|| other.to_string(), Cow::into_owned),
                    };
                    if seen.insert(key) {
                        items.push(found);
                    }
                }
            }
        }
        Value::List(Items {
            items: items.into(),
            cut,
        })
    }

    fn arithmetic(&mut self, operator: Arithmetic, left: Value<'e>, right: Value<'e>) -> Value<'e> {
        for side in [&left, &right] {
            match side {
                Value::Unknown(why) | Value::Between(_, _, Some(why)) => return Value::Unknown(*why),
                _ => {}
            }
        }
        if let (Value::Text(left), Value::Text(right)) = (&left, &right) {
            return match self.pay_for(left) && self.pay_for(right) {
                true => Value::Text(Cow::Owned(format!("{left}{right}"))),
                false => Value::Unknown(SPENT),
            };
        }
        computed(operator, &left, &right)
    }
}

fn header_text<'e>(field: &'e Field<'_>, raw: bool) -> Value<'e> {
    Value::text(if raw { &field.raw } else { &field.decoded })
}

/// Beyond the limit only the least is known.
fn counted<'e>(matches: usize) -> Value<'e> {
    let counted = i64::try_from(matches).unwrap_or(i64::MAX);
    match matches < MATCHES_MAX {
        true => Value::Int(counted),
        false => Value::Between(counted, i64::MAX, Some(TOO_LARGE)),
    }
}

/// Arithmetic never fails: it stops at the ends of what fits, and times beyond the calendar are absent.
fn computed<'e>(operator: Arithmetic, left: &Value<'e>, right: &Value<'e>) -> Value<'e> {
    let whole = match operator {
        Arithmetic::Add => i64::saturating_add,
        Arithmetic::Subtract => i64::saturating_sub,
        Arithmetic::Multiply => i64::saturating_mul,
    };
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Value::Int(whole(*left, *right)),
        (Value::Duration(left), Value::Duration(right) | Value::Int(right))
        | (Value::Int(left), Value::Duration(right)) => Value::Duration(whole(*left, *right)),
        (Value::Time(left), Value::Time(right)) => {
            Value::Duration(left.as_millisecond().saturating_sub(right.as_millisecond()))
        }
        (Value::Time(time), Value::Duration(millis)) | (Value::Duration(millis), Value::Time(time)) => {
            let span = SignedDuration::from_millis(*millis);
            let moved = match operator {
                Arithmetic::Subtract => time.checked_sub(span),
                Arithmetic::Add | Arithmetic::Multiply => time.checked_add(span),
            };
            Value::maybe(moved.ok(), Value::Time)
        }
        _ => match (float(left), float(right)) {
            (Some(left), Some(right)) => Value::Float(match operator {
                Arithmetic::Add => left + right,
                Arithmetic::Subtract => left - right,
                Arithmetic::Multiply => left * right,
            }),
            _ => Value::Absent,
        },
    }
}

fn negated(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Int(number) => Value::Int(number.saturating_neg()),
        Value::Float(number) => Value::Float(-number),
        Value::Duration(millis) => Value::Duration(millis.saturating_neg()),
        Value::Between(least, most, why) => Value::Between(most.saturating_neg(), least.saturating_neg(), why),
        other => other,
    }
}
