//! A rule test's mail from its few words.
//!
//! A [`Scene`] goes in; out come the [`Mail`] and the outside facts that a rule sees. What the test
//! leaves out is a plausible stranger's. Knows nothing of rules.

use super::source::Root;
use super::test_entry::{Earlier, Scene, Sketch};
use crate::evidence::{Auth, BankDetails, BankMemory, Fact, Histories, History, Outside};
use crate::mail::{Address, Client, Direction, Domain, Envelope, Mail, Recipient};
use bytes::Bytes;
use jiff::Timestamp;
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::raw::Raw;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const FROM: &str = "Sam Reed <sam.reed@stranger.example>";
const TO: &str = "office@council.example";
const SUBJECT: &str = "Hello";
const TEXT: &str = "Good morning.\n";
const HELO: &str = "mail.stranger.example";
/// TEST-NET-1 (RFC 5737).
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));

/// The mail of a scene at a time.
///
/// # Errors
/// In words, when its file isn't there.
pub(super) fn mail(scene: &Scene, root: Option<&Root>, now: Timestamp) -> Result<Mail, String> {
    let sketch = &scene.mail;
    let bytes = match (&sketch.raw, &sketch.file) {
        (Some(raw), _) => with_crlf(raw),
        (None, Some(file)) => {
            let text = root.and_then(|root| root.lists.get(&file.value));
            with_crlf(&text.ok_or("its mail file isn't there")?.text)
        }
        (None, None) => compose(sketch, now).map_err(|error| error.to_string())?,
    };
    Ok(Mail {
        id: uuid::Uuid::nil(),
        received: now,
        listener: "test".into(),
        direction: if scene.outbound {
            Direction::Outbound
        } else {
            Direction::Inbound
        },
        client: Client {
            address: Some(SocketAddr::new(scene.client.unwrap_or(CLIENT), 25_000)),
            name: None,
            helo: scene.helo.clone().unwrap_or_else(|| HELO.to_owned()),
            extended: true,
            tls: None,
        },
        envelope: envelope(scene),
        bytes: Bytes::from(bytes),
    })
}

/// The outside facts of a scene.
pub(super) fn outside(scene: &Scene) -> Outside {
    let stranger = Outside::stranger();
    let word = |name: &str, otherwise: Fact<String>| {
        let stated = scene.auth.iter().find(|(key, _)| key == name);
        stated.map_or(otherwise, |(_, word)| Fact::Known(word.clone()))
    };
    let passes = scene.auth.iter().any(|(key, word)| key == "dmarc" && word == "pass");
    Outside {
        client_name: scene.client_name.clone().map_or(stranger.client_name, Fact::Known),
        client_name_confirmed: Fact::Known(scene.client_name_confirmed.unwrap_or(scene.client_name.is_some())),
        helo_confirmed: Fact::Known(scene.helo_confirmed.unwrap_or(false)),
        client_listed: Fact::Known(scene.client_listed.clone().into()),
        listings: Fact::Known(scene.listings.clone().into()),
        auth: Auth {
            spf: word("spf", stranger.auth.spf),
            dkim: word("dkim", stranger.auth.dkim),
            dkim_domains: Fact::Known(scene.dkim_domains.clone()),
            dmarc: word("dmarc", stranger.auth.dmarc),
            dmarc_policy: word("dmarc_policy", stranger.auth.dmarc_policy),
            dmarc_testing: Fact::Known(scene.dmarc_testing.unwrap_or(false)),
            aligned: Fact::Known(scene.aligned.unwrap_or(passes)),
            arc: word("arc", stranger.auth.arc),
            arc_sealers: Fact::Known(scene.arc_sealers.clone()),
            arc_vouched: Fact::Known(scene.arc_vouched.unwrap_or(false)),
        },
        results: stranger.results,
        dmarc_failure: stranger.dmarc_failure,
        history: Histories {
            bank_details: BankMemory::Stated(match scene.history.bank_details {
                Some([known, seen, new]) => Fact::Known(BankDetails { known, seen, new }),
                None => Fact::Absent,
            }),
            ..Histories::alike(earlier(&scene.history))
        },
    }
}

fn earlier(stated: &Earlier) -> History {
    History {
        messages_before: stated.messages,
        first_seen: stated.first_seen,
        last_seen: stated.last_seen,
        quarantined_before: stated.quarantined,
        released_before: stated.released,
        sent_before: Fact::Known(stated.sent),
        // Who is written to and never wrote was written to first.
        sent_first: Fact::Known(stated.sent_first.unwrap_or(stated.sent > 0 && stated.messages == 0)),
    }
}

fn compose(sketch: &Sketch, now: Timestamp) -> std::io::Result<Vec<u8>> {
    let own = |name: &str| sketch.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    let mut builder = MessageBuilder::new();
    let from = sketch.from.as_deref().unwrap_or(FROM);
    if !own("From") {
        builder = builder.from(mailbox(from));
    }
    if !own("To") {
        let to = if sketch.to.is_empty() {
            vec![TO]
        } else {
            sketch.to.iter().map(String::as_str).collect()
        };
        builder = builder.to(mailboxes(&to));
    }
    for (name, people) in [("Cc", &sketch.cc), ("Reply-To", &sketch.reply_to)] {
        if !people.is_empty() {
            let people: Vec<&str> = people.iter().map(String::as_str).collect();
            builder = builder.header(name, HeaderType::Address(mailboxes(&people)));
        }
    }
    if !own("Subject") {
        builder = builder.subject(sketch.subject.as_deref().unwrap_or(SUBJECT));
    }
    builder = match &sketch.date {
        Some(date) => builder.header("Date", Raw::new(date.as_str())),
        None if own("Date") => builder,
        None => builder.date(now.as_second()),
    };
    if !own("Message-ID") {
        let domain = address_of(from).rsplit('@').next().unwrap_or("stranger.example");
        builder = builder.message_id(format!("20260105.1@{domain}"));
    }
    for (name, value) in &sketch.headers {
        builder = builder.header(name.as_str(), Raw::new(value.as_str()));
    }
    if let Some(html) = &sketch.html {
        builder = builder.html_body(html.as_str());
    }
    if let Some(text) = sketch.text.as_deref().or(sketch.html.is_none().then_some(TEXT)) {
        builder = builder.text_body(text);
    }
    for attachment in &sketch.attachments {
        let kind = match attachment.content_type.as_str() {
            "" => "application/octet-stream",
            stated => stated,
        };
        builder = builder.attachment(kind, attachment.name.as_str(), attachment.content.as_slice());
    }
    builder.write_to_vec()
}

fn mailbox(text: &str) -> Mailbox<'_> {
    let address = address_of(text);
    let name = text
        .rfind('<')
        .and_then(|at| text.get(..at))
        .map(|name| name.trim().trim_matches('"'));
    Mailbox::new_address(name.filter(|name| !name.is_empty()), address)
}

fn mailboxes<'t>(texts: &[&'t str]) -> Mailbox<'t> {
    Mailbox::new_list(texts.iter().map(|text| mailbox(text)).collect())
}

/// What stands in the angle brackets, or the whole.
fn address_of(text: &str) -> &str {
    let bracketed = text.rfind('<').and_then(|at| text.get(at + 1..));
    bracketed
        .map_or(text, |rest| rest.trim_end().trim_end_matches('>'))
        .trim()
}

/// The envelope as stated, or as the header shows it.
fn envelope(scene: &Scene) -> Envelope {
    let from = match &scene.envelope_from {
        Some(from) => from.as_str(),
        None => address_of(scene.mail.from.as_deref().unwrap_or(FROM)),
    };
    let header_to = scene.mail.to.iter().chain(&scene.mail.cc);
    let mut to: Vec<&str> = if scene.envelope_to.is_empty() {
        header_to.map(|text| address_of(text)).collect()
    } else {
        scene.envelope_to.iter().map(String::as_str).collect()
    };
    if to.is_empty() {
        to.push(TO);
    }
    Envelope {
        reverse_path: (!from.is_empty()).then(|| Address::from_checked(wire(from))),
        parameters: Vec::new(),
        recipients: to
            .into_iter()
            .map(|address| Recipient {
                address: Address::from_checked(wire(address)),
                parameters: Vec::new(),
            })
            .collect(),
    }
}

/// An address as it would stand on the wire: its domain in A-labels.
fn wire(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) if !domain.is_ascii() => {
            let domain = Domain::parse(domain).map_or_else(|| domain.to_owned(), |domain| domain.to_string());
            format!("{local}@{domain}")
        }
        _ => address.to_owned(),
    }
}

/// Lines of a TOML string end in LF; a message's end in CRLF. A bare CR stays one.
fn with_crlf(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 40);
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(body) => {
                out.extend_from_slice(body.strip_suffix('\r').unwrap_or(body).as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(line.as_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unsaid_is_a_strangers() {
        let now: Timestamp = "2026-01-05T09:00:00Z".parse().unwrap();
        let mail = mail(&Scene::default(), None, now).unwrap();
        let text = String::from_utf8(mail.bytes.to_vec()).unwrap();
        assert!(text.contains("sam.reed@stranger.example"), "{text}");
        assert!(text.contains("Good morning."), "{text}");
        assert!(!text.replace("\r\n", "").contains('\n'), "{text}");
        assert_eq!(mail.envelope.reverse_path_text(), "sam.reed@stranger.example");
        assert_eq!(mail.envelope.recipients.len(), 1);
    }

    #[test]
    fn lines_become_crlf_once() {
        assert_eq!(with_crlf("a\nb\r\nc\rd"), b"a\r\nb\r\nc\rd");
    }
}
