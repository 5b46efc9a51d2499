//! The attributes of one HTML start tag, as far as the renderer asks for them.
//!
//! Enters: names and values from the tokenizer. Leaves: values by name, and what they say about being
//! seen or quoted. Buffers are used again for every tag. Knows nothing of elements.

use super::charset;
use super::colour::Colour;
use super::sheet::Sheet;
use super::style::Visibility;

/// An attribute that the renderer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Href,
    Src,
    Style,
    Class,
    Id,
    Width,
    Height,
    Type,
    Action,
    HttpEquiv,
    Content,
    FormAction,
    Data,
    XlinkHref,
    Background,
    BgColour,
    Colour,
    OnClick,
}

/// How many there are.
const NAMES: usize = Name::OnClick as usize + 1;

impl Name {
    fn read(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"href" => Self::Href,
            b"src" => Self::Src,
            b"style" => Self::Style,
            b"class" => Self::Class,
            b"id" => Self::Id,
            b"width" => Self::Width,
            b"height" => Self::Height,
            b"type" => Self::Type,
            b"action" => Self::Action,
            b"http-equiv" => Self::HttpEquiv,
            b"content" => Self::Content,
            b"formaction" => Self::FormAction,
            b"data" => Self::Data,
            b"xlink:href" => Self::XlinkHref,
            b"background" => Self::Background,
            b"bgcolor" => Self::BgColour,
            b"color" => Self::Colour,
            b"onclick" => Self::OnClick,
            _ => return None,
        })
    }
}

/// The attributes of one start tag; of equal names the first counts (HTML §13.2.5.33).
#[derive(Default)]
pub(super) struct Attributes {
    values: [String; NAMES],
    /// A bit for each that the tag has.
    seen: u32,
    current: Option<Name>,
    hidden: bool,
}

impl Attributes {
    /// Makes room for the next start tag.
    pub(super) fn clear(&mut self) {
        while self.seen != 0 {
            if let Some(value) = self.values.get_mut(self.seen.trailing_zeros() as usize) {
                value.clear();
            }
            self.seen &= self.seen - 1;
        }
        self.current = None;
        self.hidden = false;
    }

    /// An attribute's name came.
    pub(super) fn name(&mut self, name: &[u8]) {
        self.hidden |= name == b"hidden";
        self.current = Name::read(name).filter(|name| !self.has(*name));
        if let Some(name) = self.current {
            self.seen |= 1 << name as u32;
        }
    }

    /// Its value came.
    pub(super) fn value(&mut self, value: &[u8]) {
        if let Some(known) = self.current.and_then(|name| self.values.get_mut(name as usize)) {
            known.push_str(&charset::utf8_lossy(value));
        }
    }

    fn has(&self, name: Name) -> bool {
        self.seen >> name as u32 & 1 == 1
    }

    /// The value of an attribute; `None` when the tag doesn't have it.
    pub(super) fn get(&self, name: Name) -> Option<&str> {
        let value = self.values.get(name as usize).filter(|_| self.has(name));
        value.map(String::as_str)
    }

    /// What the tag says about being seen, after what style sheets say of it.
    pub(super) fn visibility(&self, sheet: &Sheet, element: &str) -> Visibility {
        let mut visibility = Visibility::default();
        if let Some(ink) = self.get(Name::Colour) {
            visibility.ink = Some(Colour::read(ink));
        }
        if let Some(paper) = self.get(Name::BgColour) {
            visibility.paper = Some(Colour::read(paper));
        }
        if self.get(Name::Background).is_some_and(|image| !image.trim().is_empty()) {
            visibility.paper = Some(Colour::Unknown);
        }
        if !sheet.is_empty() {
            let text = |name| self.get(name).unwrap_or("");
            visibility = sheet.of(element, text(Name::Class), text(Name::Id)).over(visibility);
        }
        if let Some(style) = self.get(Name::Style) {
            visibility = Visibility::read(style).over(visibility);
        }
        visibility.gone |= self.hidden || visibility.undisplayed == Some(true);
        visibility
    }

    /// Containers in which mail programs put the text that they quote.
    pub(super) fn quotes(&self) -> bool {
        let quoting = [
            "gmail_quote",
            "gmail_attr",
            "yahoo_quoted",
            "moz-cite-prefix",
            "moz-forward-container",
            "protonmail_quote",
            "tutanota_quote",
            "zmail_extra",
            "front-blockquote",
            "OutlookMessageHeader",
        ];
        self.get(Name::Class)
            .is_some_and(|class| class.split_ascii_whitespace().any(|word| quoting.contains(&word)))
    }

    /// Markers that Outlook puts before the older message, which then follows beside them. Its web edition puts an
    /// `x_` before what another had written, each time.
    pub(super) fn starts_history(&self) -> bool {
        let Some(id) = self.get(Name::Id) else { return false };
        matches!(
            id.trim_start_matches("x_"),
            "divRplyFwdMsg"
                | "appendonsend"
                | "mail-editor-reference-message-container"
                | "ms-outlook-mobile-reference-message"
                | "zwchr"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: Colour = Colour::Paint(0, 0, 0);

    #[test]
    fn the_first_of_equal_names_counts() {
        let mut attributes = Attributes::default();
        for (name, value) in [("href", "one"), ("href", "two"), ("onclick", "three"), ("hidden", "")] {
            attributes.name(name.as_bytes());
            attributes.value(value.as_bytes());
        }
        let gone = |attributes: &Attributes| attributes.visibility(&Sheet::default(), "a").gone;
        assert_eq!(
            (attributes.get(Name::Href), attributes.get(Name::Src)),
            (Some("one"), None)
        );
        assert!(gone(&attributes));
        attributes.clear();
        assert_eq!((attributes.get(Name::Href), gone(&attributes)), (None, false));
    }

    #[test]
    fn the_style_outranks_the_sheet_and_that_the_rest() {
        let mut sheet = Sheet::default();
        sheet.add(".shown{display:block} .gone{display:none;color:#000}");
        for (pairs, gone, ink) in [
            (&[("class", "gone")][..], true, Some(BLACK)),
            (
                &[("class", "gone"), ("style", "display:block;color:#fff")],
                false,
                Some(Colour::WHITE),
            ),
            (&[("class", "gone"), ("color", "white")], true, Some(BLACK)),
            (&[("color", "white")], false, Some(Colour::WHITE)),
            (&[("class", "shown"), ("hidden", "")], true, None),
        ] {
            let mut attributes = Attributes::default();
            for (name, value) in pairs {
                attributes.name(name.as_bytes());
                attributes.value(value.as_bytes());
            }
            let found = attributes.visibility(&sheet, "p");
            assert_eq!((found.gone, found.ink), (gone, ink), "{pairs:?}");
        }
    }

    #[test]
    fn history_starts_at_outlooks_markers() {
        for (id, expected) in [
            ("divRplyFwdMsg", true),
            ("x_x_divRplyFwdMsg", true),
            ("y_divRplyFwdMsg", false),
        ] {
            let mut attributes = Attributes::default();
            attributes.name(b"id");
            attributes.value(id.as_bytes());
            assert_eq!(attributes.starts_history(), expected, "{id}");
        }
    }

    #[test]
    fn quoting_containers_are_known_by_whole_words() {
        for (name, value, expected) in [
            ("class", "a gmail_quote b", true),
            ("class", "not_gmail_quote", false),
            ("id", "gmail_quote", false),
        ] {
            let mut attributes = Attributes::default();
            attributes.name(name.as_bytes());
            attributes.value(value.as_bytes());
            assert_eq!(attributes.quotes(), expected, "{value}");
        }
    }
}
