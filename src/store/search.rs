//! How listings and searches compare text, the same in every store.
//!
//! Text is folded to lower case once, when it is kept, and so is what is looked for. Nothing here
//! is a pattern: `%`, `_` and `\` are letters like any other.

use super::LIMIT_MAX;
use crate::telemetry::MessageEvent;
use jiff::Timestamp;

/// How many a query returns when it doesn't say.
const LIMIT_DEFAULT: u32 = 100;

/// Text in its comparable form, on one line.
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase().replace('\n', " ")
}

/// Several texts as one to search in, kept apart by line ends, which a folded text never holds: so
/// nothing is found that straddles two.
pub(super) fn fold_all<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut folded = String::new();
    for text in texts {
        if !folded.is_empty() {
            folded.push('\n');
        }
        folded.push_str(&fold(text));
    }
    folded
}

/// Whom a journal record is from: reverse-path and author.
pub(super) fn senders(event: &MessageEvent) -> String {
    fold_all([event.from.as_str(), event.author.as_str()])
}

/// Whom it is to.
pub(super) fn recipients(event: &MessageEvent) -> String {
    fold_all(event.recipients.iter().map(|recipient| recipient.address.as_str()))
}

/// When it was received, nanoseconds since 1970. One whose time can't be read sorts as the oldest
/// and is the first to expire, so that a bad record never stops the ones beside it.
pub(super) fn received(event: &MessageEvent) -> i64 {
    event.time.parse().map_or(0, nanoseconds)
}

/// A time as it is stored; times past the year 2262 become that.
pub(super) fn nanoseconds(time: Timestamp) -> i64 {
    let bound = if time.as_second() < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(time.as_nanosecond()).unwrap_or(bound)
}

/// How many a query wants.
pub(super) const fn limit(asked: u32) -> u32 {
    match asked {
        0 => LIMIT_DEFAULT,
        1..=LIMIT_MAX => asked,
        _ => LIMIT_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_one_below_at_and_above() {
        for (asked, given) in [
            (0, 100),
            (1, 1),
            (LIMIT_MAX - 1, LIMIT_MAX - 1),
            (LIMIT_MAX, LIMIT_MAX),
            (LIMIT_MAX + 1, LIMIT_MAX),
            (u32::MAX, LIMIT_MAX),
        ] {
            assert_eq!(limit(asked), given, "{asked}");
        }
    }

    #[test]
    fn times_out_of_reach_stay_at_the_edge() {
        assert_eq!(nanoseconds(Timestamp::MAX), i64::MAX);
        assert_eq!(nanoseconds(Timestamp::MIN), i64::MIN);
        assert_eq!(nanoseconds(Timestamp::UNIX_EPOCH), 0);
        let event = MessageEvent {
            time: "yesterday".to_owned(),
            ..MessageEvent::default()
        };
        assert_eq!(received(&event), 0);
    }

    #[test]
    fn texts_are_folded_and_kept_apart() {
        assert_eq!(fold_all(["Ann@Example.org", "ÄNN\n@x"]), "ann@example.org\nänn @x");
        assert_eq!(fold_all([]), "");
    }
}
