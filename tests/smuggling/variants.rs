//! The 27 ways in which a second message has been hidden in the end of a first: what stands where
//! CRLF.CRLF should, and what an honest reader makes of it.
//!
//! Unit tests read the table octet by octet; end-to-end tests send it through the whole daemon.

/// One way.
pub struct Variant {
    /// Octets by name, as in test output.
    pub name: &'static str,
    /// What follows the first message's last word; a smuggled `MAIL FROM:` follows it.
    pub sequence: &'static [u8],
    /// What must come of it.
    pub expected: Expected,
}

/// What must come of a message with the sequence in it.
pub enum Expected {
    /// 550 5.6.0 and the session's end; nothing of it is passed on.
    Refused,
    /// No end of anything: one message, in which this stands in the sequence's place.
    Content(&'static [u8]),
}

use Expected::{Content, Refused};

const fn refused(name: &'static str, sequence: &'static [u8]) -> Variant {
    Variant {
        name,
        sequence,
        expected: Refused,
    }
}

const fn content(name: &'static str, sequence: &'static [u8], kept: &'static [u8]) -> Variant {
    Variant {
        name,
        sequence,
        expected: Content(kept),
    }
}

/// All of them.
pub const VARIANTS: [Variant; 27] = [
    refused("LF.LF", b"\n.\n"),
    refused("LF.CR", b"\n.\r"),
    refused("LF.CRLF", b"\n.\r\n"),
    refused("CR.LF", b"\r.\n"),
    refused("CR.CR", b"\r.\r"),
    refused("CR.CRLF", b"\r.\r\n"),
    refused("CRLF.LF", b"\r\n.\n"),
    refused("CRLF.CR", b"\r\n.\r"),
    refused("CRLF.CRCRLF", b"\r\n.\r\r\n"),
    refused("CRCRLF.CRLF", b"\r\r\n.\r\n"),
    refused("CRCRLF.CRCRLF", b"\r\r\n.\r\r\n"),
    refused("LFCR.LFCR", b"\n\r.\n\r"),
    refused("LFCR.CRLF", b"\n\r.\r\n"),
    refused("CRLF.LFCR", b"\r\n.\n\r"),
    refused("CRLF NUL.CRLF", b"\r\n\0.\r\n"),
    refused("CRLF.NUL CRLF", b"\r\n.\0\r\n"),
    refused("CR NUL LF.CRLF", b"\r\0\n.\r\n"),
    refused("CRLF.CR NUL LF", b"\r\n.\r\0\n"),
    refused("long line LF.CRLF", &LONG),
    content("VT.VT", b"\x0b.\x0b", b"\x0b.\x0b"),
    content("FF.FF", b"\x0c.\x0c", b"\x0c.\x0c"),
    content("NEL.NEL", b"\xc2\x85.\xc2\x85", b"\xc2\x85.\xc2\x85"),
    content("LS.LS", b"\xe2\x80\xa8.\xe2\x80\xa8", b"\xe2\x80\xa8.\xe2\x80\xa8"),
    content("CRLF SP.CRLF", b"\r\n .\r\n", b"\r\n .\r\n"),
    content("CRLF.SP CRLF", b"\r\n. \r\n", b"\r\n \r\n"),
    content("CRLF..CRLF", b"\r\n..\r\n", b"\r\n.\r\n"),
    content("long line.CRLF", &LONG_WITH_DOT, &LONG_WITH_DOT),
];

/// A line that some servers cut at 998 octets, and what would then be a line of its own.
const LONG: [u8; 1004] = ended(b"\n.\r\n");
const LONG_WITH_DOT: [u8; 1003] = ended(b".\r\n");

const fn ended<const LENGTH: usize, const END: usize>(end: &[u8; END]) -> [u8; LENGTH] {
    let mut octets = [b'x'; LENGTH];
    let mut at = 0;
    while at < END {
        octets[LENGTH - END + at] = end[at];
        at += 1;
    }
    octets
}
