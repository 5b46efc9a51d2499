//! The layers of settings, lowest first: built-in defaults, main file, `conf.d`, environment, flags.
//!
//! Sources in, one decoded and checked [`Config`] out. Every layer is decoded by itself too, so that
//! a mistake shows even where a higher layer hides it. Knows nothing of single settings.

use super::Config;
use super::check::check;
use super::decode::{Step, decode};
use super::environment::{Flag, from_flags, from_variables};
use super::problem::{Place, Problem, Problems};
use super::read::{is_there, read_layers};
use super::shares;
use super::show::{Row, rows};
use super::tree::{Arrays, Node, Value};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the main file is looked for, in this order.
pub const DEFAULT_FILES: [&str; 2] = ["config/portreeve.toml", "/etc/portreeve/portreeve.toml"];
/// Problems that are reported at once.
const PROBLEMS_MAX: usize = 100;

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The main file, which must then exist; otherwise the first of [`DEFAULT_FILES`] that does, or
    /// the built-in defaults.
    pub file: Option<PathBuf>,
    /// The process's environment; only what starts with `PORTREEVE__` is looked at.
    pub variables: Vec<(OsString, OsString)>,
    /// Settings given on the command line.
    pub flags: Vec<Flag>,
}

/// Effective settings, and how they came to be.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The main file; `None` when there is none.
    pub file: Option<PathBuf>,
    /// What is allowed but unwise.
    pub warnings: Vec<Problem>,
    tree: Node,
}

impl Loaded {
    /// Every setting with its value and origin, in the order of the names.
    pub fn rows(&self) -> Vec<Row> {
        rows(&self.tree)
    }
}

/// Loads the settings.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let file = sources.file.clone().or_else(default_file);
    let structs = defaults();
    let mut tree = shares::join(structs.clone());
    let files = file
        .as_deref()
        .map_or_else(Vec::new, |file| read_layers(file, &mut problems));
    let variables = from_variables(&sources.variables, &mut problems);
    let files = files.into_iter().map(|layer| (layer.tree, layer.is_main));
    let words = std::iter::once(variables).chain(from_flags(&sources.flags, &mut problems));
    let layers: Vec<(Node, bool)> = files.chain(words.map(|tree| (tree, false))).collect();
    for (mut layer, is_main) in layers {
        check_names(&layer, &mut problems);
        spell_out_upstream(&mut layer, &mut problems);
        let arrays = if is_main { Arrays::Replace } else { Arrays::ByName };
        if is_from_file(&layer) {
            decode_whole(&layer, &structs, &mut problems);
        }
        tree.merge(layer, arrays, &mut problems);
    }
    let config = decode_whole(&tree, &structs, &mut problems);
    let mut warnings = Vec::new();
    if problems.is_empty() {
        check(&config, &tree, &mut problems, &mut warnings);
    }
    problems.sort();
    problems.dedup();
    problems.truncate(PROBLEMS_MAX);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    Ok(Loaded {
        config,
        file,
        warnings,
        tree,
    })
}

fn default_file() -> Option<PathBuf> {
    DEFAULT_FILES
        .iter()
        .map(Path::new)
        .find(|path| is_there(path))
        .map(Path::to_owned)
}

/// The built-in defaults in the shape of the structs.
pub(super) fn defaults() -> Node {
    let table = toml::Table::try_from(Config::default()).unwrap_or_default();
    built_in(toml::Value::Table(table))
}

fn built_in(value: toml::Value) -> Node {
    let value = match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::Integer(number),
        toml::Value::Float(number) => Value::Float(number),
        toml::Value::Boolean(truth) => Value::Boolean(truth),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(built_in).collect()),
        toml::Value::Table(table) => Value::Table(
            table
                .into_iter()
                .map(|(name, value)| (name, (Place::Default, built_in(value))))
                .collect(),
        ),
    };
    Node {
        value,
        place: Place::Default,
    }
}

fn is_from_file(layer: &Node) -> bool {
    matches!(layer.place, Place::File { .. })
}

/// Decodes what can be decoded: each thing that does not fit becomes a problem and is left out.
fn decode_whole(tree: &Node, structs: &Node, problems: &mut Vec<Problem>) -> Config {
    let mut tree = shares::split(tree.clone(), structs, problems);
    for _ in 0..PROBLEMS_MAX {
        let fault = match decode(&tree) {
            Ok(config) => return config,
            Err(fault) => fault,
        };
        let path: Vec<Step> = fault.path().cloned().collect();
        problems.push(fault.into_problem(&["upstream"]));
        if !remove(&mut tree, &path) {
            break;
        }
    }
    Config::default()
}

fn remove(node: &mut Node, path: &[Step]) -> bool {
    let Some((last, way)) = path.split_last() else {
        return false;
    };
    let mut here = node;
    for step in way {
        let next = match (step, &mut here.value) {
            (Step::Key(name), Value::Table(table)) => table.get_mut(name).map(|(_, node)| node),
            (Step::Item(index), Value::Array(items)) => items.get_mut(*index),
            _ => None,
        };
        let Some(next) = next else { return false };
        here = next;
    }
    match (last, &mut here.value) {
        (Step::Key(name), Value::Table(table)) => table.remove(name).is_some(),
        (Step::Item(index), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

/// A name stands once in a layer: a second table would silently change the first.
fn check_names(layer: &Node, problems: &mut Vec<Problem>) {
    for (setting, array) in named_arrays(layer) {
        let mut seen: Vec<&str> = Vec::new();
        for item in array.items() {
            match item.name() {
                Some(name) if seen.contains(&name) => problems.push(Problem::new(
                    &item.place,
                    format!("a second [[{setting}]] named {name:?}"),
                    "give each a name of its own",
                )),
                Some(name) => seen.push(name),
                None if item.as_table().is_some() => problems.push(Problem::new(
                    &item.place,
                    format!("this [[{setting}]] has no name"),
                    "add name = \"…\"",
                )),
                None => {}
            }
        }
    }
}

/// The arrays whose tables carry names.
pub(super) fn named_arrays(tree: &Node) -> impl Iterator<Item = (&'static str, &Node)> {
    let recipients = tree.get("policy").and_then(|policy| policy.get("recipients"));
    [
        ("listener", tree.get("listener")),
        ("route", tree.get("route")),
        ("dns_list", tree.get("dns_list")),
        ("policy.recipients", recipients),
    ]
    .into_iter()
    .filter_map(|(setting, node)| node.map(|node| (setting, node)))
}

/// `[upstream]` is short for a `[[route]]` named `default`.
fn spell_out_upstream(layer: &mut Node, problems: &mut Vec<Problem>) {
    let Some(table) = layer.as_table_mut() else { return };
    let Some((place, mut route)) = table.remove("upstream") else {
        return;
    };
    let Some(fields) = route.as_table_mut() else {
        problems.push(Problem::new(
            &place,
            "upstream: a value where a table is needed",
            "write [upstream] and under it target = \"…\"",
        ));
        return;
    };
    if let Some((name_place, _)) = fields.get("name").or_else(|| fields.get("domains")) {
        problems.push(Problem::new(
            name_place,
            "[upstream] takes neither name nor domains: it is the default route",
            "write a [[route]] for single domains",
        ));
    }
    let name = Node {
        value: Value::String("default".to_owned()),
        place: place.clone(),
    };
    fields.insert("name".to_owned(), (place.clone(), name));
    let array = Node {
        value: Value::Array(Vec::new()),
        place: place.clone(),
    };
    let routes = &mut table
        .entry("route".to_owned())
        .or_insert_with(|| (place.clone(), array))
        .1;
    if routes.items().iter().any(takes_everything) {
        problems.push(Problem::new(
            &place,
            "[upstream] and a [[route]] both take every domain",
            "keep one of them",
        ));
    }
    if let Value::Array(items) = &mut routes.value {
        items.push(route);
    }
}

fn takes_everything(route: &Node) -> bool {
    let named_so = route.name() == Some("default");
    let everything = |node: &Node| node.value == Value::String("*".to_owned());
    named_so
        || route
            .get("domains")
            .is_some_and(|domains| domains.items().iter().any(everything))
}
