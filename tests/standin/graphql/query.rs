//! Queries that were read and held against a schema: each once in the life of the program, however often it is asked.

use super::parse::{parse, Document, Operation};
use super::schema::Schema;
use super::validate::validate;
use super::GraphqlError;
use crate::standin::http::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

/// A document that fits its schema, and which of its operations is meant.
pub struct Query {
    schema: &'static Schema,
    document: Document,
    operation: usize,
}

type Known = HashMap<(usize, String, Option<String>), Result<Arc<Query>, Vec<GraphqlError>>>;

/// No program has so many queries; what tests make up is forgotten.
const MOST: usize = 500;

impl Query {
    /// Reads a text, or gives what was read of it before.
    pub fn of(
        schema: &'static Schema,
        text: &str,
        name: Option<&str>,
    ) -> Result<Arc<Query>, Vec<GraphqlError>> {
        static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
        let key = (std::ptr::from_ref(schema).addr(), text.to_owned(), name.map(str::to_owned));
        let known = KNOWN.get_or_init(Mutex::default);
        if let Some(found) = lock(known).get(&key) {
            return found.clone();
        }
        let read = Query::read(schema, text, name).map(Arc::new);
        let mut known = lock(known);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, read.clone());
        read
    }

    fn read(schema: &'static Schema, text: &str, name: Option<&str>) -> Result<Query, Vec<GraphqlError>> {
        let document =
            parse(text).map_err(|fault| vec![GraphqlError::new(None, fault.message, fault.place)])?;
        let operation = match (name, document.operations.len()) {
            (Some(name), _) => {
                document.operations.iter().position(|known| known.name.as_deref() == Some(name))
            }
            (None, 1) => Some(0),
            (None, _) => None,
        };
        let Some(operation) = operation else {
            let message = "An operation name is required".to_owned();
            return Err(vec![GraphqlError::new(None, message, Default::default())]);
        };
        let errors = validate(schema, &document, &document.operations[operation]);
        if errors.is_empty() {
            Ok(Query { schema, document, operation })
        } else {
            Err(errors)
        }
    }

    pub(super) fn schema(&self) -> &'static Schema {
        self.schema
    }

    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    pub(super) fn operation(&self) -> &Operation {
        &self.document.operations[self.operation]
    }
}
