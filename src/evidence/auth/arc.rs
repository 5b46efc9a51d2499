//! ARC: what those who handled a message on its way say of it (RFC 8617).
//!
//! Enters: a message as mail-auth read it and what DNS said of keys. Leaves: whether the chain holds, who sealed it,
//! and what each found. Knows nothing of whom to trust.

use super::signature::{Claim, Keys, Verdict, body_fits, names_fault, unsigned};
use mail_auth::AuthenticatedMessage;
use mail_auth::arc::{ChainValidation, Seal, Signature};
use mail_auth::dkim::Canonicalization;

/// Links of a chain that is looked at (§4.2.1).
const LINKS_MAX: usize = 50;

/// A chain of seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) verdict: Verdict,
    /// The oldest first.
    pub(super) links: Vec<Link>,
}

/// One handler's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) sealer: String,
    /// The body of its ARC-Authentication-Results.
    pub(super) found: Vec<u8>,
}

/// The names of the keys to ask for.
pub(super) fn keys(message: &AuthenticatedMessage<'_>) -> Vec<String> {
    if !is_whole(message) {
        return Vec::new();
    }
    let seals = message
        .as_headers
        .iter()
        .map(|header| seal_claim(&header.header).key_name());
    let newest = message
        .ams_headers
        .last()
        .map(|header| message_claim(&header.header).key_name());
    seals.chain(newest).collect()
}

/// Follows the chain (§5.2); `None` when there is none.
pub(super) fn check(message: &AuthenticatedMessage<'_>, keys: &Keys, now: u64) -> Option<Chain> {
    let has_none = message.as_headers.is_empty() && message.ams_headers.is_empty() && message.aar_headers.is_empty();
    if has_none && !message.has_arc_errors {
        return None;
    }
    if !is_whole(message) {
        return Some(Chain {
            verdict: Verdict::Fail("the chain is broken"),
            links: Vec::new(),
        });
    }
    let sealers = message.as_headers.iter().zip(&message.aar_headers);
    Some(Chain {
        verdict: verdict(message, keys, now).unwrap_or_else(|fault| fault),
        links: sealers
            .map(|(seal, results)| Link {
                sealer: seal.header.d.to_ascii_lowercase(),
                found: results.value.to_vec(),
            })
            .collect(),
    })
}

/// Whether each link has its three fields, in order, and says that the chain held before it.
fn is_whole(message: &AuthenticatedMessage<'_>) -> bool {
    let links = message.as_headers.len();
    if message.has_arc_errors
        || !(1..=LINKS_MAX).contains(&links)
        || message.ams_headers.len() != links
        || message.aar_headers.len() != links
    {
        return false;
    }
    let fields = message
        .as_headers
        .iter()
        .zip(&message.ams_headers)
        .zip(&message.aar_headers);
    fields.zip(1..).all(|(((seal, signature), results), link)| {
        let held = match link {
            1 => ChainValidation::None,
            _ => ChainValidation::Pass,
        };
        let numbers = [seal.header.i, signature.header.i, results.header.i];
        numbers == [link; 3] && seal.header.cv == held
    })
}

fn message_claim(signature: &Signature) -> Claim<'_> {
    Claim {
        algorithm: signature.a,
        domain: &signature.d,
        selector: &signature.s,
        signature: &signature.b,
        expires: signature.x,
    }
}

fn seal_claim(seal: &Seal) -> Claim<'_> {
    Claim {
        algorithm: seal.a,
        domain: &seal.d,
        selector: &seal.s,
        signature: &seal.b,
        expires: 0,
    }
}

/// The newest message signature has to fit, and every seal.
fn verdict(message: &AuthenticatedMessage<'_>, keys: &Keys, now: u64) -> Result<Verdict, Verdict> {
    let newest = message.ams_headers.last().ok_or(Verdict::Fail("the chain is broken"))?;
    let signature = &newest.header;
    let claim = message_claim(signature);
    if let Some(fault) = claim.fault(now).or_else(|| names_fault(&signature.h)) {
        return Err(fault);
    }
    if !body_fits(message, signature.cb, signature.a, &signature.bh) {
        return Err(Verdict::Fail("the body does not match"));
    }
    let bare = unsigned(newest);
    let mut fields = message.signed_headers(&signature.h, newest.name, &bare);
    passed(claim.fits(&claim.key(keys)?, &mut fields, signature.ch))?;
    for (place, header) in message.as_headers.iter().enumerate().rev() {
        let claim = seal_claim(&header.header);
        if let Some(fault) = claim.fault(now) {
            return Err(fault);
        }
        let bare = unsigned(header);
        let mut fields = sealed(message, place, &bare);
        passed(claim.fits(&claim.key(keys)?, &mut fields, Canonicalization::Relaxed))?;
    }
    Ok(Verdict::Pass)
}

/// The fields that a seal covers: those of every link up to its own, and of its own seal what was there when it was
/// made (§5.1.1).
fn sealed<'h>(
    message: &'h AuthenticatedMessage<'_>,
    place: usize,
    bare: &'h [u8],
) -> impl Iterator<Item = (&'h [u8], &'h [u8])> {
    let links = message
        .aar_headers
        .iter()
        .zip(&message.ams_headers)
        .zip(&message.as_headers);
    links
        .take(place + 1)
        .enumerate()
        .flat_map(move |(link, ((results, signature), seal))| {
            let value = if link == place { bare } else { seal.value };
            [
                (results.name, results.value),
                (signature.name, signature.value),
                (seal.name, value),
            ]
        })
}

fn passed(verdict: Verdict) -> Result<(), Verdict> {
    match verdict {
        Verdict::Pass => Ok(()),
        fault => Err(fault),
    }
}
