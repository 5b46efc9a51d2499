//! What a text of twice the size costs: units that readers of text, HTML, threads, addresses and header fields might be
//! caught by, repeated. Time of CPU is the only count that takes in all that is done, so this is a measurement and no test.

use super::received::mail;
use super::stages;
use portreeve::mail::Mail;
use portreeve::rules::RuleSet;
use std::time::Duration;

/// Bytes of the smaller text.
const BYTES: usize = 40_000;
/// How much more a text of twice the size may cost.
const RATIO_MOST: f64 = 2.2;
/// The least of so many trials counts; a shape that seems to fail is tried again as often as that.
const TRIALS: usize = 5;
const AGAIN: usize = 4;

/// What stands before the repeated unit, by the reader that is aimed at.
const HTML: &str = "Subject: x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n";
const TEXT: &str = "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
const FROM: &str = "Subject: x\r\nFrom: ";
const SUBJECT: &str = "Subject: ";
const FIELDS: &str = "Subject: x\r\n";

/// A head, and what is repeated behind it.
const SHAPES: &[(&str, &str)] = &[
    (HTML, "<div>"),
    (HTML, "<b><i>a</b>"),
    (HTML, "<a href='https://a.example/'>"),
    (HTML, "<a href='https://href.li/?https://a.example'>x</a>"),
    (HTML, "<table><tr><td>a"),
    (HTML, "<p style='color:#fff;background:#fff'>x"),
    (HTML, "<style>.a{color:#fff}</style><p class=a>"),
    (HTML, "<div class='a b c d e f g h'>"),
    (HTML, "<div class=gmail_quote>x</div>y "),
    (HTML, "<blockquote>x</blockquote>y<br>"),
    (HTML, "<img src='cid:a'>"),
    (HTML, "<form action=a><input type=password>"),
    (HTML, "<!--[if mso]><a href=https://a.example><![endif]-->"),
    (HTML, "&lt;a.example/b "),
    (HTML, "<"),
    (HTML, "<!--"),
    (HTML, "<a b=c "),
    (TEXT, "https://a.example/b "),
    (TEXT, "https://"),
    (TEXT, "a.example/"),
    (TEXT, "hxxp://a[.]example "),
    (TEXT, "[.]"),
    (TEXT, "://"),
    (TEXT, "((("),
    (TEXT, "a.)."),
    (TEXT, "> a\r\n"),
    (TEXT, "> a\r\nb\r\n"),
    (TEXT, "On x wrote:\r\n> a\r\n"),
    (TEXT, "On x\r\n"),
    (TEXT, "From: a\r\nSent: b\r\n"),
    (TEXT, "-- \r\n"),
    (TEXT, "\u{200b}\u{202e} "),
    (TEXT, "20-11-43 55779911 "),
    (TEXT, "sort code 20-11-43 "),
    (TEXT, "1"),
    (TEXT, "1-"),
    (TEXT, "+44 "),
    (TEXT, "GB33 "),
    (TEXT, "bc1q"),
    (TEXT, "the and of "),
    (FROM, "a@b.example,"),
    (FROM, "<a@b.example>"),
    (FROM, "<"),
    (FROM, "("),
    (FROM, "\""),
    (FROM, "\"a\" <a@b.example>,"),
    (FROM, "a: b@c.example;"),
    (FROM, "@"),
    (FROM, "=?utf-8?q?a=40b?= "),
    (FROM, "=?"),
    (FROM, "\u{202e}a "),
    (SUBJECT, "Re: "),
    (SUBJECT, "=?utf-8?b?YQ==?= "),
    (SUBJECT, "https://a.example/ "),
    (FIELDS, "A: b\r\n"),
    (FIELDS, "From: a@b.example\r\n"),
    (FIELDS, "From : a@b.example\r\n"),
    (FIELDS, "Received: from a by b; x\r\n"),
    (FIELDS, "References: <a@b>\r\n"),
    (FIELDS, "a\r\nb: c\r\n"),
    (FIELDS, " \r\n"),
];

/// Prints what grows faster than it may, and the worst of all; whether nothing does.
pub fn report(rules: &RuleSet) -> bool {
    let mut ratios: Vec<(f64, &str, &str)> = SHAPES
        .iter()
        .map(|(head, unit)| (ratio(head, unit, rules), *head, *unit))
        .collect();
    ratios.sort_by(|one, other| other.0.total_cmp(&one.0));
    let shown = ratios.iter().enumerate();
    for (place, (ratio, head, unit)) in shown {
        let is_over = *ratio > RATIO_MOST;
        if is_over || place < 3 {
            let aim = head.trim_end().rsplit("\r\n").next().unwrap_or(head);
            let remark = if is_over { "TOO MUCH" } else { "fine" };
            println!("twice of {unit:?} after {aim:?} costs {ratio:.2} times as much, {RATIO_MOST} allowed: {remark}");
        }
    }
    println!(
        "{} texts that might cost more than their size were doubled",
        ratios.len()
    );
    ratios.iter().all(|(ratio, ..)| *ratio <= RATIO_MOST)
}

fn ratio(head: &str, unit: &str, rules: &RuleSet) -> f64 {
    let made = |bytes: usize| mail(format!("{head}{}\r\n", unit.repeat(bytes / unit.len())).into_bytes());
    let (once, twice) = (made(BYTES), made(2 * BYTES));
    let mut best = f64::MAX;
    for _ in 0..AGAIN {
        best = best.min(least(&twice, rules).as_secs_f64() / least(&once, rules).as_secs_f64());
        if best <= RATIO_MOST {
            break;
        }
    }
    best
}

fn least(mail: &Mail, rules: &RuleSet) -> Duration {
    (0..TRIALS)
        .map(|_| stages::of(mail, rules).into_iter().skip(1).sum::<Duration>() + stages::whole(mail, rules))
        .min()
        .unwrap_or_default()
}
