//! Lets a quarantined message go on, once, to whom it was meant for, as it was meant.
//!
//! Claimed in the store before upstream hears of it, so that no second release can run and a crash
//! leaves `release_unknown`, never a silent resend. The message isn't judged again.

use super::headers::{self, Stamp};
use crate::mail::{Client, Direction};
use crate::smtp::Reply;
use crate::store::{ReleaseOutcome, Store, StoreError};
use crate::telemetry::MessageEvent;
use crate::upstream::{Delivery, Missed, Upstreams};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use uuid::Uuid;

/// A release that upstream took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// To whom.
    pub recipients: Vec<String>,
    /// Recipients for whom it is still held.
    pub remaining: usize,
    /// Those among them whom upstream left out just now, each with its answer.
    pub missed: Vec<String>,
    /// The verdict's category, for the counts.
    pub category: String,
    /// Upstream's reply.
    pub reply: Reply,
}

/// Why a message was not released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseError {
    /// The store says no, or can't.
    Store(StoreError),
    /// No route leads to its recipients any more; it stays held.
    NoRoute,
    /// Upstream didn't take it; it stays held.
    NotDelivered(Reply),
    /// Upstream went away after the dot, or its answer couldn't be recorded: it may have arrived.
    Unknown(Reply),
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(formatter),
            Self::NoRoute => formatter.write_str("no route leads to its recipients; the message stays held"),
            Self::NotDelivered(reply) => write!(formatter, "upstream did not take it; the message stays held: {reply}"),
            Self::Unknown(reply) => write!(
                formatter,
                "it may have arrived, ask upstream before trying again: {reply}"
            ),
        }
    }
}

impl std::error::Error for ReleaseError {}

/// Releases to the named recipients, or to all that it is held for.
///
/// # Errors
/// See [`ReleaseError`]; in each case but `Unknown` the message is where it was.
pub async fn release(
    store: &dyn Store,
    upstreams: &Upstreams,
    stamp: &Stamp,
    id: Uuid,
    recipients: &[String],
) -> Result<Released, ReleaseError> {
    let claim = store.claim(id, recipients).await.map_err(ReleaseError::Store)?;
    let kept = claim.message;
    let by_recipient = || {
        kept.envelope
            .recipients
            .first()
            .and_then(|first| upstreams.route_of(&first.address))
    };
    let named: Vec<String> = kept
        .envelope
        .recipients
        .iter()
        .map(|recipient| recipient.address.to_string())
        .collect();
    let settle = |outcome| store.settle_release(id, &named, outcome);
    let released = |recipients: Vec<String>, missed: Vec<String>, reply| Released {
        recipients,
        remaining: claim.remaining + missed.len(),
        missed,
        category: kept.category.clone(),
        reply,
    };

    let Some(route) = upstreams.route_named(&kept.route).or_else(by_recipient) else {
        settle(ReleaseOutcome::NotDelivered)
            .await
            .map_err(ReleaseError::Store)?;
        return Err(ReleaseError::NoRoute);
    };
    let direction = if kept.event.direction == "outbound" {
        Direction::Outbound
    } else {
        Direction::Inbound
    };
    let pieces = headers::pieces(&kept.added, &kept.body, direction, stamp);
    let client = original_client(&kept.event);
    match route.deliver(&client, &kept.envelope, &pieces).await {
        Delivery::Accepted(reply) => match settle(ReleaseOutcome::Delivered).await {
            Ok(()) => Ok(released(named, Vec::new(), reply)),
            // Delivered but not recorded: the claim stands, so nothing sends it again.
            Err(_) => Err(ReleaseError::Unknown(reply)),
        },
        Delivery::Partly { accepted, missed, .. } => {
            let (delivered, missed) = apart(&named, &missed);
            // Whoever is not named was claimed and not delivered to, and is kept for as before.
            match store.settle_release(id, &delivered, ReleaseOutcome::Delivered).await {
                Ok(()) => Ok(released(delivered, missed, accepted)),
                Err(_) => Err(ReleaseError::Unknown(accepted)),
            }
        }
        Delivery::Refused(reply) | Delivery::NotSent(reply) => {
            settle(ReleaseOutcome::NotDelivered)
                .await
                .map_err(ReleaseError::Store)?;
            Err(ReleaseError::NotDelivered(reply))
        }
        Delivery::Unsure(reply) => {
            settle(ReleaseOutcome::Unknown).await.map_err(ReleaseError::Store)?;
            Err(ReleaseError::Unknown(reply))
        }
    }
}

/// The client that brought it, as far as its record tells: neither its port nor how it spoke, which nearly
/// everybody does by EHLO. Without an address it is unknown.
fn original_client(event: &MessageEvent) -> Client {
    let address: Option<IpAddr> = event.client.parse().ok();
    Client {
        address: address.map(|address| SocketAddr::new(address, 0)),
        name: None,
        helo: event.helo.clone(),
        extended: true,
        tls: None,
    }
}

/// Who has it, and who was left out, each of those with upstream's answer.
fn apart(named: &[String], missed: &[Missed]) -> (Vec<String>, Vec<String>) {
    let (mut delivered, mut left_out) = (Vec::new(), Vec::new());
    for (place, name) in named.iter().enumerate() {
        match missed.iter().find(|one| one.place == place) {
            Some(one) => left_out.push(format!("{name}: {}", one.answer)),
            None => delivered.push(name.clone()),
        }
    }
    (delivered, left_out)
}
