//! The address of a client: that of the connection, or behind a trusted proxy the one that the proxy names.

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::Request;
use axum::http::HeaderMap;
use ipnet::IpNet;

/// The address that a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// The address that rate limits count: all addresses of an IPv6 /64 network are one client.
    pub(super) fn counted(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            address => address,
        }
    }
}

/// Proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads addresses and networks: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`.
    ///
    /// # Errors
    /// The first text that is neither.
    pub fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let read = |text: &'a str| {
            let network = text.parse::<IpNet>().ok();
            let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
            network.ok_or_else(|| text.to_owned())
        };
        texts.map(read).collect::<Result<_, _>>().map(Self)
    }

    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns the client's address. Each proxy appends the address that it sees, so the list is read from its end, as far
    /// as those who wrote it are trusted: what stands before may be the client's invention.
    fn client(&self, connection: Peer, headers: &HeaderMap) -> Peer {
        let lists = headers.get_all("x-forwarded-for").iter();
        let lists: Vec<&str> = lists.filter_map(|list| list.to_str().ok()).collect();
        let mut named = lists.iter().flat_map(|list| list.split(',')).rev();
        let mut address = connection.0;
        while self.has(address) {
            match named.next().and_then(|name| name.trim().parse().ok()) {
                Some(before) => address = before,
                None => break,
            }
        }
        Peer(address)
    }
}

/// Gives a request its client's address instead of the proxy's.
pub(super) fn resolve(proxies: &TrustedProxies, request: &mut Request) {
    if let Some(&peer) = request.extensions().get::<Peer>() {
        let peer = proxies.client(peer, request.headers());
        request.extensions_mut().insert(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &[&str], connection: &str, lists: &[&str]) -> String {
        let proxies = TrustedProxies::parse(proxies.iter().copied()).unwrap();
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append("x-forwarded-for", list.parse().unwrap());
        }
        proxies.client(Peer(connection.parse().unwrap()), &headers).0.to_string()
    }

    #[test]
    fn an_ipv6_network_is_one_peer_and_an_ipv4_address_is_one() {
        let counted = |address: &str| Peer(address.parse().unwrap()).counted().to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(counted("192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn only_trusted_proxies_name_the_client() {
        let proxies = ["10.0.0.0/8", "fd00::1"];
        for (connection, lists, found) in [
            ("10.0.0.1", &["192.0.2.7"][..], "192.0.2.7"),
            ("::ffff:10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            // The client claims to be somebody else; the proxy appended who it is.
            ("10.0.0.1", &["203.0.113.1, 192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["203.0.113.1", "192.0.2.7"], "192.0.2.7"),
            // Two proxies in a row.
            ("10.0.0.1", &["192.0.2.7, fd00::1"], "192.0.2.7"),
            ("192.0.2.9", &["203.0.113.1"], "192.0.2.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.7, unknown"], "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, connection, lists), found, "{connection} {lists:?}");
        }
        assert_eq!(client(&[], "10.0.0.1", &["192.0.2.7"]), "10.0.0.1");
        let wrong = TrustedProxies::parse(["10.0.0.0/8", "10.0.0.0/33"].into_iter());
        assert_eq!(wrong, Err("10.0.0.0/33".to_owned()));
    }
}
