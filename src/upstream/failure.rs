//! What can go wrong with an upstream, and what the client is told of it.
//!
//! Faults and refusals go in, a reply fit for the client comes out: what is upstream's fault or ours
//! becomes a 4xx, softening is applied, and the rest passes as it came. Pure; counts nothing.

use crate::smtp::Reply;
use crate::smtp::client::Fault;
use crate::smtp::reply::Class;

/// Where in the dialogue with upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// TCP and the greeting.
    Connect,
    /// EHLO, STARTTLS and the handshake, XCLIENT.
    Hello,
    /// RSET, which makes way for MAIL and is counted with it when it fails.
    Reset,
    /// XFORWARD, the same.
    Forward,
    Mail,
    Rcpt,
    Data,
    /// The reply to the final dot.
    Dot,
}

impl Stage {
    /// The word in metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Hello => "hello",
            Self::Reset | Self::Forward | Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Dot => "dot",
        }
    }
}

/// Why no session is begun without it, for the log.
pub(super) const NO_XCLIENT: &str = "it offers no XCLIENT, so it would judge every client by our address";

/// Why upstream didn't take a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It isn't there, or not as it should be.
    Fault(Stage, Fault),
    /// It said no.
    Answer(Stage, Reply),
    /// It offers no XCLIENT where the route says that it is told of the client so.
    NoXclient,
    /// All our connections to it are in use.
    Busy,
    /// It lacks SMTPUTF8, which the message needs.
    NeedsSmtpUtf8,
    /// An address or parameter can't be said at all.
    Unsendable,
}

impl Failure {
    /// Whether it says something about the connection or the server rather than about this message:
    /// another connection, or another target, may do better.
    pub(super) fn is_of_connection(&self) -> bool {
        match self {
            Self::Fault(..) | Self::NoXclient | Self::Busy => true,
            Self::Answer(stage, reply) => matches!(stage, Stage::Connect | Stage::Hello) || reply.code() == 421,
            Self::NeedsSmtpUtf8 | Self::Unsendable => false,
        }
    }

    /// The reply for the client, and whether a refusal was softened on the way.
    pub(super) fn reply(&self, softening: &Softening) -> (Reply, bool) {
        let reply = match self {
            Self::Fault(_, fault) => {
                let (enhanced, words) = said_of(fault);
                Reply::new(
                    451,
                    enhanced,
                    format!("The mail server behind us {words}; try again later"),
                )
            }
            Self::Answer(stage, reply) => return softening.apply(*stage, reply),
            Self::NoXclient => Reply::new(
                451,
                "4.3.5",
                "The mail server behind us can't be told who you are; try again later",
            ),
            Self::Busy => Reply::new(
                451,
                "4.4.5",
                "Every connection to the mail server behind us is in use; try again later",
            ),
            Self::NeedsSmtpUtf8 => Reply::new(
                553,
                "5.6.7",
                "The mail server behind us takes no internationalised addresses",
            ),
            Self::Unsendable => Reply::new(553, "5.1.3", "An address or parameter can't be passed on"),
        };
        (reply, false)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fault(stage, fault) => write!(formatter, "at {}: it {fault}", stage.as_str()),
            Self::Answer(stage, reply) => write!(formatter, "at {}: it said {reply}", stage.as_str()),
            Self::NoXclient => formatter.write_str(NO_XCLIENT),
            Self::Busy => formatter.write_str("every connection is in use"),
            Self::NeedsSmtpUtf8 => formatter.write_str("it does not offer SMTPUTF8"),
            Self::Unsendable => formatter.write_str("an address or parameter can't be passed on"),
        }
    }
}

/// The details, which may name inner hosts, are for our log and not for the world.
const fn said_of(fault: &Fault) -> (&'static str, &'static str) {
    match fault {
        Fault::Unreachable(_) => ("4.4.1", "can't be reached"),
        Fault::TimedOut => ("4.4.1", "did not answer in time"),
        Fault::Dropped => ("4.4.2", "closed the connection"),
        Fault::Garbled(_) => ("4.4.2", "gave an answer that makes no sense"),
        Fault::Insecure(_) => ("4.7.5", "gives no secure connection"),
    }
}

/// Which refusals of upstream's the client hears as "try again".
#[derive(Debug, Clone, Default)]
pub(super) struct Softening {
    /// `code text-prefix`.
    pub(super) codes: Vec<String>,
    pub(super) every_reject: bool,
}

impl Softening {
    /// What the client is told, and whether that is softer than what upstream said: worth an alert.
    ///
    /// A 5xx before MAIL is about us and not about the message, and a 421 ends a connection that
    /// isn't the client's, so neither may reach it.
    fn apply(&self, stage: Stage, reply: &Reply) -> (Reply, bool) {
        let is_ours = matches!(stage, Stage::Connect | Stage::Hello);
        let is_soft = is_ours || reply.code() == 421 || self.names(reply) || (self.every_reject && is_permanent(reply));
        if !is_soft {
            return (reply.clone(), false);
        }
        let text = format!(
            "The mail server behind us does not take this now, it says: {}",
            reply_words(reply)
        );
        (
            Reply::new(451, "4.3.0", text),
            is_permanent(reply) || reply.code() == 421,
        )
    }

    fn names(&self, reply: &Reply) -> bool {
        let words = reply_words(reply);
        is_permanent(reply)
            && self.codes.iter().any(|code| {
                // "550 5.7.6" must not take in 5.7.64.
                words
                    .strip_prefix(code.as_str())
                    .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
            })
    }
}

fn is_permanent(reply: &Reply) -> bool {
    reply.class() == Class::Permanent
}

/// The code and the text of the first line.
fn reply_words(reply: &Reply) -> String {
    format!("{} {}", reply.code(), reply.lines().first().map_or("", String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(softening: &Softening, stage: Stage, code: u16, text: &str) -> (u16, bool) {
        let reply = Reply::from_lines(code, vec![text.into()]).unwrap();
        let (told, is_softened) = Failure::Answer(stage, reply).reply(softening);
        (told.code(), is_softened)
    }

    #[test]
    fn refusals_of_a_message_pass_as_they_came() {
        let none = Softening::default();
        for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot] {
            for code in [450, 452, 550, 554, 599] {
                assert_eq!(told(&none, stage, code, "5.1.1 no"), (code, false), "{stage:?}");
            }
            assert_eq!(told(&none, stage, 421, "4.3.2 bye"), (451, true), "{stage:?}");
        }
    }

    #[test]
    fn refusals_of_us_become_451() {
        let none = Softening::default();
        for stage in [Stage::Connect, Stage::Hello] {
            assert_eq!(told(&none, stage, 554, "no"), (451, true));
            assert_eq!(told(&none, stage, 450, "wait"), (451, false));
            assert_eq!(told(&none, stage, 421, "bye"), (451, true));
        }
    }

    #[test]
    fn soft_codes_are_whole_prefixes() {
        let soft = Softening {
            codes: vec!["550 5.7.64".into(), "553".into()],
            every_reject: false,
        };
        assert_eq!(told(&soft, Stage::Rcpt, 550, "5.7.64 TenantAttribution"), (451, true));
        assert_eq!(told(&soft, Stage::Rcpt, 550, "5.7.641 other"), (550, false));
        assert_eq!(told(&soft, Stage::Mail, 553, "anything"), (451, true));
        assert_eq!(told(&soft, Stage::Mail, 450, "5.7.64 odd"), (450, false));
    }

    #[test]
    fn soft_reject_turns_every_5xx() {
        let soft = Softening {
            codes: vec![],
            every_reject: true,
        };
        assert_eq!(told(&soft, Stage::Dot, 554, "no"), (451, true));
        assert_eq!(told(&soft, Stage::Dot, 452, "full"), (452, false));
    }

    #[test]
    fn faults_are_451_and_say_whose_they_are() {
        for fault in [
            Fault::Unreachable("refused".into()),
            Fault::TimedOut,
            Fault::Dropped,
            Fault::Garbled("x"),
            Fault::Insecure("x".into()),
        ] {
            let (reply, _) = Failure::Fault(Stage::Mail, fault).reply(&Softening::default());
            assert_eq!(reply.code(), 451);
            assert!(reply.to_string().contains("mail server behind us"), "{reply}");
        }
    }
}
