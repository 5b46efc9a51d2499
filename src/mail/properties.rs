//! What holds of every input: the link scanner, HTML's text, the parting of threads, and the views of addresses and
//! header fields, over generated pieces that each of them takes for something.

use super::canvas::Canvas;
use super::limits::{self, Limits};
use super::mailbox::Mailboxes;
use super::page::Page;
use super::unwrap::unwrap;
use super::{Message, Url, encoded_word, html, link, text};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Write;

/// Text of pieces from a list, with a letter or two of anything between.
fn pieces(list: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(list).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z0-9.:/@ ]{1,3}",
    ];
    vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

const LINKS: &[&str] = &[
    "http://",
    "https://",
    "hxxp://",
    "hxxps[:]//",
    "www.",
    "example.org",
    "evil[.]test",
    "a.co.uk",
    "/",
    "/path",
    "?q=",
    "#x",
    "@",
    "user:pw@",
    ":8080",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "\"",
    ".",
    ",",
    "\u{3002}",
    " ",
    "\n",
    "%41",
    "\\",
    "xn--bcher-kva.example",
    "3221225985",
    "0xC0.0.2.1",
    "[2001:db8::1]",
    "javascript:",
    "mailto:",
    "https://www.google.com/url?q=https%3A%2F%2Fa.example",
    "https://href.li/?",
    "https://eur01.safelinks.protection.outlook.com/?url=",
    "[dot]",
    "(.)",
    "b\u{fc}cher.example",
];

const MARKUP: &[&str] = &[
    "<p>",
    "</p>",
    "<div>",
    "</div>",
    "<div hidden>",
    "<span style='display:none'>",
    "</span>",
    "<b class=x>",
    "</b>",
    "<br>",
    "<td>",
    "<table>",
    "</table>",
    "<a href='https://a.example/'>",
    "</a>",
    "<style>.x{display:none}</style>",
    "<script>",
    "</script>",
    "<blockquote>",
    "</blockquote>",
    "<div class=gmail_quote>",
    "<font color=white>",
    "</font>",
    "<!--",
    "-->",
    "&amp;",
    "&nbsp;",
    "&#x200b;",
    "&lt;",
    "<pre>",
    "</pre>",
    "<textarea>",
    "</textarea>",
    "word",
    " ",
    "\r\n",
    "<",
    ">",
    "=",
    "'",
    "\"",
    "<base href=//b.example>",
    "<form action=//f.example>",
    "<input type=password>",
    "<img src=x width=1 height=1>",
    "<li>",
    "<plaintext>",
    "\u{202e}",
    "\u{ad}",
];

const THREADS: &[&str] = &[
    "new words",
    "> old",
    ">> older",
    "On Monday, Ann wrote:",
    "On Mon, 5 Jan 2026 at 10:00,",
    "Ann <a@example.org> wrote:",
    "Am Montag schrieb Ann:",
    "-----Original Message-----",
    "From: Ann",
    "Sent: Monday",
    "To: Bob",
    "Subject: x",
    "Von: Ann",
    "Gesendet: Montag",
    "-- ",
    "",
    " ",
    "\u{2014}\u{2014} Original Message",
    "Begin forwarded message:",
    "Le lundi, Ann a \u{e9}crit :",
    "ysgrifennodd Ann <a@example.org>:",
    "____________",
];

const ADDRESSES: &[&str] = &[
    "Ann",
    "\"",
    "\\",
    "<",
    ">",
    "(",
    ")",
    ",",
    ";",
    ":",
    "@",
    "a@example.org",
    "<b@example.org>",
    " ",
    "\t",
    "\r\n ",
    "=?utf-8?q?a=40b?=",
    "=?utf-8?b?",
    "?=",
    "Team:",
    "<@relay.example:c@example.org>",
    "\"Doe, Jane\"",
    "\u{202e}",
    "\0",
    "\u{ff20}",
    "xn--a",
    "[192.0.2.1]",
];

fn newest(text: &str) -> (String, text::Newest) {
    let mut canvas = Canvas::new(1 << 20);
    text::render(text, false, &mut canvas);
    let (text, quoted) = canvas.finish();
    let newest = text::newest(&text, &quoted);
    (text, newest)
}

fn shown(source: &str) -> String {
    let mut page = Page::new(&Limits::default());
    html::render(source, &mut page);
    page.text.finish().0
}

/// As a canvas leaves text: one line a block, one space between words, nothing that nobody sees.
fn is_even(text: &str) -> bool {
    let is_blank = |line: &str| line.starts_with(' ') || line.ends_with(' ') || line.contains("  ");
    let is_unseen =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200b}' | '\u{202e}' | '\u{ad}' | '\u{feff}');
    !text.starts_with('\n')
        && !text.ends_with('\n')
        && !text.contains("\n\n")
        && !text.split('\n').any(is_blank)
        && !text.contains(is_unseen)
}

fn escaped(text: &str) -> String {
    text.chars().map(|c| format!("&#{};", u32::from(c))).collect()
}

proptest! {
    #[test]
    fn links_stand_in_order_where_they_are_said_to(text in pieces(LINKS, 40)) {
        let mut end = 0;
        for found in link::scan(&text) {
            prop_assert!(found.place.start >= end && found.place.end > found.place.start);
            end = found.place.end;
            let written = text.get(found.place.clone());
            prop_assert!(written.is_some(), "{:?} cuts a letter", found.place);
            prop_assert!(found.url.domain.is_some());
            if !found.is_defanged {
                prop_assert_eq!(written, Some(found.url.url.as_str()));
            }
        }
    }

    /// What stands on one line makes no difference to another.
    #[test]
    fn links_of_two_texts_are_those_of_both(one in pieces(LINKS, 20), other in pieces(LINKS, 20)) {
        let urls = |text: &str| link::scan(text).map(|found| found.url.url).collect::<Vec<_>>();
        let both = urls(&format!("{one}\n{other}"));
        prop_assert_eq!(both, [urls(&one), urls(&other)].concat());
    }

    #[test]
    fn unwrapping_ends_and_leaves_nothing_to_unwrap(text in pieces(LINKS, 20)) {
        let mut via = Vec::new();
        let inner = unwrap(Url::read(&text), &mut via);
        let mut again = Vec::new();
        let same = unwrap(inner.clone(), &mut again);
        prop_assert!(via.len() <= 8);
        prop_assert!(via.len() == 8 || (again.is_empty() && same.url == inner.url));
        prop_assert!(via.is_empty() || inner.domain.is_some());
    }

    #[test]
    fn rendered_text_is_even(source in pieces(MARKUP, 60)) {
        let mut page = Page::new(&Limits::default());
        html::render(&source, &mut page);
        let (text, quoted) = std::mem::take(&mut page.text).finish();
        prop_assert!(is_even(&text), "{:?}", text);
        prop_assert!(quoted.is_sorted_by_key(|stretch| stretch.start));
        prop_assert!(quoted.iter().all(|stretch| text.get(stretch.clone()).is_some()));
        let hidden = std::mem::take(&mut page.hidden).finish().0;
        prop_assert!(is_even(&hidden), "{:?}", hidden);
        prop_assert!(text.len() + hidden.len() <= 4 * source.len());
    }

    /// Text is shown as it is, whatever it looks like; and not at all within what is hidden.
    #[test]
    fn escaped_text_is_shown_as_written(text in pieces(MARKUP, 20)) {
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let mut canvas = Canvas::new(1 << 20);
        canvas.push(&text);
        prop_assert_eq!(shown(&escaped(&text)), canvas.finish().0);
        prop_assert_eq!(shown(&format!("<div hidden>{}</div>", escaped(&text))), "");
    }

    #[test]
    fn the_newest_part_is_what_is_not_history(lines in vec(prop::sample::select(THREADS), 0..14)) {
        let (text, newest) = newest(&lines.join("\n"));
        prop_assert!(newest.history.is_sorted_by(|one, next| one.end <= next.start));
        let mut kept = String::new();
        let mut from = 0;
        for stretch in newest.history.iter().cloned().chain(std::iter::once(text.len()..text.len())) {
            let stretch = stretch.start.min(text.len())..stretch.end.min(text.len());
            kept.push_str(text.get(from..stretch.start).unwrap());
            from = stretch.end;
        }
        match newest.text {
            Some(new) => prop_assert_eq!(new.trim_end_matches('\n'), kept.trim_matches('\n')),
            None => prop_assert!(newest.history.is_empty() && kept == text),
        }
    }

    /// Quoting more below changes nothing of what is new.
    #[test]
    fn more_history_changes_nothing_new(lines in vec(prop::sample::select(THREADS), 1..8), quoted in "[a-z ]{1,20}") {
        let (text, before) = newest(&lines.join("\n"));
        let new = before.text.as_deref().unwrap_or(&text).trim_end_matches('\n').to_owned();
        let (_, after) = newest(&format!("{}\n> {quoted}", lines.join("\n")));
        if !new.trim().is_empty() && !text.starts_with('>') && before.text.is_some() == before.quotes {
            prop_assert_eq!(after.text.as_deref().map(|text| text.trim_end_matches('\n')), Some(new.as_str()));
        }
    }

    #[test]
    fn mailboxes_hold_what_their_address_says(field in pieces(ADDRESSES, 30)) {
        let found = Mailboxes::read(field.as_bytes());
        prop_assert!(found.list.len() <= limits::MAILBOXES);
        for mailbox in found.list {
            prop_assert!(!mailbox.address.contains(char::is_control));
            prop_assert!(!(mailbox.name.is_empty() && mailbox.address.is_empty()));
            if let Some(domain) = mailbox.domain {
                prop_assert!(mailbox.address.starts_with(&mailbox.local) && !domain.as_str().is_empty());
            }
        }
    }

    /// What is written as the standard has it is read back, name and address.
    #[test]
    fn well_formed_mailboxes_are_read_back(
        people in vec(("[A-Za-z][A-Za-z ,.@<>()]{0,20}[A-Za-z]", "[a-z][a-z.]{0,10}[a-z]", "[a-z]{1,10}"), 1..6)
    ) {
        let mut field = String::new();
        for (name, local, host) in &people {
            let _ = write!(field, "{}\"{name}\" <{local}@{host}.example>", if field.is_empty() { "" } else { ",\r\n " });
        }
        let found = Mailboxes::read(field.as_bytes());
        let read: Vec<_> = found.list.into_iter().map(|mailbox| (mailbox.name, mailbox.address)).collect();
        let written: Vec<_> = people.into_iter().map(|(name, local, host)| (name, format!("{local}@{host}.example"))).collect();
        prop_assert_eq!(read, written);
        prop_assert!(!found.is_ambiguous);
    }

    #[test]
    fn encoded_words_are_read_back(text in "\\PC{0,60}", width in 1_usize..20) {
        let text = text.trim();
        let letters: Vec<char> = text.chars().collect();
        let mut field = String::new();
        for some in letters.chunks(width) {
            let word: String = some.iter().collect::<String>().bytes().map(|byte| format!("={byte:02X}")).collect();
            let _ = write!(field, "=?utf-8?q?{word}?=\r\n ");
        }
        prop_assert_eq!(encoded_word::decode(field.as_bytes()), text);
    }

    /// However a header is broken, its fields are views of it, in order, and nothing in them breaks a line.
    #[test]
    fn header_fields_are_views_of_the_header(head in pieces(HEADER, 40)) {
        let raw = format!("{head}\r\n\r\nbody");
        let message = Message::parse(raw.as_bytes(), &Limits::default());
        for field in message.fields() {
            prop_assert!(!field.name.is_empty() && !field.name.contains(['\r', '\n', ':']));
            prop_assert!(!field.decoded.contains(['\r', '\n']));
        }
        let authors = message.authors();
        prop_assert!(message.from().is_none() == authors.is_empty());
        prop_assert_eq!(message.header("from").count(), message.header("FROM").count());
    }
}

const HEADER: &[&str] = &[
    "From: a@example.org\r\n",
    "From : b@example.org\r\n",
    "FROM:c@example.org\r\n",
    "From:\r\n d@example.org\r\n",
    "Subject: x\r\n",
    "Reply-To: e@example.org\r\n",
    "Sender: f@example.org\r\n",
    ": no name\r\n",
    "no colon\r\n",
    "From",
    ":",
    " folded\r\n",
    "\t",
    "\r\n",
    "\n",
    "\r",
    "=?utf-8?q?g=0D=0Ax?=",
    "\0",
    "Content-Type: text/html\r\n",
    "From x@example.org Mon\r\n",
    ">From: h\r\n",
    "Resent-From: i@example.org\r\n",
];
