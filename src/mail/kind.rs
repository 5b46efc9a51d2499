//! What a file is, by its content and nothing else.
//!
//! Enters: the decoded start of an attachment and, for archives, its end. Leaves: a short word. Our
//! own table comes first, since attackers use the formats that general ones don't know; then the
//! `infer` crate. Opens nothing. Knows nothing of names and declared types.

/// Bytes of the start that are looked at.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// Recognises content by its start (at most [`HEAD_BYTES`] are read) and its last bytes; empty when
/// nothing is recognised.
pub(super) fn of(head: &[u8], tail: &[u8]) -> &'static str {
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    let magic = MAGIC
        .iter()
        .find(|(offset, magic, _)| head.get(*offset..).is_some_and(|at| at.starts_with(magic)));
    match magic {
        Some((.., "zip")) => return zip(head, tail),
        Some((.., "cfb")) => return compound(head),
        Some((.., kind)) => return kind,
        None => {}
    }
    // Readers look for the mark of a PDF in the first kilobyte.
    let start = head.get(..1_024).unwrap_or(head);
    if memchr::memmem::find(start, b"%PDF-").is_some() {
        return "pdf";
    }
    let text = textual(head);
    if !text.is_empty() {
        return text;
    }
    infer::get(head).map_or("", |found| found.extension())
}

/// Offset, bytes, kind.
const MAGIC: &[(usize, &[u8], &str)] = &[
    (0, b"MZ", "exe"),
    (0, b"\x7fELF", "elf"),
    (0, b"\xca\xfe\xba\xbe", "class"),
    (0, b"\xcf\xfa\xed\xfe", "macho"),
    (0, b"\xce\xfa\xed\xfe", "macho"),
    (0, b"\x4c\0\0\0\x01\x14\x02\0", "lnk"),
    (
        0,
        b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3",
        "onenote",
    ),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "cfb"),
    (0, b"{\\rt", "rtf"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"PK\x07\x08", "zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "rar"),
    (7, b"**ACE**", "ace"),
    (0, b"MSCF", "cab"),
    (0, b"ISc(", "cab"),
    (0, b"ITSF", "chm"),
    (0, b"\x1f\x8b", "gz"),
    (0, b"BZh", "bz2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zst"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"\x60\xea", "arj"),
    (2, b"-lh", "lzh"),
    (257, b"ustar", "tar"),
    (32_769, b"CD001", "iso"),
    (34_817, b"CD001", "iso"),
    (36_865, b"CD001", "iso"),
    (32_769, b"NSR0", "udf"),
    (0, b"conectix", "vhd"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"KDMV", "vmdk"),
    (0, b"!<arch>", "ar"),
    (0, b"\x78\x9f\x3e\x22", "tnef"),
    (0, b"%!PS", "ps"),
    (0, b"WordPro", "lwp"),
    (0, b"AT&TFORM", "djvu"),
    (0, b"SQLite format 3\0", "sqlite"),
    (0, b"\xef\xbb\xbf%PDF-", "pdf"),
];

/// A ZIP by the names in it: those of local headers at the start, and of the directory at the end,
/// which is the one that programs believe.
fn zip(head: &[u8], tail: &[u8]) -> &'static str {
    let mut has_content_types = false;
    let mut found = "";
    let central = names(tail, b"PK\x01\x02", 46, 28);
    for name in central.chain(names(head, b"PK\x03\x04", 30, 26)).take(2_000) {
        has_content_types |= name == b"[Content_Types].xml";
        let kind = ZIP_NAMES
            .iter()
            .find(|(prefix, _)| name.starts_with(prefix))
            .map(|(_, kind)| *kind);
        match kind {
            Some("docx" | "xlsx" | "pptx" | "visio") | None => {}
            // Macros outrank the rest.
            Some("macro") => return "ooxml-macro",
            Some(kind) => return kind,
        }
        if let Some(kind) = kind
            && found.is_empty()
        {
            found = kind;
        }
        if name.ends_with(b"vbaProject.bin") {
            return "ooxml-macro";
        }
    }
    let opendocument = head
        .get(30..)
        .is_some_and(|at| at.starts_with(b"mimetypeapplication/vnd.oasis.opendocument"));
    match (has_content_types, found) {
        _ if opendocument => "odf",
        (true, "") => "ooxml",
        (true, kind) => kind,
        _ => "zip",
    }
}

const ZIP_NAMES: &[(&[u8], &str)] = &[
    (b"word/vbaProject", "macro"),
    (b"xl/vbaProject", "macro"),
    (b"ppt/vbaProject", "macro"),
    (b"word/", "docx"),
    (b"xl/", "xlsx"),
    (b"ppt/", "pptx"),
    (b"visio/", "visio"),
    (b"AndroidManifest.xml", "apk"),
    (b"META-INF/MANIFEST.MF", "jar"),
    (b"AppxManifest.xml", "appx"),
    (b"META-INF/container.xml", "epub"),
];

/// Names in the headers of a ZIP; lengths are taken only as far as bytes are there.
fn names<'z>(
    bytes: &'z [u8],
    magic: &'static [u8],
    name_at: usize,
    length_at: usize,
) -> impl Iterator<Item = &'z [u8]> {
    memchr::memmem::find_iter(bytes, magic).filter_map(move |start| {
        let header = bytes.get(start..)?;
        let length = header.get(length_at..length_at + 2)?;
        let length = usize::from(*length.first()?) | usize::from(*length.get(1)?) << 8;
        header.get(name_at..name_at + length)
    })
}

/// A compound file by the names of its streams, which stand in UTF-16.
fn compound(head: &[u8]) -> &'static str {
    const STREAMS: &[(&[u8], &str)] = &[
        (b"W\0o\0r\0d\0D\0o\0c\0u\0m\0e\0n\0t\0", "doc"),
        (b"W\0o\0r\0k\0b\0o\0o\0k\0", "xls"),
        (b"P\0o\0w\0e\0r\0P\0o\0i\0n\0t\0 \0D\0o\0c\0", "ppt"),
        (b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0", "ooxml-encrypted"),
        (b"_\0_\0p\0r\0o\0p\0e\0r\0t\0i\0e\0s\0_\0v\0e\0r\0s\0i\0o\0n\0", "msg"),
    ];
    let found = STREAMS
        .iter()
        .find(|(name, _)| memchr::memmem::find(head, name).is_some());
    found.map_or("cfb", |(_, kind)| kind)
}

/// Formats that are text: behind a byte order mark and white space.
fn textual(head: &[u8]) -> &'static str {
    let narrow: Vec<u8>;
    let start = head.get(..1_024).unwrap_or(head);
    let start = match start {
        [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        [0xff, 0xfe, rest @ ..] | [0xfe, 0xff, rest @ ..] => {
            narrow = rest.iter().copied().filter(|byte| *byte != 0).collect();
            &narrow
        }
        _ => start,
    };
    let start = start.trim_ascii_start();
    if start.starts_with(b"#!") {
        return "script";
    }
    let lower = start.to_ascii_lowercase();
    if let Some((_, kind)) = TEXT_STARTS.iter().find(|(prefix, _)| lower.starts_with(prefix)) {
        return kind;
    }
    let has = |needle: &[u8]| memchr::memmem::find(&lower, needle).is_some();
    match () {
        () if lower.starts_with(b"<") && has(b"<svg") => "svg",
        () if lower.starts_with(b"<") && (has(b"<html") || has(b"<script") || has(b"<body") || has(b"<meta")) => "html",
        () if lower.starts_with(b"<?xml") => "xml",
        () if has(b"wscript.") || has(b"createobject(") || has(b"activexobject") => "script",
        _ => "",
    }
}

/// Prefixes in lower case.
const TEXT_STARTS: &[(&[u8], &str)] = &[
    (b"<!doctype html", "html"),
    (b"<html", "html"),
    (b"<head", "html"),
    (b"<body", "html"),
    (b"<script", "html"),
    (b"<svg", "svg"),
    (b"<!doctype svg", "svg"),
    (b"<hta:", "hta"),
    (b"begin:vcalendar", "ics"),
    (b"begin:vcard", "vcf"),
    (b"[internetshortcut]", "url"),
    (b"received: ", "eml"),
    (b"return-path: ", "eml"),
    (b"delivered-to: ", "eml"),
    (b"mime-version: ", "eml"),
    (b"message-id: ", "eml"),
    (b"@echo off", "script"),
    (b"windows registry editor", "reg"),
    (b"-----begin pgp", "pgp"),
    (b"-----begin pkcs7", "p7"),
    (b"-----begin certificate", "certificate"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_content() {
        for (head, expected) in [
            (&b"MZ\x90\0"[..], "exe"),
            (b"\x7fELF\x02", "elf"),
            (b"\x4c\0\0\0\x01\x14\x02\0\0", "lnk"),
            (b"{\\rtf1", "rtf"),
            (b"junk\r\n%PDF-1.7", "pdf"),
            (b"\xef\xbb\xbf \r\n<!DOCTYPE html>", "html"),
            (b"\xff\xfe<\0h\0t\0m\0l\0>\0", "html"),
            (b"<?xml version='1.0'?><svg xmlns='x'>", "svg"),
            (b"BEGIN:VCALENDAR\r\n", "ics"),
            (b"vhdxfile", "vhdx"),
            (b"conectix", "vhd"),
            (b"Rar!\x1a\x07\x01\0", "rar"),
            (b"1234567**ACE**", "ace"),
            (b"Received: from x", "eml"),
            (b"#!/bin/sh\n", "script"),
            (b"var x = new ActiveXObject('WScript.Shell')", "script"),
            (b"\x89PNG\r\n\x1a\n", "png"),
            (b"\xff\xd8\xff\xe0", "jpg"),
            (b"just words", ""),
            (b"", ""),
        ] {
            assert_eq!(of(head, b""), expected, "{head:?}");
        }
        let mut iso = vec![0; 32_769];
        iso.extend_from_slice(b"CD001");
        assert_eq!(of(&iso, b""), "iso");
    }

    /// A local header without content.
    fn local(name: &str) -> Vec<u8> {
        let mut header = b"PK\x03\x04".to_vec();
        header.resize(26, 0);
        header.extend_from_slice(&[name.len() as u8, 0, 0, 0]);
        header.extend_from_slice(name.as_bytes());
        header
    }

    #[test]
    fn archives_are_told_apart_by_their_names() {
        for (names, expected) in [
            (&["a.txt"][..], "zip"),
            (&["[Content_Types].xml", "word/document.xml"], "docx"),
            (&["[Content_Types].xml", "xl/workbook.xml"], "xlsx"),
            (
                &["[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"],
                "ooxml-macro",
            ),
            (&["META-INF/MANIFEST.MF"], "jar"),
            (&["mimetypeapplication/vnd.oasis.opendocument.text"], "odf"),
        ] {
            let bytes: Vec<u8> = names.iter().flat_map(|name| local(name)).collect();
            assert_eq!(of(&bytes, b""), expected, "{names:?}");
        }
        assert_eq!(
            of(b"PK\x03\x04\xff\xff", b"PK\x01\x02"),
            "zip",
            "lengths that lie are harmless"
        );
    }
}
