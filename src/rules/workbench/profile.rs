//! What rules cost on real mail: time and steps of each rule, define and regex.
//!
//! One message's evidence after the other goes in, with a clock that somebody else reads; sums come out.
//! A define counts for itself, not for the rule that asked for it first; a regex counts for itself and
//! for its rule. Knows nothing of how the clock is read, or of parsing.

use super::Workbench;
use crate::evidence::Evidence;
use crate::rules::RuleSet;
use crate::rules::compile::{Condition, RuleRef};
use crate::rules::evaluate::{Scope, Watch};
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// Tells the time spent so far.
pub type Stopwatch<'c> = dyn Fn() -> Duration + 'c;

/// What something cost in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// How often it was done.
    pub times: u64,
    /// Its time.
    pub time: Duration,
    /// The longest of them.
    pub longest: Duration,
    /// Steps of the budget; for a regex, bytes that it ran over.
    pub steps: u64,
    /// The most steps at once.
    pub steps_most: u64,
}

/// Sums over the messages so far.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// Messages.
    pub messages: u64,
    /// Fields that rules ask for were read: text rendered, links and attachments listed.
    pub reading: Duration,
    /// The literals of all rules were looked for.
    pub scanning: Duration,
    /// Each rule and define, by its place among conditions.
    conditions: BTreeMap<usize, Spent>,
    /// Each regex, by the condition that it stands in and as it is written there.
    patterns: BTreeMap<(usize, String), Spent>,
}

/// A line of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'s> {
    /// The rule's id, or a define's name with its `@`.
    pub name: String,
    /// `file:line`.
    pub place: String,
    /// Of a regex: as written.
    pub pattern: Option<&'s str>,
    /// Whether it is a regex that requires no literal text, so that nothing spares it.
    pub is_slow: bool,
    /// What it cost.
    pub spent: Spent,
}

impl Spent {
    fn add(&mut self, time: Duration, steps: u64) {
        self.merge(&Self {
            times: 1,
            time,
            longest: time,
            steps,
            steps_most: steps,
        });
    }

    fn merge(&mut self, other: &Self) {
        self.times += other.times;
        self.time += other.time;
        self.longest = self.longest.max(other.longest);
        self.steps += other.steps;
        self.steps_most = self.steps_most.max(other.steps_most);
    }
}

impl Profile {
    /// Profiles one message. `reading_the_clock` is what that costs by itself, and isn't counted.
    pub fn of(set: &RuleSet, evidence: &Evidence<'_, '_>, clock: &Stopwatch<'_>, reading_the_clock: Duration) -> Self {
        let observer = Observer {
            clock,
            reading_the_clock,
            state: RefCell::default(),
        };
        let begun = clock();
        let mut read = begun;
        let scanned = {
            let mut scope = Scope::new(evidence, set.scanner()).watched(&observer);
            let fields = set.needs().iter().map(|(name, _)| *name);
            scope.look_ahead(fields, || read = clock());
            let scanned = clock();
            set.decide(&mut scope, evidence.now);
            scanned
        };
        let state = observer.state.into_inner();
        Self {
            messages: 1,
            reading: read.saturating_sub(begun),
            scanning: scanned.saturating_sub(read),
            conditions: state.conditions,
            patterns: state.patterns,
        }
    }

    /// Adds what other messages cost.
    pub fn merge(&mut self, other: &Self) {
        self.messages += other.messages;
        self.reading += other.reading;
        self.scanning += other.scanning;
        for (at, spent) in &other.conditions {
            self.conditions.entry(*at).or_default().merge(spent);
        }
        for (key, spent) in &other.patterns {
            match self.patterns.get_mut(key) {
                Some(known) => known.merge(spent),
                None => drop(self.patterns.insert(key.clone(), *spent)),
            }
        }
    }

    /// What all rules and defines cost.
    pub fn deciding(&self) -> Duration {
        self.conditions.values().map(|spent| spent.time).sum()
    }

    /// Every rule and define of the set that made the profile, the dearest first.
    pub fn conditions(&self, bench: &Workbench<'_>) -> Vec<Row<'static>> {
        let rows = (0..).map_while(|at| {
            let (name, place) = bench.called(RuleRef(at))?;
            Some(Row {
                name,
                place,
                pattern: None,
                is_slow: false,
                spent: self.conditions.get(&at).copied().unwrap_or_default(),
            })
        });
        dearest(rows.collect())
    }

    /// Every regex that ran, the dearest first.
    pub fn patterns<'s>(&'s self, bench: &Workbench<'_>) -> Vec<Row<'s>> {
        let rows = self.patterns.iter().filter_map(|((at, written), spent)| {
            let (name, place) = bench.called(RuleRef(*at))?;
            let slow = bench
                .set
                .condition(RuleRef(*at))
                .map_or(&[][..], Condition::slow_patterns);
            Some(Row {
                name,
                place,
                pattern: Some(written),
                is_slow: slow.contains(written),
                spent: *spent,
            })
        });
        dearest(rows.collect())
    }
}

impl Workbench<'_> {
    /// How a condition is called, and where it stands.
    fn called(&self, at: RuleRef) -> Option<(String, String)> {
        let written = self.written(at)?;
        let name = match self.set.rule_of(at, Timestamp::MIN) {
            Some(rule) => rule.id.clone(),
            None => format!("@{}", written.name),
        };
        Some((name, format!("{}:{}", written.source.name, written.line)))
    }
}

/// Of those that cost the same the order of the set stays.
fn dearest(mut rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    rows.sort_by_key(|row| std::cmp::Reverse((row.spent.time, row.spent.steps)));
    rows
}

struct Observer<'c> {
    clock: &'c Stopwatch<'c>,
    reading_the_clock: Duration,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Conditions under way, outermost first, each with what it has cost so far.
    open: Vec<(usize, Duration, u64)>,
    since: Duration,
    pattern_since: Duration,
    conditions: BTreeMap<usize, Spent>,
    patterns: BTreeMap<(usize, String), Spent>,
}

impl Observer<'_> {
    /// Charges what went by to the condition under way.
    fn charge(&self, state: &mut State, steps: u64) {
        let now = (self.clock)();
        let went_by = now.saturating_sub(state.since).saturating_sub(self.reading_the_clock);
        if let Some((_, time, taken)) = state.open.last_mut() {
            *time += went_by;
            *taken += steps;
        }
        state.since = now;
    }
}

impl Watch for Observer<'_> {
    fn begins(&self, condition: RuleRef, steps: u64) {
        let mut state = self.state.borrow_mut();
        self.charge(&mut state, steps);
        state.open.push((condition.0, Duration::ZERO, 0));
    }

    fn ends(&self, steps: u64) {
        let mut state = self.state.borrow_mut();
        self.charge(&mut state, steps);
        if let Some((at, time, taken)) = state.open.pop() {
            state.conditions.entry(at).or_default().add(time, taken);
        }
    }

    fn pattern_begins(&self) {
        self.state.borrow_mut().pattern_since = (self.clock)();
    }

    fn pattern_ends(&self, written: &str, bytes: usize) {
        let now = (self.clock)();
        let mut state = self.state.borrow_mut();
        let took = now
            .saturating_sub(state.pattern_since)
            .saturating_sub(self.reading_the_clock);
        let at = state.open.last().map_or(usize::MAX, |(at, ..)| *at);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let spent = state.patterns.entry((at, written.to_owned())).or_default();
        spent.add(took, bytes);
        // The two readings that this took are nobody's.
        state.since += self.reading_the_clock * 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::compile::house::Scene;
    use crate::rules::source::{Root, Source};
    use std::cell::Cell;
    use std::sync::Arc;

    fn set(rules: &[(&str, &str)], defines: &[(&str, &str)]) -> RuleSet {
        let rules = rules.iter().map(|(id, when)| {
            format!("[[rule]]\nid = '{id}'\nsummary = 'x'\ncategory = 'spam'\nseverity = 'low'\nscore = 1.0\nwhen = '''{when}'''\n")
        });
        let defines = defines
            .iter()
            .map(|(name, when)| format!("[[define]]\nname = '{name}'\nwhen = '''{when}'''\n"));
        let root = Root {
            files: vec![Arc::new(Source::new(
                "rules.toml",
                rules.chain(defines).collect::<String>(),
            ))],
            ..Root::default()
        };
        RuleSet::from_roots(vec![root], "2026-01-05T09:00:00Z".parse().unwrap())
            .unwrap()
            .set
    }

    /// A clock that goes on by a second whenever it is read, so that what is told is how often it was.
    fn profile(set: &RuleSet) -> Profile {
        let seconds = Cell::new(0);
        let clock = || {
            seconds.set(seconds.get() + 1);
            Duration::from_secs(seconds.get())
        };
        Scene::new().see(|evidence| Profile::of(set, evidence, &clock, Duration::ZERO))
    }

    fn told(rows: &[Row<'_>]) -> Vec<(String, u64, u64)> {
        rows.iter()
            .map(|row| (row.name.clone(), row.spent.times, row.spent.time.as_secs()))
            .collect()
    }

    fn row(name: &str, times: u64, seconds: u64) -> (String, u64, u64) {
        (name.to_owned(), times, seconds)
    }

    #[test]
    fn each_condition_is_charged_with_its_own_time() {
        let rules = [
            ("ONE", "subject == 'x'"),
            ("TWO", "@slow and subject != ''"),
            ("THREE", "@slow"),
        ];
        let set = set(&rules, &[("slow", "links.length > 0")]);
        let profile = profile(&set);
        assert_eq!((profile.reading.as_secs(), profile.scanning.as_secs()), (1, 1));
        // The first that asks for the define waits for it, before and after; nobody pays for it twice.
        assert_eq!(
            told(&profile.conditions(&Workbench::new(&set))),
            [
                row("TWO", 1, 2),
                row("@slow", 1, 1),
                row("ONE", 1, 1),
                row("THREE", 1, 1)
            ]
        );
        assert_eq!(profile.deciding().as_secs(), 5);
        let steps: Vec<u64> = profile
            .conditions(&Workbench::new(&set))
            .iter()
            .map(|row| row.spent.steps)
            .collect();
        assert!(steps.iter().all(|steps| *steps > 0), "{steps:?}");
    }

    #[test]
    fn regexes_are_told_with_their_rules_and_whether_they_are_slow() {
        let rules = [
            ("GATED", "body.text.matches(/neverseen[0-9]/)"),
            (
                "RUNS",
                r"body.text.matches(/[a-z]+[0-9]{9}/) or subject.matches(/[a-z]{40}/)",
            ),
        ];
        let set = set(&rules, &[]);
        let profile = profile(&set);
        let bench = Workbench::new(&set);
        let rows = profile.patterns(&bench);
        assert!(
            !rows.is_empty() && rows.iter().all(|row| row.name == "RUNS" && row.is_slow),
            "{rows:?}"
        );
        let slow = rows.iter().find(|row| row.pattern == Some("/[a-z]+[0-9]{9}/")).unwrap();
        assert_eq!((slow.spent.times, slow.spent.time.as_secs()), (1, 1));
        assert!(
            slow.spent.steps > 0 && slow.place.starts_with("rules.toml:"),
            "{slow:?}"
        );
    }

    #[test]
    fn messages_add_up() {
        let set = set(&[("ONE", "subject == 'x'")], &[]);
        let mut sum = Profile::default();
        (0..3).for_each(|_| sum.merge(&profile(&set)));
        assert_eq!(sum.messages, 3);
        let rows = sum.conditions(&Workbench::new(&set));
        assert_eq!(told(&rows), [row("ONE", 3, 3)]);
        assert_eq!(rows[0].spent.longest.as_secs(), 1);
        assert_eq!(rows[0].spent.steps_most * 3, rows[0].spent.steps);
    }

    #[test]
    fn what_never_ran_is_told_too_and_nobody_changes_what_is_found() {
        let set = set(&[("ONE", "subject == 'x'")], &[("unasked", "links.length > 0")]);
        let rows = profile(&set).conditions(&Workbench::new(&set));
        assert!(rows.contains(&Row {
            name: "@unasked".to_owned(),
            place: "rules.toml:9".to_owned(),
            pattern: None,
            is_slow: false,
            spent: Spent::default(),
        }));
    }
}
