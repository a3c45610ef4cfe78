//! What somebody may have meant who mistyped a name. Pure.

/// So many letters may be wrong, missing or too many.
const LETTERS: usize = 2;

/// The name that is nearest to what was typed, if one is near.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (distance(typed, name), name));
    let near = near.filter(|(distance, name)| *distance <= LETTERS && *distance < name.chars().count() / 2);
    near.min().map(|(_, name)| name)
}

/// How many letters have to be put in, left out or replaced to make one of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut above_left = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = above_left + usize::from(from != *to);
            above_left = row[j + 1];
            row[j + 1] = replaced.min(above_left + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_two_letters_is_near_and_another_word_is_not() {
        let names = || ["status", "sync", "serve", "check", "state-dir"].into_iter();
        for (typed, meant) in [
            ("statsu", Some("status")),
            ("stauts", Some("status")),
            ("snyc", None),
            ("syncc", Some("sync")),
            ("chek", Some("check")),
            ("statedir", Some("state-dir")),
            ("fly", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names()), meant, "{typed}");
        }
    }
}
