//! Commands as they go over the wire: one line each, never more.
//!
//! Addresses and parameters go in as the client spelled them; what holds a control character is
//! refused here, so no envelope can smuggle a second command in. Knows nothing of when to say what.

use crate::mail::{Address, Parameter, Recipient};
use std::fmt;

/// One command line with its CRLF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command(Vec<u8>);

/// An argument holds what no command line can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsendable;

impl fmt::Display for Unsendable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an address or parameter holds a control character or space that no SMTP command can carry")
    }
}

impl Command {
    /// EHLO with our name.
    ///
    /// # Errors
    /// When the name holds a space or control character.
    pub fn ehlo(name: &str) -> Result<Self, Unsendable> {
        Self::with_word("EHLO ", name)
    }

    /// HELO with our name.
    ///
    /// # Errors
    /// When the name holds a space or control character.
    pub fn helo(name: &str) -> Result<Self, Unsendable> {
        Self::with_word("HELO ", name)
    }

    /// LHLO with our name: LMTP's greeting in EHLO's place (RFC 2033 §4.1).
    ///
    /// # Errors
    /// When the name holds a space or control character.
    pub fn lhlo(name: &str) -> Result<Self, Unsendable> {
        Self::with_word("LHLO ", name)
    }

    /// MAIL (RFC 5321 §4.1.1.2); `None` is the null reverse-path.
    ///
    /// # Errors
    /// When an argument can't stand in a command line.
    pub fn mail(reverse_path: Option<&Address>, parameters: &[Parameter]) -> Result<Self, Unsendable> {
        Self::path("MAIL FROM:<", reverse_path.map_or("", Address::as_str), parameters)
    }

    /// RCPT (RFC 5321 §4.1.1.3) with the parameters given, which may be fewer than the recipient's own.
    ///
    /// # Errors
    /// When an argument can't stand in a command line.
    pub fn rcpt(recipient: &Recipient, parameters: &[Parameter]) -> Result<Self, Unsendable> {
        Self::path("RCPT TO:<", recipient.address.as_str(), parameters)
    }

    /// DATA.
    pub fn data() -> Self {
        Self(b"DATA\r\n".to_vec())
    }

    /// BDAT (RFC 3030 §2) for a whole message of so many octets, which follow at once.
    pub fn bdat_last(octets: usize) -> Self {
        Self(format!("BDAT {octets} LAST\r\n").into_bytes())
    }

    /// RSET.
    pub fn rset() -> Self {
        Self(b"RSET\r\n".to_vec())
    }

    /// STARTTLS (RFC 3207).
    pub fn starttls() -> Self {
        Self(b"STARTTLS\r\n".to_vec())
    }

    /// QUIT.
    pub fn quit() -> Self {
        Self(b"QUIT\r\n".to_vec())
    }

    /// The line with its CRLF.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A verb and words that hold neither space nor control character, as xtext never does.
    pub(super) fn of_words(verb: &str, words: &[String]) -> Self {
        let line = words.iter().fold(verb.to_owned(), |line, word| line + " " + word);
        Self((line + "\r\n").into_bytes())
    }

    fn with_word(verb: &str, word: &str) -> Result<Self, Unsendable> {
        let mut line = verb.as_bytes().to_vec();
        append_word(&mut line, word)?;
        line.extend_from_slice(b"\r\n");
        Ok(Self(line))
    }

    fn path(verb: &str, address: &str, parameters: &[Parameter]) -> Result<Self, Unsendable> {
        let mut line = verb.as_bytes().to_vec();
        // A quoted local part may hold a space, so only control characters are refused here.
        if address.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Unsendable);
        }
        line.extend_from_slice(address.as_bytes());
        line.push(b'>');
        for Parameter { keyword, value } in parameters {
            line.push(b' ');
            append_word(&mut line, keyword)?;
            if let Some(value) = value {
                line.push(b'=');
                append_word(&mut line, value)?;
            }
        }
        line.extend_from_slice(b"\r\n");
        Ok(Self(line))
    }
}

fn append_word(line: &mut Vec<u8>, word: &str) -> Result<(), Unsendable> {
    if word.bytes().any(|byte| byte == b' ' || byte.is_ascii_control()) {
        return Err(Unsendable);
    }
    line.extend_from_slice(word.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(keyword: &str, value: Option<&str>) -> Parameter {
        Parameter {
            keyword: keyword.into(),
            value: value.map(Into::into),
        }
    }

    #[test]
    fn arguments_go_out_as_they_came() {
        let from = Address::from_checked("\"a b\"@Example.ORG");
        let parameters = [parameter("size", Some("10")), parameter("SMTPUTF8", None)];
        assert_eq!(
            Command::mail(Some(&from), &parameters).unwrap().as_bytes(),
            b"MAIL FROM:<\"a b\"@Example.ORG> size=10 SMTPUTF8\r\n"
        );
        assert_eq!(Command::mail(None, &[]).unwrap().as_bytes(), b"MAIL FROM:<>\r\n");
        let recipient = Recipient {
            address: Address::from_checked("postmaster"),
            parameters: vec![],
        };
        assert_eq!(
            Command::rcpt(&recipient, &[]).unwrap().as_bytes(),
            b"RCPT TO:<postmaster>\r\n"
        );
    }

    #[test]
    fn no_argument_can_hold_a_second_command() {
        for bad in ["a@b>\r\nRCPT TO:<c@d", "a\n@b", "a\0@b", "a\r@b", "a\x7f@b"] {
            assert_eq!(
                Command::mail(Some(&Address::from_checked(bad)), &[]),
                Err(Unsendable),
                "{bad:?}"
            );
        }
        for bad in ["x\r\nDATA", "x y", "x\0"] {
            assert_eq!(Command::mail(None, &[parameter(bad, None)]), Err(Unsendable), "{bad:?}");
            assert_eq!(
                Command::mail(None, &[parameter("ENVID", Some(bad))]),
                Err(Unsendable),
                "{bad:?}"
            );
            assert_eq!(Command::ehlo(bad), Err(Unsendable), "{bad:?}");
        }
    }
}
