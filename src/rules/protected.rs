//! Which lists say whom a message may pose as.
//!
//! The lists of a set go in; out comes [`Protected`]. A list that isn't there protects nobody. Knows nothing of
//! messages.

use super::diagnostic::Diagnostic;
use super::list_entry::ListEntry;
use super::lists::{List, ListKind};
use super::source::Source;
use super::value::Value;
use crate::evidence::identity::{Expiry, Group, Organisation, Person, Protected};
use crate::mail::Domain;
use std::collections::HashMap;
use std::sync::Arc;

/// A list that `identity` goes by.
#[derive(Debug)]
pub struct Role {
    /// Without the `$`.
    pub list: &'static str,
    /// What it must be.
    pub kind: ListKind,
    /// Columns that are read, of a table.
    pub columns: &'static [&'static str],
    /// What it says, a line for people.
    pub doc: &'static str,
}

const ORG_DOMAINS: Role = entries("org_domains", ListKind::Domain, "our own domains");
const ORG_NAMES: Role = entries("org_names", ListKind::Name, "names that our organisation goes by");
const PARTNER_DOMAINS: Role = entries(
    "partner_domains",
    ListKind::Domain,
    "domains of partners and suppliers: who resembles one is told, and they themselves are trusted no more for it",
);
const PARTNER_NAMES: Role = entries(
    "partner_names",
    ListKind::Name,
    "names of partners and suppliers, who write from `$partner_domains`",
);
const VIP_NAMES: Role = entries(
    "vip_names",
    ListKind::Name,
    "people of ours who are posed as; they write from `$org_domains`",
);
const VIPS: Role = Role {
    columns: &["name", "role", "addresses"],
    ..entries(
        "vips",
        ListKind::Table,
        "the same with their roles, and addresses of theirs elsewhere",
    )
};
const BRANDS: Role = Role {
    columns: &["name", "sites"],
    ..entries(
        "brands",
        ListKind::Table,
        "brands that are posed as, and the sites that they write from",
    )
};

/// Every list that `identity` goes by.
pub const ROLES: [Role; 7] = [
    ORG_DOMAINS,
    ORG_NAMES,
    PARTNER_DOMAINS,
    PARTNER_NAMES,
    VIP_NAMES,
    VIPS,
    BRANDS,
];

/// The lists that a field goes by.
pub(super) fn lists_of(field: &str) -> impl Iterator<Item = &'static str> {
    let goes_by_them = field.starts_with("identity.");
    ROLES.iter().filter(move |_| goes_by_them).map(|role| role.list)
}

const fn entries(list: &'static str, kind: ListKind, doc: &'static str) -> Role {
    Role {
        list,
        kind,
        columns: &[],
        doc,
    }
}

/// Lists by their names.
type Lists = HashMap<String, Arc<List>>;

/// Whom the lists protect.
pub(super) fn protected(lists: &Lists) -> Protected {
    let domains = [(&ORG_DOMAINS, Group::Organisation), (&PARTNER_DOMAINS, Group::Partner)];
    let domains = domains.into_iter().flat_map(|(role, group)| {
        let each = entries_of(lists, role).filter_map(|(text, expires)| Some((Domain::parse(text)?, expires)));
        each.map(move |(domain, expires)| (group, domain, expires))
    });
    let names = [(&ORG_NAMES, Group::Organisation), (&PARTNER_NAMES, Group::Partner)];
    let organisations = names.into_iter().flat_map(|(role, group)| {
        entries_of(lists, role).map(move |(name, expires)| Organisation {
            name: name.clone(),
            group,
            sites: Vec::new(),
            expires,
        })
    });
    let brands = rows(lists, &BRANDS).map(|row| Organisation {
        name: row.text("name"),
        group: Group::Brand,
        sites: row
            .texts("sites")
            .iter()
            .filter_map(|site| Domain::parse(site))
            .collect(),
        expires: None,
    });
    let named = entries_of(lists, &VIP_NAMES).map(|(name, expires)| Person {
        name: name.clone(),
        expires,
        ..Person::default()
    });
    let vips = rows(lists, &VIPS).map(|row| Person {
        name: row.text("name"),
        role: row.text("role"),
        addresses: row.texts("addresses"),
        expires: None,
    });
    Protected::new(
        domains,
        organisations.chain(brands).collect(),
        vips.chain(named).collect(),
    )
}

/// What keeps a list from being one that `identity` goes by, though its name says that it is.
pub(super) fn mistaken(entry: &ListEntry, source: &Arc<Source>) -> Option<Diagnostic> {
    let role = ROLES.iter().find(|role| role.list == entry.name.value)?;
    let kind = role.kind.as_str();
    let has = |column: &&str| entry.columns.iter().any(|(name, _)| name.value == *column);
    let message = match role.columns.first().filter(|column| !has(column)) {
        _ if entry.kind != role.kind => format!("`${}` is of kind {kind}: `identity` goes by it", role.list),
        Some(column) => format!("`${}` has a column `{column}`: `identity` goes by it", role.list),
        None => return None,
    };
    let error = Diagnostic::error("identity-list", source, entry.name.span.clone(), message);
    Some(error.help(format!("it holds {}", role.doc)))
}

/// A list of the right kind; any other was told of when it was read.
fn list<'l>(lists: &'l Lists, role: &Role) -> Option<&'l List> {
    lists
        .get(role.list)
        .map(Arc::as_ref)
        .filter(|list| list.kind() == role.kind)
}

fn entries_of<'l>(lists: &'l Lists, role: &Role) -> impl Iterator<Item = (&'l String, Expiry)> {
    let entries = list(lists, role).map_or(&[][..], List::entries);
    entries.iter().map(|(text, expires)| (text, *expires))
}

/// A row of a table, by the names of its columns.
struct Row<'l> {
    list: &'l List,
    cells: &'l [Value<'static>],
}

fn rows<'l>(lists: &'l Lists, role: &Role) -> impl Iterator<Item = Row<'l>> {
    let lists = list(lists, role).into_iter();
    lists.flat_map(|list| list.rows().iter().map(move |cells| Row { list, cells }))
}

impl Row<'_> {
    fn cell(&self, column: &str) -> Option<&Value<'static>> {
        let place = self.list.columns().iter().position(|(name, _)| name == column)?;
        self.cells.get(place)
    }

    fn text(&self, column: &str) -> String {
        let text = self.cell(column).and_then(Value::as_text);
        text.map(std::borrow::Cow::into_owned).unwrap_or_default()
    }

    /// One text, or several.
    fn texts(&self, column: &str) -> Vec<String> {
        match self.cell(column) {
            Some(Value::List(list)) => list.items.iter().map(ToString::to_string).collect(),
            Some(one) => one.as_text().map(std::borrow::Cow::into_owned).into_iter().collect(),
            None => Vec::new(),
        }
    }
}
