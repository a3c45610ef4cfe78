//! Cuts GraphQL text into tokens.
//!
//! Malformed text is an error with its place, never a panic.

use serde_json::Number;

/// A place in the text, counted from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// A text that is no GraphQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub message: String,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Sign(&'static str),
    Name(String),
    Number(Number),
    Text(String),
    End,
}

const SIGNS: [&str; 15] = ["...", "!", "$", "(", ")", ":", "=", "@", "[", "]", "{", "|", "}", "&", ","];

pub(super) fn tokenize(text: &str) -> Result<Vec<(Token, Place)>, SyntaxError> {
    let mut found = Vec::new();
    let mut scan = Scanner { rest: text, place: Place { line: 1, column: 1 } };
    while let Some(letter) = scan.rest.chars().next() {
        let place = scan.place;
        if letter.is_whitespace() || letter == ',' || letter == '\u{feff}' {
            scan.skip(letter.len_utf8());
        } else if letter == '#' {
            scan.skip(scan.rest.find('\n').unwrap_or(scan.rest.len()));
        } else if let Some(sign) = SIGNS.iter().find(|sign| scan.rest.starts_with(**sign)) {
            scan.skip(sign.len());
            found.push((Token::Sign(sign), place));
        } else if letter.is_ascii_alphabetic() || letter == '_' {
            let word = scan.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            found.push((Token::Name(word.to_owned()), place));
        } else if letter.is_ascii_digit() || letter == '-' {
            let digits = scan.take_while(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
            let number = serde_json::from_str(digits).map_err(|_| unreadable(digits, place))?;
            found.push((Token::Number(number), place));
        } else if letter == '"' {
            found.push((Token::Text(scan.text(place)?), place));
        } else {
            return Err(unreadable(&letter.to_string(), place));
        }
    }
    Ok(found)
}

fn unreadable(what: &str, place: Place) -> SyntaxError {
    SyntaxError {
        message: format!("Parse error on {what:?} (error) at [{}, {}]", place.line, place.column),
        place,
    }
}

struct Scanner<'a> {
    rest: &'a str,
    place: Place,
}

impl<'a> Scanner<'a> {
    fn skip(&mut self, length: usize) -> &'a str {
        let (done, rest) = self.rest.split_at(length);
        for letter in done.chars() {
            if letter == '\n' {
                self.place = Place { line: self.place.line + 1, column: 1 };
            } else {
                self.place.column += 1;
            }
        }
        self.rest = rest;
        done
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let length = self.rest.find(|letter| !fits(letter)).unwrap_or(self.rest.len());
        self.skip(length)
    }

    /// A string in quotes (its escapes are JSON's), or a block string in triple quotes.
    fn text(&mut self, place: Place) -> Result<String, SyntaxError> {
        let open = || unreadable("\"", place);
        if let Some(block) = self.rest.strip_prefix("\"\"\"") {
            let end = block.find("\"\"\"").ok_or_else(open)?;
            let inner = block[..end].trim().to_owned();
            self.skip(end + 6);
            return Ok(inner);
        }
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|&(_, letter)| {
            let closes = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            closes
        });
        let (end, _) = end.ok_or_else(open)?;
        let quoted = self.skip(end + 1);
        serde_json::from_str(quoted).map_err(|_| unreadable(quoted, place))
    }
}
