//! Fenced blocks of a document, each with what the document says of it in a comment above.
//!
//! `<!-- not run: why -->` leaves a block alone, `<!-- file: name -->` has it written to a file, and
//! `<!-- more of file: name -->` adds to one. A first line such as `# house/plots.toml` names the file too.
//! `<!-- in name: old => new -->`, wherever it stands, is what the reader was told to change.

use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// The document.
    pub document: PathBuf,
    /// The line of its first line of text, from 1.
    pub line: usize,
    /// What stands after the opening fence.
    pub language: String,
    /// What stands between the fences.
    pub text: String,
    /// Why it isn't run.
    pub not_run: Option<String>,
    /// The file that it is, and whether it adds to it.
    pub file: Option<(String, bool)>,
}

impl Block {
    /// `document:line`, for reports.
    pub fn place(&self) -> String {
        format!("{}:{}", self.document.display(), self.line)
    }

    /// Whether it holds rules, lists or changes, as opposed to settings.
    pub fn is_rules(&self) -> bool {
        const HEADS: [&str; 8] = [
            "[[rule]]",
            "[[rule.test]]",
            "[lists.",
            "[[define]]",
            "[[override]]",
            "[[list_override]]",
            "[[exception]]",
            "[[verdict_test]]",
        ];
        self.language == "toml"
            && self
                .text
                .lines()
                .any(|line| HEADS.iter().any(|head| line.starts_with(head)))
    }

    /// Whether it shows what the program says.
    pub fn is_transcript(&self) -> bool {
        self.text.lines().any(|line| line.starts_with("$ portreeve"))
    }
}

/// The blocks of a document, in order.
pub fn blocks(document: &Path, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut remark = String::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block {
                    document: document.to_owned(),
                    line: number + 2,
                    language: language.trim().to_owned(),
                    text: String::new(),
                    not_run: said(&remark, "not run: "),
                    file: said(&remark, "file: ")
                        .map(|name| (name, false))
                        .or_else(|| said(&remark, "more of file: ").map(|name| (name, true))),
                });
                remark.clear();
            }
            (Some(_), Some(_)) => {
                let mut block = open.take().unwrap_or_else(|| unreachable!());
                let heading = block.text.lines().next().and_then(named);
                block.file = block.file.or(heading.map(|name| (name, false)));
                found.push(block);
            }
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) if line.starts_with("<!-- in ") => found.extend(edit(document, number, line)),
            (None, None) if line.starts_with("<!--") => line.clone_into(&mut remark),
            (None, None) if !line.trim().is_empty() => remark.clear(),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{} ends within a block", document.display());
    found
}

/// A change of a file, as a block of its own.
fn edit(document: &Path, number: usize, line: &str) -> Option<Block> {
    let change = said(line, "in ")?;
    let (name, change) = change.split_once(": ")?;
    Some(Block {
        document: document.to_owned(),
        line: number + 1,
        language: "edit".to_owned(),
        text: change.to_owned(),
        not_run: None,
        file: Some((name.to_owned(), false)),
    })
}

fn said(remark: &str, what: &str) -> Option<String> {
    let inner = remark.strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    inner.strip_prefix(what).map(str::to_owned)
}

/// `# house/plots.toml`, with or without more after a colon.
fn named(line: &str) -> Option<String> {
    let name = line.strip_prefix("# ")?.split(':').next()?;
    let is_path = !name.contains(' ') && (name.ends_with(".toml") || name.ends_with(".txt"));
    is_path.then(|| name.to_owned())
}
