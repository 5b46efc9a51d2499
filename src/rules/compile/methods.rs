//! Calls: functions, methods of lists, and what is computed of a single value.

use super::node::{Derivation, Node};
use super::{Compiler, Typed, foreign, shown, source};
use crate::rules::function::{self, Receiver};
use crate::rules::schema::{self, Cost};
use crate::rules::syntax::{Expr, ExprKind, Problem};
use crate::rules::text::nearest;
use crate::rules::value::{Base, Kind, Type};
use std::ops::Range;

impl Compiler<'_> {
    pub(super) fn call(
        &mut self,
        expr: &Expr,
        name: &str,
        name_span: &Range<usize>,
        arguments: &[Expr],
    ) -> Option<Typed> {
        match name {
            "present" | "known" => {
                let [only] = self.exactly(expr, name, arguments, "(x)")?;
                let inner = Box::new(self.lower(only)?.node);
                let node = if name == "present" {
                    Node::Present(inner)
                } else {
                    Node::Known(inner)
                };
                Some(Typed::condition(node))
            }
            "header" | "header_raw" => {
                let [only] = self.exactly(expr, name, arguments, "('Name')")?;
                self.header(name, only)
            }
            _ => self.no_function(name, name_span, arguments),
        }
    }

    fn header(&mut self, function: &str, argument: &Expr) -> Option<Typed> {
        let ExprKind::Text(name) = &argument.kind else {
            let message = format!("{} isn't the name of a header field", shown(argument));
            return self
                .refuse(Problem::error("wrong-type", argument.span.clone(), message).help("write it as a string"));
        };
        // RFC 5322 §2.2: printable US-ASCII except the colon.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            let message = format!("{} can't be the name of a header field", shown(argument));
            return self.refuse(Problem::error("bad-literal", argument.span.clone(), message));
        }
        self.need("headers.names", Cost::Free);
        let node = Node::Header {
            name: name.clone(),
            raw: function == "header_raw",
        };
        Some(Typed::new(node, Type::Many(Base::Text)).called(format!("header.{name}")))
    }

    fn no_function(&mut self, name: &str, span: &Range<usize>, arguments: &[Expr]) -> Option<Typed> {
        let problem = Problem::error(
            "unknown-function",
            span.clone(),
            format!("there is no function `{name}`"),
        );
        let mut written = arguments.iter().map(source);
        let first = written.next().unwrap_or_else(|| "subject".to_owned());
        let rest = written.collect::<Vec<_>>().join(", ");
        let takes_none = matches!(name, "length" | "first" | "names_recipient");
        let familiar = foreign::call(name, &arguments.iter().map(source).collect::<Vec<_>>());
        let problem = match (familiar, nearest(name, function::names(Receiver::Nothing))) {
            (Some(ours), _) => problem.help(format!("write {ours}")),
            _ if function::is_method(name) && takes_none => problem.help(format!("write {first}.{name}")),
            _ if function::is_method(name) => {
                problem.help(format!("`{name}` is a method: write {first}.{name}({rest})"))
            }
            (None, Some(meant)) => problem.help(format!("did you mean `{meant}`?")),
            (None, None) => problem,
        };
        self.refuse(problem)
    }

    pub(super) fn method(
        &mut self,
        expr: &Expr,
        base: &Expr,
        (name, name_span): (&str, &Range<usize>),
        arguments: &[Expr],
    ) -> Option<Typed> {
        if let ExprKind::Name(module) = &base.kind
            && !self.variables.iter().any(|variable| variable.name == *module)
            && let Some(ours) = foreign::call(
                &format!("{module}.{name}"),
                &arguments.iter().map(source).collect::<Vec<_>>(),
            )
        {
            let message = format!("there is no function `{module}.{name}`");
            let span = base.span.start..name_span.end;
            return self.refuse(Problem::error("unknown-function", span, message).help(format!("write {ours}")));
        }
        let typed = self.lower(base)?;
        match (typed.ty, name) {
            (Type::Many(_), "any" | "all" | "count" | "distinct") => {
                self.list_method(expr, (typed, base), name, arguments)
            }
            (Type::One(Base::Record(Kind::Url)), "param") => self.param(expr, typed, arguments),
            (Type::Many(_) | Type::One(Base::Text), "length") | (Type::Many(_), "first") if arguments.is_empty() => {
                let problem = Problem::error(
                    "unexpected-arguments",
                    name_span.clone(),
                    format!("`{name}` isn't called"),
                );
                self.refuse(problem.help(format!("write {}.{name}", source(base))))
            }
            (Type::One(Base::Text | Base::Address | Base::Domain | Base::Record(Kind::Url)), _)
                if function::names(Receiver::Text).any(|known| known == name) =>
            {
                self.text_method(expr, typed, (name, name_span), arguments)
            }
            (ty, _) => self.no_method(ty, base, name, name_span),
        }
    }

    fn no_method(&mut self, ty: Type, base: &Expr, name: &str, span: &Range<usize>) -> Option<Typed> {
        let problem = Problem::error(
            "unknown-function",
            span.clone(),
            format!("{} such as {} has no method `{name}`", ty.indefinite(), shown(base)),
        );
        let is_text_method = function::names(Receiver::Text).any(|known| known == name);
        let written = source(base);
        let problem = match (ty, self.meant_method(name, ty)) {
            (Type::Many(Base::Record(_)), _) if is_text_method => {
                let mut parts = schema::members(ty.base()).iter();
                let textual = parts.find(|part| matches!(part.ty, Type::One(Base::Text | Base::Record(Kind::Url))));
                let part = textual.map_or("…", schema::Field::key);
                problem.help(format!("write {written}.any(x, x.{part}.{name}(…))"))
            }
            (Type::Many(_), _) if is_text_method => problem.help(format!("write {written}.any(x, x.{name}(…))")),
            (Type::One(Base::Record(_)), _) if is_text_method => {
                let parts = schema::members(ty.base())
                    .iter()
                    .map(schema::Field::key)
                    .collect::<Vec<_>>();
                problem.help(format!("ask one of its parts: {}", parts.join(", ")))
            }
            (Type::One(Base::Ip), _) => problem.help(format!(
                "write {written} == '192.0.2.1', or {written} in $list of kind cidr"
            )),
            (_, Some(meant)) if meant != name => problem.help(format!("did you mean `{meant}`?")),
            (Type::One(Base::Text), _) => {
                let methods: Vec<&str> = function::names(Receiver::Text).collect();
                problem.help(format!("it has {}", methods.join(", ")))
            }
            _ => problem,
        };
        self.refuse(problem)
    }

    fn list_method(
        &mut self,
        expr: &Expr,
        (list, base): (Typed, &Expr),
        name: &str,
        arguments: &[Expr],
    ) -> Option<Typed> {
        let Ok([variable, body]) = <&[Expr; 2]>::try_from(arguments) else {
            let message = format!("`{name}` takes 2 arguments, not {}", arguments.len());
            let problem = Problem::error("wrong-arguments", expr.span.clone(), message);
            let written = source(base);
            return self.refuse(match (name, arguments) {
                ("any", []) => problem.help(format!("write present({written})")),
                ("count", []) => problem.help(format!("write {written}.length")),
                _ => problem.help(format!("name each item: {written}.{name}(x, …)")),
            });
        };
        if name == "distinct" {
            let value = self.lambda((&list, base), variable, |compiler| compiler.lower(body))?;
            if value.ty.is_list() || matches!(value.ty.base(), Base::Record(_) | Base::Row(_)) {
                let message = format!(
                    "{} is {}, and these can't be told apart",
                    shown(body),
                    value.ty.indefinite()
                );
                return self
                    .refuse(Problem::error("wrong-type", body.span.clone(), message).help("pick one of its parts"));
            }
            let ty = Type::Many(value.ty.base());
            let node = Node::Distinct {
                list: Box::new(list.node),
                value: Box::new(value.node),
            };
            return Some(Typed::new(node, ty).called(list.label));
        }
        let condition = Box::new(self.lambda((&list, base), variable, |compiler| compiler.condition(body))?);
        let some_cell = match name {
            "any" => self.some_cell(&list.node, variable, body),
            _ => None,
        };
        if name == "all" {
            self.unguarded.push((expr.span.clone(), source(base)));
        }
        let (label, list) = (list.label, Box::new(list.node));
        Some(match name {
            "any" => {
                let any = Node::Any {
                    list,
                    condition,
                    label: label.into(),
                };
                Typed::condition(match some_cell {
                    Some(first) => Node::And(vec![first, any], vec![0, 1]),
                    None => any,
                })
            }
            "all" => Typed::condition(Node::All { list, condition }),
            _ => Typed::new(Node::CountWhere { list, condition }, Type::One(Base::Int)).called(label),
        })
    }

    fn param(&mut self, expr: &Expr, url: Typed, arguments: &[Expr]) -> Option<Typed> {
        let [only] = self.exactly(expr, "param", arguments, "('name')")?;
        let ExprKind::Text(name) = &only.kind else {
            let message = format!("{} isn't the name of a parameter", shown(only));
            return self.refuse(Problem::error("wrong-type", only.span.clone(), message).help("write it as a string"));
        };
        let label = format!("{}.param.{name}", url.label);
        let node = Node::Derived {
            base: Box::new(url.node),
            how: Derivation::Param(name.clone()),
        };
        Some(Typed::new(node, Type::One(Base::Text)).called(label))
    }

    /// Arguments of a call that takes a fixed number of them.
    pub(super) fn exactly<'x, const N: usize>(
        &mut self,
        expr: &Expr,
        name: &str,
        arguments: &'x [Expr],
        shape: &str,
    ) -> Option<&'x [Expr; N]> {
        if let Ok(exact) = arguments.try_into() {
            return Some(exact);
        }
        let message = format!("`{name}` takes {N} argument{}, not {}", plural(N), arguments.len());
        self.refuse(Problem::error("wrong-arguments", expr.span.clone(), message).help(format!("write {name}{shape}")))
    }
}

fn plural(number: usize) -> &'static str {
    if number == 1 { "" } else { "s" }
}
