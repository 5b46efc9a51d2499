//! Thousands of needles looked for in one pass, at a speed that hardly depends on how many they are.
//!
//! Enters: needles of at least three bytes, case-folded. Leaves: every place where one stands. Of each
//! needle five bytes are chosen that are rare in mail and in other needles; wherever it stands, one of
//! their two grams of four begins at an even place, so only those are looked at. A needle of three or four
//! bytes has one gram of three, which is looked for at every place. A table of bits says whether any needle
//! has a gram like the one at hand. Nearly always none has, and no look waits for the one before it. Knows
//! nothing of what needles are for, nor of case beyond ASCII: texts come folded.

use super::letters::{after, alone};

/// The shortest needle that can be looked for here, in bytes.
pub(super) const NEEDLE_BYTES_MIN: usize = 3;

/// Bytes of a gram, and of one of a needle that is too short for two such.
const GRAM: usize = 4;
const SHORT_GRAM: usize = 3;

/// Bits of a filter for each gram in it, so that few grams of a text pass by chance.
const FILTER_BITS_PER_GRAM: usize = 128;
/// A filter's least and greatest size as a power of two, in bits: the latter fits the second cache.
const FILTER_BITS: (u32, u32) = (12, 22);

/// Bytes that are looked at together, and how many pairs of places are in them.
const BLOCK: usize = 16;
const BLOCK_PAIRS: usize = (BLOCK - GRAM) / 2 + 1;

/// Makes an ASCII letter lower case, and other bytes alike that needn't be: what passes is looked at again.
pub(super) const FOLD: u32 = 0x2020_2020;

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
    long: Index,
    short: Index,
    texts: Vec<u8>,
}

/// Where in which needles grams stand.
#[derive(Debug)]
struct Index {
    filter: Box<[u64]>,
    /// Brings a hash down to a bit of the filter.
    filter_shift: u32,
    /// Where the entries of each bucket begin; the last is where they end.
    buckets: Box<[u32]>,
    /// Brings a hash down to a bucket.
    bucket_shift: u32,
    entries: Box<[Entry]>,
}

/// Where in a needle a gram stands.
#[derive(Debug)]
struct Entry {
    gram: u32,
    /// Other bytes of the needle, as many as of a gram, that tell most needles with the same gram apart.
    check: u32,
    /// Where in the needle these begin.
    check_offset: u32,
    needle: u32,
    offset: u32,
    /// The needle's place among the texts.
    from: u32,
    length: u32,
}

impl Grams {
    /// Prepares needles, each with the number that it is told by; those that are too short are left out.
    pub(super) fn build<'n>(needles: impl Iterator<Item = (usize, &'n str)>) -> Self {
        let needles: Vec<(usize, &str)> = needles.collect();
        let usage = Usage::of(needles.iter().map(|(_, text)| text.as_bytes()));
        let (mut long, mut short, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for (needle, text) in needles {
            let bytes = text.as_bytes();
            let entry = |gram: u32, offset: usize| Entry {
                gram,
                check: check(bytes, check_offset(bytes, offset)),
                check_offset: whole(check_offset(bytes, offset)),
                needle: whole(needle),
                offset: whole(offset),
                from: whole(texts.len()),
                length: whole(bytes.len()),
            };
            if bytes.len() > GRAM {
                let offset = usage.rarest(bytes);
                let grams = bytes.get(offset..).unwrap_or_default().array_windows::<GRAM>();
                let grams = grams.take(2).enumerate();
                long.extend(grams.map(|(next, gram)| entry(u32::from_le_bytes(*gram) | FOLD, offset + next)));
            } else if let Some(offset) = rarest_short(bytes)
                && let Some([a, b, c]) = bytes.get(offset..).and_then(<[u8]>::first_chunk::<SHORT_GRAM>)
            {
                short.push(entry(shortened(u32::from_le_bytes([*a, *b, *c, 0]) | FOLD), offset));
            }
            texts.extend_from_slice(bytes);
        }
        Self {
            long: Index::new(long),
            short: Index::new(short),
            texts,
        }
    }

    /// What it takes beside itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let of =
            |index: &Index| size_of_val(&*index.filter) + size_of_val(&*index.buckets) + size_of_val(&*index.entries);
        of(&self.long) + of(&self.short) + self.texts.capacity()
    }

    /// Tells of every place where a needle stands. ASCII letters may be in any case.
    pub(super) fn scan(&self, text: &[u8], sink: &mut impl Sink) {
        match (self.long.is_empty(), self.short.is_empty()) {
            (true, true) => {}
            (false, true) => self.scan_for::<true, false>(text, sink),
            (true, false) => self.scan_for::<false, true>(text, sink),
            (false, false) => self.scan_for::<true, true>(text, sink),
        }
    }

    fn scan_for<const LONG: bool, const SHORT: bool>(&self, text: &[u8], sink: &mut impl Sink) {
        let mut from = 0;
        while let Some(block) = text.get(from..).and_then(<[u8]>::first_chunk::<BLOCK>) {
            self.look::<LONG, SHORT>(*block, from, text, sink);
            from += 2 * BLOCK_PAIRS;
        }
        // Fewer than a block's bytes are left; what a gram has beyond them is nothing.
        let mut rest = text.get(from..).unwrap_or_default();
        while !rest.is_empty() {
            let mut block = [0; BLOCK];
            for (to, byte) in block.iter_mut().zip(rest) {
                *to = *byte;
            }
            self.look::<LONG, SHORT>(block, from, text, sink);
            from += 2 * BLOCK_PAIRS;
            rest = text.get(from..).unwrap_or_default();
        }
    }

    /// Looks at the grams of a block that begins at an even place.
    #[inline]
    fn look<const LONG: bool, const SHORT: bool>(
        &self,
        block: [u8; BLOCK],
        from: usize,
        text: &[u8],
        sink: &mut impl Sink,
    ) {
        let bytes = u128::from_le_bytes(block);
        let gram = |place: usize| (bytes >> (8 * place)) as u32 | FOLD;
        let (mut long, mut short) = (0u32, 0u32);
        for pair in 0..BLOCK_PAIRS {
            let [even, odd] = [2 * pair, 2 * pair + 1];
            if LONG {
                long |= self.long.passes(gram(even)) << even;
            }
            if SHORT {
                short |= self.short.passes(shortened(gram(even))) << even;
                short |= self.short.passes(shortened(gram(odd))) << odd;
            }
        }
        while long != 0 {
            let place = long.trailing_zeros() as usize;
            long &= long - 1;
            self.compare(self.long.of(gram(place)), from + place, text, sink);
        }
        while short != 0 {
            let place = short.trailing_zeros() as usize;
            short &= short - 1;
            self.compare(self.short.of(shortened(gram(place))), from + place, text, sink);
        }
    }

    /// Compares the needles that have a gram with what stands around it.
    fn compare<'g>(&self, entries: impl Iterator<Item = &'g Entry>, at: usize, text: &[u8], sink: &mut impl Sink) {
        for entry in entries {
            let Some(begin) = at.checked_sub(entry.offset as usize) else {
                continue;
            };
            let Some(there) = text.get(begin..begin + entry.length as usize) else {
                continue;
            };
            if check(there, entry.check_offset as usize) != entry.check || !sink.wants(entry.needle as usize) {
                continue;
            }
            let from = entry.from as usize;
            let needle = self.texts.get(from..from + entry.length as usize).unwrap_or_default();
            if there.eq_ignore_ascii_case(needle) {
                sink.found(entry.needle as usize, begin);
            }
        }
    }
}

/// Four bytes of a needle, or of what stands in its place, in any case; of a shorter one none.
fn check(needle: &[u8], offset: usize) -> u32 {
    let bytes = needle.get(offset..).and_then(<[u8]>::first_chunk::<GRAM>);
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes) | FOLD)
}

/// Where the bytes begin that tell most beside a gram: before it where there is room for them, else at the needle's end.
fn check_offset(needle: &[u8], gram: usize) -> usize {
    match gram.checked_sub(GRAM) {
        Some(before) => before,
        None => needle.len().saturating_sub(GRAM).min(gram + GRAM),
    }
}

impl Index {
    fn new(mut entries: Vec<Entry>) -> Self {
        let power = |wanted: usize| wanted.max(1).ilog2() + 1;
        let bits = power(entries.len().saturating_mul(FILTER_BITS_PER_GRAM)).clamp(FILTER_BITS.0, FILTER_BITS.1);
        let buckets = power(entries.len());
        let bucket_shift = u32::BITS - buckets;
        entries.sort_by_key(|entry| (hash(entry.gram) >> bucket_shift, entry.gram));
        let mut index = Self {
            filter: vec![0; 1 << (bits - u64::BITS.ilog2())].into(),
            filter_shift: u32::BITS - bits,
            buckets: vec![0; (1 << buckets) + 1].into(),
            bucket_shift,
            entries: entries.into(),
        };
        for entry in &index.entries {
            let (word, bit) = index.place(entry.gram);
            if let Some(word) = index.filter.get_mut(word) {
                *word |= 1 << bit;
            }
            let bucket = (hash(entry.gram) >> bucket_shift) as usize;
            if let Some(end) = index.buckets.get_mut(bucket + 1) {
                *end += 1;
            }
        }
        let mut sum = 0;
        for end in &mut index.buckets {
            sum += *end;
            *end = sum;
        }
        index
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn place(&self, gram: u32) -> (usize, u32) {
        let hash = hash(gram) >> self.filter_shift;
        ((hash >> u64::BITS.ilog2()) as usize, hash % u64::BITS)
    }

    /// 1 when a gram may be one of some needle, else 0.
    #[inline]
    fn passes(&self, gram: u32) -> u32 {
        let (word, bit) = self.place(gram);
        self.filter.get(word).map_or(0, |word| (word >> bit & 1) as u32)
    }

    /// Where a gram stands in needles.
    fn of(&self, gram: u32) -> impl Iterator<Item = &Entry> {
        let bucket = (hash(gram) >> self.bucket_shift) as usize;
        let bounds = self.buckets.get(bucket..bucket + 2);
        let range = bounds.and_then(|bounds| Some(*bounds.first()? as usize..*bounds.last()? as usize));
        let entries = range.and_then(|range| self.entries.get(range)).unwrap_or_default();
        entries.iter().filter(move |entry| entry.gram == gram)
    }
}

fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9e37_79b1)
}

fn shortened(gram: u32) -> u32 {
    gram & 0x00ff_ffff
}

/// There are never as many needles, or bytes of them, as this can't tell: their files have limits.
pub(super) fn whole(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Where the rarer of a short needle's grams begins.
fn rarest_short(needle: &[u8]) -> Option<usize> {
    let rarity = |gram: &[u8; SHORT_GRAM]| {
        let [a, b, c] = *gram;
        alone(a) + after(a, b) + after(b, c)
    };
    let grams = needle.array_windows::<SHORT_GRAM>().enumerate();
    let rarest = grams.max_by_key(|(at, gram)| (rarity(gram), std::cmp::Reverse(*at)));
    rarest.map(|(at, _)| at)
}

/// How often grams stand in the needles themselves, roughly: what many look for is what many write.
struct Usage(Vec<u16>);

/// What it weighs that twice as many needles hold a gram.
const USE_WEIGHT: i32 = 10;

impl Usage {
    const BITS: u32 = 16;

    fn of<'n>(needles: impl Iterator<Item = &'n [u8]>) -> Self {
        let mut usage = Self(vec![0; 1 << Self::BITS]);
        for gram in needles.flat_map(|needle| needle.array_windows::<GRAM>()) {
            if let Some(count) = usage.0.get_mut(Self::place(gram)) {
                *count = count.saturating_add(1);
            }
        }
        usage
    }

    fn place(gram: &[u8; GRAM]) -> usize {
        (hash(u32::from_le_bytes(*gram)) >> (u32::BITS - Self::BITS)) as usize
    }

    /// Where the two grams begin that mail is least likely to hold.
    fn rarest(&self, needle: &[u8]) -> usize {
        let mut best = (0, i32::MIN);
        let mut second = needle.first_chunk::<GRAM>().map_or(0, |gram| self.rarity(gram));
        for (at, gram) in needle.array_windows::<GRAM>().enumerate().skip(1) {
            let first = std::mem::replace(&mut second, self.rarity(gram));
            let rarity = first.min(second);
            if rarity > best.1 {
                best = (at - 1, rarity);
            }
        }
        best.0
    }

    /// How rare a gram is, as `letters` tells it.
    fn rarity(&self, gram: &[u8; GRAM]) -> i32 {
        if USUAL.iter().any(|usual| usual.as_bytes() == gram) {
            return i32::MIN;
        }
        let [first, ..] = *gram;
        let pairs = gram.array_windows::<2>();
        let in_mail = alone(first) + pairs.map(|[a, b]| after(*a, *b)).sum::<i32>();
        let in_needles = self.0.get(Self::place(gram)).copied().unwrap_or(0);
        let in_needles = (u32::from(in_needles) + 1).ilog2();
        in_mail - USE_WEIGHT * i32::try_from(in_needles).unwrap_or(0)
    }
}

/// Grams that nearly every mail holds, in its text or its markup.
const USUAL: [&str; 48] = [
    "http", "ttp:", "ttps", "tps:", "tp:/", "ps:/", "p://", "s://", "://w", "//ww", "/www", "www.", ".com", "com/",
    "com ", "href", "ref=", "styl", "tyle", "yle=", "span", "font", "nbsp", "bsp;", "&nbs", "clas", "lass", "mail",
    "emai", "text", "widt", "idth", "your", " you", "you ", "the ", " the", "and ", " and", "tion", "ion ", "ing ",
    "for ", " for", "this", "that", "with", " to ",
];

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Keeps every place: needle and byte.
    #[derive(Default)]
    pub(in crate::rules::compile) struct All(pub Vec<(usize, usize)>);

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
        let needles = [
            "fee",
            "aaa",
            "bank",
            "bank transfer",
            "f\u{e4}llig",
            "aaaa",
            "aaaaa",
            "aaaaaaa",
            "x@y.z",
        ];
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
        assert_eq!(found(&["ab", "", "abc", "abcd"], "abcd"), [(2, 0), (3, 0)]);
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
        for (needle, expected) in [("your zzyzx", 5), ("aaaa", 0), ("aaaaaaaa", 0)] {
            let usage = Usage::of([needle.as_bytes()].into_iter());
            assert_eq!(usage.rarest(needle.as_bytes()), expected, "{needle}");
        }
    }

    #[test]
    fn what_many_needles_share_is_not_what_they_are_found_by() {
        let needles = ["pension one day", "pension mornings", "pension allowance"];
        let usage = Usage::of(needles.iter().map(|needle| needle.as_bytes()));
        for needle in needles {
            assert!(usage.rarest(needle.as_bytes()) > 4, "{needle}");
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
