//! Names: fields, members, lambda names, lists, rules, and what a person may have meant by a wrong one.

use super::node::{Derivation, Node};
use super::{Compiler, Typed, Variable, foreign, shown, source};
use crate::rules::function::{self, Receiver};
use crate::rules::lists::{List, ListKind};
use crate::rules::protected;
use crate::rules::schema::words::Wording;
use crate::rules::schema::{self, FIELDS, Field};
use crate::rules::syntax::{Expr, ExprKind, Problem};
use crate::rules::text::nearest;
use crate::rules::value::{Base, Kind, Type};
use std::ops::Range;
use std::sync::Arc;

impl Compiler<'_> {
    pub(super) fn name(&mut self, expr: &Expr, name: &str) -> Option<Typed> {
        let found = self.variables.iter().rposition(|variable| variable.name == name);
        if let Some((slot, variable)) = found.and_then(|slot| Some((slot, self.variables.get(slot)?))) {
            return Some(Typed::new(Node::Variable(slot), variable.ty).called(variable.label.clone()));
        }
        if let Some(place) = schema::field(name) {
            return self.field(place, &expr.span);
        }
        self.no_field(name, &expr.span)
    }

    fn no_field(&mut self, name: &str, span: &Range<usize>) -> Option<Typed> {
        if foreign::is_nothing(name) {
            let problem = Problem::error("foreign-word", span.clone(), format!("there is no `{name}` here"));
            return self.refuse(problem.help("write present(x), or not present(x)"));
        }
        if name == "them" {
            let problem = Problem::error("foreign-word", span.clone(), "there is no `them` here");
            return self
                .refuse(problem.help("write the conditions out, any of (…, …), or give rules a tag: any of @tag:x"));
        }
        let problem = Problem::error("unknown-field", span.clone(), format!("there is no field `{name}`"));
        if let Some(why) = foreign::absent(name) {
            return self.refuse(problem.help(why));
        }
        if schema::is_group(name) {
            return self.refuse(problem.help(format!("these are its fields: {}", group(name))));
        }
        let lower = name.to_lowercase();
        let variables = self.variables.iter().map(|variable| variable.name.as_str());
        let near = || nearest(&lower, variables.chain(FIELDS.iter().map(|field| field.name)));
        let meant = foreign::field(&lower)
            .or_else(|| self.names.rule(name).map(|_| format!("@{name}")))
            .or_else(|| self.names.list(name).map(|_| format!("${name}")))
            .or_else(|| near().map(ToOwned::to_owned));
        let help = match meant {
            Some(meant) if meant.contains('…') => Some(format!("write {meant}")),
            Some(meant) => Some(format!("did you mean `{meant}`?")),
            // As mailers write them: with a capital, or with hyphens that became low lines.
            None if name.starts_with(|c: char| c.is_ascii_uppercase()) => Some(format!(
                "a header field is header('{}'), a rule @{name}",
                name.replace('_', "-")
            )),
            // SpamAssassin's way to name what is only a part of other rules.
            None if name.starts_with('_') => Some(
                "a part of rules is a [[define]] with a name in small letters, and @name where it counts".to_owned(),
            ),
            None => Some(format!("a string stands in quotes: '{name}'")),
        };
        self.refuse(match help {
            Some(help) => problem.help(help),
            None => problem,
        })
    }

    /// What a wrong name after `$` or `@` may be: a field, or one of YARA's strings.
    fn meant_without_sign(name: &str) -> Option<String> {
        if schema::field(name).is_some() || schema::is_group(name) {
            return Some(format!("`{name}` is a field, and written without a sign before it"));
        }
        let is_yaras = name.len() <= 3 && name.starts_with(|c: char| c.is_ascii_lowercase());
        is_yaras.then(|| "strings stand where they are looked for: any of (body.text.icontains('…'), …)".to_owned())
    }

    fn field(&mut self, place: usize, span: &Range<usize>) -> Option<Typed> {
        let field = FIELDS.get(place)?;
        self.need(field.name, field.cost);
        self.warn_not_gathered(field, span);
        // What a fact goes by, the condition hangs on as if it named it.
        for name in protected::lists_of(field.name) {
            let known = self.lists.iter().any(|list| list.name() == name);
            self.lists.extend(self.names.list(name).filter(|_| !known));
        }
        Some(Typed::new(Node::Field(place), field.ty).called(field.name))
    }

    fn warn_not_gathered(&mut self, field: &Field, span: &Range<usize>) {
        if !field.gathered {
            let message = format!(
                "`{}` isn't gathered in this version: it is unknown on live mail",
                field.name
            );
            let problem = Problem::warning("not-gathered", span.clone(), message);
            self.problems
                .push(problem.help("x ?? y says what stands in until then, known(x) whether it is known"));
        }
    }

    pub(super) fn member(&mut self, expr: &Expr, base: &Expr, name: &str, name_span: &Range<usize>) -> Option<Typed> {
        if let Some(dotted) = self.field_path(expr) {
            if let Some(place) = schema::field(&dotted) {
                return self.field(place, &expr.span);
            }
            if let Some(meant) = foreign::field(&dotted.to_lowercase()) {
                let problem = Problem::error(
                    "unknown-field",
                    expr.span.clone(),
                    format!("there is no field `{dotted}`"),
                );
                return self.refuse(match meant.contains('…') {
                    true => problem.help(format!("write {meant}")),
                    false => problem.help(format!("did you mean `{meant}`?")),
                });
            }
            if let ExprKind::Name(group) = &base.kind
                && (schema::is_group(group) || group == "header")
            {
                return self.no_field_of(group, &dotted, &expr.span);
            }
        }
        let typed = self.lower(base)?;
        self.member_of(typed, base, name, name_span)
    }

    fn no_field_of(&mut self, group_name: &str, dotted: &str, span: &Range<usize>) -> Option<Typed> {
        let names = FIELDS.iter().map(|field| field.name);
        let meant = nearest(dotted, names.filter(|name| name.starts_with(group_name)));
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if group_name.starts_with("header") => {
                let name = dotted.rsplit('.').next().unwrap_or_default().replace('_', "-");
                format!("a header field has every instance in header('{name}'), a list: header('{name}').any(h, …)")
            }
            None => format!("these are its fields: {}", group(group_name)),
        };
        let message = format!("there is no field `{dotted}`");
        self.refuse(Problem::error("unknown-field", span.clone(), message).help(help))
    }

    /// `a.b` when its first word isn't a lambda's name.
    fn field_path(&self, expr: &Expr) -> Option<String> {
        let dotted = expr.dotted()?;
        let first = dotted.split('.').next()?;
        (!self.variables.iter().any(|variable| variable.name == first)).then_some(dotted)
    }

    fn member_of(&mut self, base: Typed, expr: &Expr, name: &str, name_span: &Range<usize>) -> Option<Typed> {
        let derived = |how, ty, base: Typed| {
            let label = format!("{}.{name}", base.label);
            let node = Node::Derived {
                base: Box::new(base.node),
                how,
            };
            Some(Typed::new(node, ty).called(label))
        };
        match (base.ty, name) {
            (Type::Many(_) | Type::One(Base::Text), "length") => {
                return derived(Derivation::Length, Type::One(Base::Int), base);
            }
            (Type::Many(item), "first") => return derived(Derivation::First, Type::One(item), base),
            (Type::One(Base::Record(Kind::Url)), "names_recipient") => {
                self.need("envelope.to", schema::Cost::Free);
                return derived(Derivation::NamesRecipient, Type::One(Base::Bool), base);
            }
            (Type::One(Base::Row(list)), _) => {
                let columns = self.lists.get(list).map_or(&[][..], |list| list.columns());
                let column = columns.iter().position(|(column, _)| column == name);
                if let Some((column, ty)) = column.and_then(|place| Some((place, columns.get(place)?.1))) {
                    let label = format!("{}.{name}", base.label);
                    let node = Node::Column {
                        base: Box::new(base.node),
                        column,
                    };
                    return Some(Typed::new(node, ty).called(label));
                }
            }
            (Type::One(item), _) => {
                let fields = schema::members(item);
                if let Some(field) = fields.iter().find(|field| field.key() == name) {
                    return Some(self.known_member(base, field, name_span));
                }
            }
            (Type::Many(_), _) => {}
        }
        self.no_member(&base, expr, name, name_span)
    }

    fn known_member(&mut self, base: Typed, field: &'static Field, span: &Range<usize>) -> Typed {
        if field.cost > schema::Cost::Free {
            self.need(field.name, field.cost);
        }
        self.warn_not_gathered(field, span);
        let label = format!("{}.{}", base.label, field.key());
        let node = Node::Member {
            base: Box::new(base.node),
            field,
        };
        Typed::new(node, field.ty).called(label)
    }

    fn no_member(&mut self, base: &Typed, expr: &Expr, name: &str, span: &Range<usize>) -> Option<Typed> {
        let problem = Problem::error(
            "unknown-field",
            span.clone(),
            format!("{} such as {} has no `{name}`", base.ty.indefinite(), shown(expr)),
        );
        if let (Type::Many(_) | Type::One(Base::Text), "count" | "size" | "len") = (base.ty, name) {
            return self.refuse(problem.help(format!("write {}.length", source(expr))));
        }
        if let Some(Wording::OneOf(words)) = base.wording()
            && words.contains(&name)
        {
            return self.refuse(problem.help(format!("write {} == '{name}'", source(expr))));
        }
        if function::is_method(name) {
            return self.refuse(problem.help(format!("a method is called: {}.{name}(…)", source(expr))));
        }
        if let Type::Many(item) = base.ty {
            let has_member = schema::members(item).iter().any(|field| field.key() == name);
            if has_member || matches!(item, Base::Row(_)) {
                return self.refuse(problem.help(format!(
                    "{0} is a list: write {0}.any(x, x.{name} …) or {0}.first.{name}",
                    source(expr)
                )));
            }
        }
        let columns: Vec<&str> = match base.ty {
            Type::One(Base::Row(list)) => {
                let columns = self.lists.get(list).map_or(&[][..], |list| list.columns());
                columns.iter().map(|(column, _)| column.as_str()).collect()
            }
            ty => schema::members(ty.base()).iter().map(Field::key).collect(),
        };
        let familiar = foreign::member(name, |part| columns.contains(&part));
        let help = match familiar.or_else(|| nearest(name, columns.iter().copied())) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if base.ty == Type::One(Base::Time) => {
                "a time has no parts: it compares with times and dates, and two of them differ by a duration".to_owned()
            }
            None if columns.is_empty() => String::new(),
            None => match deeper(base.ty, name).as_slice() {
                [] => format!("it has {}", columns.join(", ")),
                parts => format!("did you mean {}?", parts.join(" or ")),
            },
        };
        let problem = if help.is_empty() { problem } else { problem.help(help) };
        self.refuse(problem)
    }

    /// The list `$name`, which may be unknown.
    pub(super) fn list(&mut self, span: &Range<usize>, name: &str) -> Option<(usize, Arc<List>)> {
        if let Some(place) = self.lists.iter().position(|list| list.name() == name) {
            return Some((place, Arc::clone(self.lists.get(place)?)));
        }
        if let Some(list) = self.names.list(name) {
            self.lists.push(Arc::clone(&list));
            return Some((self.lists.len() - 1, list));
        }
        let problem = Problem::error("unknown-list", span.clone(), format!("there is no list `${name}`"));
        if self.names.rule(name).is_some() {
            return self.refuse(problem.help(format!("a rule or a define is `@{name}`")));
        }
        let familiar = foreign::list(name).filter(|list| self.names.list(list).is_some());
        let meant = familiar.or_else(|| nearest(name, self.names.list_names()));
        let help = meant.map(|meant| format!("did you mean `${meant}`?"));
        let help = help.or_else(|| Self::meant_without_sign(name));
        let help = help.unwrap_or_else(|| format!("define it under [lists.{name}]"));
        self.refuse(problem.help(help))
    }

    /// A list's entries as values, for `any` and its kin.
    pub(super) fn entries(&mut self, expr: &Expr, name: &str) -> Option<Typed> {
        let (place, list) = self.list(&expr.span, name)?;
        let item = match list.kind() {
            ListKind::Domain => Base::Domain,
            ListKind::Address => Base::Address,
            ListKind::Table => Base::Row(place),
            ListKind::Url | ListKind::Sha256 | ListKind::Text | ListKind::Name => Base::Text,
            ListKind::Cidr => {
                return self.refuse(
                    Problem::error("wrong-type", expr.span.clone(), "a list of networks can't be walked")
                        .help(format!("write client.ip in ${name}")),
                );
            }
        };
        Some(Typed::new(Node::Entries(list), Type::Many(item)).called(format!("${name}")))
    }

    pub(super) fn rule(&mut self, expr: &Expr, name: &str) -> Option<Typed> {
        let Some(rule) = self.names.rule(name) else {
            let message = format!("there is no rule or define `{name}`");
            let problem = Problem::error("unknown-rule", expr.span.clone(), message);
            let names = self.names.rule_names();
            if self.names.list(name).is_some() {
                return self.refuse(problem.help(format!("a list is `${name}`")));
            }
            let same = names.iter().find(|known| known.eq_ignore_ascii_case(name)).copied();
            let meant = same.or_else(|| nearest(name, names));
            return self.refuse(match meant {
                Some(meant) => problem.help(format!("did you mean `@{meant}`?")),
                None => match Self::meant_without_sign(name) {
                    Some(help) => problem.help(help),
                    None => problem.help("rules and defines are named as they are, in the same case"),
                },
            });
        };
        self.refer(rule);
        Some(Typed::condition(Node::Rule(rule)))
    }

    pub(super) fn refer(&mut self, rule: super::RuleRef) {
        self.referred += 1;
        if !self.references.contains(&rule) {
            self.references.push(rule);
        }
    }

    /// Compiles what a lambda says of each item of a list.
    pub(super) fn lambda<T>(
        &mut self,
        (list, written): (&Typed, &Expr),
        name: &Expr,
        body: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let ExprKind::Name(variable) = &name.kind else {
            return self.refuse(
                Problem::error("bad-lambda", name.span.clone(), "the first argument isn't a name")
                    .help("it is a name of your own for each item: any(x, …)"),
            );
        };
        if schema::field(variable).is_some() || schema::is_group(variable) {
            self.problems.push(Problem::warning(
                "shadowed-field",
                name.span.clone(),
                format!("within these parentheses `{variable}` is an item of the list, not the field"),
            ));
        }
        self.variables.push(Variable {
            name: variable.clone(),
            ty: Type::One(list.ty.base()),
            label: list.label.clone(),
            list: written.to_string(),
            is_of_message: self.is_of_message(&list.node),
            field: match list.node {
                Node::Field(field) => Some(field),
                _ => None,
            },
        });
        let compiled = body(self);
        self.variables.pop();
        compiled
    }

    /// What a wrong method name may have meant.
    pub(super) fn meant_method(&self, name: &str, ty: Type) -> Option<&'static str> {
        let receivers: &[Receiver] = match ty {
            Type::Many(_) => &[Receiver::List],
            Type::One(Base::Record(Kind::Url)) => &[Receiver::Url, Receiver::Text],
            Type::One(_) => &[Receiver::Text],
        };
        let familiar = receivers.iter().find_map(|receiver| foreign::method(name, *receiver));
        familiar.or_else(|| nearest(name, receivers.iter().flat_map(|receiver| function::names(*receiver))))
    }
}

fn group(name: &str) -> String {
    let fields = FIELDS.iter().map(|field| field.name);
    let within = fields.filter(|field| field.split_once('.').is_some_and(|(group, _)| group == name));
    within.collect::<Vec<_>>().join(", ")
}

/// The parts of a record's parts that have this name.
fn deeper(ty: Type, name: &str) -> Vec<String> {
    let parts = schema::members(ty.base()).iter().filter(|part| !part.ty.is_list());
    let has = |part: &&Field| schema::members(part.ty.base()).iter().any(|field| field.key() == name);
    parts
        .filter(has)
        .map(|part| format!("`{}.{name}`", part.key()))
        .collect()
}
