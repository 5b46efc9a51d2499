//! One generation of rules: loaded whole, never changed, asked once a message.
//!
//! Paths, embedded files or a snapshot go in; evidence in, [`Findings`] out. Knows nothing of
//! scores' sums, thresholds or what is done with a message.

mod asked;
mod parts;

use super::assemble::{self, Options};
use super::compile::{self, Cost, RuleRef, Scanner};
use super::diagnostic::Diagnostic;
use super::evaluate::{OVER_BUDGET, Outcome, Outcomes, Scope, Spent, Truth, evaluate};
use super::held::Held;
use super::link::Linked;
use super::lists::ListKind;
use super::pack::Manifest;
use super::source::{self, Root};
use super::stock::Stock;
use super::stop_watch::{CpuTime, StopWatch};
use super::test_entry::{TestEntry, VerdictTest};
use super::wakers::Wakers;
use super::{Finding, Findings, Memory, RuleInfo, RuleSpent, Status, Undecided, embedded, snapshot};
use crate::evidence::Evidence;
use crate::evidence::identity::Protected;
use jiff::Timestamp;
use ring::digest::{Context, SHA256};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A set that loaded, and what its authors should look at.
#[derive(Debug)]
pub struct Loaded {
    /// The set.
    pub set: RuleSet,
    /// Sorted warnings.
    pub warnings: Vec<Diagnostic>,
}

/// A generation of rules.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Arc<RuleInfo>>,
    /// For a rule that ends: when, and how it counts from then on.
    endings: Vec<Option<(Timestamp, Arc<RuleInfo>)>>,
    details: Vec<Details>,
    by_id: HashMap<String, usize>,
    nodes: Vec<Node>,
    /// How many of the nodes, at the front, are defines.
    defines: usize,
    order: Vec<usize>,
    /// Which of them, by their places in the order, a message has evaluated.
    wakers: Wakers,
    scanner: Scanner,
    /// All but regexes, told when it is first asked for.
    memory: OnceLock<Memory>,
    packs: Vec<Manifest>,
    lists: Vec<ListInfo>,
    needs: Vec<(&'static str, Cost)>,
    protected: Protected,
    /// Told when it is first asked for: what tests run on never is.
    sha256: OnceLock<String>,
    pub(super) roots: Vec<Root>,
    pub(super) tests: Vec<Arc<[TestEntry]>>,
    pub(super) verdict_tests: Vec<(usize, VerdictTest)>,
    pub(super) roots_of_rules: Vec<usize>,
    pub(super) stock: Arc<Stock>,
}

/// What is known of a rule beside its [`RuleInfo`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Who answers for it.
    pub owner: String,
    /// Where to read more.
    pub references: Vec<String>,
    /// Legitimate mail that it may match.
    pub false_positives: Vec<String>,
    /// The condition as written.
    pub condition: String,
    /// When it stops acting.
    pub expires: Option<Timestamp>,
}

/// A rule's text, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleText<'s> {
    /// The rule.
    pub id: &'s str,
    /// A digest of what it says and does.
    pub digest: String,
    /// When its file was last changed; `None` of what came with the program.
    pub modified: Option<Timestamp>,
}

/// A list of the set, for gauges and the shrink guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListInfo {
    /// Without the `$`.
    pub name: String,
    /// What its entries are.
    pub kind: ListKind,
    /// How many, expired ones counted.
    pub entries: usize,
    /// When its file was last changed, where one is known.
    pub modified: Option<Timestamp>,
}

/// How many rules act.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that act.
    pub active: usize,
    /// Those that are only counted, expired ones among them.
    pub shadow: usize,
}

/// What [`assemble`] made.
pub(super) struct Parts {
    pub rules: Vec<RuleInfo>,
    pub details: Vec<Details>,
    pub defines: usize,
    pub linked: Vec<Linked>,
    pub order: Vec<usize>,
    pub scanner: Scanner,
    /// Name and end of each rule's exceptions, in the order of [`Linked::own`].
    pub exceptions: Vec<Vec<(String, Timestamp)>>,
    /// Whom the lists protect.
    pub protected: Protected,
    pub tests: Vec<Arc<[TestEntry]>>,
    pub verdict_tests: Vec<(usize, VerdictTest)>,
    pub roots_of_rules: Vec<usize>,
}

#[derive(Debug)]
struct Node {
    linked: Linked,
    exceptions: Vec<(String, Timestamp)>,
    /// Whether what it says depends on who asks: a define through which a rule that may not act is seen.
    two_faced: bool,
    /// Its place among the outcomes that are kept, where others refer to it.
    kept: Option<usize>,
}

/// What the rules of a set that are awake came to on one message. The others are false.
#[derive(Default)]
struct Evaluated {
    /// Those that didn't come to false, in their order, exceptions applied.
    outcomes: Vec<(usize, Outcome)>,
    /// Rules and the exceptions that suppressed them.
    excepted: Vec<(String, String)>,
    /// What each took. Defines count with the rule that first asks, or not at all.
    spent: Vec<(usize, Spent)>,
}

impl Evaluated {
    /// A rule that refers to one over its budget is as good as over its own.
    fn note(&mut self, rule: Option<usize>, spent: Spent, outcome: &Outcome) {
        let is_over = spent.is_over || outcome.unknown.contains(&OVER_BUDGET);
        self.spent.extend(rule.map(|rule| (rule, Spent { is_over, ..spent })));
    }
}

impl RuleSet {
    /// Reads rules from files and folders; `now` tells what has expired.
    ///
    /// # Errors
    /// Everything that is wrong, sorted, warnings among it. Nothing is loaded in part.
    pub fn load(paths: &[PathBuf], now: Timestamp) -> Result<Loaded, Vec<Diagnostic>> {
        Self::load_with(paths, now, Arc::default())
    }

    /// The same, to follow another set: what is unchanged is taken over from it, so that reading, building
    /// and compiling take as long as what has changed.
    ///
    /// # Errors
    /// As [`Self::load`]. The other set is as it was.
    pub fn load_after(paths: &[PathBuf], now: Timestamp, before: &Self) -> Result<Loaded, Vec<Diagnostic>> {
        Self::load_with(paths, now, Arc::clone(&before.stock))
    }

    fn load_with(paths: &[PathBuf], now: Timestamp, before: Arc<Stock>) -> Result<Loaded, Vec<Diagnostic>> {
        let options = Options::all(now, before);
        for _ in 0..source::READS_MAX {
            let loaded = assemble::assemble(source::read(paths)?, &options)?;
            // Files that changed meanwhile may have been read in part before that and in part after.
            if loaded.set.roots.iter().all(Root::stands) {
                return Ok(loaded);
            }
        }
        let name = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
        Err(vec![source::changing(name)])
    }

    /// The shipped rules, embedded in the binary.
    ///
    /// # Errors
    /// As [`Self::load`]; a test keeps the shipped rules free of any.
    pub fn load_embedded(now: Timestamp) -> Result<Loaded, Vec<Diagnostic>> {
        Self::from_roots(vec![embedded::root()], now)
    }

    /// The last good set, as [`Self::snapshot`] left it in this folder.
    ///
    /// # Errors
    /// When there is none, when it was changed or cut short, or as [`Self::load`].
    pub fn load_snapshot(folder: &Path, now: Timestamp) -> Result<Loaded, Vec<Diagnostic>> {
        Self::from_roots(snapshot::read(folder)?, now)
    }

    /// Keeps the texts of this set in a folder, so that a restart with broken files can begin from them.
    ///
    /// # Errors
    /// Of the file system; then what was there before still is.
    pub fn snapshot(&self, folder: &Path) -> std::io::Result<()> {
        snapshot::write(folder, &self.roots, self.sha256())
    }

    pub(super) fn from_roots(roots: Vec<Root>, now: Timestamp) -> Result<Loaded, Vec<Diagnostic>> {
        assemble::assemble(roots, &Options::all(now, Arc::default()))
    }

    pub(super) fn new(
        parts: Parts,
        packs: Vec<Manifest>,
        lists: Vec<ListInfo>,
        roots: Vec<Root>,
        stock: Stock,
    ) -> Self {
        let defines = parts.defines;
        let endings = parts.rules.iter().zip(&parts.details).map(|(rule, details)| {
            let expired = RuleInfo {
                status: Status::Shadow,
                ..rule.clone()
            };
            details.expires.map(|end| (end, Arc::new(expired)))
        });
        let endings: Vec<_> = endings.collect();
        let may_not_act: Vec<bool> = parts
            .rules
            .iter()
            .zip(&endings)
            .map(|(rule, ending)| rule.status == Status::Shadow || ending.is_some())
            .collect();
        let mut two_faced = vec![false; parts.linked.len()];
        for at in &parts.order {
            let depends = |to: &usize| match to.checked_sub(defines) {
                Some(rule) => may_not_act.get(rule) == Some(&true),
                None => two_faced.get(*to) == Some(&true),
            };
            let depends = *at < defines
                && parts
                    .linked
                    .get(*at)
                    .is_some_and(|node| node.references().iter().any(depends));
            if let Some(two_faced) = two_faced.get_mut(*at) {
                *two_faced = depends;
            }
        }
        let exceptions = std::iter::repeat_with(Vec::new).take(defines).chain(parts.exceptions);
        let kept = kept(&parts.linked);
        let nodes: Vec<Node> = parts
            .linked
            .into_iter()
            .zip(exceptions)
            .zip(two_faced.into_iter().zip(kept))
            .map(|((linked, exceptions), (two_faced, kept))| Node {
                linked,
                exceptions,
                two_faced,
                kept,
            })
            .collect();
        let needs = needs(&nodes);
        let in_order = parts.order.iter().map(|at| nodes.get(*at));
        let conditions = in_order.map(|node| node.map(|node| &node.linked.condition));
        let wakers = Wakers::new(conditions, &parts.scanner);
        Self {
            by_id: parts
                .rules
                .iter()
                .enumerate()
                .map(|(at, rule)| (rule.id.clone(), at))
                .collect(),
            rules: parts.rules.into_iter().map(Arc::new).collect(),
            endings,
            details: parts.details,
            nodes,
            defines,
            order: parts.order,
            wakers,
            scanner: parts.scanner,
            memory: OnceLock::new(),
            packs,
            lists,
            needs,
            protected: parts.protected,
            sha256: OnceLock::new(),
            roots,
            tests: parts.tests,
            verdict_tests: parts.verdict_tests,
            roots_of_rules: parts.roots_of_rules,
            stock: Arc::new(stock),
        }
    }

    /// What the rules say of one message.
    pub fn evaluate(&self, evidence: &Evidence<'_, '_>) -> Findings {
        self.evaluate_live(evidence, &Held::default(), None)
    }

    /// The same while some rules stand otherwise than they were written, and the time that they take is
    /// watched.
    pub fn evaluate_live(&self, evidence: &Evidence<'_, '_>, held: &Held, clock: Option<CpuTime>) -> Findings {
        let mut scope = Scope::new(evidence, &self.scanner);
        let told = self.outcomes(&mut scope, evidence.now, held, clock);
        self.findings(told, evidence, held)
    }

    /// The same when some facts, by name or group, could not be found out.
    pub(super) fn evaluate_without(&self, evidence: &Evidence<'_, '_>, withheld: &[String]) -> Findings {
        let (mut scope, held) = (Scope::new(evidence, &self.scanner).withhold(withheld), Held::default());
        let told = self.outcomes(&mut scope, evidence.now, &held, None);
        self.findings(told, evidence, &held)
    }

    fn findings(&self, told: Evaluated, evidence: &Evidence<'_, '_>, held: &Held) -> Findings {
        let spent = told.spent.iter().filter_map(|(at, spent)| {
            Some(RuleSpent {
                rule: Arc::clone(self.rules.get(*at)?),
                steps: spent.steps,
                is_over: spent.is_over,
            })
        });
        let mut findings = Findings {
            spent: spent.collect(),
            excepted: told.excepted,
            ..Findings::default()
        };
        for (at, outcome) in told.outcomes {
            let Some(rule) = self.rule_at(at, evidence.now, held) else {
                continue;
            };
            match outcome.truth {
                Truth::True => findings.matched.push(Finding {
                    rule: Arc::clone(rule),
                    evidence: outcome.snippets,
                }),
                Truth::Unknown => findings.undecided.extend(outcome.unknown.iter().map(|why| Undecided {
                    rule: rule.id.clone(),
                    check: why.check,
                    cause: why.cause,
                })),
                Truth::False => {}
            }
        }
        findings
    }

    /// What the rules that are awake came to.
    fn outcomes<'s>(
        &'s self,
        scope: &mut Scope<'s, '_>,
        now: Timestamp,
        held: &'s Held,
        clock: Option<CpuTime>,
    ) -> Evaluated {
        self.told(scope, now, held, clock).1
    }

    /// The same, with what conditions are told of each other.
    fn told<'s>(
        &'s self,
        scope: &mut Scope<'s, '_>,
        now: Timestamp,
        held: &'s Held,
        clock: Option<CpuTime>,
    ) -> (Told<'s>, Evaluated) {
        let mut told = Told {
            set: self,
            now,
            held,
            real: self
                .nodes
                .iter()
                .filter_map(|node| node.kept)
                .map(|_| OnceCell::new())
                .collect(),
            acting: HashMap::new(),
            to_acting: false,
        };
        let mut evaluated = Evaluated::default();
        let woken = self.wakers.woken(scope);
        let mut watch = StopWatch::start(clock);
        for at in woken.iter().filter_map(|place| self.order.get(place).copied()) {
            let Some(node) = self.nodes.get(at).filter(|_| !self.is_lazy(at)) else {
                continue;
            };
            let place = at.checked_sub(self.defines);
            let rule = place.and_then(|place| self.rule_at(place, now, held));
            told.to_acting = rule.is_some_and(|rule| rule.status == Status::Active);
            scope.begins(RuleRef(at));
            let mut outcome = evaluate(&node.linked.condition, scope, &told);
            if let (Truth::True, Some(rule)) = (outcome.truth, rule)
                && let Some(name) = node.exception(scope, &told, now)
            {
                evaluated.excepted.push((rule.id.clone(), name.to_owned()));
                outcome = NOTHING;
            }
            // Through any define an acting rule may see one that is held.
            if node.two_faced || (at < self.defines && !held.is_empty()) {
                told.to_acting = true;
                let outcome = evaluate(&node.linked.condition, scope, &told);
                told.acting.insert(at, outcome);
            }
            scope.ends();
            let spent = scope.take_spent();
            if watch.is_over(spent.steps) {
                outcome = Outcome::unknown(OVER_BUDGET.check, OVER_BUDGET.cause);
            }
            evaluated.note(place, spent, &outcome);
            match place.filter(|_| outcome.truth != Truth::False) {
                Some(place) if node.kept.is_some() => {
                    evaluated.outcomes.push((place, outcome.clone()));
                    told.settle(RuleRef(at), outcome);
                }
                Some(place) => evaluated.outcomes.push((place, outcome)),
                None => told.settle(RuleRef(at), outcome),
            }
        }
        evaluated.outcomes.sort_by_key(|(place, _)| *place);
        (told, evaluated)
    }

    /// Whether a node is a define that refers to nothing: it is evaluated when first asked for.
    fn is_lazy(&self, at: usize) -> bool {
        let is_leaf = |node: &Node| node.linked.condition.references().is_empty();
        at < self.defines && self.nodes.get(at).is_some_and(is_leaf)
    }

    /// What one rule came to, whether it acts or not, with some facts unknown. `None` without such a rule.
    pub(super) fn outcome_of(&self, id: &str, evidence: &Evidence<'_, '_>, withheld: &[String]) -> Option<Outcome> {
        let at = self.by_id.get(id)?;
        let mut scope = Scope::new(evidence, &self.scanner).withhold(withheld);
        let told = self.outcomes(&mut scope, evidence.now, &Held::default(), None);
        let own = told.outcomes.into_iter().find(|(place, _)| place == at);
        Some(own.map_or(NOTHING, |(_, outcome)| outcome))
    }

    /// What each rule came to, whether it acts or not, by its id.
    #[cfg(test)]
    pub(super) fn rule_outcomes(
        &self,
        evidence: &Evidence<'_, '_>,
        withheld: &[String],
        held: &Held,
    ) -> Vec<(String, Outcome)> {
        let mut scope = Scope::new(evidence, &self.scanner).withhold(withheld);
        let told = self.outcomes(&mut scope, evidence.now, held, None);
        let mut all: Vec<_> = self.rules.iter().map(|rule| (rule.id.clone(), NOTHING)).collect();
        for (place, outcome) in told.outcomes {
            all[place].1 = outcome;
        }
        all
    }

    /// Every list that a condition refers to.
    #[cfg(test)]
    pub(super) fn lists_in_use(&self) -> Vec<Arc<super::lists::List>> {
        let conditions = self
            .nodes
            .iter()
            .flat_map(|node| std::iter::once(&node.linked.condition).chain(&node.linked.own));
        conditions.flat_map(|condition| condition.lists().to_vec()).collect()
    }

    fn rule_at<'s>(&'s self, at: usize, now: Timestamp, held: &'s Held) -> Option<&'s Arc<RuleInfo>> {
        match self.endings.get(at) {
            Some(Some((end, expired))) if now >= *end => Some(expired),
            _ => self.rules.get(at).map(|rule| held.standing(rule)),
        }
    }

    /// What each rule says and does, to tell whether that has changed.
    pub fn texts(&self) -> impl Iterator<Item = RuleText<'_>> {
        let rules = self.rules.iter().zip(&self.details).zip(self.modified());
        rules.map(|((rule, details), modified)| {
            let acts = (
                rule.category,
                rule.severity,
                rule.score,
                rule.status,
                rule.floor,
                rule.cap,
            );
            let among = (&rule.group, &rule.replaces, &details.condition);
            let sum = ring::digest::digest(&SHA256, format!("{acts:?} {among:?}").as_bytes());
            RuleText {
                id: &rule.id,
                digest: hex(sum.as_ref()),
                modified,
            }
        })
    }

    /// Every rule, in the order of packs, files and lines.
    pub fn rules(&self) -> &[Arc<RuleInfo>] {
        &self.rules
    }

    /// One rule.
    pub fn rule(&self, id: &str) -> Option<&Arc<RuleInfo>> {
        self.by_id.get(id).and_then(|at| self.rules.get(*at))
    }

    /// What else is known of one rule.
    pub fn details(&self, id: &str) -> Option<&Details> {
        self.by_id.get(id).and_then(|at| self.details.get(*at))
    }

    /// The packs in their order; the house's own files stand for one named `house`, a folder each.
    pub fn packs(&self) -> &[Manifest] {
        &self.packs
    }

    /// Every list.
    pub fn lists(&self) -> &[ListInfo] {
        &self.lists
    }

    /// Lower-case hex SHA-256 of everything loaded: the files' contents in order.
    pub fn sha256(&self) -> &str {
        self.sha256.get_or_init(|| digest(&self.roots))
    }

    /// Whom its lists protect: what the evidence that it is asked about must be gathered against.
    pub fn protected(&self) -> &Protected {
        &self.protected
    }

    /// The schema names of the fields that any condition reads, and what they cost, sorted.
    pub fn needs(&self) -> &[(&'static str, Cost)] {
        &self.needs
    }

    /// How many rules act.
    pub fn counts(&self) -> Counts {
        let active = self.rules.iter().filter(|rule| rule.status == Status::Active).count();
        Counts {
            active,
            shadow: self.rules.len() - active,
        }
    }

    /// Whole-verdict tests, for those who can compute a verdict.
    pub fn verdict_tests(&self) -> impl Iterator<Item = &VerdictTest> {
        self.verdict_tests.iter().map(|(_, test)| test)
    }
}

impl Node {
    /// The first exception that is true and hasn't ended.
    fn exception<'s>(&'s self, scope: &mut Scope<'s, '_>, told: &Told<'s>, now: Timestamp) -> Option<&'s str> {
        let exceptions = self.linked.own.iter().zip(&self.exceptions);
        exceptions
            .filter(|(_, (_, end))| now < *end)
            .find(|(condition, _)| evaluate(condition, scope, told).truth == Truth::True)
            .map(|(_, (name, _))| name.as_str())
    }
}

static NOTHING_SAID: Outcome = NOTHING;
const NOTHING: Outcome = Outcome {
    truth: Truth::False,
    snippets: Vec::new(),
    unknown: Vec::new(),
};
/// A rule that doesn't act mustn't act through another.
static HIDDEN: Outcome = Outcome {
    truth: Truth::Unknown,
    snippets: Vec::new(),
    unknown: Vec::new(),
};

/// Outcomes so far. To an acting rule, one that doesn't act is unknown.
pub(super) struct Told<'s> {
    set: &'s RuleSet,
    now: Timestamp,
    held: &'s Held,
    /// Of nodes that others refer to.
    real: Vec<OnceCell<Outcome>>,
    /// Where what acting rules are told differs: defines through which a rule that doesn't act is seen.
    acting: HashMap<usize, Outcome>,
    to_acting: bool,
}

impl Told<'_> {
    fn is_hidden(&self, at: usize) -> bool {
        let place = at.checked_sub(self.set.defines);
        let rule = place.and_then(|place| self.set.rule_at(place, self.now, self.held));
        rule.is_some_and(|rule| rule.status == Status::Shadow)
    }

    fn kept(&self, at: usize) -> Option<&OnceCell<Outcome>> {
        let kept = self.set.nodes.get(at)?.kept?;
        self.real.get(kept)
    }
}

impl<'s> Outcomes<'s> for Told<'s> {
    fn outcome(&self, rule: RuleRef) -> &Outcome {
        if self.to_acting && self.is_hidden(rule.0) {
            return &HIDDEN;
        }
        let differs = if self.to_acting { self.acting.get(&rule.0) } else { None };
        let real = || self.kept(rule.0).and_then(OnceCell::get);
        differs.or_else(real).unwrap_or(&NOTHING_SAID)
    }

    fn pending(&self, rule: RuleRef) -> Option<&'s compile::Condition> {
        let set = self.set;
        let is_open = set.is_lazy(rule.0) && self.kept(rule.0).is_some_and(|outcome| outcome.get().is_none());
        let node = set.nodes.get(rule.0).filter(|_| is_open);
        node.map(|node| &node.linked.condition)
    }

    fn settle(&self, rule: RuleRef, outcome: Outcome) {
        if let Some(real) = self.kept(rule.0) {
            // Each is settled once: in its turn, or when first asked for.
            let _ = real.set(outcome);
        }
    }
}

/// The places of the outcomes that are kept: those of nodes that others refer to.
fn kept(linked: &[Linked]) -> Vec<Option<usize>> {
    let mut kept = vec![None; linked.len()];
    let mut count = 0;
    for at in linked.iter().flat_map(Linked::references) {
        if let Some(place @ None) = kept.get_mut(at) {
            *place = Some(count);
            count += 1;
        }
    }
    kept
}

fn needs(nodes: &[Node]) -> Vec<(&'static str, Cost)> {
    let conditions = nodes
        .iter()
        .flat_map(|node| std::iter::once(&node.linked.condition).chain(&node.linked.own));
    let needs: BTreeMap<&'static str, Cost> = conditions.flat_map(|condition| condition.needs()).copied().collect();
    needs.into_iter().collect()
}

/// Each text with its length before it, so that moving a line between files shows.
fn digest(roots: &[Root]) -> String {
    let mut context = Context::new(&SHA256);
    for root in roots {
        let texts = root.manifest.iter().chain(&root.files).chain(root.lists.values());
        for text in texts {
            context.update(&(text.text.len() as u64).to_be_bytes());
            context.update(text.text.as_bytes());
        }
    }
    hex(context.finish().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
