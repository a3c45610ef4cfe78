//! Decodes `payload=%7B…`, the body that a webhook sends with GitHub's default content type (a form). Pure.

/// The value of the field `payload`. The error starts in lower case, for use within a sentence.
pub fn payload(body: &[u8]) -> Result<Vec<u8>, String> {
    let fields = body.split(|b| *b == b'&');
    let mut values = fields.filter_map(|field| field.strip_prefix(b"payload="));
    match (values.next(), values.next()) {
        (Some(value), None) => decode(value),
        (None, _) => Err("the form has no field `payload`".into()),
        (Some(_), Some(_)) => Err("the form has the field `payload` twice".into()),
    }
}

fn decode(value: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
                // `from_str_radix` would accept a sign.
                let digits = digits.filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
                let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
                out.push(byte.ok_or("the form has a % without two hex digits behind it")?);
                rest = tail.get(2..).unwrap_or_default();
            }
            plain => out.push(*plain),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_decoded() {
        assert_eq!(
            payload(b"payload=%7B%22a%22%3A+%22%C3%BC%2B%22%7D").unwrap(),
            "{\"a\": \"ü+\"}".as_bytes()
        );
        assert_eq!(payload(b"x=1&payload=a&y=2").unwrap(), b"a");
        assert_eq!(payload(b"payload=").unwrap(), b"");
    }

    #[test]
    fn what_is_no_such_form_is_refused() {
        for bad in [
            &b""[..],
            b"a=b",
            b"payload",
            b"payload=a&payload=b",
            b"payload=%",
            b"payload=%2",
            b"payload=%+1",
        ] {
            assert!(payload(bad).is_err(), "{bad:?}");
        }
    }
}
