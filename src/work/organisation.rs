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
    /// Read mode: checks that the token may still read members. GitHub also answers 404 for anything that the token may
    /// not see, so an absence by 404 is believed only after this check. Takes one call if the token may read them.
    pub fn check_permission(&self, org: &Org) -> Result<(), Outcome> {
        match self.probe(&self.github, org) {
            Permission::Reads => {
                self.github_token.learn_untold(None);
                Ok(())
            }
            Permission::Lacks(said) => {
                Err(Outcome::Later(format!("{} ({said})", self.lose_permission()), None))
            }
            Permission::Untold(trouble) => {
                self.github_token.learn_untold(Some(&trouble));
                Err(self.github_trouble(trouble))
            }
        }
    }

    /// The token could read members and no longer can: no call is made until it can again. Returns the message. Sources
    /// of addresses that GitHub has refused meanwhile will be asked again.
    pub fn lose_permission(&self) -> String {
        let lost = self.github_token.permission_lost();
        self.github.host().refuse(&lost);
        self.github.forget_refusals();
        lost
    }

    /// The token's permissions, according to `github`. If its login no longer works, the organisation may have been
    /// renamed while the service was not listening. It is then found by its id, and followed.
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
            // The server lacks that route, or the login has not changed.
            _ => told,
        }
    }

    /// GitHub reports that the App's permissions have changed. The next call finds out what is true, with a new token.
    /// The error says why the news does not concern this service.
    pub fn installation_changed(&self, news: InstallationNews) -> Result<&'static str, &'static str> {
        let app = self.github.app().ok_or("GitHub is signed in to by GH_TOKEN, and not as an App")?;
        // If nothing is gone, a different id means that the App was removed and installed again.
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

    /// Records the pinned organisation's new login.
    pub fn follow_organisation(&self, org: &Org, login: Login) {
        log::info!("the organisation `{}` is now `{login}`", org.login);
        self.journal.note(Record::Org { id: org.id, login, deleted: org.deleted });
    }
}
