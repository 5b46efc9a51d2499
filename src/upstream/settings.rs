//! Settings of routes and of how long their targets may take.
//!
//! Plain data with the shipped defaults. Knows nothing of files, layers or other modules' settings.

use super::{TargetUrl, dane};
use crate::units::Span;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// `[[route]]`: recipient domains and where their mail goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The name in logs, metrics and a listener's `upstream`.
    pub name: String,
    /// Domains, `*.suffix` for all below one, `*` for the rest.
    pub domains: Vec<String>,
    /// One target, or several in order of preference.
    pub target: Targets,
    /// What is asked of TLS towards SMTP and LMTP targets; a Unix socket has none.
    pub tls: TlsMode,
    /// Certificate authorities for `verified`, a PEM file; the system's own without it.
    pub tls_ca: Option<PathBuf>,
    /// The name that a certificate must carry for `verified`; the target's host without it.
    pub tls_name: Option<String>,
    /// PEM file with our own certificate and its chain, shown to a target that asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with its private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// How SMTP and LMTP targets hear who the client is.
    pub state_client: StateClient,
    /// Sends messages by BDAT to SMTP and LMTP targets that offer CHUNKING.
    pub chunking: bool,
    /// Connections open at once to each target.
    pub connections: usize,
    /// Messages sent over one connection before it is closed.
    pub messages: usize,
    /// Refusals to turn into 451: a code and how its text begins, such as `550 5.7.64`.
    pub soft_codes: Vec<String>,
    /// Turns every 5xx of upstream's into a 451, while one is unsure of a new set-up.
    pub soft_reject: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "default".into(),
            domains: vec!["*".into()],
            target: Targets::One(TargetUrl::Maildir("var/delivered".into())),
            tls: TlsMode::Opportunistic,
            tls_ca: None,
            tls_name: None,
            tls_certificate: None,
            tls_key: None,
            state_client: StateClient::None,
            chunking: false,
            connections: 20,
            messages: 100,
            soft_codes: Vec::new(),
            soft_reject: false,
        }
    }
}

impl Settings {
    /// What is wrong with it: the key, and a sentence for each fault.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let is_maildir = |target: &TargetUrl| matches!(target, TargetUrl::Maildir(_));
        let mut faults = Vec::new();
        if self.state_client != StateClient::None && self.target.as_slice().iter().all(is_maildir) {
            faults.push((
                "state_client",
                "a Maildir has nobody to hear who the client is".to_owned(),
            ));
        }
        faults
    }

    /// What contradicts its `tls`: the setting, and a sentence.
    pub fn contradiction(&self) -> Option<(&'static str, String)> {
        dane::contradiction(self)
    }
}

/// `target`: a string or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a target such as \"smtp://host:25\" or \"maildir:PATH\", or a list of them"
)]
pub enum Targets {
    /// A single target.
    One(TargetUrl),
    /// Several, the preferred one first.
    Several(Vec<TargetUrl>),
}

impl Targets {
    /// The targets in order of preference.
    pub fn as_slice(&self) -> &[TargetUrl] {
        match self {
            Self::One(target) => std::slice::from_ref(target),
            Self::Several(targets) => targets,
        }
    }
}

/// What is asked of TLS towards an SMTP or LMTP target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Never.
    Off,
    /// When offered, with any certificate; otherwise in the clear.
    #[default]
    Opportunistic,
    /// Always, with any certificate; nothing of a message goes in the clear.
    Required,
    /// Always, with a certificate that chains to a known authority and carries the right name.
    Verified,
    /// Always, with a certificate that validated TLSA records of the target's name speak of (RFC 7672).
    Dane,
}

/// How an SMTP or LMTP target hears who the client is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateClient {
    /// It doesn't: we are its client.
    #[default]
    None,
    /// XFORWARD before each transaction: for its log and headers; it judges by our address.
    Xforward,
    /// XCLIENT after the greeting: it judges the client by its own address.
    Xclient,
    /// A PROXY header, version 2, before the greeting: the same.
    Proxy,
}

impl StateClient {
    /// Whether what is stated stands for a whole connection, which then serves that client alone.
    pub(super) const fn binds_connection(self) -> bool {
        match self {
            Self::None | Self::Xforward => false,
            Self::Xclient | Self::Proxy => true,
        }
    }
}

/// How long each step towards a target may take: fields of `[deadlines]`.
///
/// RFC 5321 §4.5.3.2 lets a client wait 5 minutes for its MAIL and 10 for the reply to its dot.
/// Ours have to be over before theirs: what happens before MAIL is answered stays within `upstream_open`,
/// and 45 s of judging, a replay, DATA, the body and the dot stay within 10 minutes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// A connection to one address.
    pub upstream_connect: Span,
    /// The greeting, EHLO or LHLO, STARTTLS and the handshake, each.
    pub upstream_hello: Span,
    /// MAIL, RCPT and RSET, each.
    pub upstream_command: Span,
    /// The whole of opening a transaction, over all targets.
    pub upstream_open: Span,
    /// MAIL and every RCPT said again, a new connection included.
    pub upstream_replay: Span,
    /// The 354 to DATA.
    pub upstream_data: Span,
    /// Any progress while the body is sent.
    pub upstream_block: Span,
    /// The whole body.
    pub upstream_body: Span,
    /// The reply to our dot; over LMTP all of them.
    pub upstream_dot: Span,
    /// A reply to our dot that comes too late for the client, yet may be remembered for its retry.
    pub upstream_late: Span,
    /// A free connection when all are busy.
    pub upstream_pool: Span,
    /// How long an unused connection is kept.
    pub upstream_idle: Span,
    /// How long a target that failed is tried after the others of its route.
    pub upstream_rest: Span,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        Self {
            upstream_connect: seconds(30),
            upstream_hello: seconds(30),
            upstream_command: seconds(120),
            upstream_open: seconds(240),
            upstream_replay: seconds(30),
            upstream_data: seconds(30),
            upstream_block: seconds(60),
            upstream_body: seconds(180),
            upstream_dot: seconds(300),
            upstream_late: seconds(300),
            upstream_pool: seconds(5),
            upstream_idle: seconds(30),
            upstream_rest: seconds(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_reads_one_target_or_several() {
        let route: Settings = toml::from_str("target = 'smtp://a:26'\ntls = 'verified'").unwrap();
        assert_eq!((route.target.as_slice().len(), route.tls), (1, TlsMode::Verified));
        let route: Settings = toml::from_str("target = ['smtp://a', 'maildir:b']").unwrap();
        assert_eq!(route.target.as_slice().len(), 2);
        assert!(toml::from_str::<Settings>("tagret = 'smtp://a'").is_err());
        let error = toml::from_str::<Settings>("target = 'ftp://a'")
            .unwrap_err()
            .to_string();
        assert!(error.contains("maildir:PATH"), "{error}");
    }

    #[test]
    fn our_deadlines_end_before_the_clients() {
        let d = Deadlines::default();
        let judging = Duration::from_secs(45);
        let sum = judging + d.upstream_replay.0 + d.upstream_data.0 + d.upstream_body.0 + d.upstream_dot.0;
        assert!(sum < Duration::from_secs(600) && d.upstream_open.0 < Duration::from_secs(300));
    }
}
