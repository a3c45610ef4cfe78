//! Connections of GitHub's GraphQL: `first`, `after`, cursors, `pageInfo`.
//!
//! Facts: `first` or `last` must be given, 1 to 100, else an error inside a 200; cursors are opaque
//! and name a place in the order, not an offset, so rows that vanish before it skip nothing.

use super::fields::Node;
use crate::standin::encode::{base64, base64_decode};
use crate::standin::graphql::{Arguments, Failure, Out};
use serde_json::{json, Value};
use std::sync::Arc;

/// What a connection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Teams,
    TeamMembers(u64),
    OrgMembers,
    Identities,
}

impl Kind {
    pub fn connection_type(self) -> &'static str {
        match self {
            Kind::Teams => "TeamConnection",
            Kind::TeamMembers(_) => "TeamMemberConnection",
            Kind::OrgMembers => "OrganizationMemberConnection",
            Kind::Identities => "ExternalIdentityConnection",
        }
    }

    pub fn edge_type(self) -> &'static str {
        match self {
            Kind::Teams => "TeamEdge",
            Kind::TeamMembers(_) => "TeamMemberEdge",
            Kind::OrgMembers => "OrganizationMemberEdge",
            Kind::Identities => "ExternalIdentityEdge",
        }
    }
}

/// One page.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub kind: Kind,
    pub ids: Vec<u64>,
    pub cursors: Vec<String>,
    total: usize,
    before: bool,
    after: bool,
}

impl Connection {
    /// The object of an id.
    pub fn node(&self, id: u64) -> Node {
        match self.kind {
            Kind::Teams => Node::Team(id),
            Kind::TeamMembers(_) | Kind::OrgMembers => Node::User(id),
            Kind::Identities => Node::Identity(id),
        }
    }

    /// A field of the connection itself.
    pub fn field(self: &Arc<Self>, name: &str) -> Out<Node> {
        match name {
            "nodes" => Out::Nodes(self.ids.iter().map(|id| Some(self.node(*id))).collect()),
            "edges" => {
                Out::Nodes((0..self.ids.len()).map(|at| Some(Node::Edge(Arc::clone(self), at))).collect())
            }
            "pageInfo" => Out::Node(Some(Node::PageInfo(Arc::clone(self)))),
            _ => Out::Value(json!(self.total)),
        }
    }

    /// A field of `pageInfo`.
    pub fn page_info(&self, name: &str) -> Out<Node> {
        Out::Value(match name {
            "hasNextPage" => json!(self.after),
            "hasPreviousPage" => json!(self.before),
            "startCursor" => json!(self.cursors.first()),
            _ => json!(self.cursors.last()),
        })
    }
}

fn cursor(key: &(String, u64)) -> String {
    base64(format!("cursor:v2:{}:{}", key.1, key.0).as_bytes())
}

fn read_cursor(text: &str) -> Option<(String, u64)> {
    let text = String::from_utf8(base64_decode(text)?).ok()?;
    let (id, name) = text.strip_prefix("cursor:v2:")?.split_once(':')?;
    Some((name.to_owned(), id.parse().ok()?))
}

fn size(name: &str, arguments: &Arguments) -> Result<(usize, bool), Failure> {
    let fail = |kind, message| Err(Failure { kind, message });
    let given = ["first", "last"].into_iter().find_map(|key| Some((key, arguments.get(key)?.as_i64()?)));
    let Some((key, size)) = given else {
        let message = format!(
            "You must provide a `first` or `last` value to properly paginate the `{name}` connection."
        );
        return fail("MISSING_PAGINATION_BOUNDARIES", message);
    };
    match usize::try_from(size) {
        Ok(size @ 1..=100) => Ok((size, key == "first")),
        Ok(size @ 101..) => {
            let message = format!("Requesting {size} records on the `{name}` connection exceeds the `{key}` limit of 100 records.");
            fail("EXCESSIVE_PAGINATION", message)
        }
        _ => fail("ARGUMENT_ERROR", format!("`{key}` on the `{name}` connection cannot be less than 1.")),
    }
}

/// Cuts the asked page out of ids that are in their order.
pub(crate) fn slice(
    name: &str,
    kind: Kind,
    ids: Vec<u64>,
    arguments: &Arguments,
    key: impl Fn(u64) -> (String, u64),
) -> Result<Connection, Failure> {
    let (size, forward) = size(name, arguments)?;
    let place = |argument: &str| -> Result<Option<(String, u64)>, Failure> {
        let Some(text) = arguments.get(argument).and_then(Value::as_str) else {
            return Ok(None);
        };
        let bad = || Failure {
            kind: "INVALID_CURSOR_ARGUMENTS",
            message: format!("`{text}` does not appear to be a valid cursor."),
        };
        read_cursor(text).map(Some).ok_or_else(bad)
    };
    let descending = ids.len() > 1 && key(ids[0]) > key(ids[ids.len() - 1]);
    let comes_before =
        |id: &u64, place: &(String, u64)| (key(*id) < *place) != descending && key(*id) != *place;
    let start = match place("after")? {
        None => 0,
        Some(place) => ids.partition_point(|id| comes_before(id, &place) || key(*id) == place),
    };
    let end = match place("before")? {
        None => ids.len(),
        Some(place) => ids.partition_point(|id| comes_before(id, &place)),
    };
    let end = end.max(start);
    let (from, to) =
        if forward { (start, end.min(start + size)) } else { (start.max(end.saturating_sub(size)), end) };
    let page: Vec<u64> = ids[from..to].to_vec();
    let cursors = page.iter().map(|id| cursor(&key(*id))).collect();
    Ok(Connection { kind, ids: page, cursors, total: ids.len(), before: from > 0, after: to < ids.len() })
}
