//! Reads GraphQL text: queries, and the small part of the schema language that
//! [`schema`](super::schema) is written in.
//!
//! Follows the specification of October 2021 as far as queries go. Malformed text is an error with
//! its place, never a panic.

use super::tokens::{tokenize, Token};
pub use super::tokens::{Place, SyntaxError};
use serde_json::{Map, Value as Json};

/// A value in a query: a constant, a variable, or a list or object of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Variable(String),
    /// Numbers, strings, booleans, null.
    Constant(Json),
    Enum(String),
    List(Vec<Input>),
    Object(Vec<(String, Input)>),
}

/// `[Team!]!` and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Named(String),
    List(Box<Type>),
    NonNull(Box<Type>),
}

impl Type {
    /// The name inside.
    pub fn name(&self) -> &str {
        match self {
            Type::Named(name) => name,
            Type::List(inner) | Type::NonNull(inner) => inner.name(),
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Type::Named(name) => out.write_str(name),
            Type::List(inner) => write!(out, "[{inner}]"),
            Type::NonNull(inner) => write!(out, "{inner}!"),
        }
    }
}

/// One entry of a selection.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    Field(Field),
    /// `... on Team { … }`, or without a type.
    Inline(Option<String>, Vec<Selection>, Place),
    /// `...Name`.
    Spread(String, Place),
}

/// A field with its arguments and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub alias: Option<String>,
    pub name: String,
    pub arguments: Vec<(String, Input)>,
    pub selection: Vec<Selection>,
    pub place: Place,
}

impl Field {
    /// The key in the answer.
    pub fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

/// `$name: Type = default`.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    pub name: String,
    pub kind: Type,
    pub default: Option<Input>,
    pub place: Place,
}

/// A query, mutation or subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    pub kind: String,
    pub name: Option<String>,
    pub variables: Vec<Variable>,
    pub selection: Vec<Selection>,
    pub place: Place,
}

/// `fragment Name on Type { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    pub name: String,
    pub on: String,
    pub selection: Vec<Selection>,
}

/// A whole document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    pub operations: Vec<Operation>,
    pub fragments: Vec<Fragment>,
}

/// Tokens with one of lookahead.
pub(super) struct Reader {
    tokens: Vec<(Token, Place)>,
    at: usize,
}

type Read<T> = Result<T, SyntaxError>;

impl Reader {
    pub(super) fn new(text: &str) -> Read<Reader> {
        Ok(Reader { tokens: tokenize(text)?, at: 0 })
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    pub(super) fn place(&self) -> Place {
        let last = self.tokens.last().map(|(_, place)| *place).unwrap_or_default();
        self.tokens.get(self.at).map_or(last, |(_, place)| *place)
    }

    pub(super) fn done(&self) -> bool {
        *self.peek() == Token::End
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    /// Takes a sign if it comes next.
    pub(super) fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(own) if *own == sign);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Name(own) if own == word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, sign: &str) -> Read<()> {
        if self.take(sign) {
            return Ok(());
        }
        Err(self.unexpected(&format!("expecting {sign:?}")))
    }

    pub(super) fn name(&mut self) -> Read<String> {
        match self.peek().clone() {
            Token::Name(name) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected("expecting a name")),
        }
    }

    fn unexpected(&self, hint: &str) -> SyntaxError {
        let place = self.place();
        let found = match self.peek() {
            Token::Sign(sign) => format!("{sign:?}"),
            Token::Name(name) => format!("{name:?}"),
            Token::Number(number) => number.to_string(),
            Token::Text(text) => format!("{text:?}"),
            Token::End => "end of file".to_owned(),
        };
        let message = format!("Parse error on {found} ({hint}) at [{}, {}]", place.line, place.column);
        SyntaxError { message, place }
    }

    pub(super) fn kind(&mut self) -> Read<Type> {
        let inner = if self.take("[") {
            let inner = self.kind()?;
            self.expect("]")?;
            Type::List(Box::new(inner))
        } else {
            Type::Named(self.name()?)
        };
        Ok(if self.take("!") { Type::NonNull(Box::new(inner)) } else { inner })
    }

    pub(super) fn input(&mut self) -> Read<Input> {
        match self.next() {
            Token::Number(number) => Ok(Input::Constant(Json::Number(number))),
            Token::Text(text) => Ok(Input::Constant(Json::String(text))),
            Token::Name(word) => Ok(match word.as_str() {
                "true" => Input::Constant(Json::Bool(true)),
                "false" => Input::Constant(Json::Bool(false)),
                "null" => Input::Constant(Json::Null),
                _ => Input::Enum(word),
            }),
            Token::Sign("$") => Ok(Input::Variable(self.name()?)),
            Token::Sign("[") => {
                let mut list = Vec::new();
                while !self.take("]") {
                    list.push(self.input()?);
                }
                Ok(Input::List(list))
            }
            Token::Sign("{") => {
                let mut fields = Vec::new();
                while !self.take("}") {
                    let name = self.name()?;
                    self.expect(":")?;
                    fields.push((name, self.input()?));
                }
                Ok(Input::Object(fields))
            }
            _ => {
                self.at -= 1;
                Err(self.unexpected("expecting a value"))
            }
        }
    }

    fn selection(&mut self) -> Read<Vec<Selection>> {
        self.expect("{")?;
        let mut found = Vec::new();
        while !self.take("}") {
            found.push(self.one_selection()?);
        }
        if found.is_empty() {
            return Err(self.unexpected("empty selection"));
        }
        Ok(found)
    }

    fn one_selection(&mut self) -> Read<Selection> {
        let place = self.place();
        if self.take("...") {
            if self.take_word("on") {
                let on = self.name()?;
                return Ok(Selection::Inline(Some(on), self.selection()?, place));
            }
            if matches!(self.peek(), Token::Sign("{")) {
                return Ok(Selection::Inline(None, self.selection()?, place));
            }
            return Ok(Selection::Spread(self.name()?, place));
        }
        let mut name = self.name()?;
        let mut alias = None;
        if self.take(":") {
            alias = Some(std::mem::replace(&mut name, self.name()?));
        }
        let mut arguments = Vec::new();
        if self.take("(") {
            while !self.take(")") {
                let name = self.name()?;
                self.expect(":")?;
                arguments.push((name, self.input()?));
            }
        }
        let has_more = matches!(self.peek(), Token::Sign("{"));
        let selection = if has_more { self.selection()? } else { Vec::new() };
        Ok(Selection::Field(Field { alias, name, arguments, selection, place }))
    }

    fn variables(&mut self) -> Read<Vec<Variable>> {
        let mut found = Vec::new();
        if !self.take("(") {
            return Ok(found);
        }
        while !self.take(")") {
            let place = self.place();
            self.expect("$")?;
            let name = self.name()?;
            self.expect(":")?;
            let kind = self.kind()?;
            let default = if self.take("=") { Some(self.input()?) } else { None };
            found.push(Variable { name, kind, default, place });
        }
        Ok(found)
    }

    fn definition(&mut self, document: &mut Document) -> Read<()> {
        let place = self.place();
        if matches!(self.peek(), Token::Sign("{")) {
            let selection = self.selection()?;
            document.operations.push(Operation {
                kind: "query".to_owned(),
                name: None,
                variables: Vec::new(),
                selection,
                place,
            });
            return Ok(());
        }
        let kind = self.name()?;
        match kind.as_str() {
            "fragment" => {
                let name = self.name()?;
                if !self.take_word("on") {
                    return Err(self.unexpected("expecting on"));
                }
                let (on, selection) = (self.name()?, self.selection()?);
                document.fragments.push(Fragment { name, on, selection });
                Ok(())
            }
            "query" | "mutation" | "subscription" => {
                let name = if matches!(self.peek(), Token::Name(_)) { Some(self.name()?) } else { None };
                let variables = self.variables()?;
                let selection = self.selection()?;
                document.operations.push(Operation { kind, name, variables, selection, place });
                Ok(())
            }
            _ => {
                self.at -= 1;
                Err(self.unexpected("expecting an operation or a fragment"))
            }
        }
    }
}

/// Reads a document.
pub fn parse(text: &str) -> Read<Document> {
    let mut reader = Reader::new(text)?;
    let mut document = Document::default();
    while !reader.done() {
        reader.definition(&mut document)?;
    }
    if document.operations.is_empty() {
        return Err(reader.unexpected("expecting an operation"));
    }
    Ok(document)
}

/// A constant as JSON; variables come from `variables`. `None` where a variable was not given.
pub fn constant(input: &Input, variables: &Map<String, Json>) -> Option<Json> {
    Some(match input {
        Input::Variable(name) => return variables.get(name).cloned(),
        Input::Constant(value) => value.clone(),
        Input::Enum(word) => Json::String(word.clone()),
        Input::List(list) => {
            list.iter().map(|item| constant(item, variables).unwrap_or(Json::Null)).collect()
        }
        Input::Object(fields) => {
            let given =
                fields.iter().filter_map(|(name, value)| Some((name.clone(), constant(value, variables)?)));
            Json::Object(given.collect())
        }
    })
}
