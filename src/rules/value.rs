//! What conditions compute with: types, and values that borrow from the evidence.
//!
//! A value is known, absent (the message has no such thing) or unknown (it could not be found
//! out, and why). Knows nothing of fields' names or of how values are compared.

use crate::evidence::History;
use crate::mail::Domain;
use crate::mail::message::{Attachment, Form, Hop, Image, Link, Mailbox, Part, Thread, Url};
use jiff::Timestamp;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

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
    /// See [`Kind::Attachment`].
    Attachment(&'e Attachment),
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
    /// A row of a table list.
    Row(&'e [Value<'static>]),
}
