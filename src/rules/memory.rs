//! What a set of rules takes in memory, part by part.
//!
//! Enters: a set. Leaves: bytes, told from the structures themselves and never asked of the machine. Regexes
//! count from when they are compiled. What threads keep at hand while they look for something isn't known
//! here, nor what the allocator keeps beside.

use super::compile::{Condition, Pattern};
use super::files::File;
use super::set::RuleSet;
use super::source::Source;
use std::collections::HashSet;
use std::mem::size_of;
use std::sync::Arc;

/// What a set takes, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Literal texts and the tables by which they are found.
    pub needles: usize,
    /// Regexes, those that were never run in what is kept of their text alone.
    pub regexes: usize,
    /// Entries of lists that some condition uses, and the tables by which they and what resembles them are looked up.
    pub lists: usize,
    /// Conditions, what is known of rules, and files as read, their tests among them.
    pub rules: usize,
    /// The texts of all files, which the last good rules are kept of.
    pub texts: usize,
}

impl Memory {
    /// The words for the parts, in metrics and JSON.
    pub const PARTS: [&'static str; 5] = ["needles", "regexes", "lists", "rules", "texts"];

    /// Each part's bytes, in the order of [`Self::PARTS`].
    pub fn parts(&self) -> [(&'static str, usize); 5] {
        let bytes = [self.needles, self.regexes, self.lists, self.rules, self.texts];
        let mut parts = Self::PARTS.map(|part| (part, 0));
        parts.iter_mut().zip(bytes).for_each(|(part, bytes)| part.1 = bytes);
        parts
    }

    /// All of it.
    pub fn total(&self) -> usize {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Regexes change while they are run; the rest of a set never does.
pub(super) fn regexes(set: &RuleSet) -> usize {
    let patterns = set.scanner().patterns().iter();
    patterns
        .map(|pattern| size_of::<Pattern>() + pattern.heap_bytes())
        .sum()
}

/// All but regexes.
pub(super) fn fixed(set: &RuleSet) -> Memory {
    let mut known = HashSet::new();
    let lists = set.conditions().flat_map(Condition::lists);
    let lists = lists.filter(|list| known.insert(Arc::as_ptr(list)));
    let roots = set.roots.iter();
    let texts = roots.flat_map(|root| root.manifest.iter().chain(&root.files).chain(root.lists.values()));
    Memory {
        needles: set.scanner().heap_bytes(),
        regexes: 0,
        lists: lists.map(|list| list.heap_bytes()).sum::<usize>() + set.protected().heap_bytes(),
        rules: set.conditions().map(Condition::heap_bytes).sum::<usize>()
            + set.own_bytes()
            + set.stock.files.iter().map(|file| of_file(file)).sum::<usize>(),
        texts: texts.map(|source| of_text(source)).sum(),
    }
}

fn of_text(source: &Source) -> usize {
    size_of::<Source>() + source.name.capacity() + source.text.capacity()
}

/// What a file says is held in strings of its own, which are about as long together as its text is.
fn of_file(file: &File) -> usize {
    size_of::<File>() + file.content.entries_bytes() + file.source.text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::identity::Identity;
    use crate::evidence::{Evidence, Kept, Outside};
    use crate::mail::message::Limits;
    use crate::mail::{Client, Direction, Envelope, Mail, Message};
    use crate::rules::source::Root;
    use jiff::Timestamp;

    fn rule(id: &str, when: &str) -> String {
        format!("[[rule]]\nid = '{id}'\nsummary = 'x'\ncategory = 'spam'\nseverity = 'low'\nwhen = '''{when}'''\n")
    }

    fn set(text: &str) -> RuleSet {
        let root = Root {
            files: vec![Arc::new(Source::new("a.toml", text))],
            ..Root::default()
        };
        let loaded = RuleSet::from_roots(vec![root], Timestamp::UNIX_EPOCH);
        loaded.unwrap_or_else(|problems| panic!("{problems:#?}")).set
    }

    fn entries(count: usize) -> String {
        let entries: Vec<String> = (0..count).map(|number| format!("'host{number:05}.example'")).collect();
        format!("[lists.bad]\nkind = 'domain'\nvalues = [{}]\n", entries.join(", "))
    }

    #[test]
    fn each_part_grows_with_what_is_in_it() {
        type Part = fn(&Memory) -> usize;
        let least = set(&rule("ONE", "is_bulk")).memory();
        let needles: Vec<String> = (0..100).map(|number| format!("'pay {number}'")).collect();
        let needles = format!("body.text.icontains({})", needles.join(", "));
        let entries = entries(1_000) + &rule("ONE", "from.domain in $bad");
        let protected = entries
            .replace("lists.bad", "lists.partner_domains")
            .replace("$bad", "$partner_domains");
        let comment = format!("# {}\n{}", "x".repeat(10_000), rule("ONE", "is_bulk"));
        let cases: [(&str, String, Part, usize); 5] = [
            ("needles", rule("ONE", &needles), |memory| memory.needles, 100 * 5),
            (
                "regexes",
                rule("ONE", "subject.matches(/pay/i)"),
                |memory| memory.regexes,
                100,
            ),
            // Each entry stands there as written and as it is looked up.
            ("lists", entries, |memory| memory.lists, 1_000 * 2 * 17),
            // Domains are watched for look-alikes too: under several keys, and without each of their letters.
            ("lists", protected, |memory| memory.lists, 1_000 * 17 * 6),
            ("texts", comment, |memory| memory.texts, 10_000),
        ];
        for (part, text, of, more) in cases {
            let (bytes, before) = (of(&set(&text).memory()), of(&least));
            assert!(
                (before + more..before + 100 * more).contains(&bytes),
                "{part}: {before} and {bytes}"
            );
        }
        let rules: String = (0..100)
            .map(|number| rule(&format!("RULE_{number}"), "is_bulk and is_auto"))
            .collect();
        assert!(set(&rules).memory().rules > 50 * least.rules);
    }

    #[test]
    fn a_list_that_nobody_uses_takes_nothing_and_one_that_many_use_counts_once() {
        assert_eq!(set(&(entries(100) + &rule("ONE", "is_bulk"))).memory().lists, 0);
        let one = entries(100) + &rule("ONE", "from.domain in $bad");
        let two = one.clone() + &rule("TWO", "not (from.domain in $bad)");
        assert_eq!(set(&one).memory().lists, set(&two).memory().lists);
    }

    #[test]
    fn a_regex_counts_from_when_it_is_run() {
        let set = set(&rule("ONE", "subject.matches(/pay [a-z]{3,9}/i)"));
        let before = set.memory();
        for (subject, more) in [("hello", false), ("pay today", true)] {
            let mail = Mail {
                id: uuid::Uuid::nil(),
                received: Timestamp::UNIX_EPOCH,
                listener: "in".into(),
                direction: Direction::Inbound,
                client: Client::default(),
                envelope: Envelope::default(),
                bytes: format!("Subject: {subject}\r\n\r\n").into_bytes().into(),
            };
            set.evaluate(&Evidence {
                now: Timestamp::UNIX_EPOCH,
                mail: &mail,
                message: &Message::parse(&mail.bytes, &Limits::default()),
                outside: Outside::stranger(),
                kept: Kept::ALL,
                identity: Identity::against(set.protected()),
            });
            let now = set.memory();
            assert_eq!(now.regexes > before.regexes, more, "{subject}");
            assert_eq!(Memory { regexes: 0, ..now }, Memory { regexes: 0, ..before });
        }
    }

    #[test]
    fn parts_are_told_in_order_and_sum_up() {
        let memory = Memory {
            needles: 1,
            regexes: 20,
            lists: 300,
            rules: 4_000,
            texts: 50_000,
        };
        assert_eq!(memory.total(), 54_321);
        let parts = [
            ("needles", 1),
            ("regexes", 20),
            ("lists", 300),
            ("rules", 4_000),
            ("texts", 50_000),
        ];
        assert_eq!(memory.parts(), parts);
    }
}
