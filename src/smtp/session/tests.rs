//! A session line by line, with a desk that accepts everything.

use super::*;

const OFFER: Offer = Offer {
    size: 1000,
    smtputf8: true,
    dsn: true,
};

fn session(limits: &Limits) -> Session {
    with(Abilities::default(), limits)
}

fn with(abilities: Abilities, limits: &Limits) -> Session {
    let abilities = Abilities {
        starttls: true,
        ..abilities
    };
    Session::new(Manner::new("gate.example".into(), abilities, limits), None, None)
}

/// Says a line to a desk that accepts everything.
fn say(session: &mut Session, line: &str) -> u16 {
    match session.command(line.as_bytes(), OFFER) {
        Step::Answer(reply)
        | Step::Reset(reply)
        | Step::Hello(_, reply)
        | Step::XClient(_, reply)
        | Step::XForward(_, reply) => reply.code(),
        Step::Refuse(refusal, _) | Step::RefuseData(refusal, _) => refusal.reply().code(),
        Step::Mail(mail) => {
            let reply = Reply::new(250, "2.1.0", "OK");
            session.mail_answered(Declared::from(&mail), &reply).unwrap();
            250
        }
        Step::Rcpt(_) => {
            session.rcpt_answered(&Reply::new(250, "2.1.5", "OK")).unwrap();
            250
        }
        Step::Chunk { .. } => 250,
        Step::RefuseChunk(_, refusal, _) => refusal.reply().code(),
        Step::Data(_) => 354,
        Step::StartTls => 220,
        Step::Quit => 221,
    }
}

fn talk(session: &mut Session, lines: &[(&str, u16)]) {
    for (line, code) in lines {
        assert_eq!(say(session, line), *code, "{line}");
    }
}

#[test]
fn ehlo_offers_what_is_true_now() {
    let mut session = session(&Limits::default());
    let Step::Hello(client, reply) = session.command(b"EHLO client.example", OFFER) else {
        panic!("not accepted");
    };
    assert_eq!((client.helo.as_str(), client.extended), ("client.example", true));
    assert_eq!(
        reply.lines().join(","),
        "gate.example,PIPELINING,SIZE 1000,8BITMIME,ENHANCEDSTATUSCODES,STARTTLS,SMTPUTF8,DSN"
    );
    session.secured("TLSv1.3 X".into());
    let plain = Offer {
        smtputf8: false,
        dsn: false,
        ..OFFER
    };
    let Step::Hello(client, reply) = session.command(b"EHLO client.example", plain) else {
        panic!("not accepted");
    };
    assert_eq!(client.tls.as_deref(), Some("TLSv1.3 X"));
    assert_eq!(
        reply.lines().join(","),
        "gate.example,PIPELINING,SIZE 1000,8BITMIME,ENHANCEDSTATUSCODES"
    );
}

#[test]
fn helo_offers_nothing() {
    let mut session = session(&Limits::default());
    talk(
        &mut session,
        &[("HELO a", 250), ("MAIL FROM:<a@example.org> SMTPUTF8", 555)],
    );
}

#[test]
fn size_is_checked_at_mail() {
    for (size, code) in [(999, 250), (1000, 250), (1001, 552)] {
        let mut session = session(&Limits::default());
        talk(
            &mut session,
            &[("EHLO a", 250), (&format!("MAIL FROM:<> SIZE={size}"), code)],
        );
    }
}

#[test]
fn a_declared_message_is_received_with_what_was_declared() {
    let mut session = session(&Limits::default());
    talk(
        &mut session,
        &[
            ("EHLO a", 250),
            ("MAIL FROM:<> SIZE=7", 250),
            ("RCPT TO:<a@example.org>", 250),
        ],
    );
    let expected = Step::Data(Begins {
        declared: Some(7),
        size_max: 1000,
    });
    assert_eq!(session.command(b"DATA", OFFER), expected);
    session.message_answered(&Reply::new(250, "2.0.0", "OK"));
    talk(&mut session, &[("DATA", 503)]);
}

#[test]
fn chunks_come_one_after_another_and_nothing_between_but_their_end() {
    let mut session = with(
        Abilities {
            chunking: true,
            ..Abilities::default()
        },
        &Limits::default(),
    );
    talk(
        &mut session,
        &[
            ("BDAT 5", 502),
            ("HELO a", 250),
            ("BDAT 5", 502),
            ("EHLO a", 250),
            ("BDAT 5", 503),
            ("MAIL FROM:<> SIZE=7", 250),
            ("BDAT 5 LAST", 554),
            ("RCPT TO:<a@example.org>", 250),
        ],
    );
    let begins = Some(Begins {
        declared: Some(7),
        size_max: 1000,
    });
    let chunk = |size, last| Chunk { size, last };
    let first = Step::Chunk {
        chunk: chunk(5, false),
        begins,
    };
    assert_eq!(session.command(b"BDAT 5", OFFER), first);
    talk(
        &mut session,
        &[
            ("DATA", 503),
            ("MAIL FROM:<>", 503),
            ("RCPT TO:<a@example.org>", 503),
            ("NOOP", 250),
        ],
    );
    let last = Step::Chunk {
        chunk: chunk(2, true),
        begins: None,
    };
    assert_eq!(session.command(b"bdat 2 last", OFFER), last);
    session.message_answered(&Reply::new(250, "2.0.0", "OK"));
    talk(
        &mut session,
        &[
            ("BDAT 0 LAST", 503),
            ("MAIL FROM:<>", 250),
            ("RCPT TO:<a@example.org>", 250),
            ("BDAT 5", 250),
            ("RSET", 250),
            ("BDAT 5", 503),
        ],
    );
}

#[test]
fn empty_chunks_are_junk() {
    let abilities = Abilities {
        chunking: true,
        ..Abilities::default()
    };
    let mut session = with(abilities, &Limits::default());
    talk(
        &mut session,
        &[("EHLO a", 250), ("MAIL FROM:<>", 250), ("RCPT TO:<a@example.org>", 250)],
    );
    for _ in 0..99 {
        talk(&mut session, &[("BDAT 0", 250), ("BDAT 1", 250)]);
    }
    talk(&mut session, &[("BDAT 0", 421)]);
}

#[test]
fn errors_end_the_session_one_above_the_limit() {
    let mut session = session(&Limits::default());
    for _ in 0..20 {
        talk(&mut session, &[("JUNK", 500)]);
    }
    talk(&mut session, &[("JUNK", 421)]);
}

#[test]
fn a_desks_refusals_count_and_an_accepted_message_forgives() {
    let limits = Limits {
        errors: 2,
        ..Limits::default()
    };
    let mut session = session(&limits);
    let (good, bad) = (Reply::new(250, "", "OK"), Reply::new(550, "5.1.1", "Unknown"));
    talk(
        &mut session,
        &[("EHLO a", 250), ("MAIL FROM:<>", 250), ("RCPT TO:<a@example.org>", 250)],
    );
    assert_eq!(session.rcpt_answered(&bad), Ok(()));
    assert_eq!(session.rcpt_answered(&bad), Ok(()));
    session.message_answered(&good);
    talk(&mut session, &[("MAIL FROM:<>", 250)]);
    assert_eq!(session.rcpt_answered(&bad), Ok(()));
    assert_eq!(session.rcpt_answered(&bad), Ok(()));
    assert_eq!(session.rcpt_answered(&bad), Err(Refusal::Errors));
}

#[test]
fn junk_ends_the_session_one_above_the_limit() {
    let mut session = session(&Limits::default());
    talk(&mut session, &[("EHLO a", 250)]);
    for _ in 0..33 {
        talk(&mut session, &[("NOOP", 250), ("RSET", 250), ("VRFY a", 252)]);
    }
    talk(&mut session, &[("NOOP", 421)]);
}

#[test]
fn recipients_stop_at_the_limit_and_their_askers_at_twice_that() {
    let limits = Limits {
        recipients: 3,
        ..Limits::default()
    };
    let mut session = session(&limits);
    talk(&mut session, &[("EHLO a", 250), ("MAIL FROM:<>", 250)]);
    for code in [250, 250, 250, 452, 452, 452, 421] {
        talk(&mut session, &[("RCPT TO:<a@example.org>", code)]);
    }
}

#[test]
fn starttls_forgets_everything_and_comes_once() {
    let mut session = session(&Limits::default());
    talk(
        &mut session,
        &[
            ("STARTTLS x", 501),
            ("EHLO a", 250),
            ("MAIL FROM:<>", 250),
            ("STARTTLS", 220),
        ],
    );
    session.secured("TLSv1.3 X".into());
    talk(
        &mut session,
        &[
            ("RCPT TO:<a@example.org>", 503),
            ("MAIL FROM:<>", 503),
            ("EHLO a", 250),
            ("STARTTLS", 503),
        ],
    );
}

#[test]
fn chunking_is_offered_where_it_may_be_used() {
    let abilities = Abilities {
        chunking: true,
        ..Abilities::default()
    };
    let mut session = with(abilities, &Limits::default());
    let Step::Hello(_, reply) = session.command(b"EHLO client.example", OFFER) else {
        panic!("not accepted");
    };
    assert!(reply.lines().contains(&"CHUNKING".to_owned()), "{reply:?}");
}

#[test]
fn starttls_without_a_certificate_is_not_implemented() {
    let manner = Manner::new("gate.example".into(), Abilities::default(), &Limits::default());
    talk(&mut Session::new(manner, None, None), &[("STARTTLS", 502)]);
}
fn front() -> Session {
    let abilities = Abilities {
        starttls: true,
        front: true,
        chunking: false,
    };
    let manner = Manner::new("gate.example".into(), abilities, &Limits::default());
    Session::new(manner, "127.0.0.1:4000".parse().ok(), None)
}

/// The client that the desk is told of.
fn told(session: &mut Session, line: &str) -> Client {
    match session.command(line.as_bytes(), OFFER) {
        Step::Hello(client, _) | Step::XForward(client, _) => client,
        step => panic!("{line}: {step:?}"),
    }
}

#[test]
fn xclient_begins_anew_for_the_client_and_adds_up() {
    let mut session = front();
    talk(
        &mut session,
        &[("XCLIENT ADDR=192.0.2.7", 220), ("XCLIENT PORT=7 NAME=mx.example", 220)],
    );
    talk(&mut session, &[("MAIL FROM:<>", 503)]);
    let client = told(&mut session, "EHLO client.example");
    assert_eq!(
        (client.address, client.name.as_deref()),
        ("192.0.2.7:7".parse().ok(), Some("mx.example"))
    );
    session.secured("TLSv1.3 X".into());
    let client = told(&mut session, "EHLO client.example");
    assert_eq!(client.address, "192.0.2.7:7".parse().ok());
    talk(
        &mut session,
        &[("MAIL FROM:<>", 250), ("XCLIENT ADDR=192.0.2.8", 503), ("RSET", 250)],
    );
    talk(&mut session, &[("XCLIENT ADDR=[UNAVAILABLE]", 220)]);
    assert_eq!(told(&mut session, "HELO a").address, None);
}

#[test]
fn xforward_lasts_for_one_transaction() {
    let mut session = front();
    talk(&mut session, &[("XFORWARD NAME=mx.example", 250)]);
    let client = told(&mut session, "EHLO front.example");
    assert_eq!((client.address, client.helo.as_str()), (None, ""));
    let client = told(&mut session, "XFORWARD ADDR=192.0.2.7 PORT=7 HELO=client.example");
    assert_eq!(
        (client.address, client.helo.as_str()),
        ("192.0.2.7:7".parse().ok(), "client.example")
    );
    talk(&mut session, &[("MAIL FROM:<>", 250), ("XFORWARD ADDR=192.0.2.8", 503)]);
    session.message_answered(&Reply::new(250, "2.0.0", "OK"));
    let client = session.forget_forwarded().unwrap();
    assert_eq!((client.address, client.helo.as_str()), (None, ""));
    assert_eq!(session.forget_forwarded(), None, "told once");
    let client = told(&mut session, "XFORWARD ADDR=192.0.2.9 PORT=8");
    assert_eq!((client.address, client.helo.as_str()), ("192.0.2.9:8".parse().ok(), ""));
    talk(&mut session, &[("XCLIENT PORT=9", 220)]);
    assert_eq!(told(&mut session, "EHLO a").address, "127.0.0.1:9".parse().ok());
}
