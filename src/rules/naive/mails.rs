//! Messages made up from a row of choices, as raw mail, and what is known of their surroundings.
//!
//! Numbers in, evidence out. Knows nothing of rules.

use super::generate::Choices;
use super::vocabulary::PIECES;
use crate::evidence::identity::{Identity, Protected};
use crate::evidence::{Evidence, Fact, Histories, History, Kept, Outside};
use crate::mail::message::Limits;
use crate::mail::{Address, Client, Direction, Envelope, Mail, Message, Recipient};
use jiff::Timestamp;

/// A message and what is known of it.
pub(super) struct Scene {
    pub(super) message: String,
    pub(super) outside: Outside,
    pub(super) withheld: Vec<String>,
    has_envelope: bool,
    reverse_path: Option<&'static str>,
    limits: Limits,
}

const NAMES: &[&str] = &[
    "Jane Doe",
    "K",
    "jane  DOE",
    "İstanbul",
    "",
    "invoice ß",
    "=?utf-8?q?=C5=BFtra=C3=9Fe?=",
];
const ADDRESSES: &[&str] = &[
    "jane@sender.example",
    "JANE@Sender.Example",
    "bob@mail.bank.example",
    "x@partner.example",
    "x@[192.0.2.1]",
    "nobody",
];
const URLS: &[&str] = &[
    "https://evil.example/login?a=pay+now&b=bob%40council.example",
    "http://bank.example:8080/a?a=%C3%9F",
    "https://192.0.2.9/x",
    "https://www.partner.example/#K",
    "mailto:x@y.example",
    "/just/a/path",
];
const WITHHELD: &[&str] = &[
    "auth",
    "subject",
    "from",
    "links",
    "body.text",
    "client.ip",
    "envelope.to",
    "history.from",
];

impl Scene {
    pub(super) fn new(choices: &mut Choices<'_>) -> Self {
        let mut limits = Limits::default();
        if choices.once_in(8) {
            limits.links = 1;
        }
        Self {
            outside: outside(choices),
            withheld: (0..choices.below(3)).map(|_| choices.of(WITHHELD).to_owned()).collect(),
            has_envelope: !choices.once_in(6),
            reverse_path: [Some("jane@sender.example"), None, Some("a@bank.example")][choices.below(3)],
            message: message(choices),
            limits,
        }
    }

    /// Looks at it with everything in place.
    pub(super) fn see<T>(&self, look: impl FnOnce(&Evidence<'_, '_>) -> T) -> T {
        let recipient = |address: &str| Recipient {
            address: Address::from_checked(address),
            parameters: Vec::new(),
        };
        let now: Timestamp = "2027-01-04T12:00:00Z".parse().unwrap();
        let mail = Mail {
            id: uuid::Uuid::nil(),
            received: now,
            listener: "in".into(),
            direction: Direction::Inbound,
            client: Client {
                address: Some("192.0.2.7:4321".parse().unwrap()),
                name: None,
                helo: "mx.sender.example".to_owned(),
                extended: true,
                tls: None,
            },
            envelope: Envelope {
                reverse_path: self.reverse_path.map(Address::from_checked),
                parameters: Vec::new(),
                recipients: vec![recipient("bob@council.example"), recipient("carol@council.example")],
            },
            bytes: self.message.clone().into(),
        };
        let message = Message::parse(&mail.bytes, &self.limits);
        look(&Evidence {
            now,
            mail: &mail,
            message: &message,
            outside: self.outside.clone(),
            kept: Kept::just(self.has_envelope),
            identity: Identity::against(Protected::nobody()),
        })
    }
}

fn outside(choices: &mut Choices<'_>) -> Outside {
    let mut outside = match choices.once_in(5) {
        true => Outside::not_gathered(),
        false => Outside::stranger(),
    };
    let mut word = || match choices.below(5) {
        0 => Fact::Known("pass".to_owned()),
        1 => Fact::Known("fail".to_owned()),
        2 => Fact::Absent,
        3 => Fact::Unknown("timeout"),
        _ => Fact::Unknown("refused"),
    };
    outside.auth.spf = word();
    outside.auth.dmarc = word();
    outside.client_name = word();
    outside.auth.aligned = [Fact::Known(true), Fact::Absent, Fact::Unknown("timeout")][choices.below(3)].clone();
    if choices.once_in(3) {
        outside.auth.dkim_domains = Fact::Known(vec!["bank.example".to_owned(), "sender.example".to_owned()]);
        outside.client_listed = Fact::Known(vec!["Pay now".to_owned()].into());
        outside.history = Histories::alike(History {
            messages_before: 3,
            first_seen: "2026-12-01T12:00:00Z".parse().ok(),
            sent_before: Fact::Unknown("unsettled"),
            ..History::default()
        });
    }
    outside
}

fn prose(choices: &mut Choices<'_>, pieces_max: usize) -> String {
    let pieces = choices.below(pieces_max + 1);
    let mut text: String = (0..pieces).map(|_| choices.of(PIECES)).collect();
    // Long enough for what is done to long texts only, the needles wherever they fall.
    if choices.once_in(6) {
        let filler = choices.of(&["x", "é ", "lorem pay ipsum\r\n"]);
        let at = text
            .char_indices()
            .nth(choices.below(8))
            .map_or(text.len(), |(at, _)| at);
        text.insert_str(at, &filler.repeat(300 + choices.below(400)));
    }
    text
}

fn message(choices: &mut Choices<'_>) -> String {
    let mut header = String::new();
    let mut field = |name: &str, value: String| header.push_str(&format!("{name}: {value}\n"));
    field("From", format!("{} <{}>", choices.of(NAMES), choices.of(ADDRESSES)));
    field(
        "Subject",
        format!(
            "{}{}",
            choices.of(&["", "Re: ", "Fwd: "]),
            prose(choices, 5).replace("\r\n", " ")
        ),
    );
    field(
        "To",
        "Bob <bob@council.example>, \"Carol\" <carol@council.example>".to_owned(),
    );
    if choices.once_in(2) {
        field("Reply-To", format!("{} <{}>", choices.of(NAMES), choices.of(ADDRESSES)));
    }
    for _ in 0..choices.below(3) {
        field("X-Tag", choices.of(PIECES).to_owned());
    }
    if choices.once_in(2) {
        field("Date", "Mon, 4 Jan 2027 09:00:00 +0000".to_owned());
    }
    if choices.once_in(3) {
        field(
            "Received",
            "from mx.sender.example (k.example [192.0.2.7]) by mail.example with SMTP".to_owned(),
        );
        field("List-Id", "<Pay.now.example>".to_owned());
    }
    field("MIME-Version", "1.0".to_owned());
    let text = prose(choices, 12);
    let content = match choices.below(4) {
        0 => format!("Content-Type: text/plain; charset=utf-8\n\n{text}\n"),
        1 => format!("Content-Type: text/html; charset=utf-8\n\n{}\n", html(choices, &text)),
        2 => format!(
            "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n{text}\n\
             --b\nContent-Type: text/html; charset=utf-8\n\n{}\n--b--\n",
            html(choices, &text)
        ),
        _ => format!(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html; charset=utf-8\n\n{}\n\
             --b\nContent-Type: application/octet-stream; name=\"invoice.K.zip\"\nContent-Disposition: attachment; \
             filename=\"invoice.{}\"\n\nPK\u{3}\u{4}\n--b--\n",
            html(choices, &text),
            choices.of(&["zip", "pdf", "html", "ſ"])
        ),
    };
    format!("{header}{content}").replace("\r\n", "\n").replace('\n', "\r\n")
}

fn html(choices: &mut Choices<'_>, text: &str) -> String {
    let mut page = format!("<p>{text}</p>");
    for _ in 0..choices.below(4) {
        let shown = [choices.of(PIECES), choices.of(URLS)][choices.below(2)];
        page.push_str(&format!("<a href=\"{}\">{shown}</a> ", choices.of(URLS)));
    }
    if choices.once_in(4) {
        page.push_str("<div style=\"display:none\">hidden invoice ſ</div>");
    }
    page
}
