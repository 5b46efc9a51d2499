//! What the client is called: reverse DNS, confirmed forwards, and whether HELO tells the truth.
//!
//! An address and a name in, facts out; DNS is asked on the way. Knows nothing of what a name says of its bearer.

use super::Fact;
use crate::mail::Domain;
use crate::resolver::{Dns, Kind};
use futures_util::future::join_all;
use std::net::IpAddr;

/// Names of one client that are looked at.
const NAMES_MAX: usize = 10;

/// What a client is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Called {
    /// The name that leads back to it, or else the first; empty when it has none.
    pub(super) name: Fact<String>,
    /// Whether it leads back.
    pub(super) is_confirmed: Fact<bool>,
}

/// Asks for the names of an address, and for the addresses of these names.
pub(super) async fn called(dns: &dyn Dns, client: IpAddr) -> Called {
    let names = match dns.names(client).await {
        Ok(answer) => answer.records,
        Err(fault) => {
            return Called {
                name: Fact::Unknown(fault.as_str()),
                is_confirmed: Fact::Unknown(fault.as_str()),
            };
        }
    };
    let names = names.get(..NAMES_MAX).unwrap_or(&names);
    let forwards = join_all(names.iter().map(|name| leads_to(dns, name, client))).await;
    let mut pairs = names.iter().zip(&forwards);
    let confirmed = pairs.find(|(_, leads)| **leads == Fact::Known(true));
    let unknown = forwards.iter().find(|leads| matches!(leads, Fact::Unknown(_)));
    Called {
        name: Fact::Known(
            confirmed
                .map(|(name, _)| name)
                .or(names.first())
                .cloned()
                .unwrap_or_default(),
        ),
        is_confirmed: match (confirmed, unknown) {
            (Some(_), _) => Fact::Known(true),
            (None, Some(unknown)) => unknown.clone(),
            (None, None) => Fact::Known(false),
        },
    }
}

/// Whether what a client calls itself leads to it. An address literal does when it is the client's own.
pub(super) async fn helo_leads_to(dns: &dyn Dns, helo: &str, client: IpAddr) -> Fact<bool> {
    if let Some(literal) = helo.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = literal.strip_prefix("IPv6:").unwrap_or(literal).parse::<IpAddr>();
        return Fact::Known(address.is_ok_and(|address| address.to_canonical() == client));
    }
    match Domain::parse(helo).filter(|domain| !domain.is_ip()) {
        Some(domain) => leads_to(dns, domain.as_str(), client).await,
        None => Fact::Known(false),
    }
}

async fn leads_to(dns: &dyn Dns, name: &str, client: IpAddr) -> Fact<bool> {
    match dns.addresses(name, Kind::of(client)).await {
        Ok(answer) => Fact::Known(answer.records.contains(&client)),
        Err(crate::resolver::DnsFault::NotAName) => Fact::Known(false),
        Err(fault) => Fact::Unknown(fault.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::zone::Zone;

    const CLIENT: &str = "192.0.2.7";

    fn zone() -> Zone {
        Zone::of(
            "192.0.2.7 PTR liar.example\n192.0.2.7 PTR mx.example\nmx.example A 192.0.2.7\nliar.example A 192.0.2.8\n\
             192.0.2.8 PTR liar.example\n192.0.2.9 PTR slow.example\nslow.example A !timeout\n192.0.2.10 PTR !failed\n\
             192.0.2.11 PTR gone.example\n2001:db8::7 PTR six.example\nsix.example AAAA 2001:db8::7\n",
        )
    }

    #[tokio::test]
    async fn a_name_counts_as_confirmed_when_it_leads_back() {
        let known = |name: &str, confirmed| (Fact::Known(name.to_owned()), Fact::Known(confirmed));
        for (client, expected) in [
            (CLIENT, known("mx.example", true)),
            ("192.0.2.8", known("liar.example", true)),
            ("192.0.2.11", known("gone.example", false)),
            ("192.0.2.99", known("", false)),
            ("2001:db8::7", known("six.example", true)),
            (
                "192.0.2.9",
                (Fact::Known("slow.example".into()), Fact::Unknown("timeout")),
            ),
            ("192.0.2.10", (Fact::Unknown("failed"), Fact::Unknown("failed"))),
        ] {
            let found = called(&zone(), client.parse().unwrap()).await;
            assert_eq!((found.name, found.is_confirmed), expected, "{client}");
        }
    }

    #[tokio::test]
    async fn helo_is_true_when_it_leads_to_the_client() {
        for (helo, expected) in [
            ("mx.example", Fact::Known(true)),
            ("MX.example.", Fact::Known(true)),
            ("liar.example", Fact::Known(false)),
            ("nowhere.example", Fact::Known(false)),
            ("[192.0.2.7]", Fact::Known(true)),
            ("[192.0.2.8]", Fact::Known(false)),
            ("[IPv6:2001:db8::7]", Fact::Known(false)),
            ("192.0.2.7", Fact::Known(false)),
            ("not a name", Fact::Known(false)),
            ("", Fact::Known(false)),
            ("slow.example", Fact::Unknown("timeout")),
        ] {
            let found = helo_leads_to(&zone(), helo, CLIENT.parse().unwrap()).await;
            assert_eq!(found, expected, "{helo}");
        }
    }
}
