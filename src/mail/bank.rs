//! Bank details in a text: sort codes with their accounts, and IBANs.
//!
//! Enters: rendered text. Leaves: details in one form each, `20-11-43 55779911` and `GB33BUKB20201555555555`. A sort code
//! counts beside its account: both named for what they are, or one directly behind the other. An IBAN counts when its
//! length and check digits are right (ISO 13616). Linear in the text. Knows nothing of whose account it is.

use super::digits::{self, Group};

/// Details that are kept.
pub(super) const DETAILS: usize = 100;

/// How many digits a sort code or an account has.
const LENGTHS: std::ops::RangeInclusive<usize> = 6..=8;

/// How far apart a sort code and its account may stand, and how far before them their names.
const APART: usize = 200;
const NAMED_WITHIN: usize = 40;
/// Between two that stand directly beside each other there is less than this.
const BESIDE: usize = 4;

const SORT_CODE_NAMES: &[&str] = &[
    "sort code",
    "sort-code",
    "sortcode",
    "sort:",
    "s/c",
    "s.c",
    "cod didoli",
    "côd didoli",
];
const ACCOUNT_NAMES: &[&str] = &["account", "acc", "a/c", "acct", "cyfrif", "konto"];

/// Every sort code with its account, then every IBAN, each once.
pub(super) fn details(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut keep = |detail: String| {
        if found.len() < DETAILS && !found.contains(&detail) {
            found.push(detail);
        }
    };
    let (mut groups, mut ibans) = (Vec::new(), Vec::new());
    for group in digits::groups(text) {
        ibans.extend(iban_around(text.as_bytes(), group.start));
        if LENGTHS.contains(&group.digits.len()) {
            groups.push(group);
        }
    }
    // Most numbers are neither, and those that could be stand alone: what they are called needn't be read.
    let together = groups.chunk_by(|one, next| next.start.saturating_sub(one.end) <= APART);
    let numbers: Vec<Number> = together
        .filter(|run| run.len() > 1 && run.iter().any(Group::is_six_in_pairs))
        .flatten()
        .filter_map(|group| Number::read(text, group))
        .collect();
    pairs(&numbers).for_each(&mut keep);
    ibans.into_iter().for_each(&mut keep);
    found
}

/// A run of digits that may be a sort code or an account.
#[derive(Debug)]
struct Number {
    digits: String,
    start: usize,
    end: usize,
    is_sort_code: bool,
    is_account: bool,
    /// Whether it is called what it is.
    is_named: bool,
}

impl Number {
    fn read(text: &str, group: &Group) -> Option<Self> {
        let before = text.get(text.floor_char_boundary(group.start.saturating_sub(NAMED_WITHIN))..group.start)?;
        // The name of the number before isn't this one's.
        let before = before
            .rsplit(|c: char| c.is_ascii_digit())
            .next()
            .unwrap_or(before)
            .to_lowercase();
        let called = |names: &[&str]| names.iter().filter_map(|name| before.rfind(name)).max();
        let (sort_code, account) = (called(SORT_CODE_NAMES), called(ACCOUNT_NAMES));
        let is_sort_code = group.is_six_in_pairs() && account <= sort_code;
        let is_account = match group.digits.len() {
            8 => true,
            6 | 7 => group.parts == 1 && account > sort_code,
            _ => false,
        } && group.parts <= 4;
        (is_sort_code || is_account).then(|| Self {
            is_named: if is_sort_code {
                sort_code.is_some()
            } else {
                account.is_some()
            },
            digits: group.digits.clone(),
            start: group.start,
            end: group.end,
            is_sort_code,
            is_account: is_account && !is_sort_code,
        })
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.start
            .saturating_sub(other.end)
            .max(other.start.saturating_sub(self.end))
            < BESIDE
    }
}

/// Each sort code with the account that follows it, or else stands before it.
fn pairs(numbers: &[Number]) -> impl Iterator<Item = String> {
    let codes = numbers.iter().enumerate().filter(|(_, number)| number.is_sort_code);
    codes.filter_map(|(at, code)| {
        let after = numbers.get(at + 1..).unwrap_or_default().iter();
        let before = numbers.get(..at).unwrap_or_default().iter().rev();
        let near = |account: &&Number| {
            code.start
                .saturating_sub(account.end)
                .max(account.start.saturating_sub(code.end))
                <= APART
        };
        let belongs =
            |account: &&Number| account.is_account && (code.is_beside(account) || (code.is_named && account.is_named));
        // An account behind another sort code is that one's.
        let own = |account: &&Number| !account.is_sort_code;
        let after = after.take_while(near).take_while(own).find(belongs);
        let found = after.or_else(|| before.take_while(near).take_while(own).find(belongs))?;
        let (one, rest) = code.digits.split_at_checked(2)?;
        let (two, three) = rest.split_at_checked(2)?;
        Some(format!("{one}-{two}-{three} {}", found.digits))
    })
}

/// Lengths of IBANs by country (ISO 13616 registry).
#[rustfmt::skip]
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24), ("AE", 23), ("AL", 28), ("AT", 20), ("AZ", 28), ("BA", 20), ("BE", 16), ("BG", 22), ("BH", 22),
    ("BR", 29), ("BY", 28), ("CH", 21), ("CR", 22), ("CY", 28), ("CZ", 24), ("DE", 22), ("DK", 18), ("DO", 28),
    ("EE", 20), ("EG", 29), ("ES", 24), ("FI", 18), ("FO", 18), ("FR", 27), ("GB", 22), ("GE", 22), ("GI", 23),
    ("GL", 18), ("GR", 27), ("GT", 28), ("HR", 21), ("HU", 28), ("IE", 22), ("IL", 23), ("IQ", 23), ("IS", 26),
    ("IT", 27), ("JO", 30), ("KW", 30), ("KZ", 20), ("LB", 28), ("LC", 32), ("LI", 21), ("LT", 20), ("LU", 20),
    ("LV", 21), ("MC", 27), ("MD", 24), ("ME", 22), ("MK", 19), ("MR", 27), ("MT", 31), ("MU", 30), ("NL", 18),
    ("NO", 15), ("PK", 24), ("PL", 28), ("PS", 29), ("PT", 25), ("QA", 29), ("RO", 24), ("RS", 22), ("SA", 24),
    ("SC", 31), ("SE", 24), ("SI", 19), ("SK", 24), ("SM", 27), ("ST", 25), ("SV", 28), ("TL", 23), ("TN", 24),
    ("TR", 26), ("UA", 29), ("VA", 22), ("VG", 24), ("XK", 20),
];

/// The IBAN whose check digits begin a run of digits: a country's two letters stand before it, at a word's start.
fn iban_around(bytes: &[u8], digits: usize) -> Option<String> {
    let start = digits.checked_sub(2)?;
    let before = start.checked_sub(1).and_then(|before| bytes.get(before));
    let [one, two, _, four, ..] = bytes.get(start..)? else {
        return None;
    };
    let begins = before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        && one.is_ascii_alphabetic()
        && two.is_ascii_alphabetic()
        && four.is_ascii_digit();
    bytes.get(start..).filter(|_| begins).and_then(iban)
}

/// An IBAN at the start of a text, in groups or in one.
fn iban(bytes: &[u8]) -> Option<String> {
    let country: String = bytes
        .get(..2)?
        .iter()
        .map(|byte| char::from(byte.to_ascii_uppercase()))
        .collect();
    let (_, length) = IBAN_LENGTHS.iter().find(|(code, _)| *code == country)?;
    let mut iban = String::with_capacity(*length);
    let mut rest = bytes;
    while iban.len() < *length {
        match rest {
            [byte, tail @ ..] if byte.is_ascii_alphanumeric() => {
                iban.push(char::from(byte.to_ascii_uppercase()));
                rest = tail;
            }
            [b' ' | b'-' | b'.', byte, ..] if byte.is_ascii_alphanumeric() => rest = rest.get(1..)?,
            _ => return None,
        }
    }
    let ends = rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric());
    (ends && remainder(&iban) == 1).then_some(iban)
}

/// The remainder by 97 with the first four characters moved to the end, letters counted from 10 (ISO 7064).
fn remainder(iban: &str) -> u32 {
    let (head, tail) = iban.split_at_checked(4).unwrap_or((iban, ""));
    tail.chars().chain(head.chars()).fold(0, |sum, c| match c.to_digit(36) {
        Some(value @ 0..=9) => (sum * 10 + value) % 97,
        Some(value) => (sum * 100 + value) % 97,
        None => sum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_codes_are_found_with_their_accounts() {
        for (text, expected) in [
            (
                "Sort code: 20-11-43\nAccount number: 55779911",
                &["20-11-43 55779911"][..],
            ),
            ("Sort Code 20 11 43, Account No. 5577 9911", &["20-11-43 55779911"]),
            ("sortcode 201143 a/c 55779911", &["20-11-43 55779911"]),
            ("S/C: 201143 A/C: 55779911", &["20-11-43 55779911"]),
            ("Account number 55779911, sort code 20-11-43", &["20-11-43 55779911"]),
            (
                "Bank: Fernbank\nAccount name: Hallett Surfacing Ltd\nSort code: 20\u{2013}11\u{2013}43\nAcc No 55779911",
                &["20-11-43 55779911"],
            ),
            ("Cod didoli: 20-11-43 Rhif cyfrif: 55779911", &["20-11-43 55779911"]),
            ("pay 20-11-43 55779911 today", &["20-11-43 55779911"]),
            ("20-11-43/55779911", &["20-11-43 55779911"]),
            ("Sort code 20-11-43 account number 779911", &["20-11-43 779911"]),
            (
                "Old: sort code 20-11-43 account 55779911. New: sort code 30-22-54 account 66880022.",
                &["20-11-43 55779911", "30-22-54 66880022"],
            ),
            (
                "Sort code 20-11-43, sort code 30-22-54 account 66880022",
                &["30-22-54 66880022"],
            ),
            (
                "Sort code 20-11-43 Account 55779911 Sort code 20-11-43 Account 55779911",
                &["20-11-43 55779911"],
            ),
            // What isn't one: dates, references, telephone numbers, one without the other.
            ("On 20-11-25 we sent invoice 55779911", &[]),
            ("Account number 55779911", &[]),
            ("Sort code 20-11-43", &[]),
            ("Ring 020 7946 0123 about account 55779911", &[]),
            ("sort code 1201143 account 55779911", &[]),
            ("", &[]),
        ] {
            assert_eq!(details(text), expected, "{text}");
        }
    }

    #[test]
    fn ibans_are_checked() {
        for (text, expected) in [
            ("IBAN: GB33 BUKB 2020 1555 5555 55", &["GB33BUKB20201555555555"][..]),
            ("iban gb33bukb20201555555555.", &["GB33BUKB20201555555555"]),
            (
                "DE89-3704-0044-0532-0130-00 und NL91ABNA0417164300",
                &["DE89370400440532013000", "NL91ABNA0417164300"],
            ),
            ("GB34 BUKB 2020 1555 5555 55", &[]),
            ("GB33 BUKB 2020 1555 5555 555", &[]),
            ("XGB33BUKB20201555555555", &[]),
            ("GB33 BUKB", &[]),
            ("ZZ33 BUKB 2020 1555 5555 55", &[]),
        ] {
            assert_eq!(details(text), expected, "{text}");
        }
    }

    #[test]
    fn details_are_limited() {
        for (count, kept) in [(DETAILS - 1, DETAILS - 1), (DETAILS, DETAILS), (DETAILS + 1, DETAILS)] {
            let text: String = (0..count)
                .map(|number| format!("sort code 20-11-43 account {:08}\n", 10_000_000 + number))
                .collect();
            assert_eq!(details(&text).len(), kept);
        }
    }
}
