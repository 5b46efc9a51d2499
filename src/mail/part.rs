//! The MIME tree (RFC 2045, RFC 2046), found in one pass over the message.
//!
//! Enters: the message, and the Content fields of its header. Leaves: its parts in order with where
//! their bodies stand, still encoded. One stack of open multiparts, bounded by `Limits.nesting`,
//! takes the place of recursion: each line is looked at once, whatever the nesting. Where readers
//! differ about a type or a boundary, the reading that finds parts is taken, and a defect says so.
//! Knows nothing of texts or attachments.

use super::defects::{Defect, Defects};
use super::header::{FieldLines, HeaderReader};
use super::limits::{self, Limits};
use super::parameter::Parameters;
use super::transfer::Transfer;
use smallvec::SmallVec;

/// One MIME part.
#[derive(Debug, Clone)]
pub struct Part {
    /// `type/subtype`, lower case.
    pub content_type: String,
    /// The charset parameter, lower case; empty without one.
    pub charset: String,
    /// The transfer encoding, lower case; empty without one.
    pub encoding: String,
    /// `inline`, `attachment`, …; empty without one.
    pub disposition: String,
    /// 0 for the message itself.
    pub depth: usize,
}

/// What a part is to the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Alternatives of one text, the richest last.
    Alternative,
    /// Any other multipart.
    Multipart,
    /// A message whose parts follow.
    Message,
    /// Has no parts, or none that are looked at.
    Leaf,
}

/// A part's place in the tree; same index as its [`Part`].
#[derive(Debug)]
pub(super) struct Node<'m> {
    pub(super) kind: Kind,
    pub(super) parent: Option<usize>,
    /// Whether it stands in a message within this message.
    pub(super) is_enclosed: bool,
    pub(super) body: &'m [u8],
    pub(super) transfer: Transfer,
    pub(super) content: Content<'m>,
    body_start: usize,
}

/// The Content fields of one header, bodies as they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Content<'m> {
    pub(super) types: Vec<&'m [u8]>,
    pub(super) dispositions: Vec<&'m [u8]>,
    pub(super) encodings: Vec<&'m [u8]>,
    /// The first Content-ID.
    pub(super) id: Option<&'m [u8]>,
}

impl<'m> Content<'m> {
    /// Keeps the field if it says something about the part.
    pub(super) fn note(&mut self, lines: FieldLines<'m>) {
        const PREFIX: &[u8] = b"content-";
        let Some((start, rest)) = lines.name.split_at_checked(PREFIX.len()) else {
            return;
        };
        if !start.eq_ignore_ascii_case(PREFIX) {
            return;
        }
        let fields = if rest.eq_ignore_ascii_case(b"type") {
            &mut self.types
        } else if rest.eq_ignore_ascii_case(b"disposition") {
            &mut self.dispositions
        } else if rest.eq_ignore_ascii_case(b"transfer-encoding") {
            &mut self.encodings
        } else {
            if rest.eq_ignore_ascii_case(b"id") {
                self.id = self.id.or(Some(lines.body));
            }
            return;
        };
        if fields.len() < limits::CONTENT_FIELDS {
            fields.push(lines.body);
        }
    }
}

/// All parts of a message.
#[derive(Debug, Default)]
pub(super) struct Tree<'m> {
    pub(super) parts: Vec<Part>,
    pub(super) nodes: Vec<Node<'m>>,
}

/// Finds the parts of a message whose header ends at `body_start`.
pub(super) fn walk<'m>(
    raw: &'m [u8],
    body_start: usize,
    content: Content<'m>,
    limits: &Limits,
    defects: &mut Defects,
) -> Tree<'m> {
    let mut walker = Walker {
        raw,
        limits,
        defects,
        tree: Tree::default(),
        open: Vec::new(),
        work: 0,
    };
    walker.run(body_start, content);
    walker.tree
}

struct Walker<'m, 'd> {
    raw: &'m [u8],
    limits: &'d Limits,
    defects: &'d mut Defects,
    tree: Tree<'m>,
    open: Vec<Open>,
    /// Comparisons of a line with a boundary: what a hostile nesting makes grow.
    work: usize,
}

/// A multipart or message that hasn't ended yet.
struct Open {
    node: usize,
    /// Every reading of its boundary; none for a message.
    boundaries: SmallVec<[Vec<u8>; 1]>,
}

/// A delimiter line (RFC 2046 §5.1.1).
struct Delimiter {
    /// Where the line starts.
    start: usize,
    /// Where the next one starts.
    next: usize,
    /// Whose it is, as an index into the stack.
    open: usize,
    is_closing: bool,
}

/// What a header says about its part.
struct Reading {
    part: Part,
    kind: Kind,
    transfer: Transfer,
    boundaries: SmallVec<[Vec<u8>; 1]>,
}

impl<'m> Walker<'m, '_> {
    fn run(&mut self, body_start: usize, content: Content<'m>) {
        let mut position = body_start;
        let mut content = content;
        loop {
            let is_message = self.enter(position, content);
            if !is_message {
                let Some(next) = self.next_part(position) else { break };
                position = next;
            }
            if self.tree.nodes.len() >= self.limits.parts {
                self.defects.add(Defect::PARTS_LIMIT);
                break;
            }
            (position, content) = self.header(position, is_message);
        }
        self.object_to_unclosed(0);
        self.close_down_to(0, self.raw.len());
        self.demote_childless();
    }

    /// A multipart without parts is shown as the text that it is.
    fn demote_childless(&mut self) {
        let mut has_child = vec![false; self.tree.nodes.len()];
        for parent in self.tree.nodes.iter().filter_map(|node| node.parent) {
            if let Some(has) = has_child.get_mut(parent) {
                *has = true;
            }
        }
        for (node, has_child) in self.tree.nodes.iter_mut().zip(has_child) {
            if !has_child && matches!(node.kind, Kind::Multipart | Kind::Alternative) {
                node.kind = Kind::Leaf;
                self.defects.add_if(!node.is_enclosed, Defect::BOUNDARY_UNUSED);
            }
        }
    }

    /// Takes up a part whose body starts at `position`; true when that body is a message, whose
    /// header then follows.
    fn enter(&mut self, position: usize, content: Content<'m>) -> bool {
        let reading = self.read(position, &content);
        let node = self.tree.nodes.len();
        let parent = self.open.last().map(|open| open.node);
        let is_enclosed = parent
            .and_then(|parent| self.tree.nodes.get(parent))
            .is_some_and(|parent| parent.is_enclosed || parent.kind == Kind::Message);
        self.tree.parts.push(reading.part);
        self.tree.nodes.push(Node {
            kind: reading.kind,
            parent,
            is_enclosed,
            body: self.raw.get(position..).unwrap_or_default(),
            transfer: reading.transfer,
            content,
            body_start: position,
        });
        if reading.kind != Kind::Leaf {
            self.open.push(Open {
                node,
                boundaries: reading.boundaries,
            });
        }
        reading.kind == Kind::Message
    }

    fn read(&mut self, position: usize, content: &Content<'m>) -> Reading {
        let types: SmallVec<[Parameters; 1]> = content
            .types
            .iter()
            .map(|raw| Parameters::read(raw, self.defects))
            .collect();
        self.defects.add_if(types.len() > 1, Defect::DUPLICATE_CONTENT_TYPE);
        self.defects
            .add_if(content.dispositions.len() > 1, Defect::DUPLICATE_DISPOSITION);
        self.defects
            .add_if(content.encodings.len() > 1, Defect::DUPLICATE_ENCODING);
        // A misspelt multipart is one to lenient readers; text and messages are themselves to all.
        let is_multipart = |kind: &&Parameters| {
            let itself = kind.value.starts_with("text/") || kind.value.starts_with("message/");
            kind.value.starts_with("multipart/") || (!itself && kind.has("boundary"))
        };
        // Of several types the one that lets parts be found counts, else the first.
        let chosen = types.iter().find(is_multipart).or(types.first());
        let disposition = content
            .dispositions
            .first()
            .map(|raw| Parameters::read(raw, self.defects).value);
        let (encoding, transfer) = self.transfer(content);
        let mut part = Part {
            content_type: chosen.map_or_else(|| "text/plain".to_owned(), |kind| kind.value.clone()),
            charset: chosen.map_or_else(String::new, |kind| kind.get("charset").to_ascii_lowercase()),
            encoding,
            disposition: disposition.unwrap_or_default(),
            depth: self.open.len(),
        };
        if self.is_digest() && chosen.is_none() {
            "message/rfc822".clone_into(&mut part.content_type);
        }
        let mut reading = Reading {
            part,
            kind: Kind::Leaf,
            transfer,
            boundaries: SmallVec::new(),
        };
        if let Some(kind) = chosen.filter(is_multipart) {
            self.read_multipart(&mut reading, kind, position);
        } else if reading.part.content_type.starts_with("message/") {
            self.read_message(&mut reading);
        }
        reading
    }

    /// In a digest a part without a type is a message (RFC 2046 §5.1.5).
    fn is_digest(&self) -> bool {
        let parent = self.open.last().and_then(|open| self.tree.parts.get(open.node));
        parent.is_some_and(|parent| parent.content_type == "multipart/digest")
    }

    fn transfer(&mut self, content: &Content<'m>) -> (String, Transfer) {
        let Some(raw) = content.encodings.first() else {
            return (String::new(), Transfer::Identity);
        };
        let written = String::from_utf8_lossy(raw.trim_ascii()).to_ascii_lowercase();
        let end = written.find(|c: char| c.is_whitespace() || matches!(c, ';' | '(' | ','));
        let word = written
            .get(..end.unwrap_or(written.len()))
            .unwrap_or("")
            .trim_matches('"');
        self.defects
            .add_if(end.is_some() || word.is_empty(), Defect::BROKEN_ENCODING);
        let transfer = Transfer::from_word(word);
        self.defects.add_if(transfer.is_none(), Defect::UNKNOWN_ENCODING);
        (word.to_owned(), transfer.unwrap_or_default())
    }

    fn read_multipart(&mut self, reading: &mut Reading, kind: &Parameters, position: usize) {
        self.defects
            .add_if(reading.transfer != Transfer::Identity, Defect::BROKEN_ENCODING);
        if self.open.len() >= self.limits.nesting {
            self.defects.add(Defect::NESTING_LIMIT);
            return;
        }
        for boundary in kind.readings("boundary") {
            self.defects.add_if(boundary.contains("=?"), Defect::BOUNDARY_ENCODED);
            // Readers end an unquoted boundary at white space, or don't.
            let short = boundary.split_ascii_whitespace().next().unwrap_or("");
            for reading_of_it in [boundary.trim_end(), short] {
                let bytes = reading_of_it.as_bytes().to_vec();
                if !bytes.is_empty() && !reading.boundaries.contains(&bytes) {
                    reading.boundaries.push(bytes);
                }
            }
        }
        self.defects
            .add_if(kind.is_extended("boundary"), Defect::BOUNDARY_ENCODED);
        self.defects
            .add_if(reading.boundaries.len() > 1, Defect::BOUNDARY_AMBIGUOUS);
        if reading.boundaries.is_empty() {
            self.defects.add(Defect::BOUNDARY_MISSING);
            reading.boundaries.extend(self.guess_boundary(position));
        }
        let mut outer = self.open.iter().flat_map(|open| &open.boundaries);
        let reused = outer.any(|known| reading.boundaries.contains(known));
        self.defects.add_if(reused, Defect::BOUNDARY_REUSED);
        if !reading.boundaries.is_empty() {
            let is_alternative = reading.part.content_type == "multipart/alternative";
            reading.kind = if is_alternative {
                Kind::Alternative
            } else {
                Kind::Multipart
            };
        }
    }

    /// Some readers take the body's first line that starts with two hyphens for the delimiter.
    fn guess_boundary(&self, position: usize) -> Option<Vec<u8>> {
        const LOOKED_AT: usize = 1_024;
        let rest = self.raw.get(position..)?;
        let head = rest.get(..LOOKED_AT).unwrap_or(rest);
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let line = lines.find(|line| line.len() > 2 && line.starts_with(b"--"))?;
        line.get(2..).map(<[u8]>::to_vec)
    }

    fn read_message(&mut self, reading: &mut Reading) {
        match reading.part.content_type.as_str() {
            "message/rfc822" | "message/global" | "message/news" => {}
            "message/partial" => return self.defects.add(Defect::MESSAGE_PARTIAL),
            "message/external-body" => return self.defects.add(Defect::MESSAGE_EXTERNAL),
            _ => return,
        }
        if reading.transfer != Transfer::Identity {
            self.defects.add(Defect::MESSAGE_ENCODED);
        } else if self.open.len() >= self.limits.nesting {
            self.defects.add(Defect::NESTING_LIMIT);
        } else {
            reading.kind = Kind::Message;
        }
    }

    /// Reads a part's header; gives its body's start.
    fn header(&mut self, position: usize, is_message: bool) -> (usize, Content<'m>) {
        let mut reader = HeaderReader::new(self.raw, position);
        let mut found = Defects::default();
        if is_message {
            reader.skip_preface(&mut found);
        } else {
            reader.skip_blank_before_content(&mut found);
        }
        let mut content = Content::default();
        let open = &self.open;
        let is_delimiter = |line: &[u8]| open.iter().any(|open| matched(line, &open.boundaries).is_some());
        while let Some(lines) = reader.next_field(&mut found, is_delimiter) {
            content.note(lines);
        }
        self.defects.extend(&found);
        (reader.position(), content)
    }

    /// Steps to the next part from somewhere in a body; ends what ends on the way.
    fn next_part(&mut self, mut position: usize) -> Option<usize> {
        loop {
            let delimiter = self.next_delimiter(position)?;
            self.object_to_unclosed(delimiter.open + 1);
            self.end_leaf(delimiter.start);
            self.close_down_to(delimiter.open + 1, delimiter.start);
            position = delimiter.next;
            if !delimiter.is_closing {
                return Some(position);
            }
            self.close_down_to(delimiter.open, delimiter.start);
        }
    }

    fn next_delimiter(&mut self, position: usize) -> Option<Delimiter> {
        if self.open.iter().all(|open| open.boundaries.is_empty()) {
            return None;
        }
        let mut start = self.hyphens(position)?;
        loop {
            let rest = self.raw.get(start..)?;
            let (line, next) = match memchr::memchr(b'\n', rest) {
                Some(at) => (rest.get(..at)?, start + at + 1),
                None => (rest, self.raw.len()),
            };
            for (number, open) in self.open.iter().enumerate().rev() {
                self.work += open.boundaries.len();
                if let Some(is_closing) = matched(line, &open.boundaries) {
                    return Some(Delimiter {
                        start,
                        next,
                        open: number,
                        is_closing,
                    });
                }
            }
            start = self.hyphens(next)?;
        }
    }

    /// The first line from `line_start` on that starts with two hyphens.
    fn hyphens(&self, line_start: usize) -> Option<usize> {
        let rest = self.raw.get(line_start..)?;
        if rest.starts_with(b"--") {
            return Some(line_start);
        }
        memchr::memmem::find(rest, b"\n--").map(|at| line_start + at + 1)
    }

    /// The leaf that was last entered ends before a delimiter.
    fn end_leaf(&mut self, end: usize) {
        let raw = self.raw;
        if let Some(node) = self.tree.nodes.last_mut()
            && node.kind == Kind::Leaf
            && node.body_start + node.body.len() == raw.len()
        {
            node.body = body(raw, node.body_start, end);
        }
    }

    /// Multiparts from `from` on in the stack end without their closing delimiter. In enclosed messages
    /// that is usual: reports of failed delivery return a header, or a cut body.
    fn object_to_unclosed(&mut self, from: usize) {
        let nodes = &self.tree.nodes;
        let ours = |open: &Open| nodes.get(open.node).is_some_and(|node| !node.is_enclosed);
        let mut unclosed = self.open.iter().skip(from).filter(|open| !open.boundaries.is_empty());
        self.defects.add_if(unclosed.any(ours), Defect::BOUNDARY_UNCLOSED);
    }

    fn close_down_to(&mut self, count: usize, end: usize) {
        let raw = self.raw;
        for closed in self.open.drain(count.min(self.open.len())..) {
            if let Some(node) = self.tree.nodes.get_mut(closed.node) {
                node.body = body(raw, node.body_start, end);
            }
        }
    }
}

/// The line end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1).
fn body(raw: &[u8], start: usize, end: usize) -> &[u8] {
    let body = raw.get(start..end).unwrap_or_default();
    if end == raw.len() {
        return body;
    }
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    body.strip_suffix(b"\r").unwrap_or(body)
}

/// Whether a line is a delimiter with one of these boundaries; true when it closes.
fn matched(line: &[u8], boundaries: &[Vec<u8>]) -> Option<bool> {
    if boundaries.is_empty() {
        return None;
    }
    let line = line.strip_prefix(b"--")?.trim_ascii_end();
    if boundaries.iter().any(|boundary| line == boundary.as_slice()) {
        return Some(false);
    }
    let line = line.strip_suffix(b"--")?;
    boundaries
        .iter()
        .any(|boundary| line == boundary.as_slice())
        .then_some(true)
}

#[cfg(test)]
mod tests;
