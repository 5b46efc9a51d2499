//! From the untyped tree to a settings struct, through serde, without losing the place.
//!
//! A [`Node`] in; a value, or a [`Fault`] with the place and path of what is wrong, out. A word from
//! the environment takes the type that its setting has. Knows nothing of which settings exist.

use super::problem::{Place, Problem, nearest};
use super::shares::SHARED;
use super::tree::{Node, Value};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt::{self, Display};

/// One step from the root of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

/// What does not fit a setting; boxed, since serde passes it through many hands.
#[derive(Debug)]
pub(super) struct Fault(Box<Detail>);

#[derive(Debug, Default)]
struct Detail {
    what: String,
    remedy: Option<String>,
    /// Names that could have stood there, for an unknown one.
    known: Option<(String, &'static [&'static str])>,
    place: Option<Place>,
    /// From the innermost step outwards.
    steps: Vec<Step>,
}

/// Reads a `T` from the tree.
pub(super) fn decode<T: de::DeserializeOwned>(node: &Node) -> Result<T, Fault> {
    T::deserialize(NodeDeserializer(node)).map_err(|fault| fault.at(&node.place))
}

impl Fault {
    fn new(what: String) -> Self {
        Self(Box::new(Detail {
            what,
            ..Detail::default()
        }))
    }

    fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// The innermost place counts.
    fn at(mut self, place: &Place) -> Self {
        self.0.place.get_or_insert_with(|| place.clone());
        self
    }

    fn under(mut self, step: Step) -> Self {
        self.0.steps.push(step);
        self
    }

    /// From the root to what is wrong.
    pub(super) fn path(&self) -> impl Iterator<Item = &Step> {
        self.0.steps.iter().rev()
    }

    /// For the administrator. `extra` are names that the root has besides its fields.
    pub(super) fn into_problem(self, extra: &[&'static str]) -> Problem {
        let setting = dotted(self.path());
        let place = self.0.place.clone().unwrap_or(Place::Default);
        let Some((written, known)) = &self.0.known else {
            let remedy = self.0.remedy.unwrap_or_else(|| "see docs/configuration.md".to_owned());
            return Problem::new(&place, format!("{setting}: {}", self.0.what), remedy);
        };
        let extra = if self.0.steps.len() == 1 { extra } else { &[] };
        unknown_name(&place, &setting, written, known.iter().chain(extra).copied())
    }
}

/// The problem of a name that nothing has.
pub(super) fn unknown_name<'n>(
    place: &Place,
    setting: &str,
    written: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Problem {
    let remedy = match nearest(written, known.clone()) {
        Some(near) => match place {
            Place::Variable(name) => {
                let parts = name.split("__");
                let right = |part: &str| {
                    if part.eq_ignore_ascii_case(written) {
                        near.to_uppercase()
                    } else {
                        part.to_owned()
                    }
                };
                format!("did you mean {}?", parts.map(right).collect::<Vec<_>>().join("__"))
            }
            _ => format!("did you mean {near:?}?"),
        },
        None => format!("here stand: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Problem::new(place, format!("{setting}: unknown setting"), remedy)
}

/// `listener[0].address`, as the administrator knows it: without the share of a shared section.
fn dotted<'s>(path: impl Iterator<Item = &'s Step>) -> String {
    let mut text = String::new();
    for (depth, step) in path.enumerate() {
        if depth == 1 && SHARED.contains(&text.as_str()) {
            continue;
        }
        match step {
            Step::Key(name) if text.is_empty() => text.push_str(name),
            Step::Key(name) => text.extend([".", name]),
            Step::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.what)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        // The standard library's words for addresses, and ipnet's for networks.
        match message.to_string().as_str() {
            "invalid socket address syntax" => Self::new("not an address".to_owned()).with_remedy(ADDRESS),
            "invalid IP address syntax" => Self::new("not a network".to_owned()).with_remedy(NETWORK),
            message => Self::new(message.to_owned()),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let wanted = in_words(&expected.to_string());
        let remedy = match (&found, wanted.as_str()) {
            (Unexpected::Signed(_) | Unexpected::Float(_), TEXT) => {
                "put it in quotes; a size or a time has a unit, such as \"50MB\" or \"45s\"".to_owned()
            }
            (_, "socket address") => ADDRESS.to_owned(),
            _ => format!("write {wanted}"),
        };
        let found = match found {
            Unexpected::Map => "a table".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Str(text) => format!("the text {text:?}"),
            Unexpected::Signed(number) => format!("the number {number}"),
            Unexpected::Unsigned(number) => format!("the number {number}"),
            Unexpected::Float(number) => format!("the number {number}"),
            Unexpected::Bool(truth) => truth.to_string(),
            other => other.to_string(),
        };
        Self::new(format!("{found} where {wanted} is needed")).with_remedy(remedy)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        if let Some((_, instead)) = INSTEAD.into_iter().find(|(word, _)| *word == variant) {
            return Self::new(format!("{variant:?} is not known here")).with_remedy(instead.to_owned());
        }
        let words = expected.join(", ");
        let remedy = nearest(variant, expected.iter().copied()).map_or_else(
            || format!("write one of: {words}"),
            |near| format!("did you mean {near:?}? (one of: {words})"),
        );
        Self::new(format!("{variant:?} is not known here")).with_remedy(remedy)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let mut fault = Self::new(format!("unknown setting {field:?}"));
        fault.0.known = Some((field.to_owned(), expected));
        fault
    }
}

/// Words that people may look for, and what does it in their place.
const INSTEAD: [(&str, &str); 1] = [(
    "mta-sts",
    "a policy of MTA-STS tells which of a domain's MX hosts to believe; a route's host is named here, so write verified: it asks for \
     all that the policy would",
)];

const TEXT: &str = "a text in quotes";
const NETWORK: &str = "write a network, such as \"10.0.0.0/8\"";
const ADDRESS: &str = "write address and port, such as \"127.0.0.1:2525\"";

/// serde's names of types, in the administrator's.
fn in_words(expected: &str) -> String {
    let words = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a string" | "path string" => TEXT,
        _ if expected.starts_with("struct ") || expected == "a map" => "a table",
        _ if expected.contains("enum ") => "a word in quotes",
        other => other,
    };
    words.to_owned()
}

struct NodeDeserializer<'n>(&'n Node);

impl<'n> NodeDeserializer<'n> {
    /// Numbers and truth values of a word; everything else is as it is.
    fn word<T: std::str::FromStr>(&self) -> Option<T> {
        match &self.0.value {
            Value::Word(word) => word.trim().parse().ok(),
            _ => None,
        }
    }
}

macro_rules! deserialize_words {
    ($($method:ident $visit:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.word() {
                Some(value) => visitor.$visit(value),
                None => self.deserialize_any(visitor),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for NodeDeserializer<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.value {
            Value::String(text) | Value::Word(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(truth) => visitor.visit_bool(*truth),
            Value::Array(items) => visitor.visit_seq(Items {
                nodes: items.iter().enumerate(),
            }),
            Value::Table(table) => visitor.visit_map(Entries {
                entries: table.iter(),
                next: None,
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.0.value {
            Value::String(word) | Value::Word(word) => visitor.visit_enum(StrDeserializer::new(word)),
            _ => self.deserialize_any(visitor),
        }
    }

    deserialize_words! {
        deserialize_bool visit_bool
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32 deserialize_i64 visit_i64
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32 deserialize_u64 visit_u64
        deserialize_f32 visit_f32 deserialize_f64 visit_f64
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// The items of an array in order.
struct Items<'n> {
    nodes: std::iter::Enumerate<std::slice::Iter<'n, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, node)) = self.nodes.next() else {
            return Ok(None);
        };
        let read = seed.deserialize(NodeDeserializer(node));
        read.map(Some)
            .map_err(|fault| fault.at(&node.place).under(Step::Item(index)))
    }
}

/// The entries of a table in order.
struct Entries<'n> {
    entries: std::collections::btree_map::Iter<'n, String, (Place, Node)>,
    next: Option<(&'n str, &'n Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, (place, node))) = self.entries.next() else {
            return Ok(None);
        };
        self.next = Some((name, node));
        let read = seed.deserialize(StrDeserializer::<Fault>::new(name));
        read.map(Some)
            .map_err(|fault| fault.at(place).under(Step::Key(name.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, node) = self
            .next
            .take()
            .ok_or_else(|| Fault::new("a value without a name".to_owned()))?;
        let read = seed.deserialize(NodeDeserializer(node));
        read.map_err(|fault| fault.at(&node.place).under(Step::Key(name.to_owned())))
    }
}
