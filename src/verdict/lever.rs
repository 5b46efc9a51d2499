//! One lever that an administrator pulls on a running gate: a client or a sender let through or
//! blocked, or the whole gate bypassed, until a moment that always comes.
//!
//! Text as people write it enters; a checked lever leaves, or what is wrong and what to do. Pure.
//! Knows nothing of messages, nor of who may pull and how levers are kept.

use crate::mail::Domain;
use crate::units::Span;
use ipnet::IpNet;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// Characters of the reason for a lever, which every verdict that it takes part in repeats.
pub const REASON_MAX: usize = 200;
/// How far ahead an allow entry may end.
pub const ALLOW_LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// How far ahead a block entry may end.
pub const BLOCK_LONGEST: SignedDuration = SignedDuration::from_hours(5 * 366 * 24);
/// The longest and the shortest bypass.
pub const BYPASS_LONGEST: SignedDuration = SignedDuration::from_hours(24);
const BYPASS_SHORTEST: SignedDuration = SignedDuration::from_secs(1);

/// Characters of a local part (RFC 5321 §4.5.3.1.1).
const LOCAL_MAX: usize = 64;

/// Which lever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// At most tag, but for malware.
    Allow,
    /// At least reject.
    Block,
    /// Judge and count, deliver untouched.
    Bypass,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Block, Self::Bypass];

    /// The word in commands, reasons, the store and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Bypass => "bypass",
        }
    }

    /// What it does to a message, in a few words.
    pub const fn effect(self) -> &'static str {
        match self {
            Self::Allow => "at most tag for what rules say",
            Self::Block => "at least reject",
            Self::Bypass => "delivered untouched",
        }
    }

    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Whom an entry means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Clients in this network; an address is the network of itself.
    Network(IpNet),
    /// A sender's domain and all below it.
    Domain(Domain),
    /// One mailbox, its local part in lower case.
    Mailbox(String, Domain),
}

/// What a lever does, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// At most tag for this subject, but for malware.
    Allow(Subject),
    /// At least reject for this subject.
    Block(Subject),
    /// Everything is delivered untouched.
    Bypass,
}

/// A lever that was pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub struct Lever {
    /// What it does.
    pub what: What,
    /// Who pulled it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub since: Timestamp,
    /// It is in force before this moment.
    pub until: Timestamp,
}

/// What is wrong with a lever, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeverError(pub String);

impl fmt::Display for LeverError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for LeverError {}

/// What was typed, as it is told and recorded.
pub fn shown(typed: &str) -> String {
    /// A local part, an `@`, a domain (RFC 5321 §4.5.3.1), and one more: what had to be cut is no entry.
    const TYPED_MAX: usize = 64 + 1 + 255 + 1;
    typed.chars().take(TYPED_MAX).collect()
}

fn wrong<T>(why: impl Into<String>) -> Result<T, LeverError> {
    Err(LeverError(why.into()))
}

impl Lever {
    /// An allow or block entry as somebody asks for it now.
    ///
    /// # Errors
    /// An entry that is none or too broad, a date that is past or too far, a reason that is missing or too long.
    pub fn entry(
        kind: Kind,
        entry: &str,
        until: &str,
        by: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Self, LeverError> {
        let what = What::read(kind, entry)?;
        match what.subject() {
            Some(subject) => check_breadth(kind, subject)?,
            None => return wrong("a bypass has no entry and lasts for hours at most"),
        }
        let until = read_until(until)?;
        let longest = if kind == Kind::Allow {
            ALLOW_LONGEST
        } else {
            BLOCK_LONGEST
        };
        if until <= now {
            return wrong(format!("{until} is past: give a day or moment to come"));
        }
        if until.duration_since(now) > longest {
            let days = longest.as_hours() / 24;
            let help = "give a nearer date, and renew the entry if it is still needed";
            return wrong(format!(
                "{until} is too far: an entry to {} lasts at most {days} days; {help}",
                kind.as_str()
            ));
        }
        Ok(Self {
            what,
            by: by.to_owned(),
            reason: check_reason(reason)?,
            since: now,
            until,
        })
    }

    /// A bypass as somebody asks for it now.
    ///
    /// # Errors
    /// A span that is too short or too long, a reason that is missing or too long.
    pub fn bypass(span: Span, by: &str, reason: &str, now: Timestamp) -> Result<Self, LeverError> {
        let span = SignedDuration::try_from(span.0).unwrap_or(SignedDuration::MAX);
        if span < BYPASS_SHORTEST || span > BYPASS_LONGEST {
            let hours = BYPASS_LONGEST.as_hours();
            return wrong(format!(
                "a bypass lasts from 1s to {hours}h; for longer, set [policy] mode = \"observe\""
            ));
        }
        let until = now.checked_add(span).map_err(|error| LeverError(error.to_string()))?;
        Ok(Self {
            what: What::Bypass,
            by: by.to_owned(),
            reason: check_reason(reason)?,
            since: now,
            until,
        })
    }

    /// Whether it is in force at this moment.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// It all in a sentence: for reasons and logs.
    pub fn sentence(&self) -> String {
        let (what, effect) = (&self.what, self.what.kind().effect());
        format!(
            "{what} ({effect}), by {} until {}: {}",
            self.by, self.until, self.reason
        )
    }
}

impl What {
    /// Reads an entry of this kind; a bypass has none.
    ///
    /// # Errors
    /// What the entry should look like.
    pub fn read(kind: Kind, entry: &str) -> Result<Self, LeverError> {
        match kind {
            Kind::Allow => Subject::read(entry).map(Self::Allow),
            Kind::Block => Subject::read(entry).map(Self::Block),
            Kind::Bypass => Ok(Self::Bypass),
        }
    }

    /// Which lever it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Allow(_) => Kind::Allow,
            Self::Block(_) => Kind::Block,
            Self::Bypass => Kind::Bypass,
        }
    }

    /// To whom it applies.
    pub const fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Allow(subject) | Self::Block(subject) => Some(subject),
            Self::Bypass => None,
        }
    }

    /// The entry in the form that [`Self::read`] takes; empty for a bypass.
    pub fn entry(&self) -> String {
        self.subject().map(ToString::to_string).unwrap_or_default()
    }
}

impl fmt::Display for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject() {
            Some(subject) => write!(formatter, "{} {subject}", self.kind().as_str()),
            None => formatter.write_str(self.kind().as_str()),
        }
    }
}

impl Subject {
    /// Reads an address, a network, `user@domain` or `@domain`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn read(text: &str) -> Result<Self, LeverError> {
        let text = shown(text);
        match text.rsplit_once('@') {
            Some((local, domain)) => sender(&text, local, domain),
            None => client(&text),
        }
    }

    /// The domain of a sender, whom the message names itself; `None` for a client.
    pub const fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Network(_) => None,
            Self::Domain(domain) | Self::Mailbox(_, domain) => Some(domain),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) if network.prefix_len() == network.max_prefix_len() => network.addr().fmt(formatter),
            Self::Network(network) => network.fmt(formatter),
            Self::Domain(domain) => write!(formatter, "@{domain}"),
            Self::Mailbox(local, domain) => write!(formatter, "{local}@{domain}"),
        }
    }
}

fn sender(text: &str, local: &str, domain: &str) -> Result<Subject, LeverError> {
    if let Some(bare) = domain.strip_prefix("*.").or_else(|| domain.strip_prefix('.')) {
        return wrong(format!("what stands below a domain is meant anyway: write @{bare}"));
    }
    let Some(domain) = Domain::parse(domain).filter(|domain| !domain.is_ip()) else {
        return wrong(format!("{domain:?} is no domain"));
    };
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "<>\"(),;:\\".contains(c);
    if local.chars().any(is_odd) || local.chars().count() > LOCAL_MAX {
        return wrong(format!(
            "{text:?} is no plain mailbox: write user@domain, or @domain for all of it"
        ));
    }
    Ok(if local.is_empty() {
        Subject::Domain(domain)
    } else {
        Subject::Mailbox(local.to_lowercase(), domain)
    })
}

fn client(text: &str) -> Result<Subject, LeverError> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Subject::Network(IpNet::from(address.to_canonical())));
    }
    let Ok(network) = text.parse::<IpNet>() else {
        let example = "write an address (203.0.113.7), a network (203.0.113.0/24), user@domain or @domain";
        return wrong(format!("{text:?} is no entry: {example}"));
    };
    if network.trunc() != network {
        return wrong(format!(
            "{text} is an address inside a network: did you mean {}?",
            network.trunc()
        ));
    }
    Ok(Subject::Network(network))
}

/// An entry must not mean more of the world than anybody can answer for.
fn check_breadth(kind: Kind, subject: &Subject) -> Result<(), LeverError> {
    match subject {
        Subject::Network(network) => {
            let shortest = match (kind, network) {
                (Kind::Allow, IpNet::V4(_)) => 16,
                (Kind::Allow, IpNet::V6(_)) => 32,
                (_, IpNet::V4(_)) => 8,
                (_, IpNet::V6(_)) => 16,
            };
            if network.prefix_len() < shortest {
                let kind = kind.as_str();
                return wrong(format!(
                    "{network} is too broad: an entry to {kind} has a prefix of at least /{shortest}"
                ));
            }
        }
        Subject::Domain(domain) if kind == Kind::Allow && domain.site().is_none() => {
            return wrong(format!(
                "@{domain} is too broad: many owners register below it, or none; name one owner's domain"
            ));
        }
        Subject::Domain(_) | Subject::Mailbox(..) => {}
    }
    Ok(())
}

fn check_reason(reason: &str) -> Result<String, LeverError> {
    let reason = reason.trim();
    if reason.is_empty() {
        return wrong("a reason is needed");
    }
    if reason.chars().count() > REASON_MAX {
        return wrong(format!("the reason is too long: at most {REASON_MAX} characters"));
    }
    if reason.chars().any(char::is_control) {
        return wrong("the reason must be one line of plain text");
    }
    Ok(reason.to_owned())
}

/// A day counts to its end, UTC, as in rule lists; a moment says its offset.
fn read_until(text: &str) -> Result<Timestamp, LeverError> {
    /// `2026-12-31`, and nothing after it.
    const DAY_LENGTH: usize = 10;
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let day = text.parse::<Date>().ok().filter(|_| text.len() == DAY_LENGTH);
    let end = day.and_then(|day| day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok());
    match end {
        Some(end) => Ok(end.timestamp()),
        None => wrong(format!(
            "{:?} is no date: write a day (2026-12-31) or a moment with its offset (2026-12-31T17:00:00Z)",
            shown(text)
        )),
    }
}

/// A lever as JSON has it.
#[derive(Serialize, Deserialize)]
struct Written {
    kind: Kind,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    entry: String,
    by: String,
    reason: String,
    since: Timestamp,
    until: Timestamp,
}

impl From<Lever> for Written {
    fn from(lever: Lever) -> Self {
        Self {
            kind: lever.what.kind(),
            entry: lever.what.entry(),
            by: lever.by,
            reason: lever.reason,
            since: lever.since,
            until: lever.until,
        }
    }
}

impl TryFrom<Written> for Lever {
    type Error = LeverError;

    fn try_from(written: Written) -> Result<Self, LeverError> {
        Ok(Self {
            what: What::read(written.kind, &written.entry)?,
            by: written.by,
            reason: written.reason,
            since: written.since,
            until: written.until,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: &str = "2026-11-25T12:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn entry(kind: Kind, entry: &str, until: &str) -> Result<Lever, LeverError> {
        Lever::entry(kind, entry, until, "uid 0", "asked for", now())
    }

    #[test]
    fn entries_read_and_write_themselves() {
        for (text, written) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7/32", "203.0.113.7"),
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("2001:DB8::1", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("Ann@Example.ORG", "ann@example.org"),
            ("@Example.org.", "@example.org"),
            ("@b\u{fc}cher.example", "@xn--bcher-kva.example"),
        ] {
            let subject = Subject::read(text).unwrap();
            assert_eq!(subject.to_string(), written, "{text}");
            assert_eq!(Subject::read(written), Ok(subject), "{text}");
        }
    }

    #[test]
    fn what_is_no_entry_says_what_would_be() {
        for (text, told) in [
            ("", "is no entry"),
            ("example.org", "user@domain or @domain"),
            ("203.0.113.7/24", "did you mean 203.0.113.0/24?"),
            ("203.0.113.0/33", "is no entry"),
            ("@.example.org", "write @example.org"),
            ("@*.example.org", "write @example.org"),
            ("ann@", "is no domain"),
            ("ann@[203.0.113.7]", "is no domain"),
            ("ann@203.0.113.7", "is no domain"),
            ("<ann@example.org", "no plain mailbox"),
            ("ann b@example.org", "no plain mailbox"),
            (&format!("{}@example.org", "a".repeat(65)), "no plain mailbox"),
        ] {
            let error = Subject::read(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
        assert!(Subject::read(&format!("{}@example.org", "a".repeat(64))).is_ok());
    }

    #[test]
    fn what_was_typed_is_told_within_a_bound() {
        for (typed, told) in [(320, 320), (321, 321), (322, 321)] {
            assert_eq!(shown(&"\u{e4}".repeat(typed)).chars().count(), told);
        }
        let longest = |labels: usize| format!("{}@{}org", "a".repeat(64), "a.".repeat(labels));
        assert!(Subject::read(&longest(126)).is_ok(), "a domain of 255");
        for error in [
            Subject::read(&longest(127)).unwrap_err(),
            Subject::read(&"a".repeat(60_000)).unwrap_err(),
            entry(Kind::Block, "192.0.2.1", &"9".repeat(60_000)).unwrap_err(),
        ] {
            assert!(error.0.len() < 600, "{}", error.0.len());
        }
    }

    #[test]
    fn what_is_too_broad_is_refused_at_its_limit() {
        for (kind, text, fine) in [
            (Kind::Allow, "0.0.0.0/0", false),
            (Kind::Block, "0.0.0.0/0", false),
            (Kind::Block, "::/0", false),
            (Kind::Allow, "10.0.0.0/15", false),
            (Kind::Allow, "10.0.0.0/16", true),
            (Kind::Block, "10.0.0.0/7", false),
            (Kind::Block, "10.0.0.0/8", true),
            (Kind::Allow, "2001:db8::/31", false),
            (Kind::Allow, "2001:db8::/32", true),
            (Kind::Block, "2000::/15", false),
            (Kind::Block, "2000::/16", true),
            (Kind::Allow, "@co.uk", false),
            (Kind::Allow, "@github.io", false),
            (Kind::Allow, "@localhost", false),
            (Kind::Allow, "@example.co.uk", true),
            (Kind::Block, "@co.uk", true),
        ] {
            let told = entry(kind, text, "2026-12-01");
            assert_eq!(told.is_ok(), fine, "{kind:?} {text}: {told:?}");
            assert!(told.is_ok() || told.unwrap_err().0.contains("too broad"), "{text}");
        }
    }

    #[test]
    fn a_day_counts_to_its_end_and_a_moment_to_itself() {
        for (text, until) in [
            ("2026-11-25", "2026-11-26T00:00:00Z"),
            ("2026-11-25T12:00:01Z", "2026-11-25T12:00:01Z"),
            ("2026-11-25T14:00:00+01:00", "2026-11-25T13:00:00Z"),
        ] {
            assert_eq!(
                entry(Kind::Block, "192.0.2.1", text).unwrap().until,
                until.parse().unwrap(),
                "{text}"
            );
        }
        for text in [
            "",
            "tomorrow",
            "2026-11-31",
            "2026-12-01T12:00",
            "2026-12-01 12:00:00",
            "31.12.2026",
        ] {
            let error = entry(Kind::Block, "192.0.2.1", text).unwrap_err();
            assert!(error.0.contains("is no date"), "{text}: {error}");
        }
    }

    #[test]
    fn a_lever_ends_in_time_one_below_at_and_above_each_limit() {
        let second = SignedDuration::from_secs(1);
        for (kind, longest) in [(Kind::Allow, ALLOW_LONGEST), (Kind::Block, BLOCK_LONGEST)] {
            for (ahead, told) in [
                (SignedDuration::ZERO, Some("is past")),
                (second, None),
                (longest - second, None),
                (longest, None),
                (longest + second, Some("too far")),
            ] {
                let made = entry(kind, "192.0.2.1", &(now() + ahead).to_string());
                let fits = made.as_ref().err().map(|error| error.0.as_str());
                assert_eq!(fits.is_some(), told.is_some(), "{kind:?} {ahead}: {made:?}");
                assert!(told.is_none_or(|told| fits.unwrap().contains(told)), "{fits:?}");
            }
        }
        for (seconds, fine) in [(0, false), (1, true), (86_399, true), (86_400, true), (86_401, false)] {
            let made = Lever::bypass(Span(Duration::from_secs(seconds)), "uid 0", "a jam", now());
            assert_eq!(made.is_ok(), fine, "{seconds}: {made:?}");
        }
    }

    #[test]
    fn it_holds_before_its_end_and_not_at_it() {
        let lever = entry(Kind::Block, "192.0.2.1", "2026-11-25T12:00:10Z").unwrap();
        let at = |seconds: i64| lever.holds(now() + SignedDuration::from_secs(seconds));
        assert_eq!([at(9), at(10), at(11)], [true, false, false]);
    }

    #[test]
    fn a_reason_is_one_bounded_line() {
        let with = |reason: &str| Lever::entry(Kind::Block, "192.0.2.1", "2026-12-01", "uid 0", reason, now());
        for (reason, fine) in [
            (String::new(), false),
            ("  ".into(), false),
            ("a\nb".into(), false),
            ("a\u{1b}[2J".into(), false),
            ("\u{e4}".repeat(REASON_MAX), true),
            ("\u{e4}".repeat(REASON_MAX + 1), false),
        ] {
            assert_eq!(with(&reason).is_ok(), fine, "{reason:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_typed_is_refused_or_reads_back(text in "\\PC{0,40}", address in "[a-z.@*0-9:/\\[\\]]{0,30}") {
            for text in [text, address] {
                if let Ok(subject) = Subject::read(&text) {
                    proptest::prop_assert_eq!(Subject::read(&subject.to_string()), Ok(subject));
                }
                let _ = entry(Kind::Allow, &text, &text);
            }
        }
    }

    #[test]
    fn json_has_its_parts_and_reads_back() {
        let lever = entry(Kind::Block, "@example.org", "2026-12-01").unwrap();
        let json = serde_json::to_string(&lever).unwrap();
        assert_eq!(
            json,
            r#"{"kind":"block","entry":"@example.org","by":"uid 0","reason":"asked for","since":"2026-11-25T12:00:00Z","until":"2026-12-02T00:00:00Z"}"#
        );
        assert_eq!(serde_json::from_str::<Lever>(&json).unwrap(), lever);
        let bypass = Lever::bypass(Span(Duration::from_secs(60)), "uid 0", "a jam", now()).unwrap();
        let json = serde_json::to_string(&bypass).unwrap();
        assert_eq!(serde_json::from_str::<Lever>(&json).unwrap(), bypass);
        assert!(
            serde_json::from_str::<Lever>(&json.replace("bypass", "block")).is_err(),
            "a block without an entry"
        );
    }
}
