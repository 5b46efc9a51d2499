//! The keys of rule files: one row each, with what it holds and what it is for.
//!
//! The reader, the reference and the schema for editors all go by these tables: a key that has no
//! row here is refused. Knows nothing of how a value is used.

mod scene;

pub use scene::{ATTACHMENT, AUTH, BANK_DETAILS, CLIENT, ENVELOPE, HISTORY, LISTING, MAIL, TEST, VERDICT_TEST};

use super::lists::{COLUMN_TYPES, ListKind};
use super::test_entry::Expectation;
use super::{Action, Category, Severity, Status};

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub enum Holds {
    /// A string.
    Text,
    /// A string that says something.
    Said,
    /// A line for people, at most [`super::pack::SUMMARY_CHARS_MAX`] characters.
    Summary,
    /// A condition in the rule language.
    Condition,
    /// A rule's id.
    RuleId,
    /// Ids of rules.
    RuleIds,
    /// One id of a rule, or several.
    OneOrMoreRuleIds,
    /// A name: lower-case letters, digits, `-` and `_`.
    Name,
    /// Names.
    Names,
    /// A list of strings.
    Texts,
    /// One string, or a list of them.
    OneOrMoreTexts,
    /// One of some words.
    Word(fn() -> Vec<&'static str>),
    /// Points, from -100 to 100.
    Score,
    /// A whole number, 0 or more.
    Count,
    /// True or false.
    Truth,
    /// A date without quotes.
    Date,
    /// A time with its offset, without quotes.
    Time,
    /// A version such as `1.2.3`.
    Version,
    /// A table with these keys.
    Table(&'static Shape),
    /// An IP address, or a table with these keys.
    AddressOrTable(&'static Shape),
    /// Tables with these keys, each under `[[key]]`.
    Tables(&'static Shape),
    /// A table whose keys are names of the author's own, each holding such a table.
    Named(&'static Shape),
    /// A table whose keys are the author's own, each holding one string or several.
    NamedTexts,
    /// A table whose keys are names of lists, each holding entries or one of them.
    NamedEntries,
    /// A table whose keys are names of columns, each holding the word for a type.
    Columns,
    /// Tables whose keys are columns.
    Rows,
    /// Entries of a list: strings, or rows of a table.
    Entries,
}

/// A key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// Whether it must be there.
    pub needed: bool,
    /// What it holds.
    pub holds: Holds,
    /// What it is for, a line without a full stop.
    pub doc: &'static str,
}

/// The keys of one kind of table.
#[derive(Debug)]
pub struct Shape {
    /// What such a table is, in messages.
    pub what: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

const fn key(name: &'static str, holds: Holds, doc: &'static str) -> Key {
    Key {
        name,
        needed: false,
        holds,
        doc,
    }
}

const fn needed(name: &'static str, holds: Holds, doc: &'static str) -> Key {
    Key {
        needed: true,
        ..key(name, holds, doc)
    }
}

use crate::evidence::Origin;
use Holds::{
    Columns, Condition, Date, Entries, Name, Named, Names, OneOrMoreRuleIds, OneOrMoreTexts, Rows, RuleId, RuleIds,
    Said, Score, Summary, Tables, Text, Texts, Version, Word,
};

/// A rule file.
pub const RULE_FILE: Shape = Shape {
    what: "rule file",
    keys: &[
        key("rule", Tables(&RULE), "rules"),
        key(
            "lists",
            Named(&LIST),
            "lists that conditions look things up in, as `$name`",
        ),
        key("define", Tables(&DEFINE), "named conditions, used as `@name`"),
        key("override", Tables(&OVERRIDE), "changes to rules of other files"),
        key(
            "list_override",
            Tables(&LIST_OVERRIDE),
            "changes to lists of other files",
        ),
        key("exception", Tables(&EXCEPTION), "mail that a rule lets pass"),
        key("verdict_test", Tables(&VERDICT_TEST), "mails and what becomes of them"),
    ],
};

/// `[[rule]]`.
pub const RULE: Shape = Shape {
    what: "rule",
    keys: &[
        needed(
            "id",
            RuleId,
            "its name for logs, overrides and other rules; unique in the set",
        ),
        needed("summary", Summary, "one line for people"),
        needed("category", Word(categories), "what it is about"),
        needed("severity", Word(severities), "how bad it is if the rule is right"),
        key(
            "score",
            Score,
            "points that a match adds, kept in hundredths; 0 without it",
        ),
        needed("when", Condition, "the condition"),
        key(
            "status",
            Word(statuses),
            "`shadow` is evaluated and counted, and never acts; `active` without it",
        ),
        key("action", Word(actions), "floor: the least that is done on a match"),
        key("cap", Word(actions), "ceiling: the most that this rule alone may cause"),
        key(
            "group",
            Name,
            "of the rules of a group only the strongest positive score counts",
        ),
        key(
            "replaces",
            RuleIds,
            "rules whose score this one takes away; their floors stay",
        ),
        key("tags", Names, "words to choose rules by"),
        key("owner", Text, "who answers for it"),
        key("references", OneOrMoreTexts, "where to read more"),
        key("false_positives", OneOrMoreTexts, "wanted mail that it may match"),
        key(
            "renamed_from",
            OneOrMoreRuleIds,
            "older ids, which overrides, exceptions and `@` still find",
        ),
        key(
            "expires",
            Date,
            "the last day on which it acts, UTC; then it is a shadow",
        ),
        key("test", Tables(&TEST), "mails that it must match, or mustn't"),
    ],
};

/// `[[define]]`.
pub const DEFINE: Shape = Shape {
    what: "define",
    keys: &[
        needed("name", Name, "what conditions write after `@`"),
        needed("when", Condition, "the condition"),
        key("summary", Text, "a line for people"),
    ],
};

/// `[lists.NAME]`.
pub const LIST: Shape = Shape {
    what: "list",
    keys: &[
        needed("kind", Word(kinds), "what its entries are"),
        key("values", Texts, "the entries"),
        key("file", Text, "a file with an entry a line, within the pack"),
        key("columns", Columns, "of a table: the type of each column"),
        key("rows", Rows, "of a table: its rows"),
        key("summary", Text, "a line for people"),
        key("owner", Text, "who answers for it"),
    ],
};

/// `[[override]]`.
pub const OVERRIDE: Shape = Shape {
    what: "override",
    keys: &[
        key("rule", RuleId, "the rule that is changed"),
        key("tag", Text, "rules with this tag are changed"),
        key("category", Word(categories), "rules of this category are changed"),
        key("pack", Text, "rules of this pack are changed"),
        key("score", Score, "the new score"),
        key("severity", Word(severities), "the new severity"),
        key("status", Word(statuses), "the new status"),
        key("action", Word(actions), "the new floor"),
        key("cap", Word(actions), "the new ceiling"),
        key("group", Name, "the new group"),
        key("reason", Text, "why"),
        key("owner", Text, "who answers for it"),
    ],
};

/// `[[list_override]]`.
pub const LIST_OVERRIDE: Shape = Shape {
    what: "list override",
    keys: &[
        needed("list", Text, "the list, without its `$`"),
        key("add", Entries, "entries to add; of a table, rows"),
        key("remove", Texts, "entries to take out; of a table, a cell of each row"),
        key("replace", Entries, "entries to hold instead of all others"),
        key(
            "file",
            Text,
            "a list file within the same folder, whose entries are added",
        ),
        key("reason", Text, "why"),
        key("owner", Text, "who answers for it"),
    ],
};

/// `[[exception]]`.
pub const EXCEPTION: Shape = Shape {
    what: "exception",
    keys: &[
        needed("rule", RuleId, "the rule"),
        needed("name", Text, "its name in logs"),
        needed(
            "when",
            Condition,
            "what mail is let pass; it counts only when it is true",
        ),
        needed("reason", Said, "why"),
        needed("owner", Said, "who answers for it"),
        needed("expires", Date, "the last day on which it counts, UTC"),
    ],
};

/// `pack.toml`.
pub const MANIFEST: Shape = Shape {
    what: "pack's manifest",
    keys: &[
        needed("name", Name, "the pack's name"),
        needed("version", Text, "its version"),
        key("license", Text, "who may use it, an SPDX expression"),
        key("engine", Version, "the least version of portreeve that it needs"),
        key("summary", Text, "a line for people"),
        key("homepage", Text, "where to find more"),
        key("owner", Text, "who answers for it"),
    ],
};

impl Shape {
    /// Whether it has such a key.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// The names of its keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.keys.iter().map(|key| key.name)
    }
}

fn origins() -> Vec<&'static str> {
    Origin::ALL.map(Origin::as_str).to_vec()
}

fn categories() -> Vec<&'static str> {
    Category::ALL.map(Category::as_str).to_vec()
}

fn severities() -> Vec<&'static str> {
    Severity::ALL.map(Severity::as_str).to_vec()
}

fn statuses() -> Vec<&'static str> {
    Status::ALL.map(Status::as_str).to_vec()
}

fn actions() -> Vec<&'static str> {
    Action::ALL.map(Action::as_str).to_vec()
}

fn kinds() -> Vec<&'static str> {
    ListKind::ALL.map(ListKind::as_str).to_vec()
}

fn directions() -> Vec<&'static str> {
    vec!["inbound", "outbound"]
}

fn expectations() -> Vec<&'static str> {
    Expectation::WORDS.map(|(word, _)| word).to_vec()
}

/// The words for a column's type, each also within `list<…>`.
pub fn column_types() -> Vec<&'static str> {
    COLUMN_TYPES.map(|(word, _)| word).to_vec()
}

/// Keys that people know from elsewhere, and ours; of several the first that the table has.
const FOREIGN_KEYS: &[(&str, &str)] = &[
    ("id", "rule"),
    ("name", "id"),
    ("name", "summary"),
    ("title", "summary"),
    ("description", "summary"),
    ("describe", "summary"),
    ("message", "summary"),
    ("condition", "when"),
    ("expression", "when"),
    ("source", "when"),
    ("detection", "when"),
    ("query", "when"),
    ("match", "when"),
    ("if", "when"),
    ("level", "severity"),
    ("priority", "severity"),
    ("weight", "score"),
    ("points", "score"),
    ("enabled", "status"),
    ("disabled", "status"),
    ("state", "status"),
    ("mode", "status"),
    ("author", "owner"),
    ("authors", "owner"),
    ("maintainer", "owner"),
    ("reference", "references"),
    ("url", "references"),
    ("type", "kind"),
    ("type", "category"),
    ("entries", "values"),
    ("items", "values"),
    ("path", "file"),
    ("until", "expires"),
    ("expiry", "expires"),
    ("comment", "reason"),
    ("note", "reason"),
    ("sender", "from"),
    ("recipient", "to"),
    ("recipients", "to"),
    ("body", "text"),
    ("plain", "text"),
    ("filename", "name"),
    ("content_type", "type"),
    ("data", "content"),
    ("ip", "client"),
    ("expected", "expect"),
    ("result", "expect"),
    ("list", "lists"),
    ("test", "verdict_test"),
    ("licence", "license"),
];

/// The key that a person may have meant by one from elsewhere.
pub(super) fn familiar(name: &str, shape: &Shape) -> Option<&'static str> {
    let rows = FOREIGN_KEYS.iter().filter(|(foreign, _)| *foreign == name);
    rows.map(|(_, ours)| *ours).find(|ours| shape.has(ours))
}

/// Words that people know from elsewhere, and ours; of several the first that is allowed.
const FOREIGN_WORDS: &[(&str, &str)] = &[
    ("drop", "reject"),
    ("block", "reject"),
    ("deny", "reject"),
    ("discard", "quarantine"),
    ("hold", "quarantine"),
    ("junk", "quarantine"),
    ("isolate", "quarantine"),
    ("allow", "deliver"),
    ("accept", "deliver"),
    ("pass", "deliver"),
    ("mark", "tag"),
    ("add header", "tag"),
    ("greylist", "defer"),
    ("tempfail", "defer"),
    ("soft reject", "defer"),
    ("on", "active"),
    ("enabled", "active"),
    ("stable", "active"),
    ("live", "active"),
    ("off", "shadow"),
    ("disabled", "shadow"),
    ("test", "shadow"),
    ("experimental", "shadow"),
    ("monitor", "shadow"),
    ("informational", "info"),
    ("moderate", "medium"),
    ("severe", "critical"),
    ("phishing", "credential-phishing"),
    ("phish", "credential-phishing"),
    ("credential-theft", "credential-phishing"),
    ("virus", "malware"),
    ("ransomware", "malware"),
    ("fraud", "payment-fraud"),
    ("bec", "payment-fraud"),
    ("scam", "advance-fee"),
    ("ham", "trust"),
    ("ip", "cidr"),
    ("network", "cidr"),
    ("email", "address"),
    ("host", "domain"),
    ("string", "text"),
    ("regex", "text"),
    ("hash", "sha256"),
    ("hit", "match"),
    ("positive", "match"),
    ("yes", "match"),
    ("true", "match"),
    ("miss", "no-match"),
    ("negative", "no-match"),
    ("no", "no-match"),
    ("false", "no-match"),
    ("incoming", "inbound"),
    ("outgoing", "outbound"),
];

/// The word that a person may have meant by one from elsewhere.
pub(super) fn familiar_word(word: &str, allowed: impl Iterator<Item = &'static str> + Clone) -> Option<&'static str> {
    let word = word.to_lowercase();
    let rows = FOREIGN_WORDS.iter().filter(|(foreign, _)| *foreign == word);
    rows.map(|(_, ours)| *ours)
        .find(|ours| allowed.clone().any(|allowed| allowed == *ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [&Shape; 15] = [
        &RULE_FILE,
        &RULE,
        &DEFINE,
        &LIST,
        &OVERRIDE,
        &LIST_OVERRIDE,
        &EXCEPTION,
        &TEST,
        &VERDICT_TEST,
        &MAIL,
        &ATTACHMENT,
        &CLIENT,
        &ENVELOPE,
        &AUTH,
        &MANIFEST,
    ];

    #[test]
    fn keys_are_unique_and_described() {
        for shape in SHAPES {
            for (place, key) in shape.keys.iter().enumerate() {
                let before = shape.keys.get(..place).unwrap_or_default();
                assert!(
                    before.iter().all(|other| other.name != key.name),
                    "{} {}",
                    shape.what,
                    key.name
                );
                assert!(
                    !key.doc.is_empty() && !key.doc.ends_with('.'),
                    "{} {}",
                    shape.what,
                    key.name
                );
            }
        }
    }

    #[test]
    fn what_is_familiar_leads_to_keys_and_words_of_ours() {
        for (foreign, ours) in FOREIGN_KEYS {
            assert!(
                SHAPES.iter().any(|shape| shape.has(ours) && !shape.has(foreign)),
                "{foreign}"
            );
        }
        let lists = [
            categories,
            severities,
            statuses,
            actions,
            kinds,
            directions,
            expectations,
        ];
        for (foreign, ours) in FOREIGN_WORDS {
            assert!(
                lists
                    .iter()
                    .any(|words| words().contains(ours) && !words().contains(foreign)),
                "{foreign}"
            );
        }
        assert_eq!(familiar("name", &RULE), Some("id"));
        assert_eq!(familiar("title", &MAIL), None);
        assert_eq!(familiar_word("Block", actions().into_iter()), Some("reject"));
    }
}
