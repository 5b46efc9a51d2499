//! Words that are added to somebody's name so that a domain passes for a part of the house.
//!
//! Enters: a word in its comparable form. Leaves: whether it is one of these, or two of them. Knows nothing of
//! domains.

use super::fold;
use foldhash::HashSet;
use std::sync::LazyLock;

/// As people read them.
const WORDS: &[&str] = &[
    "account",
    "accounting",
    "accounts",
    "admin",
    "alert",
    "alerts",
    "app",
    "apps",
    "auth",
    "authority",
    "bank",
    "banking",
    "billing",
    "bill",
    "bins",
    "borough",
    "care",
    "centre",
    "center",
    "city",
    "claim",
    "claims",
    "client",
    "clients",
    "cloud",
    "co",
    "com",
    "company",
    "confirm",
    "contact",
    "corp",
    "corporate",
    "council",
    "county",
    "customer",
    "customers",
    "cyf",
    "cyngor",
    "delivery",
    "department",
    "dept",
    "desk",
    "digital",
    "direct",
    "district",
    "doc",
    "docs",
    "document",
    "documents",
    "email",
    "europe",
    "eu",
    "fees",
    "file",
    "files",
    "finance",
    "fine",
    "fines",
    "gb",
    "global",
    "gmbh",
    "gov",
    "government",
    "govt",
    "govuk",
    "group",
    "grants",
    "help",
    "helpdesk",
    "home",
    "hr",
    "id",
    "inc",
    "info",
    "intl",
    "international",
    "invoice",
    "invoices",
    "invoicing",
    "it",
    "limited",
    "live",
    "llp",
    "login",
    "logon",
    "ltd",
    "mail",
    "mailbox",
    "management",
    "mobile",
    "my",
    "mygov",
    "net",
    "news",
    "nhs",
    "notice",
    "notices",
    "notification",
    "notifications",
    "office",
    "official",
    "online",
    "order",
    "orders",
    "org",
    "parcel",
    "parking",
    "pay",
    "payment",
    "payments",
    "payroll",
    "pcn",
    "pension",
    "pensions",
    "planning",
    "plc",
    "police",
    "portal",
    "post",
    "procurement",
    "purchasing",
    "quote",
    "rebate",
    "refund",
    "refunds",
    "remittance",
    "renewal",
    "safe",
    "sales",
    "secure",
    "secured",
    "security",
    "service",
    "services",
    "share",
    "shared",
    "shop",
    "sign",
    "signin",
    "sms",
    "staff",
    "statement",
    "statements",
    "store",
    "support",
    "tax",
    "team",
    "tender",
    "tenders",
    "the",
    "track",
    "tracking",
    "treasury",
    "trust",
    "uk",
    "unit",
    "update",
    "updates",
    "user",
    "vendor",
    "vendors",
    "verification",
    "verify",
    "wales",
    "web",
    "webmail",
    "www",
];

static KEYS: LazyLock<HashSet<String>> = LazyLock::new(|| WORDS.iter().map(|word| fold::key(word)).collect());

/// Whether a word, as its key, is one of these, two of them in one, or a number.
pub(super) fn is_added(word: &str) -> bool {
    let is_one = |word: &str| KEYS.contains(word);
    if is_one(word) {
        return true;
    }
    // Digits that pass for letters are letters by now.
    let is_number = !word.is_empty()
        && word
            .bytes()
            .all(|byte| matches!(byte, b'2' | b'4' | b'6'..=b'9' | b'o' | b'l' | b'e' | b's'));
    let splits = word
        .char_indices()
        .skip(1)
        .filter_map(|(at, _)| word.split_at_checked(at));
    is_number || splits.into_iter().any(|(one, other)| is_one(one) && is_one(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_pairs_and_numbers_are_added() {
        for (word, added) in [
            ("payments", true),
            ("councilportal", true),
            ("24", true),
            ("2026", true),
            ("cathedral", false),
            ("", false),
        ] {
            assert_eq!(is_added(&fold::key(word)), added, "{word}");
        }
    }
}
