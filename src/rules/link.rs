//! Conditions joined into a set: each compiled against the names of all, and put into an order in
//! which what a condition refers to comes before it.
//!
//! Named conditions go in; out come compiled ones and their order, or diagnostics with places in
//! the files, cycles told with their path. Knows nothing of scores or evidence.

use super::compile::{self, Atoms, Names, RuleRef};
use super::diagnostic::{Diagnostic, Level, SLOW_PATTERN};
use super::lists::List;
use super::pack::Condition;
use super::read_ahead::{self, Read};
use super::source::Source;
use super::syntax;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Names that a wrong one is compared with: as many wrong ones may have to be.
const SUGGESTIONS_MAX: usize = 1_000;
/// Names of a cycle that are shown.
const CYCLE_SHOWN_MAX: usize = 8;

/// A condition that others can refer to: a rule or a define.
pub(super) struct Named<'n> {
    pub name: &'n str,
    pub tags: &'n [String],
    pub written: Written<'n>,
    /// Conditions that belong to it and are evaluated with it: its exceptions.
    pub own: Vec<Written<'n>>,
}

impl<'n> Named<'n> {
    /// Its own condition, and then those that belong to it.
    fn all(&self) -> impl Iterator<Item = Written<'n>> {
        std::iter::once(self.written).chain(self.own.iter().copied())
    }
}

/// A condition's text and its file.
#[derive(Clone, Copy)]
pub(super) struct Written<'n> {
    pub condition: &'n Condition,
    pub source: &'n Arc<Source>,
    /// Whether it came in a pack, which many houses run.
    pub is_packed: bool,
}

/// A [`Named`], compiled.
#[derive(Debug)]
pub(super) struct Linked {
    pub condition: compile::Condition,
    pub own: Vec<compile::Condition>,
}

/// What conditions may refer to.
pub(super) struct Catalogue<'n> {
    pub lists: &'n HashMap<String, Arc<List>>,
    /// Rules and defines by their names.
    pub nodes: BTreeMap<&'n str, usize>,
    /// Older names of rules.
    pub renamed: HashMap<&'n str, usize>,
    pub tags: HashMap<&'n str, Vec<usize>>,
}

/// The catalogue as one condition sees it: sets of rules leave itself out.
struct Seen<'s, 'n> {
    catalogue: &'s Catalogue<'n>,
    current: usize,
}

impl<'n> Catalogue<'n> {
    /// Of all rules and defines. `renamed` gives (older name, place).
    pub(super) fn new(
        named: &[Named<'n>],
        renamed: HashMap<&'n str, usize>,
        lists: &'n HashMap<String, Arc<List>>,
    ) -> Self {
        let mut tags: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, node) in named.iter().enumerate() {
            for tag in node.tags {
                tags.entry(tag).or_default().push(at);
            }
        }
        Self {
            lists,
            nodes: named.iter().enumerate().map(|(at, node)| (node.name, at)).collect(),
            renamed,
            tags,
        }
    }
}

impl Names for Seen<'_, '_> {
    fn list(&self, name: &str) -> Option<Arc<List>> {
        self.catalogue.lists.get(name).map(Arc::clone)
    }

    fn rule(&self, name: &str) -> Option<RuleRef> {
        let nodes = self.catalogue.nodes.get(name);
        nodes.or_else(|| self.catalogue.renamed.get(name)).copied().map(RuleRef)
    }

    fn rules_starting(&self, prefix: &str) -> Vec<RuleRef> {
        self.catalogue
            .nodes
            .range(prefix..)
            .take_while(|(name, _)| name.starts_with(prefix))
            .map(|(_, at)| *at)
            .filter(|at| *at != self.current)
            .map(RuleRef)
            .collect()
    }

    fn rules_tagged(&self, tag: &str) -> Vec<RuleRef> {
        let tagged = self.catalogue.tags.get(tag).into_iter().flatten();
        tagged.copied().filter(|at| *at != self.current).map(RuleRef).collect()
    }

    fn list_names(&self) -> Vec<&str> {
        self.catalogue
            .lists
            .keys()
            .take(SUGGESTIONS_MAX)
            .map(String::as_str)
            .collect()
    }

    fn rule_names(&self) -> Vec<&str> {
        self.catalogue.nodes.keys().take(SUGGESTIONS_MAX).copied().collect()
    }
}

/// Compiles every condition. `None` in place of one that doesn't compile; then there is an error.
pub(super) fn compile_all(
    named: &[Named<'_>],
    catalogue: &Catalogue<'_>,
    atoms: &mut Atoms,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Option<Linked>> {
    let mut linked = Vec::with_capacity(named.len());
    for (number, batch) in named.chunks(read_ahead::BATCH).enumerate() {
        let texts = batch
            .iter()
            .flat_map(Named::all)
            .map(|written| &*written.condition.text);
        let texts: Vec<&str> = texts.collect();
        let ahead = read_ahead::read(&texts, |source| atoms.knows(source));
        let (conditions, patterns): (Vec<Read>, Vec<_>) = ahead.into_iter().unzip();
        atoms.expect(patterns.into_iter().flatten());
        let mut read = conditions.into_iter();
        for (place, node) in batch.iter().enumerate() {
            let current = number * read_ahead::BATCH + place;
            let seen = Seen { catalogue, current };
            let conditions = node.all().zip(&mut read);
            let compiled: Vec<Option<_>> = conditions
                .map(|(written, read)| compile_one(written, read, &seen, atoms, diagnostics))
                .collect();
            let mut compiled = compiled.into_iter();
            let condition = compiled.next().flatten();
            let own: Option<Vec<_>> = compiled.collect();
            linked.push(condition.zip(own).map(|(condition, own)| Linked { condition, own }));
        }
    }
    linked
}

fn compile_one(
    written: Written<'_>,
    (expr, problems): Read,
    seen: &Seen<'_, '_>,
    atoms: &mut Atoms,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<compile::Condition> {
    let failed = problems.iter().any(|problem| problem.level == Level::Error);
    report(written, problems, diagnostics);
    let expr = expr.filter(|_| !failed)?;
    let (condition, problems) = compile::compile(&expr, seen, atoms);
    report(written, problems, diagnostics);
    for pattern in condition.iter().flat_map(compile::Condition::slow_patterns) {
        let at = written.condition.text.find(pattern.as_str()).unwrap_or(0);
        let span = written.condition.place(&(at..at + pattern.len()));
        let message = "this pattern requires no literal text, so it runs on every message";
        let told = match written.is_packed {
            true => Diagnostic::error(SLOW_PATTERN, written.source, span, message),
            false => Diagnostic::warning(SLOW_PATTERN, written.source, span, message),
        };
        diagnostics.push(told.help(
            "let it require a word; where the text is always short, say so on its line: # allow: slow-pattern, why",
        ));
    }
    condition
}

fn report(written: Written<'_>, problems: Vec<syntax::Problem>, diagnostics: &mut Vec<Diagnostic>) {
    for problem in problems {
        diagnostics.push(Diagnostic {
            level: problem.level,
            code: problem.code,
            message: problem.message,
            source: Arc::clone(written.source),
            span: written.condition.place(&problem.span),
            help: problem.help,
            notes: Vec::new(),
        });
    }
}

/// An order in which every condition comes after those that it refers to.
///
/// # Errors
/// A diagnostic for each cycle, at the condition that closes it.
pub(super) fn order(named: &[Named<'_>], linked: &[Linked]) -> Result<Vec<usize>, Vec<Diagnostic>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Fresh,
        Open,
        Done,
    }
    let edges: Vec<Vec<usize>> = linked.iter().map(Linked::references).collect();
    let mut marks = vec![Mark::Fresh; linked.len()];
    let (mut order, mut cycles) = (Vec::with_capacity(linked.len()), Vec::new());
    for start in 0..linked.len() {
        // Depth first with a stack of our own: chains of references may be long.
        let mut path: Vec<(usize, usize)> = Vec::new();
        if marks.get(start) == Some(&Mark::Fresh) {
            path.push((start, 0));
        }
        while let Some((at, next)) = path.last_mut() {
            let at = *at;
            if let Some(mark) = marks.get_mut(at) {
                *mark = Mark::Open;
            }
            let target = edges.get(at).and_then(|edges| edges.get(*next)).copied();
            *next += 1;
            match target.map(|target| (target, marks.get(target))) {
                Some((target, Some(Mark::Fresh))) => path.push((target, 0)),
                Some((target, Some(Mark::Open))) => cycles.push(cycle(named, &path, target)),
                Some(_) => {}
                None => {
                    if let Some(mark) = marks.get_mut(at) {
                        *mark = Mark::Done;
                    }
                    order.push(at);
                    path.pop();
                }
            }
        }
    }
    if cycles.is_empty() {
        Ok(order)
    } else {
        Err(cycles.into_iter().flatten().collect())
    }
}

fn cycle(named: &[Named<'_>], path: &[(usize, usize)], target: usize) -> Option<Diagnostic> {
    let from = path.iter().position(|(at, _)| *at == target)?;
    let ring: Vec<&str> = path
        .iter()
        .skip(from)
        .chain(path.get(from))
        .filter_map(|(at, _)| named.get(*at).map(|node| node.name))
        .collect();
    let shown = if ring.len() > CYCLE_SHOWN_MAX {
        let head = ring.get(..CYCLE_SHOWN_MAX).unwrap_or_default().join(" → @");
        format!("@{head} → … ({} in all)", ring.len() - 1)
    } else {
        format!("@{}", ring.join(" → @"))
    };
    let node = named.get(path.last()?.0)?;
    let message = format!("conditions refer to each other in a circle: {shown}");
    let span = node.written.condition.literal.clone();
    Some(Diagnostic::error("cycle", node.written.source, span, message))
}

impl Linked {
    /// What it and its own conditions refer to.
    pub(super) fn references(&self) -> Vec<usize> {
        let conditions = std::iter::once(&self.condition).chain(&self.own);
        conditions
            .flat_map(|condition| condition.references().iter().map(|rule| rule.0))
            .collect()
    }
}
