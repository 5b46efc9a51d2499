//! Telephone numbers in a text, in one form: `+442079460123`.
//!
//! Enters: rendered text. Leaves: numbers of the United Kingdom as they are written there, of North America with their
//! usual separators, and of anywhere behind a `+` or `00`. Digits in other type, and letters that pass for digits,
//! are read as a person would. Linear in the text. Knows nothing of whose number it is.

/// Numbers that are kept.
pub(super) const NUMBERS: usize = 100;

/// Digits of an international number (E.164 §6), and the least that are told from other numbers.
const DIGITS_MAX: usize = 15;
const DIGITS_MIN: usize = 8;

/// Every number, each once, in order.
pub(super) fn numbers(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(start) = rest.find(begins) {
        before = rest
            .get(..start)
            .and_then(|passed| passed.chars().next_back())
            .unwrap_or(before);
        rest = rest.get(start..).unwrap_or("");
        let written = Written::read(rest);
        if !continues(before)
            && let Some(number) = written.best()
            && found.len() < NUMBERS
            && !found.contains(&number)
        {
            found.push(number);
        }
        let passed = written.length.max(rest.chars().next().map_or(1, char::len_utf8));
        before = rest
            .get(..passed)
            .and_then(|passed| passed.chars().next_back())
            .unwrap_or(' ');
        rest = rest.get(passed..).unwrap_or("");
    }
    found
}

fn begins(c: char) -> bool {
    c == '+' || c == '(' || digit(c).is_some()
}

/// What before a number makes it part of something else, such as a URL or a sum of money.
fn continues(before: char) -> bool {
    before.is_alphanumeric() || matches!(before, '/' | '=' | '#' | '_' | '.' | ',' | '£' | '$' | '€' | '%' | '@')
}

/// The value of a digit in any type that people read as one.
fn digit(c: char) -> Option<char> {
    let value = match c {
        '0'..='9' => u32::from(c) - u32::from('0'),
        '\u{ff10}'..='\u{ff19}' => u32::from(c) - 0xff10,
        '\u{1d7ce}'..='\u{1d7ff}' => (u32::from(c) - 0x1d7ce) % 10,
        _ => return None,
    };
    char::from_digit(value, 10)
}

/// A number as it stands there.
#[derive(Debug, Default)]
struct Written {
    digits: String,
    is_international: bool,
    /// How many bytes it takes.
    length: usize,
    /// How long each run of digits is.
    runs: Vec<usize>,
}

impl Written {
    fn read(text: &str) -> Self {
        let mut written = Self {
            is_international: text.starts_with('+'),
            ..Self::default()
        };
        let mut gap = 1;
        let mut letters = text
            .char_indices()
            .skip(usize::from(written.is_international))
            .peekable();
        while let Some((at, c)) = letters.next() {
            let next = letters.peek().map(|(_, next)| *next);
            let is_before = |next: char| digit(next).is_some() || (gap == 0 && is_gap(next));
            let passing = posing(c).filter(|_| next.is_some_and(is_before));
            if let Some(digit) = digit(c).or(passing) {
                match written.runs.last_mut().filter(|_| gap == 0) {
                    Some(run) => *run += 1,
                    None => written.runs.push(1),
                }
                written.digits.push(digit);
                written.length = at + c.len_utf8();
                gap = 0;
            } else if is_gap(c) && gap < 3 {
                gap += 1;
            } else {
                break;
            }
            if written.digits.len() > DIGITS_MAX + 1 {
                break;
            }
        }
        if !text.get(written.length..).is_some_and(ends) {
            // The last run goes on as something else.
            written.runs.pop();
        }
        written
    }

    /// The whole, or else its beginning: what follows may be another number.
    fn best(&self) -> Option<String> {
        let shorter = (1..=self.runs.len()).rev().filter_map(|count| self.runs.get(..count));
        shorter.into_iter().find_map(|runs| self.number(runs))
    }

    /// The first runs in the international form; `None` of what is no telephone number.
    fn number(&self, runs: &[usize]) -> Option<String> {
        let digits = self.digits.get(..runs.iter().sum())?;
        let abroad = match digits.strip_prefix("00") {
            _ if self.is_international => Some(digits),
            Some(rest) => Some(rest),
            None => None,
        };
        if let Some(digits) = abroad {
            // `+44 (0)20…`: the zero is dialled at home.
            let number = match digits.strip_prefix("440") {
                Some(rest) => format!("44{rest}"),
                None => digits.to_owned(),
            };
            let is_number = (DIGITS_MIN..=DIGITS_MAX).contains(&number.len()) && !number.starts_with('0');
            return is_number.then(|| format!("+{number}"));
        }
        if let Some(rest) = digits.strip_prefix('0') {
            let is_british = matches!(rest.len(), 9 | 10) && rest.starts_with(['1', '2', '3', '5', '7', '8', '9']);
            // An area code, then the number; or eleven digits in a row, since ten are as often a reference.
            let is_written_so = match runs {
                [_] => digits.len() == 11,
                [area, ..] => *area >= 3,
                [] => false,
            };
            return (is_british && is_written_so).then(|| format!("+44{rest}"));
        }
        let bare = digits
            .strip_prefix('1')
            .filter(|rest| rest.len() == 10)
            .unwrap_or(digits);
        let is_american = matches!(runs, [3, 3, 4] | [1, 3, 3, 4])
            && bare.len() == 10
            && !bare.starts_with(['0', '1'])
            && !bare.get(3..4).is_some_and(|exchange| matches!(exchange, "0" | "1"));
        is_american.then(|| format!("+1{bare}"))
    }
}

/// What stands between the digits of a number.
fn is_gap(c: char) -> bool {
    matches!(
        c,
        ' ' | '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}'
    )
}

/// Letters among digits that are read as digits.
fn posing(c: char) -> Option<char> {
    match c {
        'O' | 'o' => Some('0'),
        'l' | 'I' => Some('1'),
        _ => None,
    }
}

/// Whether a number may end here.
fn ends(rest: &str) -> bool {
    let mut after = rest.chars();
    match after.next() {
        Some(c) if c.is_alphanumeric() || matches!(c, '_' | '@' | '%') => false,
        Some(',' | '.' | ':') => !after.next().is_some_and(|next| next.is_ascii_digit()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_as_people_write_them() {
        for (text, expected) in [
            ("Ring 020 7946 0123.", &["+442079460123"][..]),
            ("Ring 02079460123", &["+442079460123"]),
            ("(020) 7946 0123", &["+442079460123"]),
            ("01632 960 123 or 07700 900123", &["+441632960123", "+447700900123"]),
            ("+44 (0)20 7946 0123", &["+442079460123"]),
            ("+44 20 7946 0123", &["+442079460123"]),
            ("0044 20 7946 0123", &["+442079460123"]),
            ("call +1 (808) 555-0142 now", &["+18085550142"]),
            ("1-808-555-0142", &["+18085550142"]),
            ("(808) 555-0142", &["+18085550142"]),
            ("+1 808 555 O142", &["+18085550142"]),
            ("+49 30 901820", &["+4930901820"]),
            ("\u{ff10}20 7946 \u{1d7d8}123", &["+442079460123"]),
            ("020 7946 0123 and 020-7946-0123", &["+442079460123"]),
            ("0800 123 456", &["+44800123456"]),
            ("020 7946 0123 - 24 hours. 5 lines", &["+442079460123"]),
            ("020 7946 0123. 020 7946 0124", &["+442079460123"]),
            ("01-05-2026 12 people", &[]),
            ("1-800-555-0142x", &[]),
            // Other numbers.
            ("Invoice 2079460123", &[]),
            ("\u{a3}02079460.12", &[]),
            ("https://x.example/02079460123", &[]),
            ("20-11-43 55779911", &[]),
            ("2026-01-05 10:00", &[]),
            ("192.168.100.1234", &[]),
            ("ref02079460123", &[]),
            ("020 7946 012345678901", &[]),
            ("", &[]),
        ] {
            assert_eq!(numbers(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_limited_and_cost_their_length() {
        for (count, kept) in [(NUMBERS - 1, NUMBERS - 1), (NUMBERS, NUMBERS), (NUMBERS + 1, NUMBERS)] {
            let text: String = (0..count).map(|number| format!("0207 946 {number:04}\n")).collect();
            assert_eq!(numbers(&text).len(), kept);
        }
        for unit in ["+", "(", "0", "0 ", "+1 ", "1O", "0-", "((0"] {
            assert!(numbers(&unit.repeat(100_000)).len() <= NUMBERS, "{unit}");
        }
    }
}
