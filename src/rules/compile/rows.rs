//! Walks over the rows of a table that look for a cell of each in one text: whether any cell stands
//! there is asked first, of all at once.
//!
//! `$brands.any(b, from.name.icontains(b.name) and …)` is false, whatever the rest, when no name stands in
//! the text. Knows nothing of what else a row must meet.

use super::Compiler;
use super::node::{Node, Test, TextTest};
use super::text_tests::{Scan, gate, has_many};
use crate::rules::lists::ListKind;
use crate::rules::syntax::tree::Quantity;
use crate::rules::syntax::{Expr, ExprKind};
use crate::rules::value::{Base, Type, Value};

/// A link such as `from.name.icontains(b.name)`.
struct CellTest<'x> {
    text: &'x Expr,
    ignores_case: bool,
    column: &'x str,
}

impl Compiler<'_> {
    /// What must hold before any row of a list can meet `body`, if that is something simple.
    pub(super) fn some_cell(&mut self, list: &Node, variable: &Expr, body: &Expr) -> Option<Node> {
        let (Node::Entries(table), ExprKind::Name(variable)) = (list, &variable.kind) else {
            return None;
        };
        let links = match &body.kind {
            ExprKind::And(links) => links.as_slice(),
            _ => std::slice::from_ref(body),
        };
        let wanted = links.iter().find_map(|link| cell_test(link, variable))?;
        let mut columns = table.columns().iter();
        let column = columns.position(|(name, ty)| name == wanted.column && *ty == Type::One(Base::Text))?;
        if table.kind() != ListKind::Table {
            return None;
        }
        self.atoms.extent.needles(table.len()).ok()?;
        // Whatever there is to say of the text was said when the body was compiled.
        let told = self.problems.len();
        let text = self.lower(wanted.text);
        self.problems.truncate(told);
        let mut subject = self.subject(text?);
        // The row's own test shows what was found.
        subject.label = "".into();
        let cells = table
            .rows()
            .iter()
            .filter_map(|row| row.get(column).and_then(Value::as_text));
        let needles = cells
            .map(|cell| self.literal(&cell, wanted.ignores_case, Scan::In(subject.place())))
            .collect::<Vec<_>>();
        Some(Node::Text(Box::new(TextTest {
            test: Test::Contains,
            ignores_case: wanted.ignores_case,
            subject,
            has_many: has_many(&needles),
            gate: gate(&needles),
            expires: false,
            needles,
            quantity: Quantity::AtLeast(1),
        })))
    }
}

fn cell_test<'x>(link: &'x Expr, variable: &str) -> Option<CellTest<'x>> {
    let ExprKind::Method {
        base, name, arguments, ..
    } = &link.kind
    else {
        return None;
    };
    let [argument] = arguments.as_slice() else {
        return None;
    };
    let ExprKind::Member {
        base: row,
        name: column,
        ..
    } = &argument.kind
    else {
        return None;
    };
    let is_cell = matches!(&row.kind, ExprKind::Name(name) if name == variable);
    let is_test = matches!(name.as_str(), "contains" | "icontains");
    (is_cell && is_test && !mentions(base, variable)).then_some(CellTest {
        text: base,
        ignores_case: name == "icontains",
        column,
    })
}

fn mentions(expr: &Expr, variable: &str) -> bool {
    matches!(&expr.kind, ExprKind::Name(name) if name == variable)
        || expr.kind.children().any(|child| mentions(child, variable))
}
