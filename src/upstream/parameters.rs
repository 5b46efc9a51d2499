//! Which of the client's MAIL and RCPT parameters are said to an upstream that may not know them.
//!
//! Parameters and the upstream's extensions go in, the ones to say come out, spelled as they came.
//! Pure; knows nothing of connections.

use crate::mail::Parameter;
use crate::smtp::client::Extensions;

/// The message needs SMTPUTF8 and this upstream doesn't offer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NeedsSmtpUtf8;

/// The parameters that this upstream is told.
pub(super) fn understood(parameters: &[Parameter], offered: &Extensions) -> Result<Vec<Parameter>, NeedsSmtpUtf8> {
    let mut kept = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let keep = match parameter.keyword.to_ascii_uppercase().as_str() {
            "SIZE" => offered.size,
            // A message is sent as it is, labelled or not: re-encoding it would break its signature.
            "BODY" => offered.eight_bit_mime,
            "RET" | "ENVID" | "NOTIFY" | "ORCPT" => offered.dsn,
            // We offer no AUTH, and vouch for nobody (RFC 4954 §5).
            "AUTH" => false,
            "SMTPUTF8" if !offered.smtputf8 => return Err(NeedsSmtpUtf8),
            _ => true,
        };
        if keep {
            kept.push(parameter.clone());
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(parameters: &str, offered: &Extensions) -> Result<String, NeedsSmtpUtf8> {
        let parameters: Vec<Parameter> = parameters
            .split(' ')
            .map(|word| match word.split_once('=') {
                Some((keyword, value)) => (keyword, Some(value.to_owned())),
                None => (word, None),
            })
            .map(|(keyword, value)| Parameter {
                keyword: keyword.into(),
                value,
            })
            .collect();
        understood(&parameters, offered).map(|kept| {
            kept.into_iter()
                .map(|parameter| parameter.keyword)
                .collect::<Vec<_>>()
                .join(" ")
        })
    }

    #[test]
    fn only_what_upstream_knows_is_said() {
        let all = Extensions {
            size: true,
            eight_bit_mime: true,
            smtputf8: true,
            dsn: true,
            ..Extensions::default()
        };
        let every = "size=1 BODY=8BITMIME RET=HDRS ENVID=x NOTIFY=NEVER ORCPT=rfc822;a AUTH=<> X-OTHER=1";
        assert_eq!(said(every, &all).unwrap(), "size BODY RET ENVID NOTIFY ORCPT X-OTHER");
        assert_eq!(said(every, &Extensions::default()).unwrap(), "X-OTHER");
        assert_eq!(said("SMTPUTF8", &all).unwrap(), "SMTPUTF8");
        assert_eq!(said("smtputf8", &Extensions::default()), Err(NeedsSmtpUtf8));
    }
}
