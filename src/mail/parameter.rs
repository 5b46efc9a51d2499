//! Content-Type and Content-Disposition: a value and its parameters (RFC 2045 §5.1, RFC 2231).
//!
//! Enters: a field's body. Leaves: the value, and for each parameter every reading that some mail
//! program has, the commonest first: extended notation, then continuations, then plain, then its
//! encoded words decoded. Knows nothing of what a parameter means.

use super::defects::{Defect, Defects};
use super::{charset, encoded_word, limits, transfer};
use std::borrow::Cow;

/// A field taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    /// `type/subtype` or `attachment`, lower case, without white space.
    pub(super) value: String,
    list: Vec<(String, String)>,
}

impl Parameters {
    /// Reads a field's body, folds and all.
    pub(super) fn read(raw: &[u8], defects: &mut Defects) -> Self {
        let text = encoded_word::unfold(raw);
        let mut reader = Reader {
            rest: &text,
            broken: false,
        };
        let first = reader.until(&[';']);
        let mut value = plain_value(&first);
        let mut list: Vec<(String, String)> = Vec::new();
        if !value.contains('/')
            && let Some((name, parameter)) = first.split_once('=')
        {
            // The value is missing, so that the first parameter stands in its place.
            value.clear();
            reader.broken = true;
            list.push((
                name.trim().to_ascii_lowercase(),
                parameter.trim().trim_matches('"').to_owned(),
            ));
        }
        while !reader.rest.is_empty() && list.len() < limits::PARAMETERS {
            let name = reader.until(&['=', ';']).trim().to_ascii_lowercase();
            if !reader.ended_at('=') {
                reader.broken |= !name.is_empty();
                continue;
            }
            reader.broken |= name.is_empty() || name.contains([' ', ':', '/', '"']);
            let value = reader.value();
            defects.add_if(
                list.iter().any(|(known, _)| *known == name),
                Defect::DUPLICATE_PARAMETER,
            );
            list.push((name, value));
        }
        defects.add_if(reader.broken, Defect::BROKEN_PARAMETER);
        Self { value, list }
    }

    /// Whether any notation of the parameter is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.list.iter().any(|(known, _)| base_name(known) == name)
    }

    /// The commonest reading; empty without one.
    pub(super) fn get(&self, name: &str) -> Cow<'_, str> {
        let plain = self.list.iter().find(|(known, _)| known == name);
        match plain {
            Some((_, value)) if !value.contains("=?") && !self.is_extended(name) => Cow::Borrowed(value),
            _ => self
                .readings(name)
                .into_iter()
                .next()
                .map_or(Cow::Borrowed(""), Cow::Owned),
        }
    }

    /// Whether RFC 2231's notation is used for it.
    pub(super) fn is_extended(&self, name: &str) -> bool {
        self.list
            .iter()
            .any(|(known, _)| known != name && base_name(known) == name)
    }

    /// Every reading, the commonest first, none twice.
    pub(super) fn readings(&self, name: &str) -> Vec<String> {
        let mut readings: Vec<String> = Vec::new();
        let mut add = |reading: String| {
            if !reading.is_empty() && !readings.contains(&reading) {
                readings.push(reading);
            }
        };
        for (known, value) in &self.list {
            if known.strip_suffix('*') == Some(name) {
                add(decode_extended(value));
            }
        }
        add(self.continued(name));
        for (_, value) in self.list.iter().filter(|(known, _)| known == name) {
            // Encoded words in parameters are against RFC 2047 §5 and shown decoded by nearly everyone.
            add(encoded_word::decode_words(value).into_owned());
            add(value.clone());
        }
        readings
    }

    /// `name*0`, `name*1*`, … joined in the order of their numbers.
    fn continued(&self, name: &str) -> String {
        let mut sections: Vec<(u32, bool, &str)> = Vec::new();
        for (known, value) in &self.list {
            let Some(number) = known.strip_prefix(name).and_then(|rest| rest.strip_prefix('*')) else {
                continue;
            };
            let (digits, extended) = match number.strip_suffix('*') {
                Some(digits) => (digits, true),
                None => (number, false),
            };
            if let Ok(number) = digits.parse::<u32>()
                && !sections.iter().any(|(other, ..)| *other == number)
            {
                sections.push((number, extended, value));
            }
        }
        sections.sort_unstable_by_key(|(number, ..)| *number);
        let any_extended = sections.iter().any(|(_, extended, _)| *extended);
        let joined: String = sections.iter().map(|(.., value)| *value).collect();
        if any_extended { decode_extended(&joined) } else { joined }
    }
}

/// Lower case, without white space, and without the quotes and encoded words that some readers undo.
fn plain_value(written: &str) -> String {
    let decoded = encoded_word::decode_words(written);
    let plain = decoded.chars().filter(|c| !c.is_whitespace() && *c != '"');
    plain.collect::<String>().to_ascii_lowercase()
}

fn base_name(name: &str) -> &str {
    name.split('*').next().unwrap_or(name)
}

/// `charset'language'percent-encoded` (RFC 2231 §4); without the two apostrophes, percent-encoded UTF-8.
fn decode_extended(value: &str) -> String {
    let mut pieces = value.splitn(3, '\'');
    let (label, text) = match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(label), Some(_), Some(text)) => (label, text),
        _ => ("", value),
    };
    let bytes = transfer::percent(text.as_bytes());
    charset::decode(label, Cow::Owned(bytes)).0.into_owned()
}

/// Walks the text of a field; comments are stepped over outside quotes.
struct Reader<'t> {
    rest: &'t str,
    broken: bool,
}

impl Reader<'_> {
    /// What stands before the next of `ends`, which isn't consumed but for a `;`.
    fn until(&mut self, ends: &[char]) -> String {
        let mut found = String::new();
        while let Some(c) = self.rest.chars().next() {
            if ends.contains(&c) {
                if c == ';' {
                    self.step(c);
                }
                break;
            }
            self.step(c);
            if c == '(' {
                self.comment();
            } else {
                found.push(c);
            }
        }
        found
    }

    fn ended_at(&mut self, wanted: char) -> bool {
        let found = self.rest.starts_with(wanted);
        if found {
            self.step(wanted);
        }
        found
    }

    /// A token or quoted string, up to and with the next `;`.
    fn value(&mut self) -> String {
        self.rest = self.rest.trim_start();
        while self.rest.starts_with('(') {
            self.step('(');
            self.comment();
            self.rest = self.rest.trim_start();
        }
        if !self.ended_at('"') {
            return self.until(&[';']).trim().to_owned();
        }
        let mut value = String::new();
        let (mut escaped, mut closed) = (false, false);
        while let Some(c) = self.rest.chars().next() {
            self.step(c);
            match c {
                '\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                '"' if !escaped => {
                    closed = true;
                    break;
                }
                _ => value.push(c),
            }
            escaped = false;
        }
        self.broken |= !closed;
        let behind = self.until(&[';']);
        self.broken |= !behind.trim().is_empty();
        value
    }

    /// Behind an opening parenthesis: steps over the comment and those inside it.
    fn comment(&mut self) {
        let (mut depth, mut escaped) = (1_u32, false);
        while let Some(c) = self.rest.chars().next() {
            self.step(c);
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
        self.broken = true;
    }

    fn step(&mut self, c: char) {
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> (Parameters, Vec<&'static str>) {
        let mut defects = Defects::default();
        let parameters = Parameters::read(raw.as_bytes(), &mut defects);
        (
            parameters,
            defects.sorted().into_iter().map(|defect| defect.0).collect(),
        )
    }

    #[test]
    fn reads_values_and_parameters() {
        for (raw, value, name, expected) in [
            ("Text/Plain; charset=UTF-8", "text/plain", "charset", "UTF-8"),
            ("text/html;\r\n\tcharset=\"a b\"", "text/html", "charset", "a b"),
            (
                "multipart/mixed; boundary=\"a\\\"b\"",
                "multipart/mixed",
                "boundary",
                "a\"b",
            ),
            ("multipart/mixed; boundary=(c)x(d)", "multipart/mixed", "boundary", "x"),
            (
                "attachment; filename=two words.pdf",
                "attachment",
                "filename",
                "two words.pdf",
            ),
            (
                "attachment; filename*=utf-8''a%C3%A9.pdf",
                "attachment",
                "filename",
                "a\u{e9}.pdf",
            ),
            (
                "attachment; filename*0=\"a.\"; filename*1=exe",
                "attachment",
                "filename",
                "a.exe",
            ),
            (
                "attachment; filename*1=exe; filename*0*=utf-8''a%2E",
                "attachment",
                "filename",
                "a.exe",
            ),
            (
                "attachment; filename=\"=?utf-8?q?a=2Eexe?=\"",
                "attachment",
                "filename",
                "a.exe",
            ),
            ("\"multipart/mixed\"; boundary=x", "multipart/mixed", "boundary", "x"),
            (
                "=?utf-8?q?multipart?=/mixed; boundary=x",
                "multipart/mixed",
                "boundary",
                "x",
            ),
            ("attachment", "attachment", "filename", ""),
            ("", "", "filename", ""),
        ] {
            let (parameters, defects) = read(raw);
            assert_eq!(
                (parameters.value.as_str(), parameters.get(name).as_ref()),
                (value, expected),
                "{raw}"
            );
            assert!(defects.is_empty(), "{raw}: {defects:?}");
        }
    }

    #[test]
    fn every_reading_is_kept() {
        let (parameters, defects) = read("attachment; filename=a.txt; filename=b.exe; filename*=utf-8''c.pdf");
        assert_eq!(parameters.readings("filename"), ["c.pdf", "a.txt", "b.exe"]);
        assert_eq!(defects, ["duplicate-parameter"]);
    }

    #[test]
    fn broken_grammar_hides_no_later_parameter() {
        for raw in [
            "multipart/mixed; x:y=1; boundary=b",
            "multipart/mixed; junk; boundary=b",
            "multipart/mixed; =; boundary=b",
        ] {
            let (parameters, defects) = read(raw);
            assert_eq!(
                (parameters.get("boundary").as_ref(), defects),
                ("b", vec!["broken-parameter"]),
                "{raw}"
            );
        }
    }

    #[test]
    fn parameters_are_limited() {
        for (count, kept) in [
            (limits::PARAMETERS - 1, limits::PARAMETERS - 1),
            (limits::PARAMETERS, limits::PARAMETERS),
            (limits::PARAMETERS + 1, limits::PARAMETERS),
        ] {
            let raw: String = (0..count).map(|n| format!(";p{n}=1")).collect();
            assert_eq!(read(&format!("a/b{raw}")).0.list.len(), kept);
        }
    }
}
