//! Whole messages through the view, and its bounds under hostile ones.

use super::*;
use std::fmt::Write;

fn parse(raw: &str) -> Message<'_> {
    Message::parse(raw.as_bytes(), &Limits::default())
}

fn words(message: &Message<'_>) -> Vec<&'static str> {
    message.defects().iter().map(|defect| defect.0).collect()
}

/// Asks everything, so that nothing lazy stays unasked.
fn ask_all(message: &Message<'_>) -> usize {
    let digests: usize = message.attachments().iter().map(|file| file.sha256().len()).sum();
    let mailboxes = [message.authors(), message.reply_to(), message.to(), message.cc()];
    message.text().len()
        + message.new_text().len()
        + message.hidden_text().len()
        + message.html().len()
        + message.links().len()
        + message.images().len()
        + message.forms().len()
        + message.defects().len()
        + message.parts().len()
        + message.received().len()
        + message.subject_base().len()
        + message.message_id().len()
        + message.list_id().len()
        + message.thread().references.len()
        + message.languages().len()
        + message.phones().len()
        + message.bank_details().len()
        + message.crypto_addresses().len()
        + message
            .links()
            .iter()
            .filter(|link| link.within().is_some() || link.is_shortener())
            .count()
        + message
            .links()
            .iter()
            .map(|link| link.mismatch().as_str().len())
            .sum::<usize>()
        + mailboxes.iter().map(|list| list.len()).sum::<usize>()
        + usize::from(message.is_auto() || message.is_bulk() || message.links_cut())
        + usize::from(message.date().is_some() || message.sender().is_some())
        + digests
}

const ORDINARY: &str = "Received: from mx.example.org ([192.0.2.7]) by gate.example.com with ESMTP; Mon, 6 Jan 2025 10:00:00 +0000\r\n\
    From: =?utf-8?q?Ann_Caf=C3=A9?= <ann@Example.ORG>\r\n\
    To: bob@example.com, \"Team, The\" <team@example.com>\r\n\
    Subject: Re: [2] Your =?utf-8?b?cmF0ZXM=?=\r\n bill\r\n\
    Date: Mon, 6 Jan 2025 10:00:00 +0000\r\n\
    Message-ID: <one@example.org>\r\n\
    In-Reply-To: <zero@example.com>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=outer\r\n\
    \r\n\
    preamble\r\n\
    --outer\r\n\
    Content-Type: multipart/alternative; boundary=\"inner\"\r\n\
    \r\n\
    --inner\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    \r\n\
    Hello Bob, please pay your bill at our site.\r\n\
    --inner\r\n\
    Content-Type: text/html; charset=iso-8859-1\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\
    \r\n\
    <p>Hello Bob, please <a href=3D\"https://pay.example.net/x\">pay</a> your bill at our site. =A3</p>\r\n\
    --inner--\r\n\
    --outer\r\n\
    Content-Type: application/octet-stream; name=\"bill.pdf\"\r\n\
    Content-Disposition: attachment; filename=\"bill.pdf\"\r\n\
    Content-Transfer-Encoding: base64\r\n\
    \r\n\
    JVBERi0xLjcK\r\n\
    --outer--\r\n";

#[test]
fn images_that_come_with_the_message_have_a_size() {
    let raw = "Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n\
               <img src='cid:one@x'><img src='CID:two%40x'><img src='cid:none'><img src='data:image/gif;base64,R0lGODlh'>\
               <img src='https://a.example/x.gif'>\r\n--b\r\nContent-Type: image/gif\r\nContent-ID: <one@x>\r\n\
               Content-Transfer-Encoding: base64\r\n\r\nR0lGODlh\r\n--b\r\nContent-Type: image/gif\r\n\
               Content-ID: <two@x>\r\n\r\nGIF8\r\n--b--\r\n";
    let sizes: Vec<_> = parse(raw).images().iter().map(|image| image.size).collect();
    assert_eq!(sizes, [Some(6), Some(4), None, Some(6), None]);
}

#[test]
fn an_ordinary_message_reads_as_a_person_would() {
    let message = parse(ORDINARY);
    let author = message.from().unwrap();
    assert_eq!(
        (author.name.as_str(), author.address.as_str()),
        ("Ann Caf\u{e9}", "ann@example.org")
    );
    assert_eq!(author.domain.as_ref().unwrap().site(), Some("example.org"));
    assert_eq!(message.to().len(), 2);
    assert_eq!(message.subject(), "Re: [2] Your rates bill");
    assert_eq!((message.message_id(), message.fields().len()), ("one@example.org", 9));
    assert_eq!(message.date(), "2025-01-06T10:00:00Z".parse().ok());
    assert!(message.thread().is_reply && !message.thread().is_forward);
    assert_eq!(message.thread().references, ["zero@example.com"]);
    assert_eq!(message.received().first().unwrap().by, "gate.example.com");
    assert_eq!(message.text(), "Hello Bob, please pay your bill at our site. \u{a3}");
    let link = message.links().first().unwrap();
    assert_eq!(
        (link.shown.as_str(), link.target.url.as_str()),
        ("pay", "https://pay.example.net/x")
    );
    let file = message.attachments().first().unwrap();
    assert_eq!((file.name.as_str(), file.kind, file.size), ("bill.pdf", "pdf", 9));
    assert_eq!(file.sha256().len(), 64);
    assert_eq!((message.attachments().len(), message.parts().len()), (1, 5));
    let depths: Vec<_> = message.parts().iter().map(|part| part.depth).collect();
    assert_eq!(depths, [0, 1, 2, 2, 1]);
    assert_eq!(words(&message), Vec::<&str>::new());
}

#[test]
fn the_view_may_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<Message<'_>>();
}

#[test]
fn nothing_is_read_from_nothing() {
    let message = parse("");
    assert_eq!((message.subject(), message.text(), message.from()), ("", "", None));
    assert_eq!(words(&message), ["missing-date", "missing-from"]);
}

#[test]
fn header_defects_are_named() {
    let rest = "Date: Mon, 6 Jan 2025 10:00:00 +0000\r\n\r\nx";
    for (header, expected) in [
        ("From: a@b.example\r\n", vec![]),
        ("From: a@b.example\r\nFrom: c@d.example\r\n", vec!["duplicate-from"]),
        ("From: a@b.example, c@d.example\r\n", vec!["from-several"]),
        ("From: a@b.example <c@d.example>\r\n", vec!["from-ambiguous"]),
        ("From: nobody\r\n", vec!["from-broken"]),
        (
            "From: a@b.example\r\nSubject: 1\r\nSubject: 2\r\n",
            vec!["duplicate-subject"],
        ),
        (
            "From: a@b.example\r\nDate: x\r\n",
            vec!["duplicate-date", "invalid-date"],
        ),
        (
            "From: a@b.example\r\nContent-Type: text/plain\r\n",
            vec!["missing-mime-version"],
        ),
    ] {
        assert_eq!(words(&parse(&format!("{header}{rest}"))), expected, "{header}");
    }
    let message = parse("From: a@b.example\r\nFrom: c@d.example\r\n\r\n");
    let addresses: Vec<_> = message.authors().iter().map(|author| author.address.as_str()).collect();
    assert_eq!(addresses, ["a@b.example", "c@d.example"]);
}

#[test]
fn broken_structures_are_read_and_named() {
    let header = "From: a@b.example\nDate: Mon, 6 Jan 2025 10:00:00 +0000\nMIME-Version: 1.0\n";
    for (rest, text, expected) in [
        (
            "Content-Type: multipart/mixed\n\n--x\n\nhidden?\n--x--\n",
            "hidden?",
            vec!["boundary-missing"],
        ),
        (
            "Content-Type: multipart/mixed; boundary=x\n\nno parts\n",
            "no parts",
            vec!["boundary-unclosed", "boundary-unused"],
        ),
        (
            "Content-Type: multipart/mixed; boundary=x\n\n--x\n\none",
            "one",
            vec!["boundary-unclosed"],
        ),
        (
            "Content-Type: multipart/mixed; boundary=a; boundary=x\n\n--x\n\none\n--x--\n",
            "one",
            vec!["boundary-ambiguous", "duplicate-parameter"],
        ),
        (
            "Content-Type: multipart/mixed; boundary*0=x; boundary*1=y\n\n--xy\n\none\n--xy--\n",
            "one",
            vec!["boundary-encoded"],
        ),
        (
            "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x--\n",
            "one",
            vec!["duplicate-content-type"],
        ),
        (
            "Content-Transfer-Encoding: base64\n\naG*k=\n",
            "hi",
            vec!["broken-base64"],
        ),
        (
            "Content-Transfer-Encoding: x-uue\n\none\n",
            "one",
            vec!["unknown-encoding"],
        ),
        (
            "Content-Type: message/partial; id=1\n\none\n",
            "",
            vec!["message-partial"],
        ),
        (
            "Content-Type: text/plain; charset=x-none\n\n\u{e9}\n",
            "\u{e9}",
            vec!["unknown-charset"],
        ),
    ] {
        let raw = format!("{header}{rest}");
        let message = parse(&raw);
        let mut found = words(&message);
        found.retain(|word| *word != "bare-lf");
        assert_eq!((message.text(), found), (text, expected), "{rest}");
    }
}

#[test]
fn alternatives_that_differ_are_both_read() {
    let body = |plain: &str| {
        format!(
            "Content-Type: multipart/alternative; boundary=x\n\n--x\n\n{plain}\n--x\nContent-Type: text/html\n\n\
             <p>Dear customer, the parcel office has a delivery for you today.\n--x--\n"
        )
    };
    let same = body("Dear customer, the parcel office has a delivery for you today.");
    assert_eq!(parse(&same).text().lines().count(), 1);
    let other =
        body("Wire transfer seventeen thousand pounds immediately into account below without telling anybody else");
    let message = parse(&other);
    assert!(message.text().contains("parcel office") && message.text().contains("seventeen thousand"));
    assert!(words(&message).contains(&"alternatives-differ"));
    // What says no words can't push the rest out of sight.
    for padding in ["* ".repeat(40_000), "https://a.example/b ".repeat(4_000)] {
        let padded = body(&format!(
            "{padding}\nWire transfer seventeen thousand pounds into account below without telling"
        ));
        let message = parse(&padded);
        assert!(words(&message).contains(&"alternatives-differ"), "{}", &padding[..9]);
        assert!(message.text().contains("seventeen thousand"));
    }
}

#[test]
fn enclosed_messages_are_files() {
    let message = parse(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nsee below\n--x\nContent-Type: message/rfc822\n\n\
         Subject: inner\nContent-Type: multipart/mixed; boundary=y\n\n--y\n\ninner text\n--y\n\
         Content-Type: text/plain; name=a.txt\n\nfile\n--y--\n--x--\n",
    );
    assert_eq!(message.text(), "see below");
    let files: Vec<_> = message
        .attachments()
        .iter()
        .map(|file| (file.kind, file.declared_type.as_str()))
        .collect();
    assert_eq!(files, [("eml", "message/rfc822")]);
    assert_eq!(message.parts().len(), 6);
}

#[test]
fn names_are_read_in_every_notation() {
    let message = parse(
        "Content-Type: application/x; name=\"=?utf-8?q?c=2Epdf?=\"\n\
         Content-Disposition: attachment; filename=a.txt; filename*=utf-8''b%2Eexe\n\nMZ",
    );
    let file = message.attachments().first().unwrap();
    assert_eq!(
        (file.name.as_str(), file.extension.as_str(), file.kind),
        ("b.exe", "exe", "exe")
    );
    assert!(file.other_names.iter().map(String::as_str).eq(["a.txt", "c.pdf"]));
    assert!(words(&message).contains(&"filename-ambiguous"));
}

/// `levels` multiparts or messages, one in the other.
fn nested(levels: usize, is_message: impl Fn(usize) -> bool) -> String {
    let mut raw = String::new();
    for level in 0..levels {
        if is_message(level) {
            raw.push_str("Content-Type: message/rfc822\n\n");
        } else {
            let _ = write!(raw, "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
        }
    }
    raw.push_str("\ninnermost\n");
    raw
}

/// Runs on a stack as small as a worker's.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn nesting_is_capped_without_recursion() {
    on_small_stack(|| {
        for levels in [10, 99, 100, 101, 1_000, 10_000, 100_000] {
            for kind in [0, 1, 2] {
                let raw = nested(levels, |level| level % 2 < kind);
                let message = parse(&raw);
                ask_all(&message);
                assert!(message.parts().len() <= 102);
                assert_eq!(
                    words(&message).contains(&"nesting-limit"),
                    levels > 100,
                    "{levels} of {kind}"
                );
            }
        }
    });
}

#[test]
fn parts_are_limited() {
    for (parts, cut) in [(9, false), (10, false), (11, true)] {
        // The multipart itself is a part too.
        let raw = format!(
            "Content-Type: multipart/mixed; boundary=x\n\n{}--x--\n",
            "--x\n\na\n".repeat(parts - 1)
        );
        let message = Message::parse(
            raw.as_bytes(),
            &Limits {
                parts: 10,
                ..Limits::default()
            },
        );
        assert_eq!(
            (message.parts().len(), words(&message).contains(&"parts-limit")),
            (parts.min(10), cut)
        );
    }
}

#[test]
fn header_fields_and_bytes_are_limited() {
    for (count, cut) in [(9, false), (10, false), (11, true)] {
        let raw = format!("{}\nbody", "A: 1\n".repeat(count));
        let message = Message::parse(
            raw.as_bytes(),
            &Limits {
                header_fields: 10,
                ..Limits::default()
            },
        );
        assert_eq!(
            (message.fields().len(), words(&message).contains(&"header-limit")),
            (count.min(10), cut)
        );
        assert_eq!(message.text(), "body");
        let raw = format!("A:{}\n\nbody", "x".repeat(count));
        let message = Message::parse(
            raw.as_bytes(),
            &Limits {
                header_bytes: 10,
                ..Limits::default()
            },
        );
        let field = message.fields().first().unwrap();
        assert_eq!(
            (field.raw.len(), words(&message).contains(&"header-limit")),
            (count.min(10), cut)
        );
    }
}

#[test]
fn text_is_limited() {
    for (length, cut) in [(9, false), (10, false), (11, true)] {
        let raw = format!("\n{}", "x".repeat(length));
        let message = Message::parse(
            raw.as_bytes(),
            &Limits {
                text_bytes: 10,
                ..Limits::default()
            },
        );
        assert_eq!(
            (message.text().len(), words(&message).contains(&"text-limit")),
            (length.min(10), cut)
        );
        assert_eq!(message.links_cut(), cut);
    }
}

#[test]
fn links_are_limited() {
    for (count, cut) in [(9, false), (10, false), (11, true)] {
        let raw = format!("\n{}", "http://a.example/ ".repeat(count));
        let message = Message::parse(
            raw.as_bytes(),
            &Limits {
                links: 10,
                ..Limits::default()
            },
        );
        assert_eq!((message.links().len(), message.links_cut()), (count.min(10), cut));
        assert_eq!(words(&message).contains(&"links-limit"), cut);
    }
}

#[test]
fn hostile_sizes_stay_within_limits() {
    let limits = Limits::default();
    for raw in [
        format!(
            "Content-Type: multipart/mixed; boundary=x\n\n{}",
            "--x\n\n".repeat(100_000)
        ),
        "A: 1\n".repeat(1_000_000),
        format!("Subject: {}\n\n", "x".repeat(10_000_000)),
        format!("Subject: x\n{}\n", " y\n".repeat(100_000)),
        format!("Subject: {}\n\n", "=?utf-8?q?=41?= ".repeat(100_000)),
        format!("Subject: {}\n\n", "=?".repeat(100_000)),
        format!("To: {}\n\n", "<".repeat(100_000)),
        format!("To: {}\n\n", "(".repeat(100_000)),
        format!("Content-Type: a/b{}\n\n", ";a=b".repeat(100_000)),
        format!(
            "Content-Type: multipart/mixed; boundary=x\n\n{}",
            "--y\n".repeat(200_000)
        ),
    ] {
        let message = Message::parse(raw.as_bytes(), &limits);
        ask_all(&message);
        assert!(message.parts().len() <= limits.parts && message.fields().len() <= limits.header_fields);
        assert!(message.subject().len() <= limits.header_bytes);
    }
}

/// What HTML and text may be made of to cost more than their size (B13, B14, B17, B18): every view stays within its limit.
#[test]
fn bombs_of_markup_and_text_stay_flat() {
    let limits = Limits::default();
    let units = [
        "<div>",
        "<p>a",
        "<b x=1>",
        "<div style='color:#fff;background:#fff'>x",
        "<style>.a{color:#fff}</style>",
        "<style>.a .b{display:none}",
        "<a href='https://href.li/?https://a.example'>x</a>",
        "<a href='https://eur01.safelinks.protection.outlook.com/?url=",
        "<a href=\"data:text/html;base64,AAAA\">x</a>",
        "<base href='https://a.example/'>",
        "<img src='cid:a'>",
        "<img src='data:image/gif;base64,R0lGODlh'>",
        "<form action=a><input type=password>",
        "<v:roundrect href=https://a.example>",
        "<div onclick=\"open('https://a.example/')\">",
        "hxxp://a[.]example ",
        "a[.]b(.)c[dot]d ",
        "GB33 ",
        "20-11-43 55779911 ",
        "+44 ",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed ",
        "1111111111111111111111111111 ",
        "the and of ",
        "On x wrote:<br>",
        "From: x<br>Sent: y<br>",
        "\u{202e}\u{200b}\u{300}",
        "&lt;",
        "<!--",
        "]]>",
    ];
    for unit in units {
        let body = unit.repeat(400_000 / unit.len());
        for kind in ["text/html", "text/plain"] {
            let raw = format!("Content-Type: {kind}; charset=utf-8\r\n\r\n{body}");
            let message = Message::parse(raw.as_bytes(), &limits);
            ask_all(&message);
            assert!(
                message.text().len() + message.hidden_text().len() <= 2 * body.len(),
                "{unit}"
            );
            assert!(
                message.links().len() <= limits.links && message.images().len() <= limits.links,
                "{unit}"
            );
            assert!(message.links().iter().all(|link| link.via.len() <= 8), "{unit}");
            let told = [message.phones(), message.bank_details(), message.crypto_addresses()];
            assert!(told.iter().all(|list| list.len() <= 100), "{unit}");
        }
    }
    let attributes = format!("<a{} href=https://a.example>x</a>", " a=b".repeat(100_000));
    let raw = format!("Content-Type: text/html\r\n\r\n{attributes}");
    assert_eq!(Message::parse(raw.as_bytes(), &limits).links().len(), 1);
}

mod any_bytes {
    use super::*;
    use proptest::prelude::*;

    /// Pieces that parsers stumble over, to be put together in any order.
    const PIECES: &[&str] = &[
        "\r\n",
        "\n",
        "\r",
        "\0",
        " ",
        "\t",
        ":",
        ";",
        "=",
        "\"",
        "\\",
        "(",
        ")",
        "<",
        ">",
        "@",
        ",",
        "%",
        "'",
        "*",
        "?",
        "From: ",
        "Subject: ",
        "Content-Type: ",
        "multipart/mixed; boundary=x",
        "multipart/alternative; boundary=\"x\"",
        "message/rfc822",
        "text/html; charset=utf-16",
        "Content-Transfer-Encoding: base64",
        "quoted-printable",
        "--x",
        "--x--",
        "=?utf-8?q?",
        "=?gb2312?b?",
        "?=",
        "filename*0*=utf-8''%",
        "filename=",
        "<a href='http://",
        "<div hidden>",
        "</div>",
        "<style>",
        "&#x",
        "http://",
        "www.",
        "[::1]",
        "0x7f.1",
        "\u{e9}",
        "\u{202e}",
        "\u{200b}",
        "On x wrote:\n",
        "> ",
        "Received: from a (b [192.0.2.1]) by c; ",
        "Date: Mon, 32 Foo",
        "PK\u{3}\u{4}",
        "a.example/b",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn never_panic(raw in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            ask_all(&Message::parse(&raw, &Limits::default()));
        }

        #[test]
        fn in_odd_order_never_panic(picks in proptest::collection::vec(0..PIECES.len(), 0..200)) {
            let raw: String = picks.into_iter().map(|pick| PIECES[pick]).collect();
            ask_all(&parse(&raw));
        }

        #[test]
        fn of_a_mutated_mail_never_panic(changes in proptest::collection::vec((any::<u16>(), any::<u8>(), 0..3_u8), 0..30)) {
            let mut raw = ORDINARY.as_bytes().to_vec();
            for (at, byte, how) in changes {
                let at = usize::from(at) % raw.len().max(1);
                match how {
                    0 if at < raw.len() => raw[at] = byte,
                    1 => raw.insert(at.min(raw.len()), byte),
                    _ => raw.truncate(raw.len().saturating_sub(usize::from(byte % 16))),
                }
            }
            ask_all(&Message::parse(&raw, &Limits { text_bytes: 100, links: 2, parts: 3, ..Limits::default() }));
        }
    }
}
