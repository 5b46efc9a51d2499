//! Plain text as a person reads it, and the newest part of a thread.
//!
//! Enters: decoded plain text, or rendered text with its quoted stretches. Leaves: lines on a
//! [`Canvas`], or the text without its history. The newest part is what remains when quoted lines are
//! dropped and everything behind a header of an older message is cut. Knows nothing of MIME.

use super::canvas::{self, Canvas};
use std::ops::Range;

/// Writes plain text; in `flowed` text (RFC 3676) a line that ends in a space goes on.
pub(super) fn render(text: &str, flowed: bool, canvas: &mut Canvas) {
    canvas.line_break();
    canvas.reserve(text.len());
    for line in canvas::lines(text) {
        if canvas.is_cut() {
            break;
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        canvas.set_quoted(line.starts_with('>'));
        canvas.push(line);
        if flowed && line.ends_with(' ') && line != "-- " {
            canvas.space();
        } else {
            canvas.line_break();
        }
    }
    canvas.set_quoted(false);
    canvas.line_break();
}

/// What a thread's newest message says, and whether there is older text at all.
#[derive(Debug, Default)]
pub(super) struct Newest {
    /// The text without history; `None` when nothing was left out, or nothing else is there.
    pub(super) text: Option<String>,
    pub(super) quotes: bool,
    /// What was left out, in order.
    pub(super) history: Vec<Range<usize>>,
}

/// Leaves the history out of rendered text; `quoted` are the stretches that its markup quotes.
pub(super) fn newest(text: &str, quoted: &[Range<usize>]) -> Newest {
    let lines = lines(text, quoted);
    let mut kept: Vec<&str> = Vec::with_capacity(lines.len());
    let mut history = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let following = lines.get(at + 1..).unwrap_or_default();
        if line.quoted {
            history.push(line.place());
        } else if starts_older_message(line.text, following) {
            history.push(line.start..text.len());
            break;
        } else if let Some(length) = attribution(line.text, following) {
            at += length;
            // Without quote marks below, all that follows is the older message.
            let next = lines.get(at);
            let is_whole = next.is_some_and(|next| !next.quoted);
            let end = next.filter(|_| !is_whole).map_or(text.len(), |next| next.start);
            history.push(line.start..end);
            if is_whole {
                break;
            }
            continue;
        } else if !kept.is_empty() || !line.text.is_empty() {
            kept.push(line.text);
        }
        at += 1;
    }
    let quotes = !history.is_empty();
    let has_news = quotes && kept.iter().any(|line| !line.trim().is_empty());
    Newest {
        text: has_news.then(|| kept.join("\n")),
        quotes,
        history: if has_news { history } else { Vec::new() },
    }
}

struct Line<'t> {
    text: &'t str,
    start: usize,
    quoted: bool,
}

impl Line<'_> {
    /// Its bytes, with the line end behind.
    fn place(&self) -> Range<usize> {
        self.start..self.start + self.text.len() + 1
    }
}

fn lines<'t>(text: &'t str, quoted: &[Range<usize>]) -> Vec<Line<'t>> {
    let mut stretches = quoted.iter().peekable();
    let mut start = 0;
    let mut lines = Vec::with_capacity(memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1);
    lines.extend(canvas::lines(text).map(|line| {
        let end = start + line.len();
        while stretches.next_if(|stretch| stretch.end <= start).is_some() {}
        // A stretch may start with the line break before its first line.
        let covers = stretches
            .peek()
            .is_some_and(|stretch| stretch.start <= start + 1 && stretch.end > start);
        let from = std::mem::replace(&mut start, end + 1);
        Line {
            text: line,
            start: from,
            quoted: covers,
        }
    }));
    lines
}

/// Rulers that mail programs put above an older or forwarded message, lower case, without dashes.
const RULERS: &[&str] = &[
    "original message",
    "forwarded message",
    "forwarded by",
    "reply message",
    "original appointment",
    "ursprüngliche nachricht",
    "originalnachricht",
    "weitergeleitete nachricht",
    "mensagem original",
    "mensagem encaminhada",
    "message d'origine",
    "message d’origine",
    "message original",
    "message transféré",
    "mensaje original",
    "mensaje reenviado",
    "oorspronkelijk bericht",
    "doorgestuurd bericht",
    "messaggio originale",
    "messaggio inoltrato",
    "ursprungligt meddelande",
    "wiadomość oryginalna",
    "neges wreiddiol",
    "neges a anfonwyd ymlaen",
    "neges wedi'i hanfon ymlaen",
    "neges wedi’i hanfon ymlaen",
];

/// Lines that say so without dashes around.
const OPENINGS: &[&str] = &[
    "begin forwarded message",
    "anfang der weitergeleiteten nachricht",
    "début du message réexpédié",
    "début du message transféré",
    "inicio del mensaje reenviado",
    "início da mensagem reencaminhada",
    "início da mensagem encaminhada",
    "begin doorgestuurd bericht",
    "inizio messaggio inoltrato",
    "dechrau'r neges a anfonwyd ymlaen",
    "dechrau neges a anfonwyd ymlaen",
];

/// First words of the header that Outlook writes above an older message, and of its later lines.
const FROM_WORDS: &[&str] = &[
    "from:",
    "von:",
    "de:",
    "de :",
    "da:",
    "van:",
    "fra:",
    "från:",
    "od:",
    "oddi wrth:",
    "gan:",
];
const LATER_WORDS: &[&str] = &[
    "sent:",
    "date:",
    "to:",
    "subject:",
    "gesendet:",
    "datum:",
    "an:",
    "betreff:",
    "envoyé:",
    "envoyé :",
    "à :",
    "objet :",
    "enviado:",
    "enviada em:",
    "enviado el:",
    "para:",
    "assunto:",
    "asunto:",
    "inviato:",
    "a:",
    "oggetto:",
    "verzonden:",
    "aan:",
    "onderwerp:",
    "sendt:",
    "til:",
    "skickat:",
    "till:",
    "wysłano:",
    "do:",
    "anfonwyd:",
    "at:",
    "pwnc:",
    "dyddiad:",
    "data:",
    "fecha:",
    "date :",
    "enviado em:",
    "cc:",
    "reply-to:",
];

/// Dashes of every length.
const DASHES: &[char] = &[
    '-', '_', '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2015}',
];

fn starts_older_message(line: &str, following: &[Line<'_>]) -> bool {
    if line.len() > 200 {
        return false;
    }
    let mut letters = line.chars();
    if letters.next().is_some_and(|c| DASHES.contains(&c)) && letters.next().is_some_and(|c| DASHES.contains(&c)) {
        let inner = line.trim_matches(|c| c == ' ' || DASHES.contains(&c));
        return RULERS.iter().any(|ruler| begins(inner, ruler)) || (begins(inner, "on ") && inner.ends_with(" wrote"));
    }
    if OPENINGS.iter().any(|opening| begins(line, opening)) {
        return true;
    }
    let starts = |text: &str, words: &[&str]| words.iter().any(|word| begins(text.trim_start_matches('*'), word));
    if !starts(line, FROM_WORDS) {
        return false;
    }
    let later = following.iter().take(3).filter(|next| starts(next.text, LATER_WORDS));
    later.count() >= 2
}

/// Whether a text begins with a word of lower case, in any case. Makes no copy, since it is asked of every
/// line.
fn begins(text: &str, word: &str) -> bool {
    // Nearly every line ends it with its first letter.
    if let (Some(first), Some(wanted)) = (text.as_bytes().first(), word.as_bytes().first())
        && first.is_ascii()
        && !first.eq_ignore_ascii_case(wanted)
    {
        return false;
    }
    if let Some(start) = text.as_bytes().get(..word.len())
        && start.is_ascii()
    {
        return start.eq_ignore_ascii_case(word.as_bytes());
    }
    let mut letters = text.chars().flat_map(char::to_lowercase);
    word.chars().all(|wanted| letters.next() == Some(wanted))
}

/// How an attribution starts and ends: `On … wrote:`.
const ATTRIBUTIONS: &[(&str, &[&str])] = &[
    ("on ", &["wrote:"]),
    ("am ", &["schrieb:", "geschrieben:"]),
    ("le ", &["a écrit :", "a écrit:"]),
    ("el ", &["escribió:"]),
    ("em ", &["escreveu:"]),
    ("op ", &["schreef:", "het volgende geschreven:"]),
    ("il ", &["ha scritto:"]),
    ("den ", &["skrev:"]),
    ("w dniu ", &["napisał:", "napisała:", "pisze:"]),
    ("ar ", &["ysgrifennodd:"]),
    ("no dia ", &["escreveu:"]),
];

/// The verbs alone, where the name or the date comes first: `Ann Example <ann@example.org> schrieb am 6. Januar:`.
const VERBS: &[&str] = &[
    " wrote",
    " schrieb",
    " a écrit",
    " escribió",
    " escreveu",
    " schreef",
    " ha scritto",
    " skrev",
    " ysgrifennodd",
];

/// How many lines the attribution of a quotation takes, if one stands here. `Am … schrieb Ann:` has
/// its verb inside.
fn attribution(line: &str, following: &[Line<'_>]) -> Option<usize> {
    if line.len() > 200 {
        return None;
    }
    let Some((_, ends)) = ATTRIBUTIONS.iter().find(|(start, _)| begins(line, start)) else {
        return is_verbal(line).then_some(1);
    };
    let mut joined = line.to_lowercase();
    let is_complete =
        |text: &str| text.ends_with(':') && ends.iter().any(|end| text.contains(end.trim_end_matches([':', ' '])));
    for length in 1..=3 {
        if is_complete(&joined) {
            return Some(length);
        }
        let next = following
            .get(length - 1)
            .filter(|next| !next.quoted && next.text.len() <= 200)?;
        joined.push(' ');
        joined.push_str(&next.text.to_lowercase());
    }
    None
}

/// One line with an address, a verb of writing and a colon at its end.
fn is_verbal(line: &str) -> bool {
    let line = line.trim_end();
    line.ends_with(':') && line.contains('@') && {
        let lower = line.to_lowercase();
        VERBS.iter().any(|verb| lower.contains(verb))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, flowed: bool) -> (String, Vec<Range<usize>>) {
        let mut canvas = Canvas::new(1_000);
        render(text, flowed, &mut canvas);
        canvas.finish()
    }

    fn plain(text: &str, flowed: bool) -> String {
        rendered(text, flowed).0
    }

    fn newest_of(text: &str) -> Newest {
        let (text, quoted) = rendered(text, false);
        newest(&text, &quoted)
    }

    #[test]
    fn flowed_lines_are_joined() {
        assert_eq!(plain("one \r\ntwo\r\nthree", false), "one\ntwo\nthree");
        assert_eq!(plain("one \r\ntwo\r\nthree", true), "one two\nthree");
        assert_eq!(plain("one\r\n-- \r\nAnn", true), "one\n--\nAnn");
    }

    #[test]
    fn history_is_left_out() {
        for (text, expected) in [
            ("new\n> old\n> older", "new"),
            ("On Monday, Ann <a@example.org> wrote:\n> old\nbelow", "below"),
            (
                "new\nOn Monday 6 January 2025 at 10:00,\nAnn <a@example.org> wrote:\n> old",
                "new",
            ),
            ("new\nOn Monday, Ann wrote:\nold\nolder", "new"),
            ("neu\nAm 06.01.2025 um 10:00 schrieb Ann Beispiel:\nalt", "neu"),
            ("new\n-----Original Message-----\nFrom: x\nold", "new"),
            ("neu\n-----Urspr\u{fc}ngliche Nachricht-----\nalt", "neu"),
            ("new\nFrom: Ann\nSent: Monday\nTo: Bob\nSubject: x\nold", "new"),
            ("new\nVon: Ann\nGesendet: Montag\nAn: Bob\nalt", "new"),
            (
                "newydd\nOddi wrth: Ann\nAnfonwyd: Dydd Llun\nAt: Bob\nPwnc: x\nhen",
                "newydd",
            ),
            (
                "newydd\nAr ddydd Llun 5 Ionawr 2026, ysgrifennodd Ann <a@example.org>:\nhen",
                "newydd",
            ),
            ("newydd\n-----Neges wreiddiol-----\nhen", "newydd"),
            (
                "novo\nEm seg., 5 de jan. de 2026, Ann <a@example.org> escreveu:\n> velho",
                "novo",
            ),
            (
                "novo\nDe: Ann\nEnviado em: segunda-feira\nPara: Bob\nAssunto: x\nvelho",
                "novo",
            ),
            ("novo\nDe: Ann\nData: segunda-feira\nAssunto: x\nvelho", "novo"),
            (
                "nieuw\nOp ma 5 jan 2026 om 10:00 schreef Ann <a@example.org>:\noud",
                "nieuw",
            ),
            ("nieuw\nVan: Ann\nVerzonden: maandag\nAan: Bob\noud", "nieuw"),
            (
                "neuf\nLe lun. 5 janv. 2026 \u{e0} 10:00, Ann <a@example.org> a \u{e9}crit :\nvieux",
                "neuf",
            ),
            ("neuf\nDe : Ann\nEnvoy\u{e9} : lundi\n\u{c0} : Bob\nvieux", "neuf"),
            (
                "nuevo\nEl lun, 5 ene 2026 a las 10:00, Ann (<a@example.org>) escribi\u{f3}:\nviejo",
                "nuevo",
            ),
            ("nuevo\nDe: Ann\nEnviado el: lunes\nPara: Bob\nviejo", "nuevo"),
            ("new\nBegin forwarded message:\nFrom: x\nold", "new"),
            ("neu\nAnfang der weitergeleiteten Nachricht:\nalt", "neu"),
            (
                "neu\nAnn Example <a@example.org> schrieb am 6. Januar 2026:\n> alt",
                "neu",
            ),
            (
                "new\n---- On Mon, 05 Jan 2026 10:00:00 +0000 Ann <a@example.org> wrote ----\nold",
                "new",
            ),
            (
                "new\n\u{2010}\u{2010}\u{2010}\u{2010} Original Message \u{2010}\u{2010}\u{2010}\u{2010}\nold",
                "new",
            ),
            ("new\n*From:* Ann\n*Sent:* Monday\n*To:* Bob\nold", "new"),
        ] {
            let newest = newest_of(text);
            assert_eq!(
                (newest.text.as_deref(), newest.quotes),
                (Some(expected), true),
                "{text}"
            );
        }
    }

    #[test]
    fn text_without_history_stays_whole() {
        for text in [
            "all new",
            "On Monday we met.\nIt rained.",
            "From: here\nto there",
            "-- \nAnn",
            "She wrote to a@example.org: it rained.",
            "At: noon\nFrom: Leeds\nGan: pawb",
            "> only old",
            "",
        ] {
            assert!(newest_of(text).text.is_none(), "{text}");
        }
        assert!(newest_of("> only old").quotes);
        assert!(!newest(">> in HTML this is an arrow", &[]).quotes);
    }

    #[test]
    fn what_is_left_out_is_told_by_its_place() {
        for (text, expected) in [
            ("new\n> old\nbelow\n> older", &["> old\n", "> older"][..]),
            (
                "On Monday, Ann wrote:\n> old\nbelow",
                &["On Monday, Ann wrote:\n", "> old\n"],
            ),
            (
                "new\n-----Original Message-----\nold\nolder",
                &["-----Original Message-----\nold\nolder"],
            ),
            ("new\nOn Monday, Ann wrote:\nold", &["On Monday, Ann wrote:\nold"]),
            ("> only old", &[]),
        ] {
            let (text, quoted) = rendered(text, false);
            let history = newest(&text, &quoted).history;
            let left_out = history
                .iter()
                .map(|place| text.get(place.start..place.end.min(text.len())).unwrap());
            assert!(left_out.eq(expected.iter().copied()), "{text}: {history:?}");
        }
    }

    #[test]
    fn stretches_quoted_by_markup_are_left_out() {
        let text = "new\nold one\nold two\nbelow";
        let newest = newest(text, std::slice::from_ref(&(3..19)));
        assert_eq!(newest.text.as_deref(), Some("new\nbelow"));
    }
}
