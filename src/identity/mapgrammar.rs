//! Parses the user map, a file that the operator writes. Pure.
//!
//! The map outranks every other source, so accepting a row that can name nobody does harm. A row has two columns: a
//! GitHub login or `id:NUMBER`, and one plain address. Anything else is an error with its line, and the last good map
//! stays in use. The saved copy of a map may be older than these rules: there, invalid rows are skipped one by one.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::usermap::{Key, UserMap};
use crate::state::address::{Address, Folded};
use crate::state::ids::GithubUserId;
use crate::text::Quoted;

/// The longest login that GitHub allows.
const LONGEST_LOGIN: usize = 39;
/// How many errors of one file are shown.
const TOLD: usize = 3;

/// Parses a map: JSON if the text begins with a bracket, else CSV. The error names the lines.
pub fn parse(text: &str) -> Result<UserMap, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut faults = Vec::new();
    let rows = if text.trim_start().starts_with(['{', '[']) { json(text)? } else { csv(text, &mut faults) };
    let mut map = UserMap::default();
    let mut seen: BTreeMap<Key, usize> = BTreeMap::new();
    for Row { line, key, address } in rows {
        match entry(&key, &address) {
            Ok((key, address)) => match seen.get(&key) {
                Some(first) => faults.push((line, format!("names \"{key}\" again: line {first} does"))),
                None => {
                    seen.insert(key.clone(), line);
                    map.insert(key, address);
                }
            },
            Err(why) => faults.push((line, why)),
        }
    }
    match (faults.is_empty(), map.is_empty()) {
        (false, _) => Err(told(faults)),
        // A file that was cut short looks like this.
        (true, true) => Err("it has no entry".into()),
        (true, false) => Ok(map),
    }
}

/// Parses the copy of a map that this version or an earlier one has saved. Returns the valid rows as a map, and for
/// each row that is no longer accepted the reason.
pub fn kept(text: &str) -> Option<(UserMap, Vec<String>)> {
    let (mut map, mut dropped) = (UserMap::default(), Vec::new());
    for Row { key, address, .. } in json(text).ok()? {
        match entry(&key, &address) {
            Ok((key, address)) => map.insert(key, address),
            Err(why) => dropped.push(why),
        }
    }
    Some((map, dropped))
}

fn told(mut faults: Vec<(usize, String)>) -> String {
    faults.sort();
    let more = faults.len().saturating_sub(TOLD);
    let mut told: Vec<_> =
        faults.into_iter().take(TOLD).map(|(line, why)| format!("line {line} {why}")).collect();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told.join("; ")
}

struct Row {
    line: usize,
    key: String,
    address: String,
}

/// Parses one row. The error is the part of the message that follows `line N`.
fn entry(key: &str, address: &str) -> Result<(Key, Address), String> {
    let shown = Quoted(key).to_string();
    let login = key.strip_prefix('@').unwrap_or(key);
    let id = login.get(..3).filter(|begin| begin.eq_ignore_ascii_case("id:")).map(|_| &login[3..]);
    let key = match id {
        Some(id) => match id.parse::<u64>() {
            Ok(number) if number.to_string() == id => Key::Id(GithubUserId(number)),
            _ => return Err(format!("names {shown}: write id: and the number of the account")),
        },
        None if is_login(login) => Key::Login(Folded::of(login)),
        None => return Err(format!("names {shown}, which is no GitHub login: {}", advice(login))),
    };
    let why = match Address::read(address) {
        Ok(read) if read.is_no_reply() => "GitHub's no-reply address, which nobody has in Sentry".into(),
        Ok(read) => return Ok((key, read)),
        Err(why) => format!("which is no e-mail address: {why}"),
    };
    Err(format!("gives {shown} {}, {why}", Quoted(address)))
}

fn is_login(text: &str) -> bool {
    (1..=LONGEST_LOGIN).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn advice(login: &str) -> &'static str {
    match login {
        "" => "it is empty",
        login if login.contains('/') => "write the last part of the address of their page alone",
        login if login.contains('@') => "the login comes first, then the address",
        _ => "write it as in github.com/LOGIN",
    }
}

fn csv(text: &str, faults: &mut Vec<(usize, String)>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut is_first = true;
    for (n, line) in text.lines().enumerate() {
        let (line, text) = (n + 1, line.trim());
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let may_be_heading = std::mem::take(&mut is_first);
        match columns(text).as_deref() {
            Some([_, second]) if may_be_heading && is_heading(second) => {}
            Some([key, address]) => rows.push(Row { line, key: key.clone(), address: address.clone() }),
            Some([_]) => faults.push((line, "has no comma: write login,address".into())),
            Some(more) => {
                faults.push((line, format!("has {} columns: write login,address and no more", more.len())))
            }
            None => faults.push((line, "has a quote without its partner".into())),
        }
    }
    rows
}

/// Whether the first row is a heading: its second column has words such as `email` or `Sentry address`.
fn is_heading(second: &str) -> bool {
    let second = second.to_ascii_lowercase();
    let is_word = |c: char| c.is_ascii_alphabetic() || " _-".contains(c);
    second.chars().all(is_word) && ["mail", "address", "sentry"].iter().any(|word| second.contains(word))
}

/// The columns of a line. Quoted ones may contain commas, and `""` for a quote. `None` if the quotes are wrong.
fn columns(line: &str) -> Option<Vec<String>> {
    let mut columns = Vec::new();
    let mut rest = line;
    loop {
        let (column, after) = match rest.trim_start().strip_prefix('"') {
            None => rest.split_once(',').map_or((rest.trim().into(), None), |(column, after)| {
                (column.trim().to_string(), Some(after))
            }),
            Some(quoted) => {
                let (column, after) = unquoted(quoted)?;
                let after = after.trim_start();
                match after.strip_prefix(',') {
                    None if !after.is_empty() => return None,
                    after => (column, after),
                }
            }
        };
        columns.push(column);
        match after {
            Some(after) => rest = after,
            None => return Some(columns),
        }
    }
}

/// The text up to the closing quote, and the text after it. `None` if the quote is not closed.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut inside = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        inside.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                inside.push('"');
                rest = after;
            }
            None => return Some((inside.trim().to_string(), after)),
        }
    }
}

/// All pairs of a JSON object, including those with repeated keys.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of logins and addresses")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Read)
    }
}

fn json(text: &str) -> Result<Vec<Row>, String> {
    let Pairs(pairs) = serde_json::from_slice(text.as_bytes())
        .map_err(|why| format!("line {} is not JSON of logins and addresses: {why}", why.line()))?;
    let mut from = 0;
    let mut line = 1;
    let rows = pairs.into_iter().map(|(key, address)| {
        // The parser reports no positions, so the key is searched for in the text. A key that is written with escapes
        // is not found, and gets the line of the previous key.
        let quoted = serde_json::to_string(&key).unwrap_or_default();
        if let Some(at) = text.get(from..).and_then(|rest| rest.find(&quoted)) {
            line += text[from..from + at].matches('\n').count();
            from += at + quoted.len();
        }
        Row { line, key: key.trim().into(), address: address.trim().into() }
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_row_is_told_by_its_line() {
        for (text, told) in [
            ("octo", "line 1 has no comma: write login,address"),
            ("octo;a@x", "line 1 has no comma: write login,address"),
            ("a,a@x\n\n# more\nb", "line 4 has no comma: write login,address"),
            ("a,a@x,", "line 1 has 3 columns: write login,address and no more"),
            ("a,a@x,admin", "line 1 has 3 columns: write login,address and no more"),
            ("a,<a@x>", "line 1 gives \"a\" \"<a@x>\", which is no e-mail address: leave out the name and the angle brackets"),
            ("a,mailto:a@x", "line 1 gives \"a\" \"mailto:a@x\", which is no e-mail address: leave out `mailto:`"),
            ("a,a@x;b@x", "line 1 gives \"a\" \"a@x;b@x\", which is no e-mail address: write one address only, nothing around it"),
            ("a,a@x\u{200b}", "line 1 gives \"a\" \"a@x\\u{200b}\", which is no e-mail address: remove the invisible character"),
            ("a,7+a@users.noreply.github.com", "line 1 gives \"a\" \"7+a@users.noreply.github.com\", GitHub's no-reply address, which nobody has in Sentry"),
            ("a,nothing", "line 1 gives \"a\" \"nothing\", which is no e-mail address: it has no @"),
            ("https://github.com/a,a@x", "line 1 names \"https://github.com/a\", which is no GitHub login: write the last part of the address of their page alone"),
            ("a@x,a", "line 1 names \"a@x\", which is no GitHub login: the login comes first, then the address"),
            ("a b,a@x", "line 1 names \"a b\", which is no GitHub login: write it as in github.com/LOGIN"),
            (",a@x", "line 1 names \"\", which is no GitHub login: it is empty"),
            ("id:x,a@x", "line 1 names \"id:x\": write id: and the number of the account"),
            ("id:+5,a@x", "line 1 names \"id:+5\": write id: and the number of the account"),
            ("a,a@x\nb,b@x\nA,c@x", "line 3 names \"a\" again: line 1 does"),
            ("id:5,a@x\nID:5,b@x", "line 2 names \"id:5\" again: line 1 does"),
            ("\"a,a@x", "line 1 has a quote without its partner"),
            ("\"a\"b,a@x", "line 1 has a quote without its partner"),
            ("{\n\"a\": \"a@x\",\n\"b\": \"<b@x>\"\n}", "line 3 gives \"b\" \"<b@x>\", which is no e-mail address: leave out the name and the angle brackets"),
            ("{\n\"a\": \"a@x\",\n\"a\": \"b@x\"\n}", "line 3 names \"a\" again: line 2 does"),
            ("{\"a\": \"a@x\",\n\"@A\": \"b@x\"}", "line 2 names \"a\" again: line 1 does"),
        ] {
            assert_eq!(parse(text).unwrap_err(), told, "{text:?}");
        }
        for (text, line) in [("{", 1), ("{\n\"a\": 1}", 2), ("[\"a\"]", 1), ("{\"a\": null}", 1), ("{}x", 1)]
        {
            let told = parse(text).unwrap_err();
            assert!(
                told.starts_with(&format!("line {line} is not JSON of logins and addresses: ")),
                "{told}"
            );
        }
    }

    #[test]
    fn several_faults_are_told_at_once_and_not_without_end() {
        let text = "a,a@x\nb\nc,c\nb,b@x,\nd,d@\ne";
        assert_eq!(
            parse(text).unwrap_err(),
            "line 2 has no comma: write login,address; line 3 gives \"c\" \"c\", which is no e-mail address: it has no @; \
             line 4 has 3 columns: write login,address and no more; and 2 more"
        );
    }

    #[test]
    fn what_is_meant_well_is_taken() {
        let map = parse("a,a@x\nb_acme,b@x\nid:7,c@x").unwrap();
        for text in [
            "\u{feff}a,a@x\r\nb_acme,b@x\r\nid:7,c@x\r\n",
            "login,email\na,a@x\nb_acme,b@x\nid:7,c@x",
            "# people\n\nGitHub user,Sentry address\n a , a@x \n@b_acme,b@x\nID:7,c@x",
            "\"a\",\"a@x\"\n\"b_acme\" , \"b@x\"\n\"id:7\",c@x",
            "{\"a\": \"a@x\", \"B_acme\": \"b@x\", \"id:7\": \" c@x \"}",
        ] {
            assert_eq!(parse(text).as_ref(), Ok(&map), "{text:?}");
        }
        for nobody in ["", "# nobody\n", "login,email\n", "{}"] {
            assert_eq!(parse(nobody).unwrap_err(), "it has no entry", "{nobody:?}");
        }
        // Only the first row can be a heading, and only if its second column consists of words.
        for text in ["octo,ada.hotmail.com", "a,a@x\nlogin,email"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_kept_copy_of_before_loses_only_the_rows_that_are_not_taken_any_more() {
        let copy = r#"{"a": "a@x", "b": "<b@x>", "https://github.com/c": "c@x", "id:7": "d@x", "e": "e@x,"}"#;
        let (map, dropped) = kept(copy).unwrap();
        assert_eq!(map, parse("a,a@x\nid:7,d@x").unwrap());
        assert_eq!(dropped.len(), 3);
        for (why, name) in dropped.iter().zip(["\"b\"", "\"https://github.com/c\"", "\"e\""]) {
            assert!(why.contains(name), "{why}");
        }
        assert!(kept("no JSON").is_none());
        let (again, none) = kept(&map.to_json()).unwrap();
        assert_eq!((again, none.len()), (map, 0));
    }
}
