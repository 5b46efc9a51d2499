//! Whether a certificate chain is the one that TLSA records in DNS speak of (RFC 6698, RFC 7671, RFC 7672).
//!
//! Records, chain, name and time in; an outcome out. Pure: whether the records themselves can be believed, and
//! what follows, is for those who ask.

use crate::resolver::Tlsa;
use ring::digest;
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use rustls::server::ParsedCertificate;

/// What records say of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Association {
    /// One of them speaks of it.
    Matched,
    /// Those that can be used speak of others; what the nearest one lacks, in words.
    Mismatched(&'static str),
    /// None can be used for mail.
    Unusable,
}

/// Compares a chain, the server's own certificate first, with the records for the server `name`.
///
/// Usage 3 looks at the server's own key or certificate and at nothing else: neither its names nor
/// its expiry count (RFC 7672 §3.1.1). Usage 2 wants a chain to the certificate that it speaks of, in time and
/// with the name (§3.1.2); the server has to send that certificate, unless the record holds it. Usages 0 and 1 can't be used for
/// mail (§3.1.3), nor can what is of an unknown kind.
pub fn associate(
    records: &[Tlsa],
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Association {
    let usable: Vec<&Tlsa> = records.iter().filter(|record| is_usable(record)).collect();
    let Some((own, others)) = chain.split_first().filter(|_| !usable.is_empty()) else {
        return Association::Unusable;
    };
    let mut lack = "none speaks of this certificate or an authority that is sent with it";
    for record in strongest(&usable) {
        if record.usage == 3 {
            if speaks_of(record, own) {
                return Association::Matched;
            }
            continue;
        }
        let held = CertificateDer::from(record.data.as_slice());
        let held = (record.selector == 0 && record.matching == 0).then_some(&held);
        for anchor in others.iter().filter(|other| speaks_of(record, other)).chain(held) {
            match chains_to(anchor, own, others, name, now, algorithms) {
                Ok(()) => return Association::Matched,
                Err(why) => lack = why,
            }
        }
    }
    Association::Mismatched(lack)
}

/// Whether a certificate carries a host's name.
pub fn covers(certificate: &CertificateDer<'_>, host: &str) -> bool {
    let name = ServerName::try_from(host);
    let parsed = ParsedCertificate::try_from(certificate);
    matches!((parsed, name), (Ok(parsed), Ok(name)) if verify_server_name(&parsed, &name).is_ok())
}

/// Of a kind that can be used for mail, with as many octets as its digest has.
pub fn is_usable(record: &Tlsa) -> bool {
    let length = record.data.len();
    let whole = match record.matching {
        0 => length > 0,
        1 => length == digest::SHA256_OUTPUT_LEN,
        2 => length == digest::SHA512_OUTPUT_LEN,
        _ => false,
    };
    whole && matches!(record.usage, 2 | 3) && matches!(record.selector, 0 | 1)
}

/// Without those whose digest a stronger one of the same usage and selector makes up for (RFC 7671 §9).
fn strongest<'r>(usable: &'r [&'r Tlsa]) -> impl Iterator<Item = &'r Tlsa> {
    usable.iter().copied().filter(|record| {
        let outdone = |other: &&Tlsa| {
            other.usage == record.usage && other.selector == record.selector && other.matching > record.matching
        };
        record.matching == 0 || !usable.iter().any(outdone)
    })
}

/// Whether the record's data is this certificate's, by its selector and digest (RFC 6698 §2.1).
fn speaks_of(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let key;
    let selected = if record.selector == 0 {
        certificate.as_ref()
    } else {
        let Ok(parsed) = ParsedCertificate::try_from(certificate) else {
            return false;
        };
        key = parsed.subject_public_key_info();
        key.as_ref()
    };
    match record.matching {
        0 => record.data == selected,
        1 => record.data == digest::digest(&digest::SHA256, selected).as_ref(),
        2 => record.data == digest::digest(&digest::SHA512, selected).as_ref(),
        _ => false,
    }
}

fn chains_to(
    anchor: &CertificateDer<'_>,
    own: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<(), &'static str> {
    let mut roots = RootCertStore::empty();
    roots
        .add(anchor.clone().into_owned())
        .map_err(|_| "the authority that one speaks of can't be read")?;
    let own = ParsedCertificate::try_from(own).map_err(|_| "the certificate can't be read")?;
    verify_server_cert_signed_by_trust_anchor(&own, &roots, others, now, algorithms)
        .map_err(|_| "no chain to the authority that one speaks of, or not in time")?;
    verify_server_name(&own, name).map_err(|_| "the certificate doesn't carry the name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData};
    use std::time::Duration;

    /// An authority, an authority under it, and a server under that; the server's time ends with 2030.
    struct Town {
        root: CertificateDer<'static>,
        middle: CertificateDer<'static>,
        server: CertificateDer<'static>,
        server_key: Vec<u8>,
        middle_key: Vec<u8>,
    }

    fn authority(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    fn town() -> Town {
        let root = CertifiedIssuer::self_signed(authority("root"), KeyPair::generate().unwrap()).unwrap();
        let middle = CertifiedIssuer::signed_by(authority("middle"), KeyPair::generate().unwrap(), &root).unwrap();
        let mut params = CertificateParams::new(vec!["mx.council.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 1, 1);
        let key = KeyPair::generate().unwrap();
        let server = params.signed_by(&key, &middle).unwrap();
        Town {
            root: root.der().clone(),
            middle: middle.der().clone(),
            server: server.der().clone(),
            server_key: key.subject_public_key_info(),
            middle_key: middle.key().subject_public_key_info(),
        }
    }

    fn record(usage: u8, selector: u8, matching: u8, of: &[u8]) -> Tlsa {
        let data = match matching {
            1 => digest::digest(&digest::SHA256, of).as_ref().to_vec(),
            2 => digest::digest(&digest::SHA512, of).as_ref().to_vec(),
            _ => of.to_vec(),
        };
        Tlsa {
            usage,
            selector,
            matching,
            data,
        }
    }

    fn year(year: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_556_952 + 86_400))
    }

    fn outcome(records: &[Tlsa], chain: &[&CertificateDer<'static>], name: &str, now: UnixTime) -> Association {
        let chain: Vec<CertificateDer<'static>> = chain.iter().map(|&certificate| certificate.clone()).collect();
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        associate(
            records,
            &chain,
            &ServerName::try_from(name).unwrap(),
            now,
            algorithms.all,
        )
    }

    #[test]
    fn each_kind_of_record_matches_what_it_speaks_of() {
        let town = town();
        let sent = [&town.server, &town.middle];
        let (server, middle, root) = (town.server.as_ref(), town.middle.as_ref(), town.root.as_ref());
        for (usage, selector, matching, of, matches) in [
            (3, 1, 1, town.server_key.as_slice(), true),
            (3, 1, 2, &town.server_key, true),
            (3, 1, 0, &town.server_key, true),
            (3, 0, 1, server, true),
            (3, 0, 2, server, true),
            (3, 0, 0, server, true),
            (2, 0, 1, middle, true),
            (2, 0, 2, middle, true),
            (2, 1, 1, &town.middle_key, true),
            (2, 1, 2, &town.middle_key, true),
            (2, 1, 0, &town.middle_key, true),
            (2, 0, 0, middle, true),
            // The record itself holds the authority that wasn't sent.
            (2, 0, 0, root, true),
            // The wrong thing for each.
            (3, 1, 1, server, false),
            (3, 0, 1, &town.server_key, false),
            (3, 1, 1, &town.middle_key, false),
            (3, 0, 1, middle, false),
            (2, 1, 1, &town.server_key, false),
            (2, 0, 1, server, false),
            (2, 0, 1, root, false),
        ] {
            let record = record(usage, selector, matching, of);
            let outcome = outcome(std::slice::from_ref(&record), &sent, "mx.council.example", year(2026));
            assert_eq!(outcome == Association::Matched, matches, "{record} {outcome:?}");
        }
        // One that matches among others is enough.
        let several = [record(3, 1, 1, b"the next key"), record(3, 1, 1, &town.server_key)];
        assert_eq!(
            outcome(&several, &sent, "mx.council.example", year(2026)),
            Association::Matched
        );
    }

    #[test]
    fn name_and_time_count_for_an_authority_and_not_for_the_servers_own() {
        let town = town();
        let sent = [&town.server, &town.middle];
        let own = [record(3, 1, 1, &town.server_key)];
        let authority = [record(2, 1, 1, &town.middle_key)];
        for (name, now, by_authority) in [
            ("mx.council.example", 2026, true),
            ("mx.council.example", 2032, false),
            ("other.example", 2026, false),
        ] {
            assert_eq!(outcome(&own, &sent, name, year(now)), Association::Matched);
            let outcome = outcome(&authority, &sent, name, year(now));
            assert_eq!(
                outcome == Association::Matched,
                by_authority,
                "{name} {now}: {outcome:?}"
            );
        }
        // The authority is named and not sent, or is sent and has signed nothing here.
        let stranger = super::tests::town();
        for chain in [vec![&town.server], vec![&town.server, &stranger.middle]] {
            let records = [record(2, 0, 1, &town.middle), record(2, 0, 1, &stranger.middle)];
            let outcome = outcome(&records, &chain, "mx.council.example", year(2026));
            assert!(matches!(outcome, Association::Mismatched(_)), "{outcome:?}");
        }
    }

    #[test]
    fn what_mail_can_not_use_is_told_from_what_does_not_match() {
        let town = town();
        let sent = [&town.server];
        let unusable = [
            record(0, 1, 1, &town.server_key),
            record(1, 1, 1, &town.server_key),
            record(4, 1, 1, &town.server_key),
            record(3, 2, 1, &town.server_key),
            record(3, 1, 3, &town.server_key),
            record(3, 0, 0, b""),
            Tlsa {
                data: vec![0; 31],
                ..record(3, 1, 1, b"")
            },
            Tlsa {
                data: vec![0; 33],
                ..record(3, 1, 1, b"")
            },
            Tlsa {
                data: vec![0; 32],
                ..record(3, 1, 2, b"")
            },
        ];
        for record in &unusable {
            let outcome = outcome(std::slice::from_ref(record), &sent, "mx.council.example", year(2026));
            assert_eq!(outcome, Association::Unusable, "{record}");
        }
        assert_eq!(
            outcome(&[], &sent, "mx.council.example", year(2026)),
            Association::Unusable
        );
        let mut with_one = unusable.to_vec();
        with_one.push(record(3, 1, 1, b"another key"));
        assert!(matches!(
            outcome(&with_one, &sent, "mx.council.example", year(2026)),
            Association::Mismatched(_)
        ));
    }

    #[test]
    fn a_stronger_digest_stands_for_the_weaker_of_its_kind() {
        let town = town();
        let sent = [&town.server];
        let stale = [record(3, 1, 1, &town.server_key), record(3, 1, 2, b"another key")];
        assert!(matches!(
            outcome(&stale, &sent, "mx.council.example", year(2026)),
            Association::Mismatched(_)
        ));
        let of_another_selector = [record(3, 1, 1, &town.server_key), record(3, 0, 2, b"another")];
        assert_eq!(
            outcome(&of_another_selector, &sent, "mx.council.example", year(2026)),
            Association::Matched
        );
    }

    #[test]
    fn junk_for_a_chain_is_no_match_and_no_panic() {
        let town = town();
        let records = [record(3, 1, 1, &town.server_key), record(2, 0, 0, b"junk")];
        for end in (0..town.server.len()).step_by(7) {
            let cut = CertificateDer::from(town.server.as_ref()[..end].to_vec());
            let outcome = outcome(&records, &[&cut, &cut], "mx.council.example", year(2026));
            assert!(matches!(outcome, Association::Mismatched(_)), "{end}");
            assert!(!covers(&cut, "mx.council.example"));
        }
    }

    #[test]
    fn a_certificate_covers_its_names_and_one_label_under_a_star() {
        let key = KeyPair::generate().unwrap();
        let names = ["mx.council.example", "*.mail.example"].map(str::to_owned);
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        for (host, covered) in [
            ("mx.council.example", true),
            ("MX.Council.Example", true),
            ("a.mail.example", true),
            ("a.b.mail.example", false),
            ("mail.example", false),
            ("other.example", false),
            ("", false),
            ("not a name", false),
        ] {
            assert_eq!(covers(certificate.der(), host), covered, "{host}");
        }
    }
}
