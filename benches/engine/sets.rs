//! Generated rule sets and the texts that they are asked of.
//!
//! Enters: a number, so that a run can be had again, and real texts if there are any. Leaves: regexes, needles,
//! rule files, a text. Knows nothing of engines.

use crate::folder::files_below;
use std::fmt::Write;
use std::path::Path;

/// A source of numbers that are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `most`.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

/// Where words come from: made up, or real mail.
pub struct Words {
    /// What rules are made of, in the order of some text.
    phrases: Vec<String>,
    /// What is judged.
    pub text: String,
}

impl Words {
    /// Of a language that nobody speaks: few words make up most of any text, as in every language.
    pub fn made_up(bytes: usize) -> Self {
        let mut dice = Dice(7);
        let syllables = [
            "ba", "ren", "to", "li", "ses", "mo", "ka", "dun", "ve", "hil", "por", "ta", "nes", "gu", "ri",
        ];
        let vocabulary: Vec<String> = (0..6_000)
            .map(|number| {
                let count = 1 + usize::from(number > 40) + usize::from(number > 600) + dice.below(2);
                (0..count).map(|_| syllables[dice.below(syllables.len())]).collect()
            })
            .collect();
        // The rank falls off as Zipf's law says: the square of an even number does nearly that.
        let mut word = || {
            let share = dice.below(1_000) * dice.below(1_000);
            vocabulary[share * vocabulary.len() / 1_000_000].clone()
        };
        let phrases = (0..200_000).map(|_| word()).collect();
        let mut text = String::new();
        while text.len() < bytes {
            let line: Vec<String> = (0..11).map(|_| word()).collect();
            text.push_str(&line.join(" "));
            text.push('\n');
        }
        Self { phrases, text }
    }

    /// Of real mail below a folder: every second text is judged, the others lend rules their words.
    pub fn of_folder(folder: &Path, bytes: usize) -> Self {
        let files = files_below(folder);
        let (mut phrases, mut text) = (Vec::new(), String::new());
        for (number, file) in files.iter().step_by((files.len() / 2_000).max(1)).enumerate() {
            let Ok(mail) = std::fs::read(file) else { continue };
            let message = portreeve::mail::Message::parse(&mail, &portreeve::mail::Limits::default());
            if number % 2 == 0 {
                if text.len() < bytes {
                    text.push_str(message.text());
                    text.push('\n');
                }
            } else if phrases.len() < 400_000 {
                let plain = |word: &&str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
                phrases.extend(message.text().split_whitespace().filter(plain).map(str::to_lowercase));
            }
        }
        text.truncate(text.floor_char_boundary(bytes));
        assert!(
            !phrases.is_empty() && !text.is_empty(),
            "no text below {}",
            folder.display()
        );
        Self { phrases, text }
    }

    /// Has rules made of other mail than the text is.
    pub fn take_phrases_of(&mut self, other: Self) {
        self.phrases = other.phrases;
    }

    /// Some words that follow each other.
    fn phrase(&self, dice: &mut Dice, words: usize) -> Vec<&str> {
        let from = dice.below(self.phrases.len() - words);
        self.phrases[from..from + words].iter().map(String::as_str).collect()
    }

    /// Regexes as authors write them against phrases: three in ten plain, three with free blanks, two with an
    /// alternative or an option, two with digits. Each requires some literal text.
    pub fn regexes(&self, count: usize) -> Vec<String> {
        let mut dice = Dice(11);
        let mut one = || {
            let words = self.phrase(&mut dice, 4);
            let [a, b, c, d] = [words[0], words[1], words[2], words[3]];
            match dice.below(10) {
                0..3 => format!("{a} {b} {c}"),
                3..6 => format!(r"\b{a}\s+{b}\s+{c}\b"),
                6 => format!(r"\b{a} ({b}|{c}) {d}"),
                7 => format!("{a} (?:{b} )?{c} {d}"),
                8 => format!(r"{a} {b}:? ?[0-9]{{3,8}}"),
                _ => format!(r"\b{a} [a-z]{{2,12}} {c} {d}\b"),
            }
        };
        (0..count).map(|_| one()).collect()
    }

    /// Phrases to be found as they are.
    pub fn literals(&self, count: usize) -> Vec<String> {
        let mut dice = Dice(13);
        (0..count)
            .map(|_| {
                let words = 2 + dice.below(3);
                self.phrase(&mut dice, words).join(" ")
            })
            .collect()
    }
}

/// A rule file with a rule for each condition, numbered from the first.
pub fn rule_file(first: usize, conditions: &[String]) -> String {
    let mut file = String::new();
    for (number, condition) in conditions.iter().enumerate() {
        let _ = write!(
            file,
            "[[rule]]\nid = 'GENERATED_{:06}'\nsummary = 'one of many'\ncategory = 'spam'\nseverity = 'low'\n\
             score = 0.1\nwhen = '''{condition}'''\n",
            first + number
        );
    }
    file
}
