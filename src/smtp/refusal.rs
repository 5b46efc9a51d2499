//! Every refusal of our own on the wire: what the client is told, why in one word for the metrics,
//! and whether the session ends with it.
//!
//! Takes nothing of the client's words, so nothing can be echoed. Replies of a desk are not made here.

use super::Reply;

/// Which path of the envelope a refusal is about; decides the enhanced code (RFC 3463 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// MAIL's reverse-path.
    Sender,
    /// RCPT's forward-path.
    Recipient,
}

/// Which octet makes a message malformed (RFC 5321 §2.3.8, §4.1.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A CR that no LF follows.
    BareCarriageReturn,
    /// An LF that no CR precedes.
    BareLineFeed,
    /// A NUL.
    Nul,
}

/// A refusal of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The client spoke before the greeting.
    EarlyTalk,
    /// All connections are taken.
    Connections,
    /// This client has all the connections that one client may have.
    ConnectionsPerClient,
    /// The listener does not serve this client's network.
    ClientNetwork,
    /// A command line ended in a bare LF.
    BareLineFeed,
    /// A command line was longer than its command may be.
    LineTooLong,
    /// A command line would not end.
    LineEndless,
    /// A control character stood in a command.
    ControlCharacter,
    /// The client speaks HTTP.
    NotSmtp,
    /// No such command.
    UnknownCommand,
    /// A command that this server does not carry out.
    NotImplemented,
    /// A command came without its argument.
    ArgumentMissing,
    /// An argument followed a command that takes none.
    ArgumentUnexpected,
    /// The name in HELO or EHLO can't be one.
    HelloName,
    /// A path is no path.
    PathSyntax(Side),
    /// A path is longer than RFC 5321 §4.5.3.1.3 allows.
    PathTooLong(Side),
    /// A path names relays to pass through.
    SourceRoute(Side),
    /// A mailbox has no domain.
    DomainMissing(Side),
    /// A mailbox holds other than ASCII, and SMTPUTF8 was not offered or not asked for.
    NotAscii(Side),
    /// A parameter is no parameter, or its value is none of its own.
    ParameterSyntax,
    /// A parameter came twice.
    ParameterRepeated,
    /// A parameter that was never offered.
    ParameterUnknown,
    /// An attribute of XCLIENT or XFORWARD that was not offered, or is none of its own.
    Attribute,
    /// XCLIENT or XFORWARD from a peer that may not say who its client is.
    Untrusted,
    /// HELO or EHLO has to come first.
    HelloFirst,
    /// A transaction is open.
    NestedMail,
    /// A message is under way in chunks.
    Chunked,
    /// How long a chunk is can't be read, so nobody knows where it ends.
    ChunkSize,
    /// There is no transaction.
    MailFirst,
    /// The transaction has no recipients.
    NoRecipients,
    /// TLS is on.
    TlsAlready,
    /// Input came in where the client had to wait for a reply (RFC 2920 §3.1).
    Pipelining,
    /// The message is, or is said to be, larger than SIZE.
    TooBig,
    /// The transaction has all the recipients that it may have.
    Recipients,
    /// The client erred too often.
    Errors,
    /// Too many commands that carry no mail.
    Junk,
    /// No memory for the body.
    Memory,
    /// The client was silent for too long.
    Timeout,
    /// The body came too slowly.
    Slow,
    /// The daemon is stopping.
    Draining,
    /// The message holds what no message may hold.
    Malformed(Malformed),
    /// A fault in this daemon.
    Fault,
}

impl Refusal {
    /// What the client is told.
    pub fn reply(self) -> Reply {
        let (code, enhanced, text, _) = self.row();
        Reply::new(code, enhanced, text)
    }

    /// Why, in one word of a closed set: a metric's label.
    pub const fn reason(self) -> &'static str {
        self.row().3
    }

    /// Whether the session ends with it.
    pub const fn closes(self) -> bool {
        matches!(
            self,
            Self::EarlyTalk
                | Self::ClientNetwork
                | Self::BareLineFeed
                | Self::LineEndless
                | Self::NotSmtp
                | Self::ChunkSize
                | Self::Pipelining
                | Self::Malformed(_)
        ) || self.row().0 == 421
    }

    /// Whether it counts against the client's errors: what it could have known better.
    pub const fn is_error(self) -> bool {
        self.row().0 >= 500
    }

    /// Code, enhanced code (RFC 3463, RFC 5248), text and reason.
    const fn row(self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Self::EarlyTalk => (554, "5.5.0", "You spoke before the greeting", "early_talk"),
            Self::Connections => (421, "4.7.0", "Too many connections, try again later", "connections"),
            Self::ConnectionsPerClient => (421, "4.7.0", "Too many connections from you", "connections_per_client"),
            Self::ClientNetwork => (554, "5.7.1", "This service is not for your network", "client_network"),
            Self::BareLineFeed => (500, "5.5.2", "Lines end in CR LF, not in LF alone", "line_end"),
            Self::LineTooLong | Self::LineEndless => (500, "5.5.2", "Line too long", "line_length"),
            Self::ControlCharacter => (500, "5.5.2", "Control character in command", "syntax"),
            Self::NotSmtp => (500, "5.5.1", "This is SMTP", "unknown_command"),
            Self::UnknownCommand => (500, "5.5.1", "Command not recognised", "unknown_command"),
            Self::NotImplemented => (502, "5.5.1", "Command not implemented", "not_implemented"),
            Self::ArgumentMissing => (501, "5.5.4", "Argument missing", "syntax"),
            Self::ArgumentUnexpected => (501, "5.5.4", "This command takes no argument", "syntax"),
            Self::HelloName => (501, "5.5.4", "A host name or address literal must follow", "syntax"),
            Self::PathSyntax(Side::Sender) => (501, "5.1.7", "Bad sender address syntax", "address"),
            Self::PathSyntax(Side::Recipient) => (501, "5.1.3", "Bad recipient address syntax", "address"),
            Self::PathTooLong(Side::Sender) => (501, "5.1.7", "Path too long", "address"),
            Self::PathTooLong(Side::Recipient) => (501, "5.1.3", "Path too long", "address"),
            Self::SourceRoute(Side::Sender) => (553, "5.1.7", "Source routes are not accepted", "address"),
            Self::SourceRoute(Side::Recipient) => (553, "5.1.3", "Source routes are not accepted", "address"),
            Self::DomainMissing(Side::Sender) => (553, "5.1.7", "The address has no domain", "address"),
            Self::DomainMissing(Side::Recipient) => (553, "5.1.3", "The address has no domain", "address"),
            Self::NotAscii(_) => (553, "5.6.7", "The address needs SMTPUTF8", "address"),
            Self::ParameterSyntax => (501, "5.5.4", "Bad parameter syntax", "parameter"),
            Self::ParameterRepeated => (501, "5.5.4", "Parameter given twice", "parameter"),
            Self::ParameterUnknown => (555, "5.5.4", "Parameter not recognised", "parameter"),
            Self::Attribute => (501, "5.5.4", "Bad attribute", "syntax"),
            Self::Untrusted => (550, "5.7.0", "You may not say who your client is", "untrusted"),
            Self::HelloFirst => (503, "5.5.1", "Say HELO or EHLO first", "sequence"),
            Self::NestedMail => (503, "5.5.1", "A transaction is already open", "sequence"),
            Self::Chunked => (503, "5.5.1", "The message is coming in chunks", "sequence"),
            Self::ChunkSize => (501, "5.5.4", "Say how many octets follow", "syntax"),
            Self::MailFirst => (503, "5.5.1", "Say MAIL first", "sequence"),
            Self::NoRecipients => (554, "5.5.1", "No valid recipients", "sequence"),
            Self::TlsAlready => (503, "5.5.1", "TLS is already on", "sequence"),
            Self::Pipelining => (503, "5.5.0", "You did not wait for the reply", "pipelining"),
            Self::TooBig => (552, "5.3.4", "Message too big", "size"),
            Self::Recipients => (452, "4.5.3", "Too many recipients", "recipients"),
            Self::Errors => (421, "4.7.0", "Too many errors", "errors"),
            Self::Junk => (421, "4.7.0", "Too many commands without mail", "errors"),
            Self::Memory => (452, "4.3.1", "No room for the message now, try again later", "memory"),
            Self::Timeout => (421, "4.4.2", "You were silent for too long", "timeout"),
            Self::Slow => (421, "4.4.2", "The message came too slowly", "timeout"),
            Self::Draining => (421, "4.3.2", "Service is stopping, try again later", "draining"),
            Self::Malformed(Malformed::BareCarriageReturn) => (550, "5.6.0", "Message holds a bare CR", "malformed"),
            Self::Malformed(Malformed::BareLineFeed) => (550, "5.6.0", "Message holds a bare LF", "malformed"),
            Self::Malformed(Malformed::Nul) => (550, "5.6.0", "Message holds a NUL", "malformed"),
            Self::Fault => (421, "4.3.0", "A fault of ours, try again later", "fault"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::reply::Class;

    #[test]
    fn replies_and_their_consequences_agree() {
        for (refusal, class, closes) in [
            (Refusal::EarlyTalk, Class::Permanent, true),
            (Refusal::UnknownCommand, Class::Permanent, false),
            (Refusal::Recipients, Class::Transient, false),
            (Refusal::Memory, Class::Transient, false),
            (Refusal::Errors, Class::Transient, true),
            (Refusal::Draining, Class::Transient, true),
            (Refusal::TooBig, Class::Permanent, false),
            (Refusal::ChunkSize, Class::Permanent, true),
            (Refusal::Malformed(Malformed::Nul), Class::Permanent, true),
        ] {
            assert_eq!(
                (refusal.reply().class(), refusal.closes()),
                (class, closes),
                "{refusal:?}"
            );
            assert_eq!(refusal.is_error(), class == Class::Permanent);
            // RFC 3463 §2: the enhanced code's class is the reply's.
            let digit = refusal.reply().code() / 100;
            assert!(refusal.reply().lines()[0].starts_with(&format!("{digit}.")));
        }
    }
}
