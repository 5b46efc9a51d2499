//! Sizes and durations as people write them: `50MB`, `64KiB`, `45s`, `1h30m`.
//!
//! One reading for settings and for the rule language. MB = 10⁶ bytes, MiB = 2²⁰.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// A span of time, written with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

const SIZE_UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("", 1),
];

const SPAN_UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// Reads a size; `None` when it is not one or does not fit.
pub fn parse_size(text: &str) -> Option<Size> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = SIZE_UNITS
        .iter()
        .find(|(name, _)| *name == unit.trim_start())
        .map(|(_, factor)| *factor)?;
    number.parse::<u64>().ok()?.checked_mul(factor).map(Size)
}

/// Reads a duration of one or more number-unit pairs; `None` when it is not one or does not fit.
pub fn parse_span(text: &str) -> Option<Span> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, after) = after.split_at_checked(letters)?;
        let factor = SPAN_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, factor)| *factor)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(Span(Duration::from_millis(total)))
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in [
            ("GB", 1_000_000_000),
            ("GiB", 1 << 30),
            ("MB", 1_000_000),
            ("MiB", 1 << 20),
            ("KB", 1_000),
            ("KiB", 1 << 10),
        ] {
            if self.0 != 0 && self.0.is_multiple_of(factor) {
                return write!(formatter, "{}{unit}", self.0 / factor);
            }
        }
        write!(formatter, "{}B", self.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        for (unit, factor) in SPAN_UNITS.iter().rev() {
            if millis != 0 && millis.is_multiple_of(*factor) {
                return write!(formatter, "{}{unit}", millis / factor);
            }
        }
        write!(formatter, "{millis}ms")
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_size(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a size such as \"50MB\" or \"64KiB\"")))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_span(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a duration such as \"45s\" or \"5m\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_back() {
        for (text, bytes) in [
            ("50MB", 50_000_000),
            ("64KiB", 65_536),
            ("0B", 0),
            ("7", 7),
            ("5MiB", 5 << 20),
        ] {
            assert_eq!(parse_size(text), Some(Size(bytes)), "{text}");
        }
        for text in ["", "MB", "-1MB", "5Mb", "1.5MB", "99999999999GB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(Size(50_000_000).to_string(), "50MB");
        assert_eq!(Size(65_536).to_string(), "64KiB");
    }

    #[test]
    fn spans_are_read_and_written_back() {
        for (text, millis) in [
            ("45s", 45_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("200ms", 200),
            ("30d", 2_592_000_000),
        ] {
            assert_eq!(parse_span(text), Some(Span(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "5", "5x", "m", "-5s", "99999999999999999999s"] {
            assert_eq!(parse_span(text), None, "{text}");
        }
        assert_eq!(Span(Duration::from_secs(300)).to_string(), "5m");
    }
}
