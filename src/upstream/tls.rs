//! Which certificate authorities are trusted, and which proxy is used: settled once at start, and said aloud.

use ureq::tls::{parse_pem, Certificate, PemItem, RootCerts};
use ureq::Proxy;

use crate::config::Environment;
use crate::error::{Error, Result};

/// Where distributions keep their bundle of authorities.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities, and where they come from, for people.
#[derive(Clone)]
pub struct Roots {
    /// For the client.
    pub certs: RootCerts,
    /// A file's name, or `built-in`.
    pub from: String,
}

impl Roots {
    /// For clients that never leave this machine.
    pub fn none() -> Self {
        Self { certs: RootCerts::WebPki, from: "not needed".into() }
    }
}

/// The way to the hosts: whom to trust, and through which proxy.
pub struct Way {
    /// The authorities.
    pub roots: Roots,
    /// The proxy, for people.
    pub proxy: Option<String>,
}

/// Settles the way. `all_local`: both hosts are this machine itself.
pub fn way(env: &Environment, all_local: bool) -> Result<Way> {
    // Reading 140 certificates takes longer than the rest of a start; nobody needs them on loopback.
    let roots = if all_local { Roots::none() } else { roots(env)? };
    Ok(Way { roots, proxy: proxy(env)? })
}

/// `SSL_CERT_FILE`, else the system's bundle, else the built-in ones.
pub fn roots(env: &Environment) -> Result<Roots> {
    if let Some(path) = env.get("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        return read(path).map_err(|why| {
            Error::usage(format!("failed to read the certificate authorities of SSL_CERT_FILE `{path}`"))
                .why(why)
                .fix("name a PEM file with at least one certificate, or unset SSL_CERT_FILE")
        });
    }
    let system = BUNDLES.iter().find_map(|path| read(path).ok());
    Ok(system.unwrap_or_else(|| Roots { certs: RootCerts::WebPki, from: "built-in".into() }))
}

fn read(path: &str) -> std::result::Result<Roots, String> {
    let pem = std::fs::read(path).map_err(|e| e.to_string())?;
    let certs: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(cert)) => Some(cert),
            _ => None,
        })
        .collect();
    match certs.len() {
        0 => Err("it holds no certificate".into()),
        n => Ok(Roots { certs: RootCerts::new_with_certs(&certs), from: format!("{path} ({n})") }),
    }
}

/// The proxy of the environment, without its password, for people. The client reads the same variables, but ignores
/// a malformed one in silence and goes direct: so a malformed one is refused here.
pub fn proxy(env: &Environment) -> Result<Option<String>> {
    let mut found = None;
    for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        let Some(value) = env.get(name).filter(|value| !value.is_empty()) else { continue };
        let proxy = Proxy::new(value).map_err(|_| {
            Error::usage(format!("the proxy variable {name} can not be read"))
                .fix("write http://HOST:PORT (or with a user: http://USER:PASSWORD@HOST:PORT), or unset it")
        })?;
        found.get_or_insert_with(|| format!("{}:{} ({name})", proxy.host(), proxy.port()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str, value: &str) -> Environment {
        [(name.to_string(), value.to_string())].into()
    }

    #[test]
    fn a_malformed_proxy_variable_is_refused_not_ignored() {
        let error = proxy(&env("HTTPS_PROXY", "nonsense://a b")).unwrap_err().to_string();
        assert!(error.starts_with("the proxy variable HTTPS_PROXY can not be read\n  fix: "), "{error}");
        let found = proxy(&env("https_proxy", "http://me:secret@proxy.example:3128")).unwrap().unwrap();
        assert_eq!(found, "proxy.example:3128 (https_proxy)");
        assert_eq!(proxy(&env("HTTP_PROXY", "")).unwrap(), None);
    }

    #[test]
    fn a_named_bundle_that_can_not_be_read_is_refused() {
        let error = roots(&env("SSL_CERT_FILE", "/nonexistent")).err().unwrap().to_string();
        assert!(error.contains("SSL_CERT_FILE `/nonexistent`"), "{error}");
        assert!(roots(&env("SSL_CERT_FILE", "/dev/null")).is_err());
    }
}
