//! The attributes of one HTML start tag, as far as the renderer asks for them.
//!
//! Enters: names and values from the tokenizer. Leaves: values by name, and what they say about being
//! seen or quoted. Buffers are used again for every tag. Knows nothing of elements.

use super::charset;
use super::style::Visibility;

/// The attributes of one start tag; of equal names the first counts (HTML §13.2.5.33).
#[derive(Default)]
pub(super) struct Attributes {
    values: [String; NAMES.len()],
    seen: [bool; NAMES.len()],
    current: Option<usize>,
    hidden: bool,
}

impl Attributes {
    /// Makes room for the next start tag.
    pub(super) fn clear(&mut self) {
        for (value, seen) in self.values.iter_mut().zip(&mut self.seen) {
            if std::mem::take(seen) {
                value.clear();
            }
        }
        self.current = None;
        self.hidden = false;
    }

    /// An attribute's name came.
    pub(super) fn name(&mut self, name: &[u8]) {
        self.hidden |= name == b"hidden";
        self.current = NAMES.iter().position(|known| known.as_bytes() == name);
        if let Some(seen) = self.current.and_then(|at| self.seen.get_mut(at))
            && std::mem::replace(seen, true)
        {
            self.current = None;
        }
    }

    /// Its value came.
    pub(super) fn value(&mut self, value: &[u8]) {
        if let Some(known) = self.current.and_then(|at| self.values.get_mut(at)) {
            known.push_str(&charset::utf8_lossy(value));
        }
    }

    /// The value of one of [`NAMES`]; `None` when the tag doesn't have it.
    pub(super) fn get(&self, name: &'static str) -> Option<&str> {
        let at = NAMES.iter().position(|known| *known == name)?;
        self.seen.get(at).filter(|seen| **seen)?;
        self.values.get(at).map(String::as_str)
    }

    /// What the tag says about being seen.
    pub(super) fn visibility(&self) -> Visibility {
        let mut visibility = self.get("style").map(Visibility::read).unwrap_or_default();
        visibility.gone |= self.hidden;
        visibility
    }

    /// Containers in which mail programs put the text that they quote.
    pub(super) fn quotes(&self) -> bool {
        let quoting = [
            "gmail_quote",
            "gmail_attr",
            "yahoo_quoted",
            "moz-cite-prefix",
            "protonmail_quote",
            "tutanota_quote",
        ];
        self.get("class")
            .is_some_and(|class| class.split_ascii_whitespace().any(|word| quoting.contains(&word)))
    }

    /// Markers that Outlook puts before the older message, which then follows beside them.
    pub(super) fn starts_history(&self) -> bool {
        matches!(
            self.get("id"),
            Some("divRplyFwdMsg" | "appendonsend" | "mail-editor-reference-message-container")
        )
    }
}

/// Attributes that the renderer asks for.
const NAMES: [&str; 11] = [
    "href",
    "src",
    "style",
    "class",
    "id",
    "width",
    "height",
    "type",
    "action",
    "http-equiv",
    "content",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_names_counts() {
        let mut attributes = Attributes::default();
        for (name, value) in [("href", "one"), ("href", "two"), ("onclick", "three"), ("hidden", "")] {
            attributes.name(name.as_bytes());
            attributes.value(value.as_bytes());
        }
        assert_eq!((attributes.get("href"), attributes.get("src")), (Some("one"), None));
        assert!(attributes.visibility().gone);
        attributes.clear();
        assert_eq!((attributes.get("href"), attributes.visibility().gone), (None, false));
    }

    #[test]
    fn quoting_containers_are_known_by_whole_words() {
        for (name, value, expected) in [
            ("class", "a gmail_quote b", true),
            ("class", "not_gmail_quote", false),
            ("id", "gmail_quote", false),
        ] {
            let mut attributes = Attributes::default();
            attributes.name(name.as_bytes());
            attributes.value(value.as_bytes());
            assert_eq!(attributes.quotes(), expected, "{value}");
        }
    }
}
