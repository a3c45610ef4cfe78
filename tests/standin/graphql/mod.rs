//! A small GraphQL server: parse, validate, execute over a [`Resolver`].
//!
//! Played as GitHub does it: whatever is wrong with a query is told in `errors` under status 200;
//! a query that does not fit the schema has no `data` at all; a field that fails is null, and takes
//! its parents with it up to the next one that may be null. It must never answer a field that the
//! schema does not have.
//!
//! Left out: mutations, subscriptions, directives, introspection beyond `__typename`.

mod exec;
pub mod parse;
mod query;
pub mod schema;
mod tokens;
mod validate;

pub use exec::{execute, Arguments, Failure, Out, Plan, Resolver};
pub use query::Query;

use parse::Place;
use serde_json::{json, Value};

/// One entry of `errors`.
#[derive(Clone, Debug)]
pub struct GraphqlError {
    /// GitHub's class, such as `NOT_FOUND`; validation errors have none.
    pub kind: Option<String>,
    /// The sentence.
    pub message: String,
    /// Where in the query.
    pub place: Place,
    /// Where in the answer.
    pub path: Option<Vec<Value>>,
    /// More for machines.
    pub extensions: Option<Value>,
}

impl GraphqlError {
    /// An error without a path.
    pub fn new(kind: Option<&str>, message: String, place: Place) -> GraphqlError {
        GraphqlError { kind: kind.map(str::to_owned), message, place, path: None, extensions: None }
    }

    /// As it stands in the answer.
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "message": self.message,
            "locations": [{"line": self.place.line, "column": self.place.column}],
        });
        if let Some(kind) = &self.kind {
            value["type"] = json!(kind);
        }
        if let Some(path) = &self.path {
            value["path"] = json!(path);
        }
        if let Some(extensions) = &self.extensions {
            value["extensions"] = extensions.clone();
        }
        value
    }
}
