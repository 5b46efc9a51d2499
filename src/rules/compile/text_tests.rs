//! Methods of text: needles, regexes, nearness, and what is computed of a text.
//!
//! Literal needles on a text of the message itself become atoms of the shared scan.

use super::idle::Beside;
use super::node::{Derivation, Gate, GatedPattern, Needle, Node, Subject, Test, TextTest};
use super::pattern::{self, Pattern};
use super::patterns::Taken;
use super::required::Reach;
use super::{Compiler, Typed, shown, source};
use crate::rules::lists::{List, ListKind};
use crate::rules::syntax::tree::Quantity;
use crate::rules::syntax::{Expr, ExprKind, Problem};
use crate::rules::text::folded;
use crate::rules::value::{Base, Kind, Type};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// What a regex that is refused takes of the room for all.
const REFUSED_STATES: usize = 1_000;
/// The largest distance of `similar_to`.
const DISTANCE_MAX: i64 = 5;

/// So many needles are found by one scan sooner than one by one, even in a short text.
const MANY_NEEDLES_MIN: usize = 5;

/// Where needles are looked for by scanning.
#[derive(Clone, Copy)]
pub(super) enum Scan {
    /// In this text of the message, or in any.
    In(Option<usize>),
    /// Nowhere: the test looks at an end of the text only.
    Nowhere,
}

impl Compiler<'_> {
    pub(super) fn text_method(
        &mut self,
        expr: &Expr,
        base: Typed,
        (name, name_span): (&str, &Range<usize>),
        arguments: &[Expr],
    ) -> Option<Typed> {
        let (test, ignores_case) = match name {
            "contains" => (Test::Contains, false),
            "icontains" => (Test::Contains, true),
            "starts_with" => (Test::StartsWith, false),
            "istarts_with" => (Test::StartsWith, true),
            "ends_with" => (Test::EndsWith, false),
            "iends_with" => (Test::EndsWith, true),
            "iequals" => (Test::Equals, true),
            "matches" => return self.matches(expr, base, arguments),
            "count" => return self.count_matches(expr, base, arguments),
            "similar_to" => return self.similar(expr, base, arguments),
            _ => return self.derived(expr, base, name, arguments),
        };
        if arguments.is_empty() {
            let message = format!("`{name}` wants something to look for");
            return self.refuse(Problem::error("wrong-arguments", name_span.clone(), message));
        }
        let beside = match (test, ignores_case) {
            (Test::Equals, _) => Some(Beside::EqualInAnyCase),
            (_, false) => Some(Beside::Part),
            (_, true) => None,
        };
        if let (Some(beside), ExprKind::Method { base: text, .. }) = (beside, &expr.kind) {
            arguments
                .iter()
                .for_each(|argument| self.warn_impossible((&base.node, text), argument, beside));
        }
        let subject = self.subject(base);
        let scan = match test {
            Test::Contains => Scan::In(subject.place()),
            _ => Scan::Nowhere,
        };
        self.warn_repeated(arguments, ignores_case);
        let needles: Vec<Option<Needle>> = arguments
            .iter()
            .map(|argument| self.needle(argument, name, ignores_case, scan))
            .collect();
        let needles = needles.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Typed::condition(Node::Text(Box::new(TextTest {
            test,
            ignores_case,
            subject,
            gate: gate(&needles).filter(|_| test == Test::Contains),
            has_many: has_many(&needles) && test == Test::Contains,
            expires: needles.iter().any(expires),
            needles,
            quantity: Quantity::AtLeast(1),
        }))))
    }

    pub(super) fn subject(&mut self, base: Typed) -> Subject {
        let is_field = self.is_of_message(&base.node);
        let variables = &self.variables;
        let place = self.atoms.source(&base.node, |slot| variables.get(slot)?.field);
        let place = |of_items: bool| {
            place
                .filter(|(_, is_of_items)| *is_of_items == of_items)
                .map(|(place, _)| place)
        };
        Subject {
            source: place(false),
            of_items: place(true),
            node: Box::new(base.node),
            label: base.label.into(),
            is_field,
        }
    }

    /// A needle that stands twice counts once, which its author may not have had in mind.
    fn warn_repeated(&mut self, arguments: &[Expr], ignores_case: bool) {
        let mut seen = HashSet::new();
        for argument in arguments {
            if let ExprKind::Text(text) = &argument.kind
                && !seen.insert(comparable(text, ignores_case))
            {
                let message = format!("{} stands here twice", shown(argument));
                let problem = Problem::warning("repeated-needle", argument.span.clone(), message);
                self.problems.push(problem.help("leave it out: it counts once"));
            }
        }
    }

    /// Whether a value stands in the message as it is, so that places in it mean something to a reader.
    pub(super) fn is_of_message(&self, node: &Node) -> bool {
        match node {
            Node::Field(_) | Node::Header { .. } => true,
            Node::Variable(slot) => self.variables.get(*slot).is_some_and(|item| item.is_of_message),
            Node::Member { base, .. }
            | Node::Derived {
                base,
                how: Derivation::First,
            } => self.is_of_message(base),
            _ => false,
        }
    }

    fn needle(&mut self, argument: &Expr, method: &str, ignores_case: bool, scan: Scan) -> Option<Needle> {
        match &argument.kind {
            ExprKind::Text(text) => {
                if text.is_empty() {
                    self.problems.push(Problem::warning(
                        "empty-needle",
                        argument.span.clone(),
                        "an empty needle never matches",
                    ));
                }
                let regex = |regex: &str| format!("write matches(/{regex}/), with an `i` after it for any case");
                self.warn_wildcard(argument, |bare| format!("leave it out: {method}('{bare}')"), regex);
                Some(self.literal(text, ignores_case, scan))
            }
            ExprKind::List(name) => {
                let (_, list) = self.list(&argument.span, name)?;
                self.list_needle(argument, list, ignores_case, scan)
            }
            ExprKind::Regex { .. } => self.refuse(
                Problem::error(
                    "misplaced-regex",
                    argument.span.clone(),
                    format!("`{method}` takes no regex"),
                )
                .help("write matches(/…/)"),
            ),
            ExprKind::Or(links) | ExprKind::Values(links) => {
                let needles = links.iter().map(source).collect::<Vec<_>>().join(", ");
                let message = format!("`{method}` takes its needles one by one");
                let problem = Problem::error("wrong-type", argument.span.clone(), message);
                self.refuse(problem.help(format!("write {method}({needles}): any of them will do")))
            }
            _ => {
                let typed = self.lower(argument)?;
                if is_textual(typed.ty) {
                    return Some(Needle::Dynamic(typed.node));
                }
                let message = format!(
                    "{} is {}; `{method}` looks for strings",
                    shown(argument),
                    typed.ty.indefinite()
                );
                self.refuse(Problem::error("wrong-type", argument.span.clone(), message))
            }
        }
    }

    pub(super) fn literal(&mut self, text: &str, ignores_case: bool, scan: Scan) -> Needle {
        Needle::Literal {
            text: comparable(text, ignores_case),
            atom: self.atom(scan, text, ignores_case),
        }
    }

    fn atom(&mut self, scan: Scan, text: &str, ignores_case: bool) -> Option<usize> {
        match scan {
            Scan::In(source) => self.atoms.atom(source, text, ignores_case),
            Scan::Nowhere => None,
        }
    }

    fn list_needle(&mut self, argument: &Expr, list: Arc<List>, ignores_case: bool, scan: Scan) -> Option<Needle> {
        if matches!(list.kind(), ListKind::Table | ListKind::Cidr) {
            let message = format!("`${}` is a list of kind {}", list.name(), list.kind().as_str());
            let problem = Problem::error("wrong-type", argument.span.clone(), message);
            return self.refuse(match list.kind() {
                ListKind::Table => problem.help(format!("write ${}.any(row, … row.…)", list.name())),
                _ => problem,
            });
        }
        let found = self.atoms.extent.needles(list.len());
        self.room(&argument.span, found)?;
        let texts = list
            .entries()
            .iter()
            .map(|(text, _)| comparable(text, ignores_case))
            .collect();
        let entries = list.entries().iter();
        let atoms = entries
            .filter_map(|(text, _)| self.atom(scan, text, ignores_case))
            .collect();
        Some(Needle::List { list, texts, atoms })
    }

    fn matches(&mut self, expr: &Expr, base: Typed, arguments: &[Expr]) -> Option<Typed> {
        if arguments.is_empty() {
            let message = "`matches` wants a regex";
            return self
                .refuse(Problem::error("wrong-arguments", expr.span.clone(), message).help("write matches(/…/)"));
        }
        let subject = self.subject(base);
        let mut patterns = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let pattern = self.pattern(argument)?;
            self.warn_case(argument, &subject.label);
            if pattern.can_be_empty {
                self.problems.push(Problem::warning(
                    "matches-anything",
                    argument.span.clone(),
                    "this regex matches every text, for it can match nothing at all",
                ));
            }
            let gate = match (subject.place(), &pattern.required) {
                (Some(source), Some(texts)) => {
                    let atoms = texts.iter().map(|text| self.atoms.literal(source, text));
                    atoms.collect::<Option<Vec<_>>>().map(Gate::new)
                }
                _ => None,
            };
            if pattern.reach != Reach::Everywhere && subject.source.is_some() {
                let atoms = gate.iter().flat_map(|gate| &gate.atoms);
                atoms.for_each(|atom| self.atoms.want_all_places(*atom));
            }
            patterns.push(GatedPattern { pattern, gate });
        }
        Some(Typed::condition(Node::Matches {
            subject,
            patterns,
            quantity: Quantity::AtLeast(1),
        }))
    }

    fn count_matches(&mut self, expr: &Expr, base: Typed, arguments: &[Expr]) -> Option<Typed> {
        let [only] = self.exactly(expr, "count", arguments, "(/…/)")?;
        let pattern = self.pattern(only)?;
        self.warn_case(only, &base.label);
        if pattern.can_be_empty {
            let message = "a regex that can match nothing at all can't be counted";
            return self.refuse(Problem::error("empty-match", only.span.clone(), message));
        }
        let label = base.label;
        let node = Node::CountMatches {
            subject: Box::new(base.node),
            pattern,
        };
        Some(Typed::new(node, Type::One(Base::Int)).called(label))
    }

    /// People write the words of a lure in any case; a regex that wants them small is mostly a slip.
    fn warn_case(&mut self, argument: &Expr, label: &str) {
        const PROSE: [&str; 5] = ["subject", "subject_base", "body.text", "body.new", "body.hidden"];
        let ExprKind::Regex { pattern, flags } = &argument.kind else {
            return;
        };
        let is_prose = PROSE.contains(&label) || label.ends_with("shown.text");
        if is_prose && !flags.contains('i') && !pattern.contains("(?i") && pattern::has_small_word(pattern) {
            let message = "this regex wants its words in small letters, and people write them in any case";
            let problem = Problem::warning("case-sensitive", argument.span.clone(), message);
            self.problems.push(problem.help(format!("write /{pattern}/{flags}i")));
        }
    }

    fn pattern(&mut self, argument: &Expr) -> Option<Arc<Pattern>> {
        let ExprKind::Regex { pattern, flags } = &argument.kind else {
            let problem = Problem::error(
                "wrong-type",
                argument.span.clone(),
                format!("{} is no regex", shown(argument)),
            );
            return self.refuse(match &argument.kind {
                ExprKind::Text(text) if is_regex(text) => problem.help(format!("leave the quotes out: {text}")),
                ExprKind::Text(text) => problem.help(format!("write /{}/", text.replace('/', r"\/"))),
                _ => problem.help("a regex stands between slashes: /…/"),
            });
        };
        let found = self.atoms.extent.states(0);
        self.room(&argument.span, found)?;
        match self.atoms.pattern(pattern, flags, &argument.span) {
            Ok(Taken {
                pattern: compiled,
                is_new,
            }) => {
                let found = self.atoms.extent.states(if is_new { compiled.states } else { 0 });
                self.room(&argument.span, found)?;
                if compiled.required.is_none() {
                    self.slow_patterns.push(compiled.source.clone());
                }
                Some(compiled)
            }
            Err(problem) => {
                // Finding out that one is too large takes about as long as compiling the largest.
                let _ = self.atoms.extent.states(REFUSED_STATES);
                self.refuse(problem)
            }
        }
    }

    fn similar(&mut self, expr: &Expr, base: Typed, arguments: &[Expr]) -> Option<Typed> {
        let [other, distance] = self.exactly(expr, "similar_to", arguments, "('text' or $list, 1)")?;
        let distance = match distance.kind {
            ExprKind::Int(number @ 1..=DISTANCE_MAX) => usize::try_from(number).unwrap_or(1),
            _ => {
                let message = format!("{} is no distance", shown(distance));
                let problem = Problem::error("bad-literal", distance.span.clone(), message);
                return self.refuse(problem.help(format!("it is a whole number from 1 to {DISTANCE_MAX}")));
            }
        };
        let others = vec![self.needle(other, "similar_to", true, Scan::Nowhere)?];
        Some(Typed::condition(Node::Similar {
            subject: self.subject(base),
            others,
            distance,
        }))
    }

    fn derived(&mut self, expr: &Expr, base: Typed, name: &str, arguments: &[Expr]) -> Option<Typed> {
        let [] = self.exactly(expr, name, arguments, "()")?;
        let (how, ty) = match name {
            "lower" => (Derivation::Lower, Type::One(Base::Text)),
            "skeleton" => (Derivation::Skeleton, Type::One(Base::Text)),
            "domains" => (Derivation::Domains, Type::Many(Base::Domain)),
            "addresses" => (Derivation::Addresses, Type::Many(Base::Address)),
            _ => (Derivation::Length, Type::One(Base::Int)),
        };
        let node = Node::Derived {
            base: Box::new(base.node),
            how,
        };
        Some(Typed::new(node, ty).called(base.label))
    }
}

/// Whether a string is a regex with its slashes.
fn is_regex(text: &str) -> bool {
    let inner = text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    inner.is_some_and(|(regex, flags)| !regex.is_empty() && flags.chars().all(|flag| "imsxu".contains(flag)))
}

/// Whether a needle counts only until some day.
fn expires(needle: &Needle) -> bool {
    let Needle::List { list, .. } = needle else {
        return false;
    };
    list.entries().iter().any(|(_, expiry)| expiry.is_some())
}

/// The atoms of all needles, if all have some.
pub(super) fn gate(needles: &[Needle]) -> Option<Gate> {
    let atoms = needles.iter().map(|needle| match needle {
        Needle::Literal { atom, .. } => Some(atom.as_slice()),
        Needle::List { atoms, .. } => Some(atoms.as_slice()),
        Needle::Dynamic(_) => None,
    });
    let atoms: Vec<&[usize]> = atoms.collect::<Option<_>>()?;
    Some(Gate::new(atoms.into_iter().flatten().copied().collect()))
}

pub(super) fn has_many(needles: &[Needle]) -> bool {
    let count = needles.iter().map(|needle| match needle {
        Needle::List { texts, .. } => texts.len(),
        Needle::Literal { .. } | Needle::Dynamic(_) => 1,
    });
    count.sum::<usize>() >= MANY_NEEDLES_MIN
}

fn comparable(text: &str, ignores_case: bool) -> String {
    match ignores_case {
        true => folded(text).into_owned(),
        false => text.to_owned(),
    }
}

fn is_textual(ty: Type) -> bool {
    matches!(
        ty,
        Type::One(Base::Text | Base::Address | Base::Domain | Base::Record(Kind::Url))
    )
}
