//! The parsed view of a message: what any reader may see of it, bounded, and what a strict reader
//! would object to.
//!
//! Parsing never fails: what is broken is recorded as a defect. The header and the MIME tree are read
//! at once, everything else when first asked for. Knows nothing of envelopes, rules or verdicts.

pub use super::attachment::Attachment;
pub use super::defects::Defect;
pub use super::header::Field;
pub use super::limits::Limits;
pub use super::link::{Link, Mismatch, Origin};
pub use super::mailbox::Mailbox;
pub use super::page::{Form, Image};
pub use super::part::Part;
pub use super::received::Hop;
pub use super::thread::Thread;
pub use super::unwrap::{Via, Wrapping};
pub use super::url::Url;

use super::body::{Body, Choice};
use super::defects::{self, Defects};
use super::header::HeaderReader;
use super::mailbox::Mailboxes;
use super::part::{self, Content, Tree};
use super::thread::{self, Subject};
use super::{attachment, bank, crypto, language, mailbox, phone, received};
use jiff::Timestamp;
use std::sync::OnceLock;

/// What can be read from a message's bytes.
#[derive(Debug)]
pub struct Message<'m> {
    raw: &'m [u8],
    limits: Limits,
    fields: Vec<Field<'m>>,
    tree: Tree<'m>,
    /// What the header and the tree showed; the others are found as they are asked for.
    parse_defects: Defects,
    authors: OnceLock<(Vec<Mailbox>, Defects)>,
    sender: OnceLock<Vec<Mailbox>>,
    reply_to: OnceLock<Vec<Mailbox>>,
    to: OnceLock<Vec<Mailbox>>,
    cc: OnceLock<Vec<Mailbox>>,
    received: OnceLock<Vec<Hop>>,
    thread: OnceLock<Thread>,
    choice: OnceLock<Choice>,
    body: OnceLock<Body<'m>>,
    told: Told,
    attachments: OnceLock<(Vec<Attachment<'m>>, Defects)>,
    defects: OnceLock<Vec<Defect>>,
}

/// What the text tells, kept once it was asked for.
#[derive(Debug, Default)]
struct Told {
    languages: OnceLock<Vec<&'static str>>,
    phones: OnceLock<Vec<String>>,
    bank_details: OnceLock<Vec<String>>,
    crypto_addresses: OnceLock<Vec<String>>,
}

impl<'m> Message<'m> {
    /// Reads a message. Never fails.
    pub fn parse(raw: &'m [u8], limits: &Limits) -> Self {
        let mut defects = Defects::default();
        let (fields, content, body_start) = read_header(raw, limits, &mut defects);
        let tree = part::walk(raw, body_start, content, limits, &mut defects);
        Self {
            raw,
            limits: *limits,
            fields,
            tree,
            parse_defects: defects,
            authors: OnceLock::new(),
            sender: OnceLock::new(),
            reply_to: OnceLock::new(),
            to: OnceLock::new(),
            cc: OnceLock::new(),
            received: OnceLock::new(),
            thread: OnceLock::new(),
            choice: OnceLock::new(),
            body: OnceLock::new(),
            told: Told::default(),
            attachments: OnceLock::new(),
            defects: OnceLock::new(),
        }
    }

    /// The bytes it was read from.
    pub fn raw(&self) -> &'m [u8] {
        self.raw
    }

    /// Every header field, in order.
    pub fn fields(&self) -> &[Field<'m>] {
        &self.fields
    }

    /// Every instance of a field, in order, the name in any case.
    pub fn header<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Field<'m>> {
        self.fields
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    /// The first Subject, decoded.
    pub fn subject(&self) -> &str {
        self.decoded("Subject")
    }

    /// The subject without its reply and forward prefixes.
    pub fn subject_base(&self) -> &str {
        Subject::read(self.subject()).base
    }

    /// The author: the first mailbox of the first From.
    pub fn from(&self) -> Option<&Mailbox> {
        self.authors().first()
    }

    /// Every candidate author when From is ambiguous or has several.
    pub fn authors(&self) -> &[Mailbox] {
        &self.read_authors().0
    }

    /// Whether readers may take different authors from the From fields.
    pub fn is_from_ambiguous(&self) -> bool {
        let defects = &self.read_authors().1;
        [Defect::FROM_AMBIGUOUS, Defect::DUPLICATE_FROM]
            .into_iter()
            .any(|defect| defects.contains(defect))
    }

    /// The Sender field.
    pub fn sender(&self) -> Option<&Mailbox> {
        self.mailboxes(&self.sender, "Sender").first()
    }

    /// Reply-To's mailboxes.
    pub fn reply_to(&self) -> &[Mailbox] {
        self.mailboxes(&self.reply_to, "Reply-To")
    }

    /// To's mailboxes.
    pub fn to(&self) -> &[Mailbox] {
        self.mailboxes(&self.to, "To")
    }

    /// Cc's mailboxes.
    pub fn cc(&self) -> &[Mailbox] {
        self.mailboxes(&self.cc, "Cc")
    }

    /// Message-ID without its angle brackets; empty without one.
    pub fn message_id(&self) -> &str {
        bracketed(self.decoded("Message-ID")).unwrap_or(self.decoded("Message-ID"))
    }

    /// Date.
    pub fn date(&self) -> Option<Timestamp> {
        self.header("Date")
            .next()
            .and_then(|field| received::date(&field.decoded))
    }

    /// What the thread shows. Renders the text, to see whether it quotes.
    pub fn thread(&self) -> &Thread {
        self.thread.get_or_init(|| {
            let subject = Subject::read(self.subject());
            let mut references = Vec::new();
            for field in self.header("References").chain(self.header("In-Reply-To")) {
                for id in thread::message_ids(&field.decoded) {
                    if references.len() < thread::REFERENCES && !references.contains(&id) {
                        references.push(id);
                    }
                }
            }
            Thread {
                is_reply: subject.is_reply || !references.is_empty(),
                is_forward: subject.is_forward,
                references,
                quoted: self.body().quotes,
            }
        })
    }

    /// List-Id's identifier; empty without one.
    pub fn list_id(&self) -> &str {
        bracketed(self.decoded("List-Id")).unwrap_or(self.decoded("List-Id"))
    }

    /// Precedence bulk or list, List-Id, or List-Unsubscribe.
    pub fn is_bulk(&self) -> bool {
        let precedence = self.decoded("Precedence");
        ["bulk", "list", "junk"]
            .iter()
            .any(|word| precedence.eq_ignore_ascii_case(word))
            || self.header("List-Id").next().is_some()
            || self.header("List-Unsubscribe").next().is_some()
    }

    /// Auto-Submitted other than `no` (RFC 3834 §5), or a delivery report (RFC 3464).
    pub fn is_auto(&self) -> bool {
        let submitted = self.decoded("Auto-Submitted");
        let word = submitted.split([';', ' ', '(']).next().unwrap_or("");
        let is_report = self
            .tree
            .parts
            .first()
            .is_some_and(|part| part.content_type == "multipart/report");
        is_report || !(word.is_empty() || word.eq_ignore_ascii_case("no"))
    }

    /// Received fields, newest first.
    pub fn received(&self) -> &[Hop] {
        self.received
            .get_or_init(|| self.header("Received").map(|field| Hop::read(&field.raw)).collect())
    }

    /// Every MIME part, in order.
    pub fn parts(&self) -> &[Part] {
        &self.tree.parts
    }

    /// `body.text`: what a person would read.
    pub fn text(&self) -> &str {
        &self.body().text
    }

    /// `body.new`: the newest part of a thread, quoted history left out.
    pub fn new_text(&self) -> &str {
        let body = self.body();
        body.newest.as_deref().unwrap_or(&body.text)
    }

    /// `body.hidden`: text that HTML hides.
    pub fn hidden_text(&self) -> &str {
        &self.body().hidden
    }

    /// `body.html`: the decoded sources, in order.
    pub fn html(&self) -> &str {
        &self.body().html
    }

    /// Languages that the text is written in, by their codes, the most written first.
    pub fn languages(&self) -> &[&'static str] {
        self.told.languages.get_or_init(|| language::languages(self.text()))
    }

    /// Telephone numbers in the text, in the international form.
    pub fn phones(&self) -> &[String] {
        self.told.phones.get_or_init(|| phone::numbers(self.text()))
    }

    /// Sort codes with accounts, and IBANs, in the text.
    pub fn bank_details(&self) -> &[String] {
        self.told.bank_details.get_or_init(|| bank::details(self.text()))
    }

    /// Addresses of cryptocurrencies in the text.
    pub fn crypto_addresses(&self) -> &[String] {
        self.told
            .crypto_addresses
            .get_or_init(|| crypto::addresses(self.text()))
    }

    /// Links: those in the subject, then those in the body, in order.
    pub fn links(&self) -> &[Link] {
        &self.body().links
    }

    /// Images in the HTML.
    pub fn images(&self) -> &[Image] {
        &self.body().images
    }

    /// Forms in the HTML.
    pub fn forms(&self) -> &[Form] {
        &self.body().forms
    }

    /// Top-level attachments.
    pub fn attachments(&self) -> &[Attachment<'m>] {
        &self.read_attachments().0
    }

    /// What a strict reader would object to, each once, by word. Looks at the whole message, also at
    /// what nobody has asked for yet, so that the answer doesn't hang on the order of questions.
    pub fn defects(&self) -> &[Defect] {
        self.defects.get_or_init(|| {
            let mut all = self.parse_defects.clone();
            defects::of_lines(self.raw, &mut all);
            self.header_defects(&mut all);
            all.extend(&self.read_authors().1);
            all.extend(&self.body().defects);
            all.extend(&self.read_attachments().1);
            all.sorted()
        })
    }

    /// Whether the links were cut short by a limit (so that `any` is never false).
    pub fn links_cut(&self) -> bool {
        self.body().links_cut
    }

    /// The first instance of a field, decoded; empty without one.
    fn decoded(&self, name: &str) -> &str {
        let mut fields = self.fields.iter();
        fields
            .find(|field| field.name.eq_ignore_ascii_case(name))
            .map_or("", |field| &field.decoded)
    }

    fn mailboxes<'s>(&'s self, kept: &'s OnceLock<Vec<Mailbox>>, name: &str) -> &'s [Mailbox] {
        kept.get_or_init(|| {
            let fields = self.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
            fields
                .flat_map(|field| Mailboxes::read(field.raw.as_bytes()).list)
                .collect()
        })
    }

    fn read_authors(&self) -> &(Vec<Mailbox>, Defects) {
        self.authors.get_or_init(|| {
            let mut defects = Defects::default();
            let mut authors = Vec::new();
            for field in self.header("From") {
                read_from(field.raw.as_bytes(), &mut authors, &mut defects);
            }
            let count = self.header("From").count();
            defects.add_if(count == 0, Defect::MISSING_FROM);
            defects.add_if(count > 1, Defect::DUPLICATE_FROM);
            (authors, defects)
        })
    }

    fn choice(&self) -> &Choice {
        self.choice.get_or_init(|| Choice::new(&self.tree))
    }

    fn body(&self) -> &Body<'m> {
        self.body
            .get_or_init(|| Body::render(&self.tree, self.choice(), self.subject(), &self.limits))
    }

    fn read_attachments(&self) -> &(Vec<Attachment<'m>>, Defects) {
        self.attachments.get_or_init(|| {
            let mut defects = Defects::default();
            let found = attachment::all(&self.tree, &self.choice().displayed, &mut defects);
            (found, defects)
        })
    }

    fn header_defects(&self, defects: &mut Defects) {
        let count = |name| self.header(name).count();
        for (name, defect) in [
            ("Subject", Defect::DUPLICATE_SUBJECT),
            ("Date", Defect::DUPLICATE_DATE),
            ("Message-ID", Defect::DUPLICATE_MESSAGE_ID),
            ("MIME-Version", Defect::DUPLICATE_MIME_VERSION),
            ("Sender", Defect::DUPLICATE_SENDER),
            ("Reply-To", Defect::DUPLICATE_SENDER),
        ] {
            defects.add_if(count(name) > 1, defect);
        }
        let dated = count("Date") > 0;
        defects.add_if(!dated, Defect::MISSING_DATE);
        defects.add_if(dated && self.date().is_none(), Defect::INVALID_DATE);
        let is_mime = count("Content-Type") > 0;
        defects.add_if(is_mime && count("MIME-Version") == 0, Defect::MISSING_MIME_VERSION);
    }
}

/// The message's own header: its fields, the Content fields among them still in bytes, and where the
/// body starts.
fn read_header<'m>(raw: &'m [u8], limits: &Limits, defects: &mut Defects) -> (Vec<Field<'m>>, Content<'m>, usize) {
    let mut reader = HeaderReader::new(raw, 0);
    reader.skip_preface(defects);
    let mut fields = Vec::with_capacity(32);
    let mut content = Content::default();
    let mut room = limits.header_bytes;
    while let Some(mut lines) = reader.next_field(defects, |_| false) {
        if fields.len() >= limits.header_fields || room == 0 {
            defects.add(Defect::HEADER_LIMIT);
            continue;
        }
        defects.add_if(lines.body.len() > room, Defect::HEADER_LIMIT);
        lines.body = lines.body.get(..room).unwrap_or(lines.body);
        room -= lines.body.len();
        content.note(lines);
        fields.push(Field::new(lines, defects));
    }
    (fields, content, reader.position())
}

/// Every author that some reader takes from one From field.
fn read_from(raw: &[u8], authors: &mut Vec<Mailbox>, defects: &mut Defects) {
    let found = Mailboxes::read(raw);
    defects.add_if(found.is_ambiguous, Defect::FROM_AMBIGUOUS);
    defects.add_if(found.is_cut, Defect::MAILBOXES_LIMIT);
    let addressed = found.list.iter().filter(|mailbox| mailbox.domain.is_some()).count();
    defects.add_if(addressed > 1, Defect::FROM_SEVERAL);
    defects.add_if(addressed == 0, Defect::FROM_BROKEN);
    let other = Mailboxes::read_decoded_first(raw).map_or_else(Vec::new, |other| other.list);
    let lookalikes = if addressed == 0 {
        mailbox::lookalikes(raw)
    } else {
        Vec::new()
    };
    authors.extend(found.list);
    for mailbox in found.beside.into_iter().chain(other).chain(lookalikes) {
        // Bounded twice: by the field's mailboxes, and by how few of them a field usually has.
        let known = authors.iter().take(100).any(|known| known.address == mailbox.address);
        if !known && mailbox.domain.is_some() {
            defects.add(Defect::FROM_AMBIGUOUS);
            authors.push(mailbox);
        }
    }
}

/// What stands in the first pair of angle brackets.
fn bracketed(text: &str) -> Option<&str> {
    let (_, tail) = text.split_once('<')?;
    tail.split_once('>').map(|(inside, _)| inside.trim())
}

#[cfg(test)]
mod authors;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod threads;
