//! Decides through which proxy each host is reached, if any: once at start, from the environment. The log shows it.
//!
//! The HTTP client's own reading of these variables is not used. It silently ignores a proxy that is malformed or
//! speaks SOCKS, and knows neither blanks nor ports nor subdomains in `NO_PROXY`.

use std::fmt;
use std::net::IpAddr;

use ureq::{Proxy, ProxyProtocol};

use crate::config::values::BaseUrl;
use crate::config::Environment;
use crate::error::{Error, Result};
use crate::text::revealed;

/// The variables that name a proxy, the first one first. All calls through a proxy are https, so `HTTP_PROXY` comes
/// last; curl would ignore it.
const PROXIES: [&str; 6] =
    ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY"];
/// The variables with exceptions. As with curl, only the first one that is set counts.
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The proxy from the environment, and the hosts that are reached without it.
#[derive(Clone, Default)]
pub struct Proxies {
    proxy: Option<(Proxy, &'static str)>,
    var: &'static str,
    exceptions: Vec<Exception>,
    odd: Vec<String>,
}

/// How a host is reached.
pub enum Route<'a> {
    Direct,
    Local,
    /// Without the proxy, because this variable has this entry.
    Except(&'static str, &'a str),
    /// Through this proxy, which this variable names.
    Through(&'a Proxy, &'static str),
}

#[derive(Clone)]
struct Exception {
    text: String,
    host: Host,
    port: Option<u16>,
}

#[derive(Clone)]
enum Host {
    All,
    /// The name and all its subdomains.
    Name(String),
    /// All addresses that share this many leading bits with this one.
    Net(IpAddr, u32),
}

impl Proxies {
    /// Reads the environment. A malformed proxy is an error. A SOCKS proxy is one unless `all_local` says that no host
    /// would be reached through it.
    pub fn of(env: &Environment, all_local: bool) -> Result<Self> {
        let mut proxies = Self::default();
        for var in PROXIES {
            let Some(value) = env.get(var).filter(|value| !value.is_empty()) else { continue };
            let proxy = Proxy::new(value.trim()).map_err(|_| {
                Error::usage(format!("the proxy variable {var} cannot be read")).fix(
                    "write http://HOST:PORT (or with a user: http://USER:PASSWORD@HOST:PORT), or unset it",
                )
            })?;
            proxies.proxy.get_or_insert((proxy, var));
        }
        let speaks_socks = |(proxy, _): &&(Proxy, _)| {
            !matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https)
        };
        if let Some((_, var)) = proxies.proxy.as_ref().filter(speaks_socks) {
            let error =
                Error::usage(format!("the proxy variable {var} names a SOCKS proxy, which is not supported"))
                    .fix(format!(
                        "name an HTTP proxy in HTTPS_PROXY, which counts before others, or unset {var}"
                    ));
            if !all_local {
                return Err(error);
            }
            proxies.proxy = None;
        }
        for var in EXCEPTIONS {
            let Some(value) = env.get(var).filter(|value| !value.trim().is_empty()) else { continue };
            proxies.var = var;
            for text in value.split([',', ' ', '\t']).filter(|text| !text.is_empty()) {
                match Exception::read(text) {
                    Some(exception) => proxies.exceptions.push(exception),
                    None => proxies.odd.push(text.into()),
                }
            }
            break;
        }
        Ok(proxies)
    }

    pub fn route(&self, base: &BaseUrl) -> Route<'_> {
        let Some((proxy, var)) = &self.proxy else { return Route::Direct };
        if base.is_loopback() {
            return Route::Local;
        }
        match self.exceptions.iter().find(|exception| exception.is(base)) {
            Some(exception) => Route::Except(self.var, &exception.text),
            None => Route::Through(proxy, var),
        }
    }

    pub fn for_client(&self, base: &BaseUrl) -> Option<Proxy> {
        match self.route(base) {
            Route::Through(proxy, _) => Some(proxy.clone()),
            Route::Direct | Route::Local | Route::Except(..) => None,
        }
    }

    pub fn is_set(&self) -> bool {
        self.proxy.is_some()
    }

    /// A sentence about entries of `NO_PROXY` that are no names, addresses or networks. They are no error, because
    /// other programs may understand them.
    pub fn odd(&self) -> Option<String> {
        let odd: Vec<_> = self.odd.iter().map(|text| format!("`{}`", revealed(text))).collect();
        let one = "is no name, address or network and is ignored";
        let many = "are no names, addresses or networks and are ignored";
        let is = if odd.len() == 1 { one } else { many };
        (!odd.is_empty()).then(|| format!("{} has {}, which {is}", self.var, odd.join(", ")))
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The proxy's address may hold a password.
        f.debug_struct("Proxies")
            .field("var", &self.proxy.as_ref().map(|(_, var)| var))
            .finish_non_exhaustive()
    }
}

/// The second half of a sentence that begins with the host. It leaves out the proxy's password.
impl fmt::Display for Route<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Route::Direct => f.write_str("is reached without a proxy: none is set"),
            Route::Local => f.write_str("is this machine itself and reached without the proxy"),
            Route::Except(var, entry) => write!(f, "is reached without the proxy: {var} has `{entry}`"),
            Route::Through(proxy, var) => {
                write!(f, "is reached through the proxy {}:{} ({var})", proxy.host(), proxy.port())
            }
        }
    }
}

impl Exception {
    fn read(text: &str) -> Option<Self> {
        let exception = |host, port| Some(Self { text: text.into(), host, port });
        if text == "*" {
            return exception(Host::All, None);
        }
        if let Some((ip, bits)) = text.split_once('/') {
            let ip: IpAddr = ip.parse().ok()?;
            let bits = bits.parse().ok().filter(|bits| *bits <= width(ip))?;
            return exception(Host::Net(ip, bits), None);
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return exception(Host::Net(ip, width(ip)), None);
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        if let Ok(ip) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return exception(Host::Net(ip, width(ip)), port);
        }
        let name = host.strip_prefix("*.").or_else(|| host.strip_prefix('.')).unwrap_or(host);
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        let fits = name.split('.').all(is_label);
        fits.then(|| Self { text: text.into(), host: Host::Name(name.to_ascii_lowercase()), port })
    }

    fn is(&self, base: &BaseUrl) -> bool {
        if self.port.is_some_and(|port| port != base.port()) {
            return false;
        }
        let host = base.host().to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        match &self.host {
            Host::All => true,
            Host::Name(name) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Host::Net(net, bits) => host.parse().is_ok_and(|ip| is_in(ip, *net, *bits)),
        }
    }
}

fn width(ip: IpAddr) -> u32 {
    if ip.is_ipv4() {
        32
    } else {
        128
    }
}

fn is_in(ip: IpAddr, net: IpAddr, bits: u32) -> bool {
    let number = |ip| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let first = |number: u128| number.checked_shr(128 - bits).unwrap_or(0);
    ip.is_ipv4() == net.is_ipv4() && first(number(ip)) == first(number(net))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::base_url;

    fn of(pairs: &[(&str, &str)]) -> Result<Proxies> {
        let env = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Proxies::of(&env, false)
    }

    fn route(proxies: &Proxies, url: &str) -> String {
        proxies.route(&base_url(url).unwrap()).to_string()
    }

    const PROXY: (&str, &str) = ("HTTPS_PROXY", "http://proxy.example:3128");

    #[test]
    fn a_proxy_that_can_not_be_used_is_refused_not_ignored() {
        let error = of(&[("HTTPS_PROXY", "nonsense://a b")]).unwrap_err().to_string();
        assert!(error.starts_with("the proxy variable HTTPS_PROXY cannot be read\n  fix: "), "{error}");
        let socks = ("ALL_PROXY", "socks5://proxy.example:1080");
        let error = of(&[socks]).unwrap_err().to_string();
        assert!(error.starts_with("the proxy variable ALL_PROXY names a SOCKS proxy"), "{error}");
        assert!(of(&[socks, PROXY]).is_ok(), "another one counts");
        let env = [(socks.0.to_string(), socks.1.to_string())].into();
        assert!(Proxies::of(&env, true).is_ok(), "nobody is reached through it");
        assert!(!of(&[("HTTP_PROXY", "")]).unwrap().is_set());
    }

    #[test]
    fn the_proxy_for_https_counts_before_others_and_lower_case_before_upper() {
        for (pairs, told) in [
            (
                &[("https_proxy", "http://me:secret@a:1")][..],
                "is reached through the proxy a:1 (https_proxy)",
            ),
            (
                &[("ALL_PROXY", "http://b:1"), ("HTTPS_PROXY", "http://a:1")],
                "is reached through the proxy a:1 (HTTPS_PROXY)",
            ),
            (
                &[("HTTPS_PROXY", "http://b:1"), ("https_proxy", "http://a:1")],
                "is reached through the proxy a:1 (https_proxy)",
            ),
            (
                &[("HTTP_PROXY", "http://b:1"), ("ALL_PROXY", "http://a:1")],
                "is reached through the proxy a:1 (ALL_PROXY)",
            ),
            (&[("HTTP_PROXY", "a:1")], "is reached through the proxy a:1 (HTTP_PROXY)"),
            (&[], "is reached without a proxy: none is set"),
        ] {
            assert_eq!(route(&of(pairs).unwrap(), "https://sentry.io"), told);
        }
        let local = of(&[PROXY]).unwrap();
        for url in ["http://127.0.0.1:9", "https://localhost", "https://[::1]"] {
            assert_eq!(route(&local, url), "is this machine itself and reached without the proxy");
        }
        assert!(!format!("{:?}", of(&[("ALL_PROXY", "http://me:hunter2@a:1")]).unwrap()).contains("hunter2"));
    }

    #[test]
    fn exceptions_are_read_as_people_write_them() {
        let sentry = "https://sentry.corp.example";
        for (list, url, is_exempt) in [
            ("sentry.corp.example", sentry, true),
            ("Sentry.Corp.EXAMPLE", sentry, true),
            ("corp.example", sentry, true),
            (".corp.example", sentry, true),
            ("*.corp.example", sentry, true),
            (".sentry.corp.example", sentry, true),
            ("corp.example.", sentry, true),
            ("*", sentry, true),
            ("localhost, 10.0.0.0/8,\tcorp.example", sentry, true),
            ("localhost corp.example", sentry, true),
            ("sentry.corp.example:443", sentry, true),
            ("corp.example:8443", sentry, false),
            ("corp.example:8443", "https://sentry.corp.example:8443/x", true),
            ("orp.example", sentry, false),
            ("sentry.corp", sentry, false),
            ("other.example", sentry, false),
            ("", sentry, false),
            ("10.1.2.3", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://10.1.2.3:9", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("10.1.2.3:443", "https://10.1.2.3", true),
            ("0.0.0.0/0", "https://10.1.2.3", true),
            ("0.0.0.0/0", "https://[2001:db8::1]", false),
            ("2001:db8::/32", "https://[2001:db8::1]", true),
            ("[2001:db8::1]:443", "https://[2001:db8::1]", true),
            ("2001:db8::2", "https://[2001:db8::1]", false),
            ("10.0.0.0/8", sentry, false),
        ] {
            let proxies = of(&[PROXY, ("NO_PROXY", list)]).unwrap();
            let client = proxies.for_client(&base_url(url).unwrap());
            assert_eq!(client.is_none(), is_exempt, "{list:?} {url}");
            assert_eq!(proxies.odd(), None, "{list:?}");
        }
        let both = of(&[PROXY, ("NO_PROXY", "*"), ("no_proxy", "other.example")]).unwrap();
        assert_eq!(route(&both, sentry), "is reached through the proxy proxy.example:3128 (HTTPS_PROXY)");
        let both = of(&[PROXY, ("NO_PROXY", ".corp.example"), ("no_proxy", "")]).unwrap();
        assert_eq!(route(&both, sentry), "is reached without the proxy: NO_PROXY has `.corp.example`");
    }

    #[test]
    fn an_exception_that_exempts_nothing_is_told() {
        let odd = |list| of(&[PROXY, ("NO_PROXY", list)]).unwrap().odd();
        assert_eq!(
            odd("https://a,b").unwrap(),
            "NO_PROXY has `https://a`, which is no name, address or network and is ignored"
        );
        assert_eq!(
            odd("a;b,10.0.0.0/99,c*d,x:y").unwrap(),
            "NO_PROXY has `a;b`, `10.0.0.0/99`, `c*d`, `x:y`, which are no names, addresses or networks and are ignored"
        );
    }
}
