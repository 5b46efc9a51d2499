//! HTML as a person reads it, over a tokenizer that follows the standard.
//!
//! Enters: decoded HTML. Leaves, on a [`Page`]: one line a block, hidden text kept apart, links,
//! images and forms. Builds no tree and never recurses: a stack of open elements says what is hidden,
//! quoted or skipped, by attributes and by what style sheets say of an element alone. Knows nothing of layout.

use super::attribute::{Attributes, Name};
use super::charset;
use super::colour::Colour;
use super::element::{Element, SLOTS};
use super::link;
use super::page::{Form, Image, Page};
use super::pausing_reader::PausingReader;
use super::quiet_emitter::QuietEmitter;
use super::sheet::{SHEET_BYTES, Sheet};
use super::style;
use super::url::Url;
use html5gum::emitters::callback::{Callback, CallbackEvent};
use html5gum::{Span, State, Tokenizer};

/// Renders `source` onto `page`.
pub(super) fn render(source: &str, page: &mut Page) {
    page.text.line_break();
    // Markup is about as much as text.
    page.text.reserve(source.len() / 2);
    let mut tokenizer = Tokenizer::new_with_emitter(PausingReader::new(source), QuietEmitter::new(Renderer::new(page)));
    while let Some(next) = tokenizer.next() {
        if let Ok(state) = next {
            tokenizer.set_state(state);
        }
    }
    drop(tokenizer);
    page.text.set_quoted(false);
    page.text.line_break();
}

/// Open elements that are kept track of. Deeper ones inherit what their ancestors say.
const OPEN_ELEMENTS: usize = 10_000;

/// Links that are read out of what one click runs.
const CLICK_TARGETS: usize = 10;

/// As browsers show links.
const LINK_COLOUR: Colour = Colour::Paint(0, 0, 238);

/// How far up the stack a start tag looks for an element that it closes by implication.
const IMPLIED_SEARCH: usize = 64;

/// What an element says about the text in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mood {
    gone: bool,
    sizeless: bool,
    invisible: bool,
    /// Whether its colour is that of what lies behind it.
    lost: bool,
    skipped: bool,
    quoted: bool,
    preformatted: bool,
    /// What text is painted with, where somebody said so, and on what.
    ink: Option<Colour>,
    paper: Colour,
}

impl Mood {
    const FRESH: Self = Self {
        gone: false,
        sizeless: false,
        invisible: false,
        lost: false,
        skipped: false,
        quoted: false,
        preformatted: false,
        ink: None,
        paper: Colour::WHITE,
    };

    fn hidden(self) -> bool {
        self.gone || self.sizeless || self.invisible || self.lost
    }
}

struct Open {
    element: Element,
    /// The mood around it, to go back to.
    outer: Mood,
}

struct Renderer<'p> {
    page: &'p mut Page,
    element: Element,
    attributes: Attributes,
    /// How the tokenizer must read the content of the element that is starting.
    raw_text: Option<State>,
    open: Vec<Open>,
    counts: Box<[u32; SLOTS]>,
    mood: Mood,
    /// All that follows is an older message.
    history: bool,
    /// The anchor that is open, and where its text starts.
    anchor: Option<(Url, usize, bool)>,
    base: Option<Url>,
    sheet: Sheet,
    /// The text of the `<style>` element that is open.
    css: Option<String>,
    /// The beginning of the name of the element that is starting, for style sheets.
    name: [u8; ELEMENT_NAME],
    name_length: usize,
    /// Which of its attributes leads somewhere, where it is none of the usual.
    leads_by: Option<Name>,
    /// Whether what is in it is a style sheet.
    is_style: bool,
}

/// Longer names of elements are cut.
const ELEMENT_NAME: usize = 16;

impl Callback<State, ()> for Renderer<'_> {
    fn handle_event(&mut self, event: CallbackEvent<'_>, _: Span<()>) -> Option<State> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.element = Element::from_name(name);
                self.attributes.clear();
                self.raw_text = raw_text(name);
                self.leads_by = leads_by(name);
                self.is_style = name == b"style";
                if !self.sheet.is_empty() {
                    self.keep_name(name);
                }
            }
            CallbackEvent::AttributeName { name } => self.attributes.name(name),
            CallbackEvent::AttributeValue { value } => self.attributes.value(value),
            CallbackEvent::CloseStartTag { .. } => {
                self.start(self.element);
                if self.is_style {
                    self.css = Some(String::new());
                }
                return self.raw_text.take();
            }
            CallbackEvent::EndTag { name } => {
                if self.css.is_some() {
                    self.sheet.add(&self.css.take().unwrap_or_default());
                }
                self.end(Element::from_name(name));
            }
            CallbackEvent::String { value } => self.text(&charset::utf8_lossy(value)),
            CallbackEvent::Comment { value } if is_conditional(value) => self.conditional(&charset::utf8_lossy(value)),
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
        None
    }
}

/// Elements whose content the tokenizer must not take for tags (HTML §13.2.6.4.4 and on). Mail
/// programs run no scripts, so `noscript` isn't among them.
fn raw_text(name: &[u8]) -> Option<State> {
    match name {
        b"title" | b"textarea" => Some(State::RcData),
        b"style" | b"xmp" | b"iframe" | b"noembed" | b"noframes" => Some(State::RawText),
        b"script" => Some(State::ScriptData),
        b"plaintext" => Some(State::PlainText),
        _ => None,
    }
}

/// `<!--[if mso]>…<![endif]-->`: a comment to all but Outlook, which shows what is in it.
fn is_conditional(comment: &[u8]) -> bool {
    comment.trim_ascii_start().starts_with(b"[if")
}

/// The attribute by which an element leads somewhere, of those that aren't there for it alone. Mail of Office draws its
/// buttons with elements such as `v:roundrect`.
fn leads_by(name: &[u8]) -> Option<Name> {
    match name {
        b"iframe" | b"frame" | b"embed" => Some(Name::Src),
        b"object" => Some(Name::Data),
        b"button" | b"input" => Some(Name::FormAction),
        b"image" | b"use" => Some(Name::XlinkHref),
        _ => name.contains(&b':').then_some(Name::Href),
    }
}

impl<'p> Renderer<'p> {
    fn new(page: &'p mut Page) -> Self {
        Self {
            page,
            element: Element::Void,
            attributes: Attributes::default(),
            raw_text: None,
            open: Vec::with_capacity(64),
            counts: Box::new([0; SLOTS]),
            mood: Mood::FRESH,
            history: false,
            anchor: None,
            base: None,
            sheet: Sheet::default(),
            css: None,
            name: [0; ELEMENT_NAME],
            name_length: 0,
            leads_by: None,
            is_style: false,
        }
    }

    fn keep_name(&mut self, name: &[u8]) {
        self.name_length = name.len().min(ELEMENT_NAME);
        if let (Some(kept), Some(name)) = (self.name.get_mut(..self.name_length), name.get(..self.name_length)) {
            kept.copy_from_slice(name);
        }
    }

    /// The name of the element that is starting.
    fn name(&self) -> &str {
        let name = self.name.get(..self.name_length).unwrap_or_default();
        std::str::from_utf8(name).unwrap_or("")
    }

    fn text(&mut self, text: &str) {
        if self.mood.skipped {
            if let Some(css) = self.css.as_mut().filter(|css| css.len() < SHEET_BYTES) {
                css.push_str(text);
            }
            return;
        }
        let canvas = if self.mood.hidden() {
            &mut self.page.hidden
        } else {
            &mut self.page.text
        };
        if self.mood.preformatted {
            canvas.push_lines(text);
        } else {
            canvas.push(text);
        }
    }

    fn line_break(&mut self) {
        if self.mood.hidden() {
            self.page.hidden.line_break();
        } else {
            self.page.text.line_break();
        }
    }

    fn start(&mut self, element: Element) {
        if let Some((targets, stops)) = element.implied_end() {
            self.end_implied(targets, stops);
        }
        if element.is_block() {
            self.line_break();
        }
        match element {
            Element::Break => self.line_break(),
            Element::Cell => self.page.text.space(),
            Element::Image => self.image(),
            Element::Meta => self.meta(),
            Element::Form => self.form(),
            Element::Input => self.input(),
            Element::Area => self.link(Name::Href, true),
            Element::Base if self.base.is_none() => self.base = self.attributes.get(Name::Href).map(Url::read),
            _ => {}
        }
        if let Some(attribute) = self.leads_by {
            self.link(attribute, true);
        }
        self.click();
        if !element.is_void() {
            self.push(element);
        }
        if element == Element::Anchor
            && let Some(target) = self.target(Name::Href).or_else(|| self.target(Name::XlinkHref))
        {
            self.anchor = Some((target, self.page.text.len(), self.mood.hidden() || self.mood.skipped));
        }
    }

    fn push(&mut self, element: Element) {
        if self.open.len() >= OPEN_ELEMENTS {
            return;
        }
        self.open.push(Open {
            element,
            outer: self.mood,
        });
        if let Some(count) = self.counts.get_mut(usize::from(element.slot())) {
            *count += 1;
        }
        self.history |= self.attributes.starts_history();
        let seen = self.attributes.visibility(&self.sheet, self.name());
        // Links have a colour of their own unless somebody says otherwise.
        let of_links = (element == Element::Anchor).then_some(LINK_COLOUR);
        let ink = seen
            .ink
            .filter(|ink| *ink != Colour::Unknown)
            .or(of_links)
            .or(self.mood.ink);
        let paper = seen
            .paper
            .filter(|paper| *paper != Colour::Clear)
            .unwrap_or(self.mood.paper);
        let lost = if seen.paints() || of_links.is_some() {
            !self.sheet.is_doubtful && ink.is_some_and(|ink| ink.is_lost_on(paper))
        } else {
            self.mood.lost
        };
        let mood = Mood {
            gone: self.mood.gone || seen.gone,
            sizeless: seen.sizeless.unwrap_or(self.mood.sizeless),
            invisible: seen.invisible.unwrap_or(self.mood.invisible),
            lost,
            ink,
            paper,
            skipped: self.mood.skipped || matches!(element, Element::Skipped(_)),
            quoted: self.mood.quoted || element == Element::Blockquote || self.attributes.quotes(),
            preformatted: self.mood.preformatted || element == Element::Preformatted,
        };
        self.set_mood(mood);
    }

    fn set_mood(&mut self, mood: Mood) {
        self.mood = mood;
        self.page.text.set_quoted(mood.quoted || self.history);
    }

    fn end(&mut self, element: Element) {
        let is_open = self
            .counts
            .get(usize::from(element.slot()))
            .is_some_and(|count| *count > 0);
        if is_open {
            while let Some(ended) = self.pop() {
                if ended.slot() == element.slot() {
                    break;
                }
            }
        }
        if element.is_block() || element == Element::Break {
            self.line_break();
        } else if element == Element::Cell {
            self.page.text.space();
        }
    }

    fn pop(&mut self) -> Option<Element> {
        let Open { element, outer } = self.open.pop()?;
        if let Some(count) = self.counts.get_mut(usize::from(element.slot())) {
            *count = count.saturating_sub(1);
        }
        if element == Element::Anchor {
            self.end_anchor();
        }
        self.set_mood(outer);
        Some(element)
    }

    /// Closes the elements that a start tag ends by implication.
    fn end_implied(&mut self, targets: &[Element], stops: &[Element]) {
        let count = |target: &Element| {
            self.counts
                .get(usize::from(target.slot()))
                .is_some_and(|count| *count > 0)
        };
        if !targets.iter().any(count) {
            return;
        }
        let searched = self.open.iter().rev().take(IMPLIED_SEARCH);
        let within = searched.take_while(|open| !stops.contains(&open.element));
        let matching = within.enumerate().filter(|(_, open)| targets.contains(&open.element));
        let depth = matching.map(|(depth, _)| depth + 1).last().unwrap_or(0);
        for _ in 0..depth {
            self.pop();
        }
    }

    fn end_anchor(&mut self) {
        if let Some((target, start, hidden)) = self.anchor.take() {
            self.page.add_anchor(target, start, hidden);
        }
    }

    fn target(&self, attribute: Name) -> Option<Url> {
        let written = self.attributes.get(attribute)?.trim();
        if written.is_empty() || written.starts_with('#') {
            return None;
        }
        Some(Url::read(written).resolve(self.base.as_ref()))
    }

    /// Links in a comment that Outlook reads as HTML. Mostly they are the page's own once more, so that their text isn't
    /// taken up.
    fn conditional(&mut self, comment: &str) {
        const HREF: &str = "href=";
        let mut rest = comment;
        while let Some(at) = rest.find(HREF) {
            rest = rest.get(at + HREF.len()..).unwrap_or("").trim_start();
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            let inner = rest.get(usize::from(quote.is_some())..).unwrap_or("");
            let ends = |c: char| quote.map_or(c.is_whitespace() || c == '>', |quote| c == quote);
            let written = inner.get(..inner.find(ends).unwrap_or(inner.len())).unwrap_or("");
            rest = inner.get(written.len()..).unwrap_or("");
            let target = Url::read(&written.replace("&amp;", "&")).resolve(self.base.as_ref());
            if target.domain.is_some() {
                let here = self.page.text.len();
                self.page.add_anchor(target, here, true);
            }
        }
    }

    /// What a click runs may lead somewhere too.
    fn click(&mut self) {
        let Some(script) = self.attributes.get(Name::OnClick) else {
            return;
        };
        let targets: Vec<Url> = link::scan(script).map(|found| found.url).take(CLICK_TARGETS).collect();
        let here = self.page.text.len();
        targets
            .into_iter()
            .for_each(|target| self.page.add_anchor(target, here, true));
    }

    /// A link that has no text of its own.
    fn link(&mut self, attribute: Name, hidden: bool) {
        if let Some(target) = self.target(attribute) {
            let here = self.page.text.len();
            self.page.add_anchor(target, here, hidden);
        }
    }

    fn image(&mut self) {
        let source = self.attributes.get(Name::Src).unwrap_or("").trim().to_owned();
        if source.is_empty() {
            return;
        }
        let url = Url::read(&source).resolve(self.base.as_ref());
        let small = |side: Name, property: &str| {
            let stated = self
                .attributes
                .get(side)
                .and_then(|value| value.trim().trim_end_matches("px").parse().ok());
            stated
                .or_else(|| style::pixels(self.attributes.get(Name::Style).unwrap_or(""), property))
                .is_some_and(|size| size <= 2.0)
        };
        let is_tracking_size = small(Name::Width, "width") && small(Name::Height, "height");
        let is_remote = url.domain.is_some() && !matches!(&*url.scheme, "cid" | "data");
        self.page.add_image(Image {
            source,
            is_remote,
            is_tracking_size,
            size: None,
        });
    }

    /// `<meta http-equiv=refresh content="0; url=…">` leads elsewhere without a click.
    fn meta(&mut self) {
        let refresh = self
            .attributes
            .get(Name::HttpEquiv)
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("refresh"));
        let content = self.attributes.get(Name::Content).unwrap_or("");
        if refresh && let Some((_, written)) = content.split_once([';', ',']) {
            let written = written.trim();
            let written = match written.get(..3) {
                Some(word) if word.eq_ignore_ascii_case("url") => {
                    written.get(3..).unwrap_or("").trim_start().trim_start_matches('=')
                }
                _ => written,
            };
            let target = Url::read(written.trim().trim_matches(['"', '\''])).resolve(self.base.as_ref());
            let here = self.page.text.len();
            self.page.add_anchor(target, here, true);
        }
    }

    fn form(&mut self) {
        let action = self.target(Name::Action).unwrap_or_default();
        self.page.add_form(Form {
            action,
            has_password: false,
        });
        self.link(Name::Action, true);
    }

    fn input(&mut self) {
        let asks = self
            .attributes
            .get(Name::Type)
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("password"));
        if asks {
            if self.page.forms.is_empty() {
                self.page.add_form(Form::default());
            }
            if let Some(form) = self.page.forms.last_mut() {
                form.has_password = true;
            }
        }
    }
}

impl Drop for Renderer<'_> {
    /// An anchor that nothing closed still leads somewhere.
    fn drop(&mut self) {
        self.end_anchor();
    }
}

#[cfg(test)]
mod tests;
