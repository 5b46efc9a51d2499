//! The envelope: what MAIL and RCPT said, kept as it came so that it can be said again.
//!
//! Knows nothing of which parameters mean what, beyond finding one by its keyword.

use super::Address;
use serde::{Deserialize, Serialize};

/// An esmtp-param (RFC 5321 §4.1.2), spelled as the client spelled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The keyword, in the client's case.
    pub keyword: String,
    /// What follows `=`; `None` without one.
    pub value: Option<String>,
}

/// One accepted recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The forward-path's mailbox.
    pub address: Address,
    /// NOTIFY, ORCPT and whatever else was said.
    pub parameters: Vec<Parameter>,
}

/// Reverse-path, recipients and their parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// `None` is the null reverse-path `<>`.
    pub reverse_path: Option<Address>,
    /// MAIL's parameters: SIZE, BODY, SMTPUTF8, RET, ENVID…
    pub parameters: Vec<Parameter>,
    /// In the order of their RCPT commands.
    pub recipients: Vec<Recipient>,
}

impl Envelope {
    /// The reverse-path as text: empty when it is null.
    pub fn reverse_path_text(&self) -> &str {
        self.reverse_path.as_ref().map_or("", Address::as_str)
    }

    /// MAIL's parameter with this keyword, in any case.
    pub fn parameter(&self, keyword: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.keyword.eq_ignore_ascii_case(keyword))
    }
}
