//! What holds of each reader of mail, whatever bytes it is given: links, HTML, threads, addresses, header fields.
//!
//! Enters: any bytes. Leaves: nothing; what doesn't hold is a panic. `tests/readers.rs` feeds it the kept seeds and
//! what can be made of them, the programs in `fuzz/` whatever libFuzzer thinks of. Knows nothing of either.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what doesn't hold must stop whoever feeds this"
)]

use portreeve::mail::alone::{self, Rendered};
use portreeve::mail::{Limits, Mailbox, Message};
use std::borrow::Cow;
use std::ops::Range;

/// What is to hold of a reader, whatever bytes it is given.
pub type Target = fn(&[u8]);

/// A reader's name, as of its folder of seeds, and what is to hold of it.
pub const TARGETS: [(&str, Target); 5] = [
    ("links", links),
    ("html", html),
    ("thread", thread),
    ("addresses", addresses),
    ("header", header),
];

/// Links in text stand where they are said to, are found again alone, and none gets lost on a message's way.
pub fn links(data: &[u8]) {
    let text = alone::rendered_text(&lossy(data)).text;
    let found = alone::links(&text);
    let places: Vec<Range<usize>> = found.iter().map(|link| link.place.clone()).collect();
    in_order(&places, &text);
    for link in &found {
        assert!(link.url.domain.is_some(), "{link:?}");
        if !link.is_defanged {
            let written = text.get(link.place.clone());
            assert_eq!(written, Some(link.url.url.as_str()));
            let again = alone::links(&link.url.url);
            let urls: Vec<&str> = again.iter().map(|link| link.url.url.as_str()).collect();
            assert_eq!(urls, [link.url.url.as_str()], "a link alone is that link");
        }
    }
    let message = format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}");
    let message = Message::parse(message.as_bytes(), &Limits::default());
    assert_eq!(message.text(), text, "rendered text is shown as it is");
    if !message.links_cut() {
        let shown = message.links().iter().map(|link| link.shown.as_str());
        assert!(shown.eq(found.iter().map(|link| link.url.url.as_str())), "{found:?}");
    }
    ask_all(&message);
}

/// What HTML shows is even, and is shown as it is when it comes again; what a link shows stands in the text.
pub fn html(data: &[u8]) {
    let source = lossy(data);
    let rendered = alone::rendered_html(&source);
    holds_of(&rendered);
    assert!(rendered.text.len() + rendered.hidden.len() <= 4 * source.len());
    let escaped: String = rendered.text.chars().map(escaped).collect();
    assert_eq!(alone::rendered_html(&escaped).text, rendered.text);
    let hidden = format!("<div hidden>{escaped}</div>");
    let hidden = alone::rendered_html(&hidden);
    assert_eq!((hidden.text.as_str(), hidden.hidden == rendered.text), ("", true));

    let message = format!("Content-Type: text/html; charset=utf-8\r\n\r\n{source}");
    let message = Message::parse(message.as_bytes(), &Limits::default());
    for link in message.links().iter().filter(|link| !link.is_defanged) {
        assert!(message.text().contains(&link.shown), "{link:?}");
        assert!(link.via.len() <= 8, "{link:?}");
    }
    ask_all(&message);
}

/// The newest part of a thread is the text without its history, in whole lines and in their order.
pub fn thread(data: &[u8]) {
    let source = lossy(data);
    for (kind, rendered) in [
        ("plain", alone::rendered_text(&source)),
        ("html", alone::rendered_html(&source)),
    ] {
        holds_of(&rendered);
        let history = alone::history(&rendered);
        // The last stretch may take in the line end that would follow.
        let within = |place: &Range<usize>| place.start..place.end.min(rendered.text.len());
        in_order(&history.iter().map(within).collect::<Vec<_>>(), &rendered.text);
        let message = format!("Content-Type: text/{kind}; charset=utf-8\r\n\r\n{source}");
        let message = Message::parse(message.as_bytes(), &Limits::default());
        assert_eq!(message.text(), rendered.text);
        let mut lines = message.text().split('\n');
        for line in message.new_text().split('\n') {
            assert!(lines.any(|other| other == line), "{line:?} is no line, or not there");
        }
        assert_eq!(message.new_text().len() < message.text().len(), !history.is_empty());
        assert!(message.thread().quoted || history.is_empty());
    }
}

/// Mailboxes hold what their addresses say, and a plain one that is written out is read back.
pub fn addresses(data: &[u8]) {
    for mailbox in alone::mailboxes(data) {
        assert!(!mailbox.address.contains(char::is_control), "{mailbox:?}");
        assert!(!(mailbox.name.is_empty() && mailbox.address.is_empty()));
        if mailbox.domain.is_some() {
            let domain = mailbox.address.strip_prefix(&mailbox.local);
            assert!(domain.is_some_and(|domain| domain.starts_with('@')), "{mailbox:?}");
        }
        if is_plain(&mailbox) {
            let name = mailbox.name.replace('\\', "\\\\").replace('"', "\\\"");
            let written = format!("\"{name}\" <{}>", mailbox.address);
            assert_eq!(alone::mailboxes(written.as_bytes()), [mailbox], "{written:?}");
        }
    }
    let raw = [b"From: ", data, b"\r\nTo: ", data, b"\r\n\r\n"].concat();
    let message = Message::parse(&raw, &Limits::default());
    assert_eq!(message.from().is_none(), message.authors().is_empty());
    ask_all(&message);
}

/// Fields are views of the header, break no line, and are the same when they are written anew.
pub fn header(data: &[u8]) {
    let limits = Limits::default();
    let message = Message::parse(data, &limits);
    let mut anew = String::new();
    for field in message.fields() {
        assert!(
            !field.name.is_empty() && !field.name.contains(['\r', '\n', ':']),
            "{field:?}"
        );
        assert!(!field.decoded.contains(['\r', '\n']), "{field:?}");
        anew.push_str(&format!("{}: {}\r\n", field.name, field.raw));
    }
    anew.push_str("\r\n");
    // What isn't UTF-8 is read in several ways, and only the raw bytes would tell.
    let is_cut = data.len() > limits.header_bytes || message.fields().len() == limits.header_fields;
    if std::str::from_utf8(data).is_ok() && !is_cut {
        let again = Message::parse(anew.as_bytes(), &limits);
        let view = |message: &Message<'_>| -> Vec<(String, String)> {
            let fields = message.fields().iter();
            fields
                .map(|field| (field.name.clone().into_owned(), field.decoded.clone().into_owned()))
                .collect()
        };
        assert_eq!(view(&again), view(&message));
        assert_eq!(again.authors(), message.authors());
    }
    ask_all(&message);
}

fn lossy(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// As a person would have to write it so that it means nothing but itself.
fn escaped(c: char) -> String {
    match c {
        '\n' => "<br>".to_owned(),
        other => format!("&#{};", u32::from(other)),
    }
}

fn holds_of(rendered: &Rendered) {
    for text in [&rendered.text, &rendered.hidden] {
        assert!(is_even(text), "{text:?}");
    }
    in_order(&rendered.quoted, &rendered.text);
    let again = alone::rendered_text(&rendered.text);
    assert_eq!(again.text, rendered.text, "rendering twice is rendering once");
}

/// One line a block, one space between words, nothing that nobody sees.
fn is_even(text: &str) -> bool {
    let is_blank = |line: &str| line.starts_with(' ') || line.ends_with(' ') || line.contains("  ");
    let is_unseen = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200b}' | '\u{202e}' | '\u{ad}');
    text.is_empty() || !(text.split('\n').any(|line| line.is_empty() || is_blank(line)) || text.contains(is_unseen))
}

/// Stretches of a text follow each other, and none cuts a letter.
fn in_order(places: &[Range<usize>], text: &str) {
    assert!(places.is_sorted_by(|one, next| one.end <= next.start), "{places:?}");
    for place in places {
        assert!(text.get(place.clone()).is_some(), "{place:?} cuts a letter");
    }
}

/// Whether a mailbox can be written with no more than quotes around its name.
fn is_plain(mailbox: &Mailbox) -> bool {
    let is_special = |c: char| c.is_whitespace() || "\"<>\\(),:;".contains(c);
    let is_read_otherwise = mailbox.name.contains("=?") || mailbox.name.contains(char::is_control);
    mailbox.domain.is_some() && !mailbox.address.contains(is_special) && !is_read_otherwise
}

/// Nothing that can be asked of a message panics.
fn ask_all(message: &Message<'_>) {
    let limits = Limits::default();
    assert!(message.fields().len() <= limits.header_fields && message.links().len() <= limits.links);
    assert!(message.new_text().len() <= message.text().len() && message.text().len() <= limits.text_bytes);
    let lists = [message.to(), message.cc(), message.reply_to(), message.authors()];
    let told = [message.phones(), message.bank_details(), message.crypto_addresses()];
    assert!(told.iter().all(|list| list.len() <= 100));
    let _ = (
        lists,
        message.sender(),
        message.languages(),
        message.received(),
        message.thread(),
    );
    let _ = (
        message.date(),
        message.subject_base(),
        message.message_id(),
        message.list_id(),
    );
    let _ = (message.is_auto(), message.is_bulk(), message.images(), message.forms());
    assert!(message.defects().is_sorted() && message.attachments().iter().all(|file| file.sha256().len() == 64));
}
