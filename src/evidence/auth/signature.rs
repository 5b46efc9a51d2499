//! What DKIM and ARC share: reading signatures, the keys that they name, and whether one fits the other.
//!
//! A message and what DNS said of its keys in, verdicts on single signatures out (RFC 6376 §6.1). Canonical
//! forms, hashes and cryptography are mail-auth's; it is never given a resolver. Knows nothing of what a
//! verdict means for the message.

use crate::resolver::DnsFault;
use mail_auth::common::crypto::{Algorithm, HashAlgorithm};
use mail_auth::common::headers::Header;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::{Canonicalization, DkimError};
use mail_auth::{AuthenticatedMessage, Error};
use std::collections::HashMap;

/// Header sections beyond this are not looked into for signatures: a signature may ask for each of its fields
/// to be sought among all others.
const HEADER_BYTES_MAX: usize = 256 << 10;
/// Fields of a header section that is looked into.
const FIELDS_MAX: usize = 2000;
/// Fields that one signature may name.
const NAMES_MAX: usize = 300;
/// Bits of the shortest key whose word counts (RFC 8301 §3.2).
const KEY_BITS_MIN: usize = 1024;

/// What there is to say of one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// It does not fit.
    Fail(&'static str),
    /// It may fit, and is not good enough for us (RFC 8601 §2.4).
    Policy(&'static str),
    /// It can't be read.
    Neutral(&'static str),
    /// Its key is missing or can't be read.
    PermError(&'static str),
    /// Its key could not be asked for; the cause, as a word for metrics.
    TempError(&'static str),
}

impl Verdict {
    /// The word of RFC 8601.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "fail",
            Self::Policy(_) => "policy",
            Self::Neutral(_) => "neutral",
            Self::PermError(_) => "permerror",
            Self::TempError(_) => "temperror",
        }
    }

    /// Why, in words.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Pass => "",
            Self::Fail(why) | Self::Policy(why) | Self::Neutral(why) | Self::PermError(why) | Self::TempError(why) => {
                why
            }
        }
    }
}

/// What DNS said of keys, by their names.
pub(super) type Keys = HashMap<String, Result<Vec<Vec<u8>>, DnsFault>>;

/// A signature of either kind, as far as the two are alike.
pub(super) struct Claim<'s> {
    pub(super) algorithm: Algorithm,
    pub(super) domain: &'s str,
    pub(super) selector: &'s str,
    pub(super) signature: &'s [u8],
    pub(super) expires: u64,
}

/// The header section with its blank line; `None` when it is too long to look into.
pub(super) fn header_section(message: &[u8]) -> Option<&[u8]> {
    let head = message.get(..HEADER_BYTES_MAX).unwrap_or(message);
    match memchr::memmem::find(head, b"\r\n\r\n") {
        Some(end) => head.get(..end + 4),
        None if head.starts_with(b"\r\n") => head.get(..2),
        None => (head.len() == message.len()).then_some(message),
    }
}

/// Reads a message or its header section alone; `None` when there is too much of it, or no field at all.
pub(super) fn read(message: &[u8]) -> Option<AuthenticatedMessage<'_>> {
    let read = AuthenticatedMessage::parse_with_opts(message, None, true)?;
    (read.headers.len() <= FIELDS_MAX).then_some(read)
}

impl Claim<'_> {
    /// The name under which its key stands.
    pub(super) fn key_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain).to_ascii_lowercase()
    }

    /// What can be said without its key.
    pub(super) fn fault(&self, now: u64) -> Option<Verdict> {
        if self.algorithm == Algorithm::RsaSha1 {
            // RFC 8301 §3.1: not to be taken for a pass any more.
            return Some(Verdict::Policy("rsa-sha1 no longer counts"));
        }
        (self.expires != 0 && self.expires <= now).then_some(Verdict::Fail("the signature has expired"))
    }

    /// Its key, from what DNS said.
    pub(super) fn key(&self, keys: &Keys) -> Result<DomainKey, Verdict> {
        let texts = match keys.get(&self.key_name()) {
            Some(Ok(texts)) => texts,
            Some(Err(DnsFault::NotAName)) => return Err(Verdict::PermError("its key has no name in DNS")),
            Some(Err(fault)) => return Err(Verdict::TempError(fault.as_str())),
            None => return Err(Verdict::TempError("limit")),
        };
        let mut fault = Verdict::PermError("no key for the signature");
        for text in texts {
            match DomainKey::parse(text) {
                Ok(key) => return self.usable(key),
                Err(Error::Dkim(DkimError::RevokedPublicKey)) => fault = Verdict::PermError("the key is revoked"),
                Err(_) => fault = Verdict::PermError("the key record can not be read"),
            }
        }
        Err(fault)
    }

    fn usable(&self, key: DomainKey) -> Result<DomainKey, Verdict> {
        let excludes_sha256 = key.has_flag(HashAlgorithm::Sha1) && !key.has_flag(HashAlgorithm::Sha256);
        if excludes_sha256 {
            return Err(Verdict::PermError("the key is not for this hash"));
        }
        match key.p.public_key_bits() < KEY_BITS_MIN {
            true => Err(Verdict::Policy("the key is too short")),
            false => Ok(key),
        }
    }

    /// Whether it was made with this key over these fields.
    pub(super) fn fits<'h>(
        &self,
        key: &DomainKey,
        fields: &mut dyn Iterator<Item = (&'h [u8], &'h [u8])>,
        canonicalization: Canonicalization,
    ) -> Verdict {
        match key.p.verify(fields, self.signature, canonicalization, self.algorithm) {
            Ok(()) => Verdict::Pass,
            Err(_) => Verdict::Fail("the signature does not match"),
        }
    }
}

/// Whether the fields that a signature names are few enough, and the author's among them (RFC 6376 §5.4).
pub(super) fn names_fault(names: &[String]) -> Option<Verdict> {
    if names.len() > NAMES_MAX {
        return Some(Verdict::Policy("it names too many fields"));
    }
    let signs_author = names.iter().any(|name| name.eq_ignore_ascii_case("from"));
    (!signs_author).then_some(Verdict::PermError("From is not signed"))
}

/// Whether the body is the one that was signed.
pub(super) fn body_fits(
    message: &AuthenticatedMessage<'_>,
    canonicalization: Canonicalization,
    algorithm: Algorithm,
    hash: &[u8],
) -> bool {
    let own = HashAlgorithm::from(algorithm);
    let mut hashes = message.body_hashes.iter();
    hashes.any(|(c, algorithm, length, found)| {
        *c == canonicalization && *algorithm == own && *length == 0 && found == hash
    })
}

/// The value of a signature's field as it was when it was signed: without the signature itself, nor the line end
/// (RFC 6376 §3.7).
pub(super) fn unsigned<T>(header: &Header<'_, T>) -> Vec<u8> {
    let value = header.value;
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    let mut bare = Vec::with_capacity(value.len());
    for (place, tag) in value.split(|byte| *byte == b';').enumerate() {
        if place > 0 {
            bare.push(b';');
        }
        let name = tag.iter().position(|byte| *byte == b'=');
        let is_signature = |equals: usize| {
            let name = tag.get(..equals).unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"b")
        };
        match name.filter(|equals| is_signature(*equals)) {
            Some(equals) => bare.extend_from_slice(tag.get(..=equals).unwrap_or_default()),
            None => bare.extend_from_slice(tag),
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_taken_out_of_its_own_field() {
        for (value, expected) in [
            (" v=1; b=abc; bh=def\r\n", " v=1; b=; bh=def"),
            (" v=1; bh=def;\r\n\tb=ab\r\n\t cd==\r\n", " v=1; bh=def;\r\n\tb="),
            (" b = x ; a=b", " b =; a=b"),
            ("B=x", "B="),
            (" a=b", " a=b"),
            ("", ""),
        ] {
            let header = Header::new(b"DKIM-Signature", value.as_bytes(), ());
            assert_eq!(String::from_utf8(unsigned(&header)).unwrap(), expected, "{value:?}");
        }
    }

    #[test]
    fn header_sections_end_at_the_blank_line_and_have_a_limit() {
        assert_eq!(header_section(b"A: b\r\n\r\nbody\r\n\r\n"), Some(&b"A: b\r\n\r\n"[..]));
        assert_eq!(header_section(b"\r\nbody"), Some(&b"\r\n"[..]));
        assert_eq!(header_section(b"A: b"), Some(&b"A: b"[..]));
        let long = |bytes: usize| [b"A: ", "x".repeat(bytes - 7).as_bytes(), b"\r\n\r\n", b"body"].concat();
        for (bytes, is_read) in [
            (HEADER_BYTES_MAX - 1, true),
            (HEADER_BYTES_MAX, true),
            (HEADER_BYTES_MAX + 1, false),
        ] {
            assert_eq!(header_section(&long(bytes)).map(<[u8]>::len), is_read.then_some(bytes));
        }
    }

    #[test]
    fn a_header_of_too_many_fields_is_not_looked_into() {
        for (fields, is_read) in [(FIELDS_MAX - 1, true), (FIELDS_MAX, true), (FIELDS_MAX + 1, false)] {
            let message = "A: b\r\n".repeat(fields) + "\r\n";
            assert_eq!(read(message.as_bytes()).is_some(), is_read, "{fields}");
        }
    }

    #[test]
    fn a_signature_has_to_name_the_author_and_not_too_much() {
        let names = |count: usize, first: &str| {
            let rest = std::iter::repeat_n("X".to_owned(), count - 1);
            std::iter::once(first.to_owned()).chain(rest).collect::<Vec<_>>()
        };
        assert_eq!(names_fault(&names(NAMES_MAX, "From")), None);
        assert!(matches!(
            names_fault(&names(NAMES_MAX + 1, "From")),
            Some(Verdict::Policy(_))
        ));
        assert!(matches!(names_fault(&names(2, "To")), Some(Verdict::PermError(_))));
    }
}
