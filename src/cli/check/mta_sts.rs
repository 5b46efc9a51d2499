//! MTA-STS: what a domain's record and policy say (RFC 8461 §3).
//!
//! Octets from DNS and the web in, a policy or what is wrong with it out. Pure. Knows nothing of how they were
//! got, and of certificates.

/// Longest `max_age`: about a year (RFC 8461 §3.2).
const MAX_AGE_MOST: u32 = 31_557_600;

/// Characters of a record or line that are told.
const SHOWN_MAX: usize = 80;

/// What senders are told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not to send where the policy isn't met.
    Enforce,
    /// To report it and send all the same.
    Testing,
    /// Nothing any more.
    None,
}

impl Mode {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) mode: Mode,
    /// Seconds.
    pub(super) max_age: u32,
    /// Host names, or `*.` and a name; in lower case.
    pub(super) patterns: Vec<String>,
}

impl Policy {
    /// Whether senders may use this MX host: a star stands for one whole label (RFC 8461 §4.1).
    pub(super) fn allows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.patterns.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(suffix) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest == suffix),
            None => host == *pattern,
        })
    }
}

/// The id in the TXT records of `_mta-sts.DOMAIN`; `None` without a policy.
///
/// # Errors
/// In words: records that senders take for none although somebody meant one.
pub(super) fn record(texts: &[Vec<u8>]) -> Result<Option<String>, String> {
    // RFC 8461 §3.1: others are discarded, and unless one remains there is no policy.
    let mut ours = texts.iter().filter(|text| text.starts_with(b"v=STSv1"));
    let Some(text) = ours.next() else { return Ok(None) };
    if ours.next().is_some() {
        return Err("there are several TXT records, which senders take for none".into());
    }
    let text = std::str::from_utf8(text).map_err(|_| "the TXT record is no text".to_owned())?;
    let mut fields = text.split(';').map(|field| field.trim_matches([' ', '\t']));
    if fields.next() != Some("v=STSv1") {
        return Err(format!("the TXT record {:?} is of no known version", cut(text)));
    }
    let id = fields.find_map(|field| field.strip_prefix("id=")).unwrap_or_default();
    if (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(Some(id.to_owned()))
    } else {
        Err(format!(
            "the TXT record {:?} has no id of 1 to 32 letters and digits",
            cut(text)
        ))
    }
}

/// Reads a policy.
///
/// # Errors
/// In words: what senders can't use.
pub(super) fn parse(octets: &[u8]) -> Result<Policy, String> {
    let text = std::str::from_utf8(octets).map_err(|_| "it is no text".to_owned())?;
    let (mut version, mut mode, mut max_age, mut patterns) = (None, None, None, Vec::new());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (key, value) = line
            .split_once(':')
            .ok_or_else(|| format!("{:?} has no colon", cut(line)))?;
        let value = value.trim_matches([' ', '\t']);
        // RFC 8461 §3.2: of repeated fields the first counts, but for mx, and unknown ones are passed over.
        match key.trim_end_matches([' ', '\t']) {
            "version" => _ = version.get_or_insert(value),
            "mode" => _ = mode.get_or_insert(value),
            "max_age" => _ = max_age.get_or_insert(value),
            "mx" => patterns.push(pattern(value)?),
            _ => {}
        }
    }
    if version != Some("STSv1") {
        return Err("it has no \"version: STSv1\"".into());
    }
    let mode = match mode {
        Some("enforce") => Mode::Enforce,
        Some("testing") => Mode::Testing,
        Some("none") => Mode::None,
        Some(other) => return Err(format!("mode {:?} is unknown", cut(other))),
        None => return Err("it has no mode".into()),
    };
    let max_age = max_age.ok_or("it has no max_age")?;
    let digits = max_age.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = max_age.parse().ok().filter(|age| digits && *age <= MAX_AGE_MOST);
    let max_age = seconds.ok_or_else(|| format!("max_age {:?} is not a number up to {MAX_AGE_MOST}", cut(max_age)))?;
    if patterns.is_empty() && mode != Mode::None {
        return Err("it names no mx".into());
    }
    Ok(Policy {
        mode,
        max_age,
        patterns,
    })
}

/// A host name, or one with a star for its first label.
fn pattern(value: &str) -> Result<String, String> {
    let name = value.strip_prefix("*.").unwrap_or(value);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(is_label) {
        Ok(value.to_ascii_lowercase())
    } else {
        Err(format!("mx {:?} is no host name", cut(value)))
    }
}

/// Enough of what somebody wrote to find it again.
fn cut(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_with_a_version_and_an_id() {
        for (texts, expected) in [
            (&["v=STSv1; id=20240101;"] as &[&str], Ok(Some("20240101"))),
            (&["v=STSv1;id=A1"], Ok(Some("A1"))),
            (&["v=STSv1 ; x=y; id=7"], Ok(Some("7"))),
            (&["v=spf1 -all", "v=STSv1; id=1"], Ok(Some("1"))),
            (&[], Ok(None)),
            (&["v=spf1 -all"], Ok(None)),
            (&["V=STSV1; id=1"], Ok(None)),
            (&["v=STSv1; id=1", "v=STSv1; id=2"], Err("several")),
            (&["v=STSv1;"], Err("no id")),
            (&["v=STSv1; id="], Err("no id")),
            (&["v=STSv1; id=a-b"], Err("no id")),
            (&["v=STSv1; id=123456789012345678901234567890123"], Err("no id")),
            (&["v=STSv12; id=1"], Err("no known version")),
        ] {
            let octets: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
            match (record(&octets), expected) {
                (Ok(id), Ok(expected)) => assert_eq!(id.as_deref(), expected, "{texts:?}"),
                (Err(told), Err(words)) => assert!(told.contains(words), "{told}"),
                (got, expected) => panic!("{texts:?}: {got:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        let text = "version: STSv1\r\nmode: enforce\r\nmx: mail.council.example\r\nmx: *.Council.example\r\n\
                    max_age: 604800\r\nnew_field: x\r\nmode: none\r\n";
        let policy = parse(text.as_bytes()).unwrap();
        let expected = Policy {
            mode: Mode::Enforce,
            max_age: 604_800,
            patterns: vec!["mail.council.example".into(), "*.council.example".into()],
        };
        assert_eq!(policy, expected);
        assert_eq!(parse(text.replace('\r', "").as_bytes()).unwrap(), expected);
        let none = parse(b"max_age:0\nmode:none\nversion:STSv1").unwrap();
        assert_eq!((none.mode, none.max_age), (Mode::None, 0));
    }

    #[test]
    fn what_senders_can_not_use_is_told() {
        let good = "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 31557600\n";
        assert!(parse(good.as_bytes()).is_ok());
        for (from, to, words) in [
            ("version: STSv1\n", "", "version"),
            ("STSv1", "STSv2", "version"),
            ("mode: testing\n", "", "no mode"),
            ("testing", "Testing", "\"Testing\" is unknown"),
            ("mx: a.example\n", "", "no mx"),
            ("a.example", "a.*.example", "no host name"),
            ("a.example", "*", "no host name"),
            ("a.example", "a..example", "no host name"),
            ("a.example", "*.", "no host name"),
            ("a.example", "-a.example", "no host name"),
            ("max_age: 31557600\n", "", "no max_age"),
            ("31557600", "31557601", "not a number"),
            ("31557600", "-1", "not a number"),
            ("31557600", "+1", "not a number"),
            ("31557600", "", "not a number"),
            ("31557600", "99999999999", "not a number"),
            ("mx: a.example", "a.example", "no colon"),
        ] {
            let told = parse(good.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(told.contains(words), "{from:?} as {to:?}: {told}");
        }
        for (length, shown) in [(79, 79), (80, 80), (81, 80), (60_000, 80)] {
            let told = parse("?".repeat(length).as_bytes()).unwrap_err();
            assert_eq!(told.matches('?').count(), shown);
        }
        let record = record(&[format!("v=STSv1; {}", "x".repeat(60_000)).into_bytes()]);
        assert!(record.unwrap_err().len() < 200);
        assert!(
            parse(b"\x1b[2J\n").unwrap_err().contains("\\u{1b}"),
            "and never as it is"
        );
        assert!(parse(b"").is_err() && parse(b"\xff\xfe").is_err() && parse(b"<html>\n").is_err());
    }

    #[test]
    fn a_star_stands_for_one_whole_label() {
        let policy =
            parse(b"version: STSv1\nmode: enforce\nmx: *.council.example\nmx: mx.parish.example\nmax_age: 1\n");
        let policy = policy.unwrap();
        for (host, allowed) in [
            ("mx.council.example", true),
            ("MX.Council.Example", true),
            ("a.b.council.example", false),
            ("council.example", false),
            (".council.example", false),
            ("mxcouncil.example", false),
            ("mx.parish.example", true),
            ("a.parish.example", false),
            ("", false),
        ] {
            assert_eq!(policy.allows(host), allowed, "{host}");
        }
    }
}
