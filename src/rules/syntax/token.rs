//! The lexer: an expression's text in, tokens with their places out, ending with [`Token::End`].
//!
//! Strings are raw, `/` always opens a regex (the language has no division), and habits from other
//! languages are understood with a warning or refused with the right spelling. Knows no grammar.

use super::Problem;
use super::{characters, habits};
use crate::units::{parse_size, parse_span};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::ops::Range;

/// A word or sign of the language.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Int(i64),
    Float(f64),
    Size(i64),
    Duration(i64),
    Date(Timestamp),
    Text(String),
    Regex { pattern: String, flags: String },
    Name(String),
    List(String),
    Rule(String),
    RulesStarting(String),
    RulesTagged(String),
    True,
    False,
    And,
    Or,
    Not,
    In,
    Sign(&'static str),
    End,
}

/// Longest first, so that `<=` isn't read as `<`.
const SIGNS: [&str; 20] = [
    "==", "!=", "<=", ">=", "??", "=~", "!~", "<", ">", "+", "-", "*", "(", ")", "[", "]", ",", ".", "=", "~",
];

/// Signs of other languages that can only mean one of ours.
const FOREIGN_SIGNS: [(&str, Token, &str); 5] = [
    ("&&", Token::And, "and"),
    ("||", Token::Or, "or"),
    ("===", Token::Sign("=="), "=="),
    ("!==", Token::Sign("!="), "!="),
    ("<>", Token::Sign("!="), "!="),
];

/// Reads the whole text; stops at the first error, which is then the last problem.
pub(super) fn tokens(text: &str, problems: &mut Vec<Problem>) -> Option<Vec<(Token, Range<usize>)>> {
    let mut lexer = Lexer { text, at: 0, problems };
    let mut found = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        match lexer.next() {
            Ok(token) => {
                let is_end = token == Token::End;
                found.push((token, start..lexer.at));
                if is_end {
                    return Some(found);
                }
            }
            Err(problem) => {
                lexer.problems.push(problem);
                return None;
            }
        }
    }
}

struct Lexer<'t, 'p> {
    text: &'t str,
    at: usize,
    problems: &'p mut Vec<Problem>,
}

impl<'t> Lexer<'t, '_> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Consumes while `wanted` holds and says what that was.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or("")
    }

    fn skip_blank(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if self.peek() != Some('#') {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn next(&mut self) -> Result<Token, Problem> {
        let Some(first) = self.peek() else {
            return Ok(Token::End);
        };
        match first {
            '\'' | '"' => self.string(first),
            '/' => self.regex(),
            '0'..='9' => self.number(),
            '$' => self.list(),
            '@' => self.rule(),
            'a'..='z' | 'A'..='Z' | '_' => Ok(self.word()),
            _ => self.sign(first),
        }
    }

    fn word(&mut self) -> Token {
        let start = self.at;
        let word = self.take_while(is_name);
        let (token, right) = match word {
            "and" | "AND" | "And" => (Token::And, "and"),
            "or" | "OR" | "Or" => (Token::Or, "or"),
            "not" | "NOT" | "Not" => (Token::Not, "not"),
            "in" | "IN" | "In" => (Token::In, "in"),
            "true" | "TRUE" | "True" => (Token::True, "true"),
            "false" | "FALSE" | "False" => (Token::False, "false"),
            _ => return Token::Name(word.to_owned()),
        };
        if word != right {
            self.habit(start, word, right);
        }
        token
    }

    fn habit(&mut self, start: usize, written: &str, right: &str) {
        self.problems.push(
            Problem::warning(
                "foreign-operator",
                start..self.at,
                format!("`{written}` is written `{right}` here"),
            )
            .help(format!("write `{right}`")),
        );
    }

    fn sign(&mut self, first: char) -> Result<Token, Problem> {
        let start = self.at;
        let rest = self.rest();
        if rest.starts_with("-- ") {
            return Err(foreign_comment(start));
        }
        for (written, token, right) in FOREIGN_SIGNS {
            if rest.starts_with(written) {
                self.at += written.len();
                self.habit(start, written, right);
                return Ok(token);
            }
        }
        if rest.starts_with('!') && !rest.starts_with("!=") && !rest.starts_with("!~") {
            self.at += 1;
            self.habit(start, "!", "not");
            return Ok(Token::Not);
        }
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            self.at += sign.len();
            return Ok(Token::Sign(sign));
        }
        let span = start..start + first.len_utf8();
        if matches!(first, '‘' | '’' | '“' | '”' | '„' | '«' | '»') {
            let problem = Problem::error("smart-quote", span, format!("`{first}` is a typographic quote"));
            return Err(problem.help("strings stand between straight quotes: 'text' or \"text\""));
        }
        let shown = match first.is_control() {
            true => format!("{first:?}"),
            false => format!("`{first}`"),
        };
        let message = format!("{shown} has no meaning outside strings");
        let problem = Problem::error("unexpected-character", span, message);
        let (before, after) = self.text.split_at_checked(start).unwrap_or_default();
        Err(match characters::help(first, before, after) {
            Some(help) => problem.help(help),
            None => problem,
        })
    }

    fn string(&mut self, quote: char) -> Result<Token, Problem> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            value.push_str(self.take_while(|c| c != quote && c != '\n'));
            if self.peek() != Some(quote) {
                return Err(Problem::error(
                    "unclosed-string",
                    start..self.at,
                    "this string isn't closed on its line",
                )
                .help(format!("end it with {quote}; a doubled {quote}{quote} is one {quote}")));
            }
            self.at += 1;
            if value.ends_with('\\') && self.peek().is_some_and(char::is_alphanumeric) {
                let span = self.at - 2..self.at;
                let message = "strings are raw: the quote after `\\` ends this one";
                return Err(Problem::error("escaped-quote", span, message).help(format!(
                    "a quote within is doubled, {quote}{quote}, or the string stands in the other quotes"
                )));
            }
            if self.peek() != Some(quote) {
                return Ok(Token::Text(value));
            }
            self.at += 1;
            value.push(quote);
        }
    }

    fn regex(&mut self) -> Result<Token, Problem> {
        let start = self.at;
        self.at += 1;
        let body = self.rest();
        if body.starts_with(['/', '*']) {
            return Err(foreign_comment(start));
        }
        let mut escaped = false;
        let close = body.find(|c| {
            let closes = c == '/' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        let first_line = body.find('\n').unwrap_or(body.len());
        let Some(close) = close else {
            let span = start..start + 1 + first_line;
            let follows_number = self
                .text
                .get(..start)
                .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
            return Err(
                Problem::error("unclosed-regex", span, "this regex isn't closed").help(match follows_number {
                    true => "an address stands in quotes, networks in a list of kind cidr; there is no division",
                    false => "end it with `/`; a slash within is written `\\/`, and there is no division",
                }),
            );
        };
        self.at += close + 1;
        let pattern = body.get(..close).unwrap_or("").to_owned();
        let flags = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
        if first_line < close && !flags.contains('x') {
            let span = start..start + 1 + first_line;
            return Err(
                Problem::error("unclosed-regex", span, "this regex isn't closed on its line")
                    .help("end it with `/`; only with the flag `x` may a regex span lines"),
            );
        }
        self.check_flags(&flags, start)?;
        Ok(Token::Regex { pattern, flags })
    }

    fn check_flags(&self, flags: &str, start: usize) -> Result<(), Problem> {
        let flags_start = self.at - flags.len();
        let slash = || format!("a slash within a regex is written `\\/`; the flags are {FLAGS}");
        if let Some(bad) = flags.chars().find(|flag| !REGEX_FLAGS.contains(*flag)) {
            let span = flags_start..self.at;
            return Err(
                Problem::error("bad-regex-flag", span, format!("`{bad}` isn't a flag of regexes")).help(slash()),
            );
        }
        let repeated = flags
            .char_indices()
            .any(|(at, flag)| flags.get(..at).is_some_and(|before| before.contains(flag)));
        if repeated {
            return Err(Problem::error(
                "bad-regex-flag",
                flags_start..self.at,
                "a flag stands twice",
            ));
        }
        if self.peek() == Some('/') {
            return Err(Problem::error(
                "unescaped-slash",
                start..self.at + 1,
                "the regex ends at its first unescaped slash",
            )
            .help(slash()));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Token, Problem> {
        let start = self.at;
        let digits = self.take_while(|c| c.is_ascii_digit());
        if let Some(token) = self.date(start, digits)? {
            return Ok(token);
        }
        let rest = self.rest();
        let mut after = rest.chars();
        if after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        let number_end = self.at;
        self.take_while(is_name);
        let written = self.text.get(start..self.at).unwrap_or("");
        let span = start..self.at;
        let unit = self.text.get(number_end..self.at).unwrap_or("");
        let number = self.text.get(start..number_end).unwrap_or("");
        if unit.is_empty() {
            let token = match number.contains('.') {
                true => number.parse().ok().map(Token::Float),
                false => number.parse().ok().map(Token::Int),
            };
            return token.ok_or_else(|| Problem::error("bad-number", span, "this number is too large"));
        }
        if let Some(size) = parse_size(written).and_then(|size| i64::try_from(size.0).ok()) {
            return Ok(Token::Size(size));
        }
        if let Some(span) = parse_span(written).and_then(|span| i64::try_from(span.0.as_millis()).ok()) {
            return Ok(Token::Duration(span));
        }
        let problem = Problem::error(
            "bad-number",
            span,
            format!("`{written}` is no number, size or duration"),
        );
        Err(match habits::unit(unit) {
            Some(unit) => problem.help(format!("write {number}{unit}")),
            None if unit.starts_with(['x', 'X']) => problem.help("numbers are decimal"),
            None => problem.help("sizes are whole numbers with B KB MB GB KiB MiB GiB, durations with ms s m h d w"),
        })
    }

    /// A date is one token: `2027-01-31`.
    fn date(&mut self, start: usize, digits: &str) -> Result<Option<Token>, Problem> {
        let shape: Vec<usize> = self
            .rest()
            .split(|c: char| !c.is_ascii_digit())
            .take(3)
            .map(str::len)
            .collect();
        let [0, month @ 1..=2, day @ 1..=2] = shape.as_slice() else {
            return Ok(None);
        };
        let after_month = self.rest().get(1 + month..2 + month);
        if digits.len() != 4 || !self.rest().starts_with('-') || after_month != Some("-") {
            return Ok(None);
        }
        self.at += 2 + month + day;
        let span = start..self.at;
        let written = self.text.get(span.clone()).unwrap_or("");
        let midnight = written
            .parse::<Date>()
            .ok()
            .and_then(|date| date.to_zoned(TimeZone::UTC).ok());
        match midnight {
            Some(midnight) if !self.peek().is_some_and(is_name) => Ok(Some(Token::Date(midnight.timestamp()))),
            _ => Err(Problem::error("bad-date", span, format!("`{written}` is no date"))
                .help("a date is written 2027-01-31, its midnight in UTC")),
        }
    }

    fn list(&mut self) -> Result<Token, Problem> {
        let start = self.at;
        self.at += 1;
        let name = self.take_while(is_name).to_owned();
        match name.is_empty() {
            true => Err(Problem::error(
                "bad-name",
                start..self.at,
                "a list's name follows `$` at once",
            )),
            false => Ok(Token::List(name)),
        }
    }

    fn rule(&mut self) -> Result<Token, Problem> {
        let start = self.at;
        self.at += 1;
        if self.rest().starts_with("tag:") {
            self.at += "tag:".len();
            let tag = self.take_while(|c| is_name(c) || c == '-').to_owned();
            return match tag.is_empty() {
                true => Err(Problem::error(
                    "bad-name",
                    start..self.at,
                    "a tag follows `@tag:` at once",
                )),
                false => Ok(Token::RulesTagged(tag)),
            };
        }
        let name = self.take_while(is_name).to_owned();
        if name.is_empty() {
            return Err(Problem::error(
                "bad-name",
                start..self.at,
                "the name of a rule or define follows `@` at once",
            ));
        }
        if self.peek() == Some('*') {
            self.at += 1;
            return Ok(Token::RulesStarting(name));
        }
        Ok(Token::Rule(name))
    }
}

/// What regexes may carry after the closing slash.
const REGEX_FLAGS: &str = "imsxu";
const FLAGS: &str = "i m s x u";

fn foreign_comment(start: usize) -> Problem {
    Problem::error("foreign-comment", start..start + 2, "comments aren't written so here")
        .help("a comment begins with `#` and ends with its line")
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(text: &str) -> Vec<Token> {
        let mut problems = Vec::new();
        let mut found = tokens(text, &mut problems).unwrap_or_else(|| panic!("{text}: {problems:?}"));
        assert_eq!(found.pop().map(|(token, _)| token), Some(Token::End));
        found.into_iter().map(|(token, _)| token).collect()
    }

    #[test]
    fn literals_are_read() {
        let text = |value: &str| Token::Text(value.to_owned());
        for (written, token) in [
            ("'it''s'", text("it's")),
            ("\"a \"\"b\"\" 'c'\"", text("a \"b\" 'c'")),
            (r"'\bfoo\n'", text(r"\bfoo\n")),
            ("''", text("")),
            ("''''", text("'")),
            ("42", Token::Int(42)),
            ("9223372036854775807", Token::Int(i64::MAX)),
            ("4.25", Token::Float(4.25)),
            ("5MB", Token::Size(5_000_000)),
            ("5MiB", Token::Size(5 << 20)),
            ("30s", Token::Duration(30_000)),
            ("15m", Token::Duration(900_000)),
            ("1h30m", Token::Duration(5_400_000)),
            ("2d", Token::Duration(172_800_000)),
            ("2027-01-31", Token::Date("2027-01-31T00:00:00Z".parse().unwrap())),
            ("$org_domains", Token::List("org_domains".into())),
            ("@from_freemail", Token::Rule("from_freemail".into())),
            ("@LURE_*", Token::RulesStarting("LURE_".into())),
            ("@tag:bec-lure", Token::RulesTagged("bec-lure".into())),
        ] {
            assert_eq!(lex(written), [token], "{written}");
        }
    }

    #[test]
    fn regexes_end_at_the_first_unescaped_slash() {
        for (written, pattern, flags) in [
            (r"/a\/b/i", r"a\/b", "i"),
            (r"/a\\/", r"a\\", ""),
            ("/a\nb # c/x", "a\nb # c", "x"),
            ("/é+/imsu", "é+", "imsu"),
        ] {
            let token = Token::Regex {
                pattern: pattern.into(),
                flags: flags.into(),
            };
            assert_eq!(lex(written), [token], "{written}");
        }
    }

    #[test]
    fn comments_and_blanks_are_skipped_and_subtraction_is_no_date() {
        assert_eq!(lex(" # all\n\t\u{a0}and # rest"), [Token::And]);
        assert_eq!(
            lex("2027 - 1 - 3"),
            [
                Token::Int(2027),
                Token::Sign("-"),
                Token::Int(1),
                Token::Sign("-"),
                Token::Int(3)
            ]
        );
    }

    #[test]
    fn habits_are_understood_with_a_warning() {
        for (written, token, help) in [
            ("&&", Token::And, "write `and`"),
            ("<>", Token::Sign("!="), "write `!=`"),
            ("===", Token::Sign("=="), "write `==`"),
            ("!==", Token::Sign("!="), "write `!=`"),
            ("||", Token::Or, "write `or`"),
            ("!", Token::Not, "write `not`"),
            ("AND", Token::And, "write `and`"),
            ("Or", Token::Or, "write `or`"),
            ("NOT", Token::Not, "write `not`"),
            ("True", Token::True, "write `true`"),
        ] {
            let mut problems = Vec::new();
            let found = tokens(written, &mut problems).unwrap();
            assert_eq!(found.first().map(|(token, _)| token), Some(&token));
            assert_eq!(problems.len(), 1, "{written}");
            assert_eq!(problems[0].code, "foreign-operator");
            assert_eq!(problems[0].help.as_deref(), Some(help));
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_place() {
        for (written, code, span) in [
            ("a 'b", "unclosed-string", 2..4),
            ("'a\nb'", "unclosed-string", 0..2),
            ("/ab", "unclosed-regex", 0..3),
            ("/a\nb/i", "unclosed-regex", 0..2),
            ("/a/g", "bad-regex-flag", 3..4),
            ("/a/ii", "bad-regex-flag", 3..5),
            ("/https:/example/", "bad-regex-flag", 8..15),
            ("/https://", "unescaped-slash", 0..9),
            ("‘a’", "smart-quote", 0..3),
            ("5Mb", "bad-number", 0..3),
            ("1.5MB", "bad-number", 0..5),
            ("9223372036854775808", "bad-number", 0..19),
            ("2027-02-30", "bad-date", 0..10),
            ("2027-1-31", "bad-date", 0..9),
            ("$ a", "bad-name", 0..1),
            ("@", "bad-name", 0..1),
            ("@tag:", "bad-name", 0..5),
            ("a % b", "unexpected-character", 2..3),
            ("a ? b", "unexpected-character", 2..3),
            ("// a", "foreign-comment", 0..2),
            ("a /* b */", "foreign-comment", 2..4),
            (r"'it\'s'", "escaped-quote", 3..5),
            ("é", "unexpected-character", 0..2),
        ] {
            let mut problems = Vec::new();
            assert_eq!(tokens(written, &mut problems), None, "{written}");
            let problem = problems.last().unwrap();
            assert_eq!((problem.code, problem.span.clone()), (code, span), "{written}");
        }
    }
}
