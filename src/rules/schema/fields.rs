//! The fields of the message as a whole, in the order of the reference.
//!
//! Evidence in, values out. What is unknown here is named by its row.

use super::*;
use crate::evidence::{Fact, Gathered, History};
use crate::mail::message::{Defect, Mailbox};
use crate::rules::value::{Items, Record};
use std::borrow::Cow;

/// Every field of the message.
pub const FIELDS: &[Field] = &[
    field_row(
        "direction",
        TEXT,
        Cost::Free,
        "`inbound` or `outbound`, from the listener",
        |e| kept(e.kept.client, || Value::text(e.mail.direction.as_str())),
    ),
    field_row(
        "client.ip",
        Type::One(Base::Ip),
        Cost::Free,
        "address of the first untrusted hop",
        |e| {
            kept(e.kept.client, || {
                e.mail.client.address.map_or_else(
                    || unknown("no-client"),
                    |address| Value::Ip(address.ip().to_canonical()),
                )
            })
        },
    ),
    field_row("client.port", INT, Cost::Free, "its port", |e| {
        kept(e.kept.client, || {
            // A client that was read from a Received field has no port.
            let port = e.mail.client.address.map(|address| address.port());
            port.filter(|port| *port != 0)
                .map_or_else(|| unknown("no-client"), Value::number)
        })
    }),
    field_row(
        "client.tls",
        TEXT,
        Cost::Free,
        "TLS version and cipher suite; empty in the clear",
        |e| {
            kept(e.kept.client, || {
                Value::text(e.mail.client.tls.as_deref().unwrap_or(""))
            })
        },
    ),
    field_row(
        "client.name",
        TEXT,
        Cost::Lookup,
        "reverse DNS of the client; empty when it has none",
        |e| fact(&e.outside.client_name, |name| Value::text(name)),
    ),
    field_row(
        "client.name_confirmed",
        BOOL,
        Cost::Lookup,
        "whether that name leads back to the client",
        |e| fact(&e.outside.client_name_confirmed, |truth| Value::Bool(*truth)),
    ),
    field_row(
        "client.helo_confirmed",
        BOOL,
        Cost::Lookup,
        "whether what the client calls itself leads to it",
        |e| fact(&e.outside.helo_confirmed, |truth| Value::Bool(*truth)),
    ),
    field_row(
        "client.listed",
        TEXTS,
        Cost::Lookup,
        "DNS block lists that list the client: `name`, and `name/meaning`",
        |e| {
            fact(&e.outside.client_listed, |listed| {
                gathered("client.listed", listed, |name| Value::text(name))
            })
        },
    ),
    field_row(
        "listings",
        Type::Many(Base::Record(Kind::Listing)),
        Cost::Lookup,
        "DNS block lists that list domains of the message",
        |e| {
            fact(&e.outside.listings, |listings| {
                gathered("listings", listings, |listing| Value::Record(Record::Listing(listing)))
            })
        },
    ),
    field_row("helo", TEXT, Cost::Free, "the argument of HELO or EHLO", |e| {
        kept(e.kept.client, || Value::text(&e.mail.client.helo))
    }),
    field_row(
        "envelope.from",
        Type::One(Base::Address),
        Cost::Free,
        "the reverse-path; absent for `<>`",
        |e| {
            kept(e.kept.reverse_path, || {
                Value::address(e.mail.envelope.reverse_path_text())
            })
        },
    ),
    field_row(
        "envelope.to",
        Type::Many(Base::Address),
        Cost::Free,
        "the recipients",
        |e| {
            let recipients = || e.mail.envelope.recipients.iter();
            kept(e.kept.recipients, || {
                Value::list(recipients().map(|recipient| Value::address(recipient.address.as_str())))
            })
        },
    ),
    field_row("message.size", SIZE, Cost::Free, "bytes of the message", |e| {
        Value::number(e.mail.bytes.len())
    }),
    field_row("message.id", TEXT, Cost::Free, "Message-ID without its brackets", |e| {
        Value::text(e.message.message_id())
    }),
    field_row("message.date", TIME, Cost::Free, "the Date field", |e| {
        Value::maybe(e.message.date(), Value::Time)
    }),
    field_row(
        "message.age",
        Type::One(Base::Duration),
        Cost::Free,
        "now less the Date field",
        age,
    ),
    field_row(
        "message.defects",
        TEXTS,
        Cost::Free,
        "what a strict reader would object to",
        |e| Value::list(e.message.defects().iter().map(|Defect(name)| Value::text(name))),
    ),
    field_row(
        "headers.names",
        TEXTS,
        Cost::Free,
        "names of the header fields, in order, as written",
        |e| Value::list(e.message.fields().iter().map(|field| Value::text(&field.name))),
    ),
    field_row(
        "parts",
        Type::Many(Base::Record(Kind::Part)),
        Cost::Free,
        "every MIME part",
        |e| Value::list(e.message.parts().iter().map(|part| Value::Record(Record::Part(part)))),
    ),
    field_row(
        "received",
        Type::Many(Base::Record(Kind::Hop)),
        Cost::Free,
        "Received fields, newest first",
        |e| Value::list(e.message.received().iter().map(|hop| Value::Record(Record::Hop(hop)))),
    ),
    field_row("subject", TEXT, Cost::Free, "the subject, decoded", |e| {
        Value::text(e.message.subject())
    }),
    field_row(
        "subject_base",
        TEXT,
        Cost::Free,
        "without its reply and forward prefixes",
        |e| Value::text(e.message.subject_base()),
    ),
    field_row(
        "thread",
        Type::One(Base::Record(Kind::Thread)),
        Cost::Text,
        "what the thread shows of itself",
        |e| Value::Record(Record::Thread(e.message.thread())),
    ),
    field_row("from", MAILBOX, Cost::Free, "the author", |e| mailbox(e.message.from())),
    field_row("authors", MAILBOXES, Cost::Free, "every candidate author", |e| {
        mailboxes(e.message.authors())
    }),
    field_row("sender", MAILBOX, Cost::Free, "the Sender field", |e| {
        mailbox(e.message.sender())
    }),
    field_row("reply_to", MAILBOXES, Cost::Free, "the Reply-To field", |e| {
        mailboxes(e.message.reply_to())
    }),
    field_row(
        "to",
        MAILBOXES,
        Cost::Free,
        "the To field, as written in the message",
        |e| mailboxes(e.message.to()),
    ),
    field_row("cc", MAILBOXES, Cost::Free, "the Cc field", |e| {
        mailboxes(e.message.cc())
    }),
    field_row("list_id", TEXT, Cost::Free, "the mailing list's identifier", |e| {
        Value::text(e.message.list_id())
    }),
    field_row(
        "is_bulk",
        BOOL,
        Cost::Free,
        "sent to many: Precedence, List-Id or List-Unsubscribe",
        |e| Value::Bool(e.message.is_bulk()),
    ),
    field_row("is_auto", BOOL, Cost::Free, "sent by a machine (RFC 3834)", |e| {
        Value::Bool(e.message.is_auto())
    }),
    field_row("body.text", TEXT, Cost::Text, "what a person would read", |e| {
        Value::text(e.message.text())
    }),
    field_row("body.new", TEXT, Cost::Text, "the newest part of a thread", |e| {
        Value::text(e.message.new_text())
    }),
    field_row("body.hidden", TEXT, Cost::Text, "text that HTML hides", |e| {
        Value::text(e.message.hidden_text())
    }),
    field_row("body.html", TEXT, Cost::Text, "the HTML's decoded source", |e| {
        Value::text(e.message.html())
    }),
    sought(
        A_TEXT,
        field_row(
            "body.languages",
            TEXTS,
            Cost::Text,
            "languages that the text is written in, the most written first: `en`, `cy`, `de`…",
            |e| Value::list(e.message.languages().iter().map(|code| Value::text(code))),
        ),
    ),
    sought(
        A_TEXT,
        field_row(
            "body.phones",
            TEXTS,
            Cost::Text,
            "telephone numbers in the text, as `+442079460123`",
            |e| texts(e.message.phones()),
        ),
    ),
    sought(
        A_TEXT,
        field_row(
            "body.bank_details",
            TEXTS,
            Cost::Text,
            "sort codes with their accounts, as `20-11-43 55779911`, and IBANs whose check digits are right",
            |e| texts(e.message.bank_details()),
        ),
    ),
    sought(
        A_TEXT,
        field_row(
            "body.crypto_addresses",
            TEXTS,
            Cost::Text,
            "cryptocurrency addresses whose checksum is right, and those of Ethereum and Monero by their form",
            |e| texts(e.message.crypto_addresses()),
        ),
    ),
    field_row(
        "links",
        Type::Many(Base::Record(Kind::Link)),
        Cost::Text,
        "every link that somebody may follow, redirectors and gateways undone",
        links,
    ),
    field_row(
        "images",
        Type::Many(Base::Record(Kind::Image)),
        Cost::Text,
        "images in the HTML",
        |e| {
            Value::list(
                e.message
                    .images()
                    .iter()
                    .map(|image| Value::Record(Record::Image(image))),
            )
        },
    ),
    field_row(
        "forms",
        Type::Many(Base::Record(Kind::Form)),
        Cost::Text,
        "forms in the HTML",
        |e| Value::list(e.message.forms().iter().map(|form| Value::Record(Record::Form(form)))),
    ),
    field_row(
        "attachments",
        Type::Many(Base::Record(Kind::Attachment)),
        Cost::Free,
        "top-level attachments",
        |e| {
            Value::list(
                e.message
                    .attachments()
                    .iter()
                    .map(|attachment| Value::Record(Record::Attachment(attachment))),
            )
        },
    ),
    field_row("auth.spf", TEXT, Cost::Lookup, "SPF result (RFC 8601)", |e| {
        word(&e.outside.auth.spf)
    }),
    field_row("auth.dkim", TEXT, Cost::Lookup, "best DKIM result", |e| {
        word(&e.outside.auth.dkim)
    }),
    field_row(
        "auth.dkim_domains",
        Type::Many(Base::Domain),
        Cost::Lookup,
        "domains of passing signatures",
        |e| domains(&e.outside.auth.dkim_domains),
    ),
    field_row("auth.dmarc", TEXT, Cost::Lookup, "DMARC result", |e| {
        word(&e.outside.auth.dmarc)
    }),
    field_row(
        "auth.dmarc_policy",
        TEXT,
        Cost::Lookup,
        "the author's domain's DMARC policy",
        |e| word(&e.outside.auth.dmarc_policy),
    ),
    field_row(
        "auth.dmarc_testing",
        BOOL,
        Cost::Lookup,
        "whether that domain only tries its policy out",
        |e| fact(&e.outside.auth.dmarc_testing, |truth| Value::Bool(*truth)),
    ),
    field_row(
        "auth.aligned",
        BOOL,
        Cost::Lookup,
        "whether SPF or DKIM aligns with the author's domain",
        |e| fact(&e.outside.auth.aligned, |truth| Value::Bool(*truth)),
    ),
    field_row("auth.arc", TEXT, Cost::Lookup, "result of the ARC chain", |e| {
        word(&e.outside.auth.arc)
    }),
    field_row(
        "auth.arc_sealers",
        Type::Many(Base::Domain),
        Cost::Lookup,
        "who sealed a chain that passes, the newest first",
        |e| domains(&e.outside.auth.arc_sealers),
    ),
    field_row(
        "auth.arc_vouched",
        BOOL,
        Cost::Lookup,
        "whether a trusted sealer says that the message passed when it got there",
        |e| fact(&e.outside.auth.arc_vouched, |truth| Value::Bool(*truth)),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.claims_organisation",
            TEXT,
            Cost::Text,
            "organisation of ours, a partner or a brand that an author's name holds, who writes from elsewhere",
            |e| Value::text(&e.claims().organisation),
        ),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.claims_person",
            TEXT,
            Cost::Text,
            "person of ours whom an author's name holds, who writes from elsewhere",
            |e| Value::text(&e.claims().person),
        ),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.claims_role",
            TEXT,
            Cost::Text,
            "role of such a person that an author's name is, who writes from elsewhere",
            |e| Value::text(&e.claims().role),
        ),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.lookalike_of",
            ONE_DOMAIN,
            Cost::Text,
            "domain of ours, a partner or a brand that an author's resembles",
            |e| Value::domain(e.lookalike().map(|(of, _)| of)),
        ),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.lookalike_by",
            TEXT,
            Cost::Text,
            "how: `letters`, `typo`, `suffix`, `words` or `subdomain`",
            |e| Value::text(e.lookalike().map_or("", |(_, how)| how.as_str())),
        ),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.reply_lookalike_of",
            ONE_DOMAIN,
            Cost::Text,
            "domain of ours, a partner or a brand that a Reply-To's resembles",
            |e| Value::domain(e.reply_lookalike().map(|(of, _)| of)),
        ),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.link_lookalikes",
            Type::Many(Base::Domain),
            Cost::Text,
            "domains of ours, of partners and brands that targets of links resemble",
            |e| Value::list(e.link_lookalikes().iter().map(|of| Value::Domain(Cow::Borrowed(of)))),
        ),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.name_address",
            Type::One(Base::Address),
            Cost::Text,
            "address in an author's name that is no author's own",
            |e| Value::maybe(e.name_address(), |address| Value::Address(Cow::Owned(address))),
        ),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.name_tricks",
            TEXTS,
            Cost::Text,
            "`direction`, `invisible`, `mixed-scripts`, `look-alikes`, `stacked-marks`, `fake-at`, `padding` in authors' names",
            |e| Value::list(e.name_tricks().iter().map(|word| Value::text(word))),
        ),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.reply_elsewhere",
            ONE_DOMAIN,
            Cost::Text,
            "site of the first Reply-To that is no author's site",
            |e| Value::maybe(e.reply_elsewhere(), |site| Value::Domain(Cow::Owned(site))),
        ),
    ),
    sought(
        A_FEW_NAMES,
        field_row(
            "identity.is_ambiguous",
            BOOL,
            Cost::Text,
            "whether readers may take different authors from the header",
            |e| Value::Bool(e.is_author_ambiguous()),
        ),
    ),
    field_row(
        "history.from",
        HISTORY,
        Cost::Store,
        "earlier mail from the author's address",
        |e| history(e.outside.history.want(|known| &known.from)),
    ),
    field_row(
        "history.domain",
        HISTORY,
        Cost::Store,
        "earlier mail from the author's domain",
        |e| history(e.outside.history.want(|known| &known.domain)),
    ),
    field_row(
        "history.pair",
        HISTORY,
        Cost::Store,
        "earlier mail between author and recipient",
        |e| history(e.outside.history.want(|known| &known.pair)),
    ),
    field_row(
        "history.bank_details",
        Type::One(Base::Record(Kind::BankDetails)),
        Cost::Store,
        "the text's bank details against those that the author's domain has shown; absent when it shows none",
        |e| match e.outside.history.want_bank_details(e.message) {
            Fact::Known(details) => Value::Record(Record::BankDetails(details)),
            Fact::Absent => Value::Absent,
            Fact::Unknown(cause) => unknown(cause),
        },
    ),
    stated(field_row(
        "antivirus.infected",
        BOOL,
        Cost::Lookup,
        "whether clamd objects; absent unless configured",
        |_| Value::Absent,
    )),
    stated(field_row(
        "antivirus.signature",
        TEXT,
        Cost::Lookup,
        "what clamd found",
        |_| Value::Absent,
    )),
    stated(field_row(
        "yara",
        TEXTS,
        Cost::Opened,
        "names of YARA rules that match; absent unless configured",
        |_| Value::Absent,
    )),
    field_row("now", TIME, Cost::Free, "when the message is judged", |e| {
        Value::Time(e.now)
    }),
];

const MAILBOX: Type = Type::One(Base::Record(Kind::Mailbox));
const MAILBOXES: Type = Type::Many(Base::Record(Kind::Mailbox));
const HISTORY: Type = Type::One(Base::Record(Kind::History));

/// A fact of the session, which archived mail may lack.
fn kept<'e>(is_kept: bool, value: impl FnOnce() -> Value<'e>) -> Value<'e> {
    match is_kept {
        true => value(),
        false => unknown(NOT_KEPT),
    }
}

fn word(result: &Fact<String>) -> Value<'_> {
    fact(result, |word| Value::text(word))
}

fn domains(names: &Fact<Vec<String>>) -> Value<'_> {
    fact(names, |names| {
        let domains = names.iter().filter_map(|name| crate::mail::Domain::parse(name));
        Value::list(domains.map(|domain| Value::Domain(Cow::Owned(domain))))
    })
}

/// A list of which something may be missing.
fn gathered<'e, T>(check: &'static str, gathered: &'e Gathered<T>, value: impl Fn(&'e T) -> Value<'e>) -> Value<'e> {
    Value::List(Items {
        items: gathered.found.iter().map(value).collect(),
        cut: gathered.cut.map(|cause| Why { check, cause }),
    })
}

fn texts(texts: &[String]) -> Value<'_> {
    Value::list(texts.iter().map(|text| Value::text(text)))
}

fn mailbox(mailbox: Option<&Mailbox>) -> Value<'_> {
    Value::maybe(mailbox, |mailbox| Value::Record(Record::Mailbox(mailbox)))
}

fn mailboxes(mailboxes: &[Mailbox]) -> Value<'_> {
    Value::list(mailboxes.iter().map(|mailbox| Value::Record(Record::Mailbox(mailbox))))
}

fn age<'e>(evidence: &'e Evidence<'_, '_>) -> Value<'e> {
    Value::maybe(evidence.message.date(), |date| {
        Value::Duration(evidence.now.as_millisecond().saturating_sub(date.as_millisecond()))
    })
}

fn links<'e>(evidence: &'e Evidence<'_, '_>) -> Value<'e> {
    let items = evidence.message.links().iter();
    Value::List(Items {
        items: items.map(|link| Value::Record(Record::Link(link))).collect(),
        cut: evidence.message.links_cut().then_some(Why {
            check: "links",
            cause: "limit",
        }),
    })
}

fn history(history: &Fact<History>) -> Value<'_> {
    fact(history, |history| Value::Record(Record::History(history)))
}
