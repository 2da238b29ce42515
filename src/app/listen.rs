//! Listening sockets.

use anyhow::{Context, Result};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use tokio::net::TcpSocket;

/// Connections that wait to be accepted. The standard library's 128 overflow when a few hundred clients
/// come at once, and each that does not fit tries again only after a second.
const BACKLOG: u32 = 4096;

/// A socket that listens on the first of the host's addresses that can be bound.
pub(super) fn listen(host: &str, port: u16, setting: &str) -> Result<TcpListener> {
    let bound = (host, port).to_socket_addrs().and_then(|addresses| {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            match bind(address) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(last)
    });
    bound.with_context(|| {
        format!(
            "{setting} {host}:{port} cannot be bound: is another server running? Set {setting} to a free port"
        )
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?; // a replacement need not wait for old connections to be forgotten
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}
