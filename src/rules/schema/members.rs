//! The members of records, domains and addresses.
//!
//! A value in, one of its parts out. A member of what is absent or unknown is so too, which the
//! caller sees to.

use super::*;
use crate::evidence::identity::{name_fits, plain_name};
use crate::evidence::{BankDetails, History, Listing};
use crate::mail::Domain;
use crate::mail::message::{Attachment, Form, Hop, Image, Link, Mailbox, Origin, Part, Thread, Url, Via};
use crate::rules::value::Record;
use std::borrow::Cow;

/// The kinds of record and what they hold.
pub const RECORDS: &[(Kind, &[Field])] = &[
    (Kind::Mailbox, MAILBOX),
    (Kind::Link, LINK),
    (Kind::Shown, SHOWN),
    (Kind::Url, URL),
    (Kind::Via, VIA),
    (Kind::Attachment, ATTACHMENT),
    (Kind::Macros, MACROS),
    (Kind::Pdf, PDF),
    (Kind::Html, HTML),
    (Kind::Calendar, CALENDAR),
    (Kind::Part, PART),
    (Kind::Hop, HOP),
    (Kind::Image, IMAGE),
    (Kind::Form, FORM),
    (Kind::Thread, THREAD),
    (Kind::History, HISTORY),
    (Kind::BankDetails, BANK_DETAILS),
    (Kind::Listing, LISTING),
];

const MAILBOX: &[Field] = &[
    member("mailbox.name", TEXT, "the display name, decoded", |v| {
        mailbox(v, |m| Value::text(&m.name))
    }),
    member(
        "mailbox.plain_name",
        TEXT,
        "the same as it reads: nothing invisible or turned round, look-alikes of ASCII folded",
        |v| mailbox(v, |m| Value::Text(plain_name(&m.name))),
    ),
    member(
        "mailbox.name_fits",
        BOOL,
        "whether a word of the name, or its initials, stand in the address; so too without a name",
        |v| mailbox(v, |m| Value::Bool(name_fits(&m.name, &m.address))),
    ),
    member("mailbox.address", Type::One(Base::Address), "the whole address", |v| {
        mailbox(v, |m| Value::address(&m.address))
    }),
    member("mailbox.local", TEXT, "what stands before the `@`", |v| {
        mailbox(v, |m| Value::text(&m.local))
    }),
    member("mailbox.domain", ONE_DOMAIN, "what stands after it", |v| {
        mailbox(v, |m| Value::domain(m.domain.as_ref()))
    }),
];

const LINK: &[Field] = &[
    member(
        "link.shown",
        Type::One(Base::Record(Kind::Shown)),
        "what a person sees of it",
        |v| link(v, |l| Value::Record(Record::Link(l))),
    ),
    member(
        "link.target",
        Type::One(Base::Record(Kind::Url)),
        "where it leads",
        |v| link(v, |l| Value::Record(Record::Url(&l.target))),
    ),
    member(
        "link.via",
        Type::Many(Base::Record(Kind::Via)),
        "redirectors, gateways and trackers around the target, outermost first",
        |v| {
            link(v, |l| {
                Value::list(l.via.iter().map(|outer| Value::Record(Record::Via(outer))))
            })
        },
    ),
    member(
        "link.within",
        Type::One(Base::Record(Kind::Url)),
        "a URL that stands within the target's, where an open redirect would lead",
        |v| link(v, |l| Value::maybe(l.within(), |url| Value::Record(Record::Url(url)))),
    ),
    member(
        "link.is_shortener",
        BOOL,
        "whether the target is a link shortener",
        |v| link(v, |l| Value::Bool(l.is_shortener())),
    ),
    member(
        "link.mismatch",
        TEXT,
        "how the domain shown and the target's site differ: empty, `suffix`, `tracker`, `shortener` or `site`",
        |v| link(v, |l| Value::text(l.mismatch().as_str())),
    ),
    member(
        "link.is_defanged",
        BOOL,
        "whether it is written so that nobody follows it: `hxxp://evil[.]test`",
        |v| link(v, |l| Value::Bool(l.is_defanged)),
    ),
    member("link.origin", TEXT, "`body` or `header`", |v| {
        link(v, |l| {
            Value::text(match l.origin {
                Origin::Body => "body",
                Origin::Header => "header",
            })
        })
    }),
    member(
        "link.in_new",
        BOOL,
        "whether it stands in the newest part of the thread",
        |v| link(v, |l| Value::Bool(l.in_new)),
    ),
];

const SHOWN: &[Field] = &[
    member("shown.text", TEXT, "the text on the link", |v| {
        link(v, |l| Value::text(&l.shown))
    }),
    member("shown.domain", ONE_DOMAIN, "the domain that this text names", |v| {
        link(v, |l| Value::domain(l.shown_domain.as_ref()))
    }),
];

const URL: &[Field] = &[
    member("url.url", TEXT, "the whole, as written", |v| {
        url(v, |u| Value::text(&u.url))
    }),
    member("url.scheme", TEXT, "lower case; empty without one", |v| {
        url(v, |u| Value::text(&u.scheme))
    }),
    member("url.domain", ONE_DOMAIN, "the host", |v| {
        url(v, |u| Value::domain(u.domain.as_ref()))
    }),
    member("url.path", TEXT, "from the first `/`", |v| {
        url(v, |u| Value::text(&u.path))
    }),
    member("url.query", TEXT, "after `?`", |v| url(v, |u| Value::text(&u.query))),
    member("url.fragment", TEXT, "after `#`", |v| {
        url(v, |u| Value::text(&u.fragment))
    }),
    member("url.is_ip", BOOL, "whether the host is an IP address", |v| {
        url(v, |u| Value::Bool(u.is_ip))
    }),
    member("url.port", INT, "the port, if written", |v| {
        url(v, |u| Value::maybe(u.port, Value::number))
    }),
    member("url.user", TEXT, "the user-info, if written", |v| {
        url(v, |u| Value::text(&u.user))
    }),
];

const VIA: &[Field] = &[
    member("via.kind", TEXT, "`redirector`, `gateway` or `tracker`", |v| {
        via(v, |outer| Value::text(outer.kind.as_str()))
    }),
    member("via.url", Type::One(Base::Record(Kind::Url)), "the outer URL", |v| {
        via(v, |outer| Value::Record(Record::Url(&outer.url)))
    }),
];

const ATTACHMENT: &[Field] = &[
    member("attachment.name", TEXT, "the name that a person sees", |v| {
        attachment(v, |a| Value::text(&a.name))
    }),
    member(
        "attachment.other_names",
        TEXTS,
        "other names that some reader would show",
        |v| attachment(v, |a| Value::list(a.other_names.iter().map(|name| Value::text(name)))),
    ),
    member("attachment.extension", TEXT, "the last one, lower case", |v| {
        attachment(v, |a| Value::text(&a.extension))
    }),
    member("attachment.declared_type", TEXT, "`type/subtype` as declared", |v| {
        attachment(v, |a| Value::text(&a.declared_type))
    }),
    member(
        "attachment.kind",
        TEXT,
        "what the content is: `zip`, `pdf`, `exe`…",
        |v| attachment(v, |a| Value::text(a.kind)),
    ),
    member("attachment.size", SIZE, "bytes, decoded", |v| {
        attachment(v, |a| Value::number(a.size))
    }),
    member("attachment.sha256", TEXT, "lower-case hex of the content", |v| {
        attachment(v, |a| Value::text(a.sha256()))
    }),
    member(
        "attachment.is_inline",
        BOOL,
        "whether it is shown within the text",
        |v| attachment(v, |a| Value::Bool(a.is_inline)),
    ),
    later(
        "attachment.files",
        Type::Many(Base::Record(Kind::Attachment)),
        Cost::Opened,
        "itself and all inside",
    ),
    later("attachment.depth", INT, Cost::Opened, "how deep inside another it lies"),
    later(
        "attachment.encrypted",
        BOOL,
        Cost::Opened,
        "whether it needs a password",
    ),
    later("attachment.text", TEXT, Cost::Opened, "its text"),
    later("attachment.source", TEXT, Cost::Opened, "its source, where it is text"),
    later(
        "attachment.links",
        Type::Many(Base::Record(Kind::Link)),
        Cost::Opened,
        "its links",
    ),
    later("attachment.pages", INT, Cost::Opened, "its pages"),
    later(
        "attachment.macros",
        Type::One(Base::Record(Kind::Macros)),
        Cost::Opened,
        "its macros",
    ),
    later(
        "attachment.pdf",
        Type::One(Base::Record(Kind::Pdf)),
        Cost::Opened,
        "what a PDF holds",
    ),
    later(
        "attachment.html",
        Type::One(Base::Record(Kind::Html)),
        Cost::Opened,
        "what an HTML file does",
    ),
    later(
        "attachment.ics",
        Type::One(Base::Record(Kind::Calendar)),
        Cost::Opened,
        "what a calendar file says",
    ),
    later("attachment.qr", TEXTS, Cost::Opened, "what its QR codes say"),
    later(
        "attachment.bank_details",
        TEXTS,
        Cost::Opened,
        "sort codes with accounts, and IBANs",
    ),
    later(
        "attachment.limit_exceeded",
        BOOL,
        Cost::Opened,
        "whether a limit cut its inspection short",
    ),
];

const MACROS: &[Field] = &[
    later("macros.present", BOOL, Cost::Opened, "whether there are any"),
    later("macros.auto_run", BOOL, Cost::Opened, "whether one runs by itself"),
    later(
        "macros.suspicious",
        BOOL,
        Cost::Opened,
        "whether one starts programs, fetches or hides",
    ),
];

const PDF: &[Field] = &[
    later("pdf.javascript", BOOL, Cost::Opened, "whether it holds JavaScript"),
    later("pdf.launch", BOOL, Cost::Opened, "whether it starts programs"),
    later("pdf.embedded", BOOL, Cost::Opened, "whether it holds files"),
];

const HTML: &[Field] = &[
    later("html.scripts", BOOL, Cost::Opened, "whether it holds scripts"),
    later(
        "html.builds_file",
        BOOL,
        Cost::Opened,
        "whether it makes a file on the reader's machine",
    ),
];

const CALENDAR: &[Field] = &[
    later("ics.method", TEXT, Cost::Opened, "METHOD"),
    later("ics.organizer", Type::One(Base::Address), Cost::Opened, "ORGANIZER"),
    later("ics.uid", TEXT, Cost::Opened, "UID"),
    later("ics.url", Type::One(Base::Record(Kind::Url)), Cost::Opened, "URL"),
];

const PART: &[Field] = &[
    member("part.type", TEXT, "`type/subtype`, lower case", |v| {
        part(v, |p| Value::text(&p.content_type))
    }),
    member("part.charset", TEXT, "lower case; empty without one", |v| {
        part(v, |p| Value::text(&p.charset))
    }),
    member("part.encoding", TEXT, "the transfer encoding", |v| {
        part(v, |p| Value::text(&p.encoding))
    }),
    member("part.disposition", TEXT, "`inline`, `attachment`…", |v| {
        part(v, |p| Value::text(&p.disposition))
    }),
    member("part.depth", INT, "0 for the message itself", |v| {
        part(v, |p| Value::number(p.depth))
    }),
];

const HOP: &[Field] = &[
    member("received.from", TEXT, "the `from` name", |v| {
        hop(v, |h| Value::text(&h.from))
    }),
    member("received.by", TEXT, "the `by` name", |v| hop(v, |h| Value::text(&h.by))),
    member("received.ip", Type::One(Base::Ip), "the address in the comment", |v| {
        hop(v, |h| Value::maybe(h.ip, Value::Ip))
    }),
    member("received.helo", TEXT, "the HELO name", |v| {
        hop(v, |h| Value::text(&h.helo))
    }),
    member("received.rdns", TEXT, "the reverse name", |v| {
        hop(v, |h| Value::text(&h.rdns))
    }),
    member("received.protocol", TEXT, "the `with` word", |v| {
        hop(v, |h| Value::text(&h.protocol))
    }),
    member("received.time", TIME, "the date", |v| {
        hop(v, |h| Value::maybe(h.time, Value::Time))
    }),
    later("received.trusted", BOOL, Cost::Free, "whether a trusted relay wrote it"),
];

const IMAGE: &[Field] = &[
    member("image.source", TEXT, "`src`, as written", |v| {
        image(v, |i| Value::text(&i.source))
    }),
    member("image.is_remote", BOOL, "whether it is fetched from elsewhere", |v| {
        image(v, |i| Value::Bool(i.is_remote))
    }),
    member("image.is_tracking_size", BOOL, "at most 2 by 2 pixels", |v| {
        image(v, |i| Value::Bool(i.is_tracking_size))
    }),
    member(
        "image.size",
        SIZE,
        "bytes of an image that comes with the message; absent for others",
        |v| image(v, |i| Value::maybe(i.size, Value::number)),
    ),
];

const FORM: &[Field] = &[
    member(
        "form.action",
        Type::One(Base::Record(Kind::Url)),
        "where it is sent",
        |v| form(v, |f| Value::Record(Record::Url(&f.action))),
    ),
    member("form.has_password", BOOL, "whether it asks for a password", |v| {
        form(v, |f| Value::Bool(f.has_password))
    }),
];

const THREAD: &[Field] = &[
    member("thread.is_reply", BOOL, "answers something", |v| {
        thread(v, |t| Value::Bool(t.is_reply))
    }),
    member("thread.is_forward", BOOL, "passes something on", |v| {
        thread(v, |t| Value::Bool(t.is_forward))
    }),
    member("thread.references", TEXTS, "message ids of its ancestors", |v| {
        thread(v, |t| Value::list(t.references.iter().map(|id| Value::text(id))))
    }),
    member("thread.quoted", BOOL, "quotes older text", |v| {
        thread(v, |t| Value::Bool(t.quoted))
    }),
];

const HISTORY: &[Field] = &[
    member(
        "history.messages_before",
        INT,
        "messages from them before this one, delivered or quarantined",
        |v| history(v, |h| Value::number(h.messages_before)),
    ),
    member(
        "history.first_seen",
        TIME,
        "the first of them; absent without any",
        |v| history(v, |h| Value::maybe(h.first_seen, Value::Time)),
    ),
    member("history.last_seen", TIME, "the last of them", |v| {
        history(v, |h| Value::maybe(h.last_seen, Value::Time))
    }),
    member("history.quarantined_before", INT, "how many were quarantined", |v| {
        history(v, |h| Value::number(h.quarantined_before))
    }),
    member("history.released_before", INT, "how many of these were released", |v| {
        history(v, |h| Value::number(h.released_before))
    }),
    member(
        "history.sent_before",
        INT,
        "messages that we sent there before; absent where outbound mail goes another way",
        |v| history(v, |h| fact(&h.sent_before, |sent| Value::number(*sent))),
    ),
    member(
        "history.sent_first",
        BOOL,
        "whether we wrote there before anything came from there",
        |v| history(v, |h| fact(&h.sent_first, |first| Value::Bool(*first))),
    ),
];

const LISTING: &[Field] = &[
    member("listing.list", TEXT, "the list's name in the settings", |v| {
        listing(v, |l| Value::text(&l.list))
    }),
    member("listing.meaning", TEXT, "what its answer means there", |v| {
        listing(v, |l| Value::text(&l.meaning))
    }),
    member("listing.domain", ONE_DOMAIN, "the registrable domain", |v| {
        listing(v, |l| Value::domain(Some(&l.domain)))
    }),
    member(
        "listing.origin",
        TEXT,
        "where it stands: `author`, `envelope`, `helo` or `link`",
        |v| listing(v, |l| Value::text(l.origin.as_str())),
    ),
];

const BANK_DETAILS: &[Field] = &[
    member(
        "bank_details.known",
        INT,
        "how many different ones the domain has shown before",
        |v| bank_details(v, |d| d.known),
    ),
    member("bank_details.seen", INT, "how many of these it shows again", |v| {
        bank_details(v, |d| d.seen)
    }),
    member(
        "bank_details.new",
        INT,
        "how many it shows that weren't shown before",
        |v| bank_details(v, |d| d.new),
    ),
];

/// The parts of a domain.
pub const DOMAIN: &[Field] = &[
    member("domain.host", TEXT, "the whole name, lower-case A-labels", |v| {
        domain(v, |d| Value::text(d.as_str()))
    }),
    member(
        "domain.site",
        ONE_DOMAIN,
        "the registrable domain; absent for public suffixes and addresses",
        |v| {
            let Value::Domain(domain) = v else { return Value::Absent };
            let site = domain.site().and_then(Domain::parse);
            Value::maybe(site, |site| Value::Domain(Cow::Owned(site)))
        },
    ),
    member("domain.label", TEXT, "the registrable domain's first label", |v| {
        domain(v, |d| Value::text(d.label().unwrap_or("")))
    }),
    member(
        "domain.subdomain",
        TEXT,
        "what stands before the registrable domain",
        |v| domain(v, |d| Value::text(d.subdomain())),
    ),
    member(
        "domain.tld",
        TEXT,
        "the public suffix, such as `co.uk`; empty for addresses",
        |v| domain(v, |d| Value::text(d.tld().unwrap_or(""))),
    ),
    member("domain.is_ip", BOOL, "whether it is an IP address", |v| {
        domain(v, |d| Value::Bool(d.is_ip()))
    }),
    member(
        "domain.is_punycode",
        BOOL,
        "whether a label is an A-label (RFC 5890)",
        |v| domain(v, |d| Value::Bool(d.is_punycode())),
    ),
    member(
        "domain.unicode",
        TEXT,
        "the spelling that people see: U-labels in place of A-labels",
        |v| domain(v, |d| Value::Text(Cow::Owned(d.unicode()))),
    ),
];

/// The parts of an address.
pub const ADDRESS: &[Field] = &[
    member("address.local", TEXT, "what stands before the `@`", |v| {
        address(v, |local, _| Value::Text(Cow::Owned(local.to_owned())))
    }),
    member("address.domain", ONE_DOMAIN, "what stands after it", |v| {
        address(v, |_, domain| {
            Value::maybe(Domain::parse(domain), |domain| Value::Domain(Cow::Owned(domain)))
        })
    }),
    member("address.text", TEXT, "the whole, as a string", |v| match v {
        Value::Address(text) => Value::Text(text.clone()),
        _ => Value::Absent,
    }),
];

macro_rules! reader {
    ($name:ident, $record:ident) => {
        fn $name<'e>(value: &Value<'e>, read: impl FnOnce(&'e $record) -> Value<'e>) -> Value<'e> {
            match value {
                Value::Record(Record::$record(record)) => read(record),
                _ => Value::Absent,
            }
        }
    };
}

reader!(mailbox, Mailbox);
reader!(link, Link);
reader!(url, Url);
reader!(via, Via);
reader!(attachment, Attachment);
reader!(part, Part);
reader!(hop, Hop);
reader!(image, Image);
reader!(form, Form);
reader!(thread, Thread);
reader!(history, History);
reader!(listing, Listing);

fn bank_details<'e>(value: &Value<'e>, count: impl FnOnce(&BankDetails) -> u64) -> Value<'e> {
    match value {
        Value::Record(Record::BankDetails(details)) => Value::number(count(details)),
        _ => Value::Absent,
    }
}

/// Reads a domain, keeping what it gives alive where the domain itself doesn't live long enough.
fn domain<'e>(value: &Value<'e>, read: impl for<'d> FnOnce(&'d Domain) -> Value<'d>) -> Value<'e> {
    match value {
        Value::Domain(Cow::Borrowed(domain)) => read(domain),
        Value::Domain(Cow::Owned(domain)) => match read(domain) {
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Bool(truth) => Value::Bool(truth),
            _ => Value::Absent,
        },
        _ => Value::Absent,
    }
}

fn address<'e>(value: &Value<'e>, read: impl FnOnce(&str, &str) -> Value<'e>) -> Value<'e> {
    match value {
        Value::Address(text) => {
            let (local, domain) = text.rsplit_once('@').unwrap_or((text, ""));
            read(local, domain)
        }
        _ => Value::Absent,
    }
}
