//! The functions and methods of the language: one row each, for suggestions and the reference.
//!
//! What they mean is in the compiler, which has an arm for each row; a test holds the two together.

/// What a method is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// Nothing: a function.
    Nothing,
    /// A string, or what has a text: an address, a domain, a URL.
    Text,
    /// A list.
    List,
    /// A URL.
    Url,
}

/// A row of the function table.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What it is asked of.
    pub receiver: Receiver,
    /// Its arguments as the reference shows them; empty for one that is written without any.
    pub arguments: &'static str,
    /// What it gives.
    pub result: &'static str,
    /// What it does, a line for people.
    pub doc: &'static str,
}

const fn row(
    name: &'static str,
    receiver: Receiver,
    arguments: &'static str,
    result: &'static str,
    doc: &'static str,
) -> Function {
    Function {
        name,
        receiver,
        arguments,
        result,
        doc,
    }
}

use Receiver::{List, Nothing, Text, Url};

/// Every function and method.
pub const FUNCTIONS: &[Function] = &[
    row(
        "present",
        Nothing,
        "x",
        "condition",
        "whether the message has it; of strings and lists, whether there is anything in it",
    ),
    row("known", Nothing, "x", "condition", "whether it could be found out"),
    row(
        "header",
        Nothing,
        "'Name'",
        "list of string",
        "every instance of a header field, decoded and unfolded",
    ),
    row(
        "header_raw",
        Nothing,
        "'Name'",
        "list of string",
        "every instance of a header field, as it came",
    ),
    row("contains", Text, "needle, …", "condition", "any needle stands in it"),
    row(
        "icontains",
        Text,
        "needle, …",
        "condition",
        "any needle stands in it, in any case",
    ),
    row(
        "starts_with",
        Text,
        "needle, …",
        "condition",
        "it begins with any needle",
    ),
    row(
        "istarts_with",
        Text,
        "needle, …",
        "condition",
        "it begins with any needle, in any case",
    ),
    row("ends_with", Text, "needle, …", "condition", "it ends with any needle"),
    row(
        "iends_with",
        Text,
        "needle, …",
        "condition",
        "it ends with any needle, in any case",
    ),
    row(
        "iequals",
        Text,
        "needle, …",
        "condition",
        "it is any needle, in any case",
    ),
    row("matches", Text, "/regex/, …", "condition", "any regex is found in it"),
    row(
        "count",
        Text,
        "/regex/",
        "number",
        "how often a regex is found in it, without overlap",
    ),
    row("lower", Text, "", "string", "its case folded"),
    row("skeleton", Text, "", "string", "its look-alikes folded to ASCII"),
    row(
        "similar_to",
        Text,
        "string or $list, distance",
        "condition",
        "it is near, and not equal",
    ),
    row("length", Text, "", "number", "characters"),
    row("domains", Text, "", "list of domain", "domains that it names"),
    row("addresses", Text, "", "list of address", "mail addresses that it names"),
    row("any", List, "x, condition", "condition", "it holds for any item"),
    row(
        "all",
        List,
        "x, condition",
        "condition",
        "it holds for every item, or there are none",
    ),
    row("count", List, "x, condition", "number", "for how many items it holds"),
    row(
        "distinct",
        List,
        "x, expression",
        "list",
        "the different values of an expression",
    ),
    row("length", List, "", "number", "items"),
    row("first", List, "", "item", "the first item; absent without one"),
    row(
        "param",
        Url,
        "'name'",
        "string",
        "a query parameter, decoded; empty without one",
    ),
    row(
        "names_recipient",
        Url,
        "",
        "condition",
        "whether it holds the address of a recipient",
    ),
];

/// The names for one kind of receiver.
pub fn names(receiver: Receiver) -> impl Iterator<Item = &'static str> {
    FUNCTIONS
        .iter()
        .filter(move |function| function.receiver == receiver)
        .map(|function| function.name)
}

/// Whether any method has this name.
pub fn is_method(name: &str) -> bool {
    FUNCTIONS
        .iter()
        .any(|function| function.name == name && function.receiver != Nothing)
}
