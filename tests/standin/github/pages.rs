//! Pages of GitHub's REST lists.
//!
//! Facts: `per_page` at most 100, default 30; the address in `Link` is to be followed as given and
//! goes by ids; a single page has no `Link`; past the end is an empty list.

use super::state::State;
use crate::standin::encode::form_encode;
use crate::standin::http::{Request, Response};
use serde_json::Value;

/// Cuts the asked page out of all rows, shows it, and adds `Link`. `path` is the list's address by
/// ids.
pub(crate) fn paged<T>(
    state: &State,
    request: &Request,
    path: &str,
    rows: Vec<T>,
    show: impl Fn(T) -> Value,
) -> Response {
    let number = |name: &str| {
        let text = request.param(name)?;
        text.parse::<usize>().ok().filter(|number| *number > 0)
    };
    let size = number("per_page").unwrap_or(30).min(100);
    let page = number("page").unwrap_or(1);
    let last = rows.len().div_ceil(size).max(1);
    let before = page.saturating_sub(1).saturating_mul(size);
    let shown: Vec<Value> = rows.into_iter().skip(before).take(size).map(show).collect();
    let response = Response::json(200, &shown.into());
    let address = |page: usize, relation: &str| {
        let kept = request.params().into_iter().filter(|(name, _)| name != "page");
        let kept = kept.map(|(name, value)| format!("{name}={}", form_encode(&value)));
        let query: Vec<String> = kept.chain([format!("page={page}")]).collect();
        let base = state.own_bases().api;
        format!("<{base}{path}?{}>; rel=\"{relation}\"", query.join("&"))
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(address(page - 1, "prev"));
    }
    if page < last {
        links.extend([address(page + 1, "next"), address(last, "last")]);
    }
    if page > 1 {
        links.push(address(1, "first"));
    }
    if links.is_empty() {
        response
    } else {
        response.with("Link", links.join(", "))
    }
}
