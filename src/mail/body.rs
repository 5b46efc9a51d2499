//! The body as a person reads it: which parts are shown, rendered onto one page.
//!
//! Enters: the MIME tree. Leaves: text, hidden text, HTML source, links. Of alternatives the richest
//! is shown, the last among equals (RFC 2046 §5.1.4); one that says something else is added, since
//! some reader shows it. Knows nothing of headers.

use super::attachment;
use super::charset;
use super::defects::{Defect, Defects};
use super::limits::Limits;
use super::link::{self, Link, Origin};
use super::page::{Form, Image, Page};
use super::parameter::Parameters;
use super::part::{Kind, Node, Part, Tree};
use super::transfer::{self, Transfer};
use super::wording::Wording;
use super::{html, text};
use std::borrow::Cow;
use std::collections::HashMap;

/// Everything that rendering finds.
#[derive(Debug, Default)]
pub(super) struct Body<'m> {
    pub(super) text: String,
    pub(super) newest: Option<String>,
    pub(super) quotes: bool,
    pub(super) hidden: String,
    pub(super) html: Cow<'m, str>,
    pub(super) links: Vec<Link>,
    pub(super) links_cut: bool,
    pub(super) images: Vec<Image>,
    pub(super) forms: Vec<Form>,
    pub(super) defects: Defects,
}

/// How a text part is rendered; the richer, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Richness {
    Plain,
    Html,
}

/// Which parts are shown.
#[derive(Debug)]
pub(super) struct Choice {
    richness: Vec<Option<Richness>>,
    /// Shown as text, same index as the parts; text alternatives that lost included.
    pub(super) displayed: Vec<bool>,
    /// Alternatives that lost to a richer one.
    spare: Vec<bool>,
}

impl Choice {
    /// Decides for each part, without looking at any body.
    pub(super) fn new(tree: &Tree<'_>) -> Self {
        let count = tree.nodes.len();
        let mut richness: Vec<Option<Richness>> = tree
            .parts
            .iter()
            .zip(&tree.nodes)
            .map(|(part, node)| richness(part, node, count))
            .collect();
        // Children stand behind their parents, so that one pass from the end sums them up.
        let mut best: Vec<(Option<Richness>, usize)> = richness.iter().map(|own| (*own, usize::MAX)).collect();
        for (index, node) in tree.nodes.iter().enumerate().rev() {
            let own = best.get(index).and_then(|(own, _)| *own);
            let parent = node.parent.and_then(|parent| best.get_mut(parent));
            if let Some((richest, child)) = parent
                && own > *richest
            {
                (*richest, *child) = (own, index);
            }
        }
        let (mut shown, mut spare) = (vec![true; count], vec![false; count]);
        for (index, node) in tree.nodes.iter().enumerate() {
            let Some(parent) = node.parent else { continue };
            let above = |flags: &[bool]| flags.get(parent).copied().unwrap_or(false);
            let is_alternative = tree
                .nodes
                .get(parent)
                .is_some_and(|parent| parent.kind == Kind::Alternative);
            let loses = is_alternative && best.get(parent).is_some_and(|(_, child)| *child != index);
            let (is_shown, is_spare) = (above(&shown), above(&spare));
            set(&mut shown, index, is_shown && !node.is_enclosed);
            set(&mut spare, index, is_spare || loses);
        }
        for (own, shown) in richness.iter_mut().zip(&shown) {
            *own = own.filter(|_| *shown);
        }
        let displayed = richness.iter().map(Option::is_some).collect();
        Self {
            richness,
            displayed,
            spare,
        }
    }
}

fn set(flags: &mut [bool], index: usize, value: bool) {
    if let Some(flag) = flags.get_mut(index) {
        *flag = value;
    }
}

/// Whether and how mail programs show a part within the text.
fn richness(part: &Part, node: &Node<'_>, count: usize) -> Option<Richness> {
    if node.kind != Kind::Leaf {
        return None;
    }
    // A message that is nothing but a file is opened by half of all readers at once.
    if part.disposition == "attachment" && count > 1 {
        return None;
    }
    match part.content_type.as_str() {
        "text/html" | "application/xhtml+xml" | "text/x-amp-html" => {
            (count == 1 || part.disposition == "inline" || !attachment::is_named(node)).then_some(Richness::Html)
        }
        "text/plain" | "text/enriched" | "text/richtext" | "text" | "" => Some(Richness::Plain),
        // A multipart that couldn't be taken apart is shown as it stands.
        other if other.starts_with("multipart/") => Some(Richness::Plain),
        "text/calendar"
        | "text/csv"
        | "text/css"
        | "text/javascript"
        | "text/rfc822-headers"
        | "text/vcard"
        | "text/x-vcard"
        | "text/directory"
        | "text/xml" => None,
        other => (other.starts_with("text/") && !attachment::is_named(node)).then_some(Richness::Plain),
    }
}

impl<'m> Body<'m> {
    /// Renders all that is shown; the links start with those in the subject.
    pub(super) fn render(tree: &Tree<'m>, choice: &Choice, subject: &str, limits: &Limits) -> Self {
        let mut body = Self::default();
        let mut page = Page::new(limits);
        let parts = || {
            tree.parts
                .iter()
                .zip(&tree.nodes)
                .zip(choice.richness.iter().zip(&choice.spare))
        };
        for ((part, node), (richness, spare)) in parts() {
            if let Some(richness) = richness.filter(|_| !spare) {
                body.render_part(part, node, richness, &mut page);
            }
        }
        if choice.spare.contains(&true) {
            let mut said = Wording::of(page.text.since(0));
            for ((part, node), (richness, spare)) in parts() {
                if let Some(richness) = richness.filter(|_| *spare) {
                    body.render_spare(part, node, richness, &mut page, &mut said);
                }
            }
        }
        let in_subject = link::scan(subject).map(|found| Link::bare(found, Origin::Header));
        body.links.extend(in_subject.take(limits.links));
        body.take(page, limits);
        size_images(&mut body.images, tree);
        body
    }

    fn render_part(&mut self, part: &Part, node: &Node<'m>, richness: Richness, page: &mut Page) {
        let (bytes, broken) = node.transfer.decode(node.body);
        match node.transfer {
            Transfer::Base64 => self.defects.add_if(broken, Defect::BROKEN_BASE64),
            Transfer::QuotedPrintable => self.defects.add_if(broken, Defect::BROKEN_QUOTED_PRINTABLE),
            Transfer::Identity => {}
        }
        let declared = match richness {
            Richness::Html if part.charset.is_empty() => charset::declared_in_html(&bytes).unwrap_or_default(),
            _ => part.charset.clone(),
        };
        let (decoded, known) = charset::decode(&declared, bytes);
        self.defects.add_if(!known, Defect::UNKNOWN_CHARSET);
        match richness {
            Richness::Html => {
                html::render(&decoded, page);
                if self.html.is_empty() {
                    self.html = decoded;
                } else {
                    self.html += "\n";
                    self.html += decoded;
                }
            }
            Richness::Plain => text::render(&decoded, is_flowed(node), &mut page.text),
        }
    }

    /// An alternative that nobody was to see is added when it isn't the same text over again.
    fn render_spare(&mut self, part: &Part, node: &Node<'m>, richness: Richness, page: &mut Page, said: &mut Wording) {
        let draft = |text_bytes: usize| {
            let (mut own, mut draft) = (Self::default(), Page::draft(page, text_bytes));
            own.render_part(part, node, richness, &mut draft);
            (own.defects, Wording::of(draft.text.since(0)), draft.text.is_cut())
        };
        let (mut defects, mut wording, is_cut) = draft(DRAFT_BYTES);
        if is_cut && !wording.is_full() {
            (defects, wording, _) = draft(usize::MAX);
        }
        self.defects.extend(&defects);
        if wording.is_news_to(said) {
            self.defects.add(Defect::ALTERNATIVES_DIFFER);
            said.add(wording);
            self.render_part(part, node, richness, page);
        }
    }

    fn take(&mut self, mut page: Page, limits: &Limits) {
        let text_cut = page.text.is_cut() || page.hidden.is_cut();
        let (text, quoted) = std::mem::take(&mut page.text).finish();
        let newest = text::newest(&text, &quoted);
        let (links, links_cut) = page.links(&text, &newest.history);
        self.defects.add_if(text_cut, Defect::TEXT_LIMIT);
        (self.text, self.newest, self.quotes) = (text, newest.text, newest.quotes);
        // Text that was cut may have held links too.
        self.links_cut = links_cut || text_cut || self.links.len() + links.len() > limits.links;
        if self.links.is_empty() {
            self.links = links;
        } else {
            self.links.extend(links);
        }
        self.links.truncate(limits.links);
        self.defects.add_if(self.links_cut && !text_cut, Defect::LINKS_LIMIT);
        self.hidden = page.hidden.finish().0;
        (self.images, self.forms) = (page.images, page.forms);
    }
}

/// Tells the bytes of images that are parts of the message (RFC 2392), or stand in their own URL (RFC 2397).
fn size_images(images: &mut [Image], tree: &Tree<'_>) {
    let is = |image: &Image, scheme: &str| {
        let head = image.source.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    for image in images.iter_mut().filter(|image| is(image, "data:")) {
        image.size = image
            .source
            .split_once(',')
            .map(|(head, data)| match head.ends_with(";base64") {
                true => transfer::base64_length(data.as_bytes()),
                false => transfer::percent(data.as_bytes()).len(),
            });
    }
    if !images.iter().any(|image| is(image, "cid:")) {
        return;
    }
    let named = tree
        .nodes
        .iter()
        .filter_map(|node| Some((bare_id(node.content.id?), node)));
    let parts: HashMap<&[u8], &Node<'_>> = named.collect();
    for image in images.iter_mut().filter(|image| is(image, "cid:")) {
        let id = image.source.get(4..).unwrap_or("").trim();
        let part = parts
            .get(id.as_bytes())
            .or_else(|| parts.get(transfer::percent(id.as_bytes()).as_slice()));
        image.size = part.map(|node| attachment::size(node));
    }
}

/// A Content-ID without white space and angle brackets.
fn bare_id(raw: &[u8]) -> &[u8] {
    let id = raw.trim_ascii();
    let id = id.strip_prefix(b"<").unwrap_or(id);
    id.strip_suffix(b">").unwrap_or(id)
}

/// `format=flowed` (RFC 3676).
fn is_flowed(node: &Node<'_>) -> bool {
    let mut unused = Defects::default();
    node.content.types.iter().any(|raw| {
        memchr::memmem::find(raw, b"lowed").is_some()
            && Parameters::read(raw, &mut unused)
                .get("format")
                .eq_ignore_ascii_case("flowed")
    })
}

/// What of an alternative is rendered to tell whether it says something else; all of it where that has
/// too few words to tell.
const DRAFT_BYTES: usize = 64 << 10;
