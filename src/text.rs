//! Text for people. Pure.
//!
//! Names of teams and people come from outside: they may hold markup, control characters and marks that reorder a line.
//! Everything that a log line, a terminal or an answer shows of them is made safe here. The module also formats numbers
//! with their noun, and suggests the name that somebody meant who mistyped it.

use std::fmt;

/// Shows `text` in double quotes on one line, cut after `LIMIT` characters. Characters that could steer a terminal or
/// forge a second line are written as `\u{..}`.
pub struct Quoted<'a>(pub &'a str);

const LIMIT: usize = 300;

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        escaped(self.0, &['"', '\\'], f)?;
        f.write_str("\"")
    }
}

/// The same without the quotes, for a name or a sentence on its own.
pub struct Safe<'a>(pub &'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(self.0, &[], f)
    }
}

fn escaped(text: &str, marks: &[char], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let shown = text.char_indices().nth(LIMIT).map_or(text, |(at, _)| &text[..at]);
    for (part, odd) in parts(shown, |c| marks.contains(&c) || is_harmful(c)) {
        f.write_str(part)?;
        match odd {
            Some(c) if marks.contains(&c) => write!(f, "\\{c}")?,
            Some(c) => write!(f, "\\u{{{:x}}}", c as u32)?,
            None => {}
        }
    }
    f.write_str(if shown.len() < text.len() { "…" } else { "" })
}

/// Splits a text after each odd character. Yields each part with the odd character that follows it.
fn parts(text: &str, is_odd: impl Fn(char) -> bool + Copy) -> impl Iterator<Item = (&str, Option<char>)> {
    text.split_inclusive(is_odd).map(move |part| match part.chars().next_back() {
        Some(c) if is_odd(c) => (part.strip_suffix(c).unwrap_or_default(), Some(c)),
        _ => (part, None),
    })
}

/// Control characters, and the invisible marks that reorder, join or hide text.
fn is_harmful(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a person who looks at a setting or a secret cannot see this character: everything that is escaped in foreign
/// names, whitespace other than the space, and letters without a shape. Names may well contain some of these, but a
/// setting that contains one says something other than it seems to.
pub fn is_hidden(c: char) -> bool {
    is_harmful(c)
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

/// The operator's own text in full, with every invisible character written as `\u{..}`.
pub fn revealed(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if is_hidden(c) {
            out.push_str(&format!("\\u{{{:x}}}", c as u32))
        } else {
            out.push(c)
        }
        out
    })
}

/// `text` without the characters that [`Quoted`] writes as `\u{..}`, cut after `limit` characters.
pub fn plain(text: &str, limit: usize) -> String {
    text.chars().filter(|c| !is_harmful(*c)).take(limit).collect()
}

/// Escapes text for HTML, in content and in quoted attributes.
pub struct Html<'a>(pub &'a str);

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if is_harmful(c) => f.write_str("\u{fffd}")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// Escapes text for HTML, with words in backquotes as `<code>`. A backquote without a partner stays as it is.
pub struct Prose<'a>(pub &'a str);

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((before, (word, after))) =
            rest.split_once('`').and_then(|(before, behind)| Some((before, behind.split_once('`')?)))
        {
            write!(f, "{}<code>{}</code>", Html(before), Html(word))?;
            rest = after;
        }
        Html(rest).fmt(f)
    }
}

/// Makes JSON safe to show: harmful characters in its strings become `\u` escapes. Its value stays the same.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Line ends between values stay. Inside strings, the JSON writer has already escaped them.
    for (part, odd) in parts(text, |c| is_harmful(c) && c != '\n') {
        out.push_str(part);
        for unit in odd.iter().flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec()) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

/// A value as JSON for programs: indented, harmless on a terminal, with a line end.
pub fn pretty(value: &impl serde::Serialize) -> String {
    // Writing structures of text and numbers cannot fail.
    json(&serde_json::to_string_pretty(value).unwrap_or_default()) + "\n"
}

/// An address in a form that a page may show: `a…@example.com`.
pub fn mask(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((name, domain)) => {
            let first: String = name.chars().take(1).collect();
            plain(&format!("{first}…@{domain}"), LIMIT)
        }
        None => "…".into(),
    }
}

/// A path segment, percent-encoded except for letters, digits, `-`, `_`, `.` and `~`. A segment that is just `.` or
/// `..` is encoded too, so that no client or server takes it for a step.
pub fn path_part(text: &str) -> String {
    if text == "." || text == ".." {
        return text.replace('.', "%2E");
    }
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// Breaks `text`, which begins in column `indent`, at spaces so that lines are no longer than `width`. Text in
/// backquotes is there to be copied, so it stays on one line.
pub fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let (mut out, mut column, mut piece) = (String::new(), indent, String::new());
    for word in text.split_inclusive(' ') {
        piece.push_str(word);
        if piece.matches('`').count() % 2 == 1 {
            continue;
        }
        put(&mut out, &mut column, indent, width, &piece);
        piece.clear();
    }
    // A backquote has no partner, so the rest is ordinary text.
    piece.split_inclusive(' ').for_each(|word| put(&mut out, &mut column, indent, width, word));
    out
}

/// Appends a piece that must not be broken to the line, or to a new line at column `indent` if the line would get too
/// long. `column` is where the line ends.
pub fn put(out: &mut String, column: &mut usize, indent: usize, width: usize, piece: &str) {
    let n = piece.trim_end().chars().count();
    if *column + n > width && *column > indent {
        out.truncate(out.trim_end().len());
        *out += &format!("\n{:indent$}", "");
        *column = indent;
    }
    out.push_str(piece);
    *column += piece.chars().count();
}

/// `text` with a capital letter at its beginning.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_ascii_uppercase()).into_iter().collect();
    first + chars.as_str()
}

/// `1 delivery`, `3 deliveries`.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// How many slips a mistyped name may have. A slip is a letter that is wrong, missing, extra, or swapped with the next.
const SLIPS: usize = 2;

/// The name nearest to the typed text, if any is near. Of several, one with the same first letter wins.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (distance(typed, name), name.chars().next() != typed.chars().next(), name));
    // If half of the name differs, it's another name.
    let near = near.filter(|(distance, _, name)| *distance <= SLIPS && 2 * distance < name.chars().count());
    near.min().map(|(.., name)| name)
}

/// The number of slips between two words (Damerau-Levenshtein distance in which no letter is part of two slips).
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

/// Writes one line to the log, for `say!`.
pub fn say(level: log::Level, from: &str, words: fmt::Arguments) {
    if level <= log::max_level() {
        let record = log::Record::builder().level(level).target(from).args(words).build();
        log::logger().log(&record);
    }
}

/// Base64 with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        let letter = |i: usize| char::from(LETTERS[(word >> (18 - 6 * i)) as usize & 63]);
        out.extend((0..4).map(|i| if i <= chunk.len() { letter(i) } else { '=' }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_on_one_line_and_in_order() {
        let name = "a\u{1b}[31m\nb\u{202e}c\"d\\e\u{200b}";
        assert_eq!(Quoted(name).to_string(), r#""a\u{1b}[31m\u{a}b\u{202e}c\"d\\e\u{200b}""#);
        assert_eq!(Safe(name).to_string(), r#"a\u{1b}[31m\u{a}b\u{202e}c"d\e\u{200b}"#);
    }

    #[test]
    fn what_nobody_can_see_in_a_setting_is_shown() {
        assert_eq!(
            revealed("\u{feff}a\u{200b}b\u{a0}c\td\r\u{3164}\u{fe0f} ü"),
            r"\u{feff}a\u{200b}b\u{a0}c\u{9}d\u{d}\u{3164}\u{fe0f} ü"
        );
        assert!(is_hidden('\u{2003}') && !is_hidden(' ') && !is_hidden('ß'));
    }

    #[test]
    fn long_names_are_cut() {
        let shown = Quoted(&"ä".repeat(2 * LIMIT)).to_string();
        assert_eq!(shown.chars().count(), LIMIT + 3);
        assert!(shown.ends_with("…\""));
    }

    #[test]
    fn lines_break_at_blanks_and_commands_stay_whole() {
        assert_eq!(wrapped("one two three four", 2, 10), "one two\n  three\n  four");
        assert_eq!(wrapped("do `a b c d e f` now", 2, 10), "do\n  `a b c d e f`\n  now");
        assert_eq!(wrapped("it`s one two three", 2, 10), "it`s one\n  two\n  three");
        assert_eq!(wrapped("a-word-that-is-too-long x", 2, 10), "a-word-that-is-too-long\n  x");
        assert_eq!(wrapped("", 2, 10), "");
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(Html("<b a='1'>&\u{202e}\"").to_string(), "&lt;b a=&#39;1&#39;&gt;&amp;\u{fffd}&quot;");
    }

    #[test]
    fn words_in_backquotes_are_code() {
        for (text, html) in [
            ("added `a<b` to `c`", "added <code>a&lt;b</code> to <code>c</code>"),
            ("one ` alone", "one ` alone"),
            ("`a` and ` alone", "<code>a</code> and ` alone"),
        ] {
            assert_eq!(Prose(text).to_string(), html);
        }
    }

    #[test]
    fn json_means_the_same_and_is_harmless() {
        let name = "a\u{202e}b\u{1b}\u{e0001}\n";
        let text = json(&serde_json::json!([name]).to_string());
        assert!(!text.chars().any(is_harmful), "{text}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [name]);
    }

    #[test]
    fn addresses_are_masked() {
        assert_eq!(mask("ada@example.com"), "a…@example.com");
        assert_eq!(mask("nothing"), "…");
        assert_eq!(mask("@x"), "…@x");
    }

    #[test]
    fn path_parts_cannot_leave_their_place() {
        assert_eq!(path_part("ent:a/b ü"), "ent%3Aa%2Fb%20%C3%BC");
        assert_eq!(path_part(".."), "%2E%2E");
        assert_eq!(path_part("a..b"), "a..b");
    }

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
