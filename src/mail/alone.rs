//! Each reader of a message's pieces by itself, for who measures or fuzzes one of them and wants no message around it.
//!
//! Enters: HTML, text, a field's body. Leaves: what the reader makes of it, and where. The gate reads through
//! [`Message`](super::Message), which asks these same readers; nothing else may come to use this file.

use super::canvas::Canvas;
use super::limits::Limits;
use super::mailbox::{Mailbox, Mailboxes};
use super::page::Page;
use super::url::Url;
use super::{html, link, text};
use std::ops::Range;

/// What is rendered of a page or a text.
#[derive(Debug)]
pub struct Rendered {
    /// What a person reads.
    pub text: String,
    /// What is hidden from them.
    pub hidden: String,
    /// Stretches of the text that markup or quote marks quote.
    pub quoted: Vec<Range<usize>>,
}

/// A link in text.
#[derive(Debug)]
pub struct Placed {
    /// Its bytes.
    pub place: Range<usize>,
    /// Where it leads, before anything is unwrapped.
    pub url: Url,
    /// Whether it can't be followed as it is written.
    pub is_defanged: bool,
}

/// HTML as a person reads it.
pub fn rendered_html(source: &str) -> Rendered {
    let mut page = Page::new(&Limits::default());
    html::render(source, &mut page);
    let (text, quoted) = page.text.finish();
    Rendered {
        text,
        quoted,
        hidden: page.hidden.finish().0,
    }
}

/// Plain text as a person reads it.
pub fn rendered_text(source: &str) -> Rendered {
    let mut canvas = Canvas::new(Limits::default().text_bytes);
    text::render(source, false, &mut canvas);
    let (text, quoted) = canvas.finish();
    Rendered {
        text,
        quoted,
        hidden: String::new(),
    }
}

/// Every link in a rendered text.
pub fn links(text: &str) -> Vec<Placed> {
    let found = link::scan(text).map(|found| Placed {
        place: found.place,
        url: found.url,
        is_defanged: found.is_defanged,
    });
    found.collect()
}

/// The stretches of a rendered text that are its history; none where nothing else would be left.
pub fn history(rendered: &Rendered) -> Vec<Range<usize>> {
    text::newest(&rendered.text, &rendered.quoted).history
}

/// The mailboxes of a field's body.
pub fn mailboxes(body: &[u8]) -> Vec<Mailbox> {
    Mailboxes::read(body).list
}
