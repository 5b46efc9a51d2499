//! What a message's place in a thread shows: subject prefixes and message ids.
//!
//! Enters: decoded header bodies. Leaves: the bare subject, whether it replies or forwards, and the
//! ancestors' ids. Knows nothing of the body but whether it quotes.

/// What a thread shows of itself.
#[derive(Debug, Clone, Default)]
pub struct Thread {
    /// `In-Reply-To`, `References`, or a reply prefix on the subject.
    pub is_reply: bool,
    /// A forward prefix on the subject.
    pub is_forward: bool,
    /// Message ids of the ancestors.
    pub references: Vec<String>,
    /// Whether the text quotes older text.
    pub quoted: bool,
}

/// Ancestors that are kept.
pub(super) const REFERENCES: usize = 1_000;

/// Reply prefixes of mail programs in the languages that we meet, lower case.
const REPLY: &[&str] = &[
    "re", "aw", "antw", "antwort", "sv", "vs", "res", "rif", "r", "ref", "odp", "ynt", "bls", "atb", "ant", "vá",
    "回复", "答复", "回覆",
];

/// The same for forwarded messages.
const FORWARD: &[&str] = &[
    "fwd", "fw", "wg", "tr", "rv", "enc", "vl", "vb", "pd", "i", "doorst", "wtr", "fs", "转发", "轉寄", "轉發",
];

/// A subject taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Subject<'s> {
    pub(super) base: &'s str,
    pub(super) is_reply: bool,
    pub(super) is_forward: bool,
}

impl<'s> Subject<'s> {
    /// Strips reply and forward prefixes as often as they stand there.
    pub(super) fn read(subject: &'s str) -> Self {
        let mut found = Self {
            base: subject.trim(),
            is_reply: false,
            is_forward: false,
        };
        while let Some((word, rest)) = prefix(found.base) {
            let lower = word.to_lowercase();
            if REPLY.contains(&lower.as_str()) {
                found.is_reply = true;
            } else if FORWARD.contains(&lower.as_str()) {
                found.is_forward = true;
            } else {
                break;
            }
            found.base = rest.trim_start();
        }
        found
    }
}

/// A word, perhaps a count as in `Re[2]` or `Re(2)` or `Re^2`, and a colon.
fn prefix(text: &str) -> Option<(&str, &str)> {
    let word_end = text.find(|c: char| !c.is_alphabetic())?;
    let (word, tail) = text.split_at_checked(word_end)?;
    if word.is_empty() || word.len() > 24 {
        return None;
    }
    let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '[' | ']' | '(' | ')' | '^' | '*'));
    let tail = tail.trim_start();
    let rest = tail.strip_prefix(':').or_else(|| tail.strip_prefix('\u{ff1a}'))?;
    Some((word, rest))
}

/// Message ids without their angle brackets.
pub(super) fn message_ids(body: &str) -> Vec<String> {
    body.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ','))
        .filter(|id| id.contains('@'))
        .take(REFERENCES)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_stripped_however_often() {
        for (subject, base, is_reply, is_forward) in [
            ("Rates", "Rates", false, false),
            ("Re: Rates", "Rates", true, false),
            ("RE: re:AW: Rates", "Rates", true, false),
            ("Fwd: Re: Rates", "Rates", true, true),
            ("Re[4]: Rates", "Rates", true, false),
            ("Re^2: Rates", "Rates", true, false),
            ("RV: ENC: TR: WG: Rates", "Rates", false, true),
            ("Antw: Rates", "Rates", true, false),
            ("Re\u{ff1a}Rates", "Rates", true, false),
            ("Reminder: Rates", "Reminder: Rates", false, false),
            ("Re:", "", true, false),
            ("", "", false, false),
        ] {
            assert_eq!(
                Subject::read(subject),
                Subject {
                    base,
                    is_reply,
                    is_forward
                },
                "{subject}"
            );
        }
    }

    #[test]
    fn ids_lose_their_brackets() {
        assert_eq!(message_ids("<a@b> <c@d>\t<e@f>"), ["a@b", "c@d", "e@f"]);
        assert!(message_ids("nothing here").is_empty());
        assert_eq!(message_ids(&"<a@b>".repeat(REFERENCES + 1)).len(), REFERENCES);
    }
}
