//! A schema in memory: types, fields, arguments, read from the schema language.
//!
//! Knows objects, enums and input objects; everything else is a scalar. Interfaces are not played,
//! only named: `node` answers `Node`, of which every object is one.

use super::parse::{Input, Reader, SyntaxError, Type};
use std::collections::BTreeMap;

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
    pub objects: BTreeMap<String, BTreeMap<String, FieldType>>,
    pub enums: BTreeMap<String, Vec<String>>,
    pub inputs: BTreeMap<String, BTreeMap<String, Argument>>,
}

impl Schema {
    /// Reads `type`, `enum` and `input` definitions.
    pub fn read(text: &str) -> Result<Schema, SyntaxError> {
        let mut schema = Schema::default();
        let mut reader = Reader::new(text)?;
        while !reader.done() {
            let what = reader.name()?;
            let name = reader.name()?;
            reader.expect("{")?;
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
        name == "Node" || self.objects.contains_key(name)
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
