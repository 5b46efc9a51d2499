//! What a strict reader would object to in a message, each a stable word.
//!
//! Rules see the words through `message.defects`; an objection never stops the parse. The table
//! below is the whole vocabulary. Knows nothing of what a defect is worth: that is for rules.

/// Something a strict reader would object to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Defect(pub &'static str);

macro_rules! defects {
    ($($name:ident $word:literal $meaning:literal)*) => {
        impl Defect {
            $(#[doc = $meaning] pub const $name: Self = Self($word);)*

            /// Every defect with its meaning, by word.
            pub const ALL: &[(Self, &'static str)] = &[$((Self::$name, $meaning)),*];
        }
    };
}

defects! {
    ALTERNATIVES_DIFFER "alternatives-differ" "Alternatives of one text say different things."
    BARE_CR "bare-cr" "A CR without its LF."
    BARE_LF "bare-lf" "An LF without its CR."
    BLANK_BEFORE_HEADER "blank-before-header" "Empty lines stand before the first header field."
    BLANK_FOLD "blank-fold" "A header field is folded with a line of nothing but spaces."
    BOUNDARY_AMBIGUOUS "boundary-ambiguous" "A multipart has several boundaries, or one written in a way that readers take differently."
    BOUNDARY_ENCODED "boundary-encoded" "A boundary is written as an encoded word or in the extended notation of RFC 2231."
    BOUNDARY_MISSING "boundary-missing" "A multipart names no boundary."
    BOUNDARY_REUSED "boundary-reused" "A multipart uses the boundary of one that it stands in."
    BOUNDARY_UNCLOSED "boundary-unclosed" "A multipart's closing delimiter is missing."
    BOUNDARY_UNUSED "boundary-unused" "A multipart's boundary never occurs."
    BROKEN_BASE64 "broken-base64" "Base64 holds foreign characters, misplaced padding or a torn end."
    BROKEN_ENCODING "broken-encoding" "A transfer encoding has a comment or parameters, or stands on a multipart or message that may have none."
    BROKEN_QUOTED_PRINTABLE "broken-quoted-printable" "Quoted-printable holds an equals sign that starts neither a hex pair nor a soft line break."
    BROKEN_PARAMETER "broken-parameter" "A parameter of Content-Type or Content-Disposition breaks the grammar, so that readers may miss later ones."
    DUPLICATE_CONTENT_TYPE "duplicate-content-type" "A part has several Content-Type fields."
    DUPLICATE_DATE "duplicate-date" "The message has several Date fields."
    DUPLICATE_DISPOSITION "duplicate-disposition" "A part has several Content-Disposition fields."
    DUPLICATE_ENCODING "duplicate-encoding" "A part has several Content-Transfer-Encoding fields."
    DUPLICATE_FROM "duplicate-from" "The message has several From fields."
    DUPLICATE_MESSAGE_ID "duplicate-message-id" "The message has several Message-ID fields."
    DUPLICATE_MIME_VERSION "duplicate-mime-version" "The message has several MIME-Version fields."
    DUPLICATE_PARAMETER "duplicate-parameter" "A parameter of Content-Type or Content-Disposition is given several times."
    DUPLICATE_SENDER "duplicate-sender" "The message has several Sender or Reply-To fields."
    DUPLICATE_SUBJECT "duplicate-subject" "The message has several Subject fields."
    FILENAME_AMBIGUOUS "filename-ambiguous" "Readers would show an attachment under different names."
    FILENAME_DISGUISED "filename-disguised" "An attachment's name holds direction overrides, control characters, or ends in spaces or dots."
    FROM_AMBIGUOUS "from-ambiguous" "Readers would take different authors from the From field."
    FROM_BROKEN "from-broken" "The From field holds no address."
    FROM_SEVERAL "from-several" "The From field holds several mailboxes."
    HEADER_8BIT "header-8bit" "A header field holds 8-bit bytes that aren't UTF-8."
    HEADER_LIMIT "header-limit" "The header has more fields or bytes than are looked at."
    HEADER_LINE_BROKEN "header-line-broken" "A line of the header is no field: it has no colon, or an impossible name."
    HEADER_SPACE_BEFORE_COLON "header-space-before-colon" "A header field has white space before its colon."
    INVALID_DATE "invalid-date" "The Date field can't be read."
    LINKS_LIMIT "links-limit" "There are more links than are looked at."
    MAILBOXES_LIMIT "mailboxes-limit" "A header field has more mailboxes than are looked at."
    MBOX_FROM_LINE "mbox-from-line" "The envelope line of an mbox stands in the header."
    MESSAGE_ENCODED "message-encoded" "A message/rfc822 part is base64 or quoted-printable."
    MESSAGE_EXTERNAL "message-external" "A message/external-body part points elsewhere."
    MESSAGE_PARTIAL "message-partial" "A message/partial part holds a piece of another message."
    MISSING_DATE "missing-date" "The message has no Date field."
    MISSING_FROM "missing-from" "The message has no From field."
    MISSING_MIME_VERSION "missing-mime-version" "The message is MIME without a MIME-Version field."
    MIXED_LINE_ENDS "mixed-line-ends" "Some lines end in CRLF, others in a bare LF."
    MULTIPART_MISSPELT "multipart-misspelt" "A type that is no multipart has a boundary."
    NESTING_LIMIT "nesting-limit" "Parts are nested deeper than is looked at."
    NUL "nul" "A NUL byte."
    PARTS_LIMIT "parts-limit" "There are more parts than are looked at."
    TEXT_LIMIT "text-limit" "The text is longer than is looked at."
    UNKNOWN_CHARSET "unknown-charset" "Displayed text is in a character set that isn't known."
    UNKNOWN_ENCODING "unknown-encoding" "A part has an unknown transfer encoding."
}

/// Defects found so far, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Defects(Vec<Defect>);

impl Defects {
    pub(super) fn add(&mut self, defect: Defect) {
        // The vocabulary is small, so a linear look costs less than a set.
        if !self.0.contains(&defect) {
            self.0.push(defect);
        }
    }

    pub(super) fn add_if(&mut self, found: bool, defect: Defect) {
        if found {
            self.add(defect);
        }
    }

    pub(super) fn extend(&mut self, other: &Self) {
        other.0.iter().for_each(|defect| self.add(*defect));
    }

    pub(super) fn contains(&self, defect: Defect) -> bool {
        self.0.contains(&defect)
    }

    /// By word, so that the order doesn't hang on the order of the parse.
    pub(super) fn sorted(mut self) -> Vec<Defect> {
        self.0.sort_unstable();
        self.0
    }
}

/// What the line ends and bytes of a whole message give away.
pub(super) fn of_lines(raw: &[u8], defects: &mut Defects) {
    let (mut nul, mut bare_cr, mut bare_lf, mut crlf) = (false, false, false, false);
    // Without a branch, so that many bytes are taken at once.
    for [before, byte] in raw.array_windows() {
        let (after_cr, is_lf) = (*before == b'\r', *byte == b'\n');
        nul |= *byte == 0;
        crlf |= after_cr & is_lf;
        bare_cr |= after_cr & !is_lf;
        bare_lf |= is_lf & !after_cr;
    }
    nul |= raw.starts_with(b"\0");
    bare_lf |= raw.starts_with(b"\n");
    bare_cr |= raw.ends_with(b"\r");
    defects.add_if(nul, Defect::NUL);
    defects.add_if(bare_cr, Defect::BARE_CR);
    defects.add_if(bare_lf, Defect::BARE_LF);
    defects.add_if(bare_lf && crlf, Defect::MIXED_LINE_ENDS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_told_wherever_they_stand() {
        for (raw, expected) in [
            (&b""[..], &[][..]),
            (b"\r\n", &[]),
            (b"a\r\nb\r\n", &[]),
            (b"\n", &[Defect::BARE_LF]),
            (b"a\n", &[Defect::BARE_LF]),
            (b"\ra", &[Defect::BARE_CR]),
            (b"a\r", &[Defect::BARE_CR]),
            (b"\r\r\n", &[Defect::BARE_CR]),
            (b"\0", &[Defect::NUL]),
            (b"a\0", &[Defect::NUL]),
            (b"\n\r\n", &[Defect::BARE_LF, Defect::MIXED_LINE_ENDS]),
            (b"a\r\n\n", &[Defect::BARE_LF, Defect::MIXED_LINE_ENDS]),
        ] {
            for filler in [0, 15, 16, 31, 32, 63] {
                let long = [&b"x".repeat(filler), raw, &b"y".repeat(filler)].concat();
                let mut defects = Defects::default();
                of_lines(&long, &mut defects);
                assert_eq!(defects.0, expected, "{raw:?} {filler}");
            }
        }
    }

    #[test]
    fn words_are_unique() {
        let mut words: Vec<_> = Defect::ALL.iter().map(|(defect, _)| defect.0).collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
    }

    #[test]
    fn line_ends_are_told_apart() {
        for (raw, expected) in [
            (&b"a\r\nb\r\n"[..], vec![]),
            (b"a\nb\n", vec![Defect::BARE_LF]),
            (b"a\r\nb\n", vec![Defect::BARE_LF, Defect::MIXED_LINE_ENDS]),
            (b"a\rb", vec![Defect::BARE_CR]),
            (b"a\0", vec![Defect::NUL]),
            (b"\n", vec![Defect::BARE_LF]),
        ] {
            let mut defects = Defects::default();
            of_lines(raw, &mut defects);
            assert_eq!(defects.sorted(), expected, "{raw:?}");
        }
    }
}
