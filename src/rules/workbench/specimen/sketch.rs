//! A real mail as a rule test would tell it: its people, subject, text and whatever else there is.
//!
//! Evidence goes in; out come scenes, the one in fewest words first. Knows nothing of rules.

use crate::evidence::Evidence;
use crate::mail::message::{Field, Mailbox};
use crate::rules::test_entry::{AttachmentSketch, Scene, Sketch};
use jiff::Timestamp;

/// Header fields that a sketch has keys for, or that follow from how it is put together.
const TOLD_OTHERWISE: [&str; 11] = [
    "from",
    "to",
    "cc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
];

/// The mail whole, as the gate would receive it.
pub(super) fn whole(evidence: &Evidence<'_, '_>) -> Scene {
    let text = String::from_utf8_lossy(evidence.message.raw()).replace("\r\n", "\n");
    Scene {
        mail: Sketch {
            raw: Some(text),
            ..Sketch::default()
        },
        envelope_from: evidence.message.from().map(|from| from.address.clone()),
        envelope_to: evidence.message.to().iter().map(|to| to.address.clone()).collect(),
        now: Some(second(evidence.now)),
        ..Scene::default()
    }
}

/// A moment as a person would write it.
fn second(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// The mail in few words: with its text, its HTML, or both.
pub(super) fn sketches(evidence: &Evidence<'_, '_>) -> Vec<Scene> {
    let message = evidence.message;
    let (text, html) = (message.text(), message.html());
    let bodies = match html.is_empty() {
        true => vec![(Some(text), None)],
        false => vec![(Some(text), None), (None, Some(html)), (Some(text), Some(html))],
    };
    let scene = |(text, html): (Option<&str>, Option<&str>)| Scene {
        mail: Sketch {
            text: text.map(|text| format!("{}\n", text.trim_end())),
            html: html.map(|html| html.replace("\r\n", "\n")),
            ..outside(evidence)
        },
        now: Some(second(evidence.now)),
        ..Scene::default()
    };
    bodies.into_iter().map(scene).collect()
}

/// All but the body.
fn outside(evidence: &Evidence<'_, '_>) -> Sketch {
    let message = evidence.message;
    let people = |mailboxes: &[Mailbox]| mailboxes.iter().map(person).collect();
    let date = message.header("Date").next();
    let other = |field: &&Field<'_>| {
        let name = field.name.to_ascii_lowercase();
        !TOLD_OTHERWISE.contains(&name.as_str()) && !name.starts_with("dkim-") && !name.starts_with("arc-")
    };
    let attachments = message.attachments().iter().map(|attachment| AttachmentSketch {
        name: attachment.name.clone(),
        content_type: attachment.declared_type.clone(),
        content: attachment.content().into_owned(),
    });
    Sketch {
        from: message.from().map(person),
        to: people(message.to()),
        cc: people(message.cc()),
        reply_to: people(message.reply_to()),
        subject: Some(message.subject().to_owned()),
        date: date.map(|date| unfolded(&date.raw)),
        headers: message
            .fields()
            .iter()
            .filter(other)
            .map(|field| (field.name.to_string(), unfolded(&field.raw)))
            .collect(),
        attachments: attachments.collect(),
        ..Sketch::default()
    }
}

fn person(mailbox: &Mailbox) -> String {
    match mailbox.name.is_empty() {
        true => mailbox.address.clone(),
        false => format!("{} <{}>", mailbox.name, mailbox.address),
    }
}

/// A field on one line.
fn unfolded(raw: &str) -> String {
    let lines = raw.split(['\r', '\n', '\0']).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("")
}
