//! What a condition says of one message: true, false or unknown, and what decided.
//!
//! Total and bounded: every condition ends within its budget of steps, on any message. Knows
//! nothing of scores, statuses or exceptions.

pub(in crate::rules) mod apart;
mod columns;
mod compare;
mod derive;
mod tally;
mod remembered;
mod stretches;
mod text_tests;
mod truths;
mod values;
mod watch;

#[cfg(test)]
mod regressions;
#[cfg(test)]
mod tests;

pub use self::watch::Watch;
#[cfg(test)]
pub(super) use derive::{addresses as read_addresses, domains as read_domains, parameter as read_parameter};

use self::remembered::Remembered;
use super::Snippet;
use super::compile::{Condition, RuleRef, Scanner};
use super::schema::FIELDS;
use super::value::{Items, Value, Why};
use crate::evidence::Evidence;
use crate::rules::compile::needles::Scanned;
use std::borrow::Cow;
use std::rc::Rc;

/// The steps that one condition may take on one message. A step is about a tenth of a microsecond.
pub const STEPS_MAX: u64 = 1_000_000;
/// The steps that all conditions together may take on one message: some seconds.
pub const MESSAGE_STEPS_MAX: u64 = 50_000_000;
/// Why a condition can't be told that took too long.
pub(crate) const OVER_BUDGET: Why = Why {
    check: "rule",
    cause: "budget",
};
/// Why something can't be told that outgrew a limit.
const TOO_LARGE: Why = Why {
    check: "rule",
    cause: "limit",
};
/// Why one can't be told when those before it took too long.
const CROWDED: Why = Why {
    check: "rule",
    cause: "deadline",
};
/// The most snippets of an outcome.
pub const SNIPPETS_MAX: usize = 8;
/// The longest snippet, in characters.
pub const SNIPPET_CHARACTERS_MAX: usize = 120;
/// The most reasons of an outcome.
const WHYS_MAX: usize = 16;

/// Kleene's three truths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It doesn't.
    False,
    /// It can't be told: a fact is unknown or absent.
    Unknown,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// What a condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it holds.
    pub truth: Truth,
    /// When true: what decided, at most 8.
    pub snippets: Vec<Snippet>,
    /// When unknown: the facts that could not be found out. Empty when it is unknown only because
    /// the message lacks what was asked for, which isn't counted as unscanned.
    pub unknown: Vec<Why>,
}

impl Outcome {
    /// Unknown for one reason, such as a shadowed rule seen from an active one.
    pub fn unknown(check: &'static str, cause: &'static str) -> Self {
        Self {
            truth: Truth::Unknown,
            snippets: Vec::new(),
            unknown: vec![Why { check, cause }],
        }
    }
}

/// The outcomes of the rules and defines that a condition refers to, evaluated before it or when first
/// asked for.
pub trait Outcomes<'e> {
    /// What `rule` came to, as the condition under evaluation may see it.
    fn outcome(&self, rule: RuleRef) -> &Outcome;

    /// The condition of a define that nobody has asked for yet. It refers to nothing itself, so that
    /// evaluating it within another goes one level deep.
    fn pending(&self, rule: RuleRef) -> Option<&'e Condition> {
        let _ = rule;
        None
    }

    /// Keeps what a pending one came to.
    fn settle(&self, rule: RuleRef, outcome: Outcome) {
        let _ = (rule, outcome);
    }
}

/// What conditions took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Steps.
    pub steps: u64,
    /// Whether one took more than a condition may.
    pub is_over: bool,
}

/// One message under evaluation: its evidence and what has been computed of it. Made once a
/// message, used for every condition of the set.
pub struct Scope<'e, 'm> {
    evidence: &'e Evidence<'e, 'm>,
    scanner: &'e Scanner,
    withheld: Vec<String>,
    steps_max: u64,
    /// What is left for all conditions that are still to come.
    steps_left: u64,
    /// Steps taken and budgets overrun since somebody last asked.
    spent: Spent,
    /// Fields read so far, by their place in the schema.
    fields: Vec<Option<Value<'e>>>,
    /// Texts scanned so far, by their place in the scanner; `Some(None)` where there is no text.
    scanned: Vec<Option<Option<Rc<Scanned<'e>>>>>,
    remembered: Remembered,
    watch: Option<&'e dyn Watch>,
    /// Steps since somebody who looks on was last told of them.
    steps: u64,
}

impl<'e, 'm> Scope<'e, 'm> {
    /// A fresh message.
    pub fn new(evidence: &'e Evidence<'e, 'm>, scanner: &'e Scanner) -> Self {
        Self {
            evidence,
            scanner,
            withheld: Vec::new(),
            steps_max: STEPS_MAX,
            steps_left: MESSAGE_STEPS_MAX,
            spent: Spent::default(),
            fields: vec![None; FIELDS.len()],
            scanned: vec![None; scanner.len()],
            remembered: Remembered::new(scanner.shared().count()),
            watch: None,
            steps: 0,
        }
    }

    /// Makes fields unknown by their schema names, or by a group such as `auth`, as a rule test
    /// with `unknown = […]` asks; the cause is `stated`.
    #[must_use]
    pub fn withhold(mut self, fields: &[String]) -> Self {
        self.withheld = fields.to_vec();
        self
    }

    /// Changes the budget of steps for each condition.
    #[must_use]
    pub fn limit_steps(self, steps_max: u64) -> Self {
        Self { steps_max, ..self }
    }

    /// Reads fields by their names, and scans every text, before any condition asks.
    pub(super) fn look_ahead<'n>(&mut self, names: impl Iterator<Item = &'n str>, between: impl FnOnce()) {
        for name in names {
            if let Some(place) = FIELDS.iter().position(|field| field.name == name) {
                self.field(place);
            }
        }
        between();
        for source in 0..self.scanner.len() {
            self.scan(source);
        }
    }

    /// Changes the budget of steps for all conditions together.
    #[must_use]
    pub fn limit_message_steps(self, steps_left: u64) -> Self {
        Self { steps_left, ..self }
    }

    /// What conditions took since this was last asked.
    pub(crate) fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    /// The value of a field by its place in the schema, read once.
    fn field(&mut self, place: usize) -> Value<'e> {
        if let Some(Some(value)) = self.fields.get(place) {
            return value.clone();
        }
        let Some(field) = FIELDS.get(place) else {
            return Value::Absent;
        };
        let is_withheld = |name: &String| {
            let rest = field.name.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let value = match self.withheld.iter().any(is_withheld) {
            true => Value::Unknown(Why {
                check: field.name,
                cause: "stated",
            }),
            false => field.read(self.evidence),
        };
        if let Some(slot) = self.fields.get_mut(place) {
            *slot = Some(value.clone());
        }
        value
    }

    /// What stands in one of the scanner's texts; `None` where it can't be told of all of it.
    pub(crate) fn found(&mut self, source: usize) -> Option<Rc<Scanned<'e>>> {
        let place = self.scanner.source(source)?;
        let is_cut = place.is_of_items && matches!(self.field(place.field), Value::List(Items { cut: Some(_), .. }));
        self.scan(source).filter(|_| !is_cut)
    }

    /// A text of the message, or all items' of a list in it, scanned once for all rules; `None` where any is
    /// absent or unknown.
    fn scan(&mut self, source: usize) -> Option<Rc<Scanned<'e>>> {
        if let Some(Some(scanned)) = self.scanned.get(source) {
            return scanned.clone();
        }
        let place = self.scanner.source(source)?;
        let text = place.text(&self.field(place.field));
        let scanned = text.map(|text| self.scan_text(source, text));
        if let Some(slot) = self.scanned.get_mut(source) {
            *slot = Some(scanned.clone());
        }
        scanned
    }

    /// Texts are often alike: the newest part of a thread is mostly the whole text.
    fn scan_text(&self, source: usize, text: Cow<'e, str>) -> Rc<Scanned<'e>> {
        let known = self.scanned.iter().enumerate();
        let whole = known.filter(|(known, _)| self.scanner.says_all(*known, source));
        let mut whole = whole.filter_map(|(_, scanned)| scanned.as_ref()?.as_ref());
        match whole.find(|scanned| scanned.text == text) {
            Some(scanned) => Rc::clone(scanned),
            None => Rc::new(self.scanner.scan(source, text)),
        }
    }
}

/// Evaluates a condition that was compiled with the atoms of the scope's scanner.
pub fn evaluate<'e>(condition: &'e Condition, scope: &mut Scope<'e, '_>, outcomes: &dyn Outcomes<'e>) -> Outcome {
    // Nearly every condition is false: what decided is gathered only once one is known to be true.
    match look(condition, scope, outcomes, false) {
        quick if quick.truth == Truth::True => look(condition, scope, outcomes, true),
        quick => quick,
    }
}

fn look<'e>(condition: &'e Condition, scope: &mut Scope<'e, '_>, outcomes: &dyn Outcomes<'e>, shows: bool) -> Outcome {
    let steps = scope.steps_max.min(scope.steps_left);
    let mut run = Run {
        steps_left: Some(steps),
        scope,
        outcomes,
        shows,
        variables: Vec::new(),
        item: 0,
        snippets: Vec::new(),
        unknown: Vec::new(),
    };
    let truth = run.truth(&condition.root);
    let left = run.steps_left;
    let taken = steps - left.unwrap_or(0);
    run.scope.steps_left = run.scope.steps_left.saturating_sub(taken);
    run.scope.spent.steps += taken;
    run.scope.steps = run.scope.steps.saturating_add(taken);
    if left.is_none() {
        let is_over = steps == run.scope.steps_max;
        run.scope.spent.is_over |= is_over;
        // Where the message as a whole has used up its budget, no single rule is to blame.
        let why = if is_over { OVER_BUDGET } else { CROWDED };
        return Outcome::unknown(why.check, why.cause);
    }
    run.snippets.truncate(SNIPPETS_MAX);
    Outcome {
        truth,
        snippets: run.snippets,
        unknown: run.unknown,
    }
}

/// One condition on one message.
struct Run<'s, 'e, 'm> {
    scope: &'s mut Scope<'e, 'm>,
    outcomes: &'s dyn Outcomes<'e>,
    /// Whether what decides is shown.
    shows: bool,
    /// The items that lambda names stand for, outermost first.
    variables: Vec<Value<'e>>,
    /// The place in its list of the item that the outermost name stands for.
    item: usize,
    /// What made the nodes seen so far true; those of a node that isn't true are taken back.
    snippets: Vec<Snippet>,
    /// Why nodes seen so far are unknown; those of a node that isn't unknown are taken back.
    unknown: Vec<Why>,
    /// `None` once the budget is spent.
    steps_left: Option<u64>,
}

impl Run<'_, '_, '_> {
    /// Pays for work about to be done. False once the budget is spent: nothing is done any more.
    fn pay(&mut self, steps: usize) -> bool {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.steps_left = self.steps_left.and_then(|left| left.checked_sub(steps));
        self.steps_left.is_some()
    }

    fn why(&mut self, why: Why) {
        if self.unknown.len() < WHYS_MAX && !self.unknown.contains(&why) {
            self.unknown.push(why);
        }
    }

    fn snippet(&mut self, field: &str, text: &str, offset: Option<usize>) {
        // Beyond this nothing would be shown, whatever the order.
        if !self.shows || field.is_empty() || self.snippets.len() >= 4 * SNIPPETS_MAX {
            return;
        }
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        self.snippets.push(Snippet {
            field: field.to_owned(),
            text: text.chars().take(SNIPPET_CHARACTERS_MAX).map(plain).collect(),
            offset,
        });
    }

    /// Notes why a value that was needed isn't there.
    fn missing(&mut self, value: &Value<'_>) -> Truth {
        if let Value::Unknown(why) | Value::Between(_, _, Some(why)) = value {
            self.why(*why);
        }
        Truth::Unknown
    }
}
