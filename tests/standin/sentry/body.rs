//! Bodies as Sentry reads them: JSON or form, with the error texts of Python's parser.
//!
//! Facts: malformed JSON is 400 `JSON parse error - …`, another media type 415, no body counts as
//! an empty object; strings are trimmed, numbers taken for strings; lengths count characters.

use crate::standin::encode::form_decode;
use crate::standin::http::{Request, Response};
use serde_json::{json, Value};

/// Stands before the four hex digits of a lone surrogate, which JSON can escape and text cannot hold.
const LONE: char = '\u{10fffe}';

/// Reads a body: an object for no body at all, a list per field for a form.
pub(crate) fn read(request: &Request) -> Result<Value, Response> {
    if request.body.is_empty() {
        return Ok(json!({}));
    }
    let text = String::from_utf8_lossy(&request.body);
    let media = request.media_type();
    match media.as_str() {
        "application/json" => {
            let readable = mark_lone_surrogates(&text);
            serde_json::from_str(&readable).map_err(|_| {
                let detail = format!("JSON parse error - {}", python_complaint(&text));
                Response::json(400, &json!({ "detail": detail }))
            })
        }
        "application/x-www-form-urlencoded" => {
            let pairs = form_decode(&text).into_iter().map(|(key, value)| (key, json!([value])));
            Ok(Value::Object(pairs.collect()))
        }
        _ => {
            let named = request.header("content-type").unwrap_or("");
            let detail = format!("Unsupported media type \"{named}\" in request.");
            Err(Response::json(415, &json!({ "detail": detail })))
        }
    }
}

/// The same, with the last value of each form field, as POST reads it.
pub(crate) fn read_last(request: &Request) -> Result<Value, Response> {
    let mut value = read(request)?;
    if request.media_type() == "application/x-www-form-urlencoded" {
        if let Value::Object(fields) = &mut value {
            for field in fields.values_mut() {
                *field = field.as_array().and_then(|list| list.last()).cloned().unwrap_or(Value::Null);
            }
        }
    }
    Ok(value)
}

/// What Sentry says about a body that is no object.
pub(crate) fn not_an_object(value: &Value) -> Response {
    let kind = match value {
        Value::Null => return Response::json(400, &json!({"non_field_errors": ["No data provided"]})),
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    };
    let text = format!("Invalid data. Expected a dictionary, but got {kind}.");
    Response::json(400, &json!({ "non_field_errors": [text] }))
}

/// A text field: trimmed; numbers count as text; `None` for what is no text at all.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The complaints every text field can raise: too long, NUL, a lone surrogate.
pub(crate) fn text_faults(text: &str, max: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let length = text.chars().count() - 4 * text.matches(LONE).count();
    if length > max {
        faults.push(format!("Ensure this field has no more than {max} characters."));
    }
    if text.contains('\0') {
        faults.push("Null characters are not allowed.".to_owned());
    }
    if let Some((_, rest)) = text.split_once(LONE) {
        let digits: String = rest.chars().take(4).collect();
        faults.push(format!("Surrogate characters are not allowed: U+{}.", digits.to_uppercase()));
    }
    faults
}

/// Replaces escapes of lone surrogates by a mark and their digits; pairs stay.
fn mark_lone_surrogates(text: &str) -> String {
    let code = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) {
        match (letter, code(at)) {
            ('\\', Some(0xd800..=0xdbff)) if matches!(code(at + 6), Some(0xdc00..=0xdfff)) => {
                out.push_str(&text[at..at + 12]);
                at += 12;
            }
            ('\\', Some(0xd800..=0xdfff)) => {
                out.push(LONE);
                out.push_str(&text[at + 2..at + 6]);
                at += 6;
            }
            ('\\', _) => {
                let next = text[at + 1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&text[at..at + 1 + next]);
                at += 1 + next;
            }
            _ => {
                out.push(letter);
                at += letter.len_utf8();
            }
        }
    }
    out
}

/// Where Python's parser stumbles, in its words.
fn python_complaint(text: &str) -> String {
    let mut scan = Scan { text: text.chars().collect(), at: 0 };
    let result = scan.document();
    let (what, at) = result.err().unwrap_or(("Expecting value", 0));
    let before = &scan.text[..at.min(scan.text.len())];
    let line = before.iter().filter(|&&letter| letter == '\n').count() + 1;
    let column = before.iter().rev().take_while(|&&letter| letter != '\n').count() + 1;
    format!("{what}: line {line} column {column} (char {at})")
}

type Stumble = (&'static str, usize);

struct Scan {
    text: Vec<char>,
    at: usize,
}

impl Scan {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn document(&mut self) -> Result<(), Stumble> {
        self.blanks();
        self.value()?;
        self.blanks();
        if self.at < self.text.len() {
            return Err(("Extra data", self.at));
        }
        Ok(())
    }

    fn value(&mut self) -> Result<(), Stumble> {
        match self.peek() {
            Some('"') => self.string(),
            Some('{') => self.sequence('}', true),
            Some('[') => self.sequence(']', false),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<(), Stumble> {
        let rest = &self.text[self.at..];
        for word in ["true", "false", "null", "NaN", "Infinity", "-Infinity"] {
            let letters: Vec<char> = word.chars().collect();
            if rest.starts_with(&letters) {
                self.at += letters.len();
                return Ok(());
            }
        }
        let number =
            rest.iter().take_while(|letter| letter.is_ascii_digit() || "+-.eE".contains(**letter)).count();
        if number == 0 {
            return Err(("Expecting value", self.at));
        }
        self.at += number;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Stumble> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(("Unterminated string starting at", start)),
                Some('"') => break,
                Some('\\') => self.at += 2,
                Some(letter) if letter < ' ' => return Err(("Invalid control character at", self.at)),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        Ok(())
    }

    fn sequence(&mut self, end: char, keyed: bool) -> Result<(), Stumble> {
        self.at += 1;
        self.blanks();
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(());
        }
        loop {
            if keyed {
                if self.peek() != Some('"') {
                    return Err(("Expecting property name enclosed in double quotes", self.at));
                }
                self.string()?;
                self.blanks();
                if self.peek() != Some(':') {
                    return Err(("Expecting ':' delimiter", self.at));
                }
                self.at += 1;
                self.blanks();
            }
            self.value()?;
            self.blanks();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(letter) if letter == end => break,
                _ => return Err(("Expecting ',' delimiter", self.at)),
            }
            self.blanks();
        }
        self.at += 1;
        Ok(())
    }
}
