//! What conditions compute with: types, and values that borrow from the evidence.
//!
//! A value is known, absent (the message has no such thing) or unknown (it could not be found
//! out, and why). Knows nothing of fields' names or of how values are compared.

use crate::evidence::{BankDetails, History, Listing};
use crate::mail::Domain;
use crate::mail::message::{Attachment, Form, Hop, Image, Link, Mailbox, Part, Thread, Url, Via};
use crate::units::Span;
use jiff::Timestamp;
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The type of an expression: one thing or a list of them. Lists don't nest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// One.
    One(Base),
    /// A list.
    Many(Base),
}

/// What one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// True or false; what a condition must be.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction.
    Float,
    /// Text.
    Text,
    /// A number of bytes.
    Size,
    /// A span of time.
    Duration,
    /// A moment.
    Time,
    /// A mail address, compared without regard to case.
    Address,
    /// A domain name or IP address in its comparable form.
    Domain,
    /// An IP address.
    Ip,
    /// Several named things.
    Record(Kind),
    /// A row of a table list: the list's place among the condition's own.
    Row(usize),
}

impl Type {
    /// What one item, or the one thing, is.
    pub const fn base(self) -> Base {
        match self {
            Self::One(base) | Self::Many(base) => base,
        }
    }

    /// With its article, as a sentence wants it.
    pub fn indefinite(self) -> String {
        let name = self.to_string();
        let article = if name.starts_with(['a', 'e', 'i', 'o', 'I']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {name}")
    }

    /// Whether it is a list.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::Many(_))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(base) => write!(formatter, "{base}"),
            Self::Many(base) => write!(formatter, "list of {base}"),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bool => "condition",
            Self::Int => "number",
            Self::Float => "fraction",
            Self::Text => "string",
            Self::Size => "size",
            Self::Duration => "duration",
            Self::Time => "time",
            Self::Address => "address",
            Self::Domain => "domain",
            Self::Ip => "IP address",
            Self::Record(kind) => kind.as_str(),
            Self::Row(_) => "table row",
        })
    }
}

/// The kinds of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A mailbox of a header.
    Mailbox,
    /// A link.
    Link,
    /// What a link shows.
    Shown,
    /// A URL, taken apart.
    Url,
    /// An outer URL of a redirector or gateway.
    Via,
    /// An attachment, or a file inside one.
    Attachment,
    /// A file's macros.
    Macros,
    /// What a PDF holds.
    Pdf,
    /// What an HTML file does.
    Html,
    /// A calendar file.
    Calendar,
    /// A MIME part.
    Part,
    /// A Received field.
    Hop,
    /// An image.
    Image,
    /// A form.
    Form,
    /// What the thread shows.
    Thread,
    /// What the store remembers of a correspondent.
    History,
    /// How bank details compare with those shown before.
    BankDetails,
    /// What a block list has of a domain.
    Listing,
}

impl Kind {
    /// The word in messages and in the reference.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Link => "link",
            Self::Shown => "shown text of a link",
            Self::Url => "URL",
            Self::Via => "outer URL",
            Self::Attachment => "attachment",
            Self::Macros => "macros",
            Self::Pdf => "PDF content",
            Self::Html => "HTML content",
            Self::Calendar => "calendar content",
            Self::Part => "MIME part",
            Self::Hop => "Received field",
            Self::Image => "image",
            Self::Form => "form",
            Self::Thread => "thread",
            Self::History => "history",
            Self::BankDetails => "bank details",
            Self::Listing => "listing",
        }
    }
}

/// Why a fact is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Why {
    /// The schema name of the fact.
    pub check: &'static str,
    /// A word for metrics, such as `not-gathered`, `timeout`, `limit`.
    pub cause: &'static str,
}

/// What an expression is for one message.
#[derive(Debug, Clone)]
pub enum Value<'e> {
    /// The message has no such thing.
    Absent,
    /// It could not be found out.
    Unknown(Why),
    /// A condition's value.
    Bool(bool),
    /// A number, or a size in bytes.
    Int(i64),
    /// A count of which only the bounds are known, both included; why, unless for absence.
    Between(i64, i64, Option<Why>),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(Cow<'e, str>),
    /// Milliseconds.
    Duration(i64),
    /// A moment.
    Time(Timestamp),
    /// A mail address as written.
    Address(Cow<'e, str>),
    /// A domain.
    Domain(Cow<'e, Domain>),
    /// An IP address.
    Ip(IpAddr),
    /// Several named things.
    Record(Record<'e>),
    /// A list.
    List(Items<'e>),
}

/// The items of a list value.
#[derive(Debug, Clone)]
pub struct Items<'e> {
    /// In order.
    pub items: Arc<[Value<'e>]>,
    /// Set when there may be more than these.
    pub cut: Option<Why>,
}

/// A record of the evidence.
#[derive(Debug, Clone, Copy)]
pub enum Record<'e> {
    /// See [`Kind::Mailbox`].
    Mailbox(&'e Mailbox),
    /// See [`Kind::Link`]; also stands for what it shows.
    Link(&'e Link),
    /// See [`Kind::Url`].
    Url(&'e Url),
    /// See [`Kind::Via`].
    Via(&'e Via),
    /// See [`Kind::Attachment`].
    Attachment(&'e Attachment<'e>),
    /// See [`Kind::Part`].
    Part(&'e Part),
    /// See [`Kind::Hop`].
    Hop(&'e Hop),
    /// See [`Kind::Image`].
    Image(&'e Image),
    /// See [`Kind::Form`].
    Form(&'e Form),
    /// See [`Kind::Thread`].
    Thread(&'e Thread),
    /// See [`Kind::History`].
    History(&'e History),
    /// See [`Kind::BankDetails`].
    BankDetails(BankDetails),
    /// See [`Kind::Listing`].
    Listing(&'e Listing),
    /// A row of a table list.
    Row(&'e [Value<'static>]),
}

impl<'e> Value<'e> {
    /// Text that lives in the evidence.
    pub fn text(text: &'e str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A number, or the nearest one that fits.
    pub fn number(number: impl TryInto<i64>) -> Self {
        Self::Int(number.try_into().unwrap_or(i64::MAX))
    }

    /// A whole list.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(Items {
            items: items.into_iter().collect(),
            cut: None,
        })
    }

    /// What is there, or absent.
    pub fn maybe<T>(found: Option<T>, value: impl FnOnce(T) -> Self) -> Self {
        found.map_or(Self::Absent, value)
    }

    /// An address that lives in the evidence; absent when empty.
    pub fn address(address: &'e str) -> Self {
        match address.is_empty() {
            true => Self::Absent,
            false => Self::Address(Cow::Borrowed(address)),
        }
    }

    /// A domain that lives in the evidence.
    pub fn domain(domain: Option<&'e Domain>) -> Self {
        Self::maybe(domain, |domain| Self::Domain(Cow::Borrowed(domain)))
    }

    /// The same value, its text lent rather than copied.
    pub fn borrowed(&'e self) -> Self {
        match self {
            Self::Text(text) => Self::Text(Cow::Borrowed(text)),
            Self::Address(address) => Self::Address(Cow::Borrowed(address)),
            Self::Domain(domain) => Self::Domain(Cow::Borrowed(domain)),
            other => other.clone(),
        }
    }

    /// Bytes of the texts that it holds.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Address(text) => text.len(),
            Self::Domain(domain) => domain.as_str().len(),
            Self::List(list) => size_of_val(&*list.items) + list.items.iter().map(Self::text_bytes).sum::<usize>(),
            _ => 0,
        }
    }

    /// Whether it is neither absent nor unknown.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Absent | Self::Unknown(_))
    }

    /// [`Self::as_text`] of a value that isn't needed any more.
    pub fn into_text(self) -> Option<Cow<'e, str>> {
        match self {
            Self::Text(text) | Self::Address(text) => Some(text),
            other => other.as_text().map(|text| Cow::Owned(text.into_owned())),
        }
    }

    /// The text of what has one: strings, addresses, domains, URLs, IP addresses.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) | Self::Address(text) => Some(Cow::Borrowed(text)),
            Self::Domain(domain) => Some(Cow::Borrowed(domain.as_str())),
            Self::Record(Record::Url(url)) => Some(Cow::Borrowed(&url.url)),
            Self::Ip(ip) => Some(Cow::Owned(ip.to_string())),
            _ => None,
        }
    }
}

/// How evidence shows a value that isn't text.
impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => formatter.write_str("absent"),
            Self::Unknown(why) => write!(formatter, "unknown ({}: {})", why.check, why.cause),
            Self::Bool(truth) => write!(formatter, "{truth}"),
            Self::Int(number) => write!(formatter, "{number}"),
            Self::Between(least, most, _) => write!(formatter, "{least} to {most}"),
            Self::Float(number) => write!(formatter, "{number}"),
            Self::Duration(millis) => match u64::try_from(*millis) {
                Ok(millis) => write!(formatter, "{}", Span(Duration::from_millis(millis))),
                Err(_) => write!(formatter, "-{}", Span(Duration::from_millis(millis.unsigned_abs()))),
            },
            Self::Time(time) => write!(formatter, "{time}"),
            Self::List(list) => write!(formatter, "{} items", list.items.len()),
            Self::Record(record) => write!(formatter, "{record}"),
            Self::Text(_) | Self::Address(_) | Self::Domain(_) | Self::Ip(_) => {
                formatter.write_str(&self.as_text().unwrap_or_default())
            }
        }
    }
}

/// How evidence shows a record: by what a person would know it by.
impl fmt::Display for Record<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(mailbox) if mailbox.name.is_empty() => formatter.write_str(&mailbox.address),
            Self::Mailbox(mailbox) => write!(formatter, "{} <{}>", mailbox.name, mailbox.address),
            Self::Link(link) => formatter.write_str(&link.target.url),
            Self::Url(url) => formatter.write_str(&url.url),
            Self::Via(outer) => formatter.write_str(&outer.url.url),
            Self::Attachment(attachment) => formatter.write_str(&attachment.name),
            Self::Part(part) => formatter.write_str(&part.content_type),
            Self::Hop(hop) => formatter.write_str(&hop.from),
            Self::Image(image) => formatter.write_str(&image.source),
            Self::Form(form) => formatter.write_str(&form.action.url),
            Self::Thread(_) => formatter.write_str("thread"),
            Self::History(history) => write!(formatter, "{} messages before", history.messages_before),
            Self::BankDetails(details) => write!(formatter, "{} new of {}", details.new, details.new + details.seen),
            Self::Listing(listing) => write!(formatter, "{} in {}/{}", listing.domain, listing.list, listing.meaning),
            Self::Row(row) => match row.first() {
                Some(first) => write!(formatter, "{first}"),
                None => Ok(()),
            },
        }
    }
}
