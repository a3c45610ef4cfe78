//! The organisation whose teams are mirrored, and what the GitHub token may do in it.

use super::mirror::Mirror;
use crate::hosts::github::permission::{Permission, PERMISSION_LOST};
use crate::hosts::github::Github;
use crate::queue::job::Outcome;
use crate::state::ids::Login;
use crate::state::record::Record;
use crate::state::Org;

impl Mirror {
    /// Read mode: whether the token may still read members. GitHub answers 404 for what a token may not see, so an
    /// absence that came as a 404 is believed only after this. One call.
    pub fn check_permission(&self, org: &Org) -> Result<(), Outcome> {
        match self.probe(&self.github, org) {
            Permission::Reads => {
                self.github_token.learn_untold(None);
                Ok(())
            }
            Permission::Lacks(said) => {
                self.github.host().refuse(PERMISSION_LOST);
                Err(Outcome::Later(format!("{PERMISSION_LOST} ({said})"), None))
            }
            Permission::Untold(trouble) => {
                self.github_token.learn_untold(Some(&trouble));
                Err(self.github_trouble(trouble))
            }
        }
    }

    /// What the token may do, by `github`. A login that answers 404 may also be one of before: by its id, an organisation
    /// that was renamed while nobody listened is found, and followed.
    pub fn probe(&self, github: &Github, org: &Org) -> Permission {
        let told = github.probe(&org.login);
        if matches!(told, Permission::Reads) {
            return told;
        }
        match github.org_by_id(org.id) {
            Ok(Some(now)) if now.login != org.login => {
                self.follow_organisation(org, now.login.clone());
                github.probe(&now.login)
            }
            // A server without that route, or nothing new.
            _ => told,
        }
    }

    /// The pinned organisation has another login now.
    pub fn follow_organisation(&self, org: &Org, login: Login) {
        log::info!("the organisation `{}` is now `{login}`", org.login);
        self.journal.note(Record::Org { id: org.id, login, deleted: org.deleted });
    }
}
