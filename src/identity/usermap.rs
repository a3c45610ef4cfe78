//! The user map: the operator's own word on who is who.
//!
//! JSON, `{"octocat": "ada@example.com", "id:583231": "ada@example.com"}`, or CSV with one `login,address` a line.
//! It is read again when it has changed; a bad file keeps the last good one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::event::Person;

/// The parsed map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserMap {
    /// By login in lower case, or `id:NUMBER`.
    entries: HashMap<String, String>,
}

impl UserMap {
    /// The address of an account. An entry by id wins over one by login: logins change hands.
    pub fn address(&self, person: &Person) -> Option<&str> {
        let by_id = self.entries.get(&format!("id:{}", person.id));
        by_id.or_else(|| self.entries.get(&person.login.as_str().to_lowercase())).map(String::as_str)
    }

    /// How many people it names.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it names nobody.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Reads a map's text; JSON if it begins with `{`. The error names the line or entry.
pub fn parse(text: &str) -> Result<UserMap, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let pairs: Vec<(String, String)> = if text.trim_start().starts_with('{') {
        let map: std::collections::BTreeMap<String, String> =
            serde_json::from_str(text).map_err(|e| format!("is not JSON of logins and addresses: {e}"))?;
        map.into_iter().collect()
    } else {
        csv(text)?
    };
    let mut map = UserMap::default();
    for (key, address) in pairs {
        let key = key.trim().trim_start_matches('@').to_lowercase();
        let address = address.trim().to_string();
        let shown = crate::escape::Quoted(&key).to_string();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(format!("names {shown}, which is no GitHub login"));
        }
        if key.strip_prefix("id:").is_some_and(|id| id.parse::<u64>().is_err()) {
            return Err(format!("names {shown}; write id: and a number"));
        }
        if !address.contains('@') || address.contains(char::is_whitespace) {
            return Err(format!("gives {shown} something that is no e-mail address"));
        }
        if map.entries.insert(key, address).is_some() {
            return Err(format!("names {shown} twice"));
        }
    }
    Ok(map)
}

fn csv(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        let is_heading = n == 0 && !line.contains('@') && line.contains(',');
        if line.is_empty() || line.starts_with('#') || is_heading {
            continue;
        }
        let (key, address) = line
            .split_once(',')
            .ok_or_else(|| format!("has no comma in line {}: write login,address", n + 1))?;
        let unquote = |part: &str| part.trim().trim_matches('"').to_string();
        pairs.push((unquote(key), unquote(address)));
    }
    Ok(pairs)
}

/// The map's file, watched.
pub struct MapFile {
    path: Option<PathBuf>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    seen: Option<Stamp>,
    good: Option<Arc<UserMap>>,
    fault: Option<String>,
}

/// What tells one version of a file from another.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

impl MapFile {
    /// Watches a file; without one, the map is empty.
    pub fn new(path: Option<PathBuf>) -> Self {
        let good = path.is_none().then(Arc::default);
        Self { path, inner: Mutex::new(Inner { good, ..Inner::default() }) }
    }

    /// The map as it is now: the last good one if the file has become bad. An error only if there was never a good
    /// one: then nobody may be matched at all, because what the map would have said is not known. As long as nothing
    /// changes, it is the same value at the same place.
    pub fn current(&self) -> Result<Arc<UserMap>, String> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &self.path {
            let stamp = std::fs::metadata(path)
                .ok()
                .map(|meta| Stamp { modified: meta.modified().ok(), length: meta.len() });
            if inner.good.is_none() || stamp != inner.seen {
                inner.seen = stamp;
                inner.read(path);
            }
        }
        match (&inner.good, &inner.fault) {
            (Some(map), _) => Ok(map.clone()),
            (None, fault) => Err(fault.clone().unwrap_or_default()),
        }
    }

    /// What is wrong with the file, if the map in use is not the file's.
    pub fn fault(&self) -> Option<String> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).fault.clone()
    }
}

impl Inner {
    fn read(&mut self, path: &Path) {
        let read = std::fs::read_to_string(path).map_err(|e| format!("can not be read: {e}"));
        match read.and_then(|text| parse(&text)) {
            Ok(map) => {
                log::info!("user map: {} entries from `{}`", map.len(), path.display());
                self.good = Some(Arc::new(map));
                self.fault = None;
            }
            Err(why) => {
                let fault = format!("SYNC_USER_MAP `{}` {why}", path.display());
                if self.fault.as_ref() != Some(&fault) {
                    let kept = if self.good.is_some() {
                        "the last good one stays in use"
                    } else {
                        "nobody is matched"
                    };
                    log::error!("user map: {fault}; {kept}");
                }
                self.fault = Some(fault);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{GithubUserId, Login};

    fn person(id: u64, login: &str) -> Person {
        Person { id: GithubUserId(id), login: Login::from(login), bot: false }
    }

    #[test]
    fn json_and_csv_say_the_same() {
        let json = parse(r#"{"Octo": "a@x", "id:7": "b@x"}"#).unwrap();
        let csv = parse("login,email\n# people\n@Octo, a@x\n\"id:7\",\"b@x\"\n\n").unwrap();
        assert_eq!(json, csv);
        assert_eq!(json.address(&person(1, "octo")), Some("a@x"));
        assert_eq!(json.address(&person(7, "octo")), Some("b@x"));
        assert_eq!(json.address(&person(2, "other")), None);
    }

    #[test]
    fn without_a_file_the_map_never_changes() {
        let file = MapFile::new(None);
        let (first, second) = (file.current().unwrap(), file.current().unwrap());
        assert!(first.is_empty());
        assert!(Arc::ptr_eq(&first, &second), "a change has everybody who is waited for tried again");
    }

    #[test]
    fn bad_maps_say_where() {
        for (text, part) in [
            ("octo", "line 1"),
            ("a,a@x\nb", "line 2"),
            ("{", "not JSON"),
            (r#"{"a": 1}"#, "not JSON"),
            ("x,y@z\na,nothing\n", "no e-mail address"),
            ("x,y@z\nid:x,a@x", "id: and a number"),
            ("a,a@x\nA,b@x", "twice"),
            ("a b,a@x", "no GitHub login"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_bad_file_keeps_the_last_good_one() {
        let path = std::env::temp_dir().join(format!("usermap-{}", std::process::id()));
        let file = MapFile::new(Some(path.clone()));
        assert!(file.current().is_err());
        std::fs::write(&path, "a,a@x\n").unwrap();
        assert_eq!(file.current().unwrap().len(), 1);
        std::fs::write(&path, "a,a@x\nb\n").unwrap();
        assert_eq!((file.current().unwrap().len(), file.fault().is_some()), (1, true));
        std::fs::write(&path, "a,a@x\nb,b@x\n").unwrap();
        assert_eq!((file.current().unwrap().len(), file.fault()), (2, None));
        std::fs::remove_file(&path).unwrap();
        assert_eq!((file.current().unwrap().len(), file.fault().is_some()), (2, true));
    }

    #[test]
    fn without_a_file_the_map_is_empty() {
        assert!(MapFile::new(None).current().unwrap().is_empty());
    }
}
