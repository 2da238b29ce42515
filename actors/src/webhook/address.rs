//! Which addresses may be called.

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Resolves names to addresses that may be called, at the time of the call: a name that was public when its job was
/// accepted may lead elsewhere by then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    pub(super) private: bool,
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|to| private || is_public(to.ip())).collect();
            if allowed.is_empty() {
                return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Addresses written out are not resolved, so they are looked at here.
pub(super) fn is_literal_refused(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.parse::<IpAddr>().is_ok_and(|address| !is_public(address))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = match a {
                0 | 10 | 127 | 224.. => true, // this network, private, loopback, multicast and reserved
                100 => b & 0xC0 == 64,        // shared by carriers
                169 => b == 254,              // link-local, where clouds answer with credentials
                172 => b & 0xF0 == 16,
                192 => b == 168 || (b == 0 && matches!(c, 0 | 2)) || (b == 88 && c == 99),
                198 => b & 0xFE == 18 || (b == 51 && c == 100),
                203 => b == 0 && c == 113,
                _ => false,
            };
            !special
        }
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_public(v4),
            // Global unicast, without what is for tunnels, benchmarks and books.
            None => match v6.segments() {
                [0x2001, second, ..] => second > 0x01FF && second != 0x0DB8,
                [0x3FFF, second, ..] => second > 0x0FFF,
                [first, ..] => first & 0xE000 == 0x2000,
            },
        },
    }
}

/// The IPv4 address within: mapped, translated (64:ff9b::/96) or tunnelled (6to4).
fn embedded_v4(address: Ipv6Addr) -> Option<IpAddr> {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::from([a, b, c, d])
    };
    match segments {
        [0, 0, 0, 0, 0, 0xFFFF, high, low] | [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_private_networks_are_refused_however_they_are_written() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001:0:7f00:1::1", // Teredo
            "3fff::1",
            "::127.0.0.1",
            "64:ff9b:1::a00:1",
            "192.88.99.1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for url in [
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://0x7f000001:8080/",
            "http://[::1]:80/",
            "http://[::ffff:7f00:1]/",
            "http://[::ffff:169.254.169.254]/latest/meta-data",
            "http://169.254.169.254./",
            "http://\u{FF11}\u{FF12}\u{FF17}.0.0.1/", // digits of another alphabet
        ] {
            assert!(is_literal_refused(&Url::parse(url).unwrap()), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_at_when_it_is_called_and_leads_nowhere_else() {
        let resolve = |private, name: &str| Reach { private }.resolve(name.parse().expect("a name"));
        assert!(resolve(false, "localhost").await.is_err());
        let found = resolve(true, "localhost").await.expect("this machine");
        assert!(found.count() > 0);
    }
}
