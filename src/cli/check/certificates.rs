//! Whether the certificates of listeners and routes load, and for how long they are good.
//!
//! Settings in; lines, and what listeners show the world, out. Compares nothing with DNS.

use super::cutover::Shown;
use super::{Line, Outcome, line};
use crate::certificate::Certificate;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::listener::Tls;
use crate::mail::Direction;
use crate::telemetry::Telemetry;
use crate::upstream::TlsMode;
use jiff::{SignedDuration, Timestamp};
use std::path::{Path, PathBuf};

/// As long before the end as the documented alert: renewal has failed by then.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Loads each; those that inbound listeners show.
pub(super) fn load(config: &Config, lines: &mut Vec<Line>) -> Vec<Shown> {
    let mut shown = Vec::new();
    for listener in config.listener.iter().filter(|listener| listener.tls != Tls::Off) {
        let files = (&listener.certificate, &listener.key);
        let Some(certificate) = look(&listener.name, files, lines) else {
            continue;
        };
        if listener.direction == Direction::Inbound {
            shown.push(Shown {
                listener: listener.name.clone(),
                chain: certificate.current().cert.clone(),
            });
        }
    }
    for route in config.route.iter().filter(|route| route.tls != TlsMode::Off) {
        let name = format!("route {}", route.name);
        look(&name, (&route.tls_certificate, &route.tls_key), lines);
    }
    shown
}

fn look(name: &str, files: (&Option<PathBuf>, &Option<PathBuf>), lines: &mut Vec<Line>) -> Option<Certificate> {
    let (chain, key) = files.0.as_ref().zip(files.1.as_ref())?;
    match Certificate::load(name, chain, key, Telemetry::default(), &SystemClock) {
        Ok(certificate) => {
            lines.push(good_until(name, chain, certificate.expiry(), SystemClock.now()));
            Some(certificate)
        }
        Err(fault) => {
            lines.push(line("certificate", Outcome::Failed, format!("{name}: {fault}")));
            None
        }
    }
}

fn good_until(name: &str, chain: &Path, expiry: Option<Timestamp>, now: Timestamp) -> Line {
    let place = format!("{name}: {}", chain.display());
    let Some(expiry) = expiry else {
        let text = format!("{place} loads, and when it expires can't be read");
        return line("certificate", Outcome::Warning, text);
    };
    let left = expiry.duration_since(now);
    if left <= SignedDuration::ZERO {
        line("certificate", Outcome::Warning, format!("{place} expired on {expiry}"))
    } else if left < SOON {
        line("certificate", Outcome::Warning, format!("{place} expires on {expiry}"))
    } else {
        line(
            "certificate",
            Outcome::Fine,
            format!("{place} loads, good until {expiry}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_expired_or_soon_will_is_told() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        for (expiry, outcome, words) in [
            ("2026-11-25T11:59:59Z", Outcome::Warning, "expired on 2026-11-25"),
            ("2026-11-25T12:00:00Z", Outcome::Warning, "expired on"),
            ("2026-11-25T12:00:01Z", Outcome::Warning, "expires on"),
            ("2026-12-09T11:59:59Z", Outcome::Warning, "expires on"),
            ("2026-12-09T12:00:00Z", Outcome::Fine, "good until 2026-12-09"),
        ] {
            let line = good_until("inbound", Path::new("mx.pem"), Some(expiry.parse().unwrap()), now);
            assert_eq!(line.result, outcome, "{line:?}");
            assert!(
                line.message.starts_with("inbound: mx.pem ") && line.message.contains(words),
                "{line:?}"
            );
        }
        assert_eq!(good_until("x", Path::new("y"), None, now).result, Outcome::Warning);
    }
}
