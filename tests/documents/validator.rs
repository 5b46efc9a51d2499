//! As much of JSON Schema as our own schemas use, so that they can be tried on files. A word of the
//! standard that isn't known here fails the test: it would otherwise be passed over.

use regex_automata::meta::Regex;
use serde_json::{Map, Value};

/// What a value does against its schema, a line each, with the place in the value.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, value, "", &mut faults);
    faults
}

fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let mut faults = Vec::new();
    check(root, schema, value, "", &mut faults);
    faults.is_empty()
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    let Some(words) = schema.as_object() else { return };
    for (word, wanted) in words {
        let of_all = || wanted.as_array().into_iter().flatten();
        let holds = match word.as_str() {
            "$schema" | "title" | "description" | "definitions" | "then" | "else" => true,
            // Dates and times of TOML have forms of their own, which its parser has read.
            "format" => true,
            "$ref" => {
                let pointer = wanted.as_str().unwrap_or_default().trim_start_matches('#');
                let target = root.pointer(pointer).unwrap_or(&Value::Null);
                assert!(target.is_object(), "{pointer} leads nowhere");
                check(root, target, value, place, faults);
                true
            }
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|ty| is_of(ty, value)),
                ty => is_of(ty, value),
            },
            "const" => wanted == value,
            "enum" => of_all().any(|allowed| allowed == value),
            "pattern" => of_text(value, |text| matches(wanted, text)),
            "minLength" => of_text(value, |text| {
                text.chars().count() as u64 >= wanted.as_u64().unwrap_or(0)
            }),
            "maxLength" => of_text(value, |text| {
                text.chars().count() as u64 <= wanted.as_u64().unwrap_or(0)
            }),
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= wanted.as_f64()),
            "maximum" => value.as_f64().is_none_or(|number| Some(number) <= wanted.as_f64()),
            "required" => of_table(value, |table| {
                of_all().all(|key| table.contains_key(key.as_str().unwrap_or_default()))
            }),
            "minProperties" => of_table(value, |table| table.len() as u64 >= wanted.as_u64().unwrap_or(0)),
            "maxProperties" => of_table(value, |table| table.len() as u64 <= wanted.as_u64().unwrap_or(0)),
            "propertyNames" => of_table(value, |table| {
                table.keys().all(|key| fits(root, wanted, &Value::String(key.clone())))
            }),
            "properties" | "additionalProperties" => {
                properties(root, words, word, value, place, faults);
                true
            }
            "items" => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, item, &format!("{place}/{at}"), faults);
                }
                true
            }
            "allOf" => {
                of_all().for_each(|part| check(root, part, value, place, faults));
                true
            }
            "anyOf" => of_all().any(|part| fits(root, part, value)),
            "oneOf" => of_all().filter(|part| fits(root, part, value)).count() == 1,
            "not" => !fits(root, wanted, value),
            "if" => {
                let branch = if fits(root, wanted, value) { "then" } else { "else" };
                words.get(branch).is_none_or(|part| fits(root, part, value))
            }
            other => unreachable!("{other} isn't known to this validator"),
        };
        if !holds {
            faults.push(format!("{place}: {word} {wanted}"));
        }
    }
}

fn properties(
    root: &Value,
    words: &Map<String, Value>,
    word: &str,
    value: &Value,
    place: &str,
    faults: &mut Vec<String>,
) {
    let known = words.get("properties").and_then(Value::as_object);
    for (key, held) in value.as_object().into_iter().flatten() {
        let within = format!("{place}/{key}");
        match (
            known.and_then(|known| known.get(key)),
            words.get("additionalProperties"),
        ) {
            (Some(schema), _) if word == "properties" => check(root, schema, held, &within, faults),
            (None, Some(Value::Bool(false))) if word == "additionalProperties" => {
                faults.push(format!("{within}: no such key"));
            }
            (None, Some(schema)) if word == "additionalProperties" => check(root, schema, held, &within, faults),
            _ => {}
        }
    }
}

fn is_of(ty: &Value, value: &Value) -> bool {
    match ty.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        other => unreachable!("{other:?} is no type"),
    }
}

fn matches(pattern: &Value, text: &str) -> bool {
    let pattern = pattern.as_str().unwrap_or_default();
    Regex::new(pattern).expect("a regex of our own").is_match(text)
}

fn of_text(value: &Value, holds: impl Fn(&str) -> bool) -> bool {
    value.as_str().is_none_or(holds)
}

fn of_table(value: &Value, holds: impl Fn(&Map<String, Value>) -> bool) -> bool {
    value.as_object().is_none_or(holds)
}

/// A TOML file as the schema sees it: dates and times are strings.
pub fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(truth) => Value::from(*truth),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}
