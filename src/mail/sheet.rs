//! Style sheets within a message, as far as they hide or colour: rules for an element, a class or an id alone.
//!
//! Enters: the text of `<style>` elements. Leaves: what they say of an element by its name, class and id. Rules with
//! other selectors are passed over, and what is hidden only for some screens counts as seen: whoever errs here takes
//! text from nobody. Knows nothing of the page.

use super::style::Visibility;
use foldhash::{HashMap, HashSet};

/// Bytes of style sheets that are looked at.
pub(super) const SHEET_BYTES: usize = 256 << 10;
/// Rules that are kept.
const RULES: usize = 2_000;

/// What a message's style sheets say.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// By selector: `span`, `.note`, `#top`, `span.note`.
    rules: HashMap<Box<str>, Visibility>,
    /// Selectors that some screens show, whatever the rules for all say.
    revealed: HashSet<Box<str>>,
    /// Whether something is painted by a selector that isn't understood.
    pub(super) is_doubtful: bool,
}

impl Sheet {
    /// Takes in the text of a `<style>` element.
    pub(super) fn add(&mut self, css: &str) {
        let css = css.get(..css.floor_char_boundary(SHEET_BYTES)).unwrap_or("");
        let mut rest = Rest(css);
        // Blocks that only some screens heed: how many are open.
        let mut conditional = 0_usize;
        while let Some(prelude) = rest.prelude() {
            match prelude {
                Prelude::End => conditional = conditional.saturating_sub(1),
                Prelude::Block(selectors) if selectors.starts_with('@') => {
                    if selectors.starts_with("@font-face") || selectors.starts_with("@page") {
                        rest.declarations();
                    } else {
                        conditional += 1;
                    }
                }
                Prelude::Block(selectors) => {
                    let seen = Visibility::read(rest.declarations());
                    for selector in selectors.split(',').map(str::trim) {
                        self.rule(selector, seen, conditional > 0);
                    }
                }
            }
        }
    }

    fn rule(&mut self, selector: &str, seen: Visibility, is_conditional: bool) {
        if !is_simple(selector) {
            self.is_doubtful |= seen.paints();
            return;
        }
        let key = selector.to_ascii_lowercase();
        if is_conditional {
            if !seen.hides() {
                self.revealed.insert(key.into());
            }
            self.is_doubtful |= seen.paints();
        } else if (seen.hides() || seen.paints() || seen.undisplayed.is_some()) && self.rules.len() < RULES {
            let before = self.rules.get(key.as_str()).copied().unwrap_or_default();
            self.rules.insert(key.into(), seen.over(before));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What is said of an element: by its name, then its classes, then its id.
    pub(super) fn of(&self, name: &str, class: &str, id: &str) -> Visibility {
        let mut seen = self.look(name, Visibility::default());
        seen = self.look("*", seen);
        let mut key = String::new();
        for class in class.split_ascii_whitespace() {
            for element in ["", name] {
                key.clear();
                key.extend([element, ".", class]);
                key.make_ascii_lowercase();
                seen = self.look(&key, seen);
            }
        }
        if !id.is_empty() {
            key.clear();
            key.extend(["#", id]);
            key.make_ascii_lowercase();
            seen = self.look(&key, seen);
        }
        seen
    }

    fn look(&self, key: &str, before: Visibility) -> Visibility {
        let Some(found) = self.rules.get(key) else {
            return before;
        };
        let found = match self.revealed.contains(key) {
            true => Visibility {
                ink: found.ink,
                paper: found.paper,
                ..Visibility::default()
            },
            false => *found,
        };
        found.over(before)
    }
}

/// An element, a class or an id alone, or an element with a class.
fn is_simple(selector: &str) -> bool {
    let bare = selector.strip_prefix(['.', '#']).unwrap_or(selector);
    let mut marks = bare
        .bytes()
        .filter(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
    let is_star = selector == "*";
    !bare.is_empty()
        && (is_star || marks.next().is_none_or(|mark| mark == b'.' && bare == selector) && marks.next().is_none())
}

/// What is left of a style sheet.
struct Rest<'c>(&'c str);

/// What comes next in it.
enum Prelude<'c> {
    /// What stands before an opening brace.
    Block(&'c str),
    /// A closing brace.
    End,
}

impl<'c> Rest<'c> {
    fn prelude(&mut self) -> Option<Prelude<'c>> {
        loop {
            self.skip_blanks();
            let at = self.0.find(['{', '}', ';'])?;
            let (before, rest) = self.0.split_at_checked(at)?;
            self.0 = rest.get(1..)?;
            match rest.as_bytes().first() {
                Some(b'{') => return Some(Prelude::Block(before.trim())),
                Some(b'}') => return Some(Prelude::End),
                // `@import …;` and the like.
                _ => {}
            }
        }
    }

    /// Up to the closing brace, or the end.
    fn declarations(&mut self) -> &'c str {
        let end = self.0.find('}').unwrap_or(self.0.len());
        let (inside, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
        self.0 = rest.get(1..).unwrap_or("");
        inside
    }

    /// White space, comments, and the marks of comments that old programs put around style sheets.
    fn skip_blanks(&mut self) {
        loop {
            self.0 = self.0.trim_start();
            let comment = self.0.strip_prefix("/*");
            if let Some(rest) = comment {
                self.0 = rest.split_once("*/").map_or("", |(_, after)| after);
            } else if let Some(rest) = self.0.strip_prefix("<!--").or(self.0.strip_prefix("-->")) {
                self.0 = rest;
            } else {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hides(css: &str, name: &str, class: &str, id: &str) -> bool {
        let mut sheet = Sheet::default();
        sheet.add(css);
        sheet.of(name, class, id).hides()
    }

    #[test]
    fn simple_rules_hide() {
        for (css, expected) in [
            (".note{display:none}", true),
            ("<!-- .other, .NOTE { DISPLAY : none !important } -->", true),
            ("/* x */ p{} span.note{font-size:0}", true),
            ("#top{visibility:hidden}", true),
            ("span{display:none}", true),
            ("*{display:none}", true),
            ("@import url(x.css); .note{display:none}", true),
            (".note{display:none} .note{display:block}", false),
            ("div.note{display:none}", false),
            (".notes{display:none}", false),
            ("body .note{display:none}", false),
            (".note:hover{display:none}", false),
            ("@media screen and (max-width:600px){.note{display:none}}", false),
            (
                ".note{display:none} @media (max-width:600px){.note{display:block}}",
                false,
            ),
            ("@media x{.a{color:red}.b{color:red}} .note{display:none}", true),
            (".note{display:none", true),
            ("}}}} .note{display:none}", true),
            ("", false),
        ] {
            assert_eq!(hides(css, "span", "a note b", "top"), expected, "{css}");
        }
    }

    #[test]
    fn colours_of_other_selectors_make_colours_doubtful() {
        for (css, doubtful) in [
            (".a{color:#fff}", false),
            (".a .b{color:#fff}", true),
            (".a .b{margin:0}", false),
            ("@media x{.a{color:#fff}}", true),
        ] {
            let mut sheet = Sheet::default();
            sheet.add(css);
            assert_eq!(sheet.is_doubtful, doubtful, "{css}");
        }
    }

    #[test]
    fn rules_and_bytes_are_limited() {
        for (count, last) in [(RULES - 1, true), (RULES, true), (RULES + 1, false)] {
            let css: String = (0..count).map(|number| format!(".c{number}{{display:none}}")).collect();
            assert_eq!(hides(&css, "p", &format!("c{}", count - 1), ""), last);
        }
        assert!(!hides(
            &format!("{}.a{{display:none}}", " ".repeat(SHEET_BYTES)),
            "p",
            "a",
            ""
        ));
        for unit in ["{", "}", "/*", "@media{", ".a{", ",", "<!--", ".a{x:"] {
            let _ = hides(&unit.repeat(50_000), "p", "a", "");
        }
    }
}
