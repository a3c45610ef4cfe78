//! Reads the `Link` header (RFC 8288) and finds out which page follows. Pure.
//!
//! The end of a list is a fact with consequences: people on a page that was not read count as having left. So an
//! unreadable header is never taken for the end of the list, and neither is a full page without a link to the next one.

/// One link: its target and its parameters, with names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// A URI or a relative reference.
    pub target: String,
    params: Vec<(String, String)>,
}

/// What follows a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    Page(Link),
    /// There is no link to a next page, but this page is full, so there may be another one.
    Perhaps,
    Nothing,
}

impl Link {
    /// The first parameter of this name. Later ones of the same name are ignored.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it has this relation, and starts at the page itself rather than at another `anchor`.
    fn is(&self, relation: &str) -> bool {
        let all = self.param("rel").unwrap_or_default();
        self.param("anchor").is_none()
            && all.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case(relation))
    }
}

/// Decides what follows a page with this many rows, of at most `full`. `header` has all `Link` lines, joined. The error
/// says why the header cannot be relied on.
pub fn behind(header: Option<&str>, rows: usize, full: usize) -> Result<Behind, String> {
    let mut next = parse(header.unwrap_or_default())?.into_iter().filter(|link| link.is("next"));
    match (next.next(), next.next()) {
        (Some(first), Some(second)) if first != second => Err("it names two next pages".into()),
        (Some(link), _) => Ok(Behind::Page(link)),
        (None, _) if rows >= full => Ok(Behind::Perhaps),
        (None, _) => Ok(Behind::Nothing),
    }
}

/// All links of a header, whose lines are joined with commas.
fn parse(header: &str) -> Result<Vec<Link>, String> {
    let mut rest = Rest(header);
    let mut links = Vec::new();
    loop {
        // A list may have empty elements.
        while rest.blanks().take(',') {}
        if rest.0.is_empty() {
            return Ok(links);
        }
        links.push(rest.link()?);
        if !rest.0.is_empty() && !rest.0.starts_with(',') {
            return Err(rest.unreadable());
        }
    }
}

/// The part of a header that is not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn blanks(&mut self) -> &mut Self {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        self
    }

    fn take(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn unreadable(&self) -> String {
        format!("it can't be read at {}", crate::text::Quoted(&crate::text::plain(self.0, 40)))
    }

    /// `<URI>` and its parameters.
    fn link(&mut self) -> Result<Link, String> {
        if !self.take('<') {
            return Err(self.unreadable());
        }
        let (target, rest) = self.0.split_once('>').ok_or_else(|| self.unreadable())?;
        if target.contains(|c: char| !c.is_ascii_graphic() || "<\"".contains(c)) {
            return Err(self.unreadable());
        }
        self.0 = rest;
        let mut params = Vec::new();
        while self.blanks().take(';') {
            // A semicolon may be followed by no parameter.
            self.blanks();
            if !self.0.is_empty() && !self.0.starts_with([';', ',']) {
                params.push(self.param()?);
            }
        }
        Ok(Link { target: target.into(), params })
    }

    /// `name`, `name=token` or `name="text"`.
    fn param(&mut self) -> Result<(String, String), String> {
        let name = self.token()?.to_ascii_lowercase();
        if !self.blanks().take('=') {
            return Ok((name, String::new()));
        }
        let value = if self.blanks().take('"') { self.quoted()? } else { self.token()?.to_string() };
        Ok((name, value))
    }

    fn token(&mut self) -> Result<&'a str, String> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        if token.is_empty() {
            return Err(self.unreadable());
        }
        self.0 = rest;
        Ok(token)
    }

    /// The text before the closing quote.
    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Ok(text);
                }
                '\\' => text.extend(chars.next().map(|(_, c)| c)),
                c => text.push(c),
            }
        }
        Err(self.unreadable())
    }
}

/// Path and query of a link's target. The target's host is ignored, so that a link never sends the token elsewhere.
/// `page`: path and query of the page that has the link.
pub fn path_on_same_host(target: &str, page: &str) -> Option<String> {
    let target = target.split('#').next().unwrap_or_default();
    let behind_scheme = match target.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) => {
            Some(rest)
        }
        _ => target.strip_prefix("//"),
    };
    match behind_scheme {
        Some(rest) => rest.find('/').map(|at| rest[at..].to_string()),
        None if target.starts_with('/') => Some(target.to_string()),
        None if target.starts_with('?') => {
            let path = page.split('?').next().unwrap_or_default();
            Some(format!("{path}{target}"))
        }
        None => None,
    }
}

/// Path and query of the next page, in a list whose pages are numbered.
pub fn numbered(page: &str) -> String {
    let (path, query) = page.split_once('?').unwrap_or((page, ""));
    let number = |part: &str| part.strip_prefix("page=").and_then(|number| number.parse::<u64>().ok());
    let now = query.split('&').find_map(number).unwrap_or(1);
    let others = query.split('&').filter(|part| !part.is_empty() && number(part).is_none());
    let parts: Vec<_> = others.map(String::from).chain([format!("page={}", now.saturating_add(1))]).collect();
    format!("{path}?{}", parts.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(header: &str) -> Option<String> {
        match behind(Some(header), 1, 100).unwrap() {
            Behind::Page(link) => Some(link.target),
            _ => None,
        }
    }

    #[test]
    fn a_next_page_is_found_however_the_header_is_written() {
        for header in [
            r#"<https://h/x?page=2>; rel="next""#,
            r#"<https://h/x?page=2>; rel="next", <https://h/x?page=9>; rel="last""#,
            r#"</a.css>; rel=preload; as=style, <https://h/x?page=2>; rel="next""#,
            r#"<https://h/x?page=2>; rel="next", </a.css>; rel=preload"#,
            "<https://h/x?page=2>; rel=next",
            "<https://h/x?page=2>;rel=next",
            "<https://h/x?page=2> ; rel = next",
            "<https://h/x?page=2>; REL=NEXT",
            r#"<https://h/x?page=2>; rel="last next""#,
            r#"<https://h/x?page=2>; title="a, b; rel=\"prev\""; rel="next""#,
            r#"<https://h/x?page=2>; title="ümlaut"; rel="next""#,
            "<https://h/x?page=2>; rel=next; rel=prev",
            "<https://h/x?page=2>; flag; rel=next;",
            ", ,\t<https://h/x?page=2>; ; rel=next,,",
            r#"<https://h/x?page=2>; rel=next, <https://h/x?page=2>; rel="next""#,
            r#"<https://h/y>; rel=next; anchor="https://h/other", <https://h/x?page=2>; rel=next"#,
        ] {
            assert_eq!(next(header).as_deref(), Some("https://h/x?page=2"), "{header}");
        }
        assert_eq!(next("<https://h/x?a=1,2&b=;3>; rel=next").as_deref(), Some("https://h/x?a=1,2&b=;3"));
    }

    #[test]
    fn what_is_no_next_page_is_none() {
        for header in [
            "",
            ",",
            r#"<x>; rel="last""#,
            "<x>",
            "<x>; rel=nextt",
            "<x>; rev=next",
            "<x>; rel=prev; rel=next",
        ] {
            assert_eq!(next(header), None, "{header}");
        }
    }

    #[test]
    fn what_does_not_parse_says_nothing() {
        for header in [
            "nonsense",
            "<x",
            "<x>; rel=\"next",
            "<x>; =next",
            "<x> rel=next",
            "<x>; rel=next next",
            "<x>, y",
            "<x y>; rel=next",
            "<ü>; rel=next",
            "x>; rel=next",
            "<x>; rel=next, <y>; rel=next",
        ] {
            assert!(behind(Some(header), 1, 100).is_err(), "{header}");
        }
    }

    #[test]
    fn only_a_page_that_is_not_full_is_the_end_by_itself() {
        let last = Some(r#"<x>; rel="last""#);
        for header in [None, last] {
            assert_eq!(behind(header, 99, 100), Ok(Behind::Nothing));
            assert_eq!(behind(header, 100, 100), Ok(Behind::Perhaps));
            assert_eq!(behind(header, 120, 100), Ok(Behind::Perhaps));
        }
    }

    #[test]
    fn the_next_page_is_asked_of_the_same_host() {
        let path = |target: &str| path_on_same_host(target, "/orgs/acme/teams?per_page=100");
        for (target, expected) in [
            ("https://evil.example/x/members?page=2&per_page=100", Some("/x/members?page=2&per_page=100")),
            ("//evil.example/x?page=2", Some("/x?page=2")),
            ("/x?page=2#top", Some("/x?page=2")),
            ("?page=2", Some("/orgs/acme/teams?page=2")),
            ("/x?to=https://h/y", Some("/x?to=https://h/y")),
            ("https://evil.example", None),
            ("x?page=2", None),
            ("", None),
            ("#top", None),
        ] {
            assert_eq!(path(target).as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn pages_are_counted_on() {
        for (page, behind) in [
            ("/x?per_page=100", "/x?per_page=100&page=2"),
            ("/x?page=2&per_page=100", "/x?per_page=100&page=3"),
            ("/x", "/x?page=2"),
        ] {
            assert_eq!(numbered(page), behind);
        }
    }
}
