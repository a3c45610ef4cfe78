//! Whether a value is as a schema of OpenAPI 3.0 describes it. Stricter than JSON schema in one thing: a property that is not
//! described is a fault. A word of a schema that nobody has taught this is a fault too, lest a rule go unseen.

use serde_json::{Map, Value};

/// Words that say nothing about which values may be sent, or that are read together with another.
const SILENT: &[&str] = &["nullable", "required", "additionalProperties", "writeOnly"];

/// Faults of a value in a path or query: text that stands for one of another type.
pub fn text_faults(name: &str, schema: &Value, text: &str) -> Vec<String> {
    let value = match schema["type"].as_str() {
        Some("integer" | "number" | "boolean") => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
        }
        Some("array") => Value::Array(vec![Value::String(text.to_owned())]),
        _ => Value::String(text.to_owned()),
    };
    faults(name, schema, &value)
}

/// Faults of a value; `at` says where it is.
pub fn faults(at: &str, schema: &Value, value: &Value) -> Vec<String> {
    let Some(rules) = schema.as_object() else {
        return vec![format!("`{at}` has no schema")];
    };
    if value.is_null() && rules.get("nullable") == Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (word, rule) in rules {
        match rule_faults(word, rule, rules, at, value) {
            Ok(faults) => found.extend(faults),
            Err(Untaught) => found.push(format!("the check knows no `{word}: {rule}` (of `{at}`)")),
        }
    }
    found
}

struct Untaught;

fn rule_faults(
    word: &str,
    rule: &Value,
    rules: &Map<String, Value>,
    at: &str,
    value: &Value,
) -> Result<Vec<String>, Untaught> {
    let fault = |says: String| Ok(vec![format!("`{at}` {says}, not {value}")]);
    let length = value.as_str().map(|text| text.chars().count() as u64);
    match word {
        "type" => {
            if is_of(rule, value)? {
                Ok(Vec::new())
            } else {
                fault(format!("is of type {rule}"))
            }
        }
        "enum" if rule.as_array().is_some_and(|known| !known.contains(value)) => {
            fault(format!("is one of {rule}"))
        }
        "maxLength" if length > rule.as_u64() => fault(format!("has at most {rule} characters")),
        "minLength" if length.is_some() && length < rule.as_u64() => {
            fault(format!("has at least {rule} characters"))
        }
        "minimum" if value.as_f64() < rule.as_f64() && value.is_number() => {
            fault(format!("is at least {rule}"))
        }
        "pattern" if value.as_str().is_some_and(|text| !fits(rule, text)) => match rule.as_str() {
            Some(SLUG) => fault("is a slug".to_owned()),
            _ => Err(Untaught),
        },
        "properties" => Ok(property_faults(rule, rules, at, value)),
        "items" => {
            let items = value.as_array().into_iter().flatten();
            Ok(items.flat_map(|item| faults(&format!("{at}[]"), rule, item)).collect())
        }
        "enum" | "maxLength" | "minLength" | "minimum" | "pattern" => Ok(Vec::new()),
        word if SILENT.contains(&word) => Ok(Vec::new()),
        _ => Err(Untaught),
    }
}

/// Sentry's slugs.
const SLUG: &str = r"^(?![0-9]+$)[a-z0-9_\-]+$";

fn fits(pattern: &Value, text: &str) -> bool {
    let all = |is: fn(char) -> bool| text.chars().all(is);
    pattern == SLUG
        && !text.is_empty()
        && all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
        && !all(|c| c.is_ascii_digit())
}

fn is_of(kind: &Value, value: &Value) -> Result<bool, Untaught> {
    Ok(match kind.as_str().unwrap_or_default() {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => return Err(Untaught),
    })
}

fn property_faults(properties: &Value, rules: &Map<String, Value>, at: &str, value: &Value) -> Vec<String> {
    let Some(given) = value.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in given {
        match properties.get(name) {
            Some(schema) => found.extend(faults(&format!("{at}.{name}"), schema, value)),
            None => found.push(format!("`{at}.{name}` is not described")),
        }
    }
    let required = rules.get("required").and_then(Value::as_array).into_iter().flatten();
    let missing = required.filter_map(Value::as_str).filter(|name| !given.contains_key(*name));
    found.extend(missing.map(|name| format!("`{at}.{name}` is required")));
    found
}
