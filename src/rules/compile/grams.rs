//! Thousands of needles looked for in one pass, at a speed that hardly depends on how many they are.
//!
//! Enters: needles of at least four bytes, case-folded. Leaves: every place where one stands. Of each
//! needle the rarest five bytes are chosen; wherever it stands, one of their two grams of four begins at
//! an even place, so only those are looked at. A table of bits says whether any needle has a gram like
//! the one at hand. Nearly always none has, and no look waits for the one before it. Knows nothing of
//! what needles are for, nor of case beyond ASCII: texts come folded.

use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::ops::Range;

/// The shortest needle that can be looked for here, in bytes.
pub(super) const NEEDLE_BYTES_MIN: usize = GRAM;

const GRAM: usize = 4;

/// Bits of the filter for each gram in it, so that few grams of a text pass by chance.
const FILTER_BITS_PER_GRAM: usize = 64;
/// The filter's size as a power of two, in bits: one that fits the first cache, and one the second.
const FILTER_BITS: Range<u32> = 15..23;

/// Bytes that are looked at together, and the grams at even places in them.
const BLOCK: usize = 16;
const BLOCK_GRAMS: usize = (BLOCK - GRAM) / 2 + 1;

/// Makes an ASCII letter lower case, and other bytes alike that needn't be: what passes is looked at again.
const FOLD: u32 = 0x2020_2020;

/// Takes what is found.
pub(super) trait Sink {
    /// Whether it matters that this needle stands somewhere, or somewhere else.
    fn wants(&self, needle: usize) -> bool;
    /// A needle stands at this byte of the text.
    fn found(&mut self, needle: usize, at: usize);
}

/// Needles, ready to be looked for. `Send + Sync`.
#[derive(Debug)]
pub(super) struct Grams {
    filter: Box<[u64]>,
    /// Brings a hash down to a bit of the filter.
    shift: u32,
    whole: Index,
    /// By three bytes; the fourth stands behind the needle's end and may be anything.
    open: Index,
    entries: Vec<Entry>,
    texts: Vec<u8>,
}

/// Grams with their stretches of the entries.
type Index = HashMap<u32, Range<usize>, FixedState>;

/// Where in which needle a gram stands.
#[derive(Debug, Clone)]
struct Entry {
    needle: usize,
    offset: usize,
    text: Range<usize>,
}

/// An entry with its gram, before they are put in order.
struct Row {
    gram: u32,
    is_open: bool,
    entry: Entry,
}

impl Grams {
    /// Prepares needles, each with the number that it is told by; those that are too short are left out.
    pub(super) fn build<'n>(needles: impl Iterator<Item = (usize, &'n str)>) -> Self {
        let (mut rows, mut texts) = (Vec::new(), Vec::new());
        for (needle, text) in needles {
            let from = texts.len();
            texts.extend_from_slice(text.as_bytes());
            let text = from..texts.len();
            let bytes = texts.get(text.clone()).unwrap_or_default();
            let entry = |offset| Entry {
                needle,
                offset,
                text: text.clone(),
            };
            let offset = rarest(bytes);
            let grams = bytes.get(offset..).unwrap_or_default();
            let (Some(even), odd) = (gram_at(grams), grams.get(1..).unwrap_or_default()) else {
                continue;
            };
            rows.push(Row {
                gram: even,
                is_open: false,
                entry: entry(offset),
            });
            let mut padded = [0; GRAM];
            let known = odd.len().min(GRAM);
            for (to, byte) in padded.iter_mut().zip(odd) {
                *to = *byte;
            }
            let is_open = known < GRAM;
            let gram = u32::from_le_bytes(padded) | FOLD;
            rows.push(Row {
                gram: if is_open { without_last(gram) } else { gram },
                is_open,
                entry: entry(offset + 1),
            });
        }
        Self::from_rows(rows, texts)
    }

    fn from_rows(mut rows: Vec<Row>, texts: Vec<u8>) -> Self {
        rows.sort_by_key(|row| (row.is_open, row.gram));
        let bits = rows.len().saturating_mul(FILTER_BITS_PER_GRAM).max(1).ilog2() + 1;
        let bits = bits.clamp(FILTER_BITS.start, FILTER_BITS.end - 1);
        let mut grams = Self {
            filter: vec![0; 1 << (bits - u64::BITS.ilog2())].into(),
            shift: u32::BITS - bits,
            whole: Index::default(),
            open: Index::default(),
            entries: rows.iter().map(|row| row.entry.clone()).collect(),
            texts,
        };
        for (at, row) in rows.iter().enumerate() {
            let index = if row.is_open { &mut grams.open } else { &mut grams.whole };
            let known = index.len();
            let range = index.entry(row.gram).or_insert(at..at);
            range.end = at + 1;
            if index.len() == known {
                continue;
            }
            if row.is_open {
                // Every fourth byte that folding leaves.
                (0..=u8::MAX).for_each(|last| grams.let_pass(row.gram | u32::from(last) << 24 | FOLD));
            } else {
                grams.let_pass(row.gram);
            }
        }
        grams
    }

    fn let_pass(&mut self, gram: u32) {
        let (word, bit) = self.place(gram);
        if let Some(word) = self.filter.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    fn place(&self, gram: u32) -> (usize, u32) {
        let hash = gram.wrapping_mul(0x9e37_79b1) >> self.shift;
        ((hash >> u64::BITS.ilog2()) as usize, hash % u64::BITS)
    }

    /// Whether a gram may be one of some needle.
    fn passes(&self, gram: u32) -> bool {
        let (word, bit) = self.place(gram);
        self.filter.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }

    /// Tells of every place where a needle stands. ASCII letters may be in any case.
    pub(super) fn scan(&self, text: &[u8], sink: &mut impl Sink) {
        if self.entries.is_empty() {
            return;
        }
        let mut from = 0;
        while let Some(block) = text.get(from..).and_then(<[u8]>::first_chunk::<BLOCK>) {
            self.look(*block, from, BLOCK_GRAMS, text, sink);
            from += 2 * BLOCK_GRAMS;
        }
        // Fewer than a block's bytes are left; what a gram has beyond them is nothing.
        let mut rest = text.get(from..).unwrap_or_default();
        while !rest.is_empty() {
            let mut block = [0; BLOCK];
            for (to, byte) in block.iter_mut().zip(rest) {
                *to = *byte;
            }
            self.look(block, from, BLOCK_GRAMS, text, sink);
            from += 2 * BLOCK_GRAMS;
            rest = text.get(from..).unwrap_or_default();
        }
    }

    /// Looks at the grams of a block that begins at an even place.
    fn look(&self, block: [u8; BLOCK], from: usize, grams: usize, text: &[u8], sink: &mut impl Sink) {
        let bytes = u128::from_le_bytes(block);
        let gram = |number: usize| (bytes >> (2 * u8::BITS as usize * number)) as u32 | FOLD;
        let mut passing = 0u32;
        for number in 0..grams {
            passing |= u32::from(self.passes(gram(number))) << number;
        }
        while passing != 0 {
            let number = passing.trailing_zeros() as usize;
            passing &= passing - 1;
            self.candidates(gram(number), from + 2 * number, text, sink);
        }
    }

    /// Compares the needles that have a gram with what stands around it.
    #[cold]
    fn candidates(&self, gram: u32, at: usize, text: &[u8], sink: &mut impl Sink) {
        let whole = self.whole.get(&gram);
        let open = self.open.get(&without_last(gram)).filter(|_| !self.open.is_empty());
        let ranges = [whole, open].into_iter().flatten();
        for entry in ranges.filter_map(|range| self.entries.get(range.clone())).flatten() {
            if !sink.wants(entry.needle) {
                continue;
            }
            let needle = self.texts.get(entry.text.clone()).unwrap_or_default();
            let stands = at.checked_sub(entry.offset).filter(|begin| {
                let there = text.get(*begin..begin + needle.len());
                there.is_some_and(|there| there.eq_ignore_ascii_case(needle))
            });
            if let Some(begin) = stands {
                sink.found(entry.needle, begin);
            }
        }
    }
}

fn gram_at(bytes: &[u8]) -> Option<u32> {
    bytes
        .first_chunk::<GRAM>()
        .map(|bytes| u32::from_le_bytes(*bytes) | FOLD)
}

fn without_last(gram: u32) -> u32 {
    gram & 0x00ff_ffff
}

/// Where the two grams begin that mail is least likely to hold.
fn rarest(needle: &[u8]) -> usize {
    let pairs = needle.windows(GRAM + 1).enumerate();
    let rarity = |pair: &[u8]| {
        let (first, second) = (pair.get(..GRAM), pair.get(1..));
        first.map_or(0, gram_rarity).min(second.map_or(0, gram_rarity))
    };
    pairs
        .map(|(at, pair)| (rarity(pair), at))
        // The first of equals.
        .max_by_key(|(rarity, at)| (*rarity, std::cmp::Reverse(*at)))
        .map_or(0, |(_, at)| at)
}

/// How rare a gram is in mail, roughly in tenths of a bit.
fn gram_rarity(gram: &[u8]) -> u32 {
    if USUAL.iter().any(|usual| usual.as_bytes() == gram) {
        return 0;
    }
    gram.iter().map(|byte| byte_rarity(*byte)).sum()
}

/// Grams that nearly every mail holds, in its text or its markup.
const USUAL: [&str; 48] = [
    "http", "ttp:", "ttps", "tps:", "tp:/", "ps:/", "p://", "s://", "://w", "//ww", "/www", "www.", ".com", "com/",
    "com ", "href", "ref=", "styl", "tyle", "yle=", "span", "font", "nbsp", "bsp;", "&nbs", "clas", "lass", "mail",
    "emai", "text", "widt", "idth", "your", " you", "you ", "the ", " the", "and ", " and", "tion", "ion ", "ing ",
    "for ", " for", "this", "that", "with", " to ",
];

/// How rare a byte is in mail, in tenths of a bit.
const fn byte_rarity(byte: u8) -> u32 {
    match byte {
        b' ' => 25,
        b'e' => 33,
        b't' => 37,
        b'a' | b'o' => 40,
        b'i' | b'n' | b's' => 42,
        b'r' => 43,
        b'h' | b'l' | b'd' => 49,
        b'c' | b'u' | b'm' | b'p' => 56,
        b'f' | b'g' | b'w' | b'y' | b'b' | b'.' | b',' => 62,
        b'v' | b'k' | b'0'..=b'9' | b'/' | b'-' | b':' | b'=' | b'"' | b'<' | b'>' => 70,
        b'j' | b'q' | b'x' | b'z' => 95,
        _ => 85,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct All(Vec<(usize, usize)>);

    impl Sink for All {
        fn wants(&self, _: usize) -> bool {
            true
        }

        fn found(&mut self, needle: usize, at: usize) {
            self.0.push((needle, at));
        }
    }

    fn found(needles: &[&str], text: &str) -> Vec<(usize, usize)> {
        let mut all = All::default();
        Grams::build(needles.iter().copied().enumerate()).scan(text.as_bytes(), &mut all);
        all.0.sort_unstable();
        all.0
    }

    /// Place by place.
    fn slowly(needles: &[&str], text: &str) -> Vec<(usize, usize)> {
        let stands = |needle: &str, at: usize| {
            let there = text.as_bytes().get(at..at + needle.len());
            needle.len() >= NEEDLE_BYTES_MIN && there.is_some_and(|there| there.eq_ignore_ascii_case(needle.as_bytes()))
        };
        let numbered = needles.iter().enumerate();
        numbered
            .flat_map(|(number, needle)| (0..text.len()).map(move |at| (number, *needle, at)))
            .filter(|(_, needle, at)| stands(needle, *at))
            .map(|(number, _, at)| (number, at))
            .collect()
    }

    #[test]
    fn needles_are_found_at_every_place_in_every_length() {
        let needles = ["bank", "bank transfer", "f\u{e4}llig", "aaaa", "aaaaa", "aaaaaaa", "x@y.z"];
        for length in 0..3 * BLOCK {
            for needle in needles {
                for at in 0..=length {
                    let text = format!("{}{}{}", "a".repeat(at), needle.to_uppercase(), "b".repeat(length - at));
                    // Beyond ASCII, texts come folded.
                    let text = text.replace('\u{c4}', "\u{e4}");
                    assert_eq!(found(&needles, &text), slowly(&needles, &text), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_too_short_is_left_out() {
        assert_eq!(found(&["abc", "", "abcd"], "abcd"), [(2, 0)]);
        assert_eq!(found(&[], "abcd"), []);
    }

    #[test]
    fn what_folds_alike_is_told_apart() {
        assert_eq!(found(&["a@bc", "a`bc"], "A@BC"), [(0, 0)]);
        assert_eq!(found(&["[abc"], "{abc"), []);
    }

    #[test]
    fn many_needles_outgrow_the_filter_and_are_found_alike() {
        let needles: Vec<String> = (0..200_000).map(|number| format!("needle {number} of many")).collect();
        let needles: Vec<&str> = needles.iter().map(String::as_str).collect();
        let text = "a needle 3 of many, needle 199999 of many and needle 200000 of many";
        assert_eq!(found(&needles, text), [(3, 2), (199_999, 20)]);
    }

    #[test]
    fn the_rarest_grams_are_chosen() {
        for (needle, expected) in [("your zzyzx", 5), ("https://a", 2), ("aaaa", 0), ("aaaaaaaa", 0)] {
            assert_eq!(rarest(needle.as_bytes()), expected, "{needle}");
        }
    }

    proptest! {
        #[test]
        fn any_needles_are_found_in_any_text(
            needles in prop::collection::vec("[abAB@` ]{0,9}|[a-c\u{e9}\u{df}]{2,6}", 0..12),
            text in "[abAB@` c\u{e9}\u{df}]{0,80}",
        ) {
            let folded: Vec<String> = needles.iter().map(|needle| needle.to_ascii_lowercase()).collect();
            let folded: Vec<&str> = folded.iter().map(String::as_str).collect();
            prop_assert_eq!(found(&folded, &text), slowly(&folded, &text));
        }
    }
}
