//! What trusted forwarders say of a message that they changed (RFC 8617 §7.2.1).
//!
//! An ARC chain that holds, and whom to trust, in; whether the message passed DMARC when it came to one of them, out.
//! Knows nothing of signatures.

use super::arc::Chain;
use super::signature::Verdict;
use crate::mail::Domain;

/// Whether a sealer found that the author's domain vouches. Believed are the newest sealers as long as each is
/// trusted: what stands before a stranger's seal is his to make up.
pub(super) fn vouched(chain: &Chain, trusted: &[String], authors: &[Domain], is_partial: bool) -> bool {
    let [author] = authors else { return false };
    if chain.verdict != Verdict::Pass || is_partial {
        return false;
    }
    let is_trusted = |sealer: &str| {
        let sealer = Domain::parse(sealer);
        sealer.is_some_and(|sealer| trusted.iter().any(|own| sealer.is_within(&own.to_ascii_lowercase())))
    };
    let believed = chain.links.iter().rev().take_while(|link| is_trusted(&link.sealer));
    let mut found = believed.map(|link| results(&link.found));
    found.any(|results| results.iter().any(|result| result.vouches_for(author)))
}

/// One result: method, word, properties.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    method: String,
    word: String,
    properties: Vec<(String, String)>,
}

impl Found {
    /// DMARC itself, or a signature by the author's own domain, since not everybody tells the former.
    fn vouches_for(&self, author: &Domain) -> bool {
        let is_author = |value: &str| {
            let domain = value.rsplit_once('@').map_or(value, |(_, domain)| domain);
            Domain::parse(domain).is_some_and(|domain| domain == *author)
        };
        let names = |wanted: &[&str]| {
            let mut properties = self.properties.iter();
            properties.any(|(name, value)| wanted.contains(&name.as_str()) && is_author(value))
        };
        self.word == "pass"
            && match self.method.as_str() {
                "dmarc" => names(&["header.from"]),
                "dkim" => names(&["header.d", "header.i"]),
                _ => false,
            }
    }
}

/// Reads `i=1; id; dmarc=pass (p=none) header.from=a.example; …`, in lower case.
fn results(body: &[u8]) -> Vec<Found> {
    let plain = plain(&String::from_utf8_lossy(body).to_ascii_lowercase());
    let mut found = Vec::new();
    for result in plain.split(';') {
        let mut pairs = result.split_ascii_whitespace().filter_map(|pair| pair.split_once('='));
        let Some((method, word)) = pairs.next() else { continue };
        found.push(Found {
            method: method.split('/').next().unwrap_or(method).to_owned(),
            word: word.to_owned(),
            properties: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        });
    }
    found
}

/// Without comments and quotes; what parts words is no part of a quoted one; nothing around equals signs.
fn plain(text: &str) -> String {
    let (mut plain, mut depth, mut quoted) = (String::with_capacity(text.len()), 0_usize, false);
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        match c {
            '\\' if quoted || depth > 0 => {
                let escaped = letters.next();
                plain.extend(escaped.filter(|_| depth == 0).map(|_| '_'));
            }
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            ';' | '=' | ' ' | '\t' | '\r' | '\n' if quoted => plain.push('_'),
            ' ' | '\t' | '\r' | '\n' if plain.ends_with('=') => {}
            '=' => {
                plain.truncate(plain.trim_end_matches([' ', '\t', '\r', '\n']).len());
                plain.push('=');
            }
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::super::arc::Link;
    use super::*;

    fn chain(links: &[(&str, &str)]) -> Chain {
        Chain {
            verdict: Verdict::Pass,
            links: links
                .iter()
                .map(|(sealer, found)| Link {
                    sealer: (*sealer).to_owned(),
                    found: found.as_bytes().to_vec(),
                })
                .collect(),
        }
    }

    const PASSED: &str = " i=1; mx.list.example; spf=pass smtp.mailfrom=x@a.example;\r\n dmarc=pass (p=reject) header.from=a.example\r\n";
    const FAILED: &str = " i=2; mx.own.example; dmarc=fail header.from=a.example; arc=pass\r\n";

    #[test]
    fn trusted_sealers_are_believed_as_far_back_as_each_is_trusted() {
        let trusted = ["list.example".to_owned(), "Own.example".to_owned()];
        for (links, expected) in [
            (vec![("list.example", PASSED)], true),
            (vec![("mx.list.example", PASSED)], true),
            (vec![("list.example", PASSED), ("own.example", FAILED)], true),
            (vec![("evil.test", PASSED)], false),
            (vec![("evil.test", PASSED), ("own.example", FAILED)], false),
            (vec![("list.example", PASSED), ("evil.test", FAILED)], false),
            (vec![("notlist.example", PASSED)], false),
            (vec![("list.example", FAILED)], false),
            (vec![], false),
        ] {
            let author = [Domain::parse("a.example").unwrap()];
            assert_eq!(vouched(&chain(&links), &trusted, &author, false), expected, "{links:?}");
            assert!(!vouched(&chain(&links), &[], &author, false), "nobody is trusted");
            assert!(
                !vouched(&chain(&links), &trusted, &author, true),
                "others are named too"
            );
            assert!(!vouched(&chain(&links), &trusted, &[], false));
            let broken = Chain {
                verdict: Verdict::Fail("x"),
                ..chain(&links)
            };
            assert!(!vouched(&broken, &trusted, &author, false));
        }
    }

    #[test]
    fn only_a_pass_of_the_authors_own_domain_vouches() {
        let author = Domain::parse("a.example").unwrap();
        for (body, expected) in [
            ("i=1; x; dmarc=pass header.from=a.example", true),
            ("i=1; x 1; DMARC=Pass header.From=A.Example", true),
            (
                "i=1; x; dmarc = pass (a (b) \\) ;) header.from\r\n =\t\"a.example\"",
                true,
            ),
            ("i=1; x; dmarc/1=pass header.from=a.example", true),
            ("i=1; x; dkim=pass header.i=@a.example header.s=s", true),
            ("i=1; x; dkim=pass header.d=a.example", true),
            ("i=1; x; dkim=pass header.d=b.a.example", false),
            ("i=1; x; spf=pass smtp.mailfrom=x@a.example", false),
            ("i=1; x; dmarc=fail header.from=a.example", false),
            ("i=1; x; dmarc=pass header.from=b.example", false),
            ("i=1; x; dmarc=pass", false),
            ("i=1; x; (dmarc=pass header.from=a.example)", false),
            ("i=1; x; spf=fail reason=\"; dmarc=pass header.from=a.example\"", false),
            ("", false),
            ("=;=;==", false),
        ] {
            let results = results(body.as_bytes());
            let vouches = results.iter().any(|result| result.vouches_for(&author));
            assert_eq!(vouches, expected, "{body:?} {results:?}");
        }
    }
}
