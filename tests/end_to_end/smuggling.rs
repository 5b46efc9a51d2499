//! Twenty-seven ways to end a message that aren't CRLF.CRLF, each tried with a second envelope
//! behind it, whole and split: nothing of it may pass, and the sink must see no lone line end.

use crate::support::{Client, Gate, Sink, mail};

#[path = "../smuggling/variants.rs"]
mod variants;

use variants::{Expected, VARIANTS, Variant};

/// What follows the false end: a second envelope, for a recipient that nobody was asked about.
const SMUGGLED: &str = "MAIL FROM:<smuggler@parish.example>\r\nRCPT TO:<smuggled@council.example>\r\nDATA\r\n\
                        From: mayor@council.example\r\nSubject: smuggled\r\n\r\nPay this.\r\n.\r\n";

#[test]
fn no_false_end_of_data_lets_a_second_message_pass() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for variant in &VARIANTS {
        attempt(&gate, &sink, variant, b"", &[]);
    }
    nothing_leaked(&sink);
}

#[test]
fn no_split_of_a_false_end_lets_a_second_message_pass() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for variant in VARIANTS.iter().filter(|variant| variant.sequence.len() < 20) {
        // Every offset from just before the false end to just after it, then all of them at once.
        let range = OPENING.len() - 1..=OPENING.len() + variant.sequence.len() + 1;
        for offset in range.clone() {
            attempt(&gate, &sink, variant, b"", &[offset]);
        }
        attempt(&gate, &sink, variant, b"", &range.collect::<Vec<_>>());
    }
    nothing_leaked(&sink);
}

#[test]
fn a_false_end_at_a_buffer_edge_doesnt_pass_either() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for edge in [4_096, 8_192, 16_384, 65_536_usize] {
        for target in edge - 3..=edge + 3 {
            let missing = target - OPENING.len();
            let padding = format!("{}{}", "fill\r\n".repeat(missing / 6), "f".repeat(missing % 6));
            for variant in VARIANTS.iter().step_by(3) {
                attempt(&gate, &sink, variant, padding.as_bytes(), &[]);
            }
        }
    }
    nothing_leaked(&sink);
}

/// Networks whose bare line ends are mended: still no lone dot may end the message. Where a stray CR
/// stands before a true CRLF.CRLF, that is the end all the same.
#[test]
fn mended_line_ends_dont_make_an_end_of_data() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "[[listener]]\nrepair_line_ends = [\"127.0.0.0/8\"]\n");
    let has_true_end = |variant: &&Variant| variant.sequence.windows(5).any(|bytes| bytes == b"\r\n.\r\n");
    for variant in VARIANTS.iter().filter(|variant| !has_true_end(variant)) {
        let mut client = begin(&gate);
        client.send(&[OPENING, variant.sequence, SMUGGLED.as_bytes()].concat());
        let reply = client.reply();
        assert!(matches!(reply.code, 250 | 550), "{}: {reply:?}", variant.name);
    }
    nothing_leaked(&sink);
}

#[test]
fn the_true_end_is_found_wherever_it_is_split() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let message = mail::plain("Split");
    let wire = crate::support::client::stuffed(&message);
    let offsets: Vec<usize> = (wire.len() - 8..wire.len()).chain([1, 50, 200]).collect();
    let mut client = Client::greeted(gate.smtp);
    for &offset in &offsets {
        client.envelope("a@parish.example", &["clerk@council.example"]);
        assert_eq!(client.say("DATA").code, 354);
        send_split(&mut client, &wire, &[offset]);
        let reply = client.reply();
        assert_eq!(reply.code, 250, "split at {offset}: {reply:?}");
    }
    let received = sink.received();
    assert_eq!(received.len(), offsets.len());
    assert!(
        received
            .iter()
            .all(|one| mail::difference(&message, &one.bytes).is_none())
    );
}

/// The outbound leg: whatever a message holds, upstream can't be made to see an end in it.
#[test]
fn dots_in_the_body_never_end_the_message_upstream() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let mut client = Client::greeted(gate.smtp);
    let header = "From: a@parish.example\r\nSubject: dots\r\n\r\n";
    let x = "x".repeat(997);
    for body in [
        ".\r\nMAIL FROM:<x@parish.example>\r\n".to_owned(),
        "..\r\n.\r\n...\r\n".to_owned(),
        format!("{x}\r\n.\r\nRCPT TO:<y@council.example>\r\n"),
        format!("{x}x.\r\n.{x}\r\n.\r\n"),
        ".\r\n".repeat(5_000),
    ] {
        let message = format!("{header}{body}").into_bytes();
        assert_eq!(
            client
                .deliver("a@parish.example", &["clerk@council.example"], &message)
                .code,
            250
        );
        assert_eq!(mail::difference(&message, &sink.received().pop().unwrap().bytes), None);
    }
    assert_eq!(sink.bare_line_ends() + sink.nuls(), 0);
}

const OPENING: &[u8] = b"From: a@parish.example\r\nSubject: first\r\n\r\nHello";

fn begin(gate: &Gate) -> Client {
    let mut client = Client::greeted(gate.smtp);
    client.envelope("a@parish.example", &["clerk@council.example"]);
    assert_eq!(client.say("DATA").code, 354);
    client
}

/// One attempt: a message with a false end and a second envelope behind it, then the true end.
fn attempt(gate: &Gate, sink: &Sink, variant: &Variant, padding: &[u8], splits: &[usize]) {
    let name = format!("{} after {} bytes, split at {splits:?}", variant.name, padding.len());
    let mut client = begin(gate);
    let before = sink.received().len();
    send_split(
        &mut client,
        &[OPENING, padding, variant.sequence, SMUGGLED.as_bytes()].concat(),
        splits,
    );
    let reply = client.reply();
    match variant.expected {
        Expected::Refused => {
            assert_eq!(reply.code, 550, "{name}: {reply:?}");
            assert!(reply.text().starts_with("5.6.0"), "{name}: {reply:?}");
            assert_eq!(
                client.replies_to_the_end(),
                Vec::new(),
                "{name}: closed, with nothing more said"
            );
            assert_eq!(sink.received().len(), before, "{name}: nothing of it is passed on");
        }
        Expected::Content(kept) => {
            assert_eq!(reply.code, 250, "{name}: {reply:?}");
            assert_eq!(
                client.say("QUIT").code,
                221,
                "{name}: what looked like an envelope was text"
            );
            let received = sink.received();
            assert_eq!(received.len(), before + 1, "{name}");
            let text = SMUGGLED.strip_suffix(".\r\n").unwrap_or_default();
            let expected = [OPENING, padding, kept, text.as_bytes()].concat();
            let difference = received
                .last()
                .and_then(|last| mail::difference(&expected, &last.bytes));
            assert_eq!(difference, None, "{name}");
        }
    }
}

fn nothing_leaked(sink: &Sink) {
    assert_eq!((sink.bare_line_ends(), sink.nuls()), (0, 0));
    assert!(
        sink.commands_starting("RCPT")
            .iter()
            .all(|line| line == "RCPT TO:<clerk@council.example>")
    );
    assert!(
        sink.commands_starting("MAIL")
            .iter()
            .all(|line| line.starts_with("MAIL FROM:<a@parish.example>"))
    );
    assert!(
        sink.received()
            .iter()
            .all(|message| message.to == ["<clerk@council.example>"])
    );
}

/// Sends in pieces, cut at these offsets, with a moment between so that they arrive apart.
fn send_split(client: &mut Client, wire: &[u8], offsets: &[usize]) {
    let mut sent = 0;
    for &offset in offsets {
        client.send(&wire[sent..offset]);
        sent = offset;
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    client.send(&wire[sent..]);
}
