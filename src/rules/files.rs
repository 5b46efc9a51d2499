//! Rule files, read: what each says, what is wrong with it, and where its lines begin.
//!
//! Roots go in, with what an earlier set holds of them; out come their files in order, those that are
//! unchanged as they were. Knows nothing of what files say to each other.

use super::assemble::RULES_MAX;
use super::diagnostic::Diagnostic;
use super::link::Written;
use super::pack::{self, Condition, RuleFile};
use super::read_ahead::side_by_side;
use super::source::{Root, Source};
use super::stock::Stock;
use std::collections::HashMap;
use std::sync::Arc;

/// One rule file, read.
#[derive(Debug)]
pub(super) struct File {
    /// Its root's place among the set's.
    pub root: usize,
    /// Whether it belongs to a pack.
    pub is_packed: bool,
    /// Its text.
    pub source: Arc<Source>,
    /// What it says.
    pub content: RuleFile,
    /// What is to be said of it alone.
    pub problems: Vec<Diagnostic>,
    /// Where each line begins, so that a place is found without reading the file again.
    lines: Vec<usize>,
}

/// A text that may have been read before.
struct Unread<'s> {
    root: usize,
    is_packed: bool,
    source: &'s Arc<Source>,
}

impl File {
    /// Of a text that nobody has to read.
    pub(super) fn stated(root: usize, source: Arc<Source>, content: RuleFile) -> Self {
        Self {
            root,
            is_packed: false,
            source,
            content,
            problems: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn read(root: usize, is_packed: bool, source: &Arc<Source>) -> Self {
        let (content, problems) = pack::read(source);
        Self {
            root,
            is_packed,
            source: Arc::clone(source),
            content,
            problems,
            lines: memchr::memchr_iter(b'\n', source.text.as_bytes()).collect(),
        }
    }

    pub(super) fn written<'f>(&'f self, condition: &'f Condition) -> Written<'f> {
        Written {
            condition,
            source: &self.source,
            is_packed: self.is_packed,
        }
    }

    /// The line that a byte stands on, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|end| *end < offset) + 1
    }
}

/// Every rule file of the roots, in their order.
pub(super) fn read(roots: &mut [Root], before: &Stock, diagnostics: &mut Vec<Diagnostic>) -> Vec<Arc<File>> {
    let named = before.files.iter().map(|file| (file.source.name.as_str(), file));
    let known: HashMap<&str, &Arc<File>> = named.collect();
    let numbered = roots.iter().enumerate();
    let texts: Vec<Unread<'_>> = numbered
        .flat_map(|(root, sources)| {
            let is_packed = sources.manifest.is_some();
            let unread = move |source| Unread {
                root,
                is_packed,
                source,
            };
            sources.files.iter().map(unread)
        })
        .collect();
    let files = side_by_side(&texts, 1, |text| {
        let earlier = known.get(text.source.name.as_str()).filter(|file| {
            let is_same = Arc::ptr_eq(&file.source, text.source) || file.source == *text.source;
            is_same && (file.root, file.is_packed) == (text.root, text.is_packed)
        });
        match earlier {
            Some(file) => Arc::clone(file),
            None => Arc::new(File::read(text.root, text.is_packed, text.source)),
        }
    });
    // Of a text that is read again unchanged one copy is enough.
    let sources = roots.iter_mut().flat_map(|root| &mut root.files);
    for (source, file) in sources.zip(&files) {
        *source = Arc::clone(&file.source);
        diagnostics.extend_from_slice(&file.problems);
    }
    let rules: usize = files.iter().map(|file| file.content.rules.len()).sum();
    if rules > RULES_MAX
        && let Some(file) = files.last()
    {
        let message = format!("{rules} rules, more than {RULES_MAX}");
        diagnostics.push(Diagnostic::error("too-many-rules", &file.source, 0..0, message));
    }
    files
}
