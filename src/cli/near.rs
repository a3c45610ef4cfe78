//! What somebody may have meant who mistyped a name. Pure.

/// So many slips may have been made: a letter that is wrong, missing, too many, or has changed places with the next.
const SLIPS: usize = 2;

/// The name that is nearest to what was typed, if one is near; of several, one that begins like it.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (distance(typed, name), name.chars().next() != typed.chars().next(), name));
    // Half of a name is no slip.
    let near = near.filter(|(distance, _, name)| *distance <= SLIPS && 2 * distance < name.chars().count());
    near.min().map(|(.., name)| name)
}

/// How many slips lead from one to the other (Damerau and Levenshtein; no letter is part of two of them).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let replaced = row[j] + usize::from(a[i] != b[j]);
            let mut least = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(above[j - 1] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_slips_are_near_and_another_word_is_not() {
        let names =
            || ["status", "sync", "serve", "check", "state-dir", "url", "person", "version"].into_iter();
        for (typed, meant) in [
            ("statsu", Some("status")),
            ("stauts", Some("status")),
            ("snyc", Some("sync")),
            ("verison", Some("version")),
            ("vresion", Some("version")),
            ("prson", Some("person")),
            ("ulr", Some("url")),
            ("svnc", Some("sync")),
            ("lru", None),
            ("syncc", Some("sync")),
            ("chek", Some("check")),
            ("statedir", Some("state-dir")),
            ("fly", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names()), meant, "{typed}");
        }
        for (a, b, n) in [("", "", 0), ("", "ab", 2), ("ab", "ba", 1), ("abc", "cab", 2), ("abcd", "badc", 2)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (n, n), "{a} {b}");
        }
        assert_eq!(nearest("aync", ["bync", "sync"].into_iter()), Some("bync"), "the first of equals");
        assert_eq!(nearest("syn", ["ayn", "syna"].into_iter()), Some("syna"), "it begins like it");
    }
}
