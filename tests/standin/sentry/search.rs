//! Sentry's search words: `slug:a slug:b`, `email:x`, quotes, free words.
//!
//! Facts: different keys are AND-ed, values of one key OR-ed, free words are joined with a blank
//! and looked for as one piece; an unknown key finds nothing, silently. Brackets and `*` mean nothing.

use std::collections::BTreeMap;

/// Values per key; free words stand under `query`.
pub(crate) fn tokens(query: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for word in words(query) {
        if ["OR", "AND"].contains(&word.to_uppercase().as_str()) || word.trim_matches(['(', ')']).is_empty() {
            continue;
        }
        match key_and_value(&word) {
            Some((key, value)) => found.entry(key).or_default().push(value),
            None => found
                .entry("query".to_owned())
                .or_default()
                .push(word.trim_matches(['"', '(', ')']).to_owned()),
        }
    }
    found
}

/// `key:value`, unless the word starts with a quote or colon, or the colon is doubled.
fn key_and_value(word: &str) -> Option<(String, String)> {
    if word.starts_with(['"', '\'', ':']) {
        return None;
    }
    let (key, value) = word.split_once(':')?;
    if value.starts_with([':', ' ']) {
        return None;
    }
    let value = value.trim_end_matches(')');
    let value = if value.len() > 1 { value.trim_matches('"') } else { value };
    Some((key.trim_start_matches('(').to_owned(), value.to_owned()))
}

/// Splits at blanks that are neither inside quotes nor right after a colon.
fn words(query: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut last) = (Vec::new(), String::new(), None, ' ');
    for letter in query.chars() {
        let blank = letter.is_whitespace() && quote.is_none() && last != ':';
        if blank {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            if letter == '"' || letter == '\'' {
                quote = match quote {
                    None => Some(letter),
                    Some(open) if open == letter => None,
                    other => other,
                };
            }
            word.push(letter);
        }
        last = letter;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
