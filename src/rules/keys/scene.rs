//! The keys of tests within rule files: what is expected, and the mail and facts that it is expected of.
//!
//! Nothing enters; shapes leave. Knows nothing of how a test is run.

use super::Holds::{
    AddressOrTable, Count, NamedEntries, NamedTexts, OneOrMoreRuleIds, OneOrMoreTexts, Table, Tables, Text, Time,
    Truth, Word,
};
use super::{Key, Shape, actions, directions, expectations, key, needed, origins};

const MAIL_KEY: Key = needed("mail", Table(&MAIL), "the mail; what it leaves out is a stranger's");
const CLIENT_KEY: Key = key("client", AddressOrTable(&CLIENT), "who connects");
const HELO_KEY: Key = key("helo", Text, "the argument of HELO or EHLO");
const ENVELOPE_KEY: Key = key(
    "envelope",
    Table(&ENVELOPE),
    "the envelope, where it isn't as the header says",
);
const DIRECTION_KEY: Key = key("direction", Word(directions), "`inbound` without it");
const AUTH_KEY: Key = key("auth", Table(&AUTH), "results of authentication; all `none` without it");
const LISTINGS_KEY: Key = key(
    "listings",
    Tables(&LISTING),
    "domains of the message that block lists have",
);
const HISTORY_KEY: Key = key("history", Table(&HISTORY), "earlier mail; never seen without it");
const LISTS_KEY: Key = key(
    "lists",
    NamedEntries,
    "entries that replace a list's, by its name; of a table, rows",
);
const UNKNOWN_KEY: Key = key(
    "unknown",
    OneOrMoreTexts,
    "facts that could not be found out: fields, or groups such as `auth`",
);
const NOW_KEY: Key = key("now", Time, "when it is judged");

/// `[[rule.test]]`.
pub const TEST: Shape = Shape {
    what: "test",
    keys: &[
        key("name", Text, "what it shows"),
        MAIL_KEY,
        needed("expect", Word(expectations), "what the rule says of it"),
        key("evidence", OneOrMoreTexts, "texts that must be among the evidence"),
        CLIENT_KEY,
        HELO_KEY,
        ENVELOPE_KEY,
        DIRECTION_KEY,
        AUTH_KEY,
        LISTINGS_KEY,
        HISTORY_KEY,
        LISTS_KEY,
        UNKNOWN_KEY,
        NOW_KEY,
    ],
};

/// `[[verdict_test]]`.
pub const VERDICT_TEST: Shape = Shape {
    what: "verdict test",
    keys: &[
        needed("name", Text, "what it shows"),
        MAIL_KEY,
        key("action", Word(actions), "what becomes of it under the default policy"),
        key("must", OneOrMoreRuleIds, "rules that must match"),
        key("must_not", OneOrMoreRuleIds, "rules that mustn't"),
        CLIENT_KEY,
        HELO_KEY,
        ENVELOPE_KEY,
        DIRECTION_KEY,
        AUTH_KEY,
        LISTINGS_KEY,
        HISTORY_KEY,
        LISTS_KEY,
        UNKNOWN_KEY,
        NOW_KEY,
    ],
};

/// `mail` of a test.
pub const MAIL: Shape = Shape {
    what: "mail",
    keys: &[
        key(
            "from",
            Text,
            "the author: an address, or a name and an address in angle brackets",
        ),
        key("to", OneOrMoreTexts, "who it is to, likewise"),
        key("cc", OneOrMoreTexts, "who has a copy, likewise"),
        key("reply_to", OneOrMoreTexts, "where answers go, likewise"),
        key("subject", Text, "the subject, as people see it"),
        key("date", Text, "the Date field as it should stand"),
        key("text", Text, "a plain body"),
        key("html", Text, "an HTML body"),
        key("headers", NamedTexts, "more header fields, as they should stand"),
        key("attachments", Tables(&ATTACHMENT), "attached files"),
        key("raw", Text, "the whole message instead; a bare line feed becomes CRLF"),
        key(
            "file",
            Text,
            "a file within the pack that holds the whole message instead",
        ),
    ],
};

/// An attachment of a test's mail.
pub const ATTACHMENT: Shape = Shape {
    what: "attachment",
    keys: &[
        key("name", Text, "the file name"),
        key("type", Text, "`type/subtype`; `application/octet-stream` without it"),
        key("content", Text, "its content, as text"),
        key("base64", Text, "its content, in base64"),
    ],
};

/// `client` of a test.
pub const CLIENT: Shape = Shape {
    what: "client",
    keys: &[
        key("ip", Text, "its IP address"),
        key("name", Text, "its reverse name"),
        key("name_confirmed", Truth, "whether that name leads back to it"),
        key("helo_confirmed", Truth, "whether what it calls itself leads to it"),
        key("listed", OneOrMoreTexts, "DNS block lists that list it"),
    ],
};

/// A listing of a test.
pub const LISTING: Shape = Shape {
    what: "listing",
    keys: &[
        needed("list", Text, "the list's name"),
        key("meaning", Text, "what its answer means; `listed` without it"),
        needed("domain", Text, "the domain"),
        key("origin", Word(origins), "where it stands; `link` without it"),
    ],
};

/// `envelope` of a test.
pub const ENVELOPE: Shape = Shape {
    what: "envelope",
    keys: &[
        key("from", Text, "the reverse-path; empty for `<>`"),
        key("to", OneOrMoreTexts, "the recipients"),
    ],
};

/// `auth` of a test.
pub const AUTH: Shape = Shape {
    what: "auth",
    keys: &[
        key("spf", Text, "result of SPF"),
        key("dkim", Text, "best result of DKIM"),
        key("dmarc", Text, "result of DMARC"),
        key("dmarc_policy", Text, "the author's domain's policy"),
        key("arc", Text, "result of the ARC chain"),
        key("dkim_domains", OneOrMoreTexts, "domains of passing signatures"),
        key(
            "aligned",
            Truth,
            "whether SPF or DKIM aligns; as `dmarc` has it without it",
        ),
        key("dmarc_testing", Truth, "whether the policy is only tried out"),
        key(
            "arc_sealers",
            OneOrMoreTexts,
            "who sealed the ARC chain, the newest first",
        ),
        key("arc_vouched", Truth, "whether a trusted one of them vouches"),
    ],
};

/// `history` of a test.
pub const HISTORY: Shape = Shape {
    what: "history",
    keys: &[
        key("messages_before", Count, "messages from this author before"),
        key("quarantined_before", Count, "how many of them were quarantined"),
        key("released_before", Count, "how many of these were released"),
        key("sent_before", Count, "messages to this author before"),
        key("sent_first", Truth, "whether the first of all was to this author"),
        key("first_seen", Time, "when this author's first came"),
        key("last_seen", Time, "when this author's last came"),
        key(
            "bank_details",
            Table(&BANK_DETAILS),
            "those of the mail against the domain's; none without it",
        ),
    ],
};

/// `bank_details` of a test's `history`.
pub const BANK_DETAILS: Shape = Shape {
    what: "bank details",
    keys: &[
        key("known", Count, "how many the author's domain has shown before"),
        key("seen", Count, "how many of these the mail shows"),
        key("new", Count, "how many others it shows"),
    ],
};
