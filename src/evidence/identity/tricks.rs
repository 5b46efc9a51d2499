//! What a display name does to be taken for another: words for each way, facts and not opinions.
//!
//! Enters: a decoded display name. Leaves: which of the ways of [`TRICKS`] it uses. Knows nothing of whose
//! name it is.

use super::fold::{NAME_BYTES, is_invisible, is_mark, prototype};
use unicode_script::{Script, UnicodeScript};

/// Every way, and what it is.
pub const TRICKS: &[(&str, &str)] = &[
    ("direction", "characters that turn the direction of writing"),
    ("invisible", "invisible characters within or beside words"),
    ("mixed-scripts", "letters of several alphabets in one word"),
    ("look-alikes", "letters from elsewhere that stand for ASCII ones"),
    ("stacked-marks", "three or more accents on one letter"),
    ("fake-at", "a character that passes for an @"),
    (
        "padding",
        "eight or more blanks in a row, which push the rest out of sight",
    ),
];

/// Blanks in a row from which on they are padding.
const PADDING: usize = 8;
/// Accents on one letter that no language writes.
const STACK: usize = 3;

/// The ways that a name uses, in the order of the table.
pub(super) fn tricks(name: &str) -> Vec<&'static str> {
    let name = name.get(..name.floor_char_boundary(NAME_BYTES)).unwrap_or("");
    let is_padded = has_run(name, PADDING, char::is_whitespace);
    if name.is_ascii() {
        return if is_padded { vec!["padding"] } else { Vec::new() };
    }
    let words = || name.split(|c: char| !(c.is_alphanumeric() || is_mark(c)));
    let has_ascii_word = words().any(|word| word.bytes().any(|byte| byte.is_ascii_alphabetic()));
    let found = [
        name.contains(is_turning),
        hides(name),
        words().any(is_mixed),
        words().any(|word| poses(word, has_ascii_word)),
        has_run(name, STACK, is_mark),
        name.contains(['\u{ff20}', '\u{fe6b}', '\u{24d0}', '\u{1f150}']),
        is_padded,
    ];
    let named = TRICKS.iter().zip(found).filter(|(_, found)| *found);
    named.map(|((word, _), _)| *word).collect()
}

fn has_run(name: &str, length: usize, is_one: impl Fn(char) -> bool) -> bool {
    let mut run = 0;
    name.chars().any(|c| {
        run = if is_one(c) { run + 1 } else { 0 };
        run >= length
    })
}

/// Embeddings, overrides and isolates. The marks that Hebrew and Arabic use within a line aren't among them.
fn is_turning(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether something invisible stands where no script needs it. Joiners and selectors build emoji and shape
/// letters of many scripts, so that these count between ASCII letters only.
fn hides(name: &str) -> bool {
    let letters: Vec<char> = name.chars().collect();
    let is_plain = |at: Option<usize>| {
        at.and_then(|at| letters.get(at))
            .is_some_and(char::is_ascii_alphanumeric)
    };
    letters.iter().enumerate().any(|(at, c)| match c {
        '\u{200c}'..='\u{200f}' | '\u{61c}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}' => {
            is_plain(at.checked_sub(1)) && is_plain(Some(at + 1))
        }
        c => is_invisible(*c) && !is_turning(*c),
    })
}

/// Latin beside Cyrillic or Greek in one word: no language spells so.
fn is_mixed(word: &str) -> bool {
    let has = |script| word.chars().any(|c| c.script() == script);
    has(Script::Latin) && (has(Script::Cyrillic) || has(Script::Greek))
}

/// Whether a word is written with letters from elsewhere so that it reads as ASCII: styled letters always, those
/// of another alphabet where others of the name's words are ASCII.
fn poses(word: &str, has_ascii_word: bool) -> bool {
    let mut letters = word.chars().filter(|c| !c.is_ascii()).peekable();
    if letters.peek().is_none() {
        return false;
    }
    let reads_plain =
        |c: char| prototype(c).is_some_and(|ascii| ascii.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    // Letters of one's own alphabet may look like ASCII; all of a longer word's seldom do.
    let is_styled = |c: char| matches!(c.script(), Script::Common | Script::Latin);
    word.chars().count() > 1 && letters.all(|c| reads_plain(c) && (is_styled(c) || has_ascii_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_told() {
        for (name, expected) in [
            ("Jane Doe", &[][..]),
            ("\u{c6}var Arnfj\u{f6}r\u{f0}", &[]),
            ("Jos\u{e9} M\u{fc}ller-\u{141}\u{f3}d\u{17a}", &[]),
            (
                "\u{418}\u{432}\u{430}\u{43d} \u{41f}\u{435}\u{442}\u{440}\u{43e}\u{432}",
                &[],
            ),
            ("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} Team \u{2764}\u{fe0f}", &[]),
            ("\u{202e}eoD enaJ", &["direction"]),
            ("Pay\u{200b}Pal", &["invisible"]),
            ("Pay\u{200d}Pal", &["invisible"]),
            ("P\u{430}yPal", &["mixed-scripts", "look-alikes"]),
            (
                "\u{440}\u{430}\u{443}\u{440}\u{430}l",
                &["mixed-scripts", "look-alikes"],
            ),
            ("\u{1d40f}\u{1d41a}\u{1d432} Desk", &["look-alikes"]),
            ("Z\u{300}\u{301}\u{302}algo", &["stacked-marks"]),
            ("boss\u{ff20}council.example", &["fake-at"]),
            ("Jane        <jane@x.example>", &["padding"]),
            ("", &[]),
        ] {
            assert_eq!(tricks(name), expected, "{name:?}");
        }
    }

    #[test]
    fn padding_begins_where_it_says() {
        for (blanks, is_padded) in [(PADDING - 1, false), (PADDING, true), (PADDING + 1, true)] {
            let name = format!("a{}b", " ".repeat(blanks));
            assert_eq!(tricks(&name).contains(&"padding"), is_padded);
        }
    }
}
