//! The PROXY header, version 2, that a connection begins with where the route states its client so.
//!
//! A client goes in, octets come out. HAProxy's "The PROXY protocol", §2.2. Knows nothing of
//! connections.

use crate::mail::Client;
use std::net::IpAddr;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and whether the connection is our own or somebody else's.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
/// The family of the addresses, and that they are of a stream.
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The header. A client without an address makes it a connection of our own (LOCAL).
///
/// The two addresses have to be of one family, and where the client came in may be of the other, or no
/// single address; so the destination is the unspecified address of the client's family, with port 0.
pub(super) fn header(client: &Client) -> Vec<u8> {
    let Some(source) = client.address else {
        return whole(LOCAL, UNSPECIFIED, &[]);
    };
    let port = source.port().to_be_bytes();
    match source.ip().to_canonical() {
        IpAddr::V4(address) => whole(PROXY, TCP4, &[&address.octets(), &[0; 4], &port, &[0; 2]]),
        IpAddr::V6(address) => whole(PROXY, TCP6, &[&address.octets(), &[0; 16], &port, &[0; 2]]),
    }
}

fn whole(command: u8, family: u8, addresses: &[&[u8]]) -> Vec<u8> {
    let addresses = addresses.concat();
    // 36 octets at most, so the length's first octet is 0.
    let length = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
    [SIGNATURE, &[command, family, 0, length], &addresses].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(address: &str) -> Vec<u8> {
        header(&Client {
            address: address.parse().ok(),
            ..Client::default()
        })
    }

    #[test]
    fn a_client_is_stated_in_its_own_family() {
        let v4 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\0\0\0\0\x12\x67\0\0";
        assert_eq!(header_of("203.0.113.9:4711"), v4);
        assert_eq!(header_of("[::ffff:203.0.113.9]:4711"), v4);
        let v6 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\
            \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0";
        assert_eq!(header_of("[2001:db8::7]:65535"), v6);
    }

    #[test]
    fn nobody_known_makes_it_our_own_connection() {
        assert_eq!(header(&Client::default()), b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    }
}
