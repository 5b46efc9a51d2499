//! Mail written for these tests, and the check that it arrived with its bytes.

/// Words in the subject that the test rules act on.
pub const REJECT: &str = "PLEASE-REJECT-ME";
/// See [`REJECT`].
pub const QUARANTINE: &str = "PLEASE-QUARANTINE-ME";
/// See [`REJECT`].
pub const TAG: &str = "PLEASE-TAG-ME";

/// Rules that make the verdict depend on the subject alone.
pub const RULES: &str = r#"
[[rule]]
id       = "TEST_REJECT"
summary  = "The subject asks to be refused"
category = "credential-phishing"
severity = "critical"
score    = 20.0
action   = "reject"
when     = 'subject.contains("PLEASE-REJECT-ME")'

[[rule]]
id       = "TEST_QUARANTINE"
summary  = "The subject asks to be kept"
category = "impersonation"
severity = "high"
score    = 9.0
when     = 'subject.contains("PLEASE-QUARANTINE-ME")'

[[rule]]
id       = "TEST_TAG"
summary  = "The subject asks to be tagged"
category = "spam"
severity = "low"
score    = 6.0
when     = 'subject.contains("PLEASE-TAG-ME")'
"#;

/// A plain message, CRLF throughout.
pub fn plain(subject: &str) -> Vec<u8> {
    format!(
        "From: Allotments Office <allotments@parish.example>\r\n\
         To: Clerk <clerk@council.example>\r\n\
         Subject: {subject}\r\n\
         Date: Tue, 4 Mar 2025 09:30:00 +0000\r\n\
         Message-ID: <{}@parish.example>\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         \r\n\
         The water butts have come. Plots 3 to 9 can collect theirs from\r\n\
         the shed on Saturday morning between nine and eleven.\r\n\
         .\r\n\
         ..and bring a trolley.\r\n",
        fingerprint(subject.as_bytes()).get(..16).unwrap_or_default()
    )
    .into_bytes()
}

/// SHA-256 in hex.
pub fn fingerprint(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `delivered` is `sent` with nothing but documented changes: header fields of ours added
/// on top, fields that only we may write taken out. What differs, when it isn't.
pub fn difference(sent: &[u8], delivered: &[u8]) -> Option<String> {
    let stripped = without_reserved_fields(sent);
    let rest = [sent, &stripped]
        .into_iter()
        .find(|candidate| delivered.ends_with(candidate));
    let Some(rest) = rest else {
        let common = delivered
            .iter()
            .rev()
            .zip(stripped.iter().rev())
            .take_while(|(a, b)| a == b)
            .count();
        return Some(format!(
            "{} bytes sent, {} delivered, the last {common} the same",
            sent.len(),
            delivered.len()
        ));
    };
    let (added, _) = delivered.split_at(delivered.len() - rest.len());
    let foreign = fields(added).into_iter().find(|field| !is_added_by_us(field));
    foreign.map(|field| format!("a field that isn't ours was added: {}", String::from_utf8_lossy(field)))
}

/// The fields that the gate adds.
fn is_added_by_us(field: &[u8]) -> bool {
    let name = field
        .split(|&byte| byte == b':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    matches!(
        name.as_slice(),
        b"received" | b"return-path" | b"authentication-results"
    ) || is_reserved(&name)
        || name.starts_with(b"x-envelope-")
}

/// The fields that nobody else may write.
fn is_reserved(name: &[u8]) -> bool {
    let name = name.trim_ascii().to_ascii_lowercase();
    name.starts_with(b"x-portreeve-") || matches!(name.as_slice(), b"x-spam-flag" | b"x-spam-status" | b"x-spam-level")
}

fn without_reserved_fields(message: &[u8]) -> Vec<u8> {
    let end = header_end(message);
    let (header, rest) = message.split_at(end);
    let mut kept: Vec<u8> = Vec::with_capacity(message.len());
    for field in fields(header) {
        let name = field.split(|&byte| byte == b':').next().unwrap_or_default();
        if !field.contains(&b':') || !is_reserved(name) {
            kept.extend_from_slice(field);
        }
    }
    kept.extend_from_slice(rest);
    kept
}

/// Where the empty line starts that ends the header; the whole length without one.
fn header_end(message: &[u8]) -> usize {
    let mut end = 0;
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if line == b"\r\n" {
            return end;
        }
        end += line.len();
    }
    end
}

/// Header fields, each with its folded lines and line ends.
pub fn fields(header: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in header.split_inclusive(|&byte| byte == b'\n') {
        if !line.starts_with(b" ") && !line.starts_with(b"\t") && end > start {
            found.extend(header.get(start..end));
            start = end;
        }
        end += line.len();
    }
    if end > start {
        found.extend(header.get(start..end));
    }
    found
}

/// The value of the first header field of this name, unfolded.
pub fn field(message: &[u8], name: &str) -> Option<String> {
    let (header, _) = message.split_at(header_end(message));
    fields(header).into_iter().find_map(|field| {
        let text = String::from_utf8_lossy(field).into_owned();
        let (found, value) = text.split_once(':')?;
        found
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.replace("\r\n", "").trim().to_owned())
    })
}
