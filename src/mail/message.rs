//! The parsed view of a message: what any reader may see of it, bounded, and what a strict reader
//! would object to.
//!
//! Parsing never fails: what is broken is recorded as a defect. Text and links are rendered when
//! first asked for. Knows nothing of envelopes, rules or verdicts.

use super::Domain;
use jiff::Timestamp;
use std::borrow::Cow;

/// How much of a message is looked at. Beyond a limit the view is cut and a defect says so.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Levels of multipart and message/rfc822.
    pub nesting: usize,
    /// MIME parts in all.
    pub parts: usize,
    /// Header fields of the message.
    pub header_fields: usize,
    /// Bytes of rendered text.
    pub text_bytes: usize,
    /// Links.
    pub links: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nesting: 100,
            parts: 10_000,
            header_fields: 10_000,
            text_bytes: 1 << 20,
            links: 10_000,
        }
    }
}

/// One header field as it stands in the message.
#[derive(Debug, Clone)]
pub struct Field<'m> {
    /// The name, in the sender's case.
    pub name: Cow<'m, str>,
    /// The body as it came, folds and all; broken UTF-8 is replaced.
    pub raw: Cow<'m, str>,
    /// Unfolded, encoded words decoded.
    pub decoded: Cow<'m, str>,
}

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

/// One Received field, read as far as it follows RFC 5321 §4.4.
#[derive(Debug, Clone, Default)]
pub struct Hop {
    /// The `from` name.
    pub from: String,
    /// The `by` name.
    pub by: String,
    /// The address in the comment after `from`.
    pub ip: Option<std::net::IpAddr>,
    /// The HELO name where the comment tells it apart.
    pub helo: String,
    /// The reverse name in the comment.
    pub rdns: String,
    /// The `with` word.
    pub protocol: String,
    /// The date after the semicolon.
    pub time: Option<Timestamp>,
}

/// One MIME part.
#[derive(Debug, Clone)]
pub struct Part {
    /// `type/subtype`, lower case.
    pub content_type: String,
    /// The charset parameter, lower case; empty without one.
    pub charset: String,
    /// The transfer encoding, lower case; empty without one.
    pub encoding: String,
    /// `inline`, `attachment`, …; empty without one.
    pub disposition: String,
    /// 0 for the message itself.
    pub depth: usize,
}

/// A link as written.
#[derive(Debug, Clone, Default)]
pub struct Link {
    /// The text a person sees on it; empty for a bare image.
    pub shown: String,
    /// The domain that the shown text names, if it names one.
    pub shown_domain: Option<Domain>,
    /// The target as it came, entities decoded.
    pub target: Url,
    /// Where it stood.
    pub origin: Origin,
}

/// Where a link stood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// In the text or HTML that a person reads.
    #[default]
    Body,
    /// In a header field.
    Header,
}

/// A URL taken apart leniently, as a browser would follow it.
#[derive(Debug, Clone, Default)]
pub struct Url {
    /// The whole, as written.
    pub url: String,
    /// Lower case; empty when it was schemeless.
    pub scheme: String,
    /// The host as a domain; an IP in any notation is in its usual one.
    pub domain: Option<Domain>,
    /// Whether the host is an IP address.
    pub is_ip: bool,
    /// The port, if written.
    pub port: Option<u16>,
    /// The user-info, if written.
    pub user: String,
    /// From the first `/`.
    pub path: String,
    /// After `?`.
    pub query: String,
    /// After `#`.
    pub fragment: String,
}

/// A form in the HTML.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// Where it is sent.
    pub action: Url,
    /// Whether it asks for a password.
    pub has_password: bool,
}

/// An image in the HTML.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// `src`, as written.
    pub source: String,
    /// Whether it is fetched from elsewhere.
    pub is_remote: bool,
    /// Whether its stated size is at most 2 by 2 pixels.
    pub is_tracking_size: bool,
}

/// A top-level attachment.
#[derive(Debug, Clone, Default)]
pub struct Attachment {
    /// The name that a person sees; empty without one.
    pub name: String,
    /// Every other name that some reader would show.
    pub other_names: Vec<String>,
    /// The last extension, lower case, without the dot.
    pub extension: String,
    /// `type/subtype` as declared, lower case.
    pub declared_type: String,
    /// What the content is: `zip`, `pdf`, `html`, `exe`…; empty when nothing is recognised.
    pub kind: &'static str,
    /// Bytes, decoded.
    pub size: usize,
    /// Lower-case hex of the decoded content.
    pub sha256: String,
    /// Whether it is shown within the text.
    pub is_inline: bool,
}

/// Something a strict reader would object to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Defect(pub &'static str);

/// What can be read from a message's bytes.
#[derive(Debug)]
pub struct Message<'m> {
    raw: &'m [u8],
}

/// What a thread shows of itself.
#[derive(Debug, Clone, Default)]
pub struct Thread {
    /// `In-Reply-To`, `References`, or a reply prefix on the subject.
    pub is_reply: bool,
    /// A forward prefix on the subject.
    pub is_forward: bool,
    /// Message ids of the ancestors.
    pub references: Vec<String>,
    /// Whether the text quotes older text.
    pub quoted: bool,
}

impl<'m> Message<'m> {
    /// Reads a message. Never fails.
    pub fn parse(raw: &'m [u8], _limits: &Limits) -> Self {
        Self { raw }
    }
    /// The bytes it was read from.
    pub fn raw(&self) -> &'m [u8] {
        self.raw
    }
    /// Every header field, in order.
    pub fn fields(&self) -> &[Field<'m>] {
        &[]
    }
    /// Every instance of a field, in order, the name in any case.
    pub fn header<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Field<'m>> {
        self.fields()
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
    }
    /// The first Subject, decoded.
    pub fn subject(&self) -> &str {
        ""
    }
    /// The subject without its reply and forward prefixes.
    pub fn subject_base(&self) -> &str {
        ""
    }
    /// The author: the first mailbox of the first From.
    pub fn from(&self) -> Option<&Mailbox> {
        self.authors().first()
    }
    /// Every candidate author when From is ambiguous or has several.
    pub fn authors(&self) -> &[Mailbox] {
        &[]
    }
    /// The Sender field.
    pub fn sender(&self) -> Option<&Mailbox> {
        None
    }
    /// Reply-To's mailboxes.
    pub fn reply_to(&self) -> &[Mailbox] {
        &[]
    }
    /// To's mailboxes.
    pub fn to(&self) -> &[Mailbox] {
        &[]
    }
    /// Cc's mailboxes.
    pub fn cc(&self) -> &[Mailbox] {
        &[]
    }
    /// Message-ID without its angle brackets; empty without one.
    pub fn message_id(&self) -> &str {
        ""
    }
    /// Date.
    pub fn date(&self) -> Option<Timestamp> {
        None
    }
    /// What the thread shows.
    pub fn thread(&self) -> &Thread {
        const NONE: &Thread = &Thread {
            is_reply: false,
            is_forward: false,
            references: Vec::new(),
            quoted: false,
        };
        NONE
    }
    /// List-Id's identifier; empty without one.
    pub fn list_id(&self) -> &str {
        ""
    }
    /// Precedence bulk or list, List-Id, or List-Unsubscribe.
    pub fn is_bulk(&self) -> bool {
        false
    }
    /// Auto-Submitted other than `no`, or a null return from a machine (RFC 3834).
    pub fn is_auto(&self) -> bool {
        false
    }
    /// Received fields, newest first.
    pub fn received(&self) -> &[Hop] {
        &[]
    }
    /// Every MIME part, in order.
    pub fn parts(&self) -> &[Part] {
        &[]
    }
    /// `body.text`: what a person would read.
    pub fn text(&self) -> &str {
        ""
    }
    /// `body.new`: the newest part of a thread, quoted history left out.
    pub fn new_text(&self) -> &str {
        ""
    }
    /// `body.hidden`: text that HTML hides.
    pub fn hidden_text(&self) -> &str {
        ""
    }
    /// `body.html`: the decoded sources, in order.
    pub fn html(&self) -> &str {
        ""
    }
    /// Links, in order.
    pub fn links(&self) -> &[Link] {
        &[]
    }
    /// Images in the HTML.
    pub fn images(&self) -> &[Image] {
        &[]
    }
    /// Forms in the HTML.
    pub fn forms(&self) -> &[Form] {
        &[]
    }
    /// Top-level attachments.
    pub fn attachments(&self) -> &[Attachment] {
        &[]
    }
    /// What a strict reader would object to, each once, in a stable order.
    pub fn defects(&self) -> &[Defect] {
        &[]
    }
    /// Whether the links were cut short by a limit (so that `any` is never false).
    pub fn links_cut(&self) -> bool {
        false
    }
}
