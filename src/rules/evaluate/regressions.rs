//! Faults that were found in the engine, most by holding it against a plain reading of its rules, a test each.

use super::tests::{letter, table};
use super::{Outcome, Scope, evaluate};
use crate::rules::compile::Atoms;
use crate::rules::compile::house::{House, Scene};
use crate::rules::compile::node::Node;
use std::sync::Arc;

/// How many links lead into a list of domains can't be told where a link has no domain.
#[test]
fn an_uncertain_count_is_neither_in_a_list_nor_out_of_it() {
    table(
        "A links.count(l, l.target.domain == 'evil.example') in [1, 2]
         A links.count(l, l.target.domain == 'evil.example') not in [1, 2]
         F links.count(l, l.target.domain == 'evil.example') in [7, 8]
         T links.count(l, l.target.domain == 'evil.example') not in [7, 8]
         U links.count(l, auth.spf == 'pass') in [0, 9]",
    );
}

#[test]
fn an_uncertain_count_beside_a_fraction_is_told_by_its_bounds() {
    table(
        "A links.count(l, l.target.domain == 'evil.example') > 1.5
         A links.count(l, l.target.domain == 'evil.example') == 1.0
         T links.count(l, l.target.domain == 'evil.example') > 0.5
         F links.count(l, l.target.domain == 'evil.example') > 2.5
         U links.count(l, auth.spf == 'pass') != 1.5",
    );
}

/// The same reason was lost where a condition beside it had named it before.
#[test]
fn what_is_known_doesnt_hang_on_what_was_asked_before() {
    table(
        "F known(links.count(l, auth.spf == 'pass'))
         U auth.spf == 'pass' and known(links.count(l, auth.spf == 'pass')) or auth.spf == 'pass'
         F auth.spf == 'pass' and not known(auth.spf) and known(links.count(l, auth.spf == 'pass'))
         U 2 of (auth.spf == 'pass', known(links.count(l, auth.spf == 'pass')), known(subject))
         U all of (auth.spf == 'pass', not known(links.count(l, auth.spf == 'pass')))
         F none of (auth.spf == 'pass', not known(auth.spf == 'pass'))",
    );
}

#[test]
fn needles_alike_count_once() {
    table(
        "F 2 of subject.icontains('invoice', 'INVOICE')
         F 2 of subject.icontains('invoice', 'Invoice', 'nothing')
         T 2 of subject.icontains('invoice', 'INVOICE', 'overdue')
         T 2 of subject.contains('Your', 'INVOICE', 'Your')
         F 2 of body.text.icontains($org_domains, 'council.example', 'sender.example')
         T all of subject.icontains('invoice', 'INVOICE')
         F 2 of from.name.icontains(from.name, 'jane doe')",
    );
}

/// An offset is one in the field that a snippet names.
#[test]
fn what_is_read_out_of_a_text_has_no_place_in_it() {
    for (text, offset) in [
        ("subject.icontains('invoice')", Some(9)),
        ("body.text.domains().any(d, d.host.contains('bank'))", None),
        ("links.distinct(l, l.target.domain).any(d, d.contains('evil'))", None),
        ("(subject ?? 'invoice').icontains('invoice')", None),
        ("links.any(l, l.target.domain.contains('evil'))", Some(0)),
    ] {
        let outcome = House::new().judge(text, &Scene::new());
        let offsets: Vec<Option<usize>> = outcome.snippets.iter().map(|snippet| snippet.offset).collect();
        assert_eq!(offsets, [offset], "{text}: {outcome:?}");
    }
}

/// Both stand in a comparison; so do they here.
#[test]
fn what_is_looked_for_and_where_are_both_named_when_unknown() {
    let scene = Scene {
        withheld: vec!["body.languages".to_owned()],
        ..Scene::new()
    };
    let outcome = House::new().judge("auth.spf in body.languages", &scene);
    let checks: Vec<&str> = outcome.unknown.iter().map(|why| why.check).collect();
    assert_eq!(checks, ["auth.spf", "body.languages"]);
}

#[test]
fn a_regex_that_turns_out_too_large_is_unknown_and_never_no_match() {
    fn outgrow(node: &mut Node) {
        match node {
            Node::Shared { condition, .. } => outgrow(condition),
            Node::Compare { left, .. } => outgrow(left),
            Node::CountMatches { pattern, .. } => *pattern = Arc::new(pattern.outgrown()),
            Node::Matches { patterns, .. } => patterns
                .iter_mut()
                .for_each(|gated| gated.pattern = Arc::new(gated.pattern.outgrown())),
            _ => panic!("no regex in {node:?}"),
        }
    }
    let (house, scene) = (House::new(), Scene::new());
    for text in ["from.address.matches(/e/)", "from.address.count(/e/) > 0"] {
        assert_eq!(letter(&house.judge(text, &scene)), 'T', "{text}");
        let mut atoms = Atoms::default();
        let mut condition = house.read(text, &mut atoms).0.unwrap();
        outgrow(&mut condition.root);
        let scanner = atoms.build();
        let outcome = scene.see(|evidence| evaluate(&condition, &mut Scope::new(evidence, &scanner), &house));
        assert_eq!(outcome, Outcome::unknown("rule", "limit"), "{text}");
    }
}
