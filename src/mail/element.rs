//! What the renderer needs to know of HTML elements: a small table.
//!
//! Enters: a tag's name in lower case. Leaves: what it does to text. Elements that do nothing share
//! a few slots by their name, so that end tags find their start tags. Knows nothing of attributes.

/// An element as the renderer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Anchor,
    Area,
    Base,
    /// Starts and ends a line.
    Block(u8),
    Blockquote,
    Body,
    Break,
    /// Table cell: parted from its neighbour by a space.
    Cell,
    Form,
    Image,
    Input,
    /// Changes nothing; the number tells names apart well enough.
    Inline(u8),
    Item,
    List,
    Meta,
    Paragraph,
    Preformatted,
    Row,
    /// Content isn't text for people.
    Skipped(u8),
    Table,
    /// Has no content and shows nothing.
    Void,
}

/// Slots that [`Element::slot`] uses.
pub(super) const SLOTS: usize = 256;

impl Element {
    pub(super) fn from_name(name: &[u8]) -> Self {
        match name {
            b"a" => Self::Anchor,
            b"area" => Self::Area,
            b"base" => Self::Base,
            b"blockquote" => Self::Blockquote,
            b"body" => Self::Body,
            b"br" | b"hr" => Self::Break,
            b"td" | b"th" => Self::Cell,
            b"form" => Self::Form,
            b"img" | b"image" => Self::Image,
            b"input" => Self::Input,
            b"li" | b"dt" | b"dd" | b"option" => Self::Item,
            b"ul" | b"ol" | b"dl" | b"menu" | b"dir" | b"select" => Self::List,
            b"meta" => Self::Meta,
            b"p" => Self::Paragraph,
            b"pre" | b"xmp" | b"listing" | b"plaintext" | b"textarea" => Self::Preformatted,
            b"tr" => Self::Row,
            b"table" => Self::Table,
            b"col" | b"embed" | b"link" | b"param" | b"source" | b"track" | b"wbr" | b"bgsound" => Self::Void,
            b"script" | b"style" | b"title" | b"template" | b"iframe" | b"noembed" | b"noframes" | b"object"
            | b"audio" | b"video" | b"canvas" | b"datalist" => Self::Skipped(hash(name)),
            b"div" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"center" | b"address" | b"article" | b"aside"
            | b"caption" | b"details" | b"dialog" | b"fieldset" | b"figcaption" | b"figure" | b"footer" | b"header"
            | b"hgroup" | b"legend" | b"main" | b"nav" | b"search" | b"section" | b"summary" | b"tbody" | b"tfoot"
            | b"thead" => Self::Block(hash(name)),
            _ => Self::Inline(hash(name)),
        }
    }

    pub(super) fn is_void(self) -> bool {
        matches!(
            self,
            Self::Area | Self::Base | Self::Break | Self::Image | Self::Input | Self::Meta | Self::Void
        )
    }

    /// Whether a line starts before it and after it.
    pub(super) fn is_block(self) -> bool {
        matches!(
            self,
            Self::Block(_)
                | Self::Blockquote
                | Self::Body
                | Self::Form
                | Self::Item
                | Self::List
                | Self::Paragraph
                | Self::Preformatted
                | Self::Row
                | Self::Table
        )
    }

    /// Which open elements its start tag closes, and which stop the search for them (HTML §13.2.6.4.7).
    pub(super) fn implied_end(self) -> Option<(&'static [Self], &'static [Self])> {
        match self {
            Self::Item => Some((&[Self::Item], &[Self::List, Self::Table])),
            Self::Cell => Some((&[Self::Cell], &[Self::Table])),
            Self::Row => Some((&[Self::Cell, Self::Row], &[Self::Table])),
            Self::Anchor => Some((&[Self::Anchor], &[Self::Table, Self::Cell])),
            _ if self.is_block() => Some((&[Self::Paragraph], &[Self::Table, Self::Cell, Self::Item])),
            _ => None,
        }
    }

    /// A number below [`SLOTS`], for counting open elements.
    pub(super) fn slot(self) -> u8 {
        match self {
            Self::Inline(number) => number,
            Self::Block(number) => 64 + number,
            Self::Skipped(number) => 128 + number,
            Self::Anchor => 192,
            Self::Area => 193,
            Self::Base => 194,
            Self::Blockquote => 195,
            Self::Body => 196,
            Self::Break => 197,
            Self::Cell => 198,
            Self::Form => 199,
            Self::Image => 200,
            Self::Input => 201,
            Self::Item => 202,
            Self::List => 203,
            Self::Meta => 204,
            Self::Paragraph => 205,
            Self::Preformatted => 206,
            Self::Row => 207,
            Self::Table => 208,
            Self::Void => 209,
        }
    }
}

/// Spreads names over 64 numbers.
fn hash(name: &[u8]) -> u8 {
    let mixed = name
        .iter()
        .fold(0_u32, |sum, byte| sum.wrapping_mul(2513).wrapping_add(u32::from(*byte)));
    (mixed ^ (mixed >> 6)) as u8 & 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_elements_do_not_share_a_slot() {
        let names: &[&[u8]] = &[
            b"span", b"b", b"i", b"font", b"strong", b"em", b"u", b"small", b"html", b"head",
        ];
        let mut slots: Vec<_> = names.iter().map(|name| Element::from_name(name).slot()).collect();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), names.len());
    }
}
