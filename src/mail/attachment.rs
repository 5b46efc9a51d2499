//! Attachments: their names as people see them, and what they are by content.
//!
//! Enters: the MIME tree. Leaves: one [`Attachment`] for each part that is a file, those in enclosed
//! messages left out. Only the start and end of the content are decoded here; a digest is made when
//! asked for. Opens no archives. Knows nothing of what is dangerous.

use super::defects::{Defect, Defects};
use super::parameter::Parameters;
use super::part::{Kind, Node, Part, Tree};
use super::transfer::{self, Transfer};
use super::{encoded_word, kind};
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::OnceLock;

/// A top-level attachment.
#[derive(Debug, Clone, Default)]
pub struct Attachment<'m> {
    /// The name that a person sees; empty without one.
    pub name: String,
    /// Every other name that some reader would show.
    pub other_names: Vec<String>,
    /// The last extension, lower case, without the dot.
    pub extension: String,
    /// `type/subtype` as declared, lower case.
    pub declared_type: String,
    /// What the content is: `zip`, `pdf`, `html`, `exe`…; empty when nothing is recognised.
    pub kind: &'static str,
    /// Bytes, decoded.
    pub size: usize,
    /// Whether it is shown within the text.
    pub is_inline: bool,
    body: &'m [u8],
    transfer: Transfer,
    digest: OnceLock<String>,
}

impl<'m> Attachment<'m> {
    /// The content, decoded anew at each call.
    pub fn content(&self) -> Cow<'m, [u8]> {
        self.transfer.decode(self.body).0
    }

    /// Lower-case hex of the SHA-256 of the decoded content; made when first asked for.
    pub fn sha256(&self) -> &str {
        self.digest.get_or_init(|| {
            let digest = ring::digest::digest(&ring::digest::SHA256, &self.content());
            digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
                // Writing to a string can't fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        })
    }

    fn read(part: &Part, node: &Node<'m>, defects: &mut Defects) -> Self {
        let mut names = names(node);
        defects.add_if(names.len() > 1, Defect::FILENAME_AMBIGUOUS);
        defects.add_if(names.iter().any(|name| is_disguised(name)), Defect::FILENAME_DISGUISED);
        let name = if names.is_empty() {
            String::new()
        } else {
            names.remove(0)
        };
        let (size, kind) = size_and_kind(node, defects);
        let is_enclosed_message = node.kind == Kind::Message;
        Self {
            extension: extension(&name),
            name,
            other_names: names,
            declared_type: part.content_type.clone(),
            kind: if is_enclosed_message { "eml" } else { kind },
            size,
            is_inline: part.disposition != "attachment" && (part.disposition == "inline" || node.content.id.is_some()),
            body: node.body,
            transfer: node.transfer,
            digest: OnceLock::new(),
        }
    }
}

/// Every part that is a file, in order. `displayed` tells the parts that are shown as text.
pub(super) fn all<'m>(tree: &Tree<'m>, displayed: &[bool], defects: &mut Defects) -> Vec<Attachment<'m>> {
    let parts = tree.parts.iter().zip(&tree.nodes).zip(displayed);
    let files = parts.filter(|((part, node), displayed)| {
        let has_parts = matches!(node.kind, Kind::Multipart | Kind::Alternative);
        let is_file = !**displayed || part.disposition == "attachment" || is_named(node);
        !node.is_enclosed && !has_parts && is_file
    });
    files
        .map(|((part, node), _)| Attachment::read(part, node, defects))
        .collect()
}

/// Whether the part has a file name in any notation.
pub(super) fn is_named(node: &Node<'_>) -> bool {
    let mut unused = Defects::default();
    let mut named = |fields: &[&[u8]], parameter: &str| {
        // Most parts have no name, and looking for the letters is cheaper than parsing.
        fields.iter().any(|raw| {
            memchr::memmem::find(&raw.to_ascii_lowercase(), b"name").is_some()
                && Parameters::read(raw, &mut unused).has(parameter)
        })
    };
    named(&node.content.dispositions, "filename") || named(&node.content.types, "name")
}

/// Every name that some reader would show, the commonest first.
fn names(node: &Node<'_>) -> Vec<String> {
    let mut unused = Defects::default();
    let dispositions = node.content.dispositions.iter().map(|raw| (*raw, "filename"));
    let types = node.content.types.iter().map(|raw| (*raw, "name"));
    let mut names: Vec<String> = Vec::new();
    for (raw, parameter) in dispositions.chain(types) {
        for reading in Parameters::read(raw, &mut unused).readings(parameter) {
            // An encoded word that stayed undecoded is a reading only where decoding made none.
            let shown = encoded_word::decode_words(&reading).trim().to_owned();
            if !shown.is_empty() && !names.contains(&shown) {
                names.push(shown);
            }
        }
    }
    names
}

/// The extension that the operating system would go by.
fn extension(name: &str) -> String {
    // Windows drops trailing dots and spaces; a NUL ends a name in C; direction overrides are letters
    // to every system, so the bytes' order counts, not the shown one.
    let name = name.split('\0').next().unwrap_or(name);
    let name = name.trim_end_matches(|c: char| c == '.' || c.is_whitespace() || c.is_control());
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    match name.rsplit_once('.') {
        Some((_, extension)) => extension.trim().to_lowercase(),
        None => String::new(),
    }
}

fn is_disguised(name: &str) -> bool {
    let direction = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    let many_spaces = name.contains("     ");
    many_spaces || name.ends_with(['.', ' ']) || name.chars().any(|c| direction(c) || c.is_control())
}

/// Enough encoded bytes for the head of any encoding.
const ENCODED_HEAD: usize = kind::HEAD_BYTES * 2;

/// Encoded bytes of the end that are looked at: the directory of an archive stands there.
const ENCODED_TAIL: usize = 32 << 10;

fn size_and_kind(node: &Node<'_>, defects: &mut Defects) -> (usize, &'static str) {
    if node.transfer == Transfer::QuotedPrintable || node.body.len() <= ENCODED_HEAD {
        let (content, broken) = node.transfer.decode(node.body);
        note_broken(node.transfer, broken, defects);
        return (content.len(), kind::of(&content, &content));
    }
    let head = node.body.get(..ENCODED_HEAD).unwrap_or(node.body);
    let tail = node.body.get(node.body.len() - ENCODED_TAIL..).unwrap_or_default();
    if node.transfer == Transfer::Identity {
        return (node.body.len(), kind::of(head, tail));
    }
    // Lines of base64 hold whole groups in practice, so a line's start is a good place to decode from.
    let line = memchr::memchr(b'\n', tail).map_or(0, |at| at + 1);
    let tail = transfer::base64(tail.get(line..).unwrap_or_default()).0;
    (
        transfer::base64_length(node.body),
        kind::of(&transfer::base64(head).0, &tail),
    )
}

/// How many bytes a part has, decoded.
pub(super) fn size(node: &Node<'_>) -> usize {
    match node.transfer {
        Transfer::Identity => node.body.len(),
        Transfer::Base64 => transfer::base64_length(node.body),
        Transfer::QuotedPrintable => node.transfer.decode(node.body).0.len(),
    }
}

fn note_broken(transfer: Transfer, broken: bool, defects: &mut Defects) {
    match transfer {
        Transfer::Base64 => defects.add_if(broken, Defect::BROKEN_BASE64),
        Transfer::QuotedPrintable => defects.add_if(broken, Defect::BROKEN_QUOTED_PRINTABLE),
        Transfer::Identity => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_extension_counts() {
        for (name, expected) in [
            ("invoice.PDF", "pdf"),
            ("invoice.pdf.exe", "exe"),
            ("invoice\u{202e}fdp.exe", "exe"),
            ("invoice.exe. . ", "exe"),
            ("invoice.exe\0.pdf", "exe"),
            ("folder.d/file", ""),
            ("noextension", ""),
            ("", ""),
        ] {
            assert_eq!(extension(name), expected, "{name:?}");
        }
    }

    #[test]
    fn disguises_are_told() {
        for (name, expected) in [
            ("invoice.pdf", false),
            ("two words.pdf", false),
            ("invoice\u{202e}fdp.exe", true),
            ("invoice.pdf        .exe", true),
            ("invoice.exe.", true),
        ] {
            assert_eq!(is_disguised(name), expected, "{name:?}");
        }
    }
}
