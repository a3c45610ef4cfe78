//! Every world looks for its own secrets in whatever its service and its commands have said and written. So the whole
//! suite is searched, test by test: logs, answers, state, audit; in plain letters and in whatever is as good.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::World;
use crate::standin::encode::{base64, form_encode, path_encode};
use crate::standin::Call;

/// The variables that hold a secret.
const VARIABLES: [&str; 4] = ["GH_TOKEN", "GH_WEBHOOK_TOKEN", "GH_WEBHOOK_TOKEN_PREVIOUS", "SENTRY_TOKEN"];
/// A shorter one stands anywhere by chance.
const SHORTEST: usize = 8;

/// What must appear nowhere.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    forms: BTreeSet<String>,
    /// The files that hold a secret on purpose: those that a variable names.
    files: BTreeSet<PathBuf>,
}

impl Secrets {
    /// Learns what an environment holds.
    pub fn learn<'a>(&mut self, env: impl IntoIterator<Item = (&'a String, &'a String)>) {
        for (name, value) in env {
            if VARIABLES.contains(&name.as_str()) {
                self.add(value);
            } else if name.strip_suffix("_FILE").is_some_and(|of| VARIABLES.contains(&of)) {
                self.learn_file(Path::new(value));
            } else if name == "CREDENTIALS_DIRECTORY" {
                let file = |of: &str| Path::new(value).join(of.to_lowercase());
                VARIABLES.iter().for_each(|of| self.learn_file(&file(of)));
            }
        }
    }

    fn learn_file(&mut self, path: &Path) {
        if let Ok(text) = fs::read_to_string(path) {
            self.add(text.trim_end_matches(['\r', '\n']));
        }
        self.files.insert(path.into());
    }

    fn add(&mut self, secret: &str) {
        if secret.len() < SHORTEST {
            return;
        }
        let json = serde_json::to_string(secret).expect("a text");
        let ascii: String = json
            .chars()
            .map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", c as u32) })
            .collect();
        let debug = format!("{secret:?}");
        let inner = |quoted: &str| quoted[1..quoted.len() - 1].to_string();
        self.forms.extend([secret.to_string(), inner(&json), inner(&ascii), inner(&debug)]);
        self.forms.extend([form_encode(secret), path_encode(secret), hex::encode(secret)]);
        // Within something longer, three bytes begin anywhere: the letters that depend on neighbours are left out.
        for before in 0..3 {
            let longer = [&b"   "[..before], secret.as_bytes()].concat();
            let whole = longer.len() / 3 * 4;
            self.forms.insert(base64(&longer)[(before * 8).div_ceil(6)..whole].to_string());
        }
    }

    /// Where one of them stands in a text, with what is around it.
    pub fn found_in(&self, bytes: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(bytes);
        let (form, at) = self.forms.iter().find_map(|form| Some((form, text.find(form.as_str())?)))?;
        let from = (at.saturating_sub(200)..=at).find(|from| text.is_char_boundary(*from))?;
        let around: String = text[from..].chars().take(400).collect();
        Some(format!("a secret ({form}): …{around}"))
    }

    /// The same in all files below a folder, but those that hold one on purpose.
    pub fn found_below(&self, folder: &Path) -> Option<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| (entry.path(), entry.file_type())).find_map(|(path, kind)| match kind {
            Ok(kind) if kind.is_dir() => self.found_below(&path),
            Ok(kind) if kind.is_file() && !self.files.contains(&path) => {
                let found = self.found_in(&fs::read(&path).unwrap_or_default())?;
                Some(format!("{}: {found}", path.display()))
            }
            _ => None,
        })
    }

    /// Stops the test if one of them stands here.
    #[track_caller]
    pub fn must_not_stand_in(&self, place: &str, bytes: &[u8]) {
        if let Some(found) = self.found_in(bytes) {
            panic!("in {place} stands {found}");
        }
    }
}

impl Drop for World {
    /// The last look: no secret of this world stands in anything that it has brought forth.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.service = None;
        self.secrets.learn(&self.env);
        for log in &self.logs {
            let log = log.lock().expect("log").join("\n");
            self.secrets.must_not_stand_in("the log", log.as_bytes());
        }
        assert_eq!(self.secrets.found_below(&self.dir.0), None);
        assert_eq!(written(&self.github.wire.calls()), [""; 0], "GitHub is only ever read");
    }
}

/// The calls that were no reading: GraphQL is asked with POST, and its schema here has no mutation; an App's token is
/// fetched with POST.
pub fn written(calls: &[Call]) -> Vec<String> {
    let is_reading = |call: &&Call| {
        call.method == "GET" || call.route == "POST /graphql"
            || call.route.ends_with("/access_tokens")
            // `app` and `replay --github` alone do so, typed by a person.
            || call.route.starts_with("POST /app-manifests/")
            || call.route.ends_with("/attempts")
    };
    calls
        .iter()
        .filter(|call| !is_reading(call))
        .map(|call| format!("{} {}", call.method, call.path))
        .collect()
}
