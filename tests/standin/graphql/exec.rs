//! Runs a valid query: variables, fields, fragments, null propagation, and the count of what was
//! asked for.

use super::parse::{constant, Document, Field, Operation, Place, Selection, Type};
use super::query::Query;
use super::schema::{FieldType, Schema};
use super::validate::{coerce, validate};
use super::GraphqlError;
use serde_json::{json, Map, Value};

/// The arguments of one field, defaults filled in.
pub type Arguments = Map<String, Value>;

/// What a field yields.
pub enum Out<N> {
    /// A leaf.
    Value(Value),
    /// An object; `None` is null.
    Node(Option<N>),
    /// A list of objects, any of which may be null.
    Nodes(Vec<Option<N>>),
}

/// A field that cannot be answered.
pub struct Failure {
    /// GitHub's class.
    pub kind: &'static str,
    /// The sentence.
    pub message: String,
}

/// What answers the fields.
pub trait Resolver {
    /// An object of the answer.
    type Node: Clone;
    /// The name of its type.
    fn type_name(&self, node: &Self::Node) -> &'static str;
    /// One field of it. The field exists and its arguments fit.
    fn field(
        &mut self,
        node: &Self::Node,
        name: &str,
        arguments: &Arguments,
    ) -> Result<Out<Self::Node>, Failure>;
}

/// A query with its variables.
pub struct Plan<'a> {
    query: &'a Query,
    variables: Map<String, Value>,
}

impl<'a> Plan<'a> {
    /// Checks the variables of a query against their types.
    pub fn new(query: &'a Query, given: &Map<String, Value>) -> Result<Plan<'a>, Vec<GraphqlError>> {
        let variables = read_variables(query.schema(), query.operation(), given)?;
        Ok(Plan { query, variables })
    }

    /// How many list entries the query may return at most, and its cost in points: GitHub counts
    /// one request per connection and parent, divides by 100 and takes at least 1.
    pub fn nodes_and_cost(&self) -> (u64, u64) {
        let (mut nodes, mut requests) = (0, 0);
        self.count("Query", &self.query.operation().selection, 1, &mut nodes, &mut requests);
        (nodes, ((requests as f64 / 100.0).round() as u64).max(1))
    }

    fn count(
        &self,
        object: &str,
        selection: &[Selection],
        parents: u64,
        nodes: &mut u64,
        requests: &mut u64,
    ) {
        for field in self.fields(object, selection) {
            let Some(kind) = self.query.schema().field(object, &field.name) else {
                continue;
            };
            let arguments = self.arguments(field, kind);
            let mut inner_parents = parents;
            if kind.arguments.contains_key("first") {
                let size =
                    ["first", "last"].iter().find_map(|key| arguments.get(*key)?.as_u64()).unwrap_or(0);
                *requests += parents;
                inner_parents = parents * size;
                *nodes += inner_parents;
            }
            self.count(kind.kind.name(), &field.selection, inner_parents, nodes, requests);
        }
    }

    /// The fields asked of an object of this type, fragments opened.
    fn fields(&self, object: &str, selection: &'a [Selection]) -> Vec<&'a Field> {
        let fits = |on: &str| on == object || on == "Node" || object == "Node";
        let mut found = Vec::new();
        for entry in selection {
            match entry {
                Selection::Field(field) => found.push(field),
                Selection::Inline(on, inner, _) if on.as_deref().is_none_or(fits) => {
                    found.extend(self.fields(object, inner));
                }
                Selection::Inline(..) => {}
                Selection::Spread(name, _) => {
                    let fragment =
                        self.query.document().fragments.iter().find(|fragment| fragment.name == *name);
                    if let Some(fragment) = fragment.filter(|fragment| fits(&fragment.on)) {
                        found.extend(self.fields(object, &fragment.selection));
                    }
                }
            }
        }
        found
    }

    fn arguments(&self, field: &Field, kind: &FieldType) -> Arguments {
        let mut found = Map::new();
        for (name, argument) in &kind.arguments {
            let given = field.arguments.iter().find(|(key, _)| key == name);
            let value = given.and_then(|(_, input)| constant(input, &self.variables));
            let value =
                value.or_else(|| argument.default.as_ref().and_then(|input| constant(input, &Map::new())));
            if let Some(value) = value {
                found.insert(name.clone(), value);
            }
        }
        found
    }
}

fn read_variables(
    schema: &Schema,
    operation: &Operation,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<GraphqlError>> {
    let (mut found, mut errors) = (Map::new(), Vec::new());
    for variable in &operation.variables {
        let default = || variable.default.as_ref().and_then(|input| constant(input, &Map::new()));
        let value = given.get(&variable.name).cloned().or_else(default);
        let checked = value.clone().unwrap_or(Value::Null);
        if let Err(fault) = coerce(schema, &variable.kind, &checked) {
            let message = format!(
                "Variable ${} of type {} was provided invalid value: {fault}",
                variable.name, variable.kind
            );
            let mut error = GraphqlError::new(None, message, variable.place);
            error.extensions = Some(json!({"value": checked}));
            errors.push(error);
        }
        if let Some(value) = value {
            found.insert(variable.name.clone(), value);
        }
    }
    if errors.is_empty() {
        Ok(found)
    } else {
        Err(errors)
    }
}

/// A value that may not be null was; the next parent that may be null takes it.
struct Null;

struct Run<'a, R: Resolver> {
    plan: &'a Plan<'a>,
    resolver: &'a mut R,
    errors: Vec<GraphqlError>,
    path: Vec<Value>,
}

/// A field to answer, with every selection that was asked under its key.
struct Asked<'a> {
    field: &'a Field,
    selections: Vec<&'a [Selection]>,
}

/// Runs a plan; gives `data` and `errors`.
pub fn execute<R: Resolver>(plan: &Plan<'_>, root: &R::Node, resolver: &mut R) -> (Value, Vec<GraphqlError>) {
    let mut run = Run { plan, resolver, errors: Vec::new(), path: Vec::new() };
    let data = run.object(root, &[&plan.query.operation().selection]).unwrap_or(Value::Null);
    (data, run.errors)
}

impl<'a, R: Resolver> Run<'a, R> {
    fn object(&mut self, node: &R::Node, selections: &[&'a [Selection]]) -> Result<Value, Null> {
        let object = self.resolver.type_name(node);
        let mut answer = Map::new();
        for asked in self.asked(object, selections) {
            let key = asked.field.key();
            self.path.push(json!(key));
            let value = self.field(node, object, &asked);
            self.path.pop();
            answer.insert(key.to_owned(), value?);
        }
        Ok(Value::Object(answer))
    }

    fn asked(&self, object: &str, selections: &[&'a [Selection]]) -> Vec<Asked<'a>> {
        let mut found: Vec<Asked<'a>> = Vec::new();
        for field in selections.iter().flat_map(|selection| self.plan.fields(object, selection)) {
            match found.iter_mut().find(|known| known.field.key() == field.key()) {
                Some(known) => known.selections.push(&field.selection),
                None => found.push(Asked { field, selections: vec![&field.selection] }),
            }
        }
        found
    }

    fn field(&mut self, node: &R::Node, object: &str, asked: &Asked<'a>) -> Result<Value, Null> {
        let field = asked.field;
        if field.name == "__typename" {
            return Ok(json!(object));
        }
        let Some(kind) = self.plan.query.schema().field(object, &field.name) else {
            return Ok(Value::Null);
        };
        let arguments = self.plan.arguments(field, kind);
        let out = match self.resolver.field(node, &field.name, &arguments) {
            Ok(out) => self.complete(out, &kind.kind, asked),
            Err(failure) => {
                let mut error = GraphqlError::new(Some(failure.kind), failure.message, field.place);
                error.path = Some(self.path.clone());
                self.errors.push(error);
                Err(Null)
            }
        };
        match out {
            Err(Null) if !matches!(kind.kind, Type::NonNull(_)) => Ok(Value::Null),
            other => other,
        }
    }

    fn complete(&mut self, out: Out<R::Node>, kind: &Type, asked: &Asked<'a>) -> Result<Value, Null> {
        match out {
            Out::Value(Value::Null) | Out::Node(None) if matches!(kind, Type::NonNull(_)) => Err(Null),
            Out::Value(value) => Ok(value),
            Out::Node(None) => Ok(Value::Null),
            Out::Node(Some(node)) => self.object(&node, &asked.selections),
            Out::Nodes(nodes) => {
                let mut list = Vec::with_capacity(nodes.len());
                for (index, node) in nodes.iter().enumerate() {
                    self.path.push(json!(index));
                    let value = node.as_ref().map_or(Err(Null), |node| self.object(node, &asked.selections));
                    self.path.pop();
                    list.push(match value {
                        Err(Null) if entries_non_null(kind) => return Err(Null),
                        other => other.unwrap_or(Value::Null),
                    });
                }
                Ok(list.into())
            }
        }
    }
}

fn entries_non_null(kind: &Type) -> bool {
    match kind {
        Type::NonNull(inner) => entries_non_null(inner),
        Type::List(inner) => matches!(**inner, Type::NonNull(_)),
        Type::Named(_) => false,
    }
}
