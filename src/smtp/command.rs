//! One command line becomes a command: bytes without their CRLF enter, a [`Command`] or a
//! [`Refusal`] leaves.
//!
//! RFC 5321 §4.1.1, with two leniencies that are widespread: spaces after `FROM:` and `TO:`, and
//! white space before the line's end (§4.1.1 asks for the latter). Addresses and parameters are kept
//! as they came. Knows nothing of the session's state.

use super::MailCommand;
use super::front::{Attributes, Verb};
use super::parameters::{self, Offered};
use super::path;
use super::refusal::{Refusal, Side};
use crate::mail::Recipient;

/// Longest command line in octets, CRLF included (RFC 5321 §4.5.3.1.4).
pub const LINE_MAX: usize = 512;
/// Longest MAIL or RCPT line, CRLF included: SIZE, BODY, SMTPUTF8 and DSN's parameters extend them by
/// some 700 octets in all; the rest is slack.
pub const LINE_WITH_PARAMETERS_MAX: usize = 2048;
/// Longest name in HELO or EHLO (RFC 5321 §4.5.3.1.2).
pub const HELLO_NAME_MAX: usize = 255;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// HELO, or EHLO.
    Hello {
        /// Whether it was EHLO.
        extended: bool,
        /// The name as it came: visible ASCII without spaces.
        name: String,
    },
    /// MAIL.
    Mail(MailCommand),
    /// RCPT.
    Rcpt(Recipient),
    /// DATA.
    Data,
    /// BDAT (RFC 3030 §2): what follows its line at once is part of the message.
    Chunk(Chunk),
    /// RSET.
    Reset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// VRFY.
    Verify,
    /// HELP.
    Help,
    /// STARTTLS (RFC 3207).
    StartTls,
    /// XCLIENT: the front steps back behind its client.
    XClient(Attributes),
    /// XFORWARD: the front tells of its client.
    XForward(Attributes),
    /// EXPN, AUTH and TURN: known, and not carried out here.
    NotImplemented,
}

/// What BDAT announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// How many octets follow.
    pub size: u64,
    /// Whether the message ends with them.
    pub last: bool,
}

/// What decides how a line reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// What EHLO offered.
    pub offered: Offered,
    /// Whether the open transaction asked for SMTPUTF8.
    pub utf8: bool,
    /// Whether the peer may say who its client is.
    pub front: bool,
    /// Whether EHLO offered CHUNKING.
    pub chunking: bool,
}

/// Reads one line, without its CRLF.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &[u8], reading: Reading) -> Result<Command, Refusal> {
    let line = std::str::from_utf8(line).map_err(|_| Refusal::ControlCharacter)?;
    let line = line.trim_end_matches([' ', '\t']);
    if line.chars().any(char::is_control) {
        return Err(Refusal::ControlCharacter);
    }
    let (verb, argument) = match line.split_once(' ') {
        Some((verb, argument)) => (verb, argument.trim_start_matches(' ')),
        None => (line, ""),
    };
    let verb = verb.to_ascii_uppercase();
    match verb.as_str() {
        "MAIL" => return mail(argument, reading),
        "RCPT" => return rcpt(argument, reading),
        _ if line.len() + "\r\n".len() > LINE_MAX => return Err(Refusal::LineTooLong),
        _ => {}
    }
    match verb.as_str() {
        "HELO" => hello(argument, false),
        "EHLO" => hello(argument, true),
        "DATA" => alone(argument, Command::Data),
        "BDAT" if reading.chunking => chunk(argument).map(Command::Chunk),
        "BDAT" => Err(Refusal::NotImplemented),
        "RSET" => alone(argument, Command::Reset),
        "QUIT" => alone(argument, Command::Quit),
        "STARTTLS" => alone(argument, Command::StartTls),
        "NOOP" => Ok(Command::Noop),
        "HELP" => Ok(Command::Help),
        "VRFY" if argument.is_empty() => Err(Refusal::ArgumentMissing),
        "VRFY" => Ok(Command::Verify),
        "XCLIENT" | "XFORWARD" if !reading.front => Err(Refusal::Untrusted),
        "XCLIENT" => Attributes::parse(Verb::XClient, argument).map(Command::XClient),
        "XFORWARD" => Attributes::parse(Verb::XForward, argument).map(Command::XForward),
        "EXPN" | "AUTH" | "TURN" => Ok(Command::NotImplemented),
        // A web page can make a browser post SMTP commands to us: its first line gives it away.
        "GET" | "HEAD" | "POST" | "PUT" | "OPTIONS" | "CONNECT" => Err(Refusal::NotSmtp),
        _ => Err(Refusal::UnknownCommand),
    }
}

fn alone(argument: &str, command: Command) -> Result<Command, Refusal> {
    if argument.is_empty() {
        Ok(command)
    } else {
        Err(Refusal::ArgumentUnexpected)
    }
}

/// Any visible name is taken: real hosts say much that is no domain, and judging it is not ours.
fn hello(name: &str, extended: bool) -> Result<Command, Refusal> {
    let fine = (1..=HELLO_NAME_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if !fine {
        return Err(Refusal::HelloName);
    }
    Ok(Command::Hello {
        extended,
        name: name.to_owned(),
    })
}

/// `chunk-size [SP "LAST"]` (RFC 3030 §2). A size that can't be held is refused as one that can't be read:
/// its octets would come for ever.
fn chunk(argument: &str) -> Result<Chunk, Refusal> {
    let (size, marker) = argument.split_once(' ').unwrap_or((argument, ""));
    let marker = marker.trim_start_matches(' ');
    let is_number = !size.is_empty() && size.bytes().all(|octet| octet.is_ascii_digit());
    match size.parse() {
        Ok(size) if is_number && (marker.is_empty() || marker.eq_ignore_ascii_case("LAST")) => Ok(Chunk {
            size,
            last: !marker.is_empty(),
        }),
        _ => Err(Refusal::ChunkSize),
    }
}

fn mail(argument: &str, reading: Reading) -> Result<Command, Refusal> {
    let path = path::split(after_keyword(argument, "FROM:", Side::Sender)?, Side::Sender)?;
    let parameters = parameters::of_mail(path.after, reading.offered)?;
    Ok(Command::Mail(MailCommand {
        reverse_path: path::reverse_path(path.inside, parameters.smtputf8)?,
        parameters: parameters.all,
        size: parameters.size,
        smtputf8: parameters.smtputf8,
    }))
}

fn rcpt(argument: &str, reading: Reading) -> Result<Command, Refusal> {
    let path = path::split(after_keyword(argument, "TO:", Side::Recipient)?, Side::Recipient)?;
    Ok(Command::Rcpt(Recipient {
        address: path::forward_path(path.inside, reading.utf8)?,
        parameters: parameters::of_rcpt(path.after, reading.offered, reading.utf8)?,
    }))
}

/// What follows `FROM:` or `TO:`, spaces skipped.
fn after_keyword<'a>(argument: &'a str, keyword: &str, side: Side) -> Result<&'a str, Refusal> {
    argument
        .split_at_checked(keyword.len())
        .filter(|(found, _)| found.eq_ignore_ascii_case(keyword))
        .map(|(_, rest)| rest.trim_start_matches(' '))
        .ok_or(Refusal::PathSyntax(side))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVERYTHING: Reading = Reading {
        offered: Offered {
            smtputf8: true,
            dsn: true,
        },
        utf8: true,
        front: true,
        chunking: true,
    };

    fn read(line: &str) -> Result<Command, Refusal> {
        parse(line.as_bytes(), Reading::default())
    }

    /// The envelope commands as we would say them again.
    fn write(command: &Command) -> Option<String> {
        let (mut line, parameters) = match command {
            Command::Mail(mail) => (
                format!(
                    "MAIL FROM:<{}>",
                    mail.reverse_path.as_ref().map_or("", |path| path.as_str())
                ),
                &mail.parameters,
            ),
            Command::Rcpt(recipient) => (format!("RCPT TO:<{}>", recipient.address), &recipient.parameters),
            _ => return None,
        };
        for parameter in parameters {
            line.push(' ');
            line.push_str(&parameter.keyword);
            if let Some(value) = &parameter.value {
                line.push('=');
                line.push_str(value);
            }
        }
        Some(line)
    }

    #[test]
    fn verbs_are_read_in_any_case_and_with_trailing_space() {
        for (line, command) in [
            ("data", Command::Data),
            ("Rset", Command::Reset),
            ("NOOP", Command::Noop),
            ("NOOP anything at all", Command::Noop),
            ("QUIT \t ", Command::Quit),
            ("STARTTLS", Command::StartTls),
            ("VRFY someone", Command::Verify),
            ("EXPN list", Command::NotImplemented),
            ("AUTH PLAIN", Command::NotImplemented),
            ("HELP", Command::Help),
        ] {
            assert_eq!(read(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for (line, refusal) in [
            ("", Refusal::UnknownCommand),
            (" NOOP", Refusal::UnknownCommand),
            ("MAILFROM:<a@example.org>", Refusal::UnknownCommand),
            ("XCLIENT ADDR=192.0.2.1", Refusal::Untrusted),
            ("XFORWARD nonsense", Refusal::Untrusted),
            ("GET / HTTP/1.1", Refusal::NotSmtp),
            ("DATA now", Refusal::ArgumentUnexpected),
            ("RSET x", Refusal::ArgumentUnexpected),
            ("VRFY", Refusal::ArgumentMissing),
            ("EHLO", Refusal::HelloName),
            ("EHLO two words", Refusal::HelloName),
            ("HELO h\u{e9}", Refusal::HelloName),
            ("NOOP\rMAIL", Refusal::ControlCharacter),
            ("NOOP\0", Refusal::ControlCharacter),
            ("NOOP\u{85}", Refusal::ControlCharacter),
            ("MAIL", Refusal::PathSyntax(Side::Sender)),
            ("MAIL TO:<a@example.org>", Refusal::PathSyntax(Side::Sender)),
            ("MAIL FROM:a@example.org", Refusal::PathSyntax(Side::Sender)),
            ("MAIL FROM:<a@example.org>SIZE=1", Refusal::PathSyntax(Side::Sender)),
            ("MAIL FROM:<@x:a@example.org>", Refusal::SourceRoute(Side::Sender)),
            ("MAIL FROM:<\u{e9}@example.org>", Refusal::NotAscii(Side::Sender)),
            ("MAIL FROM:<a@example.org> SMTPUTF8", Refusal::ParameterUnknown),
            ("RCPT TO:<>", Refusal::PathSyntax(Side::Recipient)),
            ("RCPT TO:<a@example.org> NOTIFY=NEVER", Refusal::ParameterUnknown),
        ] {
            assert_eq!(read(line), Err(refusal), "{line}");
        }
        assert_eq!(parse(b"NOOP \xff", EVERYTHING), Err(Refusal::ControlCharacter));
    }

    #[test]
    fn a_space_after_the_colon_is_taken() {
        let strict = read("MAIL FROM:<a@example.org> SIZE=1");
        assert!(strict.is_ok());
        assert_eq!(read("mail  from: <a@example.org>  SIZE=1 "), strict);
    }

    #[test]
    fn smtputf8_has_to_be_asked_for() {
        let asked = "MAIL FROM:<\u{e9}@example.org> SMTPUTF8";
        assert!(parse(asked.as_bytes(), EVERYTHING).is_ok());
        let unasked = "MAIL FROM:<\u{e9}@example.org>";
        assert_eq!(
            parse(unasked.as_bytes(), EVERYTHING),
            Err(Refusal::NotAscii(Side::Sender))
        );
        let recipient = "RCPT TO:<\u{e9}@example.org>".as_bytes();
        assert!(parse(recipient, EVERYTHING).is_ok());
        let ascii = Reading {
            utf8: false,
            ..EVERYTHING
        };
        assert_eq!(parse(recipient, ascii), Err(Refusal::NotAscii(Side::Recipient)));
    }

    #[test]
    fn lines_have_their_longest() {
        for (length, expected) in [(511, true), (512, true), (513, false)] {
            let line = format!("NOOP {}", "x".repeat(length - "NOOP \r\n".len()));
            assert_eq!(read(&line).is_ok(), expected, "{length}");
        }
        for (length, expected) in [(254, true), (255, true), (256, false)] {
            assert_eq!(
                read(&format!("EHLO {}", "x".repeat(length))).is_ok(),
                expected,
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse(&line, EVERYTHING);
        }

        #[test]
        fn what_parses_is_written_as_it_came(
            command in prop_oneof![Just("MAIL FROM:"), Just("RCPT TO:")],
            path in "<([a-z.@\"\\\\ <>é%!+=\\[\\]:,-]{0,12}|[a-z]{1,4}@[a-z.]{1,6}|\"[a-z\\\\\"> ]{0,6}\"@a)>",
            parameters in "( (SIZE=[0-9]{0,3}|BODY=8BITMIME|SMTPUTF8|RET=HDRS|ENVID=[+A-F0-9=]{1,6}|NOTIFY=NEVER|x)){0,3}",
        ) {
            let line = format!("{command}{path}{parameters}");
            if let Ok(read) = parse(line.as_bytes(), EVERYTHING) {
                prop_assert_eq!(write(&read), Some(line));
            }
        }
    }

    #[test]
    fn a_chunk_says_how_long_it_is() {
        let chunk = |size, last| Ok(Command::Chunk(Chunk { size, last }));
        for (line, read) in [
            ("BDAT 0", chunk(0, false)),
            ("BDAT 86 LAST", chunk(86, true)),
            ("bdat 86  last ", chunk(86, true)),
            ("BDAT 18446744073709551615", chunk(u64::MAX, false)),
            ("BDAT 18446744073709551616", Err(Refusal::ChunkSize)),
            ("BDAT", Err(Refusal::ChunkSize)),
            ("BDAT LAST", Err(Refusal::ChunkSize)),
            ("BDAT +1", Err(Refusal::ChunkSize)),
            ("BDAT -1", Err(Refusal::ChunkSize)),
            ("BDAT 0x10", Err(Refusal::ChunkSize)),
            ("BDAT 10 LAS", Err(Refusal::ChunkSize)),
            ("BDAT 10 LAST LAST", Err(Refusal::ChunkSize)),
        ] {
            assert_eq!(parse(line.as_bytes(), EVERYTHING), read, "{line}");
        }
        assert_eq!(read("BDAT 10 LAST"), Err(Refusal::NotImplemented));
    }
}
