//! Naive truths: every part is evaluated, then Kleene's tables are looked up.

use super::value::{equal, interval, whys_of};
use super::{Look, Told};
use crate::mail::Domain;
use crate::rules::evaluate::Truth;
use crate::rules::lists::{List, ListKind};
use crate::rules::syntax::tree::{Comparison, Quantity, RulePattern};
use crate::rules::syntax::{Expr, ExprKind};
use crate::rules::text::comparable_name;
use crate::rules::value::{Record, Value};
use ipnet::IpNet;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

/// What `quantity` of several come to; `more` says that there may be others that nobody saw.
pub(super) fn tally(quantity: Quantity, several: &[Told], more: bool) -> Told {
    let count = |wanted: Truth| several.iter().filter(|told| told.truth == wanted).count();
    let least = count(Truth::True);
    let most = match more {
        true => usize::MAX,
        false => least + count(Truth::Unknown),
    };
    let of = several.len();
    let truth = match quantity {
        Quantity::AtLeast(wanted) if least >= wanted => Truth::True,
        Quantity::AtLeast(wanted) if most < wanted => Truth::False,
        Quantity::All if count(Truth::False) > 0 => Truth::False,
        Quantity::All if least == of && !more => Truth::True,
        Quantity::None if least > 0 => Truth::False,
        Quantity::None if most == 0 => Truth::True,
        _ => Truth::Unknown,
    };
    let whys = several.iter().flat_map(|told| told.whys.iter().copied());
    Told::new(truth, whys.collect())
}

/// Nothing can be told for want of these.
pub(super) fn missing(values: &[&Value<'_>]) -> Told {
    Told::new(Truth::Unknown, values.iter().copied().flat_map(whys_of).collect())
}

impl<'e> Look<'e, '_> {
    pub(super) fn truth(&mut self, expr: &Expr) -> Told {
        match &expr.kind {
            ExprKind::Not(inner) => {
                let told = self.truth(inner);
                Told::new(!told.truth, told.whys)
            }
            ExprKind::And(links) => self.several(Quantity::All, links),
            ExprKind::Or(links) => self.several(Quantity::AtLeast(1), links),
            ExprKind::Of { quantity, conditions } => self.of(*quantity, conditions),
            ExprKind::Rule(name) => self.referred(name),
            ExprKind::Compare { operator, left, right } => self.compare(*operator, left, right),
            ExprKind::In { negated, item, set } => {
                let told = self.within(item, set);
                let truth = if *negated { !told.truth } else { told.truth };
                Told::new(truth, told.whys)
            }
            ExprKind::Call { name, arguments, .. } if name == "present" => self.present(&arguments[0]),
            ExprKind::Call { name, arguments, .. } if name == "known" => {
                whys_of(&self.value(&arguments[0])).is_empty().into()
            }
            ExprKind::Method {
                base, name, arguments, ..
            } => match name.as_str() {
                "any" => self.each(Quantity::AtLeast(1), base, arguments),
                "all" => self.each(Quantity::All, base, arguments),
                "matches" => self.matches(Quantity::AtLeast(1), base, arguments),
                "similar_to" => self.similar(base, arguments),
                _ => self.text_test(Quantity::AtLeast(1), base, name, arguments),
            },
            _ => match self.value(expr) {
                Value::Bool(truth) => truth.into(),
                other => missing(&[&other]),
            },
        }
    }

    fn several(&mut self, quantity: Quantity, conditions: &[Expr]) -> Told {
        let told: Vec<Told> = conditions.iter().map(|condition| self.truth(condition)).collect();
        tally(quantity, &told, false)
    }

    fn of(&mut self, quantity: Quantity, conditions: &[Expr]) -> Told {
        if let [only] = conditions
            && let ExprKind::Method {
                base, name, arguments, ..
            } = &only.kind
        {
            match name.as_str() {
                "matches" => return self.matches(quantity, base, arguments),
                "any" | "all" | "similar_to" => {}
                _ => return self.text_test(quantity, base, name, arguments),
            }
        }
        let mut told = Vec::new();
        for condition in conditions {
            let names = match &condition.kind {
                ExprKind::Rules(RulePattern::Prefix(prefix)) => self.named(|name, _| name.starts_with(prefix)),
                ExprKind::Rules(RulePattern::Tag(tag)) => self.named(|_, tags| tags.contains(tag)),
                _ => {
                    told.push(self.truth(condition));
                    continue;
                }
            };
            told.extend(names.iter().map(|name| self.referred(name)));
        }
        tally(quantity, &told, false)
    }

    fn present(&mut self, inner: &Expr) -> Told {
        match self.value(inner) {
            unknown @ Value::Unknown(_) => missing(&[&unknown]),
            Value::Absent => false.into(),
            Value::Text(text) => (!text.is_empty()).into(),
            Value::List(list) => (!list.items.is_empty() || list.cut.is_some()).into(),
            _ => true.into(),
        }
    }

    fn each(&mut self, quantity: Quantity, list: &Expr, arguments: &[Expr]) -> Told {
        let value = self.value(list);
        let Value::List(items) = &value else {
            return missing(&[&value]);
        };
        let each = |look: &mut Self| look.truth(&arguments[1]);
        let told: Vec<Told> = items
            .items
            .iter()
            .map(|item| self.with(list, &arguments[0], item, each))
            .collect();
        let mut told = tally(quantity, &told, items.cut.is_some());
        if told.truth == Truth::Unknown {
            told.whys.extend(items.cut);
        }
        told
    }

    fn compare(&mut self, operator: Comparison, left: &Expr, right: &Expr) -> Told {
        let (one, other) = (self.value(left), self.value(right));
        let one = read_beside(left, one, &other);
        let other = read_beside(right, other, &one);
        if !one.is_known() || !other.is_known() {
            return missing(&[&one, &other]);
        }
        let truth = match operator {
            Comparison::Equal => equal(&one, &other),
            Comparison::NotEqual => !equal(&one, &other),
            Comparison::Less => is_less(&one, &other),
            Comparison::Greater => is_less(&other, &one),
            Comparison::LessOrEqual => !is_less(&other, &one),
            Comparison::GreaterOrEqual => !is_less(&one, &other),
        };
        match truth {
            Truth::Unknown => missing(&[&one, &other]),
            truth => truth.into(),
        }
    }

    fn within(&mut self, item: &Expr, set: &Expr) -> Told {
        let value = self.value(item);
        let values = match &set.kind {
            ExprKind::List(name) => return self.within_list(value, self.list(name)),
            ExprKind::Values(values) | ExprKind::Conditions(values) => {
                let read = |value_expr: &Expr| {
                    let found = self.value(value_expr);
                    read_beside(value_expr, found, &value)
                };
                Value::list(values.iter().map(read).collect::<Vec<_>>())
            }
            _ => self.value(set),
        };
        let Value::List(items) = &values else {
            return missing(&[&value, &values]);
        };
        let value = match items.items.first() {
            Some(first) => read_beside(item, value, first),
            None => value,
        };
        if !value.is_known() {
            return missing(&[&value]);
        }
        let is_item = |found: &Value<'_>| match found.is_known() {
            true if equal(&value, found) == Truth::Unknown => missing(&[&value, found]),
            true => equal(&value, found).into(),
            false => missing(&[found]),
        };
        let told: Vec<Told> = items.items.iter().map(is_item).collect();
        let mut told = tally(Quantity::AtLeast(1), &told, items.cut.is_some());
        if told.truth == Truth::Unknown {
            told.whys.extend(items.cut);
        }
        told
    }

    /// Tries one entry after the other.
    fn within_list(&self, value: Value<'e>, list: &List) -> Told {
        let now = self.evidence.now;
        let mut entries = list
            .entries()
            .iter()
            .filter(|(_, end)| end.is_none_or(|end| now < end))
            .map(|(entry, _)| entry.as_str());
        if let (ListKind::Url, Value::Record(Record::Url(url))) = (list.kind(), &value) {
            return list.contains_url(url, now).into();
        }
        let Some(text) = value.as_text() else {
            return missing(&[&value]);
        };
        let is_entry = |entry: &str| match list.kind() {
            ListKind::Domain => {
                let above = Domain::parse(entry).unwrap();
                text == above.as_str() || text.ends_with(&format!(".{above}"))
            }
            ListKind::Address => text.eq_ignore_ascii_case(entry),
            ListKind::Cidr => {
                let ip: IpAddr = text.parse().unwrap();
                entry
                    .parse::<IpNet>()
                    .map_or_else(|_| entry.parse() == Ok(ip), |net| net.contains(&ip))
            }
            ListKind::Name => comparable_name(&text) == comparable_name(entry),
            ListKind::Sha256 => text.eq_ignore_ascii_case(entry),
            _ => text == entry,
        };
        entries.any(is_entry).into()
    }
}

/// A string literal beside a domain is that domain, and so on.
fn read_beside<'e>(expr: &Expr, value: Value<'e>, beside: &Value<'_>) -> Value<'e> {
    let ExprKind::Text(text) = &expr.kind else {
        return value;
    };
    match beside {
        Value::Domain(_) => Value::Domain(Cow::Owned(Domain::parse(text).unwrap())),
        Value::Address(_) => Value::Address(Cow::Owned(text.clone())),
        Value::Ip(_) => Value::Ip(text.parse().unwrap()),
        _ => value,
    }
}

fn is_less(one: &Value<'_>, other: &Value<'_>) -> Truth {
    match (one, other) {
        (Value::Time(one), Value::Time(other)) => (one.cmp(other) == Ordering::Less).into(),
        _ => {
            let ((least, most), (other_least, other_most)) = (interval(one).unwrap(), interval(other).unwrap());
            match (most < other_least, least < other_most) {
                (true, _) => Truth::True,
                (false, true) => Truth::Unknown,
                (false, false) => Truth::False,
            }
        }
    }
}
