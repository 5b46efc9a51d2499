//! The mail that is sent: real messages from a folder given by the caller, or made-up ones of
//! similar make, since nobody's real mail may live in this project.

use crate::folder::files_below;
use crate::support::client::stuffed;
use std::fmt::Write;
use std::path::Path;

/// Mean size that a choice of small real mail is brought to, in bytes.
const MEAN_SIZE: usize = 5_000;

/// Messages ready for DATA, and what they are.
pub struct Mails {
    /// In words.
    pub source: String,
    /// Dot-stuffed, with the final dot.
    pub mails: Vec<Vec<u8>>,
}

impl Mails {
    /// Small messages of a folder, chosen so that their mean is near [`MEAN_SIZE`].
    pub fn from_folder(folder: &Path) -> Self {
        let files = files_below(folder);
        // Evenly over the whole folder, so that no single list or year decides.
        let step = (files.len() / 1_500).max(1);
        let (mut mails, mut total) = (Vec::new(), 0);
        for path in files.iter().step_by(step) {
            let Some(mail) = std::fs::read(path).ok().and_then(|bytes| sendable(&bytes)) else {
                continue;
            };
            let small = mail.len() < MEAN_SIZE;
            let mean = if mails.is_empty() {
                MEAN_SIZE
            } else {
                total / mails.len()
            };
            // A larger one is taken while the mean is low, a smaller one while it is high.
            if mail.len() < 4 * MEAN_SIZE && small == (mean >= MEAN_SIZE) {
                total += mail.len();
                mails.push(stuffed(&mail));
            }
        }
        assert!(!mails.is_empty(), "no small message below {}", folder.display());
        Self {
            source: format!("{} real messages", mails.len()),
            mails,
        }
    }

    /// Made-up mail with text, HTML and links, from half to one and a half times [`MEAN_SIZE`].
    pub fn made_up(count: usize) -> Self {
        let mails = (0..count)
            .map(|number| stuffed(&letter(number, MEAN_SIZE / 2 + number * MEAN_SIZE / count)))
            .collect();
        Self {
            source: format!("{count} made-up messages"),
            mails,
        }
    }

    /// Of the bytes sent.
    pub fn mean_size(&self) -> usize {
        self.mails.iter().map(Vec::len).sum::<usize>() / self.mails.len()
    }
}

/// A message of about `size` bytes, nearly all of it a document.
pub fn with_attachment(size: usize) -> Vec<u8> {
    let mut mail = header("Plans for the bus shelter", "multipart/mixed; boundary=\"outer\"");
    mail.push_str("--outer\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
    mail.push_str(&sentences(7, 600));
    mail.push_str("\r\n--outer\r\nContent-Type: application/pdf; name=\"plans.pdf\"\r\n");
    mail.push_str(
        "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"plans.pdf\"\r\n\r\n",
    );
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut dice = Dice(11);
    // "%PDF-1.7" first, so that the content is what the name says.
    mail.push_str("JVBERi0xLjcK");
    while mail.len() < size {
        let line: String = (0..76)
            .map(|_| char::from(alphabet[dice.below(alphabet.len())]))
            .collect();
        let _ = write!(mail, "{line}\r\n");
    }
    mail.push_str("--outer--\r\n");
    stuffed(mail.as_bytes())
}

/// A message of about `size` bytes, all of it text, HTML and links.
pub fn with_text(size: usize) -> Vec<u8> {
    stuffed(&letter(5, size))
}

/// A letter as text and as HTML.
fn letter(number: usize, size: usize) -> Vec<u8> {
    let mut mail = header(
        &format!("Notes of meeting {number}"),
        "multipart/alternative; boundary=\"inner\"",
    );
    let each = size.saturating_sub(mail.len() + 400) / 2;
    let _ = write!(
        mail,
        "--inner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n",
        sentences(number, each)
    );
    mail.push_str(
        "--inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><head><title>Notes</title></head><body>\r\n",
    );
    let start = mail.len();
    let mut dice = Dice(number as u64);
    while mail.len() - start < each {
        let page = dice.below(1_000);
        let _ = write!(
            mail,
            "<p style=\"margin:0 0 1em\">{}</p>\r\n<p><a href=\"https://www.parish.example/notes/{page}?from=mail\">Item {page}</a></p>\r\n",
            sentences(number + page, 300)
        );
    }
    mail.push_str("</body></html>\r\n--inner--\r\n");
    mail.into_bytes()
}

fn header(subject: &str, kind: &str) -> String {
    format!(
        "Received: from office.parish.example ([192.0.2.7]) by mx.parish.example with ESMTPS id 4Z1;\r\n\
         \tTue, 4 Mar 2025 09:30:00 +0000\r\n\
         From: Parish Office <office@parish.example>\r\nTo: Clerk <clerk@council.example>\r\n\
         Subject: {subject}\r\nDate: Tue, 4 Mar 2025 09:30:00 +0000\r\nMessage-ID: <notes.1@parish.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n"
    )
}

/// Prose of about `size` bytes in lines of mail's usual length.
fn sentences(seed: usize, size: usize) -> String {
    const WORDS: [&str; 32] = [
        "the",
        "council",
        "bench",
        "by",
        "river",
        "path",
        "was",
        "mended",
        "on",
        "Monday",
        "and",
        "volunteers",
        "will",
        "paint",
        "railings",
        "next",
        "week",
        "if",
        "weather",
        "allows",
        "please",
        "bring",
        "gloves",
        "a",
        "brush",
        "or",
        "two",
        "tea",
        "follows",
        "in",
        "village",
        "hall",
    ];
    let mut dice = Dice(seed as u64 + 1);
    let (mut text, mut line) = (String::with_capacity(size + 80), 0);
    while text.len() < size {
        let word = WORDS[dice.below(WORDS.len())];
        line += word.len() + 1;
        text.push_str(word);
        text.push_str(if line > 68 { "\r\n" } else { " " });
        line = if line > 68 { 0 } else { line };
    }
    text
}

/// A message with CRLF line ends; none when a bare CR or NUL would have it refused.
fn sendable(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for &byte in bytes {
        if byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        } else if byte != b'\n' && out.last() == Some(&b'\r') || byte == 0 {
            return None;
        }
        out.push(byte);
    }
    (out.last() != Some(&b'\r')).then_some(out)
}

/// A repeatable stream of numbers (Knuth's linear congruence).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }
}
