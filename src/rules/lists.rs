//! Named lists: domains, addresses, URLs, networks, hashes, texts, names, and typed tables.
//!
//! Entries as people write them in, lookups out, each entry with the moment it expires. Knows
//! nothing of files.

use super::value::{Type, Value};
use crate::mail::Domain;
use crate::mail::message::Url;
use jiff::{Timestamp, civil::Date};
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
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// One value.
    One(String),
    /// Several, for a `list<…>` column.
    Many(Vec<String>),
}

/// A list, ready for look-ups.
#[derive(Debug)]
pub struct List {
    name: String,
    kind: ListKind,
}

/// What is wrong with which entry, counted from 0.
pub type EntryProblems = Vec<(usize, String)>;

impl List {
    /// Reads the entries of a list of any kind but `table`.
    pub fn new(name: &str, kind: ListKind, entries: &[Entry]) -> Result<Self, EntryProblems> {
        let _ = entries;
        Ok(Self {
            name: name.to_owned(),
            kind,
        })
    }

    /// Reads a table: `columns` are (name, type word such as `name`, `address`, `list<address>`),
    /// `rows` have (column, cell) pairs; a missing cell is empty or absent.
    pub fn table(name: &str, columns: &[(String, String)], rows: &[Vec<(String, Cell)>]) -> Result<Self, TableProblem> {
        let _ = (columns, rows);
        Self::new(name, ListKind::Table, &[]).map_err(|_| TableProblem::Column(0, String::new()))
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
        0
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns of a table and their types.
    pub fn columns(&self) -> &[(String, Type)] {
        &[]
    }

    /// The rows of a table.
    pub fn rows(&self) -> &[Vec<Value<'static>>] {
        &[]
    }

    /// Whether a `domain` list holds the domain or one above it.
    pub fn contains_domain(&self, domain: &Domain, now: Timestamp) -> bool {
        let _ = (domain, now);
        false
    }

    /// Whether an `address` list holds the address, in any case.
    pub fn contains_address(&self, address: &str, now: Timestamp) -> bool {
        let _ = (address, now);
        false
    }

    /// Whether a `url` list holds the URL's host and a prefix of its path.
    pub fn contains_url(&self, url: &Url, now: Timestamp) -> bool {
        let _ = (url, now);
        false
    }

    /// Whether a `cidr` list holds a network with this address.
    pub fn contains_ip(&self, ip: IpAddr, now: Timestamp) -> bool {
        let _ = (ip, now);
        false
    }

    /// Whether a `text`, `name` or `sha256` list holds the text.
    pub fn contains_text(&self, text: &str, now: Timestamp) -> bool {
        let _ = (text, now);
        false
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
