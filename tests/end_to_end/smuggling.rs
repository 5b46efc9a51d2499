//! Twenty-seven ways to end a message that aren't CRLF.CRLF, each tried with a second envelope
//! behind it, whole and split: nothing of it may pass, and the sink must see no lone line end.

use crate::support::{Client, Gate, Sink, mail};

/// Each variant's name and the bytes that a lax server takes for the end of the message.
fn variants() -> Vec<(String, Vec<u8>)> {
    let ends = [("CRLF", "\r\n"), ("LF", "\n"), ("CR", "\r")];
    let mut variants = Vec::new();
    for (before_name, before) in ends {
        for (after_name, after) in ends {
            if (before, after) != ("\r\n", "\r\n") {
                variants.push((format!("{before_name} . {after_name}"), format!("{before}.{after}")));
            }
        }
    }
    for (name, bytes) in [
        ("CRCRLF . CRLF", "\r\r\n.\r\n"),
        ("CRLF . CRCRLF", "\r\n.\r\r\n"),
        ("CRCRLF . CRCRLF", "\r\r\n.\r\r\n"),
        ("CR CR . CR CR", "\r\r.\r\r"),
        ("LFCR . LFCR", "\n\r.\n\r"),
        ("CRLF . LFCR", "\r\n.\n\r"),
        ("LFCR . CRLF", "\n\r.\r\n"),
        ("LF LF . LF LF", "\n\n.\n\n"),
        ("CRLF NUL . CRLF", "\r\n\0.\r\n"),
        ("CRLF . NUL CRLF", "\r\n.\0\r\n"),
        ("CR NUL LF . CR NUL LF", "\r\0\n.\r\0\n"),
        ("NUL LF . NUL LF", "\0\n.\0\n"),
        ("CRLF . CR NUL LF", "\r\n.\r\0\n"),
        ("VT . VT", "\u{b}.\u{b}"),
        ("FF . FF", "\u{c}.\u{c}"),
        ("CRLF . VT", "\r\n.\u{b}"),
        ("NEL . NEL", "\u{85}.\u{85}"),
        ("LS . LS", "\u{2028}.\u{2028}"),
    ] {
        variants.push((name.to_owned(), bytes.to_owned()));
    }
    let mut variants: Vec<(String, Vec<u8>)> = variants
        .into_iter()
        .map(|(name, text)| (name, text.into_bytes()))
        .collect();
    variants.push((
        "a long line, then LF . LF".to_owned(),
        [vec![b'x'; 2_000], b"\n.\n".to_vec()].concat(),
    ));
    variants
}

/// What follows the false end: a second envelope, for a recipient that nobody was asked about.
const SMUGGLED: &str = "MAIL FROM:<smuggler@parish.example>\r\nRCPT TO:<smuggled@council.example>\r\nDATA\r\n\
                        From: mayor@council.example\r\nSubject: smuggled\r\n\r\nPay this.\r\n.\r\n";

#[test]
fn no_false_end_of_data_lets_a_second_message_pass() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let variants = variants();
    assert_eq!(variants.len(), 27);
    for (name, end) in &variants {
        attempt(&gate, name, end, &[]);
    }
    nothing_leaked(&sink);
}

#[test]
fn no_split_of_a_false_end_lets_a_second_message_pass() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for (name, end) in variants().iter().filter(|(_, end)| end.len() < 20) {
        // Every offset from just before the false end to just after it.
        let start = opening().len();
        for offset in start.saturating_sub(1)..=start + end.len() + 1 {
            attempt(&gate, &format!("{name}, split at {offset}"), end, &[offset]);
        }
        let each: Vec<usize> = (start..=start + end.len()).collect();
        attempt(&gate, &format!("{name}, byte by byte"), end, &each);
    }
    nothing_leaked(&sink);
}

#[test]
fn a_false_end_at_a_buffer_edge_doesnt_pass_either() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for edge in [4_096, 8_192, 16_384, 65_536] {
        for shift in -3_i32..=3 {
            for (name, end) in variants().iter().take(8) {
                let target = usize::try_from(edge + shift).unwrap();
                let padding = "fill\r\n".repeat(target.saturating_sub(opening().len()) / 6);
                let padding = format!("{padding}{}", "f".repeat((target - opening().len()) % 6));
                let padded = [padding.as_bytes(), end].concat();
                attempt(&gate, &format!("{name} at {target}"), &padded, &[]);
            }
        }
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

fn opening() -> Vec<u8> {
    b"From: a@parish.example\r\nSubject: first\r\n\r\nHello".to_vec()
}

/// One attempt: a message with a false end and a second envelope behind it, ended truly.
fn attempt(gate: &Gate, name: &str, end: &[u8], splits: &[usize]) {
    let mut client = Client::greeted(gate.smtp);
    client.envelope("a@parish.example", &["clerk@council.example"]);
    assert_eq!(client.say("DATA").code, 354);
    let wire = [&opening(), end, SMUGGLED.as_bytes()].concat();
    send_split(&mut client, &wire, splits);
    let reply = client.reply();
    let bad_bytes = end.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n')
        || end.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r')
        || end.starts_with(b"\n")
        || end.ends_with(b"\r")
        || end.contains(&0);
    let expected = if bad_bytes { 550 } else { 250 };
    assert_eq!(reply.code, expected, "{name}: {reply:?}");
    if bad_bytes {
        assert!(reply.text().starts_with("5.6.0"), "{name}: {reply:?}");
        assert_eq!(
            client.replies_to_the_end(),
            Vec::new(),
            "{name}: closed, with nothing more said"
        );
    } else {
        client.send(b"QUIT\r\n");
        assert_eq!(
            client.reply().code,
            221,
            "{name}: what looked like an envelope was text"
        );
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
