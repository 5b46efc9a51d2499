//! An expression that stands in no file, tried on messages with a set's lists, defines and rules in scope.
//!
//! A text goes in; out comes what it is of each message, or what is wrong with it, with its place. Knows
//! nothing of where messages come from.

use super::Workbench;
use super::portrait::Portrait;
use crate::evidence::Evidence;
use crate::rules::compile::{self, Atoms, Condition, RuleRef, Scanner};
use crate::rules::diagnostic::{Diagnostic, Level};
use crate::rules::evaluate::{Outcome, Outcomes, Scope, Truth, apart, evaluate};
use crate::rules::set::RuleSet;
use crate::rules::source::Source;
use crate::rules::syntax::{self, Problem};
use crate::rules::value::{Base, Type};
use std::collections::HashMap;
use std::sync::Arc;

/// What the text is called in messages about it.
pub const NAME: &str = "expression";

/// A compiled expression.
#[derive(Debug)]
pub struct Trial<'s> {
    set: &'s RuleSet,
    condition: Condition,
    ty: Type,
    scanner: Scanner,
}

/// What an expression is of one message.
#[derive(Debug)]
pub enum Answer {
    /// Of a condition.
    Truth(Outcome),
    /// Of a value.
    Value(Portrait),
}

impl<'s> Trial<'s> {
    /// Reads an expression; warnings come with it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(bench: &Workbench<'s>, text: &str) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let source = Arc::new(Source::new(NAME, text));
        let (expr, problems) = syntax::parse(text);
        let mut told: Vec<Diagnostic> = diagnostics(&source, problems);
        let failed = |told: &[Diagnostic]| told.iter().any(|found| found.level == Level::Error);
        let Some(expr) = expr.filter(|_| !failed(&told)) else {
            return Err(told);
        };
        let mut atoms = Atoms::default();
        let (compiled, problems) = compile::compile_any(&expr, bench, &mut atoms);
        told.extend(diagnostics(&source, problems));
        let Some((condition, ty)) = compiled else {
            return Err(told);
        };
        let trial = Self {
            set: bench.set,
            condition,
            ty,
            scanner: atoms.build(),
        };
        Ok((trial, told))
    }

    /// What it gives.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// What it is of one message. Other rules count as they are, in shadow or not.
    pub fn ask<'e>(&'e self, evidence: &'e Evidence<'e, '_>) -> Answer
    where
        's: 'e,
    {
        let set: &'e RuleSet = self.set;
        let references = self.condition.references();
        let answers = match references.is_empty() {
            true => Answers::default(),
            // Conditions of the set are evaluated with the set's own scanner, before this one asks for them.
            false => {
                let mut scope = Scope::new(evidence, set.scanner());
                Answers(set.answers(&mut scope, evidence.now, references))
            }
        };
        let mut scope = Scope::new(evidence, &self.scanner);
        match self.ty {
            Type::One(Base::Bool) => Answer::Truth(evaluate(&self.condition, &mut scope, &answers)),
            ty => {
                let value = apart::value(&self.condition.root, &[], &mut scope, &answers);
                Answer::Value(Portrait::of(&value, ty, self.condition.lists()))
            }
        }
    }
}

/// What rules and defines came to.
#[derive(Default)]
struct Answers(HashMap<RuleRef, Outcome>);

impl<'e> Outcomes<'e> for Answers {
    fn outcome(&self, rule: RuleRef) -> &Outcome {
        self.0.get(&rule).unwrap_or(&FALSE)
    }
}

/// What nobody asked for.
static FALSE: Outcome = Outcome {
    truth: Truth::False,
    snippets: Vec::new(),
    unknown: Vec::new(),
};

fn diagnostics(source: &Arc<Source>, problems: Vec<Problem>) -> Vec<Diagnostic> {
    let told = |problem: Problem| Diagnostic {
        level: problem.level,
        code: problem.code,
        message: problem.message,
        source: Arc::clone(source),
        span: problem.span,
        help: problem.help,
        notes: Vec::new(),
    };
    problems.into_iter().map(told).collect()
}
