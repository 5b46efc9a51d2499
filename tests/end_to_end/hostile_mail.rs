//! Mail made to exhaust whoever reads it: each is answered, and the gate is there for the next one.

use crate::support::{Client, Gate, Sink, mail};

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";

/// What each repeats, and around what. A megabyte or so each, all within one part.
const HTML: &[(&str, &str, &str, usize)] = &[
    // A tokenizer that calls itself for each quoted attribute of a tag ran out of stack on the first.
    ("double-quoted attributes of one tag", "<a ", "x=\"1\" ", 150_000),
    ("single-quoted attributes of one tag", "<a ", "x='1' ", 150_000),
    ("bare attributes of one tag", "<a ", "x ", 400_000),
    ("attributes without a space between", "<a ", "x=\"1\"", 150_000),
    ("slashes in a tag", "<a ", "/", 1_000_000),
    ("entities", "<p>", "&amp;", 200_000),
    ("entities in an attribute", "<a x=\"", "&amp;", 200_000),
    ("half entities", "<p>", "&", 1_000_000),
    ("opening brackets", "<p>", "<", 1_000_000),
    ("half end tags", "<p>", "</", 500_000),
    ("dashes in a comment", "<!--", "-", 1_000_000),
    ("comments in a comment", "<!--", "<!-", 300_000),
    ("declarations", "", "<!", 500_000),
    ("scripts in a script", "<script>", "<!--<script", 90_000),
    ("half ends of a style", "<style>", "</", 500_000),
    ("a character section", "<svg><![CDATA[", "]", 1_000_000),
    ("nested elements", "", "<div><table><tr><td>", 50_000),
    (
        "links",
        "",
        "<a href=\"https://a.example/\">https://b.example</a>",
        20_000,
    ),
    ("style declarations", "<p style=\"", "color:red;", 100_000),
];

/// The same for headers and structure.
const HEADERS: &[(&str, &str, usize)] = &[
    ("header fields", "X-A: b\r\n", 50_000),
    ("received fields of nobody", "Received:\r\n", 50),
    ("addresses", "To: a@b.example,\r\n", 20_000),
    (
        "encoded words",
        "Subject: =?utf-8?B?YQ==?= =?utf-8?B?YQ==?=\r\n",
        10_000,
    ),
    (
        "comments that never close",
        "Date: ((((((((((((((((((((((((((((((((((((\r\n",
        5_000,
    ),
];

#[test]
fn no_html_stops_the_gate() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "[policy]\nmode = \"observe\"\n");
    for (name, start, repeated, times) in HTML {
        let header = "From: a@parish.example\r\nSubject: html\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n";
        let message = format!("{header}{start}{}\r\n", repeated.repeat(*times));
        answered(&gate, name, message.as_bytes());
    }
}

#[test]
fn no_header_stops_the_gate() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "[policy]\nmode = \"observe\"\n");
    for (name, field, times) in HEADERS {
        let message = format!("From: a@parish.example\r\n{}\r\nbody\r\n", field.repeat(*times));
        answered(&gate, name, message.as_bytes());
    }
    let folded = format!(
        "From: a@parish.example\r\nX-A: b\r\n{}\r\nbody\r\n",
        " c\r\n".repeat(200_000)
    );
    answered(&gate, "folds of one field", folded.as_bytes());
}

#[test]
fn no_nesting_stops_the_gate() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "[policy]\nmode = \"observe\"\n");
    let header = "From: a@parish.example\r\nSubject: nested\r\nMIME-Version: 1.0\r\n";
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(20_000);
    answered(&gate, "messages in messages", format!("{header}{messages}").as_bytes());
    let parts: String = (0..10_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=\"{n}\"\r\n\r\n--{n}\r\n"))
        .collect();
    answered(&gate, "parts in parts", format!("{header}{parts}").as_bytes());
    let many = "--b\r\n\r\nx\r\n".repeat(100_000);
    let many = format!("{header}Content-Type: multipart/mixed; boundary=b\r\n\r\n{many}--b--\r\n");
    answered(&gate, "parts beside parts", many.as_bytes());
}

/// Sends it, expects any answer to it, and a 250 to a plain message after it.
fn answered(gate: &Gate, name: &str, message: &[u8]) {
    let mut client = Client::greeted(gate.smtp);
    client.envelope(FROM, &[TO]);
    assert_eq!(client.say("DATA").code, 354);
    client.send(&crate::support::client::stuffed(message));
    let reply = client.try_reply();
    assert!(reply.is_some(), "{name}: no answer");
    let canary = Client::greeted(gate.smtp).deliver(FROM, &[TO], &mail::plain("Canary"));
    assert_eq!(canary.code, 250, "after {name}: {canary:?}");
}
