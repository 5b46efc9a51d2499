//! DKIM: which domains vouch for a message (RFC 6376).
//!
//! Enters: a message as mail-auth read it and what DNS said of keys. Leaves: a verdict on each signature that was
//! looked at. Knows nothing of whose vouching counts.

use super::signature::{Claim, Keys, Verdict, body_fits, names_fault, unsigned};
use crate::mail::Domain;
use mail_auth::common::headers::Header;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::{DkimError, Signature};
use mail_auth::{AuthenticatedMessage, Error};

/// Signatures that are checked; an honest message has two or three.
pub(super) const SIGNATURES_MAX: usize = 10;

/// The library's bit for `t=s` in a key, which it keeps to itself.
const MATCH_DOMAIN: u64 = 0x20;

/// One signature and what there is to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    /// Who signed; empty in a signature that can't be read.
    pub(super) domain: String,
    /// Which key of theirs.
    pub(super) selector: String,
    /// How the signature begins, to tell one from another (RFC 6008).
    pub(super) begins: String,
    pub(super) verdict: Verdict,
}

/// The signatures that are looked at: of too many first those of the authors' own sites. And whether any are not.
fn chosen<'h, 'm>(message: &'h AuthenticatedMessage<'m>, authors: &[Domain]) -> (Vec<&'h Header<'m, Signature>>, bool) {
    let mut all: Vec<_> = message.dkim_headers.iter().collect();
    let is_cut = all.len() > SIGNATURES_MAX;
    if is_cut {
        let is_own = |header: &&Header<'m, Signature>| {
            let signer = Domain::parse(&header.header.d);
            let site = signer.as_ref().and_then(Domain::site);
            site.is_some() && authors.iter().any(|author| author.site() == site)
        };
        all.sort_by_cached_key(|header| !is_own(header));
        all.truncate(SIGNATURES_MAX);
    }
    (all, is_cut)
}

/// The names of the keys to ask for, and the domains that say that they signed.
pub(super) fn keys<'h>(message: &'h AuthenticatedMessage<'_>, authors: &[Domain]) -> Vec<(String, &'h str)> {
    let (chosen, _) = chosen(message, authors);
    let signatures = chosen.into_iter().map(|header| &header.header);
    signatures
        .map(|signature| (claim(signature).key_name(), signature.d.as_str()))
        .collect()
}

/// Checks signatures; whether some were left out, as too many.
pub(super) fn check(
    message: &AuthenticatedMessage<'_>,
    authors: &[Domain],
    keys: &Keys,
    now: u64,
) -> (Vec<Signed>, bool) {
    let (chosen, is_cut) = chosen(message, authors);
    let mut checked: Vec<Signed> = chosen
        .into_iter()
        .map(|header| Signed {
            domain: header.header.d.clone(),
            selector: header.header.s.clone(),
            begins: begins(&header.header.b),
            verdict: verdict(message, header, keys, now).unwrap_or_else(|fault| fault),
        })
        .collect();
    let unread = message
        .errors
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(b"DKIM-Signature"));
    checked.extend(unread.take(SIGNATURES_MAX).map(|header| Signed {
        domain: String::new(),
        selector: String::new(),
        begins: String::new(),
        verdict: match &header.header {
            // Whoever signed let anybody add to the body.
            Error::Dkim(DkimError::SignatureLength) => Verdict::Policy("only part of the body is signed"),
            _ => Verdict::Neutral("the signature can not be read"),
        },
    }));
    (checked, is_cut)
}

fn claim(signature: &Signature) -> Claim<'_> {
    Claim {
        algorithm: signature.a,
        domain: &signature.d,
        selector: &signature.s,
        signature: &signature.b,
        expires: signature.x,
    }
}

fn verdict(
    message: &AuthenticatedMessage<'_>,
    header: &Header<'_, Signature>,
    keys: &Keys,
    now: u64,
) -> Result<Verdict, Verdict> {
    let signature = &header.header;
    let claim = claim(signature);
    if signature.v != 1 {
        return Err(Verdict::Neutral("the signature can not be read"));
    }
    if let Some(fault) = claim.fault(now).or_else(|| names_fault(&signature.h)) {
        return Err(fault);
    }
    if !body_fits(message, signature.cb, signature.a, &signature.bh) {
        return Err(Verdict::Fail("the body does not match"));
    }
    let key = claim.key(keys)?;
    if !signs_for(signature, &key) {
        return Err(Verdict::PermError("the signer signs for another domain"));
    }
    let bare = unsigned(header);
    let mut fields = message.signed_headers(&signature.h, header.name, &bare);
    Ok(claim.fits(&key, &mut fields, signature.ch))
}

/// Whether whom it signs for (`i=`) is of its domain, or below it where the key allows that (§3.5, §3.6.1).
fn signs_for(signature: &Signature, key: &DomainKey) -> bool {
    if signature.i.is_empty() {
        return true;
    }
    let Some((_, identity)) = signature.i.rsplit_once('@') else {
        return false;
    };
    let (identity, domain) = (identity.to_ascii_lowercase(), signature.d.to_ascii_lowercase());
    match identity.strip_suffix(&domain) {
        Some("") => true,
        Some(below) => below.ends_with('.') && !key.has_flag(MATCH_DOMAIN),
        None => false,
    }
}

/// The first characters of the signature, in base64.
fn begins(signature: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = signature
        .iter()
        .take(6)
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let letter = |place: u32| LETTERS.get((bits >> (42 - 6 * place)) as usize & 63).copied();
    match signature.len() >= 6 {
        true => (0..8).filter_map(letter).map(char::from).collect(),
        false => String::new(),
    }
}
