//! The parser: tokens in, a tree out, by operator precedence.
//!
//! Stops at the first error. Its recursion and the tree's depth are bounded by
//! [`super::DEPTH_MAX`]. Knows no fields, functions or types.

use super::mistakes;
use super::token::Token;
use super::tree::{Arithmetic, Comparison, Expr, ExprKind, Quantity, RulePattern};
use super::{DEPTH_MAX, NODES_MAX, Problem};
use std::ops::Range;

/// Reads one expression that takes up all the tokens.
pub(super) fn expression(tokens: &[(Token, Range<usize>)]) -> Result<Expr, Problem> {
    let mut parser = Parser {
        tokens,
        at: 0,
        nesting: 0,
        nodes: 0,
    };
    let expr = parser.binary(Power::Or)?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.left_over(&expr)),
    }
}

struct Parser<'t> {
    tokens: &'t [(Token, Range<usize>)],
    at: usize,
    nesting: usize,
    nodes: usize,
}

/// How tightly an operator binds, loosest first: the rows of the published grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Power {
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Default,
    Unary,
}

/// What an infix token does.
#[derive(Debug, Clone, Copy)]
enum Infix {
    Or,
    And,
    Compare(Comparison),
    In { negated: bool },
    Arithmetic(Arithmetic),
    Default,
}

impl Infix {
    fn power(self) -> Power {
        match self {
            Self::Or => Power::Or,
            Self::And => Power::And,
            Self::Compare(_) | Self::In { .. } => Power::Comparison,
            Self::Arithmetic(Arithmetic::Add | Arithmetic::Subtract) => Power::Sum,
            Self::Arithmetic(Arithmetic::Multiply) => Power::Product,
            Self::Default => Power::Default,
        }
    }

    fn is_comparison(self) -> bool {
        self.power() == Power::Comparison
    }
}

type Parsed = Result<Expr, Problem>;

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.peek_ahead(0)
    }

    fn peek_ahead(&self, by: usize) -> &Token {
        self.tokens.get(self.at + by).map_or(&Token::End, |(token, _)| token)
    }

    /// The tokens that aren't consumed yet.
    fn rest(&self) -> &[(Token, Range<usize>)] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    fn span(&self) -> Range<usize> {
        let last = || self.tokens.last().map_or(0..0, |(_, span)| span.clone());
        self.tokens.get(self.at).map_or_else(last, |(_, span)| span.clone())
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(found) if *found == sign)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    fn node(&mut self, kind: ExprKind, span: Range<usize>) -> Parsed {
        self.nodes += 1;
        let expr = Expr::new(kind, span);
        if self.nodes > NODES_MAX {
            return Err(Problem::error(
                "too-large",
                expr.span,
                format!("the expression has more than {NODES_MAX} parts"),
            ));
        }
        if expr.depth > DEPTH_MAX {
            return Err(too_deep(expr.span));
        }
        Ok(expr)
    }

    /// An expression whose operators all bind at least as tightly as `least`. Right operands call
    /// this with a tighter power each time, so only [`Self::nested`] can recurse without end.
    fn binary(&mut self, least: Power) -> Parsed {
        let mut left = self.prefix(least)?;
        while let Some(infix) = self.infix() {
            if infix.power() < least {
                break;
            }
            left = self.operation(left, infix)?;
        }
        Ok(left)
    }

    /// An expression within another: in brackets, after a prefix, or right of `??`.
    fn nested(&mut self, least: Power) -> Parsed {
        self.nesting += 1;
        if self.nesting > DEPTH_MAX {
            return Err(too_deep(self.span()));
        }
        let inner = self.binary(least);
        self.nesting -= 1;
        inner
    }

    fn infix(&self) -> Option<Infix> {
        Some(match self.peek() {
            Token::Or => Infix::Or,
            Token::And => Infix::And,
            Token::In => Infix::In { negated: false },
            Token::Not if *self.peek_ahead(1) == Token::In => Infix::In { negated: true },
            Token::Sign("==" | "=") => Infix::Compare(Comparison::Equal),
            Token::Sign("!=") => Infix::Compare(Comparison::NotEqual),
            Token::Sign("<") => Infix::Compare(Comparison::Less),
            Token::Sign("<=") => Infix::Compare(Comparison::LessOrEqual),
            Token::Sign(">") => Infix::Compare(Comparison::Greater),
            Token::Sign(">=") => Infix::Compare(Comparison::GreaterOrEqual),
            Token::Sign("+") => Infix::Arithmetic(Arithmetic::Add),
            Token::Sign("-") => Infix::Arithmetic(Arithmetic::Subtract),
            Token::Sign("*") => Infix::Arithmetic(Arithmetic::Multiply),
            Token::Sign("??") => Infix::Default,
            _ => return None,
        })
    }

    fn operation(&mut self, left: Expr, infix: Infix) -> Parsed {
        let sign_span = self.span();
        if self.is_sign("=") {
            return Err(match self.peek_ahead(1) {
                Token::Sign(">") => Problem::error("single-equals", sign_span, "`=>` isn't an operator here")
                    .help("a comma follows the name of an item, links.any(l, …); `at least` is written `>=`"),
                Token::Sign("<") => Problem::error("single-equals", sign_span, "`=<` isn't an operator here")
                    .help("`at most` is written `<=`"),
                _ => Problem::error("single-equals", sign_span, "`=` isn't an operator here")
                    .help("comparison is written `==`"),
            });
        }
        self.at += 1;
        let is_over = matches!(
            self.peek(),
            Token::End | Token::And | Token::Or | Token::Sign(")" | ",")
        );
        if matches!(infix, Infix::Arithmetic(Arithmetic::Multiply)) && is_over {
            return Err(mistakes::star_of_names(sign_span));
        }
        let start = left.span.start;
        let kind = match infix {
            Infix::Or => return self.chain(left, Power::And, &Token::Or, ExprKind::Or),
            Infix::And => return self.chain(left, Power::Not, &Token::And, ExprKind::And),
            Infix::Compare(operator) => ExprKind::Compare {
                operator,
                left: Box::new(left),
                right: Box::new(self.binary(Power::Sum)?),
            },
            Infix::In { negated } => {
                self.at += usize::from(negated);
                ExprKind::In {
                    negated,
                    item: Box::new(left),
                    set: Box::new(self.set()?),
                }
            }
            Infix::Arithmetic(operator) => {
                let tighter = if infix.power() == Power::Sum {
                    Power::Product
                } else {
                    Power::Default
                };
                ExprKind::Arithmetic {
                    operator,
                    left: Box::new(left),
                    right: Box::new(self.binary(tighter)?),
                }
            }
            // To the right, so that a ?? b ?? c asks in order.
            Infix::Default => ExprKind::Default {
                value: Box::new(left),
                fallback: Box::new(self.nested(Power::Default)?),
            },
        };
        let end = self.end();
        let expr = self.node(kind, start..end)?;
        if infix.is_comparison() && self.infix().is_some_and(Infix::is_comparison) {
            return Err(
                Problem::error("chained-comparison", start..self.span().end, "comparisons don't chain")
                    .help("join two comparisons with `and`: a < b and b < c"),
            );
        }
        Ok(expr)
    }

    /// The rest of `a and b and c`, its first sign consumed.
    fn chain(&mut self, first: Expr, tighter: Power, sign: &Token, kind: fn(Vec<Expr>) -> ExprKind) -> Parsed {
        let start = first.span.start;
        let mut links = vec![first];
        loop {
            links.push(self.binary(tighter)?);
            if self.peek() != sign {
                break;
            }
            self.at += 1;
        }
        let end = self.end();
        self.node(kind(links), start..end)
    }

    /// Where the last consumed token ends.
    fn end(&self) -> usize {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or(0, |(_, span)| span.end)
    }

    fn prefix(&mut self, least: Power) -> Parsed {
        let span = self.span();
        if *self.peek() == Token::Not {
            if least > Power::Not {
                return Err(
                    Problem::error("misplaced-not", span, "`not` can't stand after an operator")
                        .help("put what it negates in parentheses: a == (not b)"),
                );
            }
            self.at += 1;
            let inner = self.nested(Power::Not)?;
            let end = self.end();
            return self.node(ExprKind::Not(Box::new(inner)), span.start..end);
        }
        if self.take_sign("-") {
            let inner = self.nested(Power::Unary)?;
            let end = self.end();
            return self.node(ExprKind::Negate(Box::new(inner)), span.start..end);
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Parsed {
        let mut base = self.primary()?;
        while self.is_sign(".") {
            self.at += 1;
            let name_span = self.span();
            let Some(name) = self.member_name() else {
                let problem = self.unexpected("the name of a field or method");
                let is_number = matches!(base.kind, ExprKind::Int(_) | ExprKind::Float(_));
                return Err(match is_number {
                    true => problem.help("an IP address stands in quotes: '192.0.2.1'"),
                    false => problem,
                });
            };
            let start = base.span.start;
            let base_box = Box::new(base);
            let kind = if self.is_sign("(") {
                let arguments = self.arguments()?;
                ExprKind::Method {
                    base: base_box,
                    name,
                    name_span,
                    arguments,
                }
            } else {
                ExprKind::Member {
                    base: base_box,
                    name,
                    name_span,
                }
            };
            let end = self.end();
            base = self.node(kind, start..end)?;
        }
        Ok(base)
    }

    /// After a dot every word is a name.
    fn member_name(&mut self) -> Option<String> {
        let name = match self.peek() {
            Token::Name(name) => name.clone(),
            Token::In => "in".to_owned(),
            Token::Not => "not".to_owned(),
            _ => return None,
        };
        self.at += 1;
        Some(name)
    }

    fn primary(&mut self) -> Parsed {
        let span = self.span();
        let token = self.peek().clone();
        if let Some(quantity) = self.quantity(&token)? {
            return self.of(quantity, span.start);
        }
        let kind = match token {
            Token::Int(number) => ExprKind::Int(number),
            Token::Float(number) => ExprKind::Float(number),
            Token::Size(bytes) => ExprKind::Size(bytes),
            Token::Duration(millis) => ExprKind::Duration(millis),
            Token::Date(midnight) => ExprKind::Date(midnight),
            Token::Text(text) => ExprKind::Text(text),
            Token::Regex { pattern, flags } => ExprKind::Regex { pattern, flags },
            Token::True => ExprKind::Bool(true),
            Token::False => ExprKind::Bool(false),
            Token::List(name) => ExprKind::List(name),
            Token::Rule(name) => ExprKind::Rule(name),
            Token::RulesStarting(prefix) => ExprKind::Rules(RulePattern::Prefix(prefix)),
            Token::RulesTagged(tag) => ExprKind::Rules(RulePattern::Tag(tag)),
            Token::Name(name) => return self.name(name),
            Token::Sign("(") => return self.parenthesised(),
            Token::Sign("[") => {
                self.at += 1;
                let values = self.series("]", span.clone())?;
                let end = self.end();
                return self.node(ExprKind::Values(values), span.start..end);
            }
            _ => return Err(self.unexpected("a value, a field or a condition")),
        };
        self.at += 1;
        self.node(kind, span)
    }

    fn name(&mut self, name: String) -> Parsed {
        let name_span = self.span();
        self.at += 1;
        if !self.is_sign("(") {
            return self.node(ExprKind::Name(name), name_span);
        }
        let arguments = self.arguments()?;
        let span = name_span.start..self.end();
        let kind = ExprKind::Call {
            name,
            name_span,
            arguments,
        };
        self.node(kind, span)
    }

    fn parenthesised(&mut self) -> Parsed {
        let open = self.span();
        self.at += 1;
        let mut inner = self.series(")", open.clone())?;
        let whole = open.start..self.end();
        match (inner.pop(), inner.is_empty()) {
            // The parentheses belong to its place, so that a message underlines them too.
            (Some(only), true) => Ok(Expr { span: whole, ..only }),
            (None, _) => Err(Problem::error(
                "empty-parentheses",
                whole,
                "these parentheses are empty",
            )),
            (Some(_), false) => Err(Problem::error(
                "several-conditions",
                whole,
                "several conditions need to be told how many of them",
            )
            .help("write `any of (…)`, `all of (…)` or `2 of (…)`, or join them with `and` or `or`")),
        }
    }

    /// `arg {"," arg} [","] CLOSE`, its opening consumed; may be empty.
    fn series(&mut self, close: &'static str, open: Range<usize>) -> Result<Vec<Expr>, Problem> {
        let mut found = Vec::new();
        while !self.take_sign(close) {
            if *self.peek() == Token::End {
                return Err(Problem::error(
                    "unclosed",
                    open,
                    format!("this is never closed with `{close}`"),
                ));
            }
            found.push(self.nested(Power::Or)?);
            if !self.take_sign(",") && !self.is_sign(close) {
                return Err(match self.peek() {
                    Token::End => Problem::error("unclosed", open, format!("this is never closed with `{close}`")),
                    _ => found
                        .last()
                        .map_or_else(|| self.unexpected(close), |last| self.left_over(last)),
                });
            }
        }
        Ok(found)
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, Problem> {
        let open = self.span();
        self.at += 1;
        self.series(")", open)
    }

    /// What may follow `in`: values in parentheses, or anything that is a list.
    fn set(&mut self) -> Parsed {
        let open = self.span();
        if !self.is_sign("(") {
            return self.postfix();
        }
        self.at += 1;
        let values = self.series(")", open.clone())?;
        let span = open.start..self.end();
        self.node(ExprKind::Conditions(values), span)
    }

    /// `2 of`, `any of`, `all of`, `none of`; these words are keywords only there.
    fn quantity(&mut self, token: &Token) -> Result<Option<Quantity>, Problem> {
        if !matches!(self.peek_ahead(1), Token::Name(name) if name == "of") {
            return Ok(None);
        }
        let quantity = match token {
            Token::Int(number) => match usize::try_from(*number) {
                Ok(number) if number > 0 => Quantity::AtLeast(number),
                _ => {
                    return Err(Problem::error("bad-quantity", self.span(), "`0 of` is always true")
                        .help("write `none of (…)` if none may hold"));
                }
            },
            Token::Name(name) => match name.as_str() {
                "any" => Quantity::AtLeast(1),
                "all" => Quantity::All,
                "none" => Quantity::None,
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.at += 2;
        Ok(Some(quantity))
    }

    fn of(&mut self, quantity: Quantity, start: usize) -> Parsed {
        let open = self.span();
        let conditions = if self.take_sign("(") {
            self.series(")", open.clone())?
        } else {
            vec![self.postfix()?]
        };
        let span = start..self.end();
        if conditions.is_empty() {
            return Err(Problem::error(
                "empty-parentheses",
                open.start..span.end,
                "these parentheses are empty",
            ));
        }
        self.node(ExprKind::Of { quantity, conditions }, span)
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        mistakes::unexpected(self.rest(), self.span(), wanted)
    }

    /// Something follows a finished expression.
    fn left_over(&self, before: &Expr) -> Problem {
        mistakes::left_over(self.rest(), self.span(), before)
    }
}

fn too_deep(span: Range<usize>) -> Problem {
    Problem::error(
        "too-deep",
        span,
        format!("the expression is nested deeper than {DEPTH_MAX} levels"),
    )
}
