//! Percent, form and base64 coding, and the few letters both sites turn into ASCII for a slug.
//!
//! Pure functions over text. They must never panic on foreign bytes: what cannot be decoded is
//! kept or replaced, as the true servers do.

/// Decodes `%XX`; a malformed escape stays as it is, bytes that are not UTF-8 become U+FFFD.
pub fn percent_decode(text: &str) -> String {
    String::from_utf8_lossy(&decode_bytes(text.as_bytes(), false)).into_owned()
}

fn decode_bytes(text: &[u8], plus_is_space: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let escape = text.get(at + 1..at + 3).and_then(hex_pair);
        match (byte, escape) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
                continue;
            }
            (b'+', _) if plus_is_space => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    out
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let mut value = [0];
    hex::decode_to_slice(pair, &mut value).ok()?;
    Some(value[0])
}

/// Splits a query string or a form body into its pairs, in order, decoded. Empty pieces are
/// dropped; a piece without `=` has an empty value.
pub fn form_decode(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| String::from_utf8_lossy(&decode_bytes(part.as_bytes(), true)).into_owned();
    text.split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| match piece.split_once('=') {
            Some((name, value)) => (decode(name), decode(value)),
            None => (decode(piece), String::new()),
        })
        .collect()
}

/// Encodes one form or query value: blanks become `+`, everything but letters, digits and
/// `_.-~` becomes `%XX`. (Seen in Sentry's `Link` header, where even `*` becomes `%2A`.)
pub fn form_encode(text: &str) -> String {
    encode(text, true)
}

/// Encodes one path segment: like [`form_encode`], but a blank becomes `%20`.
pub fn path_encode(text: &str) -> String {
    encode(text, false)
}

fn encode(text: &str, plus_for_space: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(byte.into()),
            b' ' if plus_for_space => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding; GitHub's older node ids and its GraphQL cursors are written so.
pub fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            if i <= chunk.len() {
                let index = (word >> (18 - 6 * i)) & 63;
                out.push(char::from(BASE64[index as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// The reverse of [`base64`]; `None` for anything that is not base64.
pub fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut word, mut bits) = (0u32, 0);
    for byte in text.bytes() {
        let index = BASE64.iter().position(|&letter| letter == byte)?;
        word = (word << 6 | index as u32) & 0xff_ffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits & 0xff) as u8);
        }
    }
    Some(out)
}

/// ASCII letters for an accented Latin letter, or `None` when the letter has none. This is the
/// part of Unicode's compatibility decomposition that names of teams use; both sites make slugs
/// from it (seen on Sentry: `Équipe Génie` → `equipe-genie`, `ß` vanishes).
pub fn latin_base(letter: char) -> Option<&'static str> {
    const GROUPS: &[(&str, &str)] = &[
        ("A", "ÀÁÂÃÄÅĀĂĄǍ"),
        ("C", "ÇĆĈĊČ"),
        ("D", "Ď"),
        ("E", "ÈÉÊËĒĔĖĘĚ"),
        ("G", "ĜĞĠĢ"),
        ("H", "Ĥ"),
        ("I", "ÌÍÎÏĨĪĬĮİ"),
        ("J", "Ĵ"),
        ("K", "Ķ"),
        ("L", "ĹĻĽ"),
        ("N", "ÑŃŅŇ"),
        ("O", "ÒÓÔÕÖŌŎŐ"),
        ("R", "ŔŖŘ"),
        ("S", "ŚŜŞŠȘ"),
        ("T", "ŢŤȚ"),
        ("U", "ÙÚÛÜŨŪŬŮŰŲ"),
        ("W", "Ŵ"),
        ("Y", "ÝŶŸ"),
        ("Z", "ŹŻŽ"),
        ("a", "àáâãäåāăąǎª"),
        ("c", "çćĉċč"),
        ("d", "ď"),
        ("e", "èéêëēĕėęě"),
        ("g", "ĝğġģ"),
        ("h", "ĥ"),
        ("i", "ìíîïĩīĭį"),
        ("j", "ĵ"),
        ("k", "ķ"),
        ("l", "ĺļľ"),
        ("n", "ñńņň"),
        ("o", "òóôõöōŏőº"),
        ("r", "ŕŗř"),
        ("s", "śŝşšș"),
        ("t", "ţťț"),
        ("u", "ùúûüũūŭůűų"),
        ("w", "ŵ"),
        ("y", "ýÿŷ"),
        ("z", "źżž"),
        ("fi", "ﬁ"),
        ("fl", "ﬂ"),
        ("12", "½"),
        ("14", "¼"),
        ("34", "¾"),
        ("1", "¹"),
        ("2", "²"),
        ("3", "³"),
    ];
    if letter.is_ascii() {
        return None;
    }
    let (base, _) = GROUPS.iter().find(|(_, letters)| letters.contains(letter))?;
    Some(base)
}
