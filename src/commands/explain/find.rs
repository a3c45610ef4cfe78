//! Which teams the audit log knows under a slug; what the state knows of it tells `names`.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::state::ids::GithubTeamId;
use crate::store::audit::read::Log;

/// The teams that the audit log knows under a slug: also those that are gone.
pub fn in_audit(state_dir: &Path, text: &str) -> io::Result<BTreeSet<GithubTeamId>> {
    let mut teams = BTreeSet::new();
    Log::of(state_dir).each(None, &mut |_, line| {
        if line.slug.iter().chain(&line.to).any(|slug| slug.eq_ignore_ascii_case(text)) {
            teams.extend(line.team);
        }
        Ok(())
    })?;
    Ok(teams)
}
