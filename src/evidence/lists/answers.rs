//! What a block list's answers mean.
//!
//! A map as settings write it, checked, in; for an address its meanings out. An address outside the map has none, and is
//! an error of the list's or of whoever answers in its stead. Knows nothing of DNS.

use std::net::Ipv4Addr;

/// Answers from here on say that a list doesn't answer us at all: asked too often, or through an open resolver.
const REFUSALS: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 0);

/// What answers mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answers(Vec<(Pattern, String)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    Range(Ipv4Addr, Ipv4Addr),
    /// The first three octets, and bits of the last of which one at least is set.
    Bits([u8; 3], u8),
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        if let Some((octets, bits)) = text.split_once(".&") {
            let octets: Vec<u8> = octets.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
            let bits = bits.parse().ok().filter(|bits| *bits > 0)?;
            return Some(Self::Bits(octets.try_into().ok()?, bits));
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some(Self::Range(first, last))
    }

    fn holds(self, answer: Ipv4Addr) -> bool {
        match self {
            Self::Range(first, last) => (first..=last).contains(&answer),
            Self::Bits([one, two, three], bits) => {
                let octets = answer.octets();
                octets.starts_with(&[one, two, three]) && octets.last().is_some_and(|last| last & bits != 0)
            }
        }
    }

    /// Whether it would take an error for a listing, or an address of the world's for an answer.
    fn is_sound(self) -> bool {
        let (first, last) = match self {
            Self::Range(first, last) => (first, last),
            Self::Bits([one, two, three], _) => {
                (Ipv4Addr::new(one, two, three, 0), Ipv4Addr::new(one, two, three, 255))
            }
        };
        first.is_loopback() && last < REFUSALS
    }
}

impl Answers {
    /// Reads the map.
    ///
    /// # Errors
    /// What is wrong with which entry.
    pub(super) fn parse<'s>(entries: impl IntoIterator<Item = (&'s String, &'s String)>) -> Result<Self, String> {
        let mut answers = Vec::new();
        for (text, meaning) in entries {
            let pattern = Pattern::parse(text)
                .ok_or_else(|| format!("{text:?} is none of \"127.0.0.2\", \"127.0.0.4-127.0.0.7\", \"127.0.0.&8\""))?;
            if !pattern.is_sound() {
                return Err(format!(
                    "{text:?} does not lie within 127.0.0.0 and 127.255.254.255, where listings lie: answers beyond are errors"
                ));
            }
            let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if meaning.is_empty() || !meaning.chars().all(is_word) {
                return Err(format!("the meaning {meaning:?} of {text:?} is no word"));
            }
            answers.push((pattern, meaning.clone()));
        }
        match answers.is_empty() {
            true => Err("no answer means anything, so that nothing would ever be listed".to_owned()),
            false => Ok(Self(answers)),
        }
    }

    /// What an answer means; nothing when it is an error.
    pub(super) fn meanings(&self, answer: Ipv4Addr) -> Vec<&str> {
        let held = self.0.iter().filter(|(pattern, _)| pattern.holds(answer));
        held.map(|(_, meaning)| meaning.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn answers(entries: &[(&str, &str)]) -> Result<Answers, String> {
        let entries = entries
            .iter()
            .map(|&(text, meaning)| (text.to_owned(), meaning.to_owned()));
        Answers::parse(&entries.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn answers_mean_what_the_map_says_and_nothing_else() {
        let answers = answers(&[
            ("127.0.0.2", "spam"),
            ("127.0.0.4-127.0.0.7", "exploited"),
            ("127.0.1.&8", "phish"),
            ("127.0.1.&80", "abused"),
        ])
        .unwrap();
        for (answer, meanings) in [
            ([127, 0, 0, 2], vec!["spam"]),
            ([127, 0, 0, 3], vec![]),
            ([127, 0, 0, 4], vec!["exploited"]),
            ([127, 0, 0, 7], vec!["exploited"]),
            ([127, 0, 0, 8], vec![]),
            ([127, 0, 1, 8], vec!["phish"]),
            ([127, 0, 1, 64], vec!["abused"]),
            ([127, 0, 1, 24], vec!["phish", "abused"]),
            ([127, 0, 1, 1], vec![]),
            ([127, 255, 255, 254], vec![]),
            ([192, 0, 2, 1], vec![]),
        ] {
            assert_eq!(answers.meanings(answer.into()), meanings, "{answer:?}");
        }
    }

    #[test]
    fn a_map_that_would_take_errors_for_listings_is_refused() {
        for (text, meaning) in [
            ("127.0.0.0-127.255.255.255", "listed"),
            ("127.255.255.254", "listed"),
            ("127.255.255.&2", "listed"),
            ("192.0.2.1", "listed"),
            ("127.0.0.7-127.0.0.4", "listed"),
            ("127.0.0", "listed"),
            ("127.0.0.&0", "listed"),
            ("127.0.0.&256", "listed"),
            ("127.0.&8", "listed"),
            ("spam", "listed"),
            ("", "listed"),
            ("127.0.0.2", ""),
            ("127.0.0.2", "two words"),
        ] {
            assert!(answers(&[(text, meaning)]).is_err(), "{text} {meaning}");
        }
        assert!(answers(&[]).is_err());
    }
}
