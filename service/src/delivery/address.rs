//! Which addresses and URLs a delivery may reach.
//!
//! A destination's URL is a tenant's word, and Baton stands inside the operator's network: without this
//! a tenant could make it speak to the database's port or a cloud's metadata service (SSRF). Names are
//! checked after they are resolved and the connection goes to the addresses that were checked, so a name
//! that changes its mind between check and use gains nothing. A literal in the URL never reaches the
//! resolver and is checked with the URL.

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// IPv4 ranges that are not the public internet: formats.md §7, the IANA special-purpose registry.
static SPECIAL_V4: LazyLock<Vec<Ipv4Net>> = LazyLock::new(|| {
    ranges(&[
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ])
});

/// The same for IPv6. Whatever embeds an IPv4 address by translation is refused as a whole.
static SPECIAL_V6: LazyLock<Vec<Ipv6Net>> = LazyLock::new(|| {
    ranges(&[
        "::/128",
        "::1/128",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ])
});

fn ranges<Net: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<Net> {
    texts.iter().map(|text| text.parse().expect("a range of the table above")).collect()
}

/// Whether that address is private or special, so that no tenant may point us there.
pub fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => SPECIAL_V4.iter().any(|range| range.contains(&v4)),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_special(IpAddr::V4(v4)),
            None => SPECIAL_V6.iter().any(|range| range.contains(&v6)),
        },
    }
}

/// The IPv4 address in `::ffff:a.b.c.d` and in the deprecated `::a.b.c.d`.
fn embedded(v6: Ipv6Addr) -> Option<std::net::Ipv4Addr> {
    let [.., a, b, c, d] = v6.octets();
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] => Some([a, b, c, d].into()),
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => Some([a, b, c, d].into()),
        _ => None,
    }
}

/// Why a URL cannot be a destination's. The URL is not repeated: it is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL.
    #[error("this is not a URL such as https://crm.example.com/hook")]
    Invalid,
    /// Not https.
    #[error("the URL must begin with https://")]
    Insecure,
    /// Not http at all.
    #[error("the URL must begin with https:// or http://")]
    Scheme,
    /// A private or special address as its host.
    #[error("the URL names a private or special address, which is not allowed here")]
    PrivateAddress,
    /// A user and password before the host.
    #[error("the URL must not hold a user name or password")]
    Credentials,
}

/// Reads a destination's URL.
///
/// `allow_private` is the operator's word, for demos and tests: then plain http and private addresses pass.
pub fn read_url(text: &str, allow_private: bool) -> Result<Url, UrlError> {
    let url = Url::parse(text.trim()).map_err(|_| UrlError::Invalid)?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => return Err(UrlError::Insecure),
        _ => return Err(UrlError::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    let literal = match url.host().ok_or(UrlError::Invalid)? {
        Host::Domain(_) => None,
        Host::Ipv4(v4) => Some(IpAddr::V4(v4)),
        Host::Ipv6(v6) => Some(IpAddr::V6(v6)),
    };
    if !allow_private && literal.is_some_and(is_special) {
        return Err(UrlError::PrivateAddress);
    }
    Ok(url)
}

/// What a person may see of a URL: where it goes, and four characters to tell it from another.
pub fn mask(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    let secret = &url[url::Position::BeforePath..];
    let tail: Vec<char> = secret.chars().rev().take(4).collect();
    if secret.chars().count() < 12 {
        format!("{origin}/…")
    } else {
        format!("{origin}/…{}", tail.iter().rev().collect::<String>())
    }
}

/// Resolves names with the system's resolver and refuses those that lead to special addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckingResolver {
    pub allow_private: bool,
}

/// A name that leads to a special address. Found again in the chain of a connection's error.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the name leads to a private or special address")]
pub(super) struct LeadsToSpecialAddress;

impl Resolve for CheckingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            // One bad address is enough: a name that mixes them is up to something.
            if !allow_private && found.iter().any(|address| is_special(address.ip())) {
                return Err(Box::new(LeadsToSpecialAddress) as Box<dyn StdError + Send + Sync>);
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn special_addresses_are_known_in_every_disguise() {
        let special = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "febf::1",
            "fc00::1",
            "fdff::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "5f00::1",
        ];
        for text in special {
            assert!(is_special(text.parse().unwrap()), "{text} must be refused");
        }
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ];
        for text in public {
            assert!(!is_special(text.parse().unwrap()), "{text} is public");
        }
    }

    #[test]
    fn a_url_is_https_without_credentials_and_without_a_special_literal() {
        let read = |text: &str| read_url(text, false).map(|url| url.to_string());
        assert_eq!(read(" https://crm.example.com/hook "), Ok("https://crm.example.com/hook".to_owned()));
        assert_eq!(read("http://crm.example.com/hook"), Err(UrlError::Insecure));
        assert_eq!(read("ftp://crm.example.com/"), Err(UrlError::Scheme));
        assert_eq!(read("crm.example.com"), Err(UrlError::Invalid));
        assert_eq!(read("https://user:pass@crm.example.com/"), Err(UrlError::Credentials));
        for literal in
            ["127.0.0.1", "0x7f.1", "2130706433", "017700000001", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1"]
        {
            assert_eq!(read(&format!("https://{literal}/")), Err(UrlError::PrivateAddress), "{literal}");
        }
        assert!(read_url("http://127.0.0.1:4000/", true).is_ok());
        assert_eq!(read_url("file:///etc/passwd", true).err(), Some(UrlError::Scheme));
    }

    #[test]
    fn a_mask_shows_the_host_and_hardly_more() {
        let masked = |text: &str| mask(&Url::parse(text).unwrap());
        assert_eq!(
            masked("https://app.getbonzo.com/api/webhook/0123456789abcdef0123456789abcdef"),
            "https://app.getbonzo.com/…cdef"
        );
        assert_eq!(masked("https://crm.example.com/hook"), "https://crm.example.com/…");
        assert_eq!(masked("http://127.0.0.1:4000/api?token=geheimnis"), "http://127.0.0.1:4000/…mnis");
    }

    proptest! {
        #[test]
        fn mapping_into_v6_hides_nothing(bits: u32) {
            let v4 = std::net::Ipv4Addr::from_bits(bits);
            prop_assert_eq!(is_special(IpAddr::V4(v4)), is_special(IpAddr::V6(v4.to_ipv6_mapped())));
        }

        #[test]
        fn the_standard_librarys_private_ranges_are_all_refused(bits: u32) {
            let v4 = std::net::Ipv4Addr::from_bits(bits);
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_documentation() {
                prop_assert!(is_special(IpAddr::V4(v4)));
            }
        }
    }
}
