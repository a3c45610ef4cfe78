//! Decides which certificate authorities are trusted: once at start. `check` shows where they come from.

use ureq::tls::{parse_pem, Certificate, PemItem, RootCerts};

use super::proxies::Proxies;
use crate::config::{Environment, Settings};
use crate::error::{Error, Result};
use crate::text::revealed;

/// Where Linux distributions keep their bundle of authorities.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The trusted authorities, and their source for display.
#[derive(Clone)]
pub struct Roots {
    pub certs: RootCerts,
    /// A file's name with its number of certificates, `built-in`, or `not needed`.
    pub from: String,
}

impl Roots {
    /// For clients that never leave this machine.
    pub fn none() -> Self {
        Self { certs: RootCerts::WebPki, from: "not needed".into() }
    }
}

/// How the hosts are reached: the trusted authorities and the proxy.
pub struct Way {
    pub roots: Roots,
    pub proxies: Proxies,
}

impl Way {
    /// For clients that never leave this machine.
    pub fn local() -> Self {
        Self { roots: Roots::none(), proxies: Proxies::default() }
    }

    /// Logs through which proxy each host is reached.
    pub fn announce(&self, settings: &Settings) {
        for (name, url) in [("GitHub", &settings.github_url), ("Sentry", &settings.sentry_url)] {
            if self.proxies.is_set() {
                log::info!("proxy: {name} ({}) {}", url.host(), self.proxies.route(url));
            }
        }
        self.proxies.odd().iter().for_each(|odd| log::warn!("proxy: {odd}"));
    }
}

/// Reads authorities and proxy from the environment. `all_local`: both hosts are this machine itself.
pub fn way(env: &Environment, all_local: bool) -> Result<Way> {
    // Reading 140 certificates takes longer than the rest of a start, and loopback doesn't need them.
    let roots = if all_local { Roots::none() } else { roots(env)? };
    Ok(Way { roots, proxies: Proxies::of(env, all_local)? })
}

/// Reads `SSL_CERT_FILE`, otherwise the system's bundle, otherwise takes the built-in authorities.
pub fn roots(env: &Environment) -> Result<Roots> {
    if let Some(path) = env.get("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        return read(path).map_err(|why| {
            let path = revealed(path);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str, value: &str) -> Environment {
        [(name.to_string(), value.to_string())].into()
    }

    #[test]
    fn a_named_bundle_that_can_not_be_read_is_refused() {
        let error = roots(&env("SSL_CERT_FILE", "/nonexistent")).err().unwrap().to_string();
        assert!(error.contains("SSL_CERT_FILE `/nonexistent`"), "{error}");
        assert!(roots(&env("SSL_CERT_FILE", "/dev/null")).is_err());
    }
}
