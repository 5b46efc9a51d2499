//! Rule sets and conditions made up along the grammar, from a row of choices.
//!
//! Numbers in, rule files out; what is cut off or set to zero gives something simpler, so that a failing
//! case shrinks. Some of what comes out is refused by the compiler. Knows nothing of what it means.

use super::vocabulary::Thing::{self, Address, Attachment, Domain, Link, Row, Text};
use super::vocabulary::*;
use std::fmt::Write;

/// A row of choices; when it has run out, the first of everything.
pub(super) struct Choices<'c> {
    row: &'c [u16],
    at: usize,
}

impl<'c> Choices<'c> {
    pub(super) fn new(row: &'c [u16]) -> Self {
        Self { row, at: 0 }
    }

    /// One of so many.
    pub(super) fn below(&mut self, many: usize) -> usize {
        let choice = self.row.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(choice) % many
    }

    pub(super) fn of<'t>(&mut self, table: &[&'t str]) -> &'t str {
        table[self.below(table.len())]
    }

    /// Mostly not.
    pub(super) fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == many - 1
    }
}

/// A rule set: each entry stands in a file of its own, the lists in the first.
pub(super) fn rule_set(choices: &mut Choices<'_>) -> Vec<String> {
    let mut files = vec![LIST_FILE.to_owned()];
    let mut named: Vec<String> = Vec::new();
    for number in 0..choices.below(4) {
        let when = Author::new(choices, &named).condition(2);
        files.push(format!("[[define]]\nname = \"named_{number}\"\nwhen = '''{when}'''\n"));
        named.push(format!("@named_{number}"));
    }
    for number in 0..1 + choices.below(8) {
        let id = format!("{}_{number}", if number < 3 { "LURE" } else { "RULE" });
        let sets: &[&str] = if number < 3 { &[] } else { &["@LURE_*", "@tag:odd"] };
        let mut author = Author::new(choices, &named);
        author.sets = sets;
        let (depth, end) = (1 + author.choices.below(3), author.choices.below(8));
        let mut file = format!("[[rule]]\nid = \"{id}\"\nwhen = '''{}'''\n", author.condition(depth));
        file.push_str("summary = \"x\"\ncategory = \"spam\"\nseverity = \"low\"\nscore = 1\n");
        file.push_str(match end {
            6 => "expires = 2026-06-01\n",
            7 => "expires = 2028-06-01\n",
            _ => "",
        });
        if author.choices.once_in(4) {
            file.push_str("status = \"shadow\"\n");
        }
        if number < 3 && number % 2 == 1 {
            file.push_str("tags = [\"odd\"]\n");
        }
        for exception in 0..author.choices.below(2) {
            let (when, year) = (author.condition(1), 2026 + author.choices.below(3));
            let _ = write!(
                file,
                "[[exception]]\nrule = \"{id}\"\nname = \"e{exception}\"\nwhen = '''{when}'''\n\
                 reason = \"r\"\nowner = \"o\"\nexpires = {year}-06-01\n"
            );
        }
        files.push(file);
        named.push(format!("@{id}"));
    }
    files
}

/// Writes one condition.
pub(super) struct Author<'a, 'c> {
    choices: &'a mut Choices<'c>,
    /// Rules and defines that may be referred to.
    named: &'a [String],
    /// Sets of rules that may be referred to.
    sets: &'a [&'a str],
    variables: Vec<(String, Thing)>,
}

impl<'a, 'c> Author<'a, 'c> {
    fn new(choices: &'a mut Choices<'c>, named: &'a [String]) -> Self {
        Self {
            choices,
            named,
            sets: &[],
            variables: Vec::new(),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth > 0 {
            match self.choices.below(9) {
                0 => {}
                1 | 2 => return self.joined(" and ", depth - 1),
                3 => return self.joined(" or ", depth - 1),
                4 => return format!("not ({})", self.condition(depth - 1)),
                5 => return self.of(depth - 1),
                6 | 7 if self.variables.len() < 2 => return self.walk(&["any", "all", "any"], depth - 1),
                _ => return self.compared_count(depth - 1),
            }
        }
        match self.choices.below(20) {
            0..=4 => {
                let (text, test) = (self.text(1), self.test());
                format!("{text}.{test}")
            }
            5 | 6 => {
                let text = self.text(1);
                format!("{text}.matches({})", self.regexes())
            }
            7 => self.domain_test(),
            8 => self.address_test(),
            9 => self.number_test(),
            10 => self.time_test(),
            11 => format!("({})", self.pick(TRUTHS, true)),
            12 => {
                let value = self.anything();
                format!("{}({value})", self.choices.of(&["known", "present"]))
            }
            13 => self.reference(),
            14 => {
                let text = self.text(0);
                let many = self.literals(3);
                format!("{text} {} [{many}]", self.choices.of(&["in", "not in"]))
            }
            15 => {
                let (text, list) = (self.text(0), self.choices.of(&["$words", "$names", "$hashes"]));
                format!("({text} + '') in {list}")
            }
            16 => {
                let (left, right) = (self.text(1), self.text(0));
                format!("({left} + '') {} ({right} + '')", self.choices.of(&["==", "!="]))
            }
            17 => {
                let other = self.choices.of(&["'invoice'", "$words", "from.name", "$partners"]);
                format!("{}.similar_to({other}, {})", self.text(0), 1 + self.choices.below(3))
            }
            18 => format!(
                "(client.ip {} or links.any(u, u.target in $bad_urls))",
                self.choices.of(&["in $networks", "== '192.0.2.7'"])
            ),
            _ => {
                let default = self.choices.of(&["true", "false"]);
                let inner = self.condition(0);
                format!("(({inner}) ?? {default})")
            }
        }
    }

    fn joined(&mut self, word: &str, depth: usize) -> String {
        let links = 2 + self.choices.below(2);
        let links: Vec<String> = (0..links).map(|_| format!("({})", self.condition(depth))).collect();
        links.join(word)
    }

    fn quantity(&mut self) -> &'static str {
        self.choices.of(&["any", "all", "none", "2", "1", "3"])
    }

    fn of(&mut self, depth: usize) -> String {
        let quantity = self.quantity();
        match self.choices.below(4) {
            0 => {
                let text = self.text(0);
                format!("{quantity} of {text}.{}", self.test_of_several())
            }
            1 => {
                let text = self.text(0);
                format!("{quantity} of {text}.matches({}, {})", self.regexes(), self.regexes())
            }
            2 if !self.sets.is_empty() => format!("{quantity} of {}", self.choices.of(self.sets)),
            _ => {
                let several: Vec<String> = (0..3).map(|_| self.condition(depth)).collect();
                format!("{quantity} of ({})", several.join(", "))
            }
        }
    }

    fn list(&mut self) -> (String, Thing) {
        let inner = self.variables.last().cloned();
        match (self.choices.below(LISTS.len() + 3), inner) {
            (0, Some((name, Attachment))) => (format!("{name}.other_names"), Text),
            (0, Some((name, Row))) => (format!("{name}.addresses"), Address),
            (0, Some((name, Text))) => (format!("{name}.domains()"), Domain),
            (choice, _) => {
                let (list, thing) = LISTS[choice % LISTS.len()];
                (list.to_owned(), thing)
            }
        }
    }

    fn walk(&mut self, ways: &[&str], depth: usize) -> String {
        let (list, thing) = self.list();
        let (way, name) = (self.choices.of(ways), self.choices.of(&["x", "y"]));
        self.variables.push((name.to_owned(), thing));
        let condition = self.condition(depth);
        self.variables.pop();
        format!("{list}.{way}({name}, {condition})")
    }

    fn compared_count(&mut self, depth: usize) -> String {
        let walk = self.walk(&["count"], depth);
        match self.choices.below(6) {
            0 => format!("known({walk})"),
            1 => format!("{walk} in [0, 2]"),
            2 => format!("{walk} > 1.5"),
            3 => format!("({walk} ?? 7) == 7"),
            4 => format!("({walk} + 1) <= 2"),
            _ => format!("{walk} {} {}", self.choices.of(&LENGTHS), self.choices.below(4)),
        }
    }

    /// A field, or something of the item at hand.
    fn pick(&mut self, table: &[&str], is_truth: bool) -> String {
        let items: Vec<String> = self
            .variables
            .iter()
            .flat_map(|variable| members(variable, table, is_truth))
            .collect();
        match items.is_empty() || self.choices.once_in(4) {
            true => self.choices.of(table).to_owned(),
            false => items[self.choices.below(items.len())].clone(),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let text = self.pick(TEXTS, false);
        if depth == 0 {
            return text;
        }
        match self.choices.below(10) {
            0..=4 => text,
            5 => format!("{text}.lower()"),
            6 => format!("{text}.skeleton()"),
            7 => format!("(({text} + '') ?? {})", self.literal(2)),
            8 => format!("({text} + {})", self.literal(2)),
            _ => match self.variables.iter().find(|(_, thing)| *thing == Link) {
                Some((name, _)) => format!("{name}.target.param('a')"),
                None => text,
            },
        }
    }

    fn literal(&mut self, pieces_max: usize) -> String {
        let pieces = self.choices.below(pieces_max + 1);
        let text: String = (0..pieces).map(|_| self.choices.of(PIECES)).collect();
        format!("'{text}'")
    }

    fn literals(&mut self, many: usize) -> String {
        let several: Vec<String> = (0..1 + self.choices.below(many)).map(|_| self.literal(3)).collect();
        several.join(", ")
    }

    fn test(&mut self) -> String {
        let method = self.choices.of(&[
            "icontains",
            "contains",
            "starts_with",
            "istarts_with",
            "ends_with",
            "iends_with",
            "iequals",
            "icontains",
        ]);
        let needles = match self.choices.below(8) {
            0..=4 => self.literals(3),
            5 => self
                .choices
                .of(&["$words", "$names", "$nothing", "$partners", "$many", "$many"])
                .to_owned(),
            6 => self.pick(TEXTS, false),
            _ => format!("{}, $words", self.literals(2)),
        };
        format!("{method}({needles})")
    }

    fn test_of_several(&mut self) -> String {
        let method = self.choices.of(&["icontains", "contains", "iends_with"]);
        let needles: Vec<String> = (0..3).map(|_| self.literal(2)).collect();
        let more = self.choices.of(&["", ", $words", ", subject"]);
        format!("{method}({}{more})", needles.join(", "))
    }

    fn regexes(&mut self) -> String {
        let regex = self.regex(2);
        format!(
            "/{}/{}",
            regex,
            self.choices.of(&["", "i", "m", "s", "u", "iu", "ims", "x"])
        )
    }

    fn regex(&mut self, depth: usize) -> String {
        let mut text = self.choices.of(&["", "", "", "^", r"\b", "(?m)^"]).to_owned();
        for _ in 0..1 + self.choices.below(4) {
            let part = match self.choices.below(9) {
                0..=2 => self.choices.of(PIECES).replace('.', r"\."),
                3 => self
                    .choices
                    .of(&[
                        r"\w",
                        r"\d",
                        r"\s",
                        r"\W",
                        ".",
                        "[a-k]",
                        "[^a ]",
                        r"[\w.]",
                        "[ßK]",
                        r"\S",
                        "[[:alpha:]]",
                    ])
                    .to_owned(),
                4 if depth > 0 => format!("({}|{})", self.regex(depth - 1), self.regex(depth - 1)),
                5 if depth > 0 => format!("(?:{})", self.regex(depth - 1)),
                6 => "pay now".to_owned(),
                7 => "invoice".to_owned(),
                _ => self
                    .choices
                    .of(&["[Pp]ay", "(?i:K)ey", "s{1,3}", "https?://", "(?:a|b)+", r"\.example"])
                    .to_owned(),
            };
            text.push_str(&part);
            if self.choices.once_in(3) {
                let is_one = part.chars().count() == 1 || part.ends_with(')') || part.ends_with(']');
                let repeat = self.choices.of(&["?", "*", "+", "{1,3}", "{2}", "+?", "{0,40}"]);
                text.push_str(if is_one { repeat } else { "" });
            }
        }
        text.push_str(self.choices.of(&["", "", "", "$", r"\b", "(?m)$"]));
        text
    }

    fn domain_test(&mut self) -> String {
        let domain = self.pick(DOMAINS, false);
        match self.choices.below(5) {
            0 => format!("{domain} in $partners"),
            1 => format!("{domain} not in $partners"),
            2 => format!(
                "{domain} {} {}",
                self.choices.of(&["==", "!="]),
                self.pick(DOMAINS, false)
            ),
            3 => format!("{domain} in [{}, 'bank.example']", self.pick(DOMAINS, false)),
            _ => format!("({domain} ?? 'bank.example') == 'bank.example'"),
        }
    }

    fn address_test(&mut self) -> String {
        let address = self.pick(ADDRESSES, false);
        match self.choices.below(4) {
            0 => format!("{address} in $people"),
            1 => format!("{address} {} 'jane@SENDER.example'", self.choices.of(&["==", "!="])),
            2 => format!("{address} in envelope.to"),
            _ => format!(
                "'bob@council.example' not in {}",
                self.choices.of(&["envelope.to", "body.text.addresses()"])
            ),
        }
    }

    fn number(&mut self) -> String {
        match self.choices.below(6) {
            0..=2 => self.pick(NUMBERS, false),
            3 => {
                let (text, regex) = (self.text(0), self.regexes());
                format!("{text}.count({regex})")
            }
            4 => format!("({} + {})", self.pick(NUMBERS, false), self.choices.below(5)),
            _ => format!("({} ?? {})", self.pick(NUMBERS, false), self.choices.below(5)),
        }
    }

    fn number_test(&mut self) -> String {
        let (left, operator) = (self.number(), self.choices.of(&["==", ">=", "<", "!=", "<=", ">"]));
        match self.choices.below(4) {
            0..=2 => format!("{left} {operator} {}", self.choices.below(6)),
            _ => format!("-{left} {operator} {}", self.number()),
        }
    }

    fn time_test(&mut self) -> String {
        let time = self.choices.of(TIMES);
        match self.choices.below(3) {
            0 => format!("{time} {} 2027-01-01", self.choices.of(&["<", ">="])),
            1 => format!("now - {time} {} 2d", self.choices.of(&["<", ">="])),
            _ => format!("message.age {} 12h", self.choices.of(&["<", ">="])),
        }
    }

    fn reference(&mut self) -> String {
        match self.named.is_empty() {
            true => "false".to_owned(),
            false => self.named[self.choices.below(self.named.len())].clone(),
        }
    }

    fn anything(&mut self) -> String {
        match self.choices.below(6) {
            0 => self.pick(DOMAINS, false),
            1 => self.number(),
            2 => self.list().0,
            3 => self.condition(0),
            4 => self.choices.of(TIMES).to_owned(),
            _ => self.text(0),
        }
    }
}
