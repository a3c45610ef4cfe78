//! E-mail addresses: which strings are one, how they compare, and which of GitHub's belong to nobody. Pure.
//!
//! Case is ignored for ASCII letters only, here and for logins. Unicode's case folding turns U+212A (KELVIN SIGN) into
//! a `k`, so a person who can write one address would be found as the owner of another. The type ensures that addresses
//! are compared in no other way.

use std::cmp::Ordering;
use std::fmt;

use crate::text::is_hidden;

/// A text that is compared regardless of case: its ASCII letters are lower case, everything else is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folded(Box<str>);

impl Folded {
    pub fn of(text: &str) -> Self {
        Self(text.to_ascii_lowercase().into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One plain e-mail address, as it was written. Two addresses are equal if they are equal once folded.
#[derive(Clone, Debug)]
pub struct Address(Box<str>);

/// The characters allowed before the `@`, besides letters and digits.
const LOCAL: &str = "!#$%&'*+-/=?^_`{|}~.";
/// The longest address that mail allows.
const LONGEST: usize = 254;

impl Address {
    /// Reads one plain address: no name, brackets, quotes or scheme around it, and no second one. The error says what
    /// to change.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        match text.split_once('@') {
            Some((local, domain)) if text.len() <= LONGEST && is_local(local) && is_domain(domain) => {
                Ok(Self(text.into()))
            }
            _ => Err(advice(text)),
        }
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key by which it is found.
    pub fn folded(&self) -> Folded {
        Folded::of(&self.0)
    }

    /// Whether a string is this address.
    pub fn is(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }

    /// Whether GitHub put it in place of an address that somebody keeps private. Such addresses have no mailbox, so
    /// they identify nobody: `users.noreply.github.com`, and `users.noreply.HOST` on other servers.
    pub fn is_no_reply(&self) -> bool {
        let (_, domain) = self.parts();
        domain.to_ascii_lowercase().starts_with("users.noreply.")
    }

    /// For managed users, whose logins end with `_SHORT`, GitHub writes addresses as `name+SHORT@…`. Returns the tag,
    /// and the address without it, which is most likely the real one.
    pub fn without_tag_of(&self, login: &str) -> Option<(&str, Address)> {
        let (_, short) = login.rsplit_once('_')?;
        let (local, domain) = self.parts();
        let (name, tag) = local.rsplit_once('+')?;
        let is_tag = !name.is_empty() && !short.is_empty() && tag.eq_ignore_ascii_case(short);
        is_tag.then(|| (tag, Self(format!("{name}@{domain}").into())))
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('@').unwrap_or((&self.0, ""))
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Address {}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> Ordering {
        let folded = |address: &Self| address.0.bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>();
        folded(self).cmp(&folded(other))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_local(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || LOCAL.contains(c))
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    text.split('.').all(is_label)
}

/// How to correct a string that is no address.
fn advice(text: &str) -> &'static str {
    match text {
        text if text.chars().any(is_hidden) => "remove the invisible character",
        text if text.contains(['<', '>']) => "leave out the name and the angle brackets",
        text if text.contains(['"', '\'']) => "leave out the quotes",
        text if text.contains("mailto:") => "leave out `mailto:`",
        text if text.contains([';', ',', ' ']) => "write one address only, nothing around it",
        text if text.starts_with('@') => "this looks like a GitHub name; write the address that Sentry has",
        text if !text.contains('@') => "it has no @",
        _ => "write it as name@example.com",
    }
}

/// Whether Sentry made this address for the user of an integration. It belongs to nobody.
pub fn is_proxy(address: &str) -> bool {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    domain.eq_ignore_ascii_case("proxy-user.sentry.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::read(text).unwrap()
    }

    #[test]
    fn one_plain_address_is_read_and_nothing_else() {
        for good in [
            "a@x",
            "Ada.Lovelace@Example.com",
            "o'neil+tag@mail.example.co.uk",
            "root@localhost",
            "jürgen@bücher.example",
            "583231+octocat@users.noreply.github.com",
        ] {
            assert_eq!(address(good).as_str(), good);
        }
        for (bad, advice) in [
            ("", "no @"),
            ("octocat", "no @"),
            ("@acme/team-0", "GitHub name"),
            ("<a@b>", "angle brackets"),
            ("Ada <a@b>", "angle brackets"),
            ("\"a@b\"", "quotes"),
            ("mailto:a@b", "`mailto:`"),
            ("a@b;c@d", "one address only"),
            ("a@b;", "one address only"),
            ("a @b", "one address only"),
            ("a@b@c", "name@example.com"),
            ("a@", "name@example.com"),
            ("a@b.", "name@example.com"),
            ("a@b..c", "name@example.com"),
            ("https://github.com/a@b", "name@example.com"),
            ("\u{feff}a@b", "invisible"),
            ("a\u{200b}@b", "invisible"),
            ("a@b\u{a0}", "invisible"),
            ("a@b\n", "invisible"),
        ] {
            let told = Address::read(bad).unwrap_err();
            assert!(told.contains(advice), "{bad:?}: {told}");
        }
        assert!(Address::read(&format!("{}@x", "a".repeat(253))).is_err());
    }

    #[test]
    fn only_ascii_letters_are_folded() {
        assert_eq!(address("Ada@Example.COM"), address("ada@example.com"));
        // U+212A looks like a K, and Unicode folds it to one. U+0130 and U+017F fold to ASCII letters too.
        for lookalike in ["\u{212a}ai@x", "\u{130}van@x", "\u{17f}am@x"] {
            for plain in ["kai@x", "ivan@x", "sam@x"] {
                assert_ne!(address(lookalike), address(plain));
                assert_ne!(address(lookalike).folded(), address(plain).folded());
                assert!(!address(lookalike).is(plain));
            }
        }
        let mut sorted = [address("B@x"), address("a@x"), address("C@x")];
        sorted.sort();
        assert_eq!(sorted.map(|address| address.to_string()), ["a@x", "B@x", "C@x"]);
    }

    #[test]
    fn what_github_puts_in_place_of_a_private_address_is_told_apart() {
        for no_reply in [
            "octocat@users.noreply.github.com",
            "1+o@Users.NoReply.GitHub.com",
            "o@users.noreply.ghe.example",
        ] {
            assert!(address(no_reply).is_no_reply(), "{no_reply}");
        }
        for real in ["noreply@github.com", "a@users.noreply-x.com", "users.noreply.github.com@x"] {
            assert!(!address(real).is_no_reply(), "{real}");
        }
    }

    #[test]
    fn the_tag_of_a_managed_user_is_known_by_the_login() {
        let without = |address_text: &str, login: &str| {
            let address = address(address_text);
            let found = address.without_tag_of(login);
            found.map(|(tag, plain)| (tag.to_string(), plain.to_string()))
        };
        let found = Some(("acme".to_string(), "ada@corp.test".to_string()));
        assert_eq!(without("ada+acme@corp.test", "ada_acme"), found);
        assert_eq!(without("ada+ACME@corp.test", "ada-l_acme").unwrap().1, "ada@corp.test");
        for (text, login) in [
            ("ada+acme@corp.test", "ada"),
            ("ada+news@corp.test", "ada_acme"),
            ("ada@corp.test", "ada_acme"),
            ("+acme@corp.test", "ada_acme"),
            ("ada+@corp.test", "ada_"),
        ] {
            assert_eq!(without(text, login), None, "{text} {login}");
        }
    }
}
