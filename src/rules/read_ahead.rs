//! Texts read side by side on all cores, conditions some hundreds at a time.
//!
//! Enters: texts of conditions. Leaves: what each says, in the same order, and the regexes in them that are quickly
//! read. What a text says hangs on nothing else, so that no thread has to wait for another. Knows nothing of names,
//! files or what conditions mean.

use super::compile::{Pattern, quick_pattern};
use super::syntax::{self, Expr, ExprKind, Problem};
use std::num::NonZero;

/// Conditions that are read before the first of them is compiled.
pub(super) const BATCH: usize = 1_024;
/// Fewer aren't worth a thread of their own.
const PART_MIN: usize = 64;
/// Regexes of a condition are read so far, in bytes: whoever writes more than that has them read one by one, which
/// ends where a set becomes too large.
const REGEX_BYTES_MAX: usize = 1 << 10;

/// What a condition says, and what is wrong with it.
pub(super) type Read = (Option<Expr>, Vec<Problem>);

/// What one says, and the regexes in it that weren't known.
pub(super) type Ahead = (Read, Vec<Pattern>);

/// Does the same with each of many, on all cores; so few of them aren't worth a thread of their own. What comes of
/// each is where it is among them.
pub(super) fn side_by_side<I: Sync, O: Send>(items: &[I], few: usize, act: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let size = items.len().div_ceil(cores).max(few);
    let (own, others) = items.split_at(size.min(items.len()));
    let all = &|part: &[I]| part.iter().map(&act).collect::<Vec<O>>();
    std::thread::scope(|scope| {
        let workers = others.chunks(size).map(|part| {
            let thread = std::thread::Builder::new().name("rules".to_owned());
            (part, thread.spawn_scoped(scope, move || all(part)))
        });
        let workers: Vec<_> = workers.collect();
        let mut done = all(own);
        for (part, worker) in workers {
            let of_part = worker.ok().and_then(|worker| worker.join().ok());
            // What no thread was to be had for is done here.
            done.extend(of_part.unwrap_or_else(|| all(part)));
        }
        done
    })
}

/// Reads conditions. `is_known` tells of a regex as written whether it needn't be read.
pub(super) fn read(texts: &[&str], is_known: impl Fn(&str) -> bool + Sync) -> Vec<Ahead> {
    side_by_side(texts, PART_MIN, |text| {
        let read = syntax::parse(text);
        let mut patterns = Vec::new();
        let mut bytes_left = REGEX_BYTES_MAX;
        if let Some(expr) = &read.0 {
            regexes(expr, &mut |pattern, flags| {
                let fits = bytes_left.checked_sub(pattern.len());
                bytes_left = fits.unwrap_or(0);
                if fits.is_some() && !is_known(&Pattern::written(pattern, flags)) {
                    patterns.extend(quick_pattern(pattern, flags));
                }
            });
        }
        (read, patterns)
    })
}

// The parser's depth limit bounds the recursion.
fn regexes(expr: &Expr, found: &mut impl FnMut(&str, &str)) {
    if let ExprKind::Regex { pattern, flags } = &expr.kind {
        found(pattern, flags);
    }
    expr.kind.children().for_each(|child| regexes(child, found));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_comes_in_the_order_of_the_texts() {
        for count in [0, 1, PART_MIN - 1, PART_MIN, PART_MIN + 1, 5 * PART_MIN + 7] {
            let text = |number: usize| match number % 3 {
                0 => format!("subject.matches(/pay {number}/i) or"),
                _ => format!("subject.matches(/pay {number}/i) and not body.text.matches(/known/)"),
            };
            let texts: Vec<String> = (0..count).map(text).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let ahead = read(&texts, |source| source == "/known/");
            assert_eq!(ahead.len(), count);
            for (number, (text, (read, patterns))) in texts.iter().zip(&ahead).enumerate() {
                assert_eq!(format!("{read:?}"), format!("{:?}", syntax::parse(text)));
                let sources: Vec<&str> = patterns.iter().map(|pattern| pattern.source.as_str()).collect();
                let expected = format!("/pay {number}/i");
                let expected: &[&str] = if number % 3 == 0 { &[] } else { &[&expected] };
                assert_eq!(sources, expected);
            }
        }
    }

    #[test]
    fn what_is_large_or_wrong_is_left_to_be_read_in_its_turn() {
        let long = format!("subject.matches(/{}/)", "a".repeat(REGEX_BYTES_MAX / 2));
        let longer = format!("{long} or {}", long.replace("/a", "/b"));
        let longest = format!("{longer} or subject.matches(/c/)");
        for (text, expected) in [
            ("subject.matches(/(/)", 0),
            ("subject.matches(/a{9999}/)", 0),
            ("subject.matches(/a{99}/)", 1),
            (long.as_str(), 1),
            (longer.as_str(), 2),
            (longest.as_str(), 2),
        ] {
            let ahead = read(&[text], |_| false);
            assert_eq!(ahead[0].1.len(), expected, "{} bytes", text.len());
        }
    }
}
