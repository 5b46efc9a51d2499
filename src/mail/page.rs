//! What rendering gives: text, hidden text, links, images and forms, each within its limit.
//!
//! Enters: pieces from the renderers of plain text and HTML. Leaves: one page for the whole message,
//! in reading order. Knows nothing of MIME or HTML.

use super::canvas::Canvas;
use super::limits::{Limits, SHOWN_BYTES};
use super::link::{self, Link, Origin};
use super::url::Url;
use std::ops::Range;

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
    /// Bytes of an image that comes with the message.
    pub size: Option<usize>,
}

/// The page under construction.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) text: Canvas,
    pub(super) hidden: Canvas,
    pub(super) images: Vec<Image>,
    pub(super) forms: Vec<Form>,
    anchors: Vec<Link>,
    /// Where each of them stands in the text.
    places: Vec<Range<usize>>,
    limit: usize,
    is_cut: bool,
}

impl Page {
    pub(super) fn new(limits: &Limits) -> Self {
        Self::with_limits(limits.text_bytes, limits.links)
    }

    /// An empty page that may grow as far as `other` may, and no further than to so many bytes of text.
    pub(super) fn draft(other: &Self, text_bytes: usize) -> Self {
        Self::with_limits(other.text.limit().min(text_bytes), other.limit)
    }

    fn with_limits(text_bytes: usize, links: usize) -> Self {
        Self {
            text: Canvas::new(text_bytes),
            hidden: Canvas::new(text_bytes),
            images: Vec::new(),
            forms: Vec::new(),
            anchors: Vec::new(),
            places: Vec::new(),
            limit: links,
            is_cut: false,
        }
    }

    /// Adds a link whose shown text is what was written from `start` on; nothing is shown of a hidden one.
    pub(super) fn add_anchor(&mut self, target: Url, start: usize, hidden: bool) {
        if self.anchors.len() >= self.limit {
            self.is_cut = true;
            return;
        }
        let shown = if hidden { "" } else { self.text.since(start) };
        let shown = shown
            .get(..shown.floor_char_boundary(SHOWN_BYTES))
            .unwrap_or("")
            .to_owned();
        let shown_domain = link::shown_domain(&shown);
        self.places.push(start..self.text.len().max(start));
        self.anchors.push(Link::to(target, shown, shown_domain, Origin::Body));
    }

    pub(super) fn add_image(&mut self, image: Image) {
        if self.images.len() < self.limit {
            self.images.push(image);
        }
    }

    pub(super) fn add_form(&mut self, form: Form) {
        if self.forms.len() < self.limit {
            self.forms.push(form);
        }
    }

    /// The links of the HTML and those that the text itself holds, in reading order, with whether each stands in
    /// the text's history; and whether some were left out.
    pub(super) fn links(&mut self, text: &str, history: &[Range<usize>]) -> (Vec<Link>, bool) {
        let (mut anchors, places) = (std::mem::take(&mut self.anchors), std::mem::take(&mut self.places));
        let mut bare = self.bare_links(text, &places);
        if !history.is_empty() {
            let is_new = |at: usize| {
                let after = history.partition_point(|stretch| stretch.end <= at);
                history.get(after).is_none_or(|stretch| stretch.start > at)
            };
            // Before an anchor's text the line break may stand that parts it from what is new.
            let at = |place: &Range<usize>| place.end.saturating_sub(1).max(place.start);
            let of_anchors = anchors.iter_mut().zip(places.iter().map(at));
            let of_bare = bare.iter_mut().map(|(start, link)| (link, *start));
            of_anchors
                .chain(of_bare)
                .for_each(|(link, at)| link.in_new = is_new(at));
        }
        let is_in_order = places.is_sorted_by_key(|place| place.start);
        let mut links = match bare.is_empty() && is_in_order {
            // Nearly always, and then none needs to be moved.
            true => anchors,
            false => {
                let anchors = places.iter().map(|place| place.start).zip(anchors);
                let mut placed: Vec<_> = anchors.chain(bare).collect();
                placed.sort_by_key(|(start, _)| *start);
                placed.into_iter().map(|(_, link)| link).collect()
            }
        };
        self.is_cut |= links.len() > self.limit;
        links.truncate(self.limit);
        (links, self.is_cut)
    }

    /// Links in the text apart from anchors, and where they stand: what an anchor covers is that anchor's
    /// shown text, not a link of its own. No more than could be among the first that are kept.
    fn bare_links(&self, text: &str, places: &[Range<usize>]) -> Vec<(usize, Link)> {
        let mut places: Vec<&Range<usize>> = places.iter().collect();
        places.sort_by_key(|place| place.start);
        let mut places = places.into_iter().peekable();
        let mut covered = 0;
        let apart = link::scan(text).filter(|found| {
            while let Some(place) = places.next_if(|place| place.start <= found.place.start) {
                covered = covered.max(place.end);
            }
            found.place.start >= covered
        });
        let bare = apart.map(|found| (found.place.start, Link::bare(found, Origin::Body)));
        bare.take(self.limit + 1).collect()
    }
}
