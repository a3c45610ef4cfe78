//! What a webhook has sent, as GitHub lists it: the last three days, on Enterprise Server the last seven. GitHub never
//! redelivers on its own.
//!
//! An organisation webhook's list is read with the token. A GitHub App's list is read with the App's key, and covers
//! all its installations. A redelivery is the only action that GitHub is ever asked for.

use super::{Github, MOST_PAGES};
use crate::clock::Timestamp;
use crate::config::values::BaseUrl;
use crate::hosts::github::facts::Sent;
use crate::hosts::github::pages::{endless, FULL};
use crate::hosts::github::wire;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::pace::Method;
use crate::hosts::http::Request;
use crate::hosts::{seen, unless_denied, Seen};
use crate::state::ids::{HookId, Login};
use crate::text::path_part;

/// Whose list of deliveries to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SentBy {
    Organisation(Login, HookId),
    /// The App that the service signs in as.
    App,
}

impl SentBy {
    fn path(&self) -> String {
        match self {
            SentBy::Organisation(org, hook) => {
                format!("/orgs/{}/hooks/{hook}/deliveries", path_part(org.as_str()))
            }
            SentBy::App => "/app/hook/deliveries".into(),
        }
    }

    /// The webhook's id; an App's list does not name one.
    pub fn hook(&self) -> Option<HookId> {
        match self {
            SentBy::Organisation(_, hook) => Some(*hook),
            SentBy::App => None,
        }
    }

    /// The page of GitHub's settings where a person can press *Redeliver*.
    pub fn page(org: &Login, is_app: bool, api: &BaseUrl) -> String {
        let what = if is_app { "apps" } else { "hooks" };
        format!("{}/organizations/{}/settings/{what}", api.pages(), path_part(org.as_str()))
    }
}

impl Github {
    /// Everything sent since `since`, newest first; `None` if there is no such webhook, or it is not visible.
    pub fn sent(&self, by: &SentBy, since: Timestamp) -> Seen<Vec<Sent>> {
        let mut next = format!("{}{}?per_page={FULL}", self.rest, by.path());
        let mut sent = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(mut page) = self.page::<wire::SentRow>(&next)? else { return Ok(None) };
            let rows: Vec<_> = page.rows.drain(..).map(wire::SentRow::into_sent).collect();
            let is_old = |sent: &Sent| sent.at.is_some_and(|at| at < since);
            let enough = rows.iter().any(is_old);
            sent.extend(rows.into_iter().filter(|row| !is_old(row)));
            // This list has no page numbers: only the link contains the next cursor.
            match page.linked()? {
                Some(path) if !enough => next = path,
                link => {
                    if link.is_none() && !enough && !page.is_last() {
                        log::warn!(
                            "GitHub's list of deliveries ends with a full page: older ones may be missing"
                        );
                    }
                    self.leave_ours(by, &mut sent);
                    return Ok(Some(sent));
                }
            }
        }
        Err(endless(&next))
    }

    /// The latest deliveries, newest first, at most 20; `None` if the list is not visible.
    pub fn last_sent(&self, by: &SentBy) -> Seen<Vec<Sent>> {
        let path = format!("{}{}?per_page=20", self.rest, by.path());
        let Some(page) = self.page::<wire::SentRow>(&path)? else { return Ok(None) };
        let mut sent = page.rows.into_iter().map(wire::SentRow::into_sent).collect();
        self.leave_ours(by, &mut sent);
        Ok(Some(sent))
    }

    /// Drops from an App's list everything that went to its other installations.
    fn leave_ours(&self, by: &SentBy, sent: &mut Vec<Sent>) {
        let own = self.app().and_then(|app| app.installation()).map(|own| own.id);
        if *by == SentBy::App {
            sent.retain(|row| row.installation == own);
        }
    }

    /// The payload of one delivery; `None` if GitHub no longer has it.
    pub fn sent_payload(&self, by: &SentBy, id: u64) -> Seen<Vec<u8>> {
        let row: Option<serde_json::Value> = self.get(format!("{}/{id}", by.path()))?;
        Ok(row.and_then(|row| {
            let payload = row.pointer("/request/payload").filter(|payload| payload.is_object())?;
            serde_json::to_vec(payload).ok()
        }))
    }

    /// Asks GitHub to redeliver; `None` if the token may not ask for that, or the delivery is gone.
    pub fn send_again(&self, by: &SentBy, id: u64) -> Seen<()> {
        let path = format!("{}{}/{id}/attempts", self.rest, by.path());
        let reply = self.ask_rest(Asked::SendAgain, &Request { method: Method::Post, path, body: None });
        Ok(unless_denied(seen(reply))?.map(drop))
    }
}
