//! Addresses of cryptocurrencies in a text, those whose checksum is right.
//!
//! Enters: rendered text. Leaves: Bitcoin and its kin in base58 (checked by double SHA-256) or bech32 (BIP 173, BIP 350),
//! Tron, Ethereum and Monero by their form. Linear in the text: words of other lengths are passed over. Knows nothing of
//! what is asked for.

use ring::digest::{SHA256, digest};

/// Addresses that are kept.
pub(super) const ADDRESSES: usize = 100;
/// Words that have the form of one and are looked at closer.
const CANDIDATES: usize = 10_000;

/// Every address, each once, in order.
pub(super) fn addresses(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let candidates = words.filter(|word| has_form(word)).take(CANDIDATES);
    let mut found: Vec<String> = Vec::new();
    for word in candidates.filter(|word| is_address(word)) {
        if found.len() < ADDRESSES && !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
    }
    found
}

/// Lengths and beginnings, which nearly no word has.
fn has_form(word: &str) -> bool {
    match word.len() {
        42 if word.starts_with("0x") => true,
        95 => word.starts_with(['4', '8']),
        26..=35 if word.starts_with(['1', '3', 'L', 'M', 'D', 'T']) => true,
        14..=90 => segwit_prefix(word).is_some(),
        _ => false,
    }
}

fn is_address(word: &str) -> bool {
    match word.len() {
        42 if word.starts_with("0x") => word.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit()),
        95 => word.bytes().all(|byte| BASE58.contains(&byte)) && has_all_sorts(word),
        _ if segwit_prefix(word).is_some() => is_bech32(word),
        _ => is_base58(word),
    }
}

/// What is long and of one sort of letter is something else.
fn has_all_sorts(word: &str) -> bool {
    let has = |sort: fn(&u8) -> bool| word.as_bytes().iter().any(sort);
    has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Versions of addresses: Bitcoin, Dogecoin, Litecoin and Tron.
const VERSIONS: &[u8] = &[0x00, 0x05, 0x1e, 0x30, 0x32, 0x41];

/// A version, 20 bytes, and the first four of the double digest of these.
fn is_base58(word: &str) -> bool {
    const BYTES: usize = 25;
    let mut number = [0_u8; BYTES];
    for byte in word.bytes() {
        let Some(value) = BASE58.iter().position(|letter| *letter == byte) else {
            return false;
        };
        let mut carry = u32::try_from(value).unwrap_or(0);
        for place in number.iter_mut().rev() {
            carry += u32::from(*place) * 58;
            *place = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let (Some(payload), Some(check)) = (number.get(..21), number.get(21..)) else {
        return false;
    };
    let leading = word.bytes().take_while(|byte| *byte == b'1').count();
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let sum = digest(&SHA256, digest(&SHA256, payload).as_ref());
    leading == zeros
        && VERSIONS.iter().any(|version| payload.first() == Some(version))
        && sum.as_ref().get(..4) == Some(check)
}

/// The part before the separator, of addresses that have one.
fn segwit_prefix(word: &str) -> Option<&'static str> {
    let is_of = |prefix: &&&str| {
        let head = word.get(..prefix.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(prefix))
            && word.get(prefix.len()..).is_some_and(|rest| rest.starts_with('1'))
    };
    ["bc", "ltc"].iter().find(is_of).copied()
}

const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The checksum of BIP 173, whose constant is 1, or of BIP 350.
fn is_bech32(word: &str) -> bool {
    const BIP_173: u32 = 1;
    const BIP_350: u32 = 0x2bc8_30a3;
    let has_both_cases =
        word.bytes().any(|byte| byte.is_ascii_lowercase()) && word.bytes().any(|byte| byte.is_ascii_uppercase());
    let Some(prefix) = segwit_prefix(word).filter(|_| !has_both_cases) else {
        return false;
    };
    let data = word.get(prefix.len() + 1..).unwrap_or("").bytes();
    let values = data.map(|byte| BECH32.iter().position(|letter| *letter == byte.to_ascii_lowercase()));
    let high = prefix.bytes().map(|byte| Some(usize::from(byte >> 5)));
    let low = prefix.bytes().map(|byte| Some(usize::from(byte & 31)));
    let all = high.chain([Some(0)]).chain(low).chain(values);
    let sum = all.into_iter().try_fold(1_u32, |sum, value| {
        const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let top = sum >> 25;
        let next = (sum & 0x1ff_ffff) << 5 ^ u32::try_from(value?).ok()?;
        let mixed = GENERATORS.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1);
        Some(mixed.fold(next, |sum, (_, generator)| sum ^ generator))
    });
    matches!(sum, Some(BIP_173 | BIP_350))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the standards' own examples.
    const BITCOIN: &str = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";
    const SCRIPT: &str = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy";
    const SEGWIT: &str = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    const TAPROOT: &str = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0";
    const ETHEREUM: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

    #[test]
    fn addresses_are_checked() {
        for (text, expected) in [
            (format!("Send to {BITCOIN}."), vec![BITCOIN]),
            (format!("{SCRIPT} or <{SEGWIT}>"), vec![SCRIPT, SEGWIT]),
            (
                SEGWIT.to_uppercase(),
                vec!["BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"],
            ),
            (format!("bitcoin:{TAPROOT}?amount=1"), vec![TAPROOT]),
            (format!("{ETHEREUM} {ETHEREUM}"), vec![ETHEREUM]),
            (BITCOIN.replace("Na", "Nb"), vec![]),
            (SEGWIT.replace("3t4", "3t5"), vec![]),
            (SEGWIT.replace("bc1q", "bc1Q"), vec![]),
            (ETHEREUM.replace("Aed", "Aeg"), vec![]),
            (format!("{ETHEREUM}0"), vec![]),
            ("1234567890123456789012345678".to_owned(), vec![]),
            ("4".repeat(95), vec![]),
            (String::new(), vec![]),
        ] {
            assert_eq!(addresses(&text), expected, "{text}");
        }
    }

    #[test]
    fn addresses_are_limited() {
        for (count, kept) in [
            (ADDRESSES - 1, ADDRESSES - 1),
            (ADDRESSES, ADDRESSES),
            (ADDRESSES + 1, ADDRESSES),
        ] {
            let text: String = (0..count).map(|number| format!("0x{number:040x} ")).collect();
            assert_eq!(addresses(&text).len(), kept);
        }
        let hidden = format!(
            "{} {BITCOIN}",
            "1".repeat(26).as_str().to_owned() + &" 11111111111111111111111111".repeat(CANDIDATES)
        );
        assert!(addresses(&hidden).is_empty(), "beyond the limit nothing is looked at");
    }
}
