//! GitHub's GraphQL: one POST, from its body to `data` and `errors`.
//!
//! Facts: faults of a query are told under status 200; `RATE_LIMITED` too; a query that asks for
//! too much ends in 502 or 504; more than 500,000 nodes are refused beforehand; each query costs
//! points by what it asks for, not by what there is.

use super::fields::{Fields, Node, Rate};
use super::limits::{primary, secondary, Resource};
use super::site::{error, Viewer, UNAUTHORISED};
use super::state::State;
use super::world::World;
use crate::standin::fault::GraphqlFault;
use crate::standin::graphql::parse::Place;
use crate::standin::graphql::schema::Schema;
use crate::standin::graphql::{execute, GraphqlError, Plan, Query};
use crate::standin::http::{lock, Response};
use crate::standin::time::{self, epoch_seconds};
use serde_json::{json, Map, Value};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

/// The part of GitHub's schema that is played, in its own words.
const SCHEMA: &str = include_str!("schema.graphql");
const MAX_NODES: u64 = 500_000;

/// The part of GitHub's schema that is played.
pub(crate) fn schema() -> &'static Schema {
    static READ: OnceLock<Schema> = OnceLock::new();
    // The text is part of the program; a test reads it.
    READ.get_or_init(|| Schema::read(SCHEMA).unwrap_or_default())
}

/// `errors` without `data`, status 200.
fn refused(errors: &[GraphqlError]) -> Response {
    let errors: Vec<Value> = errors.iter().map(GraphqlError::to_json).collect();
    Response::json(200, &json!({ "errors": errors }))
}

fn single(kind: &str, message: String) -> Response {
    refused(&[GraphqlError::new(Some(kind), message, Place { line: 1, column: 1 })])
}

/// The hourly limit, as GraphQL tells it.
pub(crate) fn rate_limited(owner: &str) -> Response {
    let headers =
        primary(200, 5_000, time::now() + std::time::Duration::from_secs(1), owner, Resource::Graphql)
            .headers;
    let mut response = single("RATE_LIMITED", format!("API rate limit already exceeded for {owner}."));
    response.headers.extend(headers.into_iter().filter(|(name, _)| name.starts_with("X-RateLimit")));
    response
}

/// Hands each list of this name in an answer to `change`, with its path.
fn each_list(
    value: &mut Value,
    list: &str,
    path: &mut Vec<Value>,
    change: &mut impl FnMut(&mut Value, &[Value]),
) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(json!(name));
                if name == list && value.is_object() {
                    change(value, path);
                }
                each_list(value, list, path, change);
                path.pop();
            }
        }
        Value::Array(entries) => {
            for (at, value) in entries.iter_mut().enumerate() {
                path.push(json!(at));
                each_list(value, list, path, change);
                path.pop();
            }
        }
        _ => {}
    }
}

/// What GitHub says of an entry that is gone.
fn gone(path: Vec<Value>) -> GraphqlError {
    let words = "Could not resolve to a node with the global id of 'gone'.".to_owned();
    let mut error = GraphqlError::new(Some("NOT_FOUND"), words, Place { line: 1, column: 1 });
    error.path = Some(path);
    error
}

fn secondary_limit(kind: Option<&str>) -> Response {
    let words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    let error = GraphqlError::new(kind, words.to_owned(), Place { line: 1, column: 1 });
    let reset = epoch_seconds(time::now()) + 3_000;
    let limit = [("Limit", 5_000), ("Remaining", 4_000), ("Used", 1_000), ("Reset", reset)];
    let response = refused(&[error]);
    limit.iter().fold(response, |response, (name, value)| {
        response.with(&format!("X-RateLimit-{name}"), value.to_string())
    })
}

fn saml_enforced(marked: bool) -> Response {
    let mut error =
        GraphqlError::new(Some("FORBIDDEN"), UNAUTHORISED.to_owned(), Place { line: 1, column: 1 });
    error.path = Some(vec![json!("organization")]);
    error.extensions = marked.then(|| json!({ "saml_failure": true }));
    Response::json(200, &json!({ "data": { "organization": null }, "errors": [error.to_json()] }))
}

/// Answers one request body. The state is locked only to count and to take the world to read.
pub(crate) fn answer(
    state: &Mutex<State>,
    viewer: &Viewer,
    body: &Value,
    fault: Option<&GraphqlFault>,
) -> Response {
    let Some(query) = body["query"].as_str() else {
        let words = "A query attribute must be specified and must be a string.";
        return error(400, words);
    };
    let query = match Query::of(schema(), query, body["operationName"].as_str()) {
        Ok(query) => query,
        Err(errors) => return refused(&errors),
    };
    let none = Map::new();
    let plan = match Plan::new(&query, body["variables"].as_object().unwrap_or(&none)) {
        Ok(plan) => plan,
        Err(errors) => return refused(&errors),
    };
    let (nodes, cost) = plan.nodes_and_cost();
    let charged = charge(&mut lock(state), viewer, nodes, cost);
    let (world, rate, forbidden) = match charged {
        Ok(charged) => charged,
        Err(refusal) => return refusal,
    };
    let mut fields = Fields::new(&world, viewer, rate);
    fields.forbidden = forbidden;
    match fault {
        Some(GraphqlFault::Forbidden { field }) => {
            fields.forbidden.insert(field.clone());
        }
        Some(GraphqlFault::ResourceLimits { entries }) => fields.budget = Some(*entries),
        Some(GraphqlFault::RateLimited) => return rate_limited(&viewer.limit_owner),
        Some(GraphqlFault::SecondaryLimit { retry_after, typed }) => {
            let kind = typed.then_some("RATE_LIMITED");
            return secondary_limit(kind).with("Retry-After", retry_after.to_string());
        }
        Some(GraphqlFault::SamlEnforced { marked }) => return saml_enforced(*marked),
        Some(GraphqlFault::Nulls { .. } | GraphqlFault::CountOff { .. }) | None => {}
    }
    let (mut data, mut errors) = execute(&plan, &Node::Query, &mut fields);
    if viewer.token.as_ref().is_some_and(|token| token.unauthorised) {
        let refused = errors.iter_mut().filter(|error| error.message == UNAUTHORISED);
        refused.for_each(|error| error.extensions = Some(json!({ "saml_failure": true })));
    }
    match fault {
        Some(GraphqlFault::Nulls { list, entries: n, told }) => {
            let mut holes = Vec::new();
            each_list(&mut data, list, &mut Vec::new(), &mut |page, path| {
                for (name, inner) in [("nodes", None), ("edges", Some("node"))] {
                    let entries = page.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
                    for (at, entry) in entries.take(*n).enumerate() {
                        let hole = match inner {
                            Some(inner) => entry.get_mut(inner),
                            None => Some(entry),
                        };
                        let Some(hole) = hole else { continue };
                        *hole = Value::Null;
                        let inner = inner.map(|inner| json!(inner));
                        holes.push(
                            path.iter().cloned().chain([json!(name), json!(at)]).chain(inner).collect(),
                        );
                    }
                }
            });
            errors.extend(holes.into_iter().filter(|_| *told).map(gone));
        }
        Some(GraphqlFault::CountOff { list, by }) => {
            each_list(&mut data, list, &mut Vec::new(), &mut |page, _| {
                if let Some(count) = page["totalCount"].as_i64() {
                    page["totalCount"] = json!(count + by);
                }
            });
        }
        _ => {}
    }
    let mut value = json!({ "data": data });
    if !errors.is_empty() {
        value["errors"] = errors.iter().map(GraphqlError::to_json).collect();
    }
    Response::json(200, &value)
}

type Charged = (Arc<World>, Rate, BTreeSet<String>);

/// Counts a query, or refuses it; gives what it may read.
fn charge(state: &mut State, viewer: &Viewer, nodes: u64, cost: u64) -> Result<Charged, Response> {
    let owner = &viewer.limit_owner;
    let limited = !state.enterprise_server();
    if limited && !state.spend_minute(owner, Resource::Graphql) {
        return Err(secondary(60));
    }
    if nodes > MAX_NODES {
        let message = format!("This query requests up to {nodes} possible nodes which exceeds the maximum limit of {MAX_NODES}.");
        return Err(single("MAX_NODE_LIMIT_EXCEEDED", message));
    }
    if let Some((_, status)) = state.node_cap.filter(|(cap, _)| nodes > *cap) {
        // Points are taken for it all the same.
        state.spend(owner, Resource::Graphql, cost);
        return Err(too_heavy(status));
    }
    if limited && !state.spend(owner, Resource::Graphql, cost) {
        return Err(rate_limited(owner));
    }
    let usage = state.usage_of(owner, Resource::Graphql);
    let rate = Rate {
        cost,
        nodes,
        limit: state.limit_of(owner, Resource::Graphql),
        used: usage.used,
        reset: usage.reset,
    };
    Ok((state.history.seen(), rate, state.forbidden_fields.clone()))
}

fn too_heavy(status: u16) -> Response {
    let message = "We couldn't respond to your request in time. Sorry about that. Please try resubmitting your request and contact us if the problem persists.";
    Response::json(
        status,
        &json!({ "message": message, "documentation_url": "https://docs.github.com/graphql" }),
    )
}

/// Whether the schema text can be read; asked by a test.
pub(crate) fn schema_problem() -> Option<String> {
    Schema::read(SCHEMA).err().map(|fault| fault.message)
}
