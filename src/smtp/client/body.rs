//! The message on its way out: dot-stuffing (RFC 5321 §4.5.2) and the final dot, or one chunk.
//!
//! Pieces of a message go in, slices to write come out, in order and without copying the message.
//! Lines of any length pass as they are. Knows nothing of streams.

use bytes::Bytes;
use memchr::memmem::Finder;

/// The slices that put `pieces` on the wire, the line with the lone dot last.
///
/// The pieces together are a message with CRLF line ends, cut anywhere. One that doesn't end in
/// CRLF gets one, or its dot would not stand alone; an empty message gets none.
pub(super) struct Stuffed<'p> {
    pieces: std::slice::Iter<'p, Bytes>,
    rest: &'p [u8],
    at_line_start: bool,
    /// The last two octets so far; an empty message counts as ended.
    tail: [u8; 2],
    has_ended: bool,
    line_start_dot: Finder<'static>,
}

impl<'p> Stuffed<'p> {
    pub(super) fn new(pieces: &'p [Bytes]) -> Self {
        Self {
            pieces: pieces.iter(),
            rest: &[],
            at_line_start: true,
            tail: *b"\r\n",
            has_ended: false,
            line_start_dot: Finder::new(b"\n."),
        }
    }

    /// Cuts `rest` after the line end that stands before the next dot, or takes all of it.
    fn segment(&mut self) -> &'p [u8] {
        let end = self.line_start_dot.find(self.rest).map_or(self.rest.len(), |at| at + 1);
        let (segment, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        self.at_line_start = segment.ends_with(b"\n");
        self.tail = match segment {
            [.., before, last] => [*before, *last],
            [last] => [self.tail[1], *last],
            [] => self.tail,
        };
        segment
    }
}

impl<'p> Iterator for Stuffed<'p> {
    type Item = &'p [u8];

    fn next(&mut self) -> Option<&'p [u8]> {
        while self.rest.is_empty() {
            let Some(piece) = self.pieces.next() else {
                let is_first = !std::mem::replace(&mut self.has_ended, true);
                let dot: &[u8] = if self.tail == *b"\r\n" { b".\r\n" } else { b"\r\n.\r\n" };
                return is_first.then_some(dot);
            };
            self.rest = piece;
        }
        if self.at_line_start && self.rest.starts_with(b".") {
            self.at_line_start = false;
            return Some(b".");
        }
        Some(self.segment())
    }
}

/// The slices that put `pieces` on the wire as they are, behind the command that tells their length
/// (RFC 3030 §2). None is empty: written, it would look like a connection that takes nothing.
pub(super) struct Chunk<'p> {
    command: Option<&'p [u8]>,
    pieces: std::slice::Iter<'p, Bytes>,
}

impl<'p> Chunk<'p> {
    pub(super) fn new(command: &'p [u8], pieces: &'p [Bytes]) -> Self {
        Self {
            command: Some(command),
            pieces: pieces.iter(),
        }
    }
}

impl<'p> Iterator for Chunk<'p> {
    type Item = &'p [u8];

    fn next(&mut self) -> Option<&'p [u8]> {
        if let Some(command) = self.command.take() {
            return Some(command);
        }
        let piece: &'p Bytes = self.pieces.find(|piece| !piece.is_empty())?;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuff(pieces: &[Bytes]) -> Vec<u8> {
        Stuffed::new(pieces).flatten().copied().collect()
    }

    /// The plain reading of RFC 5321 §4.5.2: what a server makes of the wire. `None` when the dot
    /// line isn't at the very end and nowhere else.
    fn unstuff(wire: &[u8]) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        let mut rest = wire;
        loop {
            let end = rest.windows(2).position(|pair| pair == b"\r\n")? + 2;
            let (line, after) = rest.split_at(end);
            if line == b".\r\n" {
                return after.is_empty().then_some(message);
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            rest = after;
        }
    }

    const NASTY: [&[u8]; 10] = [
        b"",
        b".\r\n",
        b"..\r\n",
        b"...\r\n.\r\n..\r\n",
        b"Subject: x\r\n\r\n.\r\n",
        b"Subject: x\r\n\r\n.leading\r\nmid.dle\r\n.\r\n",
        b"\r\n\r\n.\r\n\r\n",
        b".\r\n.\r\n.\r\n",
        b"a\r\n.b\r\n.c",
        b".",
    ];

    #[test]
    fn nasty_bodies_cut_anywhere_come_back_whole() {
        for body in NASTY {
            for first in 0..=body.len() {
                for second in first..=body.len() {
                    let pieces = [&body[..first], &body[first..second], &body[second..]].map(Bytes::copy_from_slice);
                    let mut expected = body.to_vec();
                    if !body.is_empty() && !body.ends_with(b"\r\n") {
                        expected.extend_from_slice(b"\r\n");
                    }
                    assert_eq!(
                        unstuff(&stuff(&pieces)),
                        Some(expected),
                        "{body:?} cut at {first}, {second}"
                    );
                }
            }
        }
    }

    #[test]
    fn long_lines_pass_as_they_are() {
        for length in [997, 998, 999, 100_000] {
            let body = format!("{}.x\r\n.{}\r\n", "y".repeat(length), "z".repeat(length));
            assert_eq!(unstuff(&stuff(&[Bytes::from(body.clone())])), Some(body.into_bytes()));
        }
    }

    proptest! {
        #[test]
        fn any_body_in_any_pieces_comes_back_whole(
            lines in prop::collection::vec("[.a]{0,4}", 0..40),
            cuts in prop::collection::vec(0_usize..200, 0..10),
        ) {
            let body: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let whole = Bytes::from(body.clone());
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces: Vec<Bytes> = cuts.windows(2).map(|pair| whole.slice(pair[0]..pair[1])).collect();
            prop_assert_eq!(unstuff(&stuff(&pieces)), Some(body.into_bytes()));
        }
    }
}
