//! Mail that goes round in circles, told by its Received fields (RFC 5321 §6.3). Pure.

/// Hops beyond which a message is refused.
const HOPS_MOST: usize = 100;

/// Passes through ourselves beyond which it is refused; one or two are normal (mailing lists).
const OWN_HOPS_MOST: usize = 10;

/// Whether the message has been on its way too long.
pub fn is_looping(message: &[u8], hostname: &str) -> bool {
    let (mut hops, mut own, mut in_received) = (0, 0, false);
    let ours = format!("by {hostname} ");
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line == b"\r\n" || line == b"\n" {
            break;
        }
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            in_received = line
                .get(..9)
                .is_some_and(|name| name.eq_ignore_ascii_case(b"Received:"));
            hops += usize::from(in_received);
        }
        if in_received && memchr::memmem::find(line, ours.as_bytes()).is_some() {
            own += 1;
        }
        if hops >= HOPS_MOST || own >= OWN_HOPS_MOST {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(hops: usize, own: usize) -> Vec<u8> {
        let foreign = "Received: from a by b with SMTP\r\n".repeat(hops);
        let ours = "received: from a\r\n by mx.example with SMTP\r\n".repeat(own);
        format!("{foreign}{ours}Subject: x\r\n\r\nReceived: by mx.example \r\n").into_bytes()
    }

    #[test]
    fn refuses_at_the_limits_and_not_below() {
        for (hops, own, looping) in [
            (0, 0, false),
            (99, 0, false),
            (100, 0, true),
            (0, 9, false),
            (0, 10, true),
            (91, 9, true),
        ] {
            assert_eq!(is_looping(&message(hops, own), "mx.example"), looping, "{hops} {own}");
        }
    }
}
