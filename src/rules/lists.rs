//! Named lists: domains, addresses, URLs, networks, hashes, texts, names, and typed tables.
//!
//! Entries as people write them in, lookups out, each entry with the moment it expires. Knows
//! nothing of files.

use super::text::comparable_name;
use super::value::{Base, Type, Value};
use crate::mail::Domain;
use crate::mail::message::Url;
use foldhash::HashMap;
use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;

/// What the entries of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// Domains; what stands below them is in the list too.
    Domain,
    /// Mail addresses.
    Address,
    /// URLs by host and path prefix.
    Url,
    /// Networks.
    Cidr,
    /// SHA-256 digests in hex.
    Sha256,
    /// Texts, compared exactly.
    Text,
    /// Names of people or organisations, compared without regard to case and spacing.
    Name,
    /// Rows with typed columns.
    Table,
}

impl ListKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Domain,
        Self::Address,
        Self::Url,
        Self::Cidr,
        Self::Sha256,
        Self::Text,
        Self::Name,
        Self::Table,
    ];

    /// The word in rule files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Address => "address",
            Self::Url => "url",
            Self::Cidr => "cidr",
            Self::Sha256 => "sha256",
            Self::Text => "text",
            Self::Name => "name",
            Self::Table => "table",
        }
    }

    /// From the word in rule files.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// An entry as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: String,
    /// It counts to the end of that day, UTC.
    pub expires: Option<Date>,
}

/// A cell of a table as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cell {
    /// One value.
    One(String),
    /// Several, for a `list<…>` column.
    Many(Vec<String>),
}

/// The most entries or rows of one list.
pub const ENTRIES_MAX: usize = 1_000_000;
/// The longest entry, in bytes.
pub const ENTRY_BYTES_MAX: usize = 1_024;

/// A list, ready for look-ups.
#[derive(Debug)]
pub struct List {
    name: String,
    kind: ListKind,
    /// As written, in order, for tests that try each entry.
    entries: Vec<(String, Expiry)>,
    index: Index,
    columns: Vec<(String, Type)>,
    rows: Vec<Vec<Value<'static>>>,
}

/// What is wrong with which entry, counted from 0.
pub type EntryProblems = Vec<(usize, String)>;

/// The first moment at which an entry no longer counts; `None` for ever.
type Expiry = Option<Timestamp>;

/// Entries in their comparable form.
#[derive(Debug, Default)]
struct Index {
    /// Domains, addresses, digests, texts, names; of URLs the hosts.
    texts: HashMap<Box<str>, Expiry>,
    /// Of URLs: by host, what path and query must begin with.
    paths: HashMap<Box<str>, Vec<(Box<str>, Expiry)>>,
    networks: HashMap<IpNet, Expiry>,
    /// The prefix lengths that occur, of IPv4 and IPv6.
    prefix_lengths: (BTreeSet<u8>, BTreeSet<u8>),
}

impl List {
    /// Reads the entries of a list of any kind but `table`.
    pub fn new(name: &str, kind: ListKind, entries: &[Entry]) -> Result<Self, EntryProblems> {
        let mut index = Index::default();
        let mut problems = EntryProblems::new();
        if entries.len() > ENTRIES_MAX {
            return Err(vec![(
                ENTRIES_MAX,
                format!("the list has more than {ENTRIES_MAX} entries"),
            )]);
        }
        let mut kept = Vec::with_capacity(entries.len());
        for (place, entry) in entries.iter().enumerate() {
            let value = entry.value.trim();
            let expiry = entry.expires.and_then(end_of);
            let added = match value.len() > ENTRY_BYTES_MAX {
                true => Err(format!("the entry is longer than {ENTRY_BYTES_MAX} bytes")),
                false => index.add(kind, value, expiry),
            };
            match added {
                Ok(()) => kept.push((value.to_owned(), expiry)),
                Err(message) => problems.push((place, message)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            name: name.to_owned(),
            kind,
            entries: kept,
            index,
            columns: Vec::new(),
            rows: Vec::new(),
        })
    }

    /// Reads a table: `columns` are (name, type word such as `name`, `address`, `list<address>`),
    /// `rows` have (column, cell) pairs; a missing cell is empty or absent.
    pub fn table(name: &str, columns: &[(String, String)], rows: &[Vec<(String, Cell)>]) -> Result<Self, TableProblem> {
        if rows.len() > ENTRIES_MAX {
            let message = format!("the table has more than {ENTRIES_MAX} rows");
            return Err(TableProblem::Row(ENTRIES_MAX, message));
        }
        let typed = columns.iter().enumerate().map(|(place, (column, word))| {
            let ty = column_type(word).ok_or_else(|| {
                let words: Vec<&str> = COLUMN_TYPES.iter().map(|(word, _)| *word).collect();
                let message = format!("`{word}` is no column type: use {} or list<…> of one", words.join(", "));
                TableProblem::Column(place, message)
            })?;
            Ok((column.clone(), ty))
        });
        let columns = typed.collect::<Result<Vec<_>, TableProblem>>()?;
        let rows = rows
            .iter()
            .enumerate()
            .map(|(place, cells)| row(&columns, cells).map_err(|message| TableProblem::Row(place, message)));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            name: name.to_owned(),
            kind: ListKind::Table,
            entries: Vec::new(),
            index: Index::default(),
            columns,
            rows,
        })
    }

    /// Its name, without the `$`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its entries are.
    pub fn kind(&self) -> ListKind {
        self.kind
    }

    /// How many entries or rows it has, expired ones counted.
    pub fn len(&self) -> usize {
        self.entries.len().max(self.rows.len())
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries as written, with the moment from which each no longer counts.
    pub fn entries(&self) -> &[(String, Option<Timestamp>)] {
        &self.entries
    }

    /// The columns of a table and their types.
    pub fn columns(&self) -> &[(String, Type)] {
        &self.columns
    }

    /// The rows of a table, a value for each column.
    pub fn rows(&self) -> &[Vec<Value<'static>>] {
        &self.rows
    }

    /// Whether a `domain` list holds the domain or one above it.
    pub fn contains_domain(&self, domain: &Domain, now: Timestamp) -> bool {
        let mut rest = Some(domain.as_str());
        while let Some(name) = rest {
            if self.has(name, now) {
                return true;
            }
            rest = name.split_once('.').map(|(_, above)| above);
        }
        false
    }

    /// Whether an `address` list holds the address, in any case.
    pub fn contains_address(&self, address: &str, now: Timestamp) -> bool {
        self.has(&address.to_ascii_lowercase(), now)
    }

    /// How many entries of a `url` list have the URL's host: each is looked at.
    pub fn paths_of(&self, url: &Url) -> usize {
        let host = url.domain.as_ref().map(Domain::as_str);
        host.and_then(|host| self.index.paths.get(host)).map_or(0, Vec::len)
    }

    /// Whether a `url` list holds the URL's host and what its path begins with.
    pub fn contains_url(&self, url: &Url, now: Timestamp) -> bool {
        let host = url.domain.as_ref().map(Domain::as_str);
        let Some(prefixes) = host.and_then(|host| self.index.paths.get(host)) else {
            return false;
        };
        let target = match url.query.is_empty() {
            true => url.path.clone(),
            false => format!("{}?{}", url.path, url.query),
        };
        prefixes
            .iter()
            .any(|(prefix, expiry)| counts(*expiry, now) && is_path_within(&target, prefix))
    }

    /// Whether a `cidr` list holds a network with this address.
    pub fn contains_ip(&self, ip: IpAddr, now: Timestamp) -> bool {
        let lengths = match ip {
            IpAddr::V4(_) => &self.index.prefix_lengths.0,
            IpAddr::V6(_) => &self.index.prefix_lengths.1,
        };
        lengths.iter().any(|length| {
            let network = IpNet::new(ip, *length).ok().map(|network| network.trunc());
            let found = network.and_then(|network| self.index.networks.get(&network));
            found.is_some_and(|expiry| counts(*expiry, now))
        })
    }

    /// Whether a `text`, `name` or `sha256` list holds the text.
    pub fn contains_text(&self, text: &str, now: Timestamp) -> bool {
        match self.kind {
            ListKind::Name => self.has(&comparable_name(text), now),
            ListKind::Sha256 => self.has(&text.to_ascii_lowercase(), now),
            _ => self.has(text, now),
        }
    }

    /// What it takes, itself included.
    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = self.entries.iter().map(|(text, _)| text.capacity());
        let cells = self
            .rows
            .iter()
            .flatten()
            .map(|cell| size_of_val(cell) + cell.text_bytes());
        size_of::<Self>()
            + self.entries.capacity() * size_of::<(String, Expiry)>()
            + texts.sum::<usize>()
            + self.index.heap_bytes()
            + self.rows.capacity() * size_of::<Vec<Value<'_>>>()
            + cells.sum::<usize>()
    }

    fn has(&self, text: &str, now: Timestamp) -> bool {
        self.index.texts.get(text).is_some_and(|expiry| counts(*expiry, now))
    }
}

/// What is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableProblem {
    /// With the column of this index.
    Column(usize, String),
    /// With the row of this index.
    Row(usize, String),
}

impl fmt::Display for TableProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Column(_, why) | Self::Row(_, why)) = self;
        formatter.write_str(why)
    }
}

impl Index {
    /// A table has a byte beside each place of its.
    fn heap_bytes(&self) -> usize {
        let texts = self.texts.keys().map(|text| text.len()).sum::<usize>();
        let paths = self.paths.iter().map(|(host, paths)| {
            let each = paths.iter().map(|(path, _)| path.len());
            host.len() + size_of_val(&**paths) + each.sum::<usize>()
        });
        texts
            + self.texts.capacity() * (size_of::<(Box<str>, Expiry)>() + 1)
            + paths.sum::<usize>()
            + self.paths.capacity() * (size_of::<(Box<str>, Vec<(Box<str>, Expiry)>)>() + 1)
            + self.networks.capacity() * (size_of::<(IpNet, Expiry)>() + 1)
    }

    fn add(&mut self, kind: ListKind, value: &str, expiry: Expiry) -> Result<(), String> {
        if value.is_empty() {
            return Err("the entry is empty".to_owned());
        }
        match kind {
            ListKind::Domain => longest(&mut self.texts, domain_entry(value)?.as_str().into(), expiry),
            ListKind::Address => longest(&mut self.texts, address_entry(value)?.into(), expiry),
            ListKind::Url => self.add_url(value, expiry)?,
            ListKind::Cidr => self.add_network(value, expiry)?,
            ListKind::Sha256 => longest(&mut self.texts, sha256_entry(value)?.into(), expiry),
            ListKind::Text => longest(&mut self.texts, value.into(), expiry),
            ListKind::Name => longest(&mut self.texts, comparable_name(value).into(), expiry),
            ListKind::Table => return Err("a table has rows, not entries".to_owned()),
        }
        Ok(())
    }

    fn add_url(&mut self, value: &str, expiry: Expiry) -> Result<(), String> {
        let bare = ["https://", "http://"]
            .iter()
            .find_map(|scheme| value.strip_prefix(scheme))
            .unwrap_or(value);
        let (host, path) = bare
            .split_at_checked(bare.find('/').unwrap_or(bare.len()))
            .unwrap_or((bare, ""));
        let host = Domain::parse(host).ok_or_else(|| format!("`{value}` is no URL such as `host.example/path`"))?;
        let prefixes = self.paths.entry(host.as_str().into()).or_default();
        prefixes.push((path.into(), expiry));
        Ok(())
    }

    fn add_network(&mut self, value: &str, expiry: Expiry) -> Result<(), String> {
        let network = value
            .parse::<IpNet>()
            .or_else(|_| value.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| format!("`{value}` is no network such as `192.0.2.0/24` or `2001:db8::/32`"))?;
        let network = network.trunc();
        match network {
            IpNet::V4(_) => self.prefix_lengths.0.insert(network.prefix_len()),
            IpNet::V6(_) => self.prefix_lengths.1.insert(network.prefix_len()),
        };
        longest(&mut self.networks, network, expiry);
        Ok(())
    }
}

/// Of two entries alike the one that counts longer stays.
fn longest<K: Hash + Eq>(index: &mut HashMap<K, Expiry>, key: K, expiry: Expiry) {
    let kept = index.entry(key).or_insert(expiry);
    *kept = match (*kept, expiry) {
        (Some(one), Some(other)) => Some(one.max(other)),
        _ => None,
    };
}

fn counts(expiry: Expiry, now: Timestamp) -> bool {
    expiry.is_none_or(|expiry| now < expiry)
}

/// The moment after the last of a day, UTC.
fn end_of(day: Date) -> Expiry {
    let next = day.tomorrow().ok()?;
    Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A prefix ends at a border of the path, so that `/a` holds `/a/b` and not `/ab`.
fn is_path_within(target: &str, prefix: &str) -> bool {
    let Some(rest) = target.strip_prefix(prefix) else {
        return prefix == "/" && target.is_empty();
    };
    rest.is_empty() || prefix.is_empty() || prefix.ends_with('/') || rest.starts_with(['/', '?', '&', '#'])
}

fn domain_entry(value: &str) -> Result<Domain, String> {
    if let Some(bare) = value.strip_prefix("*.").or_else(|| value.strip_prefix('.')) {
        return Err(format!(
            "what stands below a domain is in the list anyway: write `{bare}`"
        ));
    }
    Domain::parse(value).ok_or_else(|| {
        let kind = match value {
            value if value.contains('@') => "; a list of kind address holds addresses",
            value if value.contains('/') => "; a list of kind url holds hosts with their paths",
            _ => "",
        };
        format!("`{value}` is no domain{kind}")
    })
}

fn address_entry(value: &str) -> Result<String, String> {
    let has_both = value.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && (domain.starts_with('[') || Domain::parse(domain).is_some())
    });
    match has_both {
        true => Ok(value.to_ascii_lowercase()),
        false => Err(format!("`{value}` is no address such as `name@example.org`")),
    }
}

fn sha256_entry(value: &str) -> Result<String, String> {
    match value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(value.to_ascii_lowercase()),
        false => Err(format!("`{value}` is no SHA-256 digest of 64 hex digits")),
    }
}

pub(super) const COLUMN_TYPES: [(&str, Base); 7] = [
    ("string", Base::Text),
    ("name", Base::Text),
    ("number", Base::Int),
    ("bool", Base::Bool),
    ("address", Base::Address),
    ("domain", Base::Domain),
    ("ip", Base::Ip),
];

fn column_type(word: &str) -> Option<Type> {
    let inner = word.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>'));
    let base = |word: &str| {
        COLUMN_TYPES
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, base)| *base)
    };
    match inner {
        Some(inner) => base(inner).map(Type::Many),
        None => base(word).map(Type::One),
    }
}

fn row(columns: &[(String, Type)], cells: &[(String, Cell)]) -> Result<Vec<Value<'static>>, String> {
    let is_column = |name: &str| columns.iter().any(|(column, _)| column == name);
    if let Some((stray, _)) = cells.iter().find(|(name, _)| !is_column(name)) {
        return Err(format!("the table has no column `{stray}`"));
    }
    let value = |(column, ty): &(String, Type)| {
        let cell = cells.iter().find(|(name, _)| name == column).map(|(_, cell)| cell);
        let within = |message| format!("`{column}`: {message}");
        match (cell, *ty) {
            (None, Type::One(Base::Text)) => Ok(Value::text("")),
            (None, Type::One(_)) => Ok(Value::Absent),
            (None, Type::Many(_)) => Ok(Value::list([])),
            (Some(Cell::One(text)), Type::One(base)) => cell_value(base, text).map_err(within),
            (Some(Cell::One(_)), Type::Many(_)) => Err(within("the column holds lists".to_owned())),
            (Some(Cell::Many(_)), Type::One(_)) => Err(within("the column holds single values".to_owned())),
            (Some(Cell::Many(texts)), Type::Many(base)) => {
                let items = texts.iter().map(|text| cell_value(base, text));
                Ok(Value::list(items.collect::<Result<Vec<_>, _>>().map_err(within)?))
            }
        }
    };
    columns.iter().map(value).collect()
}

fn cell_value(base: Base, text: &str) -> Result<Value<'static>, String> {
    let no = |what: &str| format!("`{text}` is no {what}");
    match base {
        Base::Text => Ok(Value::Text(Cow::Owned(text.to_owned()))),
        Base::Int => text.parse().map(Value::Int).map_err(|_| no("number")),
        Base::Bool => text.parse().map(Value::Bool).map_err(|_| no("bool")),
        Base::Address => address_entry(text).map(|address| Value::Address(Cow::Owned(address))),
        Base::Domain => domain_entry(text).map(|domain| Value::Domain(Cow::Owned(domain))),
        Base::Ip => text.parse().map(Value::Ip).map_err(|_| no("IP address")),
        _ => Err(no("cell")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(values: &[&str]) -> Vec<Entry> {
        let entry = |value: &&str| Entry {
            value: (*value).to_owned(),
            expires: None,
        };
        values.iter().map(entry).collect()
    }

    fn list(kind: ListKind, values: &[&str]) -> List {
        List::new("l", kind, &entries(values)).unwrap()
    }

    fn url(host: &str, path: &str, query: &str) -> Url {
        Url {
            domain: Domain::parse(host),
            path: path.to_owned(),
            query: query.to_owned(),
            ..Url::default()
        }
    }

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn domains_hold_what_stands_below() {
        let list = list(ListKind::Domain, &["Example.ORG", "bücher.example"]);
        for (domain, held) in [
            ("example.org", true),
            ("a.b.example.org", true),
            ("notexample.org", false),
            ("org", false),
            ("xn--bcher-kva.example", true),
        ] {
            assert_eq!(
                list.contains_domain(&Domain::parse(domain).unwrap(), NOW),
                held,
                "{domain}"
            );
        }
    }

    #[test]
    fn addresses_ignore_case_and_digests_too() {
        assert!(list(ListKind::Address, &["Jane@Example.org"]).contains_address("jANE@example.ORG", NOW));
        let digest = "AB".repeat(32);
        assert!(list(ListKind::Sha256, &[&digest]).contains_text(&digest.to_lowercase(), NOW));
    }

    #[test]
    fn urls_are_held_by_host_and_path_prefix() {
        let list = list(ListKind::Url, &["https://a.example/x", "b.example", "c.example/y?id=1"]);
        for (host, path, query, held) in [
            ("a.example", "/x", "", true),
            ("a.example", "/x/y", "", true),
            ("a.example", "/xy", "", false),
            ("a.example", "/", "", false),
            ("b.example", "/any", "", true),
            ("b.example", "", "", true),
            ("x.b.example", "", "", false),
            ("c.example", "/y", "id=1", true),
            ("c.example", "/y", "id=1&z", true),
            ("c.example", "/y", "id=12", false),
        ] {
            assert_eq!(
                list.contains_url(&url(host, path, query), NOW),
                held,
                "{host}{path}?{query}"
            );
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        let list = list(ListKind::Cidr, &["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"]);
        for (ip, held) in [
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(list.contains_ip(ip.parse().unwrap(), NOW), held, "{ip}");
        }
    }

    #[test]
    fn names_even_out_and_texts_do_not() {
        let names = list(ListKind::Name, &["Jane  Doe"]);
        assert!(names.contains_text("JANE\tdoe ", NOW));
        let texts = list(ListKind::Text, &["Jane"]);
        assert!(texts.contains_text("Jane", NOW) && !texts.contains_text("jane", NOW));
    }

    #[test]
    fn entries_count_to_the_end_of_their_day() {
        let day: Date = "2027-01-31".parse().unwrap();
        let mut entries = entries(&["a", "b", "b"]);
        entries[0].expires = Some(day);
        entries[1].expires = Some(day);
        let list = List::new("l", ListKind::Text, &entries).unwrap();
        for (now, held) in [("2027-01-31T23:59:59.999Z", true), ("2027-02-01T00:00:00Z", false)] {
            let now = now.parse().unwrap();
            assert_eq!(list.contains_text("a", now), held);
            assert!(list.contains_text("b", now));
        }
    }

    #[test]
    fn bad_entries_are_told_apart() {
        let kinds = [
            (ListKind::Domain, "*.example.org"),
            (ListKind::Domain, "a@b"),
            (ListKind::Address, "example.org"),
            (ListKind::Url, "https:///x"),
            (ListKind::Cidr, "192.0.2.0/33"),
            (ListKind::Sha256, "abc"),
            (ListKind::Text, " "),
            (ListKind::Table, "x"),
        ];
        for (kind, bad) in kinds {
            let problems = List::new("l", kind, &entries(&[bad])).unwrap_err();
            assert_eq!(problems.len(), 1, "{bad}");
            assert_eq!(problems[0].0, 0);
        }
        let long = |bytes: usize| List::new("l", ListKind::Text, &entries(&[&"a".repeat(bytes)])).is_ok();
        assert!(long(ENTRY_BYTES_MAX - 1) && long(ENTRY_BYTES_MAX) && !long(ENTRY_BYTES_MAX + 1));
    }

    #[test]
    fn tables_have_typed_columns() {
        let columns = [("name", "name"), ("addresses", "list<address>"), ("since", "number")]
            .map(|(name, word)| (name.to_owned(), word.to_owned()));
        let one = |column: &str, text: &str| (column.to_owned(), Cell::One(text.to_owned()));
        let rows = [vec![
            one("name", "Jane Doe"),
            ("addresses".to_owned(), Cell::Many(vec!["J@example.org".to_owned()])),
        ]];
        let table = List::table("vips", &columns, &rows).unwrap();
        assert_eq!(table.len(), 1);
        assert_eq!(table.columns()[1].1, Type::Many(Base::Address));
        assert!(matches!(table.rows()[0][2], Value::Absent));
        for (row, message) in [
            (vec![one("age", "1")], "no column `age`"),
            (vec![one("since", "x")], "no number"),
            (vec![one("addresses", "j@example.org")], "holds lists"),
        ] {
            let Err(TableProblem::Row(0, found)) = List::table("vips", &columns, &[row]) else {
                panic!("{message}");
            };
            assert!(found.contains(message), "{found}");
        }
        let bad = [("x".to_owned(), "set<name>".to_owned())];
        assert!(matches!(List::table("v", &bad, &[]), Err(TableProblem::Column(0, _))));
    }
}
