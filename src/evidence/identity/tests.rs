//! What is found of a message against a house with a few partners, and what hostile names cost.

use super::*;
use crate::evidence::{Kept, Outside};
use crate::mail::{Client, Direction, Envelope, Limits, Mail, Message};
use std::fmt::Write;

const NOW: &str = "2026-01-05T09:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// A council, two suppliers, a shop and a chief executive.
fn house() -> Protected {
    let listed = |group, names: &[&str]| {
        let each = names.iter().map(|name| (group, domain(name), None));
        each.collect::<Vec<_>>()
    };
    let ended = Some("2025-12-31T00:00:00Z".parse().unwrap());
    let domains = [
        listed(Group::Organisation, &["northmere.gov.uk", "northmerehomes.co.uk"]),
        listed(
            Group::Partner,
            &["hallett-surfacing.co.uk", "eastvale.gov.uk", "gov.uk", "bt.com"],
        ),
        vec![(Group::Partner, domain("lapsed-supplier.co.uk"), ended)],
    ];
    let organisation = |name: &str, group, sites: &[&str]| Organisation {
        name: name.to_owned(),
        group,
        sites: sites.iter().map(|site| domain(site)).collect(),
        expires: None,
    };
    let organisations = vec![
        organisation("Northmere Borough Council", Group::Organisation, &[]),
        organisation("Hallett Surfacing", Group::Partner, &[]),
        organisation("PayDesk", Group::Brand, &["paydesk.com", "paydesk.de"]),
    ];
    let people = vec![
        Person {
            name: "Cllr Jane Doe".to_owned(),
            role: "Chief Executive".to_owned(),
            addresses: vec!["jane.doe@home.example".to_owned()],
            expires: None,
        },
        Person {
            name: "Tomasz Nowak".to_owned(),
            ..Person::default()
        },
    ];
    Protected::new(domains.concat(), organisations, people)
}

fn see<T>(protected: &Protected, raw: &str, look: impl FnOnce(&Evidence<'_, '_>) -> T) -> T {
    let mail = Mail {
        id: uuid::Uuid::nil(),
        received: now(),
        listener: "in".into(),
        direction: Direction::Inbound,
        client: Client::default(),
        envelope: Envelope::default(),
        bytes: raw.replace('\n', "\r\n").into_bytes().into(),
    };
    let message = Message::parse(&mail.bytes, &Limits::default());
    look(&Evidence {
        now: now(),
        mail: &mail,
        message: &message,
        outside: Outside::stranger(),
        kept: Kept::ALL,
        identity: Identity::against(protected),
    })
}

#[test]
fn a_domain_may_resemble_one_of_ours() {
    let house = house();
    for (name, expected) in [
        ("northmere.gov.uk", None),
        ("mail.northmere.gov.uk", None),
        ("hallett-surfacing.co.uk", None),
        ("northmere.gov.uk.evil.test", Some("northmere.gov.uk subdomain")),
        ("login.northmere-gov-uk.test", Some("northmere.gov.uk subdomain")),
        ("northmere.gov.uk-portal.com", Some("northmere.gov.uk subdomain")),
        ("northmere.gov.uk.com", Some("northmere.gov.uk subdomain")),
        ("northmeregovuk.test", Some("northmere.gov.uk subdomain")),
        ("anything-gov-uk.com", Some("gov.uk subdomain")),
        ("govuk-refunds.com", Some("gov.uk subdomain")),
        ("n0rthmere.com", Some("northmere.gov.uk letters")),
        ("northrnere.co.uk", Some("northmere.gov.uk letters")),
        ("n\u{43e}rthmere.co.uk", Some("northmere.gov.uk letters")),
        ("northm\u{e9}re.co.uk", Some("northmere.gov.uk letters")),
        ("northmre.com", Some("northmere.gov.uk typo")),
        ("northmere.gov.com", Some("northmere.gov.uk subdomain")),
        ("nothmere.co.uk", Some("northmere.gov.uk typo")),
        ("hallettsurfacing.co.uk", Some("hallett-surfacing.co.uk typo")),
        ("hallett-surfacng.co.uk", Some("hallett-surfacing.co.uk typo")),
        ("norhtmerehome.com", Some("northmerehomes.co.uk typo")),
        ("northmere.org", Some("northmere.gov.uk suffix")),
        ("hallett-surfacing.com", Some("hallett-surfacing.co.uk suffix")),
        ("northmere-council.co.uk", Some("northmere.gov.uk words")),
        ("payments-northmere.com", Some("northmere.gov.uk words")),
        ("northmerepayments.com", Some("northmere.gov.uk words")),
        ("hallett-surfacing-ltd.co.uk", Some("hallett-surfacing.co.uk words")),
        ("n0rthmere-council.com", Some("northmere.gov.uk words")),
        ("paydesk-security.com", Some("paydesk.com words")),
        ("paydesk.xyz", Some("paydesk.com suffix")),
        ("paydesk.de", None),
        ("mail.paydesk.com", None),
        // Neighbours, namesakes and what merely begins alike.
        ("northmere.nhs.uk", None),
        ("northmore.gov.uk", None),
        ("northmere-cathedral.org.uk", None),
        ("southmere.co.uk", None),
        ("northmereton.co.uk", None),
        ("foo-bt.com.mx", None),
        ("xbt.com", None),
        ("b.co", None),
        ("lapsed-supplier.com", None),
        ("192.0.2.1", None),
        ("gmail.com", None),
        ("localhost", None),
    ] {
        let found = house.likeness(&domain(name), now());
        let found = found.map(|(of, how)| format!("{of} {}", how.as_str()));
        assert_eq!(found.as_deref(), expected, "{name}");
    }
}

#[test]
fn nobody_is_resembled_where_nobody_is_protected() {
    assert!(
        Protected::nobody()
            .likeness(&domain("northmere.gov.uk.evil.test"), now())
            .is_none()
    );
    let claims = see(Protected::nobody(), "From: Jane Doe <a@b.example>\n\nx\n", |e| {
        e.claims().clone()
    });
    assert_eq!(claims, Claims::default());
}

#[test]
fn a_name_may_claim_an_organisation_a_person_or_a_role() {
    let house = house();
    for (from, organisation, person, role) in [
        ("Jane Doe <jane.doe.ceo@gmail.com>", "", "Cllr Jane Doe", ""),
        ("\"DOE, Jane (Chief Executive)\" <x@gmail.com>", "", "Cllr Jane Doe", ""),
        ("=?utf-8?q?J=D0=B0ne_Doe?= <x@gmail.com>", "", "Cllr Jane Doe", ""),
        ("=?utf-8?q?J=E2=80=8Bane_Doe?= <x@gmail.com>", "", "Cllr Jane Doe", ""),
        ("=?utf-8?q?=E2=80=AEeoD_enaJ?= <x@gmail.com>", "", "Cllr Jane Doe", ""),
        ("jane.doe@gmail.com", "", "Cllr Jane Doe", ""),
        ("Nowak Tomasz <t@mail.example>", "", "Tomasz Nowak", ""),
        ("Chief Executive <ceo.office@gmail.com>", "", "", "Chief Executive"),
        ("Chief Executive, Age Charity <a@charity.example>", "", "", ""),
        ("Jane Doe <jane.doe@northmere.gov.uk>", "", "", ""),
        ("Jane Doe <jane.doe@home.example>", "", "", ""),
        ("Jane Smith <jane@smith.example>", "", "", ""),
        (
            "Northmere Borough Council <x@mailer.example>",
            "Northmere Borough Council",
            "",
            "",
        ),
        (
            "Hallett Surfacing - Accounts <x@gmail.com>",
            "Hallett Surfacing",
            "",
            "",
        ),
        ("Hallett Surfacing <a@hallett-surfacing.co.uk>", "", "", ""),
        ("About Hallett Surfacing <it@northmere.gov.uk>", "", "", ""),
        ("PayDesk Service <a@paydesk.com>", "", "", ""),
        ("PayDesk Service <a@paydesk.test>", "PayDesk", "", ""),
        ("P\u{430}yDesk <a@paydesk.test>", "PayDesk", "", ""),
        ("", "", "", ""),
    ] {
        let claims = see(&house, &format!("From: {from}\nTo: a@northmere.gov.uk\n\nx\n"), |e| {
            e.claims().clone()
        });
        let found = (
            claims.organisation.as_str(),
            claims.person.as_str(),
            claims.role.as_str(),
        );
        assert_eq!(found, (organisation, person, role), "{from}");
    }
}

/// Whom some reader shows as the author is judged, wherever the name stands.
#[test]
fn every_candidate_is_judged() {
    let house = house();
    for raw in [
        "From: a@b.example\nFrom: Jane Doe <x@gmail.com>\n",
        "From: Jane Doe <x@gmail.com>\nFrom: a@b.example\n",
        "From: a@b.example, Jane Doe <x@gmail.com>\n",
        "From : Jane Doe <x@gmail.com>\nFrom: a@b.example\n",
        "From: a@b.example\nSender: Jane Doe <x@gmail.com>\n",
        "From: =?utf-8?q?Jane_Doe_=3Cx=40gmail=2Ecom=3E=2C?= <a@b.example>\n",
    ] {
        let person = see(&house, &format!("{raw}To: a@northmere.gov.uk\n\nx\n"), |e| {
            e.claims().person.clone()
        });
        assert_eq!(person, "Cllr Jane Doe", "{raw}");
    }
}

#[test]
fn an_address_in_the_name_and_answers_elsewhere_are_told() {
    let house = house();
    for (head, address, elsewhere, ambiguous) in [
        (
            "From: \"jane@northmere.gov.uk\" <x@gmail.com>",
            Some("jane@northmere.gov.uk"),
            None,
            false,
        ),
        (
            "From: =?utf-8?q?jane=EF=BC=A0northmere=2Egov=2Euk?= <x@gmail.com>",
            Some("jane@northmere.gov.uk"),
            None,
            false,
        ),
        ("From: \"X@gmail.com\" <x@gmail.com>", None, None, false),
        ("From: \"Ann at home\" <x@gmail.com>", None, None, false),
        (
            "From: a@supplier.co.uk\nReply-To: a@mail.supplier.co.uk",
            None,
            None,
            false,
        ),
        (
            "From: a@supplier.co.uk\nReply-To: a@supp1ier.co.uk",
            None,
            Some("supp1ier.co.uk"),
            false,
        ),
        (
            "From: a@supplier.co.uk\nReply-To: b@supplier.co.uk, c@x.example",
            None,
            Some("x.example"),
            false,
        ),
        ("From: a@b.example\nFrom: c@d.example", None, None, true),
        ("From: a@b.example\nFrom: a@b.example", None, None, true),
        ("From: a@b.example, c@d.example", None, None, true),
        ("From: a@b.example", None, None, false),
        ("Subject: no author", None, None, false),
        ("Reply-To: a@b.example", None, None, false),
    ] {
        let found = see(&house, &format!("{head}\n\nx\n"), |e| {
            (
                e.name_address(),
                e.reply_elsewhere().map(|site| site.to_string()),
                e.is_author_ambiguous(),
            )
        });
        let expected = (address.map(str::to_owned), elsewhere.map(str::to_owned), ambiguous);
        assert_eq!(found, expected, "{head}");
    }
}

#[test]
fn answers_and_links_may_lead_to_lookalikes() {
    let house = house();
    let raw = "From: a@hallett-surfacing.co.uk\nReply-To: a@hallett-surfacing-ltd.co.uk\nContent-Type: text/html\n\n\
               <a href='https://northmere-gov-uk.test/'>x</a><a href='https://northmere.gov.uk/'>y</a>\
               <a href='https://northmeregovuk.sharepoint.com/'>z</a><a href='https://www.northmere-gov-uk.test/2'>x</a>";
    let (author, reply, links) = see(&house, raw, |e| {
        (
            e.lookalike().cloned(),
            e.reply_lookalike().cloned(),
            e.link_lookalikes().to_vec(),
        )
    });
    assert_eq!(author, None);
    assert_eq!(reply, Some((domain("hallett-surfacing.co.uk"), Likeness::Words)));
    assert_eq!(links, [domain("northmere.gov.uk")]);
}

#[test]
fn of_several_the_nearest_to_us_counts() {
    let both = |group, name: &str| (group, domain(name), None);
    let domains = [
        both(Group::Brand, "acme.com"),
        both(Group::Partner, "acme.net"),
        both(Group::Organisation, "acme.org"),
    ];
    let protected = Protected::new(domains, Vec::new(), Vec::new());
    let (of, _) = protected.likeness(&domain("acme.co.uk"), now()).unwrap();
    assert_eq!(of.as_str(), "acme.org");
}

mod any_label {
    use super::*;
    use proptest::prelude::*;

    /// A label with one letter more, less, other or swapped, the first left alone.
    fn slip(label: &str, at: usize, how: u8, letter: char) -> String {
        let mut letters: Vec<char> = label.chars().collect();
        let at = 1 + at % (letters.len() - 1);
        match how % 4 {
            0 => letters.insert(at, letter),
            1 => drop(letters.remove(at)),
            2 => letters[at] = letter,
            _ => letters.swap(at - 1, at),
        }
        letters.into_iter().collect()
    }

    proptest! {
        /// Whatever the label, one slip of the fingers is told, under any other suffix; the label itself is ours.
        #[test]
        fn a_slip_is_told(label in "[a-z]{7,20}", at in 0_usize..20, how in 0_u8..4, letter in "[a-z]") {
            let ours = domain(&format!("{label}.gov.uk"));
            let protected = Protected::new([(Group::Organisation, ours.clone(), None)], Vec::new(), Vec::new());
            let typed = slip(&label, at, how, letter.chars().next().unwrap());
            let other = domain(&format!("{typed}.co.uk"));
            let found = protected.likeness(&other, now());
            prop_assert_eq!(found.map(|(of, _)| of), Some(&ours), "{}", other);
            prop_assert!(protected.likeness(&ours, now()).is_none());
            let below = domain(&format!("mail.{ours}"));
            prop_assert!(protected.likeness(&below, now()).is_none());
        }

        /// Our whole name before somebody else's is told, however it is joined.
        #[test]
        fn our_name_within_another_is_told(label in "[a-z]{3,12}", other in "[b-df-hj-np-tv-z]{4,10}", joint in "[.-]") {
            let ours = domain(&format!("{label}.gov.uk"));
            let protected = Protected::new([(Group::Organisation, ours, None)], Vec::new(), Vec::new());
            for name in [format!("{label}.gov.uk{joint}{other}.com"), format!("{label}-gov-uk{joint}{other}.com")] {
                let how = protected.likeness(&domain(&name), now()).map(|(_, how)| how);
                prop_assert_eq!(how, Some(Likeness::Subdomain), "{}", name);
            }
        }

        /// No name of any letters panics, and what is told is one of the protected.
        #[test]
        fn any_name_is_looked_at(name in "\\PC{0,80}", host in "[a-z0-9.-]{1,60}") {
            let house = house();
            let from = format!("From: \"{}\" <x@{host}>\n\nx\n", name.replace(['"', '\\'], ""));
            see(&house, &from, |e| {
                let claims = e.claims();
                prop_assert!(["", "Cllr Jane Doe", "Tomasz Nowak"].contains(&claims.person.as_str()));
                prop_assert!(e.name_tricks().len() <= TRICKS.len());
                let _ = (e.name_address(), e.reply_elsewhere(), e.lookalike());
                Ok(())
            })?;
        }
    }
}

/// A partner's own domain is nobody's look-alike and gains nothing else: the fact is absent, not in its favour.
#[test]
fn partners_are_merely_not_lookalikes() {
    let house = house();
    let found = see(&house, "From: Jane Doe <a@eastvale.gov.uk>\n\nx\n", |e| {
        (e.lookalike().is_none(), e.claims().person.clone())
    });
    assert_eq!(found, (true, "Cllr Jane Doe".to_owned()));
}

/// What is looked at of a message is bounded, whatever it holds.
#[test]
fn hostile_headers_are_cut() {
    let house = house();
    let mut many = String::from("From: a@b.example");
    for number in 0..AUTHORS + 10 {
        let _ = write!(many, ", n{number}@x{number}.example");
    }
    let judged = see(&house, &format!("{many}, Jane Doe <x@gmail.com>\n\nx\n"), |e| {
        (e.claims().person.clone(), e.is_author_ambiguous())
    });
    assert_eq!(
        judged,
        (String::new(), true),
        "beyond the limit nobody is judged, but the defect stays"
    );
    for name in [
        "\u{202e}".repeat(5_000),
        "a.".repeat(5_000),
        "\u{300}".repeat(5_000),
        "@".repeat(5_000),
    ] {
        let raw = format!("From: \"{name}\" <x@gmail.com>\n\nx\n");
        see(&house, &raw, |e| {
            assert!(e.claims().person.is_empty() && e.name_address().is_none());
            assert!(e.name_tricks().len() <= TRICKS.len());
        });
    }
    let label = "northmere-".repeat(6);
    let deep = format!("{0}.{0}.{0}.{0}", label.trim_end_matches('-'));
    assert_eq!(house.likeness(&domain(&deep), now()), None);
}
