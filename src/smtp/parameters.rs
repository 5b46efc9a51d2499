//! Parameters of MAIL and RCPT: their general syntax (RFC 5321 §4.1.2) and that of each one offered.
//!
//! SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), and RET, ENVID, NOTIFY, ORCPT (RFC 3461).
//! What passes is kept as it came; knows nothing of what the values lead to.

use super::refusal::Refusal;
use crate::mail::Parameter;

/// Longest ENVID value (RFC 3461 §4.4).
pub const ENVID_MAX: usize = 100;
/// Longest ORCPT value (RFC 3461 §4.2).
pub const ORCPT_MAX: usize = 500;

/// Most parameters on one line: twice as many as there are.
pub const PARAMETERS_MAX: usize = 16;

/// Which parameters a session was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offered {
    /// SMTPUTF8.
    pub smtputf8: bool,
    /// RET, ENVID, NOTIFY and ORCPT.
    pub dsn: bool,
}

/// MAIL's parameters, and what those that steer the session say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// As they came.
    pub all: Vec<Parameter>,
    /// SIZE's value; one too large for the type is the largest.
    pub size: Option<u64>,
    /// Whether SMTPUTF8 was asked for.
    pub smtputf8: bool,
}

/// Reads what follows MAIL's path.
///
/// # Errors
/// What is wrong with one of them.
pub fn of_mail(text: &str, offered: Offered) -> Result<MailParameters, Refusal> {
    let mut parameters = MailParameters {
        all: split(text)?,
        ..MailParameters::default()
    };
    for parameter in &parameters.all {
        let value = parameter.value.as_deref();
        let fine = match parameter.keyword.to_ascii_uppercase().as_str() {
            "SIZE" => {
                parameters.size = value.and_then(size);
                parameters.size.is_some()
            }
            // BINARYMIME needs CHUNKING (RFC 3030 §3), which is not offered.
            "BODY" => value.is_some_and(|value| is_one_of(value, &["7BIT", "8BITMIME"])),
            "SMTPUTF8" if offered.smtputf8 => {
                parameters.smtputf8 = true;
                value.is_none()
            }
            "RET" if offered.dsn => value.is_some_and(|value| is_one_of(value, &["FULL", "HDRS"])),
            "ENVID" if offered.dsn => value.is_some_and(|value| value.len() <= ENVID_MAX && is_xtext(value)),
            _ => return Err(Refusal::ParameterUnknown),
        };
        if !fine {
            return Err(Refusal::ParameterSyntax);
        }
    }
    // RFC 6533 §3 lets one value hold UTF-8, and it is RCPT's.
    let ascii = parameters
        .all
        .iter()
        .all(|parameter| parameter.value.as_ref().is_none_or(|value| value.is_ascii()));
    if ascii {
        Ok(parameters)
    } else {
        Err(Refusal::ParameterSyntax)
    }
}

/// Reads what follows RCPT's path; `utf8` says whether the transaction asked for SMTPUTF8.
///
/// # Errors
/// What is wrong with one of them.
pub fn of_rcpt(text: &str, offered: Offered, utf8: bool) -> Result<Vec<Parameter>, Refusal> {
    let parameters = split(text)?;
    for parameter in &parameters {
        let value = parameter.value.as_deref().unwrap_or("");
        let fine = match parameter.keyword.to_ascii_uppercase().as_str() {
            "NOTIFY" if offered.dsn => is_notify(value),
            "ORCPT" if offered.dsn => is_orcpt(value, utf8),
            _ => return Err(Refusal::ParameterUnknown),
        };
        if !fine {
            return Err(Refusal::ParameterSyntax);
        }
    }
    Ok(parameters)
}

/// Cuts at spaces; refuses what is no parameter and what came twice.
fn split(text: &str) -> Result<Vec<Parameter>, Refusal> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        if !is_keyword(keyword) || value.is_some_and(|value| value.is_empty() || value.contains('=')) {
            return Err(Refusal::ParameterSyntax);
        }
        if parameters.len() == PARAMETERS_MAX {
            return Err(Refusal::ParameterUnknown);
        }
        if parameters
            .iter()
            .any(|known| known.keyword.eq_ignore_ascii_case(keyword))
        {
            return Err(Refusal::ParameterRepeated);
        }
        parameters.push(Parameter {
            keyword: keyword.to_owned(),
            value: value.map(str::to_owned),
        });
    }
    Ok(parameters)
}

fn is_keyword(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Twenty digits at most (RFC 1870 §4).
fn size(text: &str) -> Option<u64> {
    let fits = text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// `NEVER` alone, or each of the others at most once (RFC 3461 §4.1).
fn is_notify(value: &str) -> bool {
    if value.eq_ignore_ascii_case("NEVER") {
        return true;
    }
    let mut seen = [false; 3];
    value.split(',').all(|word| {
        let known = ["SUCCESS", "FAILURE", "DELAY"]
            .iter()
            .position(|name| word.eq_ignore_ascii_case(name));
        known
            .and_then(|index| seen.get_mut(index))
            .is_some_and(|seen| !std::mem::replace(seen, true))
    })
}

/// An address type, `;`, and the address as xtext (RFC 3461 §4.2), or as UTF-8 (RFC 6533 §3).
fn is_orcpt(value: &str, utf8: bool) -> bool {
    value.len() <= ORCPT_MAX
        && value.split_once(';').is_some_and(|(kind, address)| {
            let text = if utf8 && kind.eq_ignore_ascii_case("utf-8") {
                !address.contains(char::is_whitespace)
            } else {
                is_xtext(address)
            };
            is_keyword(kind) && !address.is_empty() && text
        })
}

/// Printable ASCII, with `+` only before two upper-case hex digits (RFC 3461 §4).
fn is_xtext(text: &str) -> bool {
    let mut pieces = text.split('+');
    let plain = |piece: &str| piece.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'=');
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    pieces.next().is_some_and(plain)
        && pieces.all(|piece| matches!(piece.as_bytes(), [a, b, ..] if is_hex(a) && is_hex(b)) && plain(piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Offered = Offered {
        smtputf8: true,
        dsn: true,
    };

    #[test]
    fn parameters_are_kept_as_they_came() {
        let parameters = of_mail(" size=12 Body=8bitMIME SMTPUTF8 RET=hdrs ENVID=a+2Bb", ALL).unwrap();
        assert_eq!((parameters.size, parameters.smtputf8), (Some(12), true));
        let written: Vec<String> = parameters
            .all
            .iter()
            .map(|parameter| match &parameter.value {
                Some(value) => format!("{}={value}", parameter.keyword),
                None => parameter.keyword.clone(),
            })
            .collect();
        assert_eq!(written.join(" "), "size=12 Body=8bitMIME SMTPUTF8 RET=hdrs ENVID=a+2Bb");
    }

    #[test]
    fn size_has_up_to_twenty_digits() {
        for (text, expected) in [
            (" SIZE=0", Some(0)),
            (" SIZE=18446744073709551615", Some(u64::MAX)),
            (" SIZE=99999999999999999999", Some(u64::MAX)),
            (" SIZE=000000000000000000010", None),
            (" SIZE=-1", None),
            (" SIZE=+1", None),
            (" SIZE=1k", None),
            (" SIZE", None),
        ] {
            let read = of_mail(text, ALL).map(|parameters| parameters.size);
            assert_eq!(read, expected.map(Some).ok_or(Refusal::ParameterSyntax), "{text}");
        }
    }

    #[test]
    fn broken_mail_parameters_are_refused() {
        use Refusal::{ParameterRepeated, ParameterSyntax, ParameterUnknown};
        for (text, refusal) in [
            (" SIZE=1 size=1", ParameterRepeated),
            (" X=1", ParameterUnknown),
            (" AUTH=<>", ParameterUnknown),
            (" BODY=BINARYMIME", ParameterSyntax),
            (" BODY", ParameterSyntax),
            (" SMTPUTF8=1", ParameterSyntax),
            (" RET=ALL", ParameterSyntax),
            (" ENVID=a+b", ParameterSyntax),
            (" ENVID=a+2b", ParameterSyntax),
            (" ENVID=é", ParameterSyntax),
            (" ENVID=", ParameterSyntax),
            (" =1", ParameterSyntax),
            (" SIZE=1=2", ParameterSyntax),
            (" -A=1", ParameterSyntax),
            (" NOTIFY=NEVER", ParameterUnknown),
        ] {
            assert_eq!(of_mail(text, ALL), Err(refusal), "{text}");
        }
        for text in [" SMTPUTF8", " RET=FULL", " ENVID=a"] {
            assert_eq!(of_mail(text, Offered::default()), Err(ParameterUnknown), "{text}");
        }
    }

    #[test]
    fn recipient_parameters_follow_their_grammar() {
        for text in [
            " NOTIFY=NEVER",
            " notify=success,Failure,DELAY ORCPT=rfc822;a+2Bb@example.org",
            " ORCPT=x-local;someone",
        ] {
            assert!(of_rcpt(text, ALL, false).is_ok(), "{text}");
            assert_eq!(
                of_rcpt(text, Offered::default(), false),
                Err(Refusal::ParameterUnknown),
                "{text}"
            );
        }
        for text in [
            " NOTIFY",
            " NOTIFY=NEVER,SUCCESS",
            " NOTIFY=SUCCESS,SUCCESS",
            " NOTIFY=SUCCESS,",
            " ORCPT=a@example.org",
            " ORCPT=rfc822;",
            " ORCPT=;a",
            " ORCPT=utf-8;é@example.org",
        ] {
            assert_eq!(of_rcpt(text, ALL, false), Err(Refusal::ParameterSyntax), "{text}");
        }
        assert!(of_rcpt(" ORCPT=utf-8;é@example.org", ALL, true).is_ok());
    }

    #[test]
    fn values_have_their_longest() {
        for (length, fine) in [(ENVID_MAX - 1, true), (ENVID_MAX, true), (ENVID_MAX + 1, false)] {
            assert_eq!(of_mail(&format!(" ENVID={}", "x".repeat(length)), ALL).is_ok(), fine);
        }
        for (length, fine) in [(ORCPT_MAX - 1, true), (ORCPT_MAX, true), (ORCPT_MAX + 1, false)] {
            let value = format!("rfc822;{}", "x".repeat(length - "rfc822;".len()));
            assert_eq!(of_rcpt(&format!(" ORCPT={value}"), ALL, false).is_ok(), fine);
        }
    }
}
