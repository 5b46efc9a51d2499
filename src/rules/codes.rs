//! The codes of diagnostics: a row each, for the reference and for comments that silence.
//!
//! A test holds the table to the code, and each row to an example of what is said. Knows nothing of
//! how a mistake is found.

/// Every code and what it says, a line each without a full stop, in the order of the alphabet.
pub const CODES: &[(&str, &str)] = &[
    (
        "action-above-cap",
        "the least that a rule does is more than the most that it may cause",
    ),
    ("bad-address", "what should be an IP address isn't one"),
    ("bad-base64", "what should be base64 isn't"),
    ("bad-date", "what looks like a date isn't one"),
    ("bad-domain", "what should be a domain isn't one"),
    (
        "bad-header",
        "a test's header field has a name or a value that can't stand in a header",
    ),
    ("bad-id", "a rule's id isn't 3 to 64 of A-Z, 0-9 and `_`"),
    (
        "bad-lambda",
        "the first argument of `any` and its kin isn't a name for each item",
    ),
    ("bad-list-entry", "an entry isn't of its list's kind"),
    (
        "bad-literal",
        "a string beside a domain, an address or the like can't be read as one",
    ),
    (
        "bad-name",
        "a name of a list, define, group, tag or pack isn't one, or is missing after its sign",
    ),
    ("bad-number", "a number, size or duration can't be read"),
    ("bad-quantity", "an `N of` that always or never holds"),
    (
        "bad-regex",
        "a regex can't be read or used; look-around and back-references are never",
    ),
    ("bad-regex-flag", "what follows a regex's closing slash isn't its flags"),
    ("bad-summary", "a summary is empty, too long, or more than a line"),
    ("bad-version", "a version isn't of the form 1.2.3"),
    ("bad-word", "a word isn't among those that a key takes"),
    (
        "case-sensitive",
        "a regex on what people wrote looks for small letters only (warning)",
    ),
    (
        "chained-comparison",
        "comparisons are chained, which other languages read in different ways",
    ),
    ("changing", "files changed each time that they were read"),
    ("cycle", "conditions refer to each other in a circle"),
    ("duplicate-define", "two defines have one name"),
    ("duplicate-list", "two lists have one name"),
    ("duplicate-pack", "two packs have one name, or one has the house's"),
    ("duplicate-rule", "two rules have one id"),
    ("empty-match", "a regex that can match nothing at all is counted"),
    ("empty-needle", "an empty needle never matches (warning)"),
    ("empty-parentheses", "parentheses hold nothing"),
    ("empty-value", "a key that must say something says nothing"),
    ("engine-too-old", "a pack needs a newer version of portreeve"),
    (
        "escaped-condition",
        "a condition with a backslash stands in a basic string, where TOML changes it",
    ),
    (
        "escaped-quote",
        "a backslash stands before a quote, as if strings weren't raw",
    ),
    ("expired", "a rule or an exception has come to its end (warning)"),
    ("foreign-comment", "a comment of another language"),
    (
        "foreign-operator",
        "an operator of another language, understood all the same (warning)",
    ),
    ("foreign-word", "a word of another language that has no meaning here"),
    (
        "identity-list",
        "a list that `identity` goes by is of another kind, or has no column of names",
    ),
    (
        "impossible-value",
        "a string is compared with a field that is never written so (warning)",
    ),
    ("infix-method", "what is a method here stands between two operands"),
    ("layout", "a file can't be laid out without a change to what it means"),
    ("list-emptied", "a reload would empty a list"),
    ("list-file", "a list's file can't be read"),
    ("list-override", "a list can't be changed in this way"),
    (
        "list-shrank",
        "a reload would take more than half of a list's entries away",
    ),
    ("list-vanished", "a reload would do away with a list"),
    ("mail-file", "a test's mail file can't be read"),
    (
        "matches-anything",
        "a regex that can match nothing at all matches every text (warning)",
    ),
    ("misplaced-not", "`not` stands after an operator"),
    ("misplaced-regex", "a regex stands where none is looked for"),
    ("misplaced-rules", "a set of rules stands where one condition should"),
    ("missing-key", "a key that must be there isn't"),
    ("nested-pack", "a pack lies inside another"),
    ("not-a-condition", "a value stands where something true or false should"),
    ("not-a-file", "a folder has the name of a rule file"),
    (
        "not-gathered",
        "a fact isn't gathered in this version and is unknown in live mail (warning)",
    ),
    ("not-utf8", "a file isn't encoded as UTF-8"),
    (
        "nothing-to-remove",
        "an entry to be removed isn't in its list (warning)",
    ),
    ("out-of-range", "a number lies outside what is allowed"),
    (
        "override-target",
        "an override names no rules, or names them in two ways",
    ),
    ("regex-too-large", "a regex takes too much memory once compiled"),
    ("repeated-needle", "a needle stands twice in one test (warning)"),
    (
        "set-too-large",
        "all rules together ask for more than there is room for",
    ),
    (
        "several-conditions",
        "several conditions stand in parentheses without telling how many must hold",
    ),
    ("shadowed-field", "a name for an item is also that of a field (warning)"),
    ("single-equals", "`=` stands for `==`"),
    (
        "slow-pattern",
        "a regex requires no literal text, so that it runs on every message (warning; in a pack, error)",
    ),
    ("smart-quote", "a typographic quote stands in a condition"),
    ("snapshot", "the last good generation on disk can't be used"),
    ("toml-syntax", "a file isn't TOML"),
    ("too-deep", "conditions or folders are nested too deep"),
    ("too-large", "a condition or a list is too large"),
    ("too-many-files", "there are too many rule files"),
    ("too-many-rules", "there are too many rules"),
    ("unclosed", "parentheses or brackets aren't closed"),
    ("unclosed-regex", "a regex isn't closed"),
    ("unclosed-string", "a string isn't closed"),
    ("unescaped-slash", "a slash within a regex ends it"),
    (
        "unexpected-arguments",
        "something is called that is written without parentheses",
    ),
    ("unexpected-character", "a character has no meaning in conditions"),
    ("unexpected-end", "a condition ends too early"),
    ("unexpected-token", "a word or a sign stands where another should"),
    ("unguarded-all", "an `all` is true of an empty list (warning)"),
    ("unknown-field", "there is no such field"),
    ("unknown-function", "there is no such function or method"),
    ("unknown-key", "a table has no such key"),
    ("unknown-list", "there is no such list"),
    ("unknown-rule", "there is no such rule, define or set of rules"),
    ("unopened", "parentheses or brackets are closed that were never opened"),
    ("unreadable", "a file or folder can't be read"),
    ("values-and-file", "a list has entries both of its own and from a file"),
    ("whole-mail", "a mail that is given whole has other keys as well"),
    (
        "wildcard",
        "`*` and the signs of regexes stand for themselves in a string (warning)",
    ),
    ("wrong-arguments", "a function takes other arguments, or more, or fewer"),
    ("wrong-type", "a value is of another type than what it meets"),
];

/// Whether diagnostics have such a code.
pub fn is_code(code: &str) -> bool {
    CODES.iter().any(|(known, _)| *known == code)
}
