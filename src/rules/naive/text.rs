//! Naive tests of text: needle by needle and regex by regex, over the whole text.

use super::truth::{missing, tally};
use super::{Look, Told};
use crate::rules::compile::regex_of;
use crate::rules::evaluate::Truth;
use crate::rules::syntax::tree::Quantity;
use crate::rules::syntax::{Expr, ExprKind};
use crate::rules::text::{fold, is_similar};
use crate::rules::value::Value;
use std::collections::BTreeMap;

/// Folds the case of a text, character by character.
pub(super) fn lower(text: &str) -> String {
    text.chars().map(fold).collect()
}

impl<'e> Look<'e, '_> {
    /// Needles alike count once, wherever they come from.
    pub(super) fn text_test(&mut self, quantity: Quantity, base: &Expr, name: &str, arguments: &[Expr]) -> Told {
        let subject = self.value(base);
        let Some(text) = subject.as_text() else {
            return missing(&[&subject]);
        };
        let (ignores_case, name) = match name.strip_prefix('i') {
            Some(name) => (true, name),
            None => (false, name),
        };
        let comparable = |text: &str| if ignores_case { lower(text) } else { text.to_owned() };
        let text = comparable(&text);
        let mut by_needle: BTreeMap<String, Told> = BTreeMap::new();
        let mut told = Vec::new();
        for argument in arguments {
            for needle in self.needles(argument) {
                let Some(needle) = needle.as_text().map(|needle| comparable(&needle)) else {
                    told.push(missing(&[&needle]));
                    continue;
                };
                let found = match name {
                    "contains" => text.contains(&needle),
                    "starts_with" => text.starts_with(&needle),
                    "ends_with" => text.ends_with(&needle),
                    "equals" => text == needle,
                    _ => panic!("no test of text: {name}"),
                };
                by_needle.insert(needle.clone(), (found && !needle.is_empty()).into());
            }
        }
        told.extend(by_needle.into_values());
        tally(quantity, &told, false)
    }

    /// What an argument looks for: itself, or the entries of a list that still count.
    fn needles(&mut self, argument: &Expr) -> Vec<Value<'e>> {
        let ExprKind::List(name) = &argument.kind else {
            return vec![self.value(argument)];
        };
        let now = self.evidence.now;
        let entries = self.list(name).entries().iter();
        entries
            .filter(|(_, end)| end.is_none_or(|end| now < end))
            .map(|(entry, _)| Value::text(entry))
            .collect()
    }

    pub(super) fn matches(&mut self, quantity: Quantity, base: &Expr, arguments: &[Expr]) -> Told {
        let subject = self.value(base);
        let Some(text) = subject.as_text() else {
            return missing(&[&subject]);
        };
        let found = |argument: &Expr| -> Told {
            let ExprKind::Regex { pattern, flags } = &argument.kind else {
                panic!("no regex: {argument}");
            };
            regex_of(pattern, flags).find(&*text).is_some().into()
        };
        let told: Vec<Told> = arguments.iter().map(found).collect();
        tally(quantity, &told, false)
    }

    pub(super) fn similar(&mut self, base: &Expr, arguments: &[Expr]) -> Told {
        let subject = self.value(base);
        let Some(text) = subject.as_text().map(|text| lower(&text)) else {
            return missing(&[&subject]);
        };
        let ExprKind::Int(distance) = arguments[1].kind else {
            panic!("no distance: {}", arguments[1]);
        };
        let others = self.needles(&arguments[0]);
        let mut candidates = Vec::new();
        for other in &others {
            match other.as_text() {
                Some(other) => candidates.push(lower(&other)),
                None => return missing(&[other]),
            }
        }
        if candidates.contains(&text) {
            return Truth::False.into();
        }
        let distance = usize::try_from(distance).unwrap();
        candidates.iter().any(|other| is_similar(&text, other, distance)).into()
    }
}
