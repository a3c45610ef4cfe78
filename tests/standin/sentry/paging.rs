//! Pages and the `Link` header of Sentry's listings.
//!
//! Facts: cursors are `size:page:is_prev`, plain offsets, so rows are skipped when others vanish
//! between two pages; `Link` always has both relations and tells the end by `results="false"`;
//! `per_page` is 1 to 100, 0 and negative numbers give no rows and promise more; the link's host is
//! the configured one.

use super::world::World;
use crate::standin::encode::form_encode;
use crate::standin::http::{Request, Response};
use serde_json::json;

struct Cursor {
    size: i64,
    page: i64,
}

/// Cuts the asked page out of all rows; gives the rows and the `Link` header.
pub(crate) fn page<T>(
    world: &World,
    request: &Request,
    rows: impl IntoIterator<Item = T>,
) -> Result<(Vec<T>, String), Response> {
    let cursor = cursor(request)?;
    let limit = per_page(request)?;
    let Cursor { size, page } = cursor;
    let offset = page.saturating_mul(size);
    if offset < 0 {
        return Err(bad("Pagination offset cannot be negative"));
    }
    let stop = offset.saturating_add(if size == 0 { limit } else { size }).saturating_add(1);
    let wanted = usize::try_from(stop - offset).unwrap_or(0);
    let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
    let mut rows: Vec<T> = rows.into_iter().skip(skipped).take(wanted).collect();
    if size != limit && limit + 1 > 0 {
        // The size changed between two pages: the true server keeps the tail.
        let keep = usize::try_from(limit + 1).unwrap_or(0);
        let drop = rows.len().saturating_sub(keep);
        rows.drain(..drop);
    }
    let more = rows.len() as i64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(0));
    let relation = |name: &str, cursor: String, results: bool| {
        let address =
            format!("{}{}?{}&cursor={cursor}", world.base, request.path(), query_without_cursor(request));
        format!("<{address}>; rel=\"{name}\"; results=\"{results}\"; cursor=\"{cursor}\"")
    };
    let previous = relation("previous", format!("{limit}:{}:1", page - 1), page > 0);
    let next = relation("next", format!("{limit}:{}:0", page.saturating_add(1)), more);
    Ok((rows, format!("{previous}, {next}")))
}

fn query_without_cursor(request: &Request) -> String {
    let pairs = request.params().into_iter().filter(|(name, _)| name != "cursor");
    let encoded: Vec<String> =
        pairs.map(|(name, value)| format!("{}={}", form_encode(&name), form_encode(&value))).collect();
    encoded.join("&")
}

fn cursor(request: &Request) -> Result<Cursor, Response> {
    let Some(text) = request.param("cursor").filter(|text| !text.is_empty()) else {
        return Ok(Cursor { size: 0, page: 0 });
    };
    let parts: Vec<Option<i64>> = text.split(':').map(|part| part.parse().ok()).collect();
    match parts[..] {
        [Some(size), Some(page), Some(_)] => Ok(Cursor { size, page }),
        _ => Err(bad("Invalid cursor parameter.")),
    }
}

fn per_page(request: &Request) -> Result<i64, Response> {
    let Some(text) = request.param("per_page") else {
        return Ok(100);
    };
    match text.trim().parse::<i64>() {
        Ok(size) if size > 100 => Err(bad("Invalid per_page value. Cannot exceed 100.")),
        Ok(size) => Ok(size),
        Err(_) => Err(bad("Invalid per_page parameter.")),
    }
}

fn bad(detail: &str) -> Response {
    Response::json(400, &json!({ "detail": detail }))
}
