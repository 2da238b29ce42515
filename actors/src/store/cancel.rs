//! Asking a server to end what one of its connections runs.
//!
//! The library's own way does not wait until the server has acted, so that a late cancellation could hit
//! the statement after; the server closes the connection once it has. The request is protected as the
//! connection is: whoever reads it could cancel in our name.

use super::address::Address;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, NoTls};

pub(super) async fn cancel(token: &CancelToken, host: &Address) -> io::Result<()> {
    let port = host.config.get_ports().first().copied().unwrap_or(5432);
    let name = host.config.get_hosts().first();
    let stream = match (host.config.get_hostaddrs().first(), name) {
        (Some(address), _) => TcpStream::connect((*address, port)).await?,
        (None, Some(Host::Tcp(name))) => TcpStream::connect((name.as_str(), port)).await?,
        (None, Some(Host::Unix(folder))) => {
            let mut stream = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?;
            token.cancel_query_raw(&mut stream, NoTls).await.map_err(io::Error::other)?;
            return closed(stream).await;
        }
        (None, None) => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let (Some(tls), Some(Host::Tcp(name))) = (&host.tls, name) else {
        let mut stream = stream;
        token.cancel_query_raw(&mut stream, NoTls).await.map_err(io::Error::other)?;
        return closed(stream).await;
    };
    // The library keeps the stream it encrypts; the same socket under another number outlives it.
    let socket = stream.into_std()?;
    let watched = TcpStream::from_std(socket.try_clone()?)?;
    let tls =
        MakeTlsConnect::<TcpStream>::make_tls_connect(&mut tls.clone(), name).map_err(io::Error::other)?;
    token.cancel_query_raw(TcpStream::from_std(socket)?, tls).await.map_err(io::Error::other)?;
    closed(watched).await
}

/// Until the server has closed it; a connection reset is a closed connection, too.
async fn closed(mut stream: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut last_words = [0; 256];
    while stream.read(&mut last_words).await.is_ok_and(|read| read > 0) {}
    Ok(())
}
