//! From fields that readers take differently: whom any of them would show is among the authors, and the message says
//! that readers differ. The classes are those of "Composition Kills" (USENIX Security 2020).

use super::*;

/// A header, and the addresses that some reader shows as the author.
pub(crate) const FORGED: &[(&str, &[&str])] = &[
    // Several fields, however they are spaced and folded.
    (
        "From: a@one.example\nFrom: b@two.example\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: a@one.example\nFROM: b@two.example\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From : a@one.example\nFrom: b@two.example\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: a@one.example\nFrom\t: b@two.example\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From:\n a@one.example\nFrom: b@two.example\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: a@one.example\nSubject: x\nfrom:b@two.example\n",
        &["a@one.example", "b@two.example"],
    ),
    // Several mailboxes in one.
    (
        "From: a@one.example, b@two.example\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: <a@one.example>, <b@two.example>\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: <a@one.example> <b@two.example>\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: <a@one.example><b@two.example>\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: a@one.example <b@two.example>\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: <a@one.example> b@two.example\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: a@one.example; b@two.example\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: Team: a@one.example, b@two.example;\n",
        &["a@one.example", "b@two.example"],
    ),
    // Routes, comments and quotes.
    ("From: <@one.example,@any.example:b@two.example>\n", &["b@two.example"]),
    (
        "From: <a@one.example>(c) <b@two.example>\n",
        &["a@one.example", "b@two.example"],
    ),
    ("From: (<a@one.example>) b@two.example\n", &["b@two.example"]),
    ("From: \"a@one.example\" <b@two.example>\n", &["b@two.example"]),
    ("From: \"<a@one.example>\", b@two.example\n", &["b@two.example"]),
    (
        "From: a@one.example\\, <b@two.example>\n",
        &["a@one.example", "b@two.example"],
    ),
    // Encoded, so that those who decode first find an address.
    (
        "From: =?utf-8?q?=3Ca=40one=2Eexample=3E=2C?= <b@two.example>\n",
        &["a@one.example", "b@two.example"],
    ),
    (
        "From: =?utf-8?b?PGFAb25lLmV4YW1wbGU+?=, <b@two.example>\n",
        &["a@one.example", "b@two.example"],
    ),
    ("From: =?utf-8?b?YUBvbmUuZXhhbXBsZQ==?=\n", &["a@one.example"]),
    // Broken off.
    ("From: <a@one.example\n", &["a@one.example"]),
    ("From: <a@one.example\0@two.example>\n", &["a@one.example@two.example"]),
    (
        "From: <a@one.example>\0<b@two.example>\n",
        &["a@one.example", "b@two.example"],
    ),
    ("From: \"a@one.example\n", &[]),
];

#[test]
fn whom_some_reader_shows_is_among_the_authors() {
    for (head, expected) in FORGED {
        let raw = format!("{head}To: c@three.example\n\nx\n");
        let message = Message::parse(raw.as_bytes(), &Limits::default());
        let found: Vec<&str> = message.authors().iter().map(|author| author.address.as_str()).collect();
        for address in *expected {
            assert!(found.contains(address), "{head:?}: {found:?}");
        }
    }
}

#[test]
fn that_readers_differ_is_told() {
    for (head, expected) in FORGED.iter().filter(|(_, expected)| expected.len() > 1) {
        let raw = format!("{head}To: c@three.example\n\nx\n");
        let message = Message::parse(raw.as_bytes(), &Limits::default());
        let words: Vec<&str> = message.defects().iter().map(|defect| defect.0).collect();
        let told = ["from-ambiguous", "from-several", "duplicate-from"];
        assert!(
            words.iter().any(|word| told.contains(word)),
            "{head:?}: {expected:?} {words:?}"
        );
    }
}

/// Fields that no reader takes for the author.
#[test]
fn what_is_nearly_from_is_no_author() {
    for head in [
        "Resent-From: a@one.example\n",
        "X-From: a@one.example\n",
        "From-: a@one.example\n",
        "Reply-To: a@one.example\n",
    ] {
        let raw = format!("{head}To: c@three.example\n\nx\n");
        assert!(
            Message::parse(raw.as_bytes(), &Limits::default()).authors().is_empty(),
            "{head:?}"
        );
    }
}
