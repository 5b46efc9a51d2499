//! Nodes that are true, false or unknown.

use super::tally::Tally;
use super::{Run, Truth, evaluate};
use crate::rules::compile::RuleRef;
use crate::rules::compile::node::Node;
use crate::rules::compile::shared::Shared;
use crate::rules::lists::{List, ListKind};
use crate::rules::syntax::tree::Quantity;
use crate::rules::value::{Record, Value};

impl<'e> Run<'_, 'e, '_> {
    /// What a condition comes to. Snippets are kept only of what is true, reasons only of what is
    /// unknown.
    pub(super) fn truth(&mut self, node: &'e Node) -> Truth {
        if !self.pay(1) {
            return Truth::Unknown;
        }
        let (snippets, reasons) = (self.snippets.len(), self.unknown.len());
        let truth = self.truth_of(node);
        if truth != Truth::True {
            self.snippets.truncate(snippets);
        }
        if truth != Truth::Unknown {
            self.unknown.truncate(reasons);
        }
        truth
    }

    fn truth_of(&mut self, node: &'e Node) -> Truth {
        match node {
            Node::Not(inner) => !self.truth(inner),
            Node::And(links, order) => self.and(links, order),
            Node::Or(links, order) => self.or(links, order),
            Node::Of { quantity, conditions } => self.of(*quantity, conditions),
            Node::Shared {
                shared,
                of_item,
                condition,
            } => self.shared(*shared, *of_item, condition),
            Node::Rule(rule) => self.rule(*rule),
            Node::Present(inner) => self.present(inner),
            Node::Known(inner) => self.known(inner),
            Node::Any { list, condition, label } => self.each(Quantity::AtLeast(1), (list, condition), label),
            Node::All { list, condition } => self.each(Quantity::All, (list, condition), ""),
            Node::Compare {
                operator,
                left,
                right,
                label,
            } => self.compare(*operator, (left, right), label),
            Node::InList {
                negated,
                item,
                list,
                label,
            } => self.in_list(*negated, item, list, label),
            Node::InValues {
                negated,
                item,
                values,
                label,
            } => self.in_values(*negated, (item, values), label),
            Node::Text(test) => self.text_test(test),
            Node::Matches {
                subject,
                patterns,
                quantity,
            } => self.matches(subject, patterns, *quantity),
            Node::Similar {
                subject,
                others,
                distance,
            } => self.similar(subject, others, *distance),
            _ => match self.value(node) {
                Value::Bool(truth) => truth.into(),
                other => self.missing(&other),
            },
        }
    }

    /// Asks the cheapest first, and shows what decided in the author's order.
    fn and(&mut self, links: &'e [Node], order: &'e [usize]) -> Truth {
        let shown = self.snippets.len();
        let mut pieces = Vec::new();
        let mut truth = Truth::True;
        for (place, link) in order.iter().filter_map(|place| Some((place, links.get(*place)?))) {
            match self.truth(link) {
                Truth::False => return Truth::False,
                Truth::Unknown => truth = Truth::Unknown,
                Truth::True if self.snippets.len() > shown => pieces.push((place, self.snippets.split_off(shown))),
                Truth::True => {}
            }
        }
        pieces.sort_by_key(|(place, _)| *place);
        self.snippets.extend(pieces.into_iter().flat_map(|(_, piece)| piece));
        truth
    }

    fn or(&mut self, links: &'e [Node], order: &'e [usize]) -> Truth {
        let mut truth = Truth::False;
        for link in order.iter().filter_map(|place| links.get(*place)) {
            match self.truth(link) {
                Truth::True => return Truth::True,
                Truth::Unknown => truth = Truth::Unknown,
                Truth::False => {}
            }
        }
        truth
    }

    fn of(&mut self, quantity: Quantity, conditions: &'e [Node]) -> Truth {
        let mut tally = Tally::new(quantity);
        for condition in conditions {
            let truth = self.truth(condition);
            if tally.add(truth) {
                break;
            }
        }
        tally.truth(false)
    }

    /// A condition that is told once, unless what decides is to be shown, or why it can't be told.
    fn shared(&mut self, shared: Shared, of_item: bool, condition: &'e Node) -> Truth {
        let place = self.scope.scanner.shared().of(shared).filter(|_| !self.shows);
        let Some(place) = place else {
            return self.truth_of(condition);
        };
        let item = if of_item { self.item } else { 0 };
        if let Some(truth) = self.scope.remembered.get(place, item) {
            return truth;
        }
        let before = std::mem::take(&mut self.unknown);
        let truth = self.truth_of(condition);
        let reasons = std::mem::replace(&mut self.unknown, before);
        if (reasons.is_empty() || truth != Truth::Unknown) && self.steps_left.is_some() {
            self.scope.remembered.set(place, item, truth);
        }
        if truth == Truth::Unknown {
            reasons.into_iter().for_each(|why| self.why(why));
        }
        truth
    }

    fn rule(&mut self, rule: RuleRef) -> Truth {
        let outcomes = self.outcomes;
        if let Some(condition) = outcomes.pending(rule) {
            self.scope.begins(rule);
            outcomes.settle(rule, evaluate(condition, self.scope, outcomes));
            self.scope.ends();
        }
        let outcome = outcomes.outcome(rule);
        match outcome.truth {
            Truth::True if self.shows => self.snippets.extend(outcome.snippets.iter().cloned()),
            Truth::Unknown => outcome.unknown.iter().for_each(|why| self.why(*why)),
            Truth::True | Truth::False => {}
        }
        outcome.truth
    }

    /// Of strings and lists, which are never absent, it asks whether there is anything in them.
    fn present(&mut self, inner: &'e Node) -> Truth {
        match self.value(inner) {
            unknown @ Value::Unknown(_) => self.missing(&unknown),
            Value::Absent => Truth::False,
            Value::Text(text) => (!text.is_empty()).into(),
            Value::List(list) => (!list.items.is_empty() || list.cut.is_some()).into(),
            _ => Truth::True,
        }
    }

    fn known(&mut self, inner: &'e Node) -> Truth {
        let is_unknown = matches!(self.value(inner), Value::Unknown(_) | Value::Between(_, _, Some(_)));
        (!is_unknown).into()
    }

    fn each(&mut self, quantity: Quantity, (list, condition): (&'e Node, &'e Node), label: &str) -> Truth {
        let list = match self.value(list) {
            Value::List(list) => list,
            other => return self.missing(&other),
        };
        if quantity == Quantity::AtLeast(1)
            && let Some(truth) = self.any_by_columns(&list.items, condition)
            && (truth == Truth::True || list.cut.is_none())
        {
            return truth;
        }
        let mut tally = Tally::new(quantity);
        for (place, item) in list.items.iter().enumerate() {
            let shown = self.snippets.len();
            let truth = self.with((place, item), |run| run.truth(condition));
            if truth == Truth::True && self.snippets.len() == shown {
                // The condition showed nothing, such as `l.target.is_ip`: the item itself does.
                self.decided(true, label, item);
            }
            if tally.add(truth) || self.steps_left.is_none() {
                break;
            }
        }
        let truth = tally.truth(list.cut.is_some());
        if let (Truth::Unknown, Some(why)) = (truth, list.cut) {
            self.why(why);
        }
        truth
    }

    /// Does something with a lambda's name standing for an item.
    pub(super) fn with<T>(&mut self, (place, item): (usize, &Value<'e>), act: impl FnOnce(&mut Self) -> T) -> T {
        if self.variables.is_empty() {
            self.item = place;
        }
        self.variables.push(item.clone());
        let result = act(self);
        self.variables.pop();
        result
    }

    fn in_list(&mut self, negated: bool, item: &'e Node, list: &List, label: &str) -> Truth {
        let now = self.scope.evidence.now;
        let value = self.value(item);
        if let Value::Record(Record::Url(url)) = &value
            && !self.pay(list.paths_of(url) / 8)
        {
            return Truth::Unknown;
        }
        let found = match (&value, list.kind()) {
            (Value::Domain(domain), ListKind::Domain) => list.contains_domain(domain, now),
            (Value::Address(address), ListKind::Address) => list.contains_address(address, now),
            (Value::Record(Record::Url(url)), ListKind::Url) => list.contains_url(url, now),
            (Value::Ip(ip), ListKind::Cidr) => list.contains_ip(*ip, now),
            (Value::Text(text), _) => list.contains_text(text, now),
            _ => return self.missing(&value),
        };
        self.decided(found != negated, label, &value)
    }

    /// A truth whose evidence is a value.
    pub(super) fn decided(&mut self, truth: bool, label: &str, value: &Value<'_>) -> Truth {
        if truth && self.shows {
            match value.as_text() {
                Some(text) => self.snippet(label, &text, None),
                None => self.snippet(label, &value.to_string(), None),
            }
        }
        truth.into()
    }
}
