//! The addresses of a header field (RFC 5322 §3.4), read as leniently as mail programs do.
//!
//! Enters: a field's body. Leaves: every mailbox in order, groups flattened, and whether another
//! reader could have taken something else. An address inside a display name stays in the name.
//! Knows nothing of envelope addresses.

use super::{Domain, encoded_word, limits};

/// A mailbox of a header field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, decoded; empty when there is none.
    pub name: String,
    /// `local@domain` as written, domain in lower case; empty when there is none.
    pub address: String,
    /// What stands before the `@`.
    pub local: String,
    /// What stands after it.
    pub domain: Option<Domain>,
}

/// What one field gave.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    pub(super) list: Vec<Mailbox>,
    /// Addresses beside angled ones: to some readers they are a display name, to others whom the field names.
    pub(super) beside: Vec<Mailbox>,
    /// Readers may differ about who is named.
    pub(super) is_ambiguous: bool,
    /// More mailboxes stood there than are read.
    pub(super) is_cut: bool,
}

impl Mailboxes {
    /// Reads a field's body, folds and all.
    pub(super) fn read(raw: &[u8]) -> Self {
        let mut reader = Reader::default();
        reader.text(&encoded_word::unfold(raw));
        reader.found
    }

    /// What readers see who decode encoded words before they parse: they find addresses in them.
    pub(super) fn read_decoded_first(raw: &[u8]) -> Option<Self> {
        let unfolded = encoded_word::unfold(raw);
        let decoded = encoded_word::decode_words(&unfolded);
        if decoded == unfolded || !decoded.contains('@') {
            return None;
        }
        let mut reader = Reader::default();
        reader.text(&decoded);
        Some(reader.found)
    }
}

/// Whatever looks like an address in a field that gave none: no reader shows it as the author, but a
/// person may.
pub(super) fn lookalikes(raw: &[u8]) -> Vec<Mailbox> {
    let unfolded = encoded_word::unfold(raw);
    let decoded = encoded_word::decode_words(&unfolded);
    let tokens =
        decoded.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '"' | ',' | ';' | ':'));
    let mailboxes = tokens
        .filter(|token| token.contains('@'))
        .map(|token| Mailbox::new("", token));
    mailboxes
        .filter(|mailbox| mailbox.domain.is_some())
        .take(limits::MAILBOXES)
        .collect()
}

/// The mailbox under construction, and those that are done.
#[derive(Default)]
struct Reader {
    found: Mailboxes,
    /// Words outside angle brackets, without their quotes: a display name.
    phrase: String,
    /// The same with quotes kept: an address, should no angle bracket come.
    bare: String,
    /// Whether an `@` stands in it outside quotes, so that it may be an address.
    has_at: bool,
    comment: String,
    angle: Option<String>,
}

impl Reader {
    fn text(&mut self, mut rest: &str) {
        while let Some(c) = rest.chars().next() {
            let tail = rest.get(c.len_utf8()..).unwrap_or("");
            rest = match c {
                '"' => self.quoted(tail),
                '(' => self.commented(tail),
                '<' => self.angled(tail),
                // Outside quotes it escapes for some readers what ends a name for others.
                '\\' if tail.starts_with([',', ';', '<', '>']) => {
                    self.found.is_ambiguous = true;
                    tail
                }
                // `Example, Ann <ann@example.org>`: a comma in a name that should have been quoted.
                ',' if self.angle.is_none() && !self.has_at => {
                    self.push(c);
                    tail
                }
                ',' | ';' => {
                    self.finish();
                    tail
                }
                // A group's name isn't kept; its members are.
                ':' if self.angle.is_none() && !self.has_at => {
                    self.phrase.clear();
                    self.bare.clear();
                    tail
                }
                _ => {
                    self.has_at |= c == '@';
                    self.push(c);
                    tail
                }
            };
            if self.found.is_cut {
                return;
            }
        }
        self.finish();
    }

    fn push(&mut self, c: char) {
        self.phrase.push(c);
        self.bare.push(c);
    }

    /// A quoted string up to its closing quote, or to the end.
    fn quoted<'t>(&mut self, text: &'t str) -> &'t str {
        self.bare.push('"');
        let mut escaped = false;
        for (at, c) in text.char_indices() {
            match c {
                '\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                '"' if !escaped => {
                    self.bare.push('"');
                    return text.get(at + 1..).unwrap_or("");
                }
                _ => self.push(c),
            }
            escaped = false;
        }
        self.found.is_ambiguous = true;
        ""
    }

    /// A comment with the ones inside it.
    fn commented<'t>(&mut self, text: &'t str) -> &'t str {
        let (mut depth, mut escaped) = (1_u32, false);
        for (at, c) in text.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => {
                    escaped = true;
                    continue;
                }
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return text.get(at + 1..).unwrap_or("");
            }
            self.comment.push(c);
        }
        self.found.is_ambiguous = true;
        ""
    }

    /// What stands in angle brackets. A second pair is a second candidate.
    fn angled<'t>(&mut self, text: &'t str) -> &'t str {
        if self.angle.is_some() {
            self.found.is_ambiguous = true;
            self.finish();
        }
        let mut in_quotes = false;
        let end = text.char_indices().find(|(_, c)| {
            in_quotes ^= *c == '"';
            !in_quotes && matches!(c, '>' | '<')
        });
        let (inside, after) = match end {
            Some((at, '>')) => (text.get(..at), text.get(at + 1..)),
            Some((at, _)) => (text.get(..at), text.get(at..)),
            None => (Some(text), None),
        };
        self.found.is_ambiguous |= !matches!(end, Some((_, '>')));
        self.angle = inside.map(str::to_owned);
        after.unwrap_or("")
    }

    fn finish(&mut self) {
        let phrase = std::mem::take(&mut self.phrase);
        let bare = std::mem::take(&mut self.bare);
        let comment = std::mem::take(&mut self.comment);
        let has_at = std::mem::take(&mut self.has_at);
        let mailbox = match self.angle.take() {
            Some(angle) => {
                // A bare address beside an angled one is a display name to some and the author to others.
                if has_at && !same_address(&bare, &angle) {
                    self.found.is_ambiguous = true;
                    let (_, address) = split_off_address(bare.trim());
                    let beside =
                        Some(Mailbox::new("", address)).filter(|_| self.found.beside.len() < limits::MAILBOXES);
                    self.found
                        .beside
                        .extend(beside.filter(|mailbox| mailbox.domain.is_some()));
                }
                let name = if phrase.trim().is_empty() { &comment } else { &phrase };
                Mailbox::new(name, &angle)
            }
            None if has_at => {
                let (before, address) = split_off_address(bare.trim());
                Mailbox::new(if before.is_empty() { &comment } else { before }, address)
            }
            None => Mailbox::new(if phrase.trim().is_empty() { &comment } else { &phrase }, ""),
        };
        if self.found.list.len() >= limits::MAILBOXES {
            self.found.is_cut = true;
        } else if !(mailbox.name.is_empty() && mailbox.address.is_empty()) {
            self.found.list.push(mailbox);
        }
    }
}

impl Mailbox {
    fn new(name: &str, address: &str) -> Self {
        let name = encoded_word::decode_words(name.trim());
        let name = name
            .trim_matches(|c: char| c.is_whitespace() || matches!(c, '\'' | ','))
            .to_owned();
        let address: String = match address.trim().rsplit_once(':') {
            // An obsolete source route (RFC 5322 §4.4) names hosts before the mailbox.
            Some((route, mailbox)) if route.starts_with('@') => mailbox,
            _ => address.trim(),
        }
        .chars()
        .filter(|c| !c.is_control())
        .collect();
        let Some((local, domain)) = split_at_domain(&address) else {
            return Self {
                name,
                local: address.clone(),
                address,
                domain: None,
            };
        };
        let domain_text = domain.trim().to_lowercase();
        Self {
            name,
            address: format!("{local}@{domain_text}"),
            local: local.to_owned(),
            domain: Domain::parse(&domain_text),
        }
    }
}

/// At the last `@` behind the last quote: a domain holds neither.
fn split_at_domain(address: &str) -> Option<(&str, &str)> {
    let from = address.rfind('"').unwrap_or(0);
    let at = from + address.get(from..)?.rfind('@')?;
    Some((address.get(..at)?, address.get(at + 1..)?))
}

/// `Some Words user@domain` is read as a name and an address, as many mail programs do.
fn split_off_address(text: &str) -> (&str, &str) {
    if let Some((quoted, after)) = text.rsplit_once('"') {
        // A quoted local part goes on with its `@`; behind anything else quoted stands the address.
        let address = after.trim_start_matches([',', ' ', '\t']);
        let is_address = !after.starts_with('@') && address.contains('@') && !address.contains([' ', '\t']);
        return if is_address {
            (quoted.trim_matches('"'), address)
        } else {
            ("", text)
        };
    }
    match text.rsplit_once([' ', '\t']) {
        Some((before, last)) if last.contains('@') => (before, last),
        _ => match text.split_once([' ', '\t']) {
            Some((first, _)) if first.contains('@') => ("", first),
            _ => ("", text),
        },
    }
}

fn same_address(left: &str, right: &str) -> bool {
    left.trim().eq_ignore_ascii_case(right.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(raw: &str) -> Vec<(String, String)> {
        let list = Mailboxes::read(raw.as_bytes()).list;
        list.into_iter()
            .map(|mailbox| (mailbox.name, mailbox.address))
            .collect()
    }

    #[test]
    fn reads_what_mail_programs_write() {
        for (raw, expected) in [
            ("a@Example.ORG", &[("", "a@example.org")][..]),
            ("Ann Example <ann@example.org>", &[("Ann Example", "ann@example.org")]),
            (
                "\"Example, Ann\" <ann@example.org>",
                &[("Example, Ann", "ann@example.org")],
            ),
            ("ann@example.org (Ann Example)", &[("Ann Example", "ann@example.org")]),
            (
                "=?utf-8?q?Caf=C3=A9?= <c@example.org>",
                &[("Caf\u{e9}", "c@example.org")],
            ),
            (
                "\"=?utf-8?q?Caf=C3=A9?=\" <c@example.org>",
                &[("Caf\u{e9}", "c@example.org")],
            ),
            (
                "a@example.org, B <b@example.org>",
                &[("", "a@example.org"), ("B", "b@example.org")],
            ),
            (
                "Team: a@example.org, b@example.org;",
                &[("", "a@example.org"), ("", "b@example.org")],
            ),
            ("undisclosed-recipients:;", &[]),
            ("\"a b\"@example.org", &[("", "\"a b\"@example.org")]),
            ("<@relay.example:a@example.org>", &[("", "a@example.org")]),
            (
                "Bank <bank@example.com> <a@example.org>",
                &[("Bank", "bank@example.com"), ("", "a@example.org")],
            ),
            (
                "\"bank@example.com\" <a@example.org>",
                &[("bank@example.com", "a@example.org")],
            ),
            ("Ann ann@example.org", &[("Ann", "ann@example.org")]),
            ("\"Ann\" ann@example.org", &[("Ann", "ann@example.org")]),
            (
                "\"bank@example.com\", a@example.org",
                &[("bank@example.com", "a@example.org")],
            ),
            ("Example, Ann <ann@example.org>", &[("Example, Ann", "ann@example.org")]),
            (
                "\"bank@example.com\", <a@example.org>",
                &[("bank@example.com", "a@example.org")],
            ),
            ("Just A Name", &[("Just A Name", "")]),
            ("", &[]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(n, a)| ((*n).to_owned(), (*a).to_owned()))
                .collect();
            assert_eq!(pairs(raw), expected, "{raw}");
        }
    }

    #[test]
    fn ambiguity_is_told() {
        for (raw, ambiguous) in [
            ("Ann <ann@example.org>", false),
            ("\"bank@example.com\" <a@example.org>", false),
            ("bank@example.com <a@example.org>", true),
            ("a@example.org <a@example.org>", false),
            ("Bank <bank@example.com> <a@example.org>", true),
            ("Ann <ann@example.org", true),
            ("\"Ann <ann@example.org>", true),
            ("bank@example.com\\, <a@example.org>", true),
            ("Bank\\<a@example.org>", true),
            ("HOUSE\\ann <ann@example.org>", false),
            ("\"Example\\, Ann\" <ann@example.org>", false),
        ] {
            assert_eq!(Mailboxes::read(raw.as_bytes()).is_ambiguous, ambiguous, "{raw}");
        }
    }

    /// `\,` hid the address before it: with the backslash at its end its domain was none.
    #[test]
    fn an_address_before_an_escaped_comma_is_an_author() {
        assert_eq!(
            pairs("bank@example.com\\, <a@example.org>"),
            [
                (String::new(), "bank@example.com".to_owned()),
                (String::new(), "a@example.org".to_owned())
            ]
        );
    }

    #[test]
    fn an_encoded_address_is_a_second_reading() {
        let raw = b"=?utf-8?q?bank=40example=2Ecom=2C?= <a@example.org>";
        let found = Mailboxes::read_decoded_first(raw).unwrap();
        assert_eq!(found.list.first().unwrap().address, "bank@example.com");
        assert!(Mailboxes::read_decoded_first(b"Ann <ann@example.org>").is_none());
    }

    #[test]
    fn a_broken_field_may_still_name_someone() {
        let named = |raw: &str| {
            lookalikes(raw.as_bytes())
                .into_iter()
                .map(|mailbox| mailbox.address)
                .collect::<Vec<_>>()
        };
        assert_eq!(named("Shop,(<shop@example.org>)"), ["shop@example.org"]);
        assert!(named("Mail Delivery Subsystem").is_empty());
    }

    #[test]
    fn mailboxes_are_limited() {
        for (count, cut) in [
            (limits::MAILBOXES - 1, false),
            (limits::MAILBOXES, false),
            (limits::MAILBOXES + 1, true),
        ] {
            let raw = vec!["a@b.example"; count].join(",");
            let found = Mailboxes::read(raw.as_bytes());
            assert_eq!((found.is_cut, found.list.len()), (cut, count.min(limits::MAILBOXES)));
        }
    }
}
