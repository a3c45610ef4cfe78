//! Refuses queries that do not fit the schema, before anything runs, as GitHub does: status 200,
//! `errors`, no `data`.

use super::parse::{constant, Document, Field, Input, Operation, Place, Selection, Type, Variable};
use super::schema::{Argument, Schema};
use super::GraphqlError;
use serde_json::{json, Map, Value};
use std::collections::{BTreeMap, BTreeSet};

struct Checker<'a> {
    schema: &'a Schema,
    document: &'a Document,
    declared: BTreeMap<&'a str, &'a Variable>,
    used: BTreeSet<String>,
    root: String,
    errors: Vec<GraphqlError>,
    depth: usize,
}

/// Everything wrong with an operation.
pub(super) fn validate(schema: &Schema, document: &Document, operation: &Operation) -> Vec<GraphqlError> {
    let name = operation.name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    let mut checker = Checker {
        schema,
        document,
        declared: operation.variables.iter().map(|variable| (variable.name.as_str(), variable)).collect(),
        used: BTreeSet::new(),
        root: format!("{}{name}", operation.kind),
        errors: Vec::new(),
        depth: 0,
    };
    if operation.kind != "query" {
        checker.complain(operation.place, &[], "unsupported", "only queries are played".to_owned());
        return checker.errors;
    }
    checker.selection("Query", &operation.selection, &mut Vec::new());
    for variable in &operation.variables {
        let kind = variable.kind.name();
        if !schema.is_input(kind) {
            let message = format!("{kind} isn't a valid input type (on ${})", variable.name);
            checker.complain(variable.place, &[], "variableRequiresValidType", message);
        }
        if !checker.used.contains(&variable.name) {
            let message = format!("Variable ${} is declared by {} but not used", variable.name, name.trim());
            checker.complain(variable.place, &[], "variableNotUsed", message);
        }
    }
    checker.errors
}

impl Checker<'_> {
    fn complain(&mut self, place: Place, path: &[String], code: &str, message: String) {
        let mut whole = vec![json!(self.root)];
        whole.extend(path.iter().map(|part| json!(part)));
        let mut error = GraphqlError::new(None, message, place);
        error.path = Some(whole);
        error.extensions = Some(json!({ "code": code }));
        self.errors.push(error);
    }

    fn selection(&mut self, object: &str, selection: &[Selection], path: &mut Vec<String>) {
        self.depth += 1;
        if self.depth > 50 {
            self.errors.push(GraphqlError::new(None, "query is too deep".to_owned(), Place::default()));
            return;
        }
        for entry in selection {
            match entry {
                Selection::Field(field) => self.field(object, field, path),
                Selection::Inline(on, inner, place) => {
                    let on = on.as_deref().unwrap_or(object);
                    self.fragment(object, on, inner, *place, path);
                }
                Selection::Spread(name, place) => {
                    let document = self.document;
                    match document.fragments.iter().find(|fragment| fragment.name == *name) {
                        Some(fragment) => {
                            self.fragment(object, &fragment.on, &fragment.selection, *place, path);
                        }
                        None => {
                            let message = format!("Fragment {name} was used, but not defined");
                            self.complain(*place, path, "useAndDefineFragment", message);
                        }
                    }
                }
            }
        }
        self.depth -= 1;
    }

    fn fragment(
        &mut self,
        within: &str,
        on: &str,
        selection: &[Selection],
        place: Place,
        path: &mut Vec<String>,
    ) {
        if !self.schema.is_composite(on) {
            let message = format!("No such type {on}, so it can't be a fragment condition");
            self.complain(place, path, "undefinedType", message);
            return;
        }
        if !self.schema.overlap(within, on) {
            let message = format!("Fragment on {on} can't be spread inside {within}");
            self.complain(place, path, "cannotSpreadFragment", message);
            return;
        }
        path.push(format!("... on {on}"));
        self.selection(on, selection, path);
        path.pop();
    }

    fn field(&mut self, object: &str, field: &Field, path: &mut Vec<String>) {
        path.push(field.key().to_owned());
        self.field_at(object, field, path);
        path.pop();
    }

    fn field_at(&mut self, object: &str, field: &Field, path: &mut Vec<String>) {
        if field.name == "__typename" {
            return;
        }
        let Some(kind) = self.schema.field(object, &field.name) else {
            let message = format!("Field '{}' doesn't exist on type '{object}'", field.name);
            self.complain(field.place, path, "undefinedField", message);
            return;
        };
        for (name, value) in &field.arguments {
            match kind.arguments.get(name) {
                Some(argument) => self.input(value, argument, name, field, path),
                None => {
                    let message = format!("Field '{}' doesn't accept argument '{name}'", field.name);
                    self.complain(field.place, path, "argumentNotAccepted", message);
                }
            }
        }
        for (name, argument) in &kind.arguments {
            let required = matches!(argument.kind, Type::NonNull(_)) && argument.default.is_none();
            if required && !field.arguments.iter().any(|(given, _)| given == name) {
                let message = format!("Field '{}' is missing required arguments: {name}", field.name);
                self.complain(field.place, path, "missingRequiredArguments", message);
            }
        }
        let inner = kind.kind.name();
        match (self.schema.is_composite(inner), field.selection.is_empty()) {
            (true, true) => {
                let message = format!(
                    "Field must have selections (field '{}' returns {inner} but has no selections. Did you mean '{} {{ ... }}'?)",
                    field.name, field.name
                );
                self.complain(field.place, path, "selectionMismatch", message);
            }
            (false, false) => {
                let message =
                    format!("Selections can't be made on scalars (field '{}' returns {inner})", field.name);
                self.complain(field.place, path, "selectionMismatch", message);
            }
            _ => self.selection(inner, &field.selection, path),
        }
    }

    fn input(&mut self, value: &Input, argument: &Argument, name: &str, field: &Field, path: &[String]) {
        let (mut variables, before) = (Vec::new(), self.errors.len());
        uses(self.schema, value, argument, &mut variables);
        for (variable, wanted) in &variables {
            match (self.declared.get(variable), wanted) {
                (None, _) => {
                    let message = format!("Variable ${variable} is used but not declared");
                    self.complain(field.place, path, "variableNotDefined", message);
                }
                (Some(own), Some(wanted)) if !fits_place(own, wanted) => {
                    let message = format!(
                        "Type mismatch on variable ${variable} and argument {name} ({} / {})",
                        own.kind, wanted.kind
                    );
                    self.complain(field.place, path, "variableMismatch", message);
                }
                _ => {}
            }
        }
        let plain = variables.is_empty();
        self.used.extend(variables.into_iter().map(|(name, _)| name.to_owned()));
        if !plain || self.errors.len() > before {
            return;
        }
        let constant = constant(value, &Map::new()).unwrap_or(Value::Null);
        if let Err(fault) = coerce(self.schema, &argument.kind, &constant) {
            let message = format!(
                "Argument '{name}' on Field '{}' has an invalid value ({constant}). {fault}",
                field.name
            );
            self.complain(field.place, path, "argumentLiteralsIncompatible", message);
        }
    }
}

/// The variables inside a value, each with what its place wants; `None` where the place does not exist.
fn uses<'a>(
    schema: &Schema,
    input: &'a Input,
    place: &Argument,
    found: &mut Vec<(&'a str, Option<Argument>)>,
) {
    let inner = match &place.kind {
        Type::NonNull(inner) => inner,
        other => other,
    };
    match input {
        Input::Variable(name) => found.push((name, Some(place.clone()))),
        Input::List(list) => {
            let Type::List(of) = inner else {
                return list.iter().for_each(|item| anywhere(item, found));
            };
            let place = Argument { kind: (**of).clone(), default: None };
            list.iter().for_each(|item| uses(schema, item, &place, found));
        }
        Input::Object(fields) => {
            let known = schema.inputs.get(inner.name());
            for (name, item) in fields {
                match known.and_then(|known| known.get(name)) {
                    Some(place) => uses(schema, item, place, found),
                    None => anywhere(item, found),
                }
            }
        }
        Input::Constant(_) | Input::Enum(_) => {}
    }
}

/// The variables inside a value that stands where none of its kind may.
fn anywhere<'a>(input: &'a Input, found: &mut Vec<(&'a str, Option<Argument>)>) {
    match input {
        Input::Variable(name) => found.push((name, None)),
        Input::List(list) => list.iter().for_each(|item| anywhere(item, found)),
        Input::Object(fields) => fields.iter().for_each(|(_, item)| anywhere(item, found)),
        Input::Constant(_) | Input::Enum(_) => {}
    }
}

/// Whether a variable of this type may stand there: a default makes up for what may be null.
fn fits_place(variable: &Variable, place: &Argument) -> bool {
    let made_up = variable.default.is_some() || place.default.is_some();
    match (&variable.kind, &place.kind) {
        (Type::Named(_) | Type::List(_), Type::NonNull(inner)) if made_up => is_within(&variable.kind, inner),
        (own, wanted) => is_within(own, wanted),
    }
}

fn is_within(own: &Type, wanted: &Type) -> bool {
    match (own, wanted) {
        (Type::NonNull(own), Type::NonNull(wanted)) => is_within(own, wanted),
        (_, Type::NonNull(_)) => false,
        (Type::NonNull(own), wanted) => is_within(own, wanted),
        (Type::List(own), Type::List(wanted)) => is_within(own, wanted),
        (Type::Named(own), Type::Named(wanted)) => own == wanted,
        _ => false,
    }
}

/// Whether a JSON value fits an input type.
pub(super) fn coerce(schema: &Schema, kind: &Type, value: &Value) -> Result<(), String> {
    match kind {
        Type::NonNull(inner) if value.is_null() => Err(format!("Expected type '{inner}!'.")),
        Type::NonNull(inner) => coerce(schema, inner, value),
        _ if value.is_null() => Ok(()),
        Type::List(inner) => match value {
            Value::Array(items) => items.iter().try_for_each(|item| coerce(schema, inner, item)),
            other => coerce(schema, inner, other),
        },
        Type::Named(name) => fits(schema, name, value),
    }
}

fn fits(schema: &Schema, name: &str, value: &Value) -> Result<(), String> {
    let good = match name {
        "Int" => value.is_i64(),
        "Float" => value.is_number(),
        "Boolean" => value.is_boolean(),
        "String" | "DateTime" | "URI" => value.is_string(),
        "ID" => value.is_string() || value.is_i64(),
        _ => match (schema.enums.get(name), schema.inputs.get(name)) {
            (Some(words), _) => value.as_str().is_some_and(|word| words.iter().any(|own| own == word)),
            (_, Some(fields)) => return fits_input(schema, fields, value),
            _ => false,
        },
    };
    if good {
        Ok(())
    } else {
        Err(format!("Expected type '{name}'."))
    }
}

fn fits_input(schema: &Schema, fields: &BTreeMap<String, Argument>, value: &Value) -> Result<(), String> {
    let object = value.as_object().ok_or("Expected an input object.")?;
    for (key, field) in fields {
        coerce(schema, &field.kind, object.get(key).unwrap_or(&Value::Null))?;
    }
    match object.keys().find(|key| !fields.contains_key(*key)) {
        Some(key) => Err(format!("InputObject doesn't accept argument '{key}'.")),
        None => Ok(()),
    }
}
