//! Methods of text: needles, regexes, nearness, and what is computed of a text.
//!
//! Literal needles on a text of the message itself become atoms of the shared scan.

use super::atoms::{AtomSet, Needles};
use super::node::{Derivation, GatedPattern, Needle, Node, Subject, Test, TextTest};
use super::pattern::{self, Pattern};
use super::{Compiler, Typed, shown};
use crate::rules::lists::{List, ListKind};
use crate::rules::syntax::tree::Quantity;
use crate::rules::syntax::{Expr, ExprKind, Problem};
use crate::rules::text::folded;
use crate::rules::value::{Base, Kind, Type};
use std::ops::Range;
use std::sync::Arc;

/// The largest distance of `similar_to`.
const DISTANCE_MAX: i64 = 5;

/// Where needles are gathered.
pub(super) enum Scan<'n> {
    /// With all others, for this text of the message.
    Shared(usize),
    /// For the one test.
    Own(&'n mut Needles),
    /// Nowhere: the test looks at an end of the text only.
    None,
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
        let subject = self.subject(base);
        let mut own = Needles::default();
        let needles: Vec<Option<Needle>> = arguments
            .iter()
            .map(|argument| {
                let mut scan = match (test, subject.source) {
                    (Test::Contains, Some(source)) => Scan::Shared(source),
                    (Test::Contains, None) => Scan::Own(&mut own),
                    _ => Scan::None,
                };
                self.needle(argument, name, ignores_case, &mut scan)
            })
            .collect();
        let needles = needles.into_iter().collect::<Option<Vec<_>>>()?;
        let automaton = match own.build() {
            Ok(automaton) => (test == Test::Contains && subject.source.is_none()).then_some(automaton),
            Err(message) => return self.refuse(Problem::error("too-large", expr.span.clone(), message)),
        };
        Some(Typed::condition(Node::Text(Box::new(TextTest {
            test,
            ignores_case,
            subject,
            gate: gate(&needles).filter(|_| test == Test::Contains),
            expires: needles.iter().any(expires),
            needles,
            quantity: Quantity::AtLeast(1),
            automaton,
        }))))
    }

    pub(super) fn subject(&mut self, base: Typed) -> Subject {
        let is_field = !matches!(base.node, Node::Derived { .. } | Node::Arithmetic { .. });
        Subject {
            source: self.atoms.source(&base.node),
            node: Box::new(base.node),
            label: base.label.into(),
            is_field,
        }
    }

    fn needle(&mut self, argument: &Expr, method: &str, ignores_case: bool, scan: &mut Scan<'_>) -> Option<Needle> {
        match &argument.kind {
            ExprKind::Text(text) => {
                if text.is_empty() {
                    self.problems.push(Problem::warning(
                        "empty-needle",
                        argument.span.clone(),
                        "an empty needle never matches",
                    ));
                }
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
            _ => {
                let typed = self.lower(argument)?;
                if is_textual(typed.ty) {
                    return Some(Needle::Dynamic(typed.node));
                }
                let message = format!("{} is {}; `{method}` looks for strings", shown(argument), typed.ty);
                self.refuse(Problem::error("wrong-type", argument.span.clone(), message))
            }
        }
    }

    pub(super) fn literal(&mut self, text: &str, ignores_case: bool, scan: &mut Scan<'_>) -> Needle {
        Needle::Literal {
            text: comparable(text, ignores_case),
            atom: self.atom(scan, text, ignores_case),
        }
    }

    fn atom(&mut self, scan: &mut Scan<'_>, text: &str, ignores_case: bool) -> Option<usize> {
        match scan {
            Scan::Shared(source) => self.atoms.atom(*source, text, ignores_case),
            Scan::Own(needles) => needles.add(text, ignores_case),
            Scan::None => None,
        }
    }

    fn list_needle(
        &mut self,
        argument: &Expr,
        list: Arc<List>,
        ignores_case: bool,
        scan: &mut Scan<'_>,
    ) -> Option<Needle> {
        if matches!(list.kind(), ListKind::Table | ListKind::Cidr) {
            let message = format!("`${}` is a list of kind {}", list.name(), list.kind().as_str());
            let problem = Problem::error("wrong-type", argument.span.clone(), message);
            return self.refuse(match list.kind() {
                ListKind::Table => problem.help(format!("write ${}.any(row, … row.…)", list.name())),
                _ => problem,
            });
        }
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
            if pattern.can_be_empty {
                self.problems.push(Problem::warning(
                    "matches-anything",
                    argument.span.clone(),
                    "this regex matches every text, for it can match nothing at all",
                ));
            }
            let gate = match (subject.source, &pattern.required) {
                (Some(source), Some(texts)) => {
                    let atoms = texts.iter().map(|text| self.atoms.atom(source, text, true));
                    atoms.collect::<Option<Vec<_>>>().unwrap_or_default()
                }
                _ => Vec::new(),
            };
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
        if pattern.can_be_empty {
            let message = "a regex that can match nothing at all can't be counted";
            return self.refuse(Problem::error("empty-match", only.span.clone(), message));
        }
        let label = base.label;
        let node = Node::CountMatches {
            subject: Box::new(base.node),
            pattern: Box::new(pattern),
        };
        Some(Typed::new(node, Type::One(Base::Int)).called(label))
    }

    fn pattern(&mut self, argument: &Expr) -> Option<Pattern> {
        let ExprKind::Regex { pattern, flags } = &argument.kind else {
            let problem = Problem::error(
                "wrong-type",
                argument.span.clone(),
                format!("{} is no regex", shown(argument)),
            );
            return self.refuse(match &argument.kind {
                ExprKind::Text(text) => problem.help(format!("write /{}/", text.replace('/', r"\/"))),
                _ => problem.help("a regex stands between slashes: /…/"),
            });
        };
        match pattern::pattern(pattern, flags, &argument.span) {
            Ok(compiled) => {
                if compiled.required.is_none() {
                    self.slow_patterns.push(compiled.written.clone());
                }
                Some(compiled)
            }
            Err(problem) => self.refuse(problem),
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
        let others = vec![self.needle(other, "similar_to", true, &mut Scan::None)?];
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

/// Whether a needle counts only until some day.
fn expires(needle: &Needle) -> bool {
    let Needle::List { list, .. } = needle else {
        return false;
    };
    list.entries().iter().any(|(_, expiry)| expiry.is_some())
}

/// The atoms of all needles, if all have some.
pub(super) fn gate(needles: &[Needle]) -> Option<AtomSet> {
    let atoms = needles.iter().map(|needle| match needle {
        Needle::Literal { atom, .. } => Some(atom.as_slice()),
        Needle::List { atoms, .. } => Some(atoms.as_slice()),
        Needle::Dynamic(_) => None,
    });
    let atoms: Vec<&[usize]> = atoms.collect::<Option<_>>()?;
    Some(atoms.into_iter().flatten().copied().collect())
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
