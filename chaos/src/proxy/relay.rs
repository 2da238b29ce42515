//! One connection: bytes both ways until an end, or until the fault ends it.

use super::{Fault, Upstream};
use bytes::Bytes;
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

const PIECE: usize = 16 * 1024;
/// Pieces on their way.
const QUEUED: usize = 64;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(super) async fn relay(mut client: TcpStream, upstream: &Upstream, faults: watch::Receiver<Fault>) {
    let _ = client.set_nodelay(true);
    let now = *faults.borrow();
    let ended = match now {
        Fault::Reset => Ending::Reset,
        Fault::HalfOpen => Ending::Silence,
        _ => converse(&mut client, upstream, &faults).await,
    };
    match ended {
        Ending::Close => {}
        Ending::Reset => reset(&client),
        Ending::Silence => {
            swallow(&mut client, faults).await;
            reset(&client);
        }
    }
}

enum Ending {
    Close,
    Reset,
    Silence,
}

async fn converse(client: &mut TcpStream, upstream: &Upstream, faults: &watch::Receiver<Fault>) -> Ending {
    let Ok(Ok(upstream)) = tokio::time::timeout(Duration::from_secs(5), connect(upstream)).await else {
        return Ending::Reset;
    };
    let (mut answers, mut upstream) = tokio::io::split(upstream);
    let (mut questions, mut client) = client.split();
    let up = async {
        let _ = tokio::io::copy(&mut questions, &mut upstream).await;
        let _ = upstream.shutdown().await;
        // A client that finished speaking may still listen.
        pending::<()>().await;
    };
    tokio::select! {
        () = up => Ending::Close,
        _ = answer(&mut answers, &mut client, faults.clone()) => Ending::Close,
        ending = broken(faults.clone()) => ending,
    }
}

async fn connect(upstream: &Upstream) -> io::Result<Box<dyn Stream>> {
    Ok(match upstream {
        Upstream::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
        Upstream::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}

/// Until a fault that no connection survives.
async fn broken(mut faults: watch::Receiver<Fault>) -> Ending {
    loop {
        match *faults.borrow_and_update() {
            Fault::Cut => return Ending::Close,
            Fault::Reset => return Ending::Reset,
            Fault::HalfOpen => return Ending::Silence,
            Fault::None
            | Fault::Latency { .. }
            | Fault::Drip { .. }
            | Fault::Bandwidth { .. }
            | Fault::CutAfter { .. } => {}
        }
        if faults.changed().await.is_err() {
            return Ending::Close;
        }
    }
}

/// Passes answers on, late or slowly as the fault of the moment says.
async fn answer(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    faults: watch::Receiver<Fault>,
) -> io::Result<()> {
    let (queue, mut queued) = mpsc::channel::<(Instant, Bytes)>(QUEUED);
    let read = {
        let faults = faults.clone();
        async move {
            let (mut buffer, mut last) = (vec![0; PIECE], Instant::now());
            loop {
                let read = from.read(&mut buffer).await?;
                if read == 0 {
                    return Ok::<(), io::Error>(());
                }
                // Jitter never reorders.
                last = last.max(Instant::now() + delay(*faults.borrow()));
                if queue.send((last, Bytes::copy_from_slice(&buffer[..read]))).await.is_err() {
                    return Ok(());
                }
            }
        }
    };
    let write = async {
        let mut pace = Pace { faults, sent: 0 };
        while let Some((due, bytes)) = queued.recv().await {
            pace.until(due).await;
            pace.write(to, &bytes).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(drop)
}

fn delay(fault: Fault) -> Duration {
    match fault {
        Fault::Latency { delay, jitter } => delay + jitter.mul_f64(fastrand::f64()),
        _ => Duration::ZERO,
    }
}

struct Pace {
    faults: watch::Receiver<Fault>,
    sent: u64,
}

impl Pace {
    /// Until then, or until the latency is over.
    async fn until(&mut self, due: Instant) {
        while Instant::now() < due && matches!(*self.faults.borrow_and_update(), Fault::Latency { .. }) {
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                changed = self.faults.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn write(&mut self, to: &mut (impl AsyncWrite + Unpin), mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let fault = *self.faults.borrow();
            let (take, pause) = match fault {
                Fault::Drip { bytes_per_second } => (1, Duration::from_secs(1) / bytes_per_second.max(1)),
                Fault::Bandwidth { bytes_per_second } => {
                    ((bytes_per_second / 20).max(1) as usize, Duration::from_millis(50))
                }
                Fault::CutAfter { bytes: limit } => {
                    let left = limit.saturating_sub(self.sent);
                    if left == 0 {
                        return Err(io::ErrorKind::BrokenPipe.into());
                    }
                    (usize::try_from(left).unwrap_or(usize::MAX), Duration::ZERO)
                }
                _ => (bytes.len(), Duration::ZERO),
            };
            let (now, rest) = bytes.split_at(take.min(bytes.len()));
            to.write_all(now).await?;
            to.flush().await?;
            self.sent += now.len() as u64;
            bytes = rest;
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }
}

/// Reads and forgets until the client leaves or the fault changes.
async fn swallow(client: &mut TcpStream, mut faults: watch::Receiver<Fault>) {
    let mut buffer = vec![0; PIECE];
    while *faults.borrow_and_update() == Fault::HalfOpen {
        tokio::select! {
            read = client.read(&mut buffer) => if !matches!(read, Ok(1..)) { return },
            changed = faults.changed() => if changed.is_err() { return },
        }
    }
}

/// The connection ends with RST, not FIN, when it is dropped.
fn reset(client: &TcpStream) {
    let _ = client.set_zero_linger();
}
