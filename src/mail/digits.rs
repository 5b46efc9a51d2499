//! Groups of digits in a text, such as people write numbers in.
//!
//! Enters: rendered text. Leaves: each run of digits that are parted by single blanks, hyphens or the like, and its
//! place. Linear in the text. Knows nothing of what a number means.

/// Digits that belong together.
#[derive(Debug)]
pub(super) struct Group {
    /// Without what parts them.
    pub(super) digits: String,
    /// The first and the end of its bytes in the text.
    pub(super) start: usize,
    pub(super) end: usize,
    /// How many runs of digits it has.
    pub(super) parts: usize,
    /// How long each of the first few is.
    lengths: [usize; 4],
}

/// Longer numbers are cut here: nothing that is looked for has so many digits.
const DIGITS: usize = 24;

impl Group {
    /// Six digits in one or in three pairs.
    pub(super) fn is_six_in_pairs(&self) -> bool {
        let [one, two, three, _] = self.lengths;
        self.digits.len() == 6 && (self.parts == 1 || (self.parts == 3 && (one, two, three) == (2, 2, 2)))
    }
}

/// Every group, in order. One of six digits in pairs ends there, so that an account behind it is another.
pub(super) fn groups(text: &str) -> impl Iterator<Item = Group> {
    let bytes = text.as_bytes();
    let mut position = 0;
    std::iter::from_fn(move || {
        let at = bytes.get(position..)?.iter().position(u8::is_ascii_digit)?;
        let group = group(text, position + at);
        position = group.end;
        Some(group)
    })
}

fn group(text: &str, start: usize) -> Group {
    let mut group = Group {
        digits: String::new(),
        start,
        end: start,
        parts: 0,
        lengths: [0; 4],
    };
    let mut separator = None;
    loop {
        let rest = text.get(group.end..).unwrap_or("");
        let run = rest.bytes().take_while(u8::is_ascii_digit).count();
        group.digits.push_str(rest.get(..run.min(DIGITS)).unwrap_or(""));
        if let Some(length) = group.lengths.get_mut(group.parts) {
            *length = run;
        }
        group.parts += 1;
        group.end += run;
        let rest = rest.get(run..).unwrap_or("");
        let Some(next) = rest.chars().next().filter(|c| is_separator(*c)) else {
            break;
        };
        // Another kind of separator begins another number.
        let is_same = separator.is_none_or(|before| before == next);
        let is_digit = rest
            .get(next.len_utf8()..)
            .is_some_and(|tail| tail.starts_with(|c: char| c.is_ascii_digit()));
        if !is_same || !is_digit || group.digits.len() >= DIGITS || group.is_six_in_pairs() {
            break;
        }
        separator = Some(next);
        group.end += next.len_utf8();
    }
    group
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_as_people_write_them() {
        for (text, expected) in [
            ("20-11-43 55779911", &["201143", "55779911"][..]),
            ("20 11 43 55779911", &["201143", "55779911"]),
            ("5577 9911, 12", &["55779911", "12"]),
            ("1-2 3", &["12", "3"]),
            ("12--34", &["12", "34"]),
            ("20\u{2013}11\u{2013}43", &["201143"]),
            ("no", &[]),
        ] {
            let found: Vec<String> = groups(text).map(|group| group.digits).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn long_numbers_are_cut_and_cost_their_length() {
        for unit in ["1", "1 ", "12-", "1 2-"] {
            let text = unit.repeat(100_000);
            let longest = groups(&text).map(|group| group.digits.len()).max().unwrap();
            assert!(longest <= 2 * DIGITS, "{unit}");
            assert!(groups(&text).map(|group| group.end - group.start).sum::<usize>() <= text.len());
        }
    }
}
