//! A schema in memory: types, fields, arguments, read from the schema language.
//!
//! Knows objects, interfaces, enums and input objects; everything else is a scalar. What implements `Node` says so.

use super::parse::{Input, Reader, SyntaxError, Type};
use std::collections::{BTreeMap, BTreeSet};

/// One argument of a field, or one field of an input object.
#[derive(Clone, Debug)]
pub struct Argument {
    pub kind: Type,
    pub default: Option<Input>,
}

/// One field of an object.
#[derive(Clone, Debug)]
pub struct FieldType {
    pub kind: Type,
    pub arguments: BTreeMap<String, Argument>,
}

/// All types by name.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Objects and interfaces.
    pub objects: BTreeMap<String, BTreeMap<String, FieldType>>,
    /// Who implements what: (object, interface).
    pub implements: BTreeSet<(String, String)>,
    pub enums: BTreeMap<String, Vec<String>>,
    pub inputs: BTreeMap<String, BTreeMap<String, Argument>>,
}

impl Schema {
    /// Reads `type`, `interface`, `enum` and `input` definitions.
    pub fn read(text: &str) -> Result<Schema, SyntaxError> {
        let mut schema = Schema::default();
        let mut reader = Reader::new(text)?;
        while !reader.done() {
            let what = reader.name()?;
            let name = reader.name()?;
            while !reader.take("{") {
                let interface = reader.name()?;
                if interface != "implements" {
                    schema.implements.insert((name.clone(), interface));
                }
                reader.take("&");
            }
            match what.as_str() {
                "enum" => {
                    let mut words = Vec::new();
                    while !reader.take("}") {
                        words.push(reader.name()?);
                    }
                    schema.enums.insert(name, words);
                }
                "input" => {
                    let fields = arguments(&mut reader, "}")?;
                    schema.inputs.insert(name, fields);
                }
                _ => {
                    let mut fields = BTreeMap::new();
                    while !reader.take("}") {
                        let field = reader.name()?;
                        let arguments =
                            if reader.take("(") { arguments(&mut reader, ")")? } else { BTreeMap::new() };
                        reader.expect(":")?;
                        fields.insert(field, FieldType { kind: reader.kind()?, arguments });
                    }
                    schema.objects.insert(name, fields);
                }
            }
        }
        Ok(schema)
    }

    /// A field of an object.
    pub fn field(&self, object: &str, field: &str) -> Option<&FieldType> {
        self.objects.get(object)?.get(field)
    }

    /// Whether a type has fields of its own.
    pub fn is_composite(&self, name: &str) -> bool {
        self.objects.contains_key(name)
    }

    /// Whether something of one type can be of the other: a fragment on it is not in vain.
    pub fn overlap(&self, one: &str, other: &str) -> bool {
        let implements = |object: &str, interface: &str| {
            self.implements.contains(&(object.to_owned(), interface.to_owned()))
        };
        one == other || implements(one, other) || implements(other, one)
    }

    /// Whether a value of this type can be given.
    pub fn is_input(&self, name: &str) -> bool {
        !self.is_composite(name)
    }
}

fn arguments(reader: &mut Reader, end: &str) -> Result<BTreeMap<String, Argument>, SyntaxError> {
    let mut found = BTreeMap::new();
    while !reader.take(end) {
        let name = reader.name()?;
        reader.expect(":")?;
        let kind = reader.kind()?;
        let default = if reader.take("=") { Some(reader.input()?) } else { None };
        found.insert(name, Argument { kind, default });
    }
    Ok(found)
}
