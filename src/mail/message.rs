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
