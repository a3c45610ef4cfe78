//! Whether a call is one that the official description of its site has: its method, path, parameters and body, and for
//! GraphQL the query and its variables.
//!
//! The descriptions are in `tests/api`, reduced to what is called. Every call that the program makes in any test, in the demo
//! or in the benchmark is held against them; [`Wire`](super::wire::Wire) sees to that. What the descriptions do not say
//! although it is so stands in [`KNOWN_BESIDES`] and [`ALSO_AT`], each with where it is said instead. Nothing here looks at
//! answers.

mod value;

use super::encode::percent_decode;
use super::graphql::schema::Schema;
use super::graphql::{Plan, Query};
use super::message::Request;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The program's own calls bear this; tests that ask a stand-in something themselves do not.
pub const PROGRAM: &str = "sentry-team-sync/";

/// A description of one site.
pub struct Description {
    operations: Vec<Operation>,
}

struct Operation {
    method: String,
    /// `/orgs/{org}/teams` and so on, in parts.
    path: Vec<String>,
    parameters: Vec<Parameter>,
    /// The schema of a JSON body, and whether there must be one.
    body: Option<(Value, bool)>,
}

struct Parameter {
    name: String,
    in_path: bool,
    required: bool,
    schema: Value,
}

/// Where a path is that the description has under another one: by whom that is said.
const ALSO_AT: &[(&str, &str, &str)] = &[
    (
        "/organizations/{org_id}",
        "/orgs/{org}",
        "GitHub's `Link` headers, and the redirect that answers for a renamed organisation, name it",
    ),
    (
        "/organizations/{org_id}/team/{team_id}/members",
        "/orgs/{org}/teams/{team_slug}/members",
        "the description says the same of the team itself, its memberships and its teams in words",
    ),
    ("/organizations/{org_id}/teams", "/orgs/{org}/teams", "the `Link` header of the one leads to the other"),
    (
        "/organizations/{org_id}/members",
        "/orgs/{org}/members",
        "the `Link` header of the one leads to the other",
    ),
    (
        "/organizations/{org_id}/teams/{team_slug}/members",
        "/orgs/{org}/teams/{team_slug}/members",
        "the `Link` header of the one leads to the other",
    ),
];

/// What a true server takes although its description does not say so: the operation, where, what, and how it is known.
const KNOWN_BESIDES: &[(&str, &str, Part, &str)] = &[
    (
        "GET",
        MEMBERS,
        Part::Query("per_page"),
        "observed: every list of Sentry has it; docs.sentry.io/api/pagination",
    ),
    ("GET", MEMBERS, Part::Query("query"), "observed: `email:`; Sentry's own pages search with it"),
    ("GET", MEMBERS, Part::Query("expand"), "observed: `externalUsers`, for linked logins"),
    ("GET", TEAM_MEMBERS, Part::Query("per_page"), "observed: as above"),
    (
        "POST",
        MEMBERS,
        Part::Body("role"),
        "observed: Sentry 23.7 reads this; `orgRole` came later, and both are sent",
    ),
    ("GET", "/api/0/", Part::Whole, "observed: the scopes of the token that asks"),
    (
        "GET",
        "/api/0/organizations/{organization_id_or_slug}/codeowners-associations/",
        Part::Whole,
        "observed: what Sentry makes of the CODEOWNERS files; its own pages ask for it",
    ),
    (
        "GET",
        INTEGRATIONS,
        Part::Query("includeConfig"),
        "described as a boolean, and compared with `0` in today's source: organization_integrations_index.py",
    ),
];

const INTEGRATIONS: &str = "/api/0/organizations/{organization_id_or_slug}/integrations/";
const MEMBERS: &str = "/api/0/organizations/{organization_id_or_slug}/members/";
const TEAM_MEMBERS: &str = "/api/0/teams/{organization_id_or_slug}/{team_id_or_slug}/members/";

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Whole,
    Query(&'static str),
    Body(&'static str),
}

/// GitHub's, of API version 2022-11-28.
pub fn github() -> &'static Description {
    static READ: OnceLock<Description> = OnceLock::new();
    READ.get_or_init(|| Description::read(include_str!("../../api/github.json")))
}

/// Sentry's.
pub fn sentry() -> &'static Description {
    static READ: OnceLock<Description> = OnceLock::new();
    READ.get_or_init(|| Description::read(include_str!("../../api/sentry.json")))
}

/// GitHub's GraphQL schema, without what it deprecates.
pub fn github_schema() -> &'static Schema {
    static READ: OnceLock<Schema> = OnceLock::new();
    READ.get_or_init(|| {
        Schema::read(include_str!("../../api/github.graphql")).expect("the schema can be read")
    })
}

impl Description {
    fn read(text: &str) -> Description {
        let whole: Value = serde_json::from_str(text).expect("the description is JSON");
        let mut operations = Vec::new();
        for (path, methods) in whole["paths"].as_object().expect("paths") {
            for (method, described) in methods.as_object().expect("methods") {
                operations.push(Operation::read(method, path, described));
                let in_words = described["x-also"].as_str();
                let also = ALSO_AT.iter().filter(|(_, of, _)| of == path).map(|(at, ..)| *at);
                for other in also.chain(in_words) {
                    operations.push(Operation::read(method, other, described));
                }
            }
        }
        for (method, path, part, _) in KNOWN_BESIDES {
            if *part == Part::Whole {
                operations.push(Operation::read(method, path, &Value::Null));
            }
        }
        Description { operations }
    }

    /// What a call has that the description has not, or the other way round. `path` is without the server's own prefix.
    pub fn faults(&self, request: &Request, path: &str) -> Vec<String> {
        let parts: Vec<&str> = path.split('/').collect();
        let fitting = self.operations.iter().filter(|operation| operation.is_at(&parts));
        // `/user/orgs` before `/user/{account_id}`.
        let Some(operation) = fitting
            .filter(|operation| operation.method.eq_ignore_ascii_case(&request.method))
            .max_by_key(|operation| operation.path.iter().filter(|part| !is_free(part)).count())
        else {
            return vec![format!("no such operation: {} {path}", request.method)];
        };
        let mut faults = operation.faults_of_path(&parts);
        faults.extend(operation.faults_of_query(&request.params()));
        faults.extend(operation.faults_of_body(request));
        faults.iter().map(|fault| format!("{} {}: {fault}", request.method, request.target)).collect()
    }
}

impl Operation {
    fn read(method: &str, path: &str, described: &Value) -> Operation {
        let known = described["parameters"].as_array().into_iter().flatten();
        let parameters = known.map(|parameter| Parameter {
            name: parameter["name"].as_str().unwrap_or_default().to_owned(),
            in_path: parameter["in"] == "path",
            required: parameter["required"] == true,
            schema: parameter["schema"].clone(),
        });
        let body = described.get("requestBody").map(|body| {
            let schema = &body["content"]["application/json"]["schema"];
            (schema.clone(), body["required"] == true)
        });
        Operation {
            method: method.to_ascii_uppercase(),
            path: path.split('/').map(str::to_owned).collect(),
            parameters: parameters.collect(),
            body,
        }
    }

    fn is_at(&self, parts: &[&str]) -> bool {
        let same = |(own, given): (&String, &&str)| own == given || is_free(own) && !given.is_empty();
        self.path.len() == parts.len() && self.path.iter().zip(parts).all(same)
    }

    fn besides(&self, part: Part) -> bool {
        let path = self.path.join("/");
        KNOWN_BESIDES
            .iter()
            .any(|(method, at, known, _)| *method == self.method && *at == path && *known == part)
    }

    fn faults_of_path(&self, parts: &[&str]) -> Vec<String> {
        let mut faults = Vec::new();
        for (own, given) in self.path.iter().zip(parts).filter(|(own, _)| is_free(own)) {
            let name = own.trim_matches(['{', '}']);
            let described =
                self.parameters.iter().find(|parameter| parameter.in_path && parameter.name == name);
            // The routes by id are only told in words, and ids are numbers.
            let number = serde_json::json!({ "type": "integer" });
            let schema = match described {
                Some(parameter) => &parameter.schema,
                None if matches!(name, "org_id" | "team_id") => &number,
                // Whatever is known of such a call at all, stands in the list above.
                None if self.besides(Part::Whole) => continue,
                None => {
                    faults.push(format!("path parameter `{name}` is not described"));
                    continue;
                }
            };
            faults.extend(value::text_faults(name, schema, &percent_decode(given)));
        }
        faults
    }

    fn faults_of_query(&self, given: &[(String, String)]) -> Vec<String> {
        let in_query = |name: &str| self.parameters.iter().find(|known| !known.in_path && known.name == name);
        let mut faults = Vec::new();
        for (name, text) in given {
            let besides = Part::Query(known_name(name));
            match in_query(name) {
                _ if self.besides(besides) => {}
                Some(parameter) => faults.extend(value::text_faults(name, &parameter.schema, text)),
                None => faults.push(format!("query parameter `{name}` is not described")),
            }
        }
        let missing = self
            .parameters
            .iter()
            .filter(|own| !own.in_path && own.required && !given.iter().any(|(name, _)| *name == own.name));
        faults.extend(missing.map(|own| format!("query parameter `{}` is required", own.name)));
        faults
    }

    fn faults_of_body(&self, request: &Request) -> Vec<String> {
        let Some((schema, required)) = &self.body else {
            let none = request.body.is_empty();
            return if none { Vec::new() } else { vec!["a body is not described".to_owned()] };
        };
        if request.body.is_empty() {
            return if *required { vec!["a body is required".to_owned()] } else { Vec::new() };
        }
        if request.media_type() != "application/json" {
            return vec![format!("a body of `{}` is not described", request.media_type())];
        }
        let Ok(mut body) = serde_json::from_slice::<Value>(&request.body) else {
            return vec!["the body is no JSON".to_owned()];
        };
        if let Some(properties) = body.as_object_mut() {
            properties.retain(|name, _| !self.besides(Part::Body(known_name(name))));
        }
        value::faults("body", schema, &body)
    }
}

fn is_free(part: &str) -> bool {
    part.starts_with('{')
}

/// The same name as it stands in [`KNOWN_BESIDES`]; nothing if it does not.
fn known_name(name: &str) -> &'static str {
    let known = KNOWN_BESIDES.iter().filter_map(|(_, _, part, _)| match part {
        Part::Query(known) | Part::Body(known) => Some(*known),
        Part::Whole => None,
    });
    known.into_iter().find(|known| *known == name).unwrap_or_default()
}

/// What GitHub's schema has against a query and its variables.
pub fn graphql_faults(request: &Request) -> Vec<String> {
    if request.method != "POST" || request.media_type() != "application/json" {
        return vec![format!(
            "GraphQL is asked by POST of JSON, not by {} of `{}`",
            request.method,
            request.media_type()
        )];
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&request.body) else {
        return vec!["the body is no JSON object".to_owned()];
    };
    let known = ["query", "variables", "operationName"];
    let unknown = body.keys().find(|key| !known.contains(&key.as_str()));
    match (unknown, body.get("query").and_then(Value::as_str)) {
        (Some(key), _) => vec![format!("GraphQL knows no `{key}` beside a query")],
        (_, None) => vec!["there is no query".to_owned()],
        (_, Some(query)) => {
            let none = Map::new();
            let variables = body.get("variables").and_then(Value::as_object).unwrap_or(&none);
            query_faults(query, body.get("operationName").and_then(Value::as_str), variables)
        }
    }
}

/// The same for a query that nobody has sent.
pub fn query_faults(query: &str, name: Option<&str>, variables: &Map<String, Value>) -> Vec<String> {
    let known = Query::of(github_schema(), query, name);
    let faults = known.and_then(|query| Plan::new(&query, variables).map(drop)).err().unwrap_or_default();
    faults.iter().map(|fault| format!("{}: {query}", fault.message)).collect()
}

/// What of one schema is otherwise in the other, or missing there: a schema that is played must be a part of the true one.
pub fn schema_differences(played: &Schema, whole: &Schema) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: String, own: Option<String>, theirs: Option<String>| {
        if own != theirs {
            differences.push(format!(
                "{what}: {} is {}",
                own.unwrap_or_default(),
                theirs.unwrap_or_default()
            ));
        }
    };
    for (object, fields) in &played.objects {
        for (field, own) in fields {
            let theirs = whole.field(object, field);
            let kind = |field: &super::graphql::schema::FieldType| field.kind.to_string();
            compare(format!("{object}.{field}"), Some(kind(own)), theirs.map(kind));
            let none = BTreeMap::new();
            let their_arguments = theirs.map_or(&none, |theirs| &theirs.arguments);
            for (name, argument) in &own.arguments {
                let text = |argument: &super::graphql::schema::Argument| {
                    format!("{} = {:?}", argument.kind, argument.default)
                };
                let place = format!("{object}.{field}({name})");
                compare(place, Some(text(argument)), their_arguments.get(name).map(text));
            }
        }
    }
    for (name, words) in &played.enums {
        compare(
            name.clone(),
            Some(format!("{words:?}")),
            whole.enums.get(name).map(|words| format!("{words:?}")),
        );
    }
    for (name, fields) in &played.inputs {
        let text = |fields: &BTreeMap<String, super::graphql::schema::Argument>| {
            fields.iter().map(|(name, field)| format!("{name}: {} ", field.kind)).collect::<String>()
        };
        compare(name.clone(), Some(text(fields)), whole.inputs.get(name).map(text));
    }
    differences
}
