//! What each state of DNS and certificates is told as.

use super::super::facts::{Facts, Host, MtaSts};
use super::super::{Line, mta_sts};
use super::*;
use crate::resolver::{Answer, DnsFault, Tlsa};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::time::Duration;

/// An authority that the world knows, and what it has signed.
pub(in super::super) struct Town {
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Town {
    pub(in super::super) fn new() -> Self {
        Self::under("the world's authority")
    }

    fn under(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self {
            authority: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    /// A chain for a name, good until the beginning of a year, and its key.
    pub(in super::super) fn certify(&self, name: &str, year: i32) -> (Vec<CertificateDer<'static>>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        (
            vec![params.signed_by(&key, &self.authority).unwrap().der().clone()],
            key,
        )
    }

    pub(in super::super) fn shown(&self, listener: &str, name: &str, year: i32) -> Shown {
        Shown {
            listener: listener.into(),
            chain: self.certify(name, year).0,
        }
    }

    pub(in super::super) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// The beginning of 2027.
    pub(in super::super) fn now(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(1_798_761_600))
    }

    /// The data of a 3 1 1 record.
    pub(in super::super) fn digest_of_key(&self, shown: &Shown) -> Vec<u8> {
        let parsed = ParsedCertificate::try_from(&shown.chain[0]).unwrap();
        let key = parsed.subject_public_key_info();
        ring::digest::digest(&ring::digest::SHA256, &key).as_ref().to_vec()
    }

    fn gate(&self, shown: Vec<Shown>) -> Gate {
        Gate {
            name: "gate.council.example".into(),
            addresses: vec![address(HERE)],
            listeners: shown,
            authorities: Ok(self.roots()),
            algorithms: rustls::crypto::ring::default_provider().signature_verification_algorithms,
            now: self.now(),
            trusts_dns: true,
        }
    }
}

/// A line for each, for comparison.
pub(in super::super) fn told(lines: &[Line]) -> String {
    let line = |line: &Line| format!("{:?} {} {}\n", line.result, line.check, line.message);
    lines.iter().map(line).collect()
}

const HERE: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.1";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn host(name: &str, at: &str) -> Host {
    Host {
        name: name.into(),
        addresses: Ok(vec![address(at)]),
        tlsa: Ok(Answer::of(vec![])),
    }
}

/// A domain whose MX these are.
fn facts(hosts: Vec<Host>, mta_sts: MtaSts) -> Facts {
    let exchangers = hosts.iter().map(|host| Exchanger {
        preference: 10,
        host: host.name.clone(),
    });
    Facts {
        domain: "council.example".into(),
        exchangers: Ok(exchangers.collect()),
        hosts,
        mta_sts,
    }
}

fn policy(mode: &str, mx: &str, max_age: u32) -> MtaSts {
    let text = format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {max_age}\n");
    MtaSts::Policy(mta_sts::parse(text.as_bytes()).unwrap())
}

/// The lines of one check.
fn lines(facts: Facts, gate: &Gate, check: &str) -> String {
    let lines = judge(&[facts], gate);
    told(&lines.into_iter().filter(|line| line.check == check).collect::<Vec<_>>())
}

#[test]
fn hosts_are_known_by_our_name_or_our_addresses() {
    let town = Town::new();
    let gate = town.gate(vec![]);
    let mx = |hosts| lines(facts(hosts, MtaSts::None), &gate, "mx");
    let several = vec![
        host("mx1.council.example", HERE),
        host("GATE.council.example", ELSEWHERE),
        host("old.council.example", ELSEWHERE),
    ];
    assert_eq!(
        mx(several),
        "Fine mx council.example: MX mx1.council.example (here), GATE.council.example (here), old.council.example\n"
    );
    let mut unknown = host("mx1.council.example", HERE);
    unknown.addresses = Err(DnsFault::TimedOut);
    let mut empty = host("mx2.council.example", HERE);
    empty.addresses = Ok(vec![]);
    assert_eq!(
        mx(vec![unknown, empty]),
        "Fine mx council.example: MX mx1.council.example, mx2.council.example\n\
         Warning mx council.example: the addresses of mx1.council.example are unknown: DNS did not answer in time\n\
         Warning mx council.example: mx2.council.example has no address\n"
    );
}

#[test]
fn a_domain_without_mx_a_null_mx_and_too_many_are_told() {
    let town = Town::new();
    let gate = town.gate(vec![]);
    let without = Facts {
        exchangers: Ok(vec![]),
        ..facts(vec![host("council.example", HERE)], MtaSts::None)
    };
    assert_eq!(
        lines(without, &gate, "mx"),
        "Warning mx council.example: it has no MX, so that senders go to its own address: council.example (here)\n"
    );
    let null = Facts {
        exchangers: Ok(vec![Exchanger {
            preference: 0,
            host: String::new(),
        }]),
        ..facts(vec![], policy("enforce", "mx.council.example", 604_800))
    };
    let null = told(&judge(&[null], &gate));
    assert!(null.starts_with("Warning mx council.example: its null MX"), "{null}");
    assert!(
        null.contains("Warning mta-sts") && null.contains("unknown without MX"),
        "{null}"
    );
    for (count, words) in [
        (HOSTS_MAX, None),
        (HOSTS_MAX + 1, Some("17 MX, of which 16 were looked at")),
    ] {
        let hosts: Vec<Host> = (0..count)
            .map(|number| host(&format!("mx{number}.example"), HERE))
            .collect();
        let told = lines(facts(hosts, MtaSts::None), &gate, "mx");
        assert_eq!(told.contains("looked at"), words.is_some());
        assert!(told.contains(words.unwrap_or_default()), "{told}");
    }
}

#[test]
fn the_certificate_has_to_name_what_leads_here_or_it_is_told_which_it_names() {
    let town = Town::new();
    let gate = town.gate(vec![town.shown("inbound", "mx1.council.example", 2100)]);
    let (one, two) = ("mx1.council.example", "mx2.council.example");
    for (hosts, expected) in [
        (
            vec![host(one, HERE), host(two, ELSEWHERE)],
            "Fine certificate council.example: listener inbound's certificate names mx1.council.example\n",
        ),
        (
            vec![host(two, HERE), host(one, ELSEWHERE)],
            "Warning certificate council.example: listener inbound's certificate does not name mx2.council.example, which leads here\n",
        ),
        (
            vec![host(one, ELSEWHERE), host(two, ELSEWHERE)],
            "Warning certificate council.example: listener inbound's certificate names mx1.council.example and does not name \
             mx2.council.example; none of them leads here yet, or is known to\n",
        ),
        (
            vec![host(two, ELSEWHERE)],
            "Warning certificate council.example: listener inbound's certificate names none of its MX and does not name \
             mx2.council.example; none of them leads here yet, or is known to\n",
        ),
        (
            vec![host(one, ELSEWHERE)],
            "Fine certificate council.example: listener inbound's certificate names mx1.council.example\n",
        ),
    ] {
        assert_eq!(lines(facts(hosts, MtaSts::None), &gate, "certificate"), expected);
    }
}

/// A policy of a week unless it says otherwise; which certificate the one listener shows; where the MX leads.
#[rustfmt::skip]
const POLICIES: &[(&str, &str, &str, &str, Outcome, &str)] = &[
    ("enforce", "mx.council.example", "good", HERE, Outcome::Fine, "is met"),
    ("testing", "*.council.example", "good", HERE, Outcome::Fine, "is met"),
    ("none", "mx.council.example", "good", HERE, Outcome::Fine, "asked for nothing"),
    ("enforce", "old.council.example", "good", HERE, Outcome::Failed, "do not allow mx.council.example"),
    ("testing", "old.council.example", "good", HERE, Outcome::Warning, "do not allow"),
    ("enforce", "old.council.example", "good", ELSEWHERE, Outcome::Warning, "do not allow"),
    ("enforce", "mx.council.example", "another name", HERE, Outcome::Failed, "does not carry that name"),
    ("enforce", "mx.council.example", "expired", HERE, Outcome::Failed, "has expired"),
    ("enforce", "mx.council.example", "home-made", HERE, Outcome::Failed, "no authority that the world knows"),
    ("testing", "mx.council.example", "home-made", HERE, Outcome::Warning, "no authority"),
    ("enforce", "mx.council.example", "home-made", ELSEWHERE, Outcome::Warning, "no authority"),
];

#[test]
fn a_policy_is_met_by_name_chain_and_time_and_the_hosts_it_allows() {
    let (town, stranger) = (Town::new(), Town::under("the town's own authority"));
    let name = "mx.council.example";
    let shown = |which| match which {
        "another name" => town.shown("inbound", "a.example", 2100),
        "expired" => town.shown("inbound", name, 2026),
        "home-made" => stranger.shown("inbound", name, 2100),
        _ => town.shown("inbound", name, 2100),
    };
    for &(mode, mx, which, at, outcome, words) in POLICIES {
        let facts = facts(vec![host(name, at)], policy(mode, mx, 604_800));
        let lines = judge(&[facts], &town.gate(vec![shown(which)]));
        let line = lines.iter().find(|line| line.check == "mta-sts").unwrap();
        assert_eq!(line.result, outcome, "{mode} {words}: {line:?}");
        assert!(line.message.contains(words), "{mode} {words}: {line:?}");
    }
    for (max_age, outcome) in [(86_399, "Warning"), (86_400, "Fine"), (86_401, "Fine")] {
        let facts = facts(vec![host(name, HERE)], policy("enforce", name, max_age));
        let told = lines(facts, &town.gate(vec![shown("good")]), "mta-sts");
        assert!(told.starts_with(outcome), "{told}");
    }
}

#[test]
fn what_a_policy_wants_of_a_gate_without_tls_or_authorities_is_not_fine() {
    let town = Town::new();
    let name = "mx.council.example";
    let enforced = || facts(vec![host(name, HERE)], policy("enforce", name, 604_800));
    let told = lines(enforced(), &town.gate(vec![]), "mta-sts");
    assert!(
        told.starts_with("Warning") && told.contains("no inbound listener has TLS"),
        "{told}"
    );
    let mut gate = town.gate(vec![town.shown("inbound", name, 2100)]);
    gate.authorities = Err("this system has no certificate authorities".into());
    let told = lines(enforced(), &gate, "mta-sts");
    assert!(
        told.starts_with("Warning") && told.contains("is unknown: this system"),
        "{told}"
    );
    for (mta_sts, outcome) in [
        (MtaSts::None, "Fine"),
        (MtaSts::Unknown("x".into()), "Warning"),
        (MtaSts::Faulty("x".into()), "Warning"),
    ] {
        let told = lines(facts(vec![host(name, HERE)], mta_sts), &gate, "mta-sts");
        assert!(told.starts_with(outcome), "{told}");
    }
}

#[test]
fn tlsa_binds_where_it_is_signed_and_the_host_is_ours() {
    let town = Town::new();
    let name = "mx.council.example";
    let gate = |trusts_dns, with_tls| Gate {
        trusts_dns,
        ..town.gate(if with_tls {
            vec![town.shown("inbound", name, 2100)]
        } else {
            vec![]
        })
    };
    let usual = gate(true, true);
    let own = Tlsa {
        usage: 3,
        selector: 1,
        matching: 1,
        data: town.digest_of_key(&usual.listeners[0]),
    };
    let others = Tlsa {
        data: vec![1; 32],
        ..own.clone()
    };
    let unusable = Tlsa {
        usage: 1,
        ..own.clone()
    };
    let told = |records: &[&Tlsa], authenticated, at, gate: &Gate| {
        let mut host = host(name, at);
        host.tlsa = Ok(Answer {
            authenticated,
            ..Answer::of(records.iter().map(|&record| record.clone()).collect())
        });
        lines(facts(vec![host], MtaSts::None), gate, "tlsa")
    };
    let place = "tlsa council.example: _25._tcp.mx.council.example";
    #[rustfmt::skip]
    let cases = [
        (vec![], false, HERE, vec!["Fine", "has no records"]),
        (vec![&own], true, HERE, vec!["Fine", "speaks of listener inbound's certificate"]),
        (vec![&others, &own], true, HERE, vec!["Fine", "speaks of"]),
        (vec![&others], true, HERE, vec!["Failed", "does not match listener inbound's certificate"]),
        (vec![&others], true, ELSEWHERE, vec!["Warning", "does not match"]),
        (vec![&unusable], true, HERE, vec!["Warning", "no record that mail can use"]),
        (vec![&own], false, HERE, vec!["Warning", "does not vouch for them", "Fine", "speaks of"]),
        (vec![&others], false, HERE, vec!["Warning", "does not vouch", "Warning", "does not match"]),
    ];
    for (records, authenticated, at, expected) in cases {
        let told = told(&records, authenticated, at, &usual);
        let mut rest = told.as_str();
        assert_eq!(told.matches(place).count(), expected.len() / 2, "{told}");
        for word in &expected {
            rest = rest
                .split_once(word)
                .unwrap_or_else(|| panic!("{expected:?} in {told}"))
                .1;
        }
    }
    let untrusted = gate(false, true);
    assert!(told(&[&own], false, HERE, &untrusted).contains("[resolver] trusted"));
    let plain = told(&[&own], true, HERE, &gate(true, false));
    assert!(
        plain.starts_with("Warning") && plain.contains("no inbound listener has TLS"),
        "{plain}"
    );
}
