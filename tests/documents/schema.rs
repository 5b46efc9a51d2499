//! The JSON schema of rule files, from the rows that the reader goes by: for editors that complete
//! keys and words and underline mistakes. What only the whole set can tell is left to `rules check`.

use portreeve::rules::keys::{self, Holds, Key, LIST, LIST_OVERRIDE, MAIL, OVERRIDE, Shape};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The schema of one kind of file, with everything that it refers to.
pub fn schema(shape: &'static Shape, title: &str) -> Value {
    let mut definitions = BTreeMap::new();
    let whole = table(shape, &mut definitions);
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "definitions": definitions,
    });
    if let (Some(schema), Value::Object(whole)) = (schema.as_object_mut(), whole) {
        schema.extend(whole);
    }
    schema
}

type Definitions = BTreeMap<String, Value>;

fn table(shape: &'static Shape, definitions: &mut Definitions) -> Value {
    let mut properties = Map::new();
    for key in shape.keys {
        properties.insert(key.name.to_owned(), described(key, definitions));
    }
    let required: Vec<&str> = shape.keys.iter().filter(|key| key.needed).map(|key| key.name).collect();
    let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let Some(table) = table.as_object_mut() {
        if !required.is_empty() {
            table.insert("required".to_owned(), json!(required));
        }
        table.extend(among_keys(shape));
    }
    table
}

/// What several keys of a table mean for each other.
fn among_keys(shape: &Shape) -> Map<String, Value> {
    let only = |key: &str| json!({ "required": [key] });
    let rules = match shape.what {
        what if what == OVERRIDE.what => json!({ "oneOf": (["rule", "tag", "category", "pack"].map(only)) }),
        what if what == LIST.what => json!({
            "if": { "properties": { "kind": { "const": "table" } } },
            "then": { "required": ["columns"], "not": { "anyOf": [only("values"), only("file")] } },
            "else": {
                "oneOf": [only("values"), only("file")],
                "not": { "anyOf": [only("columns"), only("rows")] },
            },
        }),
        what if what == LIST_OVERRIDE.what => json!({
            "not": { "required": ["replace"], "anyOf": [only("add"), only("remove")] },
        }),
        what if what == MAIL.what => json!({
            "if": { "anyOf": [only("raw"), only("file")] },
            "then": { "maxProperties": 1 },
        }),
        _ => json!({}),
    };
    match rules {
        Value::Object(rules) => rules,
        _ => Map::new(),
    }
}

fn described(key: &Key, definitions: &mut Definitions) -> Value {
    let mut value = holds(key.holds, definitions);
    // Whatever stands beside a reference is passed over by this edition of the standard.
    if value.get("$ref").is_some() {
        value = json!({ "allOf": [value] });
    }
    if let Some(value) = value.as_object_mut() {
        value.insert("description".to_owned(), json!(key.doc));
    }
    value
}

fn holds(holds: Holds, definitions: &mut Definitions) -> Value {
    let text = || json!({ "type": "string" });
    let id = || json!({ "type": "string", "pattern": "^[A-Z][A-Z0-9_]{2,63}$" });
    let name = || json!({ "type": "string", "pattern": NAME });
    let list = |items: Value| json!({ "type": "array", "items": items });
    let one_or_more = |items: Value| json!({ "anyOf": [items.clone(), { "type": "array", "items": items }] });
    match holds {
        Holds::Text => text(),
        Holds::Summary => json!({ "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^\\n\\r\\t]*$" }),
        Holds::Condition => text(),
        Holds::RuleId => id(),
        Holds::RuleIds => list(id()),
        Holds::OneOrMoreRuleIds => one_or_more(id()),
        Holds::Name => name(),
        Holds::Names => list(name()),
        Holds::Said => json!({ "type": "string", "pattern": "\\S" }),
        Holds::Texts => list(text()),
        Holds::OneOrMoreTexts => one_or_more(text()),
        Holds::Word(words) => json!({ "enum": words() }),
        Holds::Score => json!({ "type": "number", "minimum": -100, "maximum": 100 }),
        Holds::Count => json!({ "type": "integer", "minimum": 0 }),
        Holds::Truth => json!({ "type": "boolean" }),
        Holds::Date => json!({ "type": "string", "format": "date" }),
        Holds::Time => json!({ "type": "string", "format": "date-time" }),
        Holds::Version => json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)*$" }),
        Holds::Table(shape) => refer(shape, definitions),
        Holds::AddressOrTable(shape) => json!({ "anyOf": [text(), refer(shape, definitions)] }),
        Holds::Tables(shape) => list(refer(shape, definitions)),
        Holds::Named(shape) => json!({
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": refer(shape, definitions),
        }),
        Holds::NamedTexts => json!({ "type": "object", "additionalProperties": one_or_more(text()) }),
        Holds::NamedEntries => {
            json!({ "type": "object", "additionalProperties": one_or_more(json!({ "anyOf": [text(), row()] })) })
        }
        Holds::Columns => {
            let types = keys::column_types();
            let lists = types.iter().map(|word| format!("list<{word}>"));
            let words: Vec<String> = types.iter().map(|word| (*word).to_owned()).chain(lists).collect();
            json!({ "type": "object", "minProperties": 1, "additionalProperties": { "enum": words } })
        }
        Holds::Rows => list(row()),
        Holds::Entries => list(json!({ "anyOf": [text(), row()] })),
    }
}

/// A row of a table, whose columns are the author's own.
fn row() -> Value {
    json!({
        "type": "object",
        "additionalProperties": { "type": ["string", "integer", "array"], "items": { "type": "string" } },
    })
}

const NAME: &str = "^[a-z][a-z0-9_-]{0,63}$";

fn refer(shape: &'static Shape, definitions: &mut Definitions) -> Value {
    let name = shape.what.replace(' ', "_");
    if !definitions.contains_key(&name) {
        definitions.insert(name.clone(), Value::Null);
        let table = table(shape, definitions);
        definitions.insert(name.clone(), table);
    }
    json!({ "$ref": format!("#/definitions/{name}") })
}
