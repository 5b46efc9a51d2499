//! The newest part of a thread as mail programs write threads, in text and HTML.

use super::*;

/// A program, its HTML, and the newest part.
const HTML: &[(&str, &str, &str)] = &[
    (
        "Gmail",
        "<div dir=ltr>New words</div><br><div class=\"gmail_quote\"><div class=gmail_attr>On Mon, 5 Jan 2026, Ann wrote:<br></div>\
         <blockquote class=gmail_quote>Old words</blockquote></div>",
        "New words",
    ),
    (
        "Gmail, answered below",
        "<div class=gmail_quote><blockquote class=gmail_quote>Old words</blockquote></div><div>New words</div>",
        "New words",
    ),
    (
        "Outlook",
        "<p class=MsoNormal>New words</p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal><b>From:</b> \
         Ann &lt;ann@example.org&gt;<br><b>Sent:</b> 05 January 2026 10:00<br><b>To:</b> Bob<br><b>Subject:</b> Rates</p></div></div>\
         <p>Old words</p>",
        "New words",
    ),
    (
        "Outlook in German",
        "<p>Neue Worte</p><p><b>Von:</b> Ann<br><b>Gesendet:</b> Montag<br><b>An:</b> Bob<br><b>Betreff:</b> x</p><p>Alt</p>",
        "Neue Worte",
    ),
    (
        "Outlook in Welsh",
        "<p>Geiriau newydd</p><p><b>Oddi wrth:</b> Ann<br><b>Anfonwyd:</b> Dydd Llun<br><b>At:</b> Bob<br><b>Pwnc:</b> x</p><p>Hen</p>",
        "Geiriau newydd",
    ),
    (
        "Outlook on the web",
        "<div>New words</div><div id=appendonsend></div><hr><div id=divRplyFwdMsg><b>From:</b> Ann</div><div>Old words</div>",
        "New words",
    ),
    (
        "Outlook on the web, forwarded again",
        "<div>New words</div><hr><div id=x_divRplyFwdMsg><b>From:</b> Ann</div><div>Old words</div>",
        "New words",
    ),
    (
        "Outlook on a telephone",
        "<div>New words</div><div id=ms-outlook-mobile-reference-message><div>Old words</div></div>",
        "New words",
    ),
    (
        "Apple Mail",
        "<div>New words<br><blockquote type=cite><div>On 5 Jan 2026, at 10:00, Ann wrote:</div>Old words</blockquote></div>",
        "New words",
    ),
    (
        "Thunderbird",
        "<p>New words</p><div class=moz-cite-prefix>On 05/01/2026 10:00, Ann wrote:<br></div><blockquote>Old words</blockquote>",
        "New words",
    ),
    (
        "Thunderbird, forwarded",
        "<p>New words</p><div class=moz-forward-container>-------- Forwarded Message --------<table><tr><td>Old</td></tr></table></div>",
        "New words",
    ),
    (
        "Yahoo",
        "<div>New words</div><div class=yahoo_quoted><div>On Monday, Ann wrote:</div>Old words</div>",
        "New words",
    ),
    (
        "a newsletter",
        "<p>Only <i>words</i></p><hr><p>and more</p>",
        "Only words\nand more",
    ),
];

#[test]
fn the_newest_part_of_each_program_is_told() {
    for (program, html, expected) in HTML {
        let raw = format!("Content-Type: text/html; charset=utf-8\r\n\r\n{html}");
        let message = Message::parse(raw.as_bytes(), &Limits::default());
        assert_eq!(message.new_text().trim(), *expected, "{program}");
        let quotes = *expected != message.text();
        assert_eq!(message.thread().quoted, quotes, "{program}");
    }
}

#[test]
fn links_say_in_which_part_they_stand() {
    let raw = "Content-Type: text/html\r\n\r\n<p><a href='https://new.example/'>new</a> www.newer.example</p>\
               <div class=gmail_quote><a href='https://old.example/'>old</a> www.older.example</div>";
    let message = Message::parse(raw.as_bytes(), &Limits::default());
    let parts: Vec<_> = message
        .links()
        .iter()
        .map(|link| {
            (
                link.target
                    .domain
                    .as_ref()
                    .and_then(|domain| domain.label())
                    .unwrap_or(""),
                link.in_new,
            )
        })
        .collect();
    assert_eq!(
        parts,
        [("new", true), ("newer", true), ("old", false), ("older", false)]
    );
}
