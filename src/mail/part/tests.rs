//! Where parts begin and end, and that finding them stays linear.

use super::*;

/// Parts and the comparisons that finding them took.
fn walk_counted(raw: &[u8]) -> (usize, usize) {
    let mut defects = Defects::default();
    let limits = Limits::default();
    let mut reader = HeaderReader::new(raw, 0);
    let mut content = Content::default();
    while let Some(lines) = reader.next_field(&mut defects, |_| false) {
        content.note(lines);
    }
    let start = reader.position();
    let mut walker = Walker {
        raw,
        limits: &limits,
        defects: &mut defects,
        tree: Tree::default(),
        open: Vec::new(),
        work: 0,
    };
    walker.run(start, content);
    (walker.tree.nodes.len(), walker.work)
}

fn bodies(raw: &str) -> Vec<(String, String)> {
    let mut defects = Defects::default();
    let mut reader = HeaderReader::new(raw.as_bytes(), 0);
    let mut content = Content::default();
    while let Some(lines) = reader.next_field(&mut defects, |_| false) {
        content.note(lines);
    }
    let tree = walk(
        raw.as_bytes(),
        reader.position(),
        content,
        &Limits::default(),
        &mut defects,
    );
    let leaves = tree
        .parts
        .iter()
        .zip(&tree.nodes)
        .filter(|(_, node)| node.kind == Kind::Leaf);
    leaves
        .map(|(part, node)| {
            (
                part.content_type.clone(),
                String::from_utf8_lossy(node.body).into_owned(),
            )
        })
        .collect()
}

fn leaf(content_type: &str, body: &str) -> (String, String) {
    (content_type.to_owned(), body.to_owned())
}

#[test]
fn bodies_end_before_the_line_end_of_their_delimiter() {
    for end in ["\n", "\r\n"] {
        let raw =
            "Content-Type: multipart/mixed; boundary=x\n\npreamble\n--x\n\none\n\n--x \nContent-Type: text/html\n\
                   \ntwo\n--x--\nepilogue\n"
                .replace('\n', end);
        let one = format!("one{end}");
        assert_eq!(bodies(&raw), [leaf("text/plain", &one), leaf("text/html", "two")]);
    }
}

#[test]
fn delimiters_are_told_from_what_resembles_them() {
    let multipart = |lines: &str| bodies(&format!("Content-Type: multipart/mixed; boundary=x\n\n--x\n\n{lines}"));
    for (lines, expected) in [
        ("a\n--xy\nb\n--x--\n", vec![leaf("text/plain", "a\n--xy\nb")]),
        ("a\n --x\nb\n--x--\n", vec![leaf("text/plain", "a\n --x\nb")]),
        ("--x--\n", vec![leaf("text/plain", "")]),
        ("a\n--x", vec![leaf("text/plain", "a"), leaf("text/plain", "")]),
        ("a", vec![leaf("text/plain", "a")]),
    ] {
        assert_eq!(multipart(lines), expected, "{lines:?}");
    }
}

#[test]
fn an_outer_delimiter_ends_the_inner_multipart() {
    let raw = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n\
               --a\n\ntwo\n--a--\n";
    assert_eq!(bodies(raw), [leaf("text/plain", "one"), leaf("text/plain", "two")]);
}

#[test]
fn work_grows_with_the_message_and_not_faster() {
    let deep = |lines: usize| {
        let nested: String = (0..200)
            .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"))
            .collect();
        format!("{nested}\n{}", "--c\n".repeat(lines))
    };
    let wide = |parts: usize| {
        let part = "--x\nContent-Type: multipart/mixed; boundary=never\n\n";
        format!("Content-Type: multipart/mixed; boundary=x\n\n{}", part.repeat(parts))
    };
    for (small, large) in [(deep(5_000), deep(10_000)), (wide(2_000), wide(4_000))] {
        let (once, twice) = (walk_counted(small.as_bytes()).1, walk_counted(large.as_bytes()).1);
        assert!(once > 0 && twice * 10 <= once * 22, "{once} became {twice}");
    }
}

#[test]
fn repeated_content_fields_are_limited() {
    let field = |count: usize| {
        (0..count)
            .map(|number| format!("Content-Type: a/b; name={number}\n"))
            .collect::<String>()
    };
    for (count, kept) in [
        (limits::CONTENT_FIELDS - 1, limits::CONTENT_FIELDS - 1),
        (limits::CONTENT_FIELDS, limits::CONTENT_FIELDS),
        (limits::CONTENT_FIELDS + 1, limits::CONTENT_FIELDS),
    ] {
        let raw = field(count);
        let mut reader = HeaderReader::new(raw.as_bytes(), 0);
        let mut content = Content::default();
        while let Some(lines) = reader.next_field(&mut Defects::default(), |_| false) {
            content.note(lines);
        }
        assert_eq!(content.types.len(), kept);
    }
}
