//! Tests of text: needles, regexes, nearness.
//!
//! Literal needles on the message's own texts are looked up in the shared scan; the rest is
//! searched here.

use super::stretches::Stretches;
use super::tally::Tally;
use super::{Run, TOO_LARGE, Truth};
use crate::rules::compile::needles::Scanned;
use crate::rules::compile::node::{Gate, GatedPattern, Needle, Subject, Test, TextTest};
use crate::rules::syntax::tree::Quantity;
use crate::rules::text::{Folded, SIMILAR_BYTES_MAX, folded, is_similar, prefix_ignoring_case, suffix_ignoring_case};
use crate::rules::value::Value;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

/// Where a needle stands, in bytes of the text.
type Found = Option<Range<usize>>;

/// The text under test.
enum Haystack<'e> {
    Scanned(Rc<Scanned<'e>>),
    Plain(Value<'e>),
}

/// What came of the needles tried so far.
struct Sought {
    tally: Tally,
    /// Those found, where several are wanted: alike ones count once, wherever they come from.
    found: HashSet<String>,
}

impl Sought {
    fn is_first(&mut self, quantity: Quantity, needle: &str) -> bool {
        !matches!(quantity, Quantity::AtLeast(2..)) || self.found.insert(needle.to_owned())
    }
}

impl Haystack<'_> {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Scanned(scanned) => Cow::Borrowed(&scanned.text),
            Self::Plain(value) => value.as_text().unwrap_or_default(),
        }
    }
}

impl<'e> Haystack<'e> {
    fn into_text(self) -> Cow<'e, str> {
        match self {
            Self::Scanned(scanned) => Cow::Owned(scanned.text.clone().into_owned()),
            Self::Plain(value) => value.into_text().unwrap_or_default(),
        }
    }
}

impl<'e> Run<'_, 'e, '_> {
    pub(super) fn text_test(&mut self, test: &'e TextTest) -> Truth {
        let wants_some = matches!(test.quantity, Quantity::AtLeast(1..));
        if wants_some && self.is_in_no_item(&test.subject, test.gate.as_ref()) {
            return Truth::False;
        }
        let scans = test.test == Test::Contains;
        let mut haystack = match self.haystack(&test.subject, scans) {
            Ok(haystack) => haystack,
            Err(truth) => return truth,
        };
        if matches!(haystack, Haystack::Plain(_)) && test.has_many {
            let text = haystack.into_text();
            // What was found is told by a bit for each needle of the set.
            let bits = self.scope.scanner.atoms() / u8::BITS as usize;
            if !self.pay_for_bytes(text.len() + bits) {
                return Truth::Unknown;
            }
            haystack = Haystack::Scanned(Rc::new(self.scope.scanner.scan_other(text)));
        }
        // Most needles stand nowhere: one look says so for all of them.
        if let (Haystack::Scanned(scanned), Some(gate), Quantity::AtLeast(wanted @ 1..)) =
            (&haystack, &test.gate, test.quantity)
        {
            let holds = scanned.holds_any(&gate.set);
            let says_all = wanted == 1 && !test.expires && !self.shows;
            if says_all || !holds {
                return holds.into();
            }
        }
        let mut sought = Sought {
            tally: Tally::new(test.quantity),
            found: HashSet::new(),
        };
        for needle in &test.needles {
            if self.try_needle(test, needle, &haystack, &mut sought) || self.steps_left.is_none() {
                break;
            }
        }
        sought.tally.truth(false)
    }

    /// Whether a test of an item's text is false of every item, since no item's text holds a needle.
    fn is_in_no_item(&mut self, subject: &Subject, gate: Option<&Gate>) -> bool {
        let (Some(items), Some(gate)) = (subject.of_items, gate) else {
            return false;
        };
        let scanned = self.scope.scan(items);
        scanned.is_some_and(|scanned| !scanned.holds_any(&gate.set))
    }

    /// The text under test, or unknown.
    fn haystack(&mut self, subject: &'e Subject, scans: bool) -> Result<Haystack<'e>, Truth> {
        if let Some(source) = subject.source.filter(|_| scans)
            && let Some(scanned) = self.scope.scan(source)
        {
            return Ok(Haystack::Scanned(scanned));
        }
        let value = self.value(&subject.node);
        match value.as_text().is_some() {
            true => Ok(Haystack::Plain(value)),
            false => Err(self.missing(&value)),
        }
    }

    /// Counts one needle, or each entry of a list; says whether the rest no longer matters.
    fn try_needle(
        &mut self,
        test: &'e TextTest,
        needle: &'e Needle,
        haystack: &Haystack<'e>,
        sought: &mut Sought,
    ) -> bool {
        match needle {
            Needle::Literal { text, atom } => {
                let found = self.find(test, text, *atom, haystack);
                self.count((test, text), found, haystack, sought)
            }
            Needle::List { list, texts, atoms } => {
                let now = self.scope.evidence.now;
                if !self.pay(texts.len() / 8) {
                    return true;
                }
                for (place, (text, (_, expiry))) in texts.iter().zip(list.entries()).enumerate() {
                    if expiry.is_some_and(|expiry| now >= expiry) {
                        continue;
                    }
                    let found = self.find(test, text, atoms.get(place).copied(), haystack);
                    if self.count((test, text), found, haystack, sought) || self.steps_left.is_none() {
                        return true;
                    }
                }
                false
            }
            Needle::Dynamic(node) => {
                let value = self.value(node);
                let Some(text) = value.as_text() else {
                    let truth = self.missing(&value);
                    return sought.tally.add(truth);
                };
                let text = if test.ignores_case { folded(&text) } else { text };
                let found = self.find(test, &text, None, haystack);
                self.count((test, &text), found, haystack, sought)
            }
        }
    }

    fn count(
        &mut self,
        (test, needle): (&TextTest, &str),
        found: Found,
        haystack: &Haystack<'e>,
        sought: &mut Sought,
    ) -> bool {
        if found.is_some() && !sought.is_first(test.quantity, needle) {
            return false;
        }
        if let Some(place) = &found {
            self.show(&test.subject, &haystack.text(), place);
        }
        sought.tally.add(found.is_some().into())
    }

    /// Where a needle, already folded if case is ignored, stands. An empty one never matches.
    fn find(&mut self, test: &TextTest, needle: &str, atom: Option<usize>, haystack: &Haystack<'e>) -> Found {
        if needle.is_empty() || !self.pay(1) {
            return None;
        }
        if let (Haystack::Scanned(scanned), Some(atom)) = (haystack, atom) {
            let at = scanned.hit(atom)?;
            let length = match test.ignores_case {
                true => prefix_ignoring_case(scanned.text.get(at..)?, needle)?,
                false => needle.len(),
            };
            return Some(at..at + length);
        }
        let text = haystack.text();
        if test.test == Test::Contains && !self.pay_for(&text) {
            return None;
        }
        match test.ignores_case {
            true => find_ignoring_case(test.test, &text, needle),
            false => find_exactly(test.test, &text, needle),
        }
    }

    pub(super) fn matches(&mut self, subject: &'e Subject, patterns: &'e [GatedPattern], quantity: Quantity) -> Truth {
        let scans = patterns.iter().any(|pattern| pattern.gate.is_some());
        let haystack = match self.haystack(subject, scans) {
            Ok(haystack) => haystack,
            Err(truth) => return truth,
        };
        let text = haystack.text();
        let mut tally = Tally::new(quantity);
        for GatedPattern { pattern, gate } in patterns {
            let found = if self.is_in_no_item(subject, gate.as_ref()) {
                None
            } else {
                let stretches = match (&haystack, gate) {
                    (Haystack::Scanned(scanned), Some(gate)) => Stretches::of(scanned, gate, pattern.reach),
                    _ => Stretches::Everywhere,
                };
                let bytes = stretches.bytes(text.len());
                if !self.pay_for_bytes(bytes) {
                    return Truth::Unknown;
                }
                let found = match stretches.is_nowhere() {
                    true => Ok(None),
                    false => self
                        .scope
                        .run_pattern(&pattern.source, bytes, || stretches.find(pattern, &text)),
                };
                let Ok(found) = found else {
                    self.why(TOO_LARGE);
                    tally.add(Truth::Unknown);
                    continue;
                };
                found
            };
            if let Some(found) = &found {
                self.show(subject, &text, found);
            }
            if tally.add(found.is_some().into()) {
                break;
            }
        }
        tally.truth(false)
    }

    pub(super) fn similar(&mut self, subject: &'e Subject, others: &'e [Needle], distance: usize) -> Truth {
        let value = self.value(&subject.node);
        let Some(text) = value.as_text() else {
            return self.missing(&value);
        };
        let folded_text = folded(&text);
        let mut candidates: Vec<Cow<'e, str>> = Vec::new();
        for other in others {
            let length = if let Needle::List { texts, .. } = other {
                texts.len()
            } else {
                1
            };
            if !self.pay(1 + length / 4) {
                return Truth::Unknown;
            }
            match other {
                Needle::Literal { text, .. } => candidates.push(Cow::Borrowed(text)),
                Needle::List { list, texts, .. } => {
                    let now = self.scope.evidence.now;
                    let current = texts.iter().zip(list.entries());
                    let current = current.filter(|(_, (_, expiry))| expiry.is_none_or(|expiry| now < expiry));
                    candidates.extend(current.map(|(text, _)| Cow::Borrowed(text.as_str())));
                }
                Needle::Dynamic(node) => {
                    let value = self.value(node);
                    let Some(text) = value.as_text() else {
                        return self.missing(&value);
                    };
                    candidates.push(Cow::Owned(folded(&text).into_owned()));
                }
            }
        }
        // What is one of them isn't a look-alike of another.
        if candidates.contains(&folded_text) {
            return Truth::False;
        }
        for candidate in &candidates {
            // The distance takes the product of the lengths.
            let work = folded_text.len().min(SIMILAR_BYTES_MAX) * candidate.len().min(SIMILAR_BYTES_MAX);
            if !self.pay(1 + work / 64) {
                return Truth::Unknown;
            }
            if is_similar(&folded_text, candidate, distance) {
                self.show(subject, &text, &(0..text.len()));
                return Truth::True;
            }
        }
        Truth::False
    }

    fn show(&mut self, subject: &Subject, text: &str, place: &Range<usize>) {
        let offset = subject.is_field.then_some(place.start);
        self.snippet(&subject.label, text.get(place.clone()).unwrap_or(""), offset);
    }
}

/// Below this many comparisons of a byte nothing is worth preparing.
const NAIVE_COMPARISONS_MAX: usize = 4_096;

fn find_exactly(test: Test, text: &str, needle: &str) -> Found {
    let at = match test {
        Test::Contains => text.find(needle)?,
        Test::StartsWith => text.starts_with(needle).then_some(0)?,
        Test::EndsWith => text.ends_with(needle).then(|| text.len() - needle.len())?,
        Test::Equals => (text == needle).then_some(0)?,
    };
    Some(at..at + needle.len())
}

/// The needle is folded, the text as it came.
fn find_ignoring_case(test: Test, text: &str, needle: &str) -> Found {
    match test {
        Test::Contains if text.is_ascii() && text.len().saturating_mul(needle.len()) <= NAIVE_COMPARISONS_MAX => {
            let mut windows = text.as_bytes().windows(needle.len());
            let at = windows.position(|window| window.eq_ignore_ascii_case(needle.as_bytes()))?;
            Some(at..at + needle.len())
        }
        Test::Contains => {
            let copy = Folded::new(text);
            let at = copy.original(copy.as_str().find(needle)?);
            Some(at..at + prefix_ignoring_case(text.get(at..)?, needle)?)
        }
        Test::StartsWith => Some(0..prefix_ignoring_case(text, needle)?),
        Test::EndsWith => Some(suffix_ignoring_case(text, needle)?..text.len()),
        Test::Equals => {
            let length = prefix_ignoring_case(text, needle)?;
            (length == text.len()).then_some(0..length)
        }
    }
}
