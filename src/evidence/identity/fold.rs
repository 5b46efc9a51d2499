//! Names as they read: what hides or turns letters undone, look-alikes folded, words told apart.
//!
//! Enters: a display name or the label of a domain. Leaves: the name as a person sees it, or words in a form
//! in which names that look alike are equal (UTS 39, and what typists use instead). Knows nothing of whose
//! name it is.

use std::borrow::Cow;

/// Bytes of a name that are looked at: no mail program shows so many.
pub(super) const NAME_BYTES: usize = 1_000;

/// Words of a name that are looked at.
pub(super) const WORDS: usize = 32;

/// A name as it reads: direction overrides carried out, what is invisible left out, look-alikes of ASCII
/// letters folded. Accents stay.
pub fn plain_name(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return Cow::Borrowed(name);
    }
    let mut plain = String::with_capacity(name.len());
    for c in readable(name) {
        match prototype(c) {
            Some(ascii) => plain.push_str(&ascii),
            None => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

/// The letters in the order in which they are shown.
fn readable(name: &str) -> Vec<char> {
    let mut shown: Vec<char> = Vec::with_capacity(name.len());
    let mut turned_from = None;
    for c in name.chars() {
        match c {
            // From a right-to-left override up to its end letters stand in the other order.
            '\u{202e}' => turned_from = turned_from.or(Some(shown.len())),
            '\u{202c}' => turn(&mut shown, turned_from.take()),
            _ if is_invisible(c) => {}
            _ => shown.push(c),
        }
    }
    turn(&mut shown, turned_from);
    shown
}

fn turn(shown: &mut [char], from: Option<usize>) {
    if let Some(turned) = from.and_then(|from| shown.get_mut(from..)) {
        turned.reverse();
    }
}

/// Characters that nobody sees.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        || (c.is_control() && !c.is_whitespace())
}

/// The ASCII letters that a character from elsewhere looks like; `None` where it looks like none.
pub(super) fn prototype(c: char) -> Option<String> {
    // Letters of European languages stand for themselves.
    if matches!(c, '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') {
        return None;
    }
    let mut buffer = [0; 4];
    let skeleton: String = unicode_security::skeleton(c.encode_utf8(&mut buffer)).collect();
    let is_ascii = !skeleton.is_empty() && skeleton.bytes().all(|byte| byte.is_ascii_graphic());
    is_ascii.then_some(skeleton)
}

/// A text in the form in which what looks alike is equal: look-alikes and case folded, accents left out,
/// and digits that stand for letters undone. For comparing only: nobody would read it.
pub(super) fn key(text: &str) -> String {
    let mut key = String::with_capacity(text.len() + 8);
    let text = text.get(..text.floor_char_boundary(NAME_BYTES)).unwrap_or("");
    let mut buffer = [0; 4];
    let mut before = ' ';
    for c in if text.is_ascii() {
        text.chars().collect()
    } else {
        readable(text)
    } {
        match c {
            // A capital i among small letters is there to be read as an l.
            'I' if before.is_ascii_lowercase() => {
                key.push('l');
                before = 'l';
                continue;
            }
            _ if c.is_ascii() => push_folded(&mut key, c),
            _ => {
                let parts = unicode_security::skeleton(c.encode_utf8(&mut buffer));
                parts
                    .filter(|part| !is_mark(*part))
                    .for_each(|part| push_folded(&mut key, part));
            }
        }
        before = c;
    }
    key
}

fn push_folded(key: &mut String, c: char) {
    for c in c.to_lowercase() {
        match c {
            '0' => key.push('o'),
            '1' | '|' => key.push('l'),
            '3' => key.push('e'),
            '5' | '$' => key.push('s'),
            // As the standard has it, and so `rn` passes for it.
            'm' => key.push_str("rn"),
            'v' if key.ends_with('v') => {
                key.pop();
                key.push('w');
            }
            // What the standard maps to a capital letter is lower case by now.
            other => key.push(other),
        }
    }
}

/// Accents and the like that stand on the letter before.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// The words of a name, each as its [`key`], in order.
pub(super) fn words(name: &str) -> Vec<String> {
    let name = name.get(..name.floor_char_boundary(NAME_BYTES)).unwrap_or("");
    let whole = key(&without_apostrophes(name));
    let words = whole
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.take(WORDS).map(str::to_owned).collect()
}

/// `O'Brien` is one word however its apostrophe is written, and `Ann's` is `Ann`.
fn without_apostrophes(name: &str) -> Cow<'_, str> {
    let is_apostrophe = |c: char| matches!(c, '\'' | '\u{2019}' | '\u{2bc}' | '`');
    if !name.contains(is_apostrophe) {
        return Cow::Borrowed(name);
    }
    let mut joined = String::with_capacity(name.len());
    let mut rest = name.chars();
    while let Some(c) = rest.next() {
        if !is_apostrophe(c) {
            joined.push(c);
            continue;
        }
        let mut after = rest.as_str().chars();
        let is_genitive = after.next().is_some_and(|next| matches!(next, 's' | 'S'));
        if is_genitive && after.next().is_none_or(|next| !next.is_alphanumeric()) {
            rest.next();
        }
    }
    Cow::Owned(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_they_are_shown() {
        for (name, plain) in [
            ("Jane Doe", "Jane Doe"),
            ("J\u{200b}ane D\u{ad}oe", "Jane Doe"),
            ("\u{202e}eoD enaJ\u{202c} (x)", "Jane Doe (x)"),
            ("x \u{202e}eoD enaJ", "x Jane Doe"),
            ("Jos\u{e9}", "Jos\u{e9}"),
            ("\u{c6}var \u{d8}rsted", "\u{c6}var \u{d8}rsted"),
            ("\u{440}\u{430}\u{443}\u{440}\u{430}l", "paypal"),
            ("\u{1d5dd}ane", "Jane"),
            ("\u{ff21}nn", "Ann"),
            ("\u{414}\u{438}", "\u{414}\u{438}"),
        ] {
            assert_eq!(plain_name(name), plain, "{name:?}");
        }
    }

    #[test]
    fn what_looks_alike_has_one_key() {
        for (one, other) in [
            ("microsoft", "rnicr0soft"),
            ("PayPaI", "paypal"),
            ("Trust WaIIet", "trust wallet"),
            ("NatVVest", "natwest"),
            ("Caf\u{e9}", "CAFE"),
            ("lloyds", "1loyd5"),
            ("\u{440}\u{430}\u{443}\u{440}\u{430}l", "PayPal"),
            ("Ingrid", "INGRID"),
            ("\u{141}\u{f3}d\u{17a}", "\u{141}\u{f3}d\u{17a}"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        assert_ne!(key("leeds"), key("reads"));
    }

    #[test]
    fn words_are_told_apart() {
        assert_eq!(words("O'Brien, Ann (IT)"), ["obrien", "ann", "it"]);
        assert_eq!(words("O\u{2019}Brien"), words("OBrien"));
        assert_eq!(
            words("Ann's office, the Sullivans' and O'S"),
            ["ann", "office", "the", "sullivans", "and", "o"]
        );
        assert!(words(" \u{200b}, ").is_empty());
        for (count, kept) in [(WORDS - 1, WORDS - 1), (WORDS, WORDS), (WORDS + 1, WORDS)] {
            assert_eq!(words(&"a ".repeat(count)).len(), kept);
        }
        assert!(words(&"x".repeat(NAME_BYTES + 1)).first().unwrap().len() <= NAME_BYTES);
    }
}
