//! The organisation whose teams are mirrored, and what the GitHub token may do in it.

use super::mirror::Mirror;
use crate::hosts::github::app::Installation;
use crate::hosts::github::permission::Permission;
use crate::hosts::github::Github;
use crate::queue::job::Outcome;
use crate::state::event::InstallationNews;
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
                let lost = self.github_token.permission_lost();
                self.github.host().refuse(&lost);
                Err(Outcome::Later(format!("{lost} ({said})"), None))
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

    /// GitHub has told that the App can do less or more from now on: what is true is found out by the next call, with
    /// another token. The error says why that is nothing to us.
    pub fn installation_changed(&self, news: InstallationNews) -> Result<&'static str, &'static str> {
        let app = self.github.app().ok_or("GitHub is signed in to by GH_TOKEN, and not as an App")?;
        // Another id than the known one is that of an App which was taken off and installed again.
        let is_another = |known: Installation| known.id != news.id && news.is_gone;
        if app.installation().is_some_and(is_another) {
            return Err("it is another installation of the App");
        }
        app.forget();
        let host = self.github.host();
        if news.is_gone {
            host.refuse(
                "the installation of the GitHub App is suspended or was deleted: GitHub has sent word of it",
            );
            return Ok("nothing is changed until GitHub gives the App a token again");
        }
        host.forget_refusal();
        self.github.forget_refusals();
        self.github_token.doubt();
        self.queue.begin_anew();
        Ok("checking the App's permissions again")
    }

    /// The pinned organisation has another login now.
    pub fn follow_organisation(&self, org: &Org, login: Login) {
        log::info!("the organisation `{}` is now `{login}`", org.login);
        self.journal.note(Record::Org { id: org.id, login, deleted: org.deleted });
    }
}
