//! When a certificate expires, read from its DER.
//!
//! Octets of a file of the administrator's in, a time out; what is cut or odd gives none. Knows nothing of the rest
//! of a certificate.

use jiff::Timestamp;

/// When a certificate expires: the second time in its validity (RFC 5280 §4.1).
pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let inside = |bytes| {
        element(bytes)
            .filter(|(tag, ..)| *tag == SEQUENCE)
            .map(|(_, inside, _)| inside)
    };
    let mut rest = inside(inside(certificate)?)?;
    if let Some((VERSION, _, after)) = element(rest) {
        rest = after;
    }
    // Serial number, signature algorithm and issuer stand before the validity.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, _, after_not_before) = element(inside(rest)?)?;
    let (tag, text, _) = element(after_not_before)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// A DER element: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f).min(4))?;
        let length = octets
            .iter()
            .fold(0_usize, |length, octet| (length << 8) | usize::from(*octet));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// UTCTime (tag 0x17, two-digit year) or GeneralizedTime (0x18) (RFC 5280 §4.1.2.5).
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        0x17 if text.get(..2)? < "50" => format!("20{text}"),
        0x17 => format!("19{text}"),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
    let year = text.get(..4)?.parse::<i16>().ok()?;
    let (month, day) = (number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let moment = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::tests::made;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    #[test]
    fn expiry_is_read_in_both_forms() {
        for (year, expected) in [(2030, "2030-01-01T00:00:00Z"), (2100, "2100-01-01T00:00:00Z")] {
            let (chain, _) = made(year);
            let certificate = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
            assert_eq!(not_after(&certificate), Some(expected.parse().unwrap()));
            // Cut anywhere, it is no certificate, and no panic.
            for end in 0..certificate.len() {
                assert_eq!(not_after(&certificate[..end]), None);
            }
        }
    }
}
