//! How likely letters are in mail, and after each other: a table, measured once over some thousands of
//! messages, lower case, text and markup as it is read.
//!
//! Figures are surprisals in about a seventh of a bit: the higher, the rarer. Knows nothing of needles.

use std::sync::LazyLock;

/// Letters, then blank, digit, mark of markup or addresses, and all else.
const CLASSES: usize = 30;
/// Of what surprisals are told in.
const UNITS_A_BIT: f64 = 7.0;

/// How rare a byte is by itself.
pub(super) fn alone(byte: u8) -> i32 {
    ALONE.get(class(byte)).copied().map_or(0, i32::from)
}

/// How rare a byte is after another.
pub(super) fn after(first: u8, second: u8) -> i32 {
    let row = AFTER.get(class(first));
    row.and_then(|row| row.get(class(second))).copied().map_or(0, i32::from)
}

/// Of a hundred bytes of mail, roughly, how many are among some, told by a bit for each byte, of letters the small
/// ones; a class of bytes counts as soon as one is.
pub(super) fn percent(bytes: &[u64; 4]) -> u32 {
    let is_among = |members: &[u64; 4]| members.iter().zip(bytes).any(|(members, bytes)| members & bytes != 0);
    let surprisals = ALONE
        .iter()
        .zip(MEMBERS.iter())
        .filter(|(_, members)| is_among(members));
    let shares = surprisals.filter_map(|(surprisal, _)| SHARES.get(usize::from(*surprisal)));
    shares.sum::<u32>() / SHARES_A_PERCENT
}

/// Of how many parts in ten thousand each surprisal tells, from none on.
static SHARES: LazyLock<[u32; 128]> = LazyLock::new(|| {
    let share = |surprisal: usize| 0.5_f64.powf(surprisal as f64 / UNITS_A_BIT) * 10_000.0;
    std::array::from_fn(|surprisal| share(surprisal) as u32)
});
const SHARES_A_PERCENT: u32 = 100;

/// The bytes of each class, a bit each.
static MEMBERS: LazyLock<[[u64; 4]; CLASSES]> = LazyLock::new(|| {
    let mut members = [[0; 4]; CLASSES];
    for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_uppercase()) {
        let words = members.get_mut(class(byte));
        if let Some(word) = words.and_then(|words| words.get_mut(usize::from(byte / 64))) {
            *word |= 1 << (byte % 64);
        }
    }
    members
});

fn class(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a'),
        b' ' | b'\n' => 26,
        b'0'..=b'9' => 27,
        b'/' | b':' | b'.' | b'-' | b'_' | b'=' | b'"' | b'<' | b'>' | b'\'' | b'&' | b';' | b'#' | b'%' | b'?' => 28,
        _ => 29,
    }
}

#[rustfmt::skip]
const ALONE: [u8; CLASSES] = [
    30, 41, 37, 36, 27, 41, 41, 39, 31, 62, 51, 34, 39, 32, 31, 37, 61, 33, 32, 29, 41, 48, 47, 48, 46, 59, 22, 28,
    20, 36,
];

/// By the byte before, then the byte.
#[rustfmt::skip]
const AFTER: [[u8; CLASSES]; CLASSES] = [
    [
        53, 32, 29, 28, 56, 51, 39, 55, 33, 66, 46, 24, 32, 19, 65, 37, 66, 25, 27, 25, 43, 42, 58, 49, 40, 59, 29,
        36, 35, 42,
    ],
    [
        28, 46, 45, 48, 24, 49, 50, 61, 28, 46, 52, 20, 49, 62, 20, 57, 63, 23, 27, 51, 29, 59, 61, 61, 39, 66, 41,
        26, 30, 39,
    ],
    [
        25, 54, 41, 50, 21, 51, 65, 26, 32, 69, 28, 28, 50, 54, 15, 51, 66, 36, 46, 27, 39, 59, 65, 67, 53, 66, 37,
        31, 31, 44,
    ],
    [
        32, 51, 45, 28, 18, 50, 57, 59, 19, 57, 63, 51, 48, 55, 32, 57, 65, 39, 43, 31, 42, 58, 58, 65, 38, 68, 18,
        31, 23, 39,
    ],
    [
        34, 45, 34, 31, 40, 39, 48, 58, 38, 69, 64, 33, 37, 25, 58, 48, 53, 21, 29, 32, 56, 43, 50, 37, 55, 65, 19,
        39, 20, 39,
    ],
    [
        27, 47, 46, 44, 31, 24, 60, 64, 25, 62, 63, 41, 56, 51, 16, 52, 63, 31, 39, 33, 40, 62, 56, 63, 52, 61, 23,
        24, 26, 38,
    ],
    [
        37, 42, 50, 59, 22, 59, 51, 24, 26, 66, 53, 43, 42, 26, 33, 47, 67, 29, 40, 38, 38, 61, 61, 63, 57, 61, 20,
        44, 17, 39,
    ],
    [
        21, 61, 59, 47, 13, 60, 62, 65, 23, 65, 65, 55, 52, 50, 27, 55, 67, 34, 53, 20, 47, 62, 57, 68, 49, 55, 28,
        41, 25, 46,
    ],
    [
        35, 42, 31, 28, 38, 36, 28, 62, 66, 68, 54, 28, 33, 15, 29, 45, 65, 39, 26, 26, 55, 30, 72, 53, 72, 36, 37,
        52, 43, 51,
    ],
    [
        21, 42, 42, 43, 21, 41, 45, 41, 38, 38, 40, 44, 40, 41, 25, 33, 45, 40, 40, 43, 20, 41, 43, 43, 45, 43, 48,
        25, 34, 46,
    ],
    [
        35, 40, 49, 41, 18, 49, 27, 51, 29, 53, 52, 42, 48, 38, 39, 48, 43, 47, 29, 40, 40, 48, 50, 53, 49, 53, 20,
        33, 18, 35,
    ],
    [
        23, 61, 55, 38, 16, 57, 63, 52, 19, 69, 52, 25, 53, 56, 24, 43, 71, 60, 35, 35, 40, 48, 63, 67, 32, 65, 28,
        49, 27, 41,
    ],
    [
        15, 41, 45, 48, 20, 57, 41, 55, 25, 56, 64, 36, 40, 52, 30, 26, 61, 60, 29, 53, 42, 62, 60, 60, 44, 66, 27,
        42, 23, 43,
    ],
    [
        37, 39, 37, 26, 25, 44, 21, 53, 38, 67, 43, 46, 57, 47, 28, 58, 69, 64, 30, 19, 41, 53, 67, 68, 49, 65, 22,
        50, 22, 43,
    ],
    [
        53, 46, 37, 36, 51, 36, 46, 61, 48, 63, 49, 29, 28, 17, 39, 35, 70, 18, 37, 30, 26, 46, 37, 54, 60, 64, 26,
        55, 31, 46,
    ],
    [
        17, 60, 50, 49, 27, 59, 49, 42, 37, 70, 64, 30, 46, 52, 27, 36, 65, 29, 32, 33, 40, 63, 64, 22, 45, 68, 32,
        47, 18, 48,
    ],
    [
        39, 43, 42, 34, 40, 44, 45, 47, 41, 48, 45, 35, 42, 46, 42, 46, 45, 45, 41, 40, 8, 42, 43, 43, 46, 43, 42,
        26, 28, 44,
    ],
    [
        27, 57, 40, 32, 18, 51, 32, 62, 26, 72, 45, 46, 37, 41, 25, 47, 62, 43, 34, 31, 40, 51, 58, 61, 42, 67, 24,
        49, 19, 42,
    ],
    [
        36, 55, 37, 55, 22, 56, 58, 40, 28, 73, 54, 54, 50, 56, 30, 24, 61, 45, 29, 19, 34, 65, 59, 73, 49, 71, 20,
        51, 21, 36,
    ],
    [
        27, 50, 50, 38, 22, 61, 67, 21, 26, 73, 72, 48, 46, 67, 26, 40, 72, 29, 39, 34, 42, 69, 54, 62, 30, 69, 22,
        51, 19, 42,
    ],
    [
        38, 32, 33, 39, 29, 43, 38, 47, 35, 60, 54, 27, 32, 22, 39, 31, 62, 23, 20, 24, 61, 54, 59, 41, 55, 59, 32,
        44, 40, 51,
    ],
    [
        25, 53, 51, 47, 11, 53, 54, 54, 20, 57, 55, 52, 41, 54, 31, 52, 53, 48, 50, 51, 50, 53, 51, 54, 53, 57, 29,
        34, 19, 44,
    ],
    [
        25, 55, 56, 52, 22, 54, 55, 26, 14, 62, 56, 51, 51, 40, 25, 47, 59, 29, 38, 54, 52, 54, 30, 51, 55, 56, 29,
        35, 28, 47,
    ],
    [
        39, 53, 43, 52, 37, 47, 55, 48, 41, 52, 58, 54, 35, 54, 51, 38, 53, 48, 51, 20, 52, 55, 55, 33, 52, 55, 21,
        29, 10, 37,
    ],
    [
        43, 50, 51, 58, 40, 55, 58, 57, 46, 59, 57, 16, 50, 47, 23, 33, 59, 41, 35, 42, 52, 57, 49, 58, 59, 55, 15,
        39, 18, 34,
    ],
    [
        32, 45, 45, 45, 9, 42, 44, 44, 31, 44, 45, 42, 45, 45, 32, 46, 46, 44, 47, 42, 33, 46, 45, 46, 43, 42, 36,
        27, 33, 45,
    ],
    [
        27, 33, 29, 35, 39, 34, 45, 36, 30, 54, 53, 38, 35, 39, 36, 35, 59, 38, 27, 25, 42, 46, 34, 62, 47, 70, 99,
        28, 20, 29,
    ],
    [
        39, 40, 40, 39, 39, 38, 58, 59, 58, 60, 59, 58, 57, 59, 60, 30, 61, 57, 58, 57, 59, 58, 60, 50, 60, 59, 27,
        7, 20, 30,
    ],
    [
        40, 36, 35, 38, 47, 40, 49, 42, 45, 66, 64, 42, 40, 43, 44, 37, 60, 46, 33, 32, 48, 54, 44, 57, 70, 75, 15,
        27, 12, 42,
    ],
    [
        45, 50, 43, 44, 41, 47, 51, 50, 35, 70, 67, 44, 43, 48, 48, 45, 69, 51, 39, 48, 57, 56, 57, 62, 63, 80, 9,
        26, 23, 17,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_pairs_are_told_from_odd_ones() {
        for (usual, odd) in [(b"th", b"tq"), (b"qu", b"qz"), (b"e ", b"ej"), (b"in", b"iw")] {
            assert!(after(usual[0], usual[1]) < after(odd[0], odd[1]));
        }
        assert!(alone(b'e') < alone(b'z'));
        assert!((90..=120).contains(&percent(&[u64::MAX; 4])) && percent(&[0; 4]) == 0);
        let [e, z] = [b'e', b'z'].map(|byte| 1 << (byte - 64));
        assert!(percent(&[0, z, 0, 0]) < percent(&[0, e | z, 0, 0]));
    }
}
