//! SMTP replies: three digits, an enhanced code (RFC 3463) and plain words.
//!
//! One type for what we say and for what an upstream said. A reply can never hold a line end, so
//! nothing that it quotes can forge another.

use std::fmt;

/// A reply, one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    lines: Vec<String>,
}

/// The first digit of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// 2xx.
    Success,
    /// 3xx.
    Intermediate,
    /// 4xx: the client may try again.
    Transient,
    /// 5xx: it should not.
    Permanent,
}

impl Class {
    /// `2xx` and so on, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Intermediate => "3xx",
            Self::Transient => "4xx",
            Self::Permanent => "5xx",
        }
    }
}

impl Reply {
    /// A reply of our own: `enhanced` such as `5.7.1`, empty where none belongs (greetings, 354).
    pub fn new(code: u16, enhanced: &str, text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        let line = if enhanced.is_empty() {
            clean(text)
        } else {
            format!("{enhanced} {}", clean(text))
        };
        Self {
            code: code.clamp(200, 599),
            lines: vec![line],
        }
    }

    /// A reply in an upstream's words: a code of 200 to 599 and the text of each line.
    pub fn from_lines(code: u16, lines: Vec<String>) -> Option<Self> {
        let lines: Vec<String> = lines.iter().map(|line| clean(line)).collect();
        ((200..600).contains(&code) && !lines.is_empty()).then_some(Self { code, lines })
    }

    /// The three digits.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The text of each line, enhanced code included.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What the first digit says.
    pub const fn class(&self) -> Class {
        match self.code {
            0..300 => Class::Success,
            300..400 => Class::Intermediate,
            400..500 => Class::Transient,
            _ => Class::Permanent,
        }
    }

    /// Whether the first digit is 2.
    pub fn is_success(&self) -> bool {
        self.class() == Class::Success
    }

    /// Whether the session ends with it (RFC 5321 §3.8).
    pub const fn closes(&self) -> bool {
        matches!(self.code, 221 | 421)
    }

    /// Appends the wire form, CRLF at each line's end.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (index, line) in self.lines.iter().enumerate() {
            let divider = if index == last { ' ' } else { '-' };
            out.extend_from_slice(format!("{}{divider}{line}\r\n", self.code).as_bytes());
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.code, self.lines.join(" / "))
    }
}

/// Control characters become `?`: no reply can be more than the line that it is. Cut where RFC 5321
/// §4.5.3.1.5 ends a reply line (512 octets with code and CRLF).
fn clean(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let mut end = line.len().min(500);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_each_line_with_its_divider() {
        let reply = Reply::from_lines(250, vec!["gate".into(), "SIZE 1".into()]).unwrap();
        let mut out = Vec::new();
        reply.write_to(&mut out);
        assert_eq!(out, b"250-gate\r\n250 SIZE 1\r\n");
    }

    #[test]
    fn a_reply_never_holds_a_line_end() {
        let mut out = Vec::new();
        Reply::new(550, "5.7.1", "no\r\n250 yes\0").write_to(&mut out);
        assert_eq!(out, b"550 5.7.1 no??250 yes?\r\n");
    }
}
