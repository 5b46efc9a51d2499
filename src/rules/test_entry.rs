//! Tests within rule files, as written: a mail, the facts around it, and what is expected.
//!
//! A TOML table goes in; out comes a [`TestEntry`] or a [`VerdictTest`] with everything that it
//! leaves out still unsaid. Knows nothing of how a mail is built or a rule is run.

use super::Action;
use super::diagnostic::nearest;
use super::keys;
use super::list_entry::Entries;
use super::schema::FIELDS;
use super::source::Source;
use super::table::{Located, Reader, Section, plain};
use crate::evidence::{Listing, Origin};
use crate::mail::Domain;
use jiff::Timestamp;
use std::sync::Arc;
use toml::de::DeValue;

/// What a rule is expected to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expectation {
    /// It is true.
    Match,
    /// It is false.
    NoMatch,
    /// It can't be decided.
    Unknown,
}

impl Expectation {
    /// The word in rule files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::NoMatch => "no-match",
            Self::Unknown => "unknown",
        }
    }

    pub(super) const WORDS: [(&'static str, Self); 3] = [
        (Self::Match.as_str(), Self::Match),
        (Self::NoMatch.as_str(), Self::NoMatch),
        (Self::Unknown.as_str(), Self::Unknown),
    ];
}

/// A `[[rule.test]]`.
#[derive(Debug, Clone)]
pub struct TestEntry {
    /// What it shows.
    pub name: String,
    /// The file it stands in.
    pub source: Arc<Source>,
    /// Where in the file it begins.
    pub start: usize,
    /// The mail and the facts around it.
    pub scene: Scene,
    /// What the rule should say.
    pub expect: Expectation,
    /// Texts that must be among the evidence.
    pub evidence: Vec<String>,
}

/// A `[[verdict_test]]`: a mail and what becomes of it under the default policy.
#[derive(Debug, Clone)]
pub struct VerdictTest {
    /// What it shows.
    pub name: String,
    /// The file it stands in.
    pub source: Arc<Source>,
    /// Where in the file it begins.
    pub start: usize,
    /// The mail and the facts around it.
    pub scene: Scene,
    /// The verdict; `None` when only rules are asked about.
    pub action: Option<Action>,
    /// Rules that must match.
    pub must: Vec<Located<String>>,
    /// Rules that must not match.
    pub must_not: Vec<Located<String>>,
}

/// A mail and the facts around it. What is unsaid is a stranger's.
#[derive(Debug, Clone, Default, Hash)]
pub struct Scene {
    /// The mail.
    pub mail: Sketch,
    /// The client's address.
    pub client: Option<std::net::IpAddr>,
    /// Its reverse name.
    pub client_name: Option<String>,
    /// Whether that is forward-confirmed.
    pub client_name_confirmed: Option<bool>,
    /// Whether what it calls itself leads to it.
    pub helo_confirmed: Option<bool>,
    /// Block lists that list it.
    pub client_listed: Vec<String>,
    /// The HELO name.
    pub helo: Option<String>,
    /// The reverse-path; empty for the null one.
    pub envelope_from: Option<String>,
    /// The recipients.
    pub envelope_to: Vec<String>,
    /// Whether it leaves the organisation.
    pub outbound: bool,
    /// `spf dkim dmarc dmarc_policy arc` and their words.
    pub auth: Vec<(String, String)>,
    /// Domains whose signatures pass.
    pub dkim_domains: Vec<String>,
    /// Whether SPF or DKIM aligns; as DMARC has it where it isn't said.
    pub aligned: Option<bool>,
    /// Whether the author's domain only tries its policy out.
    pub dmarc_testing: Option<bool>,
    /// Sealers of the ARC chain, the newest first.
    pub arc_sealers: Vec<String>,
    /// Whether a trusted one of them vouches.
    pub arc_vouched: Option<bool>,
    /// Domains that block lists have.
    pub listings: Vec<Listing>,
    /// Earlier mail.
    pub history: Earlier,
    /// Lists whose entries this test replaces.
    pub(super) lists: Vec<(Located<String>, Entries)>,
    /// Facts that could not be found out, by schema name.
    pub unknown: Vec<Located<String>>,
    /// When it is judged; `None` is [`super::testing::NOW`].
    pub now: Option<Timestamp>,
}

/// Earlier mail between author and recipient.
#[derive(Debug, Clone, Default, Hash)]
pub struct Earlier {
    /// Messages from the author.
    pub messages: u64,
    /// How many of them were quarantined.
    pub quarantined: u64,
    /// How many of these were released.
    pub released: u64,
    /// Messages to the author.
    pub sent: u64,
    /// Whether the first of all was to the author.
    pub sent_first: Option<bool>,
    /// When the author's first came.
    pub first_seen: Option<Timestamp>,
    /// When the author's last came.
    pub last_seen: Option<Timestamp>,
    /// Bank details that the author's domain has shown, those of the mail among them, and its others.
    pub bank_details: Option<[u64; 3]>,
}

impl Earlier {
    fn read(reader: &mut Reader, section: Section<'_, '_>) -> Self {
        reader.check(section, &keys::HISTORY);
        Self {
            messages: count(reader, section, "messages_before"),
            quarantined: count(reader, section, "quarantined_before"),
            released: count(reader, section, "released_before"),
            sent: count(reader, section, "sent_before"),
            sent_first: reader.boolean(section, "sent_first"),
            first_seen: time(reader, section, "first_seen"),
            last_seen: time(reader, section, "last_seen"),
            bank_details: reader.table(section, "bank_details", "bank details").map(|details| {
                reader.check(details, &keys::BANK_DETAILS);
                ["known", "seen", "new"].map(|key| count(reader, details, key))
            }),
        }
    }
}

/// A mail in few words.
#[derive(Debug, Clone, Default, Hash)]
pub struct Sketch {
    /// `From`: an address, or a name and an address in angle brackets.
    pub from: Option<String>,
    /// `To`, likewise.
    pub to: Vec<String>,
    /// `Cc`, likewise.
    pub cc: Vec<String>,
    /// `Reply-To`, likewise.
    pub reply_to: Vec<String>,
    /// The subject, as people see it.
    pub subject: Option<String>,
    /// The `Date` field as it should stand.
    pub date: Option<String>,
    /// A `text/plain` body.
    pub text: Option<String>,
    /// A `text/html` body.
    pub html: Option<String>,
    /// More header fields, as they should stand.
    pub headers: Vec<(String, String)>,
    /// Attached files.
    pub attachments: Vec<AttachmentSketch>,
    /// The whole message instead; bare LF becomes CRLF.
    pub raw: Option<String>,
    /// A file within the pack that holds the whole message instead.
    pub file: Option<Located<String>>,
}

/// An attached file in few words.
#[derive(Debug, Clone, Default, Hash)]
pub struct AttachmentSketch {
    /// The file name.
    pub name: String,
    /// `type/subtype`; empty is `application/octet-stream`.
    pub content_type: String,
    /// Its content.
    pub content: Vec<u8>,
}

/// Whether a test may call this unknown: a field of the schema, or a group such as `auth`.
fn is_fact(name: &str) -> bool {
    FIELDS.iter().any(|field| {
        let rest = field.name.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

impl TestEntry {
    pub(super) fn read(reader: &mut Reader, section: Section<'_, '_>) -> Option<Self> {
        reader.check(section, &keys::TEST);
        let evidence = reader.strings(section, "evidence", true).unwrap_or_default();
        let entry = Self {
            name: reader
                .string(section, "name")
                .map(|name| name.value)
                .unwrap_or_default(),
            source: Arc::clone(&reader.source),
            start: section.start,
            scene: Scene::read(reader, section),
            expect: reader.word(section, "expect", &Expectation::WORDS)?,
            evidence: evidence.into_iter().map(|text| text.value).collect(),
        };
        Some(entry)
    }
}

impl VerdictTest {
    pub(super) fn read(reader: &mut Reader, section: Section<'_, '_>) -> Option<Self> {
        reader.check(section, &keys::VERDICT_TEST);
        let actions = Action::ALL.map(|action| (action.as_str(), action));
        Some(Self {
            name: reader
                .string(section, "name")
                .map(|name| name.value)
                .unwrap_or_default(),
            source: Arc::clone(&reader.source),
            start: section.start,
            scene: Scene::read(reader, section),
            action: reader.word(section, "action", &actions),
            must: reader.strings(section, "must", true).unwrap_or_default(),
            must_not: reader.strings(section, "must_not", true).unwrap_or_default(),
        })
    }
}

impl Scene {
    fn read(reader: &mut Reader, section: Section<'_, '_>) -> Self {
        let mut scene = Self::default();
        if let Some(mail) = reader.table(section, "mail", "mail") {
            scene.mail = Sketch::read(reader, mail);
        }
        scene.read_client(reader, section);
        scene.read_envelope(reader, section);
        scene.read_auth(reader, section);
        for listing in reader.tables(section, "listings", "listing") {
            scene.listings.extend(read_listing(reader, listing));
        }
        if let Some(history) = reader.table(section, "history", "history") {
            scene.history = Earlier::read(reader, history);
        }
        if let Some(lists) = reader.table(section, "lists", "lists") {
            for name in lists.table.keys() {
                let key = Located {
                    value: name.get_ref().to_string(),
                    span: name.span(),
                };
                let entries = Entries::of_test(reader, lists, &key.value);
                scene.lists.push((key, entries));
            }
        }
        scene.unknown = reader.strings(section, "unknown", true).unwrap_or_default();
        for fact in &scene.unknown {
            if !is_fact(&fact.value) {
                let near = nearest(&fact.value, FIELDS.iter().map(|field| field.name));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                let message = format!("there is no fact `{}`", plain(&fact.value));
                reader.error_help("bad-word", fact.span.clone(), message, help);
            }
        }
        scene.now = time(reader, section, "now");
        scene
    }

    fn read_client(&mut self, reader: &mut Reader, section: Section<'_, '_>) {
        self.helo = reader.string(section, "helo").map(|helo| helo.value);
        let address = if section
            .table
            .get("client")
            .is_some_and(|value| value.get_ref().is_str())
        {
            reader.string(section, "client")
        } else if let Some(client) = reader.table(section, "client", "client") {
            reader.check(client, &keys::CLIENT);
            self.client_name = reader.string(client, "name").map(|name| name.value);
            self.client_name_confirmed = reader.boolean(client, "name_confirmed");
            self.helo_confirmed = reader.boolean(client, "helo_confirmed");
            let listed = reader.strings(client, "listed", true).unwrap_or_default();
            self.client_listed = listed.into_iter().map(|name| name.value).collect();
            reader.string(client, "ip")
        } else {
            None
        };
        if let Some(address) = address {
            match address.value.parse() {
                Ok(ip) => self.client = Some(ip),
                Err(_) => reader.error("bad-address", address.span, "not an IP address"),
            }
        }
    }

    fn read_envelope(&mut self, reader: &mut Reader, section: Section<'_, '_>) {
        if let Some(envelope) = reader.table(section, "envelope", "envelope") {
            reader.check(envelope, &keys::ENVELOPE);
            self.envelope_from = reader.string(envelope, "from").map(|from| from.value);
            let to = reader.strings(envelope, "to", true).unwrap_or_default();
            self.envelope_to = to.into_iter().map(|to| to.value).collect();
        }
        let outbound = reader.word(section, "direction", &[("inbound", false), ("outbound", true)]);
        self.outbound = outbound.unwrap_or(false);
    }

    fn read_auth(&mut self, reader: &mut Reader, section: Section<'_, '_>) {
        pub(super) const WORDS: [&str; 5] = ["spf", "dkim", "dmarc", "dmarc_policy", "arc"];
        let Some(auth) = reader.table(section, "auth", "auth") else {
            return;
        };
        reader.check(auth, &keys::AUTH);
        for key in WORDS {
            if let Some(word) = reader.string(auth, key) {
                self.auth.push((key.to_owned(), word.value));
            }
        }
        let domains = reader.strings(auth, "dkim_domains", true).unwrap_or_default();
        self.dkim_domains = domains.into_iter().map(|domain| domain.value).collect();
        self.aligned = reader.boolean(auth, "aligned");
        self.dmarc_testing = reader.boolean(auth, "dmarc_testing");
        let sealers = reader.strings(auth, "arc_sealers", true).unwrap_or_default();
        self.arc_sealers = sealers.into_iter().map(|sealer| sealer.value).collect();
        self.arc_vouched = reader.boolean(auth, "arc_vouched");
    }
}

impl Sketch {
    fn read(reader: &mut Reader, mail: Section<'_, '_>) -> Self {
        reader.check(mail, &keys::MAIL);
        let mut text = |key| reader.string(mail, key).map(|text| text.value);
        let mut sketch = Self {
            from: text("from"),
            subject: text("subject"),
            date: text("date"),
            text: text("text"),
            html: text("html"),
            raw: text("raw"),
            ..Self::default()
        };
        let mut many = |key| -> Vec<String> {
            let strings = reader.strings(mail, key, true).unwrap_or_default();
            strings.into_iter().map(|text| text.value).collect()
        };
        (sketch.to, sketch.cc, sketch.reply_to) = (many("to"), many("cc"), many("reply_to"));
        sketch.file = reader.string(mail, "file");
        let whole = sketch.raw.is_some() || sketch.file.is_some();
        if whole && mail.table.len() > 1 {
            let message = "a mail given whole, by `raw` or `file`, has no other keys";
            reader.error("whole-mail", mail.start..mail.start + 1, message);
        }
        if let Some(headers) = reader.table(mail, "headers", "headers") {
            for name in headers.table.keys() {
                for value in reader.strings(headers, name.get_ref(), true).unwrap_or_default() {
                    check_header(reader, name, &value);
                    sketch.headers.push((name.get_ref().to_string(), value.value));
                }
            }
        }
        for attachment in reader.tables(mail, "attachments", "attachment") {
            sketch.attachments.push(AttachmentSketch::read(reader, attachment));
        }
        sketch
    }
}

/// A field that broke its line would add others that the test doesn't show.
fn check_header(reader: &mut Reader, name: &toml::Spanned<std::borrow::Cow<'_, str>>, value: &Located<String>) {
    let fine_name = !name.get_ref().is_empty() && name.get_ref().bytes().all(|b| b.is_ascii_graphic() && b != b':');
    if !fine_name {
        reader.error("bad-header", name.span(), "not the name of a header field");
    }
    if value.value.contains(['\r', '\n', '\0']) {
        let help = Some("use `raw` for a message with odd line ends".to_owned());
        reader.error_help(
            "bad-header",
            value.span.clone(),
            "a header field is one line here",
            help,
        );
    }
}

fn read_listing(reader: &mut Reader, section: Section<'_, '_>) -> Option<Listing> {
    reader.check(section, &keys::LISTING);
    let list = reader.string(section, "list")?.value;
    let domain = reader.string(section, "domain")?;
    let meaning = reader.string(section, "meaning").map(|meaning| meaning.value);
    let origins = Origin::ALL.map(|origin| (origin.as_str(), origin));
    let origin = reader.word(section, "origin", &origins).unwrap_or(Origin::Link);
    let Some(parsed) = Domain::parse(&domain.value) else {
        reader.error("bad-domain", domain.span, "not a domain");
        return None;
    };
    Some(Listing {
        list,
        meaning: meaning.unwrap_or_else(|| "listed".to_owned()),
        domain: parsed,
        origin,
    })
}

impl AttachmentSketch {
    fn read(reader: &mut Reader, section: Section<'_, '_>) -> Self {
        reader.check(section, &keys::ATTACHMENT);
        let mut sketch = Self {
            name: reader
                .string(section, "name")
                .map(|name| name.value)
                .unwrap_or_default(),
            content_type: reader
                .string(section, "type")
                .map(|text| text.value)
                .unwrap_or_default(),
            content: Vec::new(),
        };
        if let Some(content) = reader.string(section, "content") {
            sketch.content = content.value.into_bytes();
        }
        if let Some(encoded) = reader.string(section, "base64") {
            match decode_base64(&encoded.value) {
                Some(content) => sketch.content = content,
                None => reader.error("bad-base64", encoded.span, "not base64"),
            }
        }
        sketch
    }
}

/// RFC 4648 §4, white space ignored, padding optional; `None` when it is anything else.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.trim_end_matches(['=', ' ', '\n', '\r']).bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => return None,
        };
        held = (held << 6 | u32::from(value)) & 0xff_ffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits & 0xff) as u8);
        }
    }
    Some(out)
}

fn count(reader: &mut Reader, section: Section<'_, '_>, key: &str) -> u64 {
    let Some(number) = reader.number(section, key) else {
        return 0;
    };
    let whole = section
        .table
        .get(key)
        .and_then(|value| value.get_ref().as_integer())
        .and_then(|integer| integer.as_str().parse().ok());
    whole.unwrap_or_else(|| {
        reader.error(
            "out-of-range",
            number.span,
            format!("`{key}` is a whole number, 0 or more"),
        );
        0
    })
}

fn time(reader: &mut Reader, section: Section<'_, '_>, key: &str) -> Option<Timestamp> {
    let value = section.table.get(key)?;
    let time = match value.get_ref() {
        DeValue::Datetime(datetime) => datetime.to_string().parse::<Timestamp>().ok(),
        _ => None,
    };
    if time.is_none() {
        let help = "write a time with its offset: 2026-11-05T09:00:00Z";
        reader.wrong_type(key, "a time", value, Some(help));
    }
    time
}

/// The place of a test, for reports.
pub(super) fn place(source: &Source, start: usize) -> String {
    format!("{}:{}", source.name, source.position(start).line)
}

#[cfg(test)]
mod tests {
    use super::decode_base64;

    #[test]
    fn base64_is_read_as_written_by_anyone() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8", "fo"),
            ("Zm\n9v", "foo"),
            ("Zm9vYg==", "foob"),
        ] {
            assert_eq!(decode_base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode_base64("Zm9-"), None);
    }
}
