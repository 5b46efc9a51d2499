//! Atoms: the literal needles of all rules, gathered so that each text is scanned once.
//!
//! Compiling registers the texts of the message that are looked at, and the needles; building makes one
//! automaton of all needles. The conditions that rules share are gathered along with them. Knows nothing
//! of what conditions say.

use super::extent::Extent;
use super::needles::{Automaton, Few, Needles, Scanned};
use super::node::Node;
use super::pattern::Pattern;
use super::patterns::{Patterns, Taken};
use super::required::Literal;
use super::shared::{Places, SharedConditions};
use crate::rules::schema::{Cost, FIELDS, Field};
use crate::rules::syntax::Problem;
use crate::rules::value::{Items, Value};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// At most so many needles are looked for one by one: HTML sources, which are long, have few.
const FEW_MAX: usize = 12;

/// Gathers the literal needles of a whole set of conditions, so that each text of a message is
/// scanned once for all of them.
#[derive(Debug, Default)]
pub struct Atoms {
    /// Each with the atoms that are looked for in it.
    sources: Vec<(Source, Vec<usize>)>,
    needles: Needles,
    patterns: Patterns,
    /// Regexes of an earlier set, to be taken over where they are written alike.
    before: Arc<Patterns>,
    pub(super) shared: SharedConditions,
    pub(super) extent: Extent,
}

/// A text of the message: a field or what is reached from it by members; or of a list, all its items'.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// A row of the fields' table.
    pub field: usize,
    /// Members, from the field or its items on.
    members: Vec<&'static Field>,
    /// Whether it is the text of every item, one after the other.
    pub is_of_items: bool,
}

/// The texts that conditions look at, and the one automaton for them all. Texts that are alike share
/// one scan. `Send + Sync`.
#[derive(Debug)]
pub struct Scanner {
    sources: Vec<(Source, Wanted)>,
    automaton: Automaton,
    shared: Places,
    patterns: Arc<Patterns>,
}

/// What is looked for in a text.
#[derive(Debug)]
enum Wanted {
    /// So few needles that looking for one after the other is faster.
    Few(Few),
    /// Every needle, but the shortest, which take a pass of their own.
    AllButShort,
    /// Every needle.
    All,
}

impl Atoms {
    /// For a set that follows another, whose regexes these are.
    pub(crate) fn after(before: Arc<Patterns>) -> Self {
        Self {
            before,
            ..Self::default()
        }
    }

    /// Whether a regex written so needn't be read any more.
    pub(crate) fn knows(&self, source: &str) -> bool {
        self.patterns.holds(source) || self.before.holds(source)
    }

    /// Takes regexes that were read before the conditions that hold them are compiled.
    pub(crate) fn expect(&mut self, ahead: impl Iterator<Item = Pattern>) {
        self.patterns.expect(ahead);
    }

    /// The regex of a literal whose first slash stands at `span.start`.
    pub(super) fn pattern(&mut self, text: &str, flags: &str, span: &Range<usize>) -> Result<Taken, Problem> {
        self.patterns.take(&self.before, (text, flags), span)
    }

    /// The place of a text among those scanned, if it is a text of the message itself, or, as the second
    /// says, of an item of a list in it. `lists` tells the field whose items a lambda's name stands for.
    pub(super) fn source(&mut self, node: &Node, lists: impl Fn(usize) -> Option<usize>) -> Option<(usize, bool)> {
        let mut members = Vec::new();
        let mut node = node;
        let (field, is_of_items) = loop {
            match node {
                Node::Member { base, field } => {
                    members.push(*field);
                    node = base;
                }
                Node::Field(field) => break (*field, false),
                Node::Variable(slot) => break (lists(*slot)?, true),
                _ => return None,
            }
        };
        members.reverse();
        let source = Source {
            field,
            members,
            is_of_items,
        };
        let found = self.sources.iter().position(|(known, _)| known.is_same(&source));
        let place = found.unwrap_or_else(|| {
            self.sources.push((source, Vec::new()));
            self.sources.len() - 1
        });
        Some((place, is_of_items))
    }

    /// The place of a needle that is looked for in a text among the atoms; `None` for an empty needle.
    pub(super) fn atom(&mut self, source: Option<usize>, needle: &str, ignores_case: bool) -> Option<usize> {
        let atom = self.needles.add(needle, ignores_case)?;
        if let Some((_, atoms)) = source.and_then(|source| self.sources.get_mut(source)) {
            atoms.push(atom);
        }
        Some(atom)
    }

    /// The same of what a regex requires, which counts only with what stands around it.
    pub(super) fn literal(&mut self, source: usize, literal: &Literal) -> Option<usize> {
        let atom = self.needles.add_within(&literal.text, &literal.tests)?;
        if let Some((_, atoms)) = self.sources.get_mut(source) {
            atoms.push(atom);
        }
        Some(atom)
    }

    /// Has every place of a needle noted, not only the first.
    pub(super) fn want_all_places(&mut self, atom: usize) {
        self.needles.want_all_places(atom);
    }

    /// Builds the automaton. Conditions compiled with these atoms are evaluated with this scanner.
    pub fn build(self) -> Scanner {
        let automaton = self.needles.build();
        let mut patterns = self.patterns;
        patterns.expect(std::iter::empty());
        let wanted = |mut atoms: Vec<usize>| {
            atoms.sort_unstable();
            atoms.dedup();
            if atoms.len() <= FEW_MAX {
                Wanted::Few(automaton.few(&atoms))
            } else if atoms.iter().any(|atom| automaton.is_short(*atom)) {
                Wanted::All
            } else {
                Wanted::AllButShort
            }
        };
        let sources = self.sources.into_iter().map(|(source, atoms)| (source, wanted(atoms)));
        Scanner {
            sources: sources.collect(),
            automaton,
            shared: self.shared.places(),
            patterns: Arc::new(patterns),
        }
    }
}

impl Source {
    fn is_same(&self, other: &Self) -> bool {
        let names = |source: &Self| source.members.iter().map(|member| member.name).collect::<Vec<_>>();
        (self.field, self.is_of_items) == (other.field, other.is_of_items) && names(self) == names(other)
    }

    /// The text in the field's value; `None` where there is none, or not of every item.
    pub(crate) fn text<'e>(&self, root: &Value<'e>) -> Option<Cow<'e, str>> {
        if !self.is_of_items {
            return self.member(root).into_text();
        }
        let Value::List(Items { items, .. }) = root else {
            return None;
        };
        // A needle that seems to stand across two items is looked for again in each.
        let mut joined = String::new();
        for item in items.iter() {
            joined.push_str(&self.member(item).into_text()?);
            joined.push('\n');
        }
        Some(Cow::Owned(joined))
    }

    fn member<'e>(&self, root: &Value<'e>) -> Value<'e> {
        let mut members = self.members.iter();
        let Some(first) = members.next() else {
            return root.clone();
        };
        members.fold(first.read_member(root), |value, member| member.read_member(&value))
    }
}

impl Scanner {
    /// How many texts it scans.
    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    /// What looking for needles takes.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.sources.capacity() * size_of::<(Source, Wanted)>() + self.automaton.heap_bytes()
    }

    /// Every regex of the conditions.
    pub(crate) fn patterns(&self) -> &Arc<Patterns> {
        &self.patterns
    }

    /// Where the truths of shared conditions are remembered.
    pub(crate) fn shared(&self) -> &Places {
        &self.shared
    }

    /// Scans one of them.
    pub(crate) fn scan<'e>(&self, source: usize, text: Cow<'e, str>) -> Scanned<'e> {
        match self.sources.get(source) {
            Some((_, Wanted::Few(few))) => self.automaton.find_few(few, text),
            Some((_, Wanted::AllButShort)) => self.automaton.scan(text, false),
            Some((_, Wanted::All)) | None => self.automaton.scan(text, true),
        }
    }

    /// Scans a text that is none of the message's own.
    pub(crate) fn scan_other<'e>(&self, text: Cow<'e, str>) -> Scanned<'e> {
        self.automaton.scan(text, true)
    }

    /// Whether a scan of one text says all that one of another would, were the texts alike.
    pub(crate) fn says_all(&self, source: usize, of: usize) -> bool {
        let wanted = |source: usize| self.sources.get(source).map(|(_, wanted)| wanted);
        match wanted(source) {
            Some(Wanted::All) => true,
            Some(Wanted::AllButShort) => matches!(wanted(of), Some(Wanted::AllButShort)),
            Some(Wanted::Few(_)) | None => false,
        }
    }

    /// One of the texts.
    pub(crate) fn source(&self, source: usize) -> Option<&Source> {
        self.sources.get(source).map(|(source, _)| source)
    }

    /// Whether one of the texts is mostly long.
    pub(crate) fn is_long(&self, source: usize) -> bool {
        let field = self.source(source).and_then(|source| FIELDS.get(source.field));
        field.is_some_and(|field| field.cost == Cost::Text)
    }

    /// How many atoms there are.
    pub(crate) fn atoms(&self) -> usize {
        self.automaton.atoms()
    }

    /// How many bytes an atom has, folded.
    pub(crate) fn atom_bytes(&self, atom: usize) -> usize {
        self.automaton.atom_bytes(atom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::compile::needles::PLACES_MAX;
    use crate::rules::compile::pattern::pattern;
    use crate::rules::compile::states::LONG_BYTES_MIN;
    use crate::rules::text::folded;

    const TEXTS: [&str; 6] = [
        "",
        "Pay NOW, payment due",
        "aAa aaA",
        "Zahlung f\u{e4}llig: F\u{c4}LLIG",
        "\u{212a}ey \u{1e9e} key",
        "nothing here",
    ];
    const NEEDLES: [(&str, bool); 9] = [
        ("pay", true),
        ("NOW", false),
        ("aA", false),
        ("aaa", true),
        ("f\u{e4}llig", true),
        ("F\u{c4}LLIG", false),
        ("key", true),
        ("due", false),
        ("payment", true),
    ];

    /// A scanner of one text, with so many needles beside those of interest.
    fn scanner(needles: &[(&str, bool)], others: usize) -> Scanner {
        let mut atoms = Atoms::default();
        let source = atoms.source(&Node::Field(0), |_| None).map(|(place, _)| place);
        for (needle, ignores_case) in needles {
            atoms.atom(source, needle, *ignores_case).unwrap();
        }
        for number in 0..others {
            // A long name for many, which are too many for the table then.
            let name = format!("other {number}{}", " and more of it".repeat(others / 2_000));
            atoms.atom(source, &name, true).unwrap();
        }
        atoms.build()
    }

    /// Where a needle stands first, found the slow way.
    fn expected(text: &str, needle: &str, ignores_case: bool) -> Option<usize> {
        let wanted = folded(needle);
        let mut places = text.char_indices().map(|(at, _)| at);
        places.find(|at| match ignores_case {
            true => folded(&text[*at..]).starts_with(&*wanted),
            false => text[*at..].starts_with(needle),
        })
    }

    fn check(scanner: &Scanner, text: &str) {
        let scanned = scanner.scan(0, text.into());
        for (atom, (needle, ignores_case)) in NEEDLES.iter().enumerate() {
            let first = expected(text, needle, *ignores_case);
            assert_eq!(scanned.hit(atom), first, "{needle} in {text}");
        }
    }

    #[test]
    fn few_needles_and_many_are_found_alike() {
        for others in [0, FEW_MAX - NEEDLES.len(), FEW_MAX - NEEDLES.len() + 1, 100, 10_000] {
            let scanner = scanner(&NEEDLES, others);
            assert_eq!(scanner.says_all(0, 0), NEEDLES.len() + others > FEW_MAX);
            TEXTS.into_iter().for_each(|text| check(&scanner, text));
        }
    }

    #[test]
    fn needles_are_found_wherever_a_long_text_is_cut() {
        for others in [100, 10_000] {
            let scanner = scanner(&NEEDLES, others);
            for filler in ["x", "\u{e9}"] {
                let length = LONG_BYTES_MIN / filler.len();
                for (length, at) in [length - 20, length, length + 20]
                    .into_iter()
                    .flat_map(|length| (0..length).step_by(29).map(move |at| (length, at)))
                {
                    let (before, after) = (filler.repeat(at), filler.repeat(length - at));
                    check(&scanner, &format!("{before}Pay NOW, F\u{c4}LLIG{after} pay now"));
                }
            }
        }
    }

    #[test]
    fn a_set_of_atoms_is_asked_at_once() {
        let scanned = scanner(&NEEDLES, 200).scan(0, "other 130".into());
        for (atoms, seen) in [
            (vec![0, 1, 70], false),
            (vec![0, NEEDLES.len() + 130], true),
            (vec![], false),
        ] {
            assert_eq!(scanned.holds_any(&atoms.iter().copied().collect()), seen, "{atoms:?}");
        }
    }

    #[test]
    fn looks_around_a_needle_end_and_then_every_place_passes() {
        let mut atoms = Atoms::default();
        let (source, _) = atoms.source(&Node::Field(0), |_| None).unwrap();
        let variants: Vec<usize> = (0..200)
            .map(|number| {
                let regex = pattern(&format!(r"pay\s+{number:03}"), "", &(0..0)).unwrap();
                let [literal] = regex.required.as_deref().unwrap() else {
                    panic!("one literal")
                };
                assert_eq!(literal.text, "pay");
                let atom = atoms.literal(source, literal).unwrap();
                atoms.want_all_places(atom);
                atom
            })
            .collect();
        let exact = atoms.atom(Some(source), "PAY", false).unwrap();
        let scanner = atoms.build();
        // Some regexes can't be told from each other by what is looked at.
        let distinct = variants.iter().collect::<std::collections::HashSet<_>>().len();
        let text = |times: usize| format!("{}PAY", "pay-zz ".repeat(times));
        for times in 1..140 {
            let scanned = scanner.scan(source, text(times).into());
            let is_beyond = (times + 1) * distinct >= 10_000 + 8 * text(times).len();
            let passes = variants.iter().any(|atom| scanned.hit(*atom).is_some());
            assert_eq!(passes, is_beyond, "{times}");
            assert_eq!(scanned.hit(exact), Some(7 * times), "case is still looked at");
        }
        // However long the text.
        let scanned = scanner.scan(source, text(2_000).into());
        let counts: Vec<usize> = variants.iter().map(|atom| scanned.places(*atom).count()).collect();
        assert!(
            counts.iter().all(|count| *count > usize::from(PLACES_MAX)),
            "{counts:?}"
        );
    }

    #[test]
    fn all_places_are_told_where_they_are_wanted_up_to_a_limit() {
        let mut atoms = Atoms::default();
        let source = atoms.source(&Node::Field(0), |_| None).map(|(place, _)| place);
        for needle in ["account", "pay", "once", "other", "more"] {
            let atom = atoms.atom(source, needle, true).unwrap();
            if needle != "once" {
                atoms.want_all_places(atom);
            }
        }
        let scanner = atoms.build();
        let most = usize::from(PLACES_MAX);
        for (count, told) in [
            (most - 1, most - 1),
            (most, most),
            (most + 1, most + 1),
            (most + 2, most + 1),
        ] {
            let scanned = scanner.scan(0, "\u{c4}ccount pay once, ACCOUNT ".repeat(count).into());
            for (atom, expected) in [(0, told), (1, told), (2, 1), (3, 0)] {
                assert_eq!(scanned.places(atom).count(), expected, "{atom} {count}");
            }
            assert_eq!(scanned.places(1).nth(1), Some(27 + 9));
        }
    }
}
