//! Settings files: found, read within bounds, parsed into trees.
//!
//! Paths in, one layer a file out, lowest first; every syntax error with its place. Knows nothing
//! of which settings exist.

use super::problem::{Place, Problem};
use super::tree::{Node, Table, Value};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of one file.
pub(super) const FILE_MAX: u64 = 1 << 20;
/// Files in `conf.d`.
pub(super) const FILES_MAX: usize = 100;

/// One parsed file.
pub(super) struct Layer {
    pub(super) tree: Node,
    pub(super) is_main: bool,
}

/// Reads the main file and its `conf.d`. What can't be read or parsed becomes a problem, and the
/// rest is read all the same, so that one look shows everything.
pub(super) fn read_layers(main: &Path, problems: &mut Vec<Problem>) -> Vec<Layer> {
    let mut layers = Vec::new();
    let more = drop_ins(main, problems);
    for (index, path) in std::iter::once(main.to_owned()).chain(more).enumerate() {
        let name: Arc<str> = path.display().to_string().into();
        match read_text(&path, &name) {
            Ok(text) => layers.push(Layer {
                tree: parse(&text, &name, problems),
                is_main: index == 0,
            }),
            Err(problem) => problems.push(problem),
        }
    }
    layers
}

/// `conf.d/*.toml` beside the main file, in the order of their names.
fn drop_ins(main: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let folder = main.parent().unwrap_or_else(|| Path::new("")).join("conf.d");
    let place = Place::file(&folder.display().to_string().into());
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(unreadable(&place, &error));
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => paths.push(entry.path()),
            Err(error) => problems.push(unreadable(&place, &error)),
        }
    }
    paths.retain(|path| {
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && path.extension().is_some_and(|ending| ending == "toml")
    });
    paths.sort();
    if paths.len() > FILES_MAX {
        problems.push(Problem::new(
            &place,
            format!("{} files", paths.len()),
            format!("put the settings into at most {FILES_MAX}"),
        ));
        paths.truncate(FILES_MAX);
    }
    paths
}

fn read_text(path: &Path, name: &Arc<str>) -> Result<String, Problem> {
    let place = Place::file(name);
    // Asked before opening: opening a FIFO would wait for a writer.
    let metadata = fs::metadata(path).map_err(|error| unreadable(&place, &error))?;
    if !metadata.is_file() {
        return Err(Problem::new(
            &place,
            "not a regular file",
            "put a settings file here, or a link to one",
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&place, &error))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Problem::new(
            &place,
            format!("longer than {FILE_MAX} bytes"),
            "no settings file needs to be: is it another kind of file?",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error
            .as_bytes()
            .get(..good)
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        Problem::new(
            &Lines::new(&before, name).place(good),
            "not UTF-8",
            "save the file as UTF-8",
        )
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

fn unreadable(place: &Place, error: &std::io::Error) -> Problem {
    let remedy = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "let the user that runs portreeve read it",
        std::io::ErrorKind::NotFound => "name a file that exists with --config",
        _ => "check the file and the disk",
    };
    Problem::new(place, format!("cannot be read: {error}"), remedy)
}

/// Parses what can be parsed; every syntax error becomes a problem.
pub(super) fn parse(text: &str, name: &Arc<str>, problems: &mut Vec<Problem>) -> Node {
    let lines = Lines::new(text, name);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let place = lines.place(error.span().map_or(0, |span| span.start));
        let what = error.message().lines().collect::<Vec<_>>().join(", ");
        problems.push(Problem::new(&place, what, "correct the TOML here"));
    }
    lines.table(table.get_ref(), lines.place(0), problems)
}

/// Turns byte offsets into places, and parsed values into nodes.
struct Lines<'t> {
    text: &'t str,
    name: &'t Arc<str>,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str, name: &'t Arc<str>) -> Self {
        let ends = text.match_indices('\n').map(|(index, _)| index + 1);
        Self {
            text,
            name,
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        Place::File {
            path: Arc::clone(self.name),
            line,
            column: before.chars().count() + 1,
        }
    }

    fn table(&self, table: &DeTable<'_>, place: Place, problems: &mut Vec<Problem>) -> Node {
        let mut nodes = Table::new();
        for (key, value) in table {
            let key_place = self.place(key.span().start);
            nodes.insert(key.get_ref().to_string(), (key_place, self.node(value, problems)));
        }
        Node {
            value: Value::Table(nodes),
            place,
        }
    }

    fn node(&self, value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Node {
        let place = self.place(value.span().start);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(truth) => Value::Boolean(*truth),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => self.too_large(&place, problems),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Float(number),
                Err(_) => self.too_large(&place, problems),
            },
            DeValue::Array(items) => Value::Array(items.iter().map(|item| self.node(item, problems)).collect()),
            DeValue::Table(table) => return self.table(table, place, problems),
        };
        Node { value, place }
    }

    fn too_large(&self, place: &Place, problems: &mut Vec<Problem>) -> Value {
        problems.push(Problem::new(
            place,
            "a number too large for any setting",
            "write a smaller one",
        ));
        Value::Integer(0)
    }
}

/// Whether anything stands at this path, readable or not.
pub(super) fn is_there(path: &Path) -> bool {
    !matches!(fs::metadata(path), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}
