//! What the `check` command asks of Sentry: raw answers with headers. Reads only.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{row, Sentry};
use crate::config::values::{base_url, BaseUrl};
use crate::hosts::http::asked::Asked;
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Reply, Request};
use crate::hosts::{unless_denied, Seen};
use crate::state::address::is_proxy;
use crate::state::ids::{SentrySlug, SentryTeamId};

/// Whose token it is, and what it may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Its scopes; `None` if Sentry does not report them.
    pub scopes: Option<Vec<String>>,
    /// Whether it is an integration's token: its user has no address, or one that Sentry made up.
    pub is_integration: bool,
}

/// A team, and whether an identity provider manages it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TeamRow {
    /// The id, as text.
    id: String,
    pub slug: SentrySlug,
    #[serde(default)]
    flags: Value,
}

impl TeamRow {
    pub fn id(&self) -> Option<SentryTeamId> {
        self.id.parse().ok().map(SentryTeamId)
    }

    /// Whether an identity provider manages it.
    pub fn is_locked(&self) -> bool {
        self.flags.get("idp:provisioned") == Some(&Value::Bool(true))
    }
}

#[derive(Deserialize)]
struct IndexRow {
    auth: Option<super::wire::AuthRow>,
    user: Option<UserRow>,
}

#[derive(Deserialize)]
struct UserRow {
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
struct OrgRow {
    #[serde(rename = "openMembership")]
    open_membership: Option<bool>,
}

/// sentry.io itself, if `base` is the host of one of its regions.
pub fn gateway_of(base: &BaseUrl) -> Option<BaseUrl> {
    let is_region = base.is_https() && base.host().to_ascii_lowercase().ends_with(".sentry.io");
    base_url("https://sentry.io").ok().filter(|_| is_region)
}

/// The address of the organisation's region, which sentry.io names in answers that it has forwarded.
pub fn region(reply: &Reply) -> Option<String> {
    let told = reply.answer.headers.passed_on_to.as_deref()?;
    base_url(told.split("/api/0/").next()?).ok().map(|base| base.origin().to_string())
}

impl Sentry {
    /// A copy that has forgotten earlier refusals.
    pub fn afresh(&self) -> Self {
        let (api, org, ids) = (self.api.clone(), self.org.clone(), self.ids.clone());
        Self { host: Arc::new(self.host.afresh()), api, org, ids, other_github: self.other_github }
    }

    /// Asks whose token it is: the reply as it is, and what it says. The hosts of sentry.io's regions answer with
    /// [`Verdict::Nowhere`].
    pub fn holder(&self) -> (Reply, Option<Holder>) {
        let reply = self.host.ask(Asked::Sentry, &Request::get(format!("{}/", self.api)));
        let row = match reply.verdict {
            Verdict::Done => row::<IndexRow>(&reply),
            _ => None,
        };
        let holder = row.map(|row| Holder {
            scopes: row.auth.map(|auth| auth.scopes),
            is_integration: row.user.is_some_and(|user| user.email.is_empty() || is_proxy(&user.email)),
        });
        (reply, holder)
    }

    /// The organisation's region, as `gateway` names it. It answers without a token too, so none is sent.
    pub fn region_named_by(&self, gateway: &BaseUrl) -> Option<String> {
        let path = self.org_path("?detailed=0");
        region(&self.host.without_token(gateway).ask(Asked::Sentry, &Request::get(path)))
    }

    /// Whether everybody may join every team on their own; `None` if Sentry does not say, or not to this token.
    pub fn open_membership(&self) -> Seen<bool> {
        let row = unless_denied(self.get::<OrgRow>(self.org_path("?detailed=0")))?;
        Ok(row.and_then(|row| row.open_membership))
    }

    /// All teams, and whether an identity provider manages them; `None` if the token may not list them.
    pub fn team_rows(&self) -> Seen<Vec<TeamRow>> {
        unless_denied(self.pages(&self.org_path("teams/?detailed=0&per_page=100"), Some::<TeamRow>))
    }

    /// Whether the organisation's members can be read: the reply as it is.
    pub fn look_at_members(&self) -> Reply {
        let path = self.org_path("members/?per_page=1");
        self.ask(Asked::Sentry, &Request::get(path))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::clock::Clock;
    use crate::config::secret::Secret;
    use crate::hosts::http::tls::Way;

    #[test]
    fn only_a_regions_own_host_has_a_gateway() {
        let gateway = |text: &str| gateway_of(&base_url(text).unwrap()).map(|base| base.as_str().to_string());
        for region in ["https://de.sentry.io", "https://US.sentry.io/"] {
            assert_eq!(gateway(region).as_deref(), Some("https://sentry.io"), "{region}");
        }
        for other in [
            "https://sentry.io",
            "https://sentry.io.corp.test",
            "https://notsentry.io",
            "http://127.0.0.1:9000",
        ] {
            assert_eq!(gateway(other), None, "{other}");
        }
    }

    /// Asks a gateway that answers with this header. Returns the request that it received, and the region learnt.
    fn ask_gateway(header: &str) -> (String, Option<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gateway = base_url(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let answer =
            format!("HTTP/1.1 401 Unauthorized\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n");
        std::thread::scope(|scope| {
            let asked = scope.spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<_> =
                    lines.map(|line| line.unwrap()).take_while(|line| !line.is_empty()).collect();
                stream.write_all(answer.as_bytes()).unwrap();
                head.join("\n")
            });
            let elsewhere = base_url("http://127.0.0.1:1").unwrap();
            let token = Secret::new("sesame-of-the-test".to_string());
            let sentry = Sentry::new(&elsewhere, "acme", &token, &elsewhere, &Way::local(), &Clock::System);
            let region = sentry.region_named_by(&gateway);
            (asked.join().unwrap(), region)
        })
    }

    #[test]
    fn the_region_is_asked_for_without_the_token() {
        let (asked, region) =
            ask_gateway("X-Sentry-Proxy-URL: https://de.sentry.io/api/0/organizations/acme/\r\n");
        assert_eq!(region.as_deref(), Some("https://de.sentry.io"));
        assert!(asked.starts_with("GET /api/0/organizations/acme/?detailed=0 "), "{asked}");
        assert!(
            !asked.contains("sesame") && !asked.to_ascii_lowercase().contains("authorization"),
            "{asked}"
        );
        for odd in
            ["", "X-Sentry-Proxy-URL: /api/0/x\r\n", "X-Sentry-Proxy-URL: http://evil.test/api/0/x\r\n"]
        {
            assert_eq!(ask_gateway(odd).1, None, "{odd}");
        }
    }
}
