//! Comparing values: with absent or unknown ones nothing can be told.

use super::{Run, Truth};
use crate::rules::compile::node::Node;
use crate::rules::syntax::tree::Comparison;
use crate::rules::value::Value;
use std::cmp::Ordering;

impl<'e> Run<'_, 'e, '_> {
    pub(super) fn compare(&mut self, operator: Comparison, sides: (&'e Node, &'e Node), label: &str) -> Truth {
        let (left, right) = (self.value(sides.0), self.value(sides.1));
        if !left.is_known() || !right.is_known() {
            self.missing(&left);
            return self.missing(&right);
        }
        let truth = tell(operator, &left, &right);
        let shown = if matches!(sides.0, Node::Constant(_)) {
            &right
        } else {
            &left
        };
        match truth {
            Some(truth) => self.decided(truth, label, shown),
            None => {
                self.missing(&left);
                self.missing(&right)
            }
        }
    }

    pub(super) fn in_values(&mut self, negated: bool, nodes: (&'e Node, &'e Node), label: &str) -> Truth {
        let item = self.value(nodes.0);
        // Most lists of values are written out, and need not be made anew for each look.
        if let Node::Values(values) = nodes.1 {
            if !item.is_known() {
                return self.missing(&item);
            }
            let mut is_open = false;
            for value in values {
                let truth = match value {
                    Node::Constant(value) => self.is_value(&item, value),
                    other => {
                        let value = self.value(other);
                        self.is_value(&item, &value)
                    }
                };
                match truth {
                    Truth::True => return self.decided(!negated, label, &item),
                    Truth::Unknown => is_open = true,
                    Truth::False => {}
                }
            }
            return self.not_among(negated, label, &item, is_open);
        }
        let list = match self.value(nodes.1) {
            Value::List(list) => list,
            other => {
                self.missing(&item);
                return self.missing(&other);
            }
        };
        if !item.is_known() {
            return self.missing(&item);
        }
        let mut is_open = list.cut.is_some();
        for value in list.items.iter() {
            match self.is_value(&item, value) {
                Truth::True => return self.decided(!negated, label, &item),
                Truth::Unknown => is_open = true,
                Truth::False => {}
            }
        }
        if let Some(why) = list.cut {
            self.why(why);
        }
        self.not_among(negated, label, &item, is_open)
    }

    /// Whether a known item is one value of a list.
    fn is_value(&mut self, item: &Value<'_>, value: &Value<'_>) -> Truth {
        if !self.pay(1) {
            return Truth::Unknown;
        }
        match tell(Comparison::Equal, item, value).filter(|_| value.is_known()) {
            Some(truth) => truth.into(),
            None => {
                self.missing(item);
                self.missing(value)
            }
        }
    }

    fn not_among(&mut self, negated: bool, label: &str, item: &Value<'_>, is_open: bool) -> Truth {
        match is_open {
            true => Truth::Unknown,
            false => self.decided(negated, label, item),
        }
    }
}

/// Whether a comparison of two known values holds; `None` where bounds don't tell.
fn tell(operator: Comparison, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    match (bounds(left), bounds(right)) {
        (Some(one), Some(other)) => compare_bounds(operator, one, other),
        (None, None) => Some(holds(operator, order(left, right))),
        // A count of which only the bounds are known, beside a fraction.
        _ => match (float_bounds(left), float_bounds(right)) {
            (Some(one), Some(other)) => compare_bounds(operator, one, other),
            _ => Some(holds(operator, order(left, right))),
        },
    }
}

/// How two known values of comparable types stand; `None` when they differ without order.
fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Int(right)) | (Value::Duration(left), Value::Duration(right)) => {
            Some(left.cmp(right))
        }
        (Value::Time(left), Value::Time(right)) => Some(left.cmp(right)),
        (Value::Address(left), Value::Address(right)) => left.eq_ignore_ascii_case(right).then_some(Ordering::Equal),
        (Value::Ip(left), Value::Ip(right)) => (left.to_canonical() == right.to_canonical()).then_some(Ordering::Equal),
        (Value::Domain(left), Value::Domain(right)) => (left == right).then_some(Ordering::Equal),
        _ => match (float(left), float(right)) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => {
                let both = left.as_text().zip(right.as_text());
                both.is_some_and(|(left, right)| left == right)
                    .then_some(Ordering::Equal)
            }
        },
    }
}

#[expect(clippy::cast_precision_loss, reason = "comparing with a fraction is inexact anyway")]
pub(super) fn float(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Int(number) => Some(*number as f64),
        _ => None,
    }
}

fn holds(operator: Comparison, order: Option<Ordering>) -> bool {
    match operator {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// The least and the most that a number can be.
fn bounds(value: &Value<'_>) -> Option<(i64, i64)> {
    match value {
        Value::Int(number) => Some((*number, *number)),
        Value::Between(least, most, _) => Some((*least, *most)),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "comparing with a fraction is inexact anyway")]
fn float_bounds(value: &Value<'_>) -> Option<(f64, f64)> {
    match value {
        Value::Between(least, most, _) => Some((*least as f64, *most as f64)),
        _ => float(value).map(|number| (number, number)),
    }
}

/// Compares numbers of which only the bounds may be known.
fn compare_bounds<N: PartialOrd + Copy>(operator: Comparison, left: (N, N), right: (N, N)) -> Option<bool> {
    let (surely, possibly) = match operator {
        Comparison::Equal => {
            let is_one = left.0 == left.1 && left == right;
            (is_one, left.0 <= right.1 && right.0 <= left.1)
        }
        Comparison::NotEqual => return compare_bounds(Comparison::Equal, left, right).map(|equal| !equal),
        Comparison::Less => (left.1 < right.0, left.0 < right.1),
        Comparison::LessOrEqual => (left.1 <= right.0, left.0 <= right.1),
        Comparison::Greater => return compare_bounds(Comparison::Less, right, left),
        Comparison::GreaterOrEqual => return compare_bounds(Comparison::LessOrEqual, right, left),
    };
    match (surely, possibly) {
        (true, _) => Some(true),
        (false, false) => Some(false),
        (false, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_decide_where_they_can() {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        for (operator, left, right, expected) in [
            (GreaterOrEqual, (3, 9), 3, Some(true)),
            (GreaterOrEqual, (2, 9), 3, None),
            (GreaterOrEqual, (0, 2), 3, Some(false)),
            (Greater, (4, 9), 3, Some(true)),
            (Greater, (3, 9), 3, None),
            (Less, (0, 2), 3, Some(true)),
            (LessOrEqual, (4, 9), 3, Some(false)),
            (Equal, (0, 2), 3, Some(false)),
            (Equal, (0, 3), 3, None),
            (Equal, (3, 3), 3, Some(true)),
            (NotEqual, (0, 2), 3, Some(true)),
        ] {
            assert_eq!(
                compare_bounds(operator, left, (right, right)),
                expected,
                "{left:?} {operator:?} {right}"
            );
        }
    }
}
