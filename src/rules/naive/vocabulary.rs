//! The words of made-up rules: pieces of text, fields by type, lists, members of what a list holds.
//!
//! Tables and nothing else. Knows nothing of how they are put together.

/// Letters that fold, lengthen, shorten, combine or only look alike, and words of the made-up mails.
pub(in crate::rules) const PIECES: &[&str] = &[
    "a",
    "pay",
    "k",
    "K",
    "\u{212a}",
    "ß",
    "ẞ",
    "ss",
    "SS",
    "i",
    "I",
    "İ",
    "ı",
    "i\u{307}",
    "σ",
    "ς",
    "Σ",
    "s",
    "ſ",
    "é",
    "É",
    "e\u{301}",
    "𐐀",
    "𐐨",
    "\u{fb05}",
    "\u{fb06}",
    " ",
    "Pay now",
    "invoice",
    "1",
    "12-34",
    ".",
    "aa",
    "раураl",
    "Ω",
    "\u{2126}",
    "å",
    "\u{212b}",
    "θ",
    "ϑ",
    "�",
];

/// What a lambda's name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Thing {
    Text,
    Domain,
    Address,
    Mailbox,
    Link,
    Attachment,
    Part,
    Hop,
    Row,
}

use Thing::{Address, Attachment, Domain, Hop, Link, Mailbox, Part, Row, Text};

pub(super) const TEXTS: &[&str] = &[
    "subject",
    "body.text",
    "body.new",
    "body.html",
    "body.hidden",
    "from.name",
    "subject_base",
    "helo",
    "message.id",
    "auth.dmarc",
    "auth.spf",
    "client.name",
    "client.tls",
    "list_id",
    "sender.name",
    "from.local",
    "from.address",
    "from.domain",
    "from.domain.host",
    "from.domain.site.label",
    "reply_to.first.name",
    "reply_to.first.address.text",
    "header('X-Tag').first",
    "links.first.target",
    "links.first.target.path",
    "attachments.first.name",
    "antivirus.signature",
    "identity.claims_person",
    "identity.claims_organisation",
    "identity.lookalike_by",
    "direction",
];
pub(super) const DOMAINS: &[&str] = &[
    "from.domain",
    "from.domain.site",
    "reply_to.first.domain",
    "envelope.from.domain",
    "sender.domain",
    "links.first.target.domain",
    "identity.lookalike_of",
];
pub(super) const ADDRESSES: &[&str] = &[
    "from.address",
    "envelope.from",
    "reply_to.first.address",
    "sender.address",
];
pub(super) const NUMBERS: &[&str] = &[
    "message.size",
    "links.length",
    "attachments.length",
    "subject.length",
    "parts.length",
    "client.port",
    "links.first.target.port",
    "history.from.messages_before",
    "history.pair.quarantined_before",
    "body.phones.length",
    "header('X-Tag').length",
    "yara.length",
];
pub(super) const TRUTHS: &[&str] = &[
    "is_bulk",
    "is_auto",
    "auth.aligned",
    "client.name_confirmed",
    "thread.is_reply",
    "thread.quoted",
    "from.domain.is_ip",
    "sender.domain.is_punycode",
    "links.first.target.is_ip",
    "links.first.target.names_recipient",
    "attachments.first.encrypted",
    "antivirus.infected",
    "true",
];
pub(super) const TIMES: &[&str] = &["message.date", "now", "received.first.time", "history.from.first_seen"];
pub(super) const LISTS: &[(&str, Thing)] = &[
    ("links", Link),
    ("attachments", Attachment),
    ("parts", Part),
    ("received", Hop),
    ("to", Mailbox),
    ("reply_to", Mailbox),
    ("authors", Mailbox),
    ("envelope.to", Address),
    ("headers.names", Text),
    ("header('X-Tag')", Text),
    ("header_raw('Subject')", Text),
    ("client.listed", Text),
    ("auth.dkim_domains", Domain),
    ("body.text.domains()", Domain),
    ("body.text.addresses()", Address),
    ("links.distinct(d, d.target.domain)", Domain),
    ("yara", Text),
    ("body.phones", Text),
    ("body.languages", Text),
    ("identity.name_tricks", Text),
    ("message.defects", Text),
    ("thread.references", Text),
    ("$vips", Row),
    ("$partners", Domain),
    ("$words", Text),
];
pub(super) const LENGTHS: [&str; 4] = ["==", ">=", "<", "!="];

/// The lists that made-up rules refer to.
pub(super) const LIST_FILE: &str = r#"
[lists.partners]
kind = "domain"
values = ["partner.example", "bank.example", "gone.example; expires=2026-01-01"]
[lists.people]
kind = "address"
values = ["Jane@sender.example", "bob@council.example"]
[lists.bad_urls]
kind = "url"
values = ["evil.example/login", "bank.example"]
[lists.networks]
kind = "cidr"
values = ["192.0.2.0/24", "2001:db8::/32"]
[lists.words]
kind = "text"
values = ["Pay now", "aa", "K", "ß; expires=2026-01-01", "ς", "invoice; expires=2028-01-01"]
[lists.many]
kind = "text"
values = ["n01", "n02", "n03", "n04", "n05", "n06", "n07", "n08", "n09", "n10", "n11", "n12", "n13", "pay", "Σ", "i"]
[lists.nothing]
kind = "text"
values = ["pay; expires=2026-01-01"]
[lists.names]
kind = "name"
values = ["jane doe", "İstanbul"]
[lists.hashes]
kind = "sha256"
values = ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
[lists.vips]
kind = "table"
columns = { name = "name", word = "string", addresses = "list<address>", site = "domain" }
rows = [
  { name = "Jane Doe", word = "invoice", addresses = ["jane@sender.example"], site = "sender.example" },
  { name = "K", word = "", addresses = [] },
]
"#;

/// What may stand in place of a name of the table within a lambda.
pub(super) fn members((name, thing): &(String, Thing), table: &[&str], is_truth: bool) -> Vec<String> {
    let texts: &[&str] = match thing {
        Text => &[""],
        Domain => &["", ".host", ".label", ".tld"],
        Address => &["", ".local", ".text"],
        Mailbox => &[".name", ".address", ".local", ".domain.host"],
        Link => &[
            ".shown.text",
            ".target",
            ".target.path",
            ".target.query",
            ".origin",
            ".target.domain.host",
        ],
        Attachment => &[".name", ".extension", ".kind", ".text", ".sha256"],
        Part => &[".type", ".charset", ".encoding", ".disposition"],
        Hop => &[".from", ".by", ".helo"],
        Row => &[".name", ".word"],
    };
    let domains: &[&str] = match thing {
        Domain => &["", ".site"],
        Address | Mailbox => &[".domain"],
        Link => &[".target.domain", ".shown.domain"],
        Row => &[".site"],
        _ => &[],
    };
    let addresses: &[&str] = match thing {
        Address => &[""],
        Mailbox => &[".address"],
        _ => &[],
    };
    let numbers: &[&str] = match thing {
        Text => &[".length"],
        Link => &[".target.port", ".shown.text.length"],
        Attachment => &[".size", ".depth"],
        Part => &[".depth"],
        Row => &[".addresses.length"],
        _ => &[],
    };
    let truths: &[&str] = match thing {
        Domain => &[".is_ip"],
        Link => &[".target.is_ip", ".is_shortener", ".in_new", ".target.names_recipient"],
        Attachment => &[".is_inline", ".encrypted"],
        Hop => &[".trusted"],
        _ => &[],
    };
    let found = match table.first() {
        _ if is_truth => truths,
        Some(&"subject") => texts,
        Some(&"from.domain") => domains,
        Some(&"from.address") => addresses,
        _ => numbers,
    };
    found.iter().map(|member| format!("{name}{member}")).collect()
}
