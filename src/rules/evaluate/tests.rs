//! What the language means, one row a construct: T true, F false, A unknown because the message
//! lacks it, U unknown because it could not be found out.

use super::*;
use crate::evidence::Kept;
use crate::rules::compile::house::{House, Scene};
use crate::rules::compile::{Atoms, Condition};
use proptest::prelude::*;

pub(super) fn letter(outcome: &Outcome) -> char {
    match outcome.truth {
        Truth::True => 'T',
        Truth::False => 'F',
        Truth::Unknown if outcome.unknown.is_empty() => 'A',
        Truth::Unknown => 'U',
    }
}

pub(super) fn table(rows: &str) {
    let (house, scene) = (House::new(), Scene::new());
    for row in rows.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (expected, text) = row.split_once(' ').unwrap();
        let outcome = house.judge(text, &scene);
        assert_eq!(letter(&outcome).to_string(), expected, "{text}: {outcome:?}");
        // In a set that asks it again, on its own and within another, it says the same.
        let within = format!("({text}) and true");
        for told in house.judge_set(&[text, text, &within, text], &scene) {
            assert_eq!(told, outcome, "{text}, asked again");
        }
    }
}

/// The whole column is looked for first; whether a row meets the rest is told as ever.
#[test]
fn rows_whose_cells_are_looked_for_are_told_as_ever() {
    table(
        "T $vips.any(v, from.name.icontains(v.name))
         T $vips.any(v, from.name.icontains(v.name) and from.address not in v.addresses)
         F $vips.any(v, from.name.icontains(v.name) and from.address in v.addresses)
         F $vips.any(v, from.name.contains(v.name) and false)
         F $vips.any(v, subject.icontains(v.name))
         F $vips.any(v, subject.skeleton().icontains(v.name))
         T not $vips.any(v, subject.icontains(v.name))
         F $vips.any(v, subject.icontains(v.name) and @LURE_UNKNOWN)
         U $vips.any(v, from.name.icontains(v.name) and @LURE_UNKNOWN)
         T $vips.any(v, v.name.icontains(v.name))
         T any of ($vips.any(v, (subject + from.name).icontains(v.name)), false)",
    );
    let outcome = House::new().judge("$vips.any(v, from.name.icontains(v.name))", &Scene::new());
    assert_eq!(outcome.snippets.len(), 1, "{outcome:?}");
}

#[test]
fn shared_conditions_are_told_for_each_item() {
    let (house, scene) = (House::new(), Scene::new());
    let texts = [
        "header('X-Tag').any(t, t == 'two' and t.length == 3)",
        "header('X-Tag').any(t, t == 'one' and t.length == 3)",
        "header('X-Tag').all(t, t.length == 3 or t == 'x')",
        "header('X-Tag').count(t, t == 'two' and t.length == 3) == 1",
        "header('Subject').any(t, t == 'two' and t.length == 3)",
        "header('X-Tag').any(u, u == 'two' and u.length == 3)",
        "header('X-Tag').any(t, t.length == 3 and header('X-Tag').any(u, u == 'two' and u != t))",
    ];
    let alone: Vec<Outcome> = texts.iter().map(|text| house.judge(text, &scene)).collect();
    let twice = [texts, texts].concat();
    assert_eq!(house.judge_set(&twice, &scene), [alone.clone(), alone].concat());
}

/// `sender.domain` is absent here and `auth.spf` unknown; `@is_absent` and `@LURE_UNKNOWN` too.
#[test]
fn and_or_not_follow_kleene() {
    table(
        "T true and true
         F true and false
         U true and @LURE_UNKNOWN
         A true and @is_absent
         F false and @LURE_UNKNOWN
         F @LURE_UNKNOWN and false
         U @LURE_UNKNOWN and @is_absent
         T true or @LURE_UNKNOWN
         T @LURE_UNKNOWN or true
         U false or @LURE_UNKNOWN
         A false or @is_absent
         F false or false
         U not @LURE_UNKNOWN
         A not @is_absent
         F not true
         T not false
         F not not false",
    );
}

#[test]
fn n_of_counts_what_can_be_told() {
    table(
        "T 1 of (true, false)
         T 2 of (true, @LURE_UNKNOWN, true)
         F 2 of (true, false, false)
         U 2 of (true, @LURE_UNKNOWN, false)
         A 2 of (true, @is_absent, false)
         T any of (false, true)
         T all of (true, true)
         F all of (@LURE_UNKNOWN, false)
         U all of (@LURE_UNKNOWN, true)
         T none of (false, false)
         F none of (@LURE_UNKNOWN, true)
         U none of (@LURE_UNKNOWN, false)
         T any of @LURE_*
         U 2 of @LURE_*
         F 2 of @tag:bec
         T 2 of (@LURE_*, subject.contains('INVOICE'))
         T 2 of subject.icontains('invoice', 'overdue', 'nothing')
         F 3 of subject.icontains('invoice', 'overdue', 'nothing')
         T none of subject.contains('nothing', 'never')
         F all of subject.contains('INVOICE', 'never')
         T 2 of subject.matches(/inv/i, /due$/, /^x/)
         T any of body.text.icontains($brands, 'pay now')
         T 2 of 'Examplebank or Parcelco'.icontains($brands)
         F 2 of 'Examplebank or Examplebank'.icontains($brands)
         T 3 of 'Examplebank or Parcelco'.icontains($brands, 'or')
         F 2 of subject.icontains('invoice', 'INVOICE', 'nothing')
         F none of @LURE_*
         U all of (@LURE_TRUE, @LURE_UNKNOWN)
         A 2 of subject.contains('INVOICE', sender.domain)",
    );
}

#[test]
fn absent_and_unknown_decide_nothing_in_comparisons() {
    table(
        "A sender.domain == from.domain
         A sender.domain != from.domain
         A not sender.domain == from.domain
         A sender.domain in $org_domains
         A sender.domain not in $org_domains
         A sender.name.contains('x')
         A sender.domain.host.matches(/x/)
         A sender.domain.host.similar_to('x', 1)
         A envelope.from == 'a@b.example'
         A envelope.from in ['a@b.example']
         A auth.arc == 'pass'
         U auth.spf == 'pass'
         U auth.spf != 'pass'
         U auth.spf in ['pass']
         U auth.spf.icontains('p')
         U auth.aligned
         U not auth.aligned
         U identity.lookalike_of == 'x.example'
         U body.phones.any(p, p == '1')
         U body.phones.length > 0
         U received.any(r, r.trusted)
         U received.all(r, r.trusted)
         A links.any(l, l.target.domain == 'nowhere.example')
         T links.any(l, l.target.domain == 'evil.example')
         A links.all(l, l.target.domain != 'nowhere.example')
         F links.all(l, l.target.domain != 'evil.example')
         A sender.domain == auth.dkim_domains.first
         A attachments.first.name == 'x'
         A antivirus.infected
         T from.domain not in $partners",
    );
}

#[test]
fn presence_knowledge_and_defaults_are_asked_for() {
    table(
        "F present(sender)
         T present(from)
         F present(sender.domain)
         U present(auth.spf)
         T present(subject)
         F present(list_id)
         F present(attachments)
         T present(links)
         F known(auth.spf)
         T known(sender)
         T known(subject)
         F known(received.any(r, r.trusted))
         T known(sender.domain == from.domain)
         T (sender.domain ?? from.domain) == 'mail.sender.example'
         T auth.spf ?? 'none' == 'none'
         F auth.aligned ?? false
         T (auth.aligned ?? true) and true
         T auth.arc ?? auth.spf ?? 'none' == 'none'
         T from.domain ?? 'x.example' == 'mail.sender.example'
         F (sender.domain == from.domain) ?? false",
    );
}

#[test]
fn fields_are_read() {
    table(
        "T direction == 'inbound'
         T client.ip == '192.0.2.7'
         T client.ip in $networks
         T client.port == 4321
         F present(client.tls)
         T helo == 'mx.sender.example'
         T 'bob@COUNCIL.example' in envelope.to
         T envelope.to.length == 2
         T message.size > 500B and message.size < 1KB
         T message.id == 'id-1@sender.example'
         T message.date == 2027-01-04 + 9h
         T message.age == 3h and message.age < 1d
         T now - message.date == 180m
         T now > 2027-01-01
         T header('x-mailer').any(h, h.starts_with('Foo'))
         T header('X-Tag').length == 2
         T 'two' in header('X-Tag')
         F 'three' in header('X-Tag')
         T header_raw('X-Tag').first.contains('one')
         T headers.names.any(n, n.iequals('x-mailer'))
         T subject == 'Re: Your INVOICE is overdue'
         T subject_base == 'Your INVOICE is overdue'
         T thread.is_reply
         T from.name == 'Jane DOE'
         T from.address == 'Jane@mail.sender.example'
         T from.local == 'jane' and from.address.local == 'jane'
         T from.domain == 'MAIL.sender.example'
         T from.address.domain == from.domain
         T from.domain.site == 'sender.example'
         T from.domain.label == 'sender' and from.domain.subdomain == 'mail'
         T from.domain.tld == 'example'
         F from.domain.is_ip or from.domain.is_punycode
         T from.domain.host.ends_with('.example')
         T reply_to.any(r, r.domain != from.domain)
         T to.any(t, t.name == 'Bob')
         T to.length == 2 and cc.length == 0
         T received.first.ip == client.ip
         F is_bulk or is_auto
         T auth.dmarc == 'fail'
         T history.from.messages_before == 0
         A history.from.first_seen < now
         T parts.length == 1 and parts.first.type == 'text/html'",
    );
}

#[test]
fn links_are_read() {
    table(
        "T links.any(l, l.shown.domain.site != l.target.domain.site)
         T links.any(l, l.target in $bad_urls)
         T links.any(l, l.target.names_recipient)
         T links.any(l, l.target.param('user') == 'bob@council.example')
         T links.any(l, l.target.param('x') == 'a b')
         T links.any(l, l.target.param('none') == '')
         T links.any(l, l.target.scheme == 'https' and l.target.path == '/login')
         T links.any(l, l.shown.text.icontains('council'))
         T links.any(l, l.target == 'https://council.example/a')
         T links.any(l, l.target.icontains('EVIL'))
         A links.count(l, l.target.domain == 'evil.example') == 1
         T links.count(l, l.target.domain == 'evil.example') >= 1
         F links.count(l, l.target.domain == 'evil.example') >= 3
         U received.count(r, r.trusted) >= 1
         T received.count(r, r.trusted) < 100
         T links.distinct(l, l.target.domain).length >= 2
         T links.distinct(l, l.origin).length == 1
         T links.any(l, l.target.domain.host.contains('evil') and links.any(m, m.target.domain != l.target.domain))
         F links.any(l, l.target.url in ['nothing'])",
    );
}

#[test]
fn a_list_cut_short_is_never_wholly_seen() {
    let (house, mut scene) = (House::new(), Scene::new());
    scene.limits.links = 1;
    for (expected, text) in [
        ('T', "links.any(l, l.target.domain == 'www.bank.example')"),
        ('U', "links.any(l, l.target.domain == 'council.example')"),
        ('U', "links.all(l, l.target.domain == 'www.bank.example')"),
        ('F', "links.all(l, l.target.domain == 'council.example')"),
        ('T', "links.length >= 1"),
        ('U', "links.length > 5"),
        ('F', "links.length < 1"),
        ('U', "links.count(l, l.target.is_ip) < 100"),
        ('U', "links.distinct(l, l.target.domain).length == 1"),
        ('T', "present(links)"),
    ] {
        let outcome = house.judge(text, &scene);
        assert_eq!(letter(&outcome), expected, "{text}: {outcome:?}");
    }
}

#[test]
fn text_is_tested() {
    table(
        "T subject.contains('INVOICE')
         F subject.contains('invoice')
         T subject.icontains('nothing', 'invoice')
         F subject.contains('')
         F subject.icontains('', 'nothing')
         T subject.starts_with('Re:')
         F subject.starts_with('re:')
         T subject.istarts_with('re: YOUR')
         T subject.ends_with('overdue')
         T subject.iends_with('OVERDUE')
         T subject.iequals('re: your invoice is overdue')
         F subject.iequals('re: your invoice')
         T from.name.iequals($names)
         T from.name in $names
         F from.name in $brands
         T from.domain.contains('sender')
         T from.address.iends_with('@MAIL.sender.example')
         T client.ip == '::ffff:192.0.2.7'
         T body.text.icontains('pay now')
         T body.text.contains('Please pay')
         F body.text.contains('please pay')
         T body.text.icontains('straße')
         F body.text.contains('strasse')
         T body.text.icontains('σίσυφος')
         T body.text.icontains('ΣΊΣΥΦΟΣ')
         F body.text.icontains('istanbul')
         T body.text.icontains('İSTANBUL')
         T body.text.skeleton().icontains('paypal')
         F body.text.icontains('paypal')
         T subject.lower() == 're: your invoice is overdue'
         T subject.length == 27
         T body.html.contains('<p>')
         T body.text.matches(/sort\\s+code/i)
         F body.text.matches(/sort code/)
         T body.text.matches(/^please/im)
         T body.text.matches(/\\bpay\\b/)
         T body.text.count(/\\d\\d-\\d\\d-\\d\\d/) == 2
         T body.text.domains().any(d, d == 'www.bank.example')
         T 'billing@pay.example' in body.text.addresses()
         T from.domain.site.host.similar_to('sonder.example', 1)
         F from.domain.site.host.similar_to('sender.example', 1)
         F from.domain.site.host.similar_to('other.example', 1)
         F from.domain.site.similar_to($org_domains, 2)
         T 'Examplebanc'.similar_to($brands, 1)
         F 'Examplebank'.similar_to($brands, 5)
         F 'EXAMPLEBANK'.similar_to('examplebank', 1)
         T links.any(l, l.shown.text.icontains($brands))
         T subject.icontains(subject_base)
         T subject.contains('Re: ' + subject_base)
         F subject.contains(list_id)
         T body.text.icontains('x', 'y', 'PLEASE')",
    );
}

#[test]
fn values_are_computed_and_compared() {
    table(
        "T 1 + 2 * 3 == 7
         T -1 < 0 and - -1 == 1
         T 1.5 * 2 == 3
         T 2 > 1.5
         T 5MB == 5000KB and 1KiB == 1024B
         T 9223372036854775807 + 1 == 9223372036854775807
         T 2h - 30m == 90m and 2 * 30m == 1h
         T 2027-01-02 - 2027-01-01 == 1d
         T 2027-01-01 + 1d == 2027-01-02
         T 'a' + 'b' == 'ab'
         T 'a' in ['a', 'b'] and 'c' not in ('a', 'b')
         F 1 in []
         T 2 in [1, 2.0]
         T true == (1 == 1)
         A sender.domain in ['a.example']
         U 'x' in [auth.spf]
         T 'x' in [auth.spf, 'x']
         T from.domain in ['mail.sender.example']
         T from.domain in [auth.dkim_domains.first ?? 'mail.sender.example']
         A now + 100000000d > now",
    );
}

#[test]
fn lists_are_walked() {
    table(
        "T from.domain in $org_domains
         F 'sender.org' in $org_domains
         T $org_domains.any(d, from.domain.site == d)
         T $brands.any(b, 'xParcelcox'.contains(b))
         T $vips.any(v, from.name.iequals(v.name) and from.address not in v.addresses)
         F $vips.any(v, from.address in v.addresses)
         T $vips.length == 1 and $vips.first.name == 'Jane Doe'
         T from.address not in $people and 'jane@SENDER.example' in $people
         F attachments.any(a, a.sha256 in $hashes)
         T attachments.all(a, a.size > 1GB)
         T $hashes.length == 0",
    );
}

#[test]
fn what_archived_mail_lacks_is_unknown() {
    let (house, mut scene) = (House::new(), Scene::new());
    scene.kept = Kept::NOTHING;
    for field in [
        "client.ip == '192.0.2.7'",
        "present(envelope.from)",
        "helo == 'x'",
        "direction == 'inbound'",
    ] {
        let outcome = house.judge(field, &scene);
        assert_eq!(
            outcome.unknown.first().map(|why| why.cause),
            Some("not-kept"),
            "{field}"
        );
    }
    assert_eq!(letter(&house.judge("subject.contains('Re:')", &scene)), 'T');
}

#[test]
fn facts_are_withheld_by_name_and_by_group() {
    let (house, mut scene) = (House::new(), Scene::new());
    scene.withheld = vec!["auth".to_owned(), "body.text".to_owned()];
    for text in [
        "auth.dmarc == 'fail'",
        "body.text.icontains('pay now')",
        "body.text.matches(/pay now/)",
    ] {
        let outcome = house.judge(text, &scene);
        assert_eq!(outcome.unknown.first().map(|why| why.cause), Some("stated"), "{text}");
    }
    assert_eq!(letter(&house.judge("body.new.icontains('pay now')", &scene)), 'T');
}

#[test]
fn snippets_show_what_decided() {
    let (house, scene) = (House::new(), Scene::new());
    for (text, expected) in [
        ("subject.icontains('invoice')", &[("subject", "INVOICE", Some(9))][..]),
        ("subject.contains('INVOICE')", &[("subject", "INVOICE", Some(9))]),
        ("subject.matches(/over\\w+/)", &[("subject", "overdue", Some(20))]),
        ("subject.lower().contains('invoice')", &[("subject", "invoice", None)]),
        ("subject.iends_with('DUE')", &[("subject", "due", Some(24))]),
        (
            "from.domain == 'mail.sender.example'",
            &[("from.domain", "mail.sender.example", None)],
        ),
        (
            "'mail.sender.example' == from.domain",
            &[("from.domain", "mail.sender.example", None)],
        ),
        (
            "from.domain not in $partners",
            &[("from.domain", "mail.sender.example", None)],
        ),
        ("message.age > 1h", &[("message.age", "3h", None)]),
        (
            "links.any(l, l.shown.text == 'Council')",
            &[("links.shown.text", "Council", None)],
        ),
        ("header('X-Tag').any(h, h == 'two')", &[("header.X-Tag", "two", None)]),
        ("@LURE_TRUE", &[("subject", "seen", None)]),
        ("not subject.contains('nothing')", &[]),
        ("thread.is_reply", &[("thread.is_reply", "true", None)]),
        (
            "links.any(l, not l.target.is_ip)",
            &[("links", "www.bank.example", None)],
        ),
        ("to.any(t, t.name.length > 2)", &[("to.name.length", "3", None)]),
        (
            "to.any(t, not present(t.name))",
            &[("to", "carol@council.example", None)],
        ),
        (
            "subject.contains('nothing') or is_bulk == false",
            &[("is_bulk", "false", None)],
        ),
        (
            "links.count(l, l.target.domain == 'evil.example') >= 1",
            &[("links", "1 to 2", None)],
        ),
        // In the author's order, though the cheaper is asked first.
        (
            "subject.matches(/over\\w+/) and from.local == 'jane'",
            &[("subject", "overdue", Some(20)), ("from.local", "jane", None)],
        ),
    ] {
        let outcome = house.judge(text, &scene);
        assert_eq!(outcome.truth, Truth::True, "{text}");
        let found: Vec<_> = outcome
            .snippets
            .iter()
            .map(|snippet| (snippet.field.as_str(), snippet.text.as_str(), snippet.offset))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn snippets_lead_back_to_the_original_where_folding_changes_lengths() {
    let (house, mut scene) = (House::new(), Scene::new());
    scene.message = "Subject: =?utf-8?B?4bqeIOG6niBQQVk=?=\r\n\r\nx".to_owned();
    let outcome = house.judge("subject == 'ẞ ẞ PAY' and subject.icontains('pay')", &scene);
    let snippet = outcome.snippets.last().unwrap();
    assert_eq!((snippet.text.as_str(), snippet.offset), ("PAY", Some(8)));
}

#[test]
fn snippets_are_few_and_short() {
    let (house, mut scene) = (House::new(), Scene::new());
    for (length, shown) in [(119, 119), (120, 120), (121, 120)] {
        scene.message = format!("Subject: {}\r\n\r\nx", "é".repeat(length));
        let outcome = house.judge("subject.matches(/.+/)", &scene);
        assert_eq!(outcome.snippets[0].text.chars().count(), shown);
    }
    for (needles, shown) in [(7, 7), (8, 8), (9, 8)] {
        let all: Vec<String> = (0..needles)
            .map(|needle| format!("subject.contains('é', '{needle}')"))
            .collect();
        assert_eq!(house.judge(&all.join(" and "), &scene).snippets.len(), shown);
    }
}

#[test]
fn a_rule_over_its_budget_is_unknown() {
    let (house, mut scene) = (House::new(), Scene::new());
    let spent = Outcome::unknown("rule", "budget");
    let text = "true and true and true";
    for (steps, expected) in [(6, 'U'), (7, 'T'), (8, 'T')] {
        scene.steps = steps;
        assert_eq!(letter(&house.judge(text, &scene)), expected, "{steps}");
    }
    scene.steps = 1_000;
    let nested = "header('X-Tag').any(a, header('X-Tag').any(b, header('X-Tag').any(c, header('X-Tag').any(d, \
         header('X-Tag').any(e, header('X-Tag').any(f, header('X-Tag').any(g, a + b + c + d == 'x')))))))";
    assert_eq!(house.judge(nested, &scene), spent);
    scene.steps = STEPS_MAX;
    assert_eq!(letter(&house.judge(nested, &scene)), 'F');
}

/// No single one is to blame then: the budget of all was used up by others.
#[test]
fn conditions_are_crowded_out_once_the_message_has_had_its_steps() {
    let (house, scene) = (House::new(), Scene::new());
    let mut atoms = Atoms::default();
    let texts = ["subject.length > 1", "message.size > 1", "parts.length > 0"];
    let conditions = texts.map(|text| house.read(text, &mut atoms).0.unwrap());
    let scanner = atoms.build();
    let judged = |steps: u64| {
        scene.see(|evidence| {
            let mut scope = Scope::new(evidence, &scanner).limit_message_steps(steps);
            let outcomes = conditions
                .each_ref()
                .map(|condition| evaluate(condition, &mut scope, &house));
            (outcomes, scope.take_spent())
        })
    };
    let (outcomes, all) = judged(MESSAGE_STEPS_MAX);
    assert!(outcomes.iter().all(|outcome| outcome.truth == Truth::True) && !all.is_over);
    for (steps, last) in [(all.steps + 1, 'T'), (all.steps, 'T'), (all.steps - 1, 'U')] {
        let (outcomes, spent) = judged(steps);
        assert_eq!(outcomes.each_ref().map(letter), ['T', 'T', last], "{steps}");
        assert!(spent.steps <= steps && !spent.is_over);
        let crowded = outcomes[2].unknown.iter().all(|why| why.cause == "deadline");
        assert!(crowded && outcomes[2].unknown.len() == usize::from(last == 'U'));
    }
}

#[test]
fn the_deepest_condition_is_evaluated() {
    let levels = crate::rules::syntax::DEPTH_MAX;
    table(&format!("T {}true", "not ".repeat(levels - 2)));
    let brackets = format!("{}true{}", "(".repeat(levels - 1), ")".repeat(levels - 1));
    table(&format!("T {brackets}"));
    let lambdas = (levels - 5) / 2;
    let nested = format!(
        "{}true{}",
        "links.any(l, links.any(m, ".repeat(lambdas / 2),
        "))".repeat(lambdas / 2)
    );
    let (house, scene) = (House::new(), Scene::new());
    assert_eq!(house.judge(&nested, &scene).truth, Truth::True);
}

#[test]
fn matches_are_counted_up_to_a_limit() {
    let (house, mut scene) = (House::new(), Scene::new());
    for (matches, exactly, at_least) in [(999, 'T', 'F'), (1_000, 'U', 'T'), (1_001, 'U', 'T')] {
        scene.message = format!("Subject: {}\r\n\r\nx", "a".repeat(matches));
        let exact = house.judge(&format!("subject.count(/a/) == {matches}"), &scene);
        assert_eq!(letter(&exact), exactly, "{matches}");
        assert_eq!(
            letter(&house.judge("subject.count(/a/) >= 1000", &scene)),
            at_least,
            "{matches}"
        );
    }
}

#[test]
fn conditions_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Condition>();
    shared::<Scanner>();
}

#[test]
fn rules_share_one_scan() {
    let (house, scene) = (House::new(), Scene::new());
    let mut atoms = Atoms::default();
    let texts = [
        "subject.icontains('invoice')",
        "subject.contains('nvoi')",
        "subject.contains('INVO')",
    ];
    let conditions = texts.map(|text| house.read(text, &mut atoms).0.unwrap());
    let scanner = atoms.build();
    scene.see(|evidence| {
        let mut scope = Scope::new(evidence, &scanner);
        let truths = conditions
            .each_ref()
            .map(|condition| evaluate(condition, &mut scope, &house).truth);
        assert_eq!(truths, [Truth::True, Truth::False, Truth::True]);
    });
}

/// Conditions of every kind, from few words.
fn conditions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "true",
        "false",
        "@LURE_UNKNOWN",
        "@is_absent",
        "sender.domain == from.domain",
        "auth.spf == 'pass'",
        "subject.icontains('invoice', list_id)",
        "body.text.matches(/\\d+/)",
        "links.any(l, l.target in $bad_urls)",
        "received.count(r, r.trusted) > 1",
        "present(sender)",
        "auth.aligned ?? false",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
            inner.clone().prop_map(|a| format!("not ({a})")),
            inner.clone().prop_map(|a| format!("links.all(l, {a})")),
            inner.clone().prop_map(|a| format!("(({a}) ?? true)")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("2 of ({a}, {b}, {c})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_condition_comes_to_an_end_on_every_message(text in conditions(), message in "[ -~\r\nß-ü]{0,200}", steps in 0_u64..200) {
        let (house, mut scene) = (House::new(), Scene::new());
        scene.message = message;
        let outcome = house.judge(&text, &scene);
        prop_assert!(outcome.truth == Truth::Unknown || outcome.unknown.is_empty());
        prop_assert!(outcome.truth == Truth::True || outcome.snippets.is_empty());
        scene.steps = steps;
        let hurried = house.judge(&text, &scene);
        prop_assert!(hurried == outcome || hurried == Outcome::unknown("rule", "budget"));
    }

    #[test]
    fn negation_swaps_true_and_false(text in conditions()) {
        let (house, scene) = (House::new(), Scene::new());
        let plain = house.judge(&text, &scene).truth;
        prop_assert_eq!(house.judge(&format!("not ({text})"), &scene).truth, !plain);
        prop_assert_eq!(house.judge(&format!("none of ({text})"), &scene).truth, !plain);
    }

    #[test]
    fn the_shared_scan_finds_what_a_search_finds(text in "[aAbBßẞσςΣ ]{0,30}", needle in "[aAbBßẞσςΣ]{1,3}") {
        let (house, mut scene) = (House::new(), Scene::new());
        scene.message = format!("Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}");
        for method in ["icontains", "contains"] {
            // Shared with all rules, the test's own, and a needle that only the message tells.
            let shared = house.judge(&format!("body.text.{method}('{needle}')"), &scene);
            let own = house.judge(&format!("(body.text + '').{method}('{needle}')"), &scene);
            let searched = house.judge(&format!("body.text.{method}('{needle}' + '')"), &scene);
            prop_assert_eq!(shared.truth, searched.truth);
            prop_assert_eq!(own.truth, searched.truth);
            let place = |outcome: &Outcome| outcome.snippets.first().map(|snippet| snippet.text.clone());
            prop_assert_eq!(place(&shared), place(&searched));
        }
    }
}
