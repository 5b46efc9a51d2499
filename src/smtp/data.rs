//! The body of a message, from the wire's octets to the message's: a pure machine fed in any pieces.
//!
//! After DATA only CRLF.CRLF ends it, and dot-stuffing is undone (RFC 5321 §4.5.2); after BDAT it ends
//! where its chunks do (RFC 3030 §2). A bare CR or LF, or a NUL, makes the message malformed: it is read
//! on to its end, and nothing more of it is kept. For clients that are trusted to mean well, bare line
//! ends can be made CRLF instead, and still end nothing. Knows nothing of replies, time or where the
//! memory comes from.

use super::body_memory::{BodyMemory, Spare};
use super::refusal::{Malformed, Refusal};
use memchr::memchr3;
use std::sync::Arc;

/// What is done about bare CR and bare LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnds {
    /// They make the message malformed.
    #[default]
    Strict,
    /// They become CRLF, and a dot among them is a dot.
    Repair,
}

/// What ends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A dot alone on a line; other lines that begin with one have one too many.
    Dot,
    /// [`DataReader::end`], after the last octet of the last chunk; a dot is a dot.
    Count,
}

/// Reads one message.
#[derive(Debug)]
pub struct DataReader {
    framing: Framing,
    line_ends: LineEnds,
    size_max: u64,
    state: State,
    body: BodyMemory,
    /// Octets that the body may have, whatever room its memory has.
    room: usize,
    dropped: Option<Refusal>,
}

/// What the octets up to now leave open. `ends` tells whether the line began after a true CRLF (or
/// is the first), so that a dot alone on it ends the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At a line's beginning.
    Start { ends: bool },
    /// After a dot at a line's beginning.
    Dot { ends: bool },
    /// After that dot and a CR.
    DotCr { ends: bool },
    /// Within a line.
    Text,
    /// After a CR within a line.
    Cr,
    /// After the end.
    Done,
}

impl DataReader {
    /// A reader of a message of at most `size_max` octets (after dot-stuffing is undone).
    pub const fn new(framing: Framing, line_ends: LineEnds, size_max: u64, spare: Arc<Spare>) -> Self {
        Self {
            framing,
            line_ends,
            size_max,
            state: match framing {
                Framing::Dot => State::Start { ends: true },
                Framing::Count => State::Text,
            },
            body: BodyMemory::new(spare),
            room: 0,
            dropped: None,
        }
    }

    /// Takes octets up to the end of the message at most, and says how many.
    pub fn feed(&mut self, chunk: &[u8]) -> usize {
        let mut rest = chunk;
        while !rest.is_empty() && self.state != State::Done {
            rest = if self.state == State::Text {
                self.text(rest)
            } else {
                self.octet(rest)
            };
        }
        chunk.len() - rest.len()
    }

    /// Ends a message that its chunks end. A last line without its CRLF gets it: what we say behind us may
    /// be DATA, which has no other lines, and a DKIM signature reads the same with it (RFC 6376 §3.4.3).
    pub fn end(&mut self) {
        if self.state == State::Cr {
            self.bare(Malformed::BareCarriageReturn);
        }
        if !self.body.is_empty() && !self.body.as_slice().ends_with(b"\r\n") {
            self.keep(b"\r\n");
        }
        self.state = State::Done;
    }

    /// Whether the end has been read.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The memory that the body may need for a chunk of this many octets, when it has less.
    pub fn wants(&self, chunk: usize) -> Option<usize> {
        let needed = self.body.len().saturating_add(self.need(chunk));
        (self.dropped.is_none() && needed > self.room).then_some(needed)
    }

    /// Whether nothing of the message is kept any more.
    pub const fn is_discarding(&self) -> bool {
        self.dropped.is_some()
    }

    /// Octets of the message up to now; none while it is discarded.
    pub const fn kept(&self) -> usize {
        self.body.len()
    }

    /// Octets that the body may have.
    pub const fn room(&self) -> usize {
        self.room
    }

    /// Lets the body have `room` octets in all. Memory that isn't to be had is [`Refusal::Memory`].
    pub fn grow(&mut self, room: usize) {
        if self.dropped.is_some() {
            return;
        }
        self.room = room;
        let in_the_end = usize::try_from(self.size_max).unwrap_or(usize::MAX);
        if !self.body.reserve(room, in_the_end) {
            self.discard(Refusal::Memory);
        }
    }

    /// Keeps nothing of the message, for this reason: the first one stands, unless the message turns
    /// out to be malformed as well, for then the session can't go on.
    pub fn discard(&mut self, why: Refusal) {
        self.body.clear();
        self.room = 0;
        if self.dropped.is_none() || matches!(why, Refusal::Malformed(_)) && !self.is_malformed() {
            self.dropped = Some(why);
        }
    }

    /// The message, or why there is none.
    ///
    /// # Errors
    /// [`Refusal::Malformed`], [`Refusal::TooBig`], or what [`DataReader::discard`] was told.
    pub fn finish(self) -> Result<BodyMemory, Refusal> {
        match self.dropped {
            None => Ok(self.body),
            Some(why) => Err(why),
        }
    }

    /// How much the body can grow by a chunk: what an earlier one left open adds a dot and a line end.
    const fn need(&self, chunk: usize) -> usize {
        match self.line_ends {
            LineEnds::Strict => chunk + 3,
            LineEnds::Repair => 2 * chunk + 3,
        }
    }

    const fn is_malformed(&self) -> bool {
        matches!(self.dropped, Some(Refusal::Malformed(_)))
    }

    /// Within a line: copies as many whole lines at once as need no change.
    fn text<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let mut run = 0;
        while let Some((head, tail)) = chunk.split_at_checked(run) {
            let Some(found) = memchr3(b'\r', b'\n', 0, tail) else {
                break;
            };
            let here = head.len() + found;
            let (end, state) = match tail.get(found..).unwrap_or_default() {
                [b'\r', b'\n', b'.', ..] | [b'\r', b'\n'] if self.framing == Framing::Dot => {
                    (here + 2, State::Start { ends: true })
                }
                [b'\r', b'\n', ..] => {
                    run = here + 2;
                    continue;
                }
                [b'\r', ..] => {
                    self.keep(chunk.get(..here).unwrap_or_default());
                    self.state = State::Cr;
                    return chunk.get(here + 1..).unwrap_or_default();
                }
                _ => (here, State::Text),
            };
            self.keep(chunk.get(..end).unwrap_or_default());
            self.state = state;
            let rest = chunk.get(end..).unwrap_or_default();
            return if state == State::Text { self.stray(rest) } else { rest };
        }
        self.keep(chunk);
        &[]
    }

    /// A bare LF or a NUL within a line.
    fn stray<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let Some((octet, rest)) = chunk.split_first() else {
            return chunk;
        };
        if *octet == 0 {
            self.discard(Refusal::Malformed(Malformed::Nul));
        } else {
            self.bare(Malformed::BareLineFeed);
        }
        rest
    }

    /// One octet where the state is not [`State::Text`]; one that changes nothing is left to it.
    fn octet<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let Some((octet, rest)) = chunk.split_first() else {
            return chunk;
        };
        match (self.state, *octet) {
            (State::Start { ends }, b'.') => {
                self.state = State::Dot { ends };
                rest
            }
            (State::Dot { ends }, b'\r') => {
                self.state = State::DotCr { ends };
                rest
            }
            (State::Dot { .. }, b'\n') => {
                self.keep(b".");
                self.bare(Malformed::BareLineFeed);
                rest
            }
            (State::DotCr { ends: true }, b'\n') => {
                self.state = State::Done;
                rest
            }
            (State::DotCr { ends: false }, b'\n') => {
                self.keep(b".\r\n");
                self.state = self.line_begins(true);
                rest
            }
            (State::DotCr { .. }, _) => {
                self.keep(b".");
                self.bare(Malformed::BareCarriageReturn);
                chunk
            }
            (State::Cr, b'\n') => {
                self.keep(b"\r\n");
                self.state = self.line_begins(true);
                rest
            }
            (State::Cr, _) => {
                self.bare(Malformed::BareCarriageReturn);
                chunk
            }
            // A dot before other text was stuffed, and goes.
            (State::Start { .. } | State::Dot { .. } | State::Text | State::Done, _) => {
                self.state = State::Text;
                chunk
            }
        }
    }

    /// A bare line end has been read.
    fn bare(&mut self, which: Malformed) {
        match self.line_ends {
            LineEnds::Strict => {
                self.discard(Refusal::Malformed(which));
                self.state = State::Text;
            }
            LineEnds::Repair => {
                self.keep(b"\r\n");
                self.state = self.line_begins(false);
            }
        }
    }

    /// A line begins, after a true CRLF or not; where dots mean nothing it is text like any.
    const fn line_begins(&self, ends: bool) -> State {
        match self.framing {
            Framing::Dot => State::Start { ends },
            Framing::Count => State::Text,
        }
    }

    fn keep(&mut self, octets: &[u8]) {
        if self.dropped.is_some() {
            return;
        }
        if self.body.len() as u64 + octets.len() as u64 > self.size_max {
            self.discard(Refusal::TooBig);
        } else if !self.body.append(octets) {
            self.discard(Refusal::Memory);
        }
    }
}

#[cfg(test)]
#[path = "../../tests/smuggling/variants.rs"]
pub(super) mod variants;

#[cfg(test)]
mod tests {
    use super::variants::{Expected, VARIANTS};
    use super::*;
    use proptest::prelude::*;

    /// A reader that has room.
    fn reader(framing: Framing, line_ends: LineEnds, size_max: u64) -> DataReader {
        let mut reader = DataReader::new(framing, line_ends, size_max, Arc::default());
        reader.grow(1 << 18);
        reader
    }

    fn finish(reader: DataReader) -> Result<Vec<u8>, Refusal> {
        reader.finish().map(|body| body.as_slice().to_vec())
    }

    /// What came of it, and how many octets were taken.
    type Outcome = (Result<Vec<u8>, Refusal>, usize, bool);

    fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, line_ends: LineEnds) -> Outcome {
        let mut reader = reader(Framing::Dot, line_ends, 1 << 20);
        let mut taken = 0;
        for chunk in chunks {
            taken += reader.feed(chunk);
            if reader.is_done() {
                break;
            }
        }
        let done = reader.is_done();
        (finish(reader), taken, done)
    }

    fn whole(input: &[u8], line_ends: LineEnds) -> Outcome {
        read([input], line_ends)
    }

    /// The definition, octet by octet and without cleverness: what a message is and where it ends.
    fn defined(input: &[u8]) -> Option<(Option<Vec<u8>>, usize)> {
        let framed = [b"\r\n", input].concat();
        let end = memchr::memmem::find(&framed, b"\r\n.\r\n")?;
        let content = &framed[2..(end + 2).max(2)];
        let bad = (0..content.len()).any(|at| match content[at] {
            0 => true,
            b'\r' => content.get(at + 1) != Some(&b'\n'),
            b'\n' => at == 0 || content[at - 1] != b'\r',
            _ => false,
        });
        let mut body = Vec::new();
        for line in content.split_inclusive(|octet| *octet == b'\n') {
            body.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        Some(((!bad).then_some(body), end + 3))
    }

    fn matches_definition(input: &[u8], outcome: &Outcome) -> bool {
        match defined(input) {
            None => !outcome.2,
            Some((body, taken)) => {
                let same = match (&body, &outcome.0) {
                    (Some(body), Ok(read)) => body == read,
                    (None, Err(Refusal::Malformed(_))) => true,
                    _ => false,
                };
                same && outcome.2 && outcome.1 == taken
            }
        }
    }

    fn smuggle(sequence: &[u8], before: usize) -> Vec<u8> {
        let mut input = vec![b'x'; before];
        input.extend_from_slice(sequence);
        input.extend_from_slice(
            b"MAIL FROM:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\nsecond\r\n.\r\nQUIT\r\n",
        );
        input
    }

    #[test]
    fn each_smuggling_variant_is_refused_or_content() {
        assert_eq!(VARIANTS.len(), 27);
        for variant in VARIANTS {
            let input = smuggle(variant.sequence, 5);
            let outcome = whole(&input, LineEnds::Strict);
            assert!(matches_definition(&input, &outcome), "{}: {outcome:?}", variant.name);
            match variant.expected {
                Expected::Refused => assert!(matches!(outcome.0, Err(Refusal::Malformed(_))), "{}", variant.name),
                Expected::Content(content) => {
                    let body = outcome.0.unwrap();
                    assert!(body.starts_with(&[b"xxxxx", content].concat()), "{}", variant.name);
                    assert!(body.ends_with(b"DATA\r\nsecond\r\n"), "{}", variant.name);
                }
            }
        }
    }

    #[test]
    fn a_split_changes_nothing() {
        for line_ends in [LineEnds::Strict, LineEnds::Repair] {
            for variant in VARIANTS {
                let input = smuggle(variant.sequence, 3);
                let expected = whole(&input, line_ends);
                for at in 0..=input.len() {
                    let (one, two) = input.split_at(at);
                    assert_eq!(read([one, two], line_ends), expected, "{} at {at}", variant.name);
                }
                assert_eq!(read(input.chunks(1), line_ends), expected, "{}", variant.name);
            }
        }
    }

    #[test]
    fn buffer_edges_change_nothing() {
        for variant in VARIANTS {
            for edge in [4096_usize, 8192, 16384, 65536] {
                // The edge falls around the sequence's end, then around its beginning.
                let end = edge - variant.sequence.len();
                for before in (end - 3..=end + 8).chain(edge - 3..=edge + 3) {
                    let input = smuggle(variant.sequence, before);
                    let outcome = read(input.chunks(edge), LineEnds::Strict);
                    assert!(matches_definition(&input, &outcome), "{} at {before}", variant.name);
                }
            }
        }
    }

    #[test]
    fn dots_are_unstuffed_and_an_empty_message_is_one() {
        for (input, body) in [
            (&b".\r\n"[..], &b""[..]),
            (b"\r\n.\r\n", b"\r\n"),
            (b"..\r\n.\r\n", b".\r\n"),
            (b"...\r\n.\r\n", b"..\r\n"),
            (b".a\r\nb.\r\n.\r\n", b"a\r\nb.\r\n"),
            (b"a\r\n..\r\n.. b\r\n.\r\n", b"a\r\n.\r\n. b\r\n"),
            (b". \r\n.\r\n", b" \r\n"),
        ] {
            let (read, taken, done) = whole(input, LineEnds::Strict);
            assert_eq!((read.unwrap(), taken, done), (body.to_vec(), input.len(), true));
        }
    }

    #[test]
    fn bare_line_ends_can_be_repaired_and_end_nothing() {
        for (input, body) in [
            (&b"a\nb\r\n.\r\n"[..], &b"a\r\nb\r\n"[..]),
            (b"a\rb\r\n.\r\n", b"a\r\nb\r\n"),
            (b"a\n.\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
            (b"a\n.\r\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
            (b"a\r\n.\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
            (b"a\r\n.\rb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
            (b"a\r.\r\r\n.\r\n", b"a\r\n.\r\n\r\n"),
            (b"a\n..b\r\n.\r\n", b"a\r\n.b\r\n"),
            (b"a\n.\r\n.\r\n", b"a\r\n.\r\n"),
            (b"a\r\r\n.\r\n", b"a\r\n\r\n"),
            (b"a\n\r\r\n.\r\n", b"a\r\n\r\n\r\n"),
        ] {
            let (read, taken, done) = whole(input, LineEnds::Repair);
            assert_eq!(
                read.unwrap().escape_ascii().to_string(),
                body.escape_ascii().to_string()
            );
            assert_eq!((taken, done), (input.len(), true));
        }
        let (refused, ..) = whole(b"a\0b\n\r\n.\r\n", LineEnds::Repair);
        assert_eq!(refused, Err(Refusal::Malformed(Malformed::Nul)));
    }

    #[test]
    fn the_size_limit_holds_and_reading_goes_on() {
        for (length, fits) in [(9, true), (10, true), (11, false)] {
            let mut reader = reader(Framing::Dot, LineEnds::Strict, 10);
            let input = [vec![b'x'; length - 2], b"\r\n.\r\nNEXT".to_vec()].concat();
            assert_eq!(reader.feed(&input), input.len() - 4);
            assert!(reader.is_done());
            assert_eq!(
                finish(reader).map(|body| body.len()),
                if fits { Ok(length) } else { Err(Refusal::TooBig) }
            );
        }
    }

    #[test]
    fn a_message_both_too_big_and_malformed_ends_the_session() {
        let mut reader = reader(Framing::Dot, LineEnds::Strict, 3);
        reader.feed(b"xxxxxx\r\na\nb\r\n.\r\n");
        assert_eq!(finish(reader), Err(Refusal::Malformed(Malformed::BareLineFeed)));
    }

    #[test]
    fn long_lines_pass_as_they_came() {
        let input = [vec![b'x'; 100_000], b"\r\n.\r\n".to_vec()].concat();
        assert_eq!(whole(&input, LineEnds::Strict).0.unwrap(), &input[..100_002]);
    }

    proptest! {
        #[test]
        fn any_input_reads_as_defined_at_any_split(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just(&b"\r\n"[..]), Just(&b"\r"[..]), Just(&b"\n"[..]), Just(&b"."[..]), Just(&b"x"[..]),
                    Just(&b"\r\n.\r\n"[..]), Just(&b"\0"[..]), Just(&b"long text"[..]),
                ],
                0..24,
            ),
            step in 1_usize..9,
        ) {
            let input = pieces.concat();
            let outcome = whole(&input, LineEnds::Strict);
            prop_assert!(matches_definition(&input, &outcome), "{:?}", outcome);
            prop_assert_eq!(read(input.chunks(step), LineEnds::Strict), outcome);
            let repaired = whole(&input, LineEnds::Repair);
            prop_assert_eq!(&read(input.chunks(step), LineEnds::Repair), &repaired);
            if let Ok(body) = repaired.0 {
                let unbroken = body.split(|octet| *octet == b'\n').rev().skip(1).all(|line| line.ends_with(b"\r"));
                prop_assert!(unbroken && memchr::memchr_iter(b'\r', &body).count() == memchr::memchr_iter(b'\n', &body).count());
            }
        }

        #[test]
        fn the_room_asked_for_is_enough(
            input in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'x')], 0..64),
            step in 1_usize..9,
            repair in any::<bool>(),
        ) {
            let mut reader = reader(Framing::Dot, if repair { LineEnds::Repair } else { LineEnds::Strict }, 1 << 20);
            for chunk in input.chunks(step) {
                let before = reader.body.len();
                reader.feed(chunk);
                prop_assert!(reader.body.len() <= before + reader.need(chunk.len()));
            }
        }
    }

    /// A message in chunks, cut where the slices end.
    fn chunked<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, line_ends: LineEnds) -> Result<Vec<u8>, Refusal> {
        let mut reader = reader(Framing::Count, line_ends, 1 << 20);
        for chunk in chunks {
            assert_eq!(reader.feed(chunk), chunk.len(), "a chunk is taken whole");
            assert!(!reader.is_done());
        }
        reader.end();
        assert!(reader.is_done());
        finish(reader)
    }

    #[test]
    fn a_body_without_memory_is_refused() {
        let mut reader = DataReader::new(Framing::Dot, LineEnds::Strict, u64::MAX, Arc::default());
        reader.grow(usize::MAX);
        assert_eq!(finish(reader), Err(Refusal::Memory));
        let mut reader = DataReader::new(Framing::Dot, LineEnds::Strict, 1 << 20, Arc::default());
        reader.grow(10);
        assert_eq!(reader.feed(&[b'x'; 11]), 11);
        assert_eq!(finish(reader), Err(Refusal::Memory));
    }

    #[test]
    fn in_chunks_a_dot_is_a_dot_and_nothing_within_ends_the_message() {
        for input in [
            &b""[..],
            b"\r\n",
            b".\r\n",
            b"..\r\n.\r\nMAIL FROM:<>\r\n",
            b"a\r\n.\r\n.\r\n..b\r\n",
        ] {
            for at in 0..=input.len() {
                let (one, two) = input.split_at(at);
                assert_eq!(chunked([one, two], LineEnds::Strict).unwrap(), input, "at {at}");
            }
            assert_eq!(chunked(input.chunks(1), LineEnds::Repair).unwrap(), input);
        }
    }

    #[test]
    fn in_chunks_the_last_line_gets_its_end_and_bare_ones_are_refused_or_repaired() {
        assert_eq!(chunked([&b"a\r\nb"[..]], LineEnds::Strict).unwrap(), b"a\r\nb\r\n");
        for (input, which, repaired) in [
            (&b"a\nb\r\n"[..], Malformed::BareLineFeed, &b"a\r\nb\r\n"[..]),
            (b"a\rb\r\n", Malformed::BareCarriageReturn, b"a\r\nb\r\n"),
            (b"a\r\nb\r", Malformed::BareCarriageReturn, b"a\r\nb\r\n"),
            (b"a\r\n.\n.\r\n", Malformed::BareLineFeed, b"a\r\n.\r\n.\r\n"),
        ] {
            assert_eq!(chunked([input], LineEnds::Strict), Err(Refusal::Malformed(which)));
            assert_eq!(
                chunked(input.chunks(1), LineEnds::Strict),
                Err(Refusal::Malformed(which))
            );
            assert_eq!(chunked([input], LineEnds::Repair).unwrap(), repaired);
            assert_eq!(chunked(input.chunks(1), LineEnds::Repair).unwrap(), repaired);
        }
        let refused = chunked([&b"a\0b\r\n"[..]], LineEnds::Repair);
        assert_eq!(refused, Err(Refusal::Malformed(Malformed::Nul)));
    }

    #[test]
    fn in_chunks_the_size_limit_counts_the_line_end_that_is_added() {
        for (length, fits) in [(7, true), (8, true), (9, false), (10, false)] {
            let mut reader = reader(Framing::Count, LineEnds::Strict, 10);
            reader.feed(&vec![b'x'; length]);
            reader.end();
            assert_eq!(finish(reader).is_ok(), fits, "{length}");
        }
    }
}
